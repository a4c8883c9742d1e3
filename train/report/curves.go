package report

import (
	"math"
	"slices"

	"diaghess/train/record"
	"diaghess/train/report/plot"
)

// measure is a number that every epoch has.
type measure struct {
	title string
	of    func(record.Epoch) float64
}

// measures returns what the learning curves show.
func measures() []measure {
	return []measure{
		{"validation loss", func(e record.Epoch) float64 { return e.ValLoss }},
		{"validation accuracy", func(e record.Epoch) float64 { return e.ValAcc }},
		{"training loss", func(e record.Epoch) float64 { return e.TrainLoss }},
		{"training accuracy", func(e record.Epoch) float64 { return e.TrainAcc }},
	}
}

// finished returns the records of an arm's usable runs on a data set that have epochs.
func (r Records) finished(dataset, optimizer string) []Record {
	return slices.DeleteFunc(r.of(dataset, optimizer), func(run Record) bool { return run.Row.unusable() != "" })
}

// of returns the records of an arm's runs on a data set that have epochs, or
// diverged before the first had ended.
func (r Records) of(dataset, optimizer string) []Record {
	var runs []Record
	for _, run := range r.Runs {
		if run.Row.Dataset == dataset && run.Row.Optimizer == optimizer && (len(run.Epochs) > 0 || run.Row.Status == record.Diverged) {
			runs = append(runs, run)
		}
	}
	return runs
}

// elapsed returns the time in seconds from a run's start to the end of each epoch.
func (r Record) elapsed() []float64 {
	var seconds []float64
	var sum float64
	for _, e := range r.Epochs {
		sum += e.Seconds
		seconds = append(seconds, sum)
	}
	return seconds
}

// meanAndBand returns the mean of a list and its ends of one standard deviation on
// either side; of one value, the value.
func meanAndBand(values []float64) (mean, low, high float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	sd := math.Sqrt(squares / float64(max(1, len(values)-1)))
	return mean, mean - sd, mean + sd
}

// learningCurve returns the mean of a measure over finished runs with a band of one
// standard deviation, for every epoch that all of them have: by epoch, or by the
// mean time at which the epoch ended.
func learningCurve(runs []Record, m measure, byTime bool) plot.Curve {
	epochs := len(runs[0].Epochs)
	var elapsed [][]float64
	for _, run := range runs {
		epochs = min(epochs, len(run.Epochs))
		elapsed = append(elapsed, run.elapsed())
	}
	var c plot.Curve
	for i := range epochs {
		var values, seconds []float64
		for j, run := range runs {
			values = append(values, m.of(run.Epochs[i]))
			seconds = append(seconds, elapsed[j][i])
		}
		mean, low, high := meanAndBand(values)
		c.Y, c.Low, c.High = append(c.Y, mean), append(c.Low, low), append(c.High, high)
		x := float64(i + 1)
		if byTime {
			x, _, _ = meanAndBand(seconds)
		}
		c.X = append(c.X, x)
	}
	return c
}

// curveFigures returns the learning curves of a data set.
func (a *Analysis) curveFigures(dataset string) []figure {
	var figures []figure
	for _, m := range measures() {
		for _, byTime := range []bool{false, true} {
			axis, label := "epoch", "epoch"
			if byTime {
				axis, label = "time", "mean time elapsed, s"
			}
			var curves []plot.Curve
			for arm, optimizer := range a.Optimizers {
				runs := a.Records.finished(dataset, optimizer)
				if len(runs) == 0 {
					continue
				}
				c := learningCurve(runs, m, byTime)
				c.Name, c.Arm = withN(optimizer, len(runs)), arm
				curves = append(curves, c)
			}
			if len(curves) > 0 {
				title := printable(dataset) + ": " + m.title + " by " + axis
				figures = append(figures, figure{
					name:   fileName("curve", dataset, m.title, axis),
					Figure: plot.Curves(title, label, m.title, curves),
				})
			}
		}
	}
	return figures
}
