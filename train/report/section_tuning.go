package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"diaghess/train/record"
	"diaghess/train/report/plot"
)

// tuningSection shows how sensitive each optimizer is to its learning rate.
func (a *Analysis) tuningSection() section {
	s := section{id: "tuning", title: "How sensitive is it to the learning rate?"}
	tuning := a.Records.Tuning
	if tuning == nil {
		return s
	}
	s.paragraphs = []string{fmt.Sprintf("The optimizers' settings were chosen from trials of %s on %s, %s, by %s on training pictures kept aside. "+
		"An optimizer that does well in a broad range of learning rates is easier to tune than one with a narrow peak. "+
		"Trials that diverged are in no line and in no median.",
		plural(tuning.Epochs, "epoch"), printable(tuning.Dataset), namedSeeds(tuning.Seeds), printable(tuning.Metric))}
	if len(tuning.Rungs) > 0 {
		s.paragraphs = append(s.paragraphs, halving(tuning))
	}
	n := tuning.Tunings()
	if n > 1 {
		s.paragraphs = append(s.paragraphs, fmt.Sprintf("Each optimizer was tuned %d times, independently: with samples and seeds of its own each time.", n))
	}
	t := table{title: "Trials", header: []string{"arm", "sampled", "trials", "diverged", "best accuracy, %", "median accuracy, %",
		"rates within 1 point of the best", "trials within 1 point"}}
	var curves []plot.Curve
	var rates, scores []float64
	for i := 0; i < len(tuning.Optimizers); i += n {
		tunings := tuning.Optimizers[i : i+n]
		name := tunings[0].Name()
		for _, o := range tunings {
			label := a.name(name)
			if o.Tuning > 0 {
				label += fmt.Sprintf(", tuning %d", o.Tuning)
			}
			t.rows, t.arms = append(t.rows, trialCells(label, o)), append(t.arms, name)
		}
		if n > 1 {
			t.rows, t.arms = append(t.rows, trialCells(fmt.Sprintf("%s, all %d tunings", a.name(name), n), tunings...)), append(t.arms, name)
		}
		arm := slices.Index(a.Optimizers, name)
		if arm < 0 { // the report leaves it out
			arm = len(a.Optimizers) + i
		}
		if c := sensitivity(tunings...); len(c.X) > 0 {
			c.Name, c.Arm = a.name(name), arm
			curves, scores = append(curves, c), append(scores, c.Y...)
		}
	}
	s.tables = []table{t}
	title := printable(tuning.Dataset) + ": validation accuracy by learning rate"
	s.figures = []figure{{fileName("sensitivity", tuning.Dataset), plot.Sensitivity(title, "learning rate", "validation accuracy", curves)}}
	for i := range curves {
		c := curves[i]
		c.X = slices.Clone(c.X)
		for j, rate := range c.X {
			c.X[j] = math.Log10(rate)
		}
		rates, curves[i] = append(rates, c.X...), c
	}
	x := newAxis(rates, func(v float64) string { return fmt.Sprintf("%.3g", math.Pow(10, v)) })
	x.ticks = slices.DeleteFunc(x.ticks, func(t tick) bool { return t.value != math.Trunc(t.value) })
	y := newAxis(scores, func(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) })
	for _, c := range curves {
		if c.Arm < len(a.Optimizers) && len(s.panels) < mostPanels {
			s.panels = append(s.panels, panel{title: title, arm: a.Optimizers[c.Arm], x: x, y: y, curves: []plot.Curve{c},
				label: fmt.Sprintf("%s: %s, best %.2f %% of %s", title, c.Name, 100*slices.Max(c.Y), plural(len(c.X), "trial"))})
		}
	}
	return s
}

// trialCells is a row of the table of trials: of an optimizer in one tuning, or in all. What is
// near the best is near that of its own tuning.
func trialCells(label string, tunings ...record.TunedOptimizer) []string {
	var bests, rates []float64
	trials := 0
	for _, o := range tunings {
		c := sensitivity(o)
		trials += len(o.Trials)
		if len(c.Y) > 0 {
			bests, rates = append(bests, slices.Max(c.Y)), append(rates, goodRates(c)...)
		}
	}
	all := sensitivity(tunings...)
	row := []string{label, Sampled(tunings[0]), strconv.Itoa(trials), strconv.Itoa(trials - len(all.X)), "", "", "", NearBest(tunings...)}
	if len(bests) > 0 {
		row[4] = between("%.2f", 100*slices.Min(bests), 100*slices.Max(bests))
		row[5] = fmt.Sprintf("%.2f", 100*median(all.Y))
		row[6] = fmt.Sprintf("%s (%s)", between("%.3g", slices.Min(rates), slices.Max(rates)), plural(len(rates), "trial"))
	}
	return row
}

