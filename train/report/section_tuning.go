package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"diaghess/train/record"
	"diaghess/train/report/plot"
)

// tuningSection shows how sensitive each optimizer is to its learning rate.
func (a *Analysis) tuningSection() section {
	s := section{title: "Sensitivity to the learning rate"}
	tuning := a.Records.Tuning
	if tuning == nil {
		return s
	}
	s.paragraphs = []string{fmt.Sprintf("The optimizers' settings were chosen from trials of %s on %s, %s, by %s on training pictures kept aside. "+
		"An optimizer that does well in a broad range of learning rates is easier to tune than one with a narrow peak. "+
		"Trials differ in all that was sampled, not in the learning rate alone; those that diverged have no dot.",
		plural(tuning.Epochs, "epoch"), printable(tuning.Dataset), namedSeeds(tuning.Seeds), printable(tuning.Metric))}
	if len(tuning.Rungs) > 0 {
		s.paragraphs = append(s.paragraphs, halving(tuning))
	}
	t := table{title: "Trials", header: []string{"Optimizer", "Trials", "Diverged", "Best accuracy", "Median accuracy", "Learning rates within 0.01 of the best accuracy"}}
	var curves []plot.Curve
	for i, o := range tuning.Optimizers {
		arm := slices.Index(a.Optimizers, o.Best)
		if arm < 0 { // the report leaves it out
			arm = len(a.Optimizers) + i
		}
		c := sensitivity(tuning, o)
		c.Name, c.Arm = withN(o.Best, len(c.X)), arm
		if len(c.X) > 0 {
			curves = append(curves, c)
			t.rows = append(t.rows, []string{
				printable(o.Best), strconv.Itoa(len(o.Trials)), strconv.Itoa(len(o.Trials) - len(c.X)),
				fmt.Sprintf("%.4f", slices.Max(c.Y)), fmt.Sprintf("%.4f", median(slices.Clone(c.Y))), goodRates(c),
			})
		}
	}
	s.tables = []table{t}
	s.figures = []figure{{
		name:   fileName("sensitivity", tuning.Dataset),
		Figure: plot.Sensitivity(printable(tuning.Dataset)+": validation accuracy by learning rate", "learning rate", "validation accuracy", curves),
	}}
	return s
}

// halving says how the trials were thinned out.
func halving(t *record.Tuned) string {
	stages := ""
	for i, rung := range t.Rungs {
		if i > 0 {
			stages += ", "
		}
		stages += fmt.Sprintf("%s of %s", plural(rung.Trials, "trial"), plural(rung.Epochs, "epoch"))
	}
	return fmt.Sprintf("By successive halving, each optimizer had %s: those that were the best so far went on. "+
		"What is shown is how all trials stood after the first of these stages, %s.", stages, plural(t.Rungs[0].Epochs, "epoch"))
}

// sensitivity returns the accuracy of an optimizer's trials by their learning rates,
// ascending: of those that did not diverge, after as many epochs each.
func sensitivity(t *record.Tuned, o record.TunedOptimizer) plot.Curve {
	score := func(trial record.Trial) *record.TrialScore {
		if len(t.Rungs) > 0 {
			return trial.First
		}
		return trial.Score
	}
	trials := slices.DeleteFunc(slices.Clone(o.Trials), func(t record.Trial) bool { return score(t) == nil || !(t.LR > 0) })
	slices.SortFunc(trials, func(x, y record.Trial) int { return cmp.Compare(x.LR, y.LR) })
	var c plot.Curve
	for _, trial := range trials {
		c.X, c.Y = append(c.X, trial.LR), append(c.Y, score(trial).ValAcc)
	}
	return c
}

// TuningCautions says of which optimizers a better learning rate may lie outside of what
// was tried.
func TuningCautions(t *record.Tuned) []string {
	var lines []string
	for _, o := range t.Optimizers {
		var rates []float64
		for _, trial := range o.Trials {
			rates = append(rates, trial.LR)
		}
		if caution := rateCaution(printable(o.Best), o.Trials[o.BestTrial-1].LR, rates); caution != "" {
			lines = append(lines, caution)
		}
	}
	return lines
}

// rateCaution says so if the learning rate of an optimizer's best trial is the
// smallest or the largest of all its trials', diverged ones included: nobody knows
// what lies beyond. Else it is empty.
func rateCaution(optimizer string, best float64, rates []float64) string {
	end := ""
	switch {
	case len(rates) == 0 || slices.Min(rates) == slices.Max(rates): // it was not tuned
		return ""
	case best == slices.Max(rates):
		end = "largest"
	case best == slices.Min(rates):
		end = "smallest"
	default:
		return ""
	}
	return fmt.Sprintf("%s: its learning rate is the %s that was tried; a better one may lie beyond.", optimizer, end)
}

// goodRates names the smallest and the largest learning rate of a trial whose
// accuracy is within one percentage point of the best, and how many such trials
// there are.
func goodRates(c plot.Curve) string {
	const within = 0.01
	var rates []float64
	for i, accuracy := range c.Y {
		if accuracy >= slices.Max(c.Y)-within {
			rates = append(rates, c.X[i])
		}
	}
	return fmt.Sprintf("%.3g to %.3g (%s)", rates[0], rates[len(rates)-1], plural(len(rates), "trial"))
}
