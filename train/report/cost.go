package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// costTable says what the arms cost on a data set.
func (a *Analysis) costTable(dataset string) table {
	t := table{
		title:  printable(dataset),
		header: []string{"Optimizer", "Runs", "Median time", "Median ms a step", "Time, as a multiple of the baseline's", "95 % interval"},
	}
	var reasons footnotes
	for _, optimizer := range a.armsOf(dataset) {
		times, stepTimes := a.times(dataset, optimizer)
		row := []string{printable(optimizer), strconv.Itoa(len(times))}
		if len(times) == 0 {
			row = append(row, missingNumber)
		} else {
			row = append(row, threeDigits(median(times))+" s")
		}
		if len(stepTimes) == 0 {
			row = append(row, missingNumber)
		} else {
			row = append(row, threeDigits(median(stepTimes)))
		}
		t.rows = append(t.rows, append(row, a.ratioCells(dataset, optimizer, &reasons)...))
	}
	t.notes = reasons.lines()
	return t
}

// partsTable says where the time of a step goes; it has no rows where no records tell.
func (a *Analysis) partsTable(dataset string) table {
	t := table{
		title:  printable(dataset) + ": a step by part, ms",
		header: []string{"Optimizer", "Steps timed", "Forward", "Backward", "Curvature", "Update", "Rest"},
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
		row := []string{printable(optimizer), strconv.Itoa(len(parts[0]))}
		for _, millis := range parts {
			row = append(row, threeDigits(median(millis)))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// ratioCells says how many times as long as the baseline an arm takes.
func (a *Analysis) ratioCells(dataset, optimizer string, reasons *footnotes) []string {
	place := slices.IndexFunc(a.Comparisons, func(c Comparison) bool { return c.Dataset == dataset && c.Rival == optimizer })
	if place < 0 {
		return []string{"", ""}
	}
	ratio := a.Comparisons[place].Lines[TrainTime].Evidence.Ratio
	switch interval := ratio.Result.Interval; {
	case ratio.Err != nil:
		return []string{reasons.cite(ratio.Err), reasons.cite(ratio.Err)}
	case interval.Err != nil:
		return []string{fmt.Sprintf("%.3f", ratio.Result.Mean), reasons.cite(interval.Err)}
	default:
		return []string{fmt.Sprintf("%.3f", ratio.Result.Mean), intervalWords(interval.Result, "%.3f", "")}
	}
}

// times returns the training times in seconds of an arm's finished runs, and in
// milliseconds a step of those whose number of steps is in their records.
func (a *Analysis) times(dataset, optimizer string) (seconds, stepMillis []float64) {
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
	return seconds, stepMillis
}

// threeDigits writes a positive number with three significant digits or, from 100
// on, to the unit.
func threeDigits(v float64) string {
	if v >= 100 || v == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(v))), 64)
}