// between writes a range, of one number that number.
func between(format string, low, high float64) string {
	if low == high {
		return fmt.Sprintf(format, low)
	}
	return fmt.Sprintf(format+" to "+format, low, high)
}

// Sampled says how many dimensions the space of an optimizer has, and which: "2: lr,
// weight-decay". The more there are, the thinner are equally many trials.
func Sampled(o record.TunedOptimizer) string {
	var keys []string
	for _, d := range o.Space {
		keys = append(keys, printable(d.Key))
	}
	return fmt.Sprintf("%d: %s", len(keys), strings.Join(keys, ", "))
}

// NearBest says how many of an optimizer's trials, in one tuning or in several, have an
// accuracy within 0.01 of the best in their tuning: "3 of 16 (19 %)". Under successive halving
// the accuracy is that after the first stage.
func NearBest(tunings ...record.TunedOptimizer) string {
	near, trials := 0, 0
	for _, o := range tunings {
		near += len(goodRates(sensitivity(o)))
		trials += len(o.Trials)
	}
	return fmt.Sprintf("%d of %d (%.0f %%)", near, trials, 100*float64(near)/float64(max(1, trials)))
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
func sensitivity(tunings ...record.TunedOptimizer) plot.Curve {
	var trials []record.Trial
	for _, o := range tunings {
		trials = append(trials, o.Trials...)
	}
	trials = slices.DeleteFunc(trials, func(t record.Trial) bool { return t.Early() == nil || !(t.LR > 0) })
	slices.SortStableFunc(trials, func(x, y record.Trial) int { return cmp.Compare(x.LR, y.LR) })
	var c plot.Curve
	for _, trial := range trials {
		c.X, c.Y = append(c.X, trial.LR), append(c.Y, trial.Early().ValAcc)
	}
	return c
}

// TuningCautions says of which optimizers a better learning rate may lie outside of what
// was tried.
func TuningCautions(t *record.Tuned) []string {
	var lines []string
	n := t.Tunings()
	for i := 0; i < len(t.Optimizers); i += n {
		count := map[string]int{}
		for _, o := range t.Optimizers[i : i+n] {
			var rates []float64
			for _, trial := range o.Trials {
				rates = append(rates, trial.LR)
			}
			count[rateEnd(o.Trials[o.BestTrial-1].LR, rates)]++
		}
		where := ""
		switch small, large := count["smallest"], count["largest"]; {
		case small+large == 0:
			continue
		case n > 1:
			where = fmt.Sprintf("in %d of %d tunings its learning rate is at an end of those tried (smallest in %d, largest in %d)", small+large, n, small, large)
		case small > 0:
			where = "its learning rate is the smallest that was tried"
		default:
			where = "its learning rate is the largest that was tried"
		}
		lines = append(lines, fmt.Sprintf("%s: %s; a better one may lie beyond.", printable(t.Optimizers[i].Name()), where))
	}
	return lines
}

// rateEnd is "smallest" or "largest" if that is what the learning rate of an optimizer's best
// trial is among those of all its trials, diverged ones included: nobody knows what lies
// beyond. Else it is empty, and of fewer than three rates too: one of two is always at an end.
func rateEnd(best float64, rates []float64) string {
	rates = distinct(rates)
	switch {
	case len(rates) < 3:
		return ""
	case best == rates[len(rates)-1]:
		return "largest"
	case best == rates[0]:
		return "smallest"
	}
	return ""
}

// goodRates returns the learning rates of the trials whose accuracy is within one percentage
// point of the best, ascending.
func goodRates(c plot.Curve) (rates []float64) {
	const within = 0.01
	for i, accuracy := range c.Y {
		if accuracy >= slices.Max(c.Y)-within {
			rates = append(rates, c.X[i])
		}
	}
	return rates
}
