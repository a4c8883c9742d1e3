package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

func (a *Analysis) costSection() section {
	s := section{id: "cost", title: "What does it cost?", half: true}
	reason := ""
	for _, c := range a.compared() {
		if err := c.times.Err; err != nil {
			reason = err.Error()
			continue
		}
		s.paragraphs = append(s.paragraphs, fmt.Sprintf("%s, %s: %s.", printable(c.Dataset), a.arms(c), c.times.Result))
	}
	switch {
	case reason != "":
		s.paragraphs = []string{fmt.Sprintf("Times are not compared: %s.", reason)}
	case len(s.paragraphs) > 0:
		for _, dataset := range a.Datasets {
			s.tables = append(s.tables, a.costTable(dataset))
		}
		s.paragraphs = append([]string{"Training time is of all epochs, with the validation after each. The multiple is the geometric mean of the pairs' ratios, with its 95 % interval."}, distinct(s.paragraphs)...)
	}
	for _, dataset := range a.Datasets {
		if parts := a.partsTable(dataset); len(parts.rows) > 0 {
			s.tables = append(s.tables, parts)
		}
	}
	if len(s.tables) > 0 {
		s.paragraphs = append(s.paragraphs, "By part: shares of medians over one step of each epoch of each run, whose kernels were timed one by one. "+
			"Curvature is what an estimate takes, divided by the steps from one to the next; rest is pictures, dropout masks, loss and counts.")
	}
	return s
}

// costTable says what the arms cost on a data set, if their times can be compared.
func (a *Analysis) costTable(dataset string) table {
	t := table{title: printable(dataset), header: []string{"arm", "median time", "ms a step", "multiple of the baseline's"}}
	var reasons footnotes
	for _, optimizer := range a.armsOf(dataset) {
		row := []string{a.name(optimizer)}
		for i, list := range a.times(dataset, optimizer) {
			switch {
			case len(list) == 0:
				row = append(row, missingNumber)
			default:
				row = append(row, threeDigits(median(list))+[]string{" s", ""}[i])
			}
		}
		t.rows, t.arms = append(t.rows, append(row, a.ratioCell(dataset, optimizer, &reasons))), append(t.arms, optimizer)
	}
	t.notes = reasons.lines()
	return t
}

// partsTable says where the time of a step goes; it has no rows where no records tell.
func (a *Analysis) partsTable(dataset string) table {
	t := table{
		title:  printable(dataset) + ": a step by part, %",
		header: []string{"arm", "steps timed", "forward", "backward", "curvature", "update", "rest"},
	}
	for _, optimizer := range a.armsOf(dataset) {
		var parts [5][]float64
		for _, run := range a.Records.Runs {
			if run.Row.Dataset != dataset || run.Row.Optimizer != optimizer || run.Row.unusable() != "" {
				continue
			}
			for _, e := range run.Epochs {
				if p := e.Parts; p != nil {
					for i, millis := range [...]float64{p.Forward, p.Backward, p.Curvature, p.Update, p.Rest} {
						parts[i] = append(parts[i], millis)
					}
				}
			}
		}
		if len(parts[0]) == 0 {
			continue
		}
		row, sum := []string{a.name(optimizer), strconv.Itoa(len(parts[0]))}, 0.0
		for _, millis := range parts {
			sum += median(millis)
		}
		for _, millis := range parts {
			row = append(row, fmt.Sprintf("%.0f", 100*median(millis)/sum))
		}
		t.rows, t.arms = append(t.rows, row), append(t.arms, optimizer)
	}
	return t
}

// ratioCell says how many times as long as the baseline an arm takes.
func (a *Analysis) ratioCell(dataset, optimizer string, reasons *footnotes) string {
	place := slices.IndexFunc(a.Comparisons, func(c Comparison) bool { return c.Dataset == dataset && c.Rival == optimizer })
	if place < 0 {
		return ""
	}
	ratio := a.Comparisons[place].Evidence.Time
	switch interval := ratio.Result.Interval; {
	case ratio.Err != nil:
		return reasons.cite(ratio.Err)
	case interval.Err != nil:
		return fmt.Sprintf("%.3f (%s)", ratio.Result.Mean, reasons.cite(interval.Err))
	default:
		return fmt.Sprintf("%.3f (%.3f to %.3f)", ratio.Result.Mean, interval.Result.Low, interval.Result.High)
	}
}

// times returns the training times in seconds of an arm's finished runs, and in
// milliseconds a step of those whose number of steps is in their records.
func (a *Analysis) times(dataset, optimizer string) [2][]float64 {
	var seconds, stepMillis []float64
	for _, r := range a.Rows {
		if r.Dataset == dataset && r.Optimizer == optimizer && r.unusable() == "" {
			seconds = append(seconds, r.TrainTime)
		}
	}
	for _, run := range a.Records.Runs {
		steps, err := strconv.ParseFloat(run.Settings["steps"], 64)
		if err == nil && steps > 0 && run.Row.Dataset == dataset && run.Row.Optimizer == optimizer && run.Row.unusable() == "" {
			stepMillis = append(stepMillis, 1000*run.Row.TrainTime/steps)
		}
	}
	return [2][]float64{seconds, stepMillis}
}

// threeDigits writes a positive number with three significant digits or, from 100
// on, to the unit.
func threeDigits(v float64) string {
	if v >= 100 || v == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(v))), 64)
}
