package report

import (
	"fmt"
	"math"
	"slices"

	"diaghess/train/record"
	"diaghess/train/report/plot"
	"diaghess/train/stats"
)

// measure is a number that every epoch has.
type measure struct {
	title string
	of    func(record.Epoch) float64
	share bool // whether it is shown in percent
	panel bool // whether a page shows it
}

// measures returns what the learning curves show.
func measures() []measure {
	return []measure{
		{"validation loss", func(e record.Epoch) float64 { return e.ValLoss }, false, false},
		{"validation accuracy", func(e record.Epoch) float64 { return e.ValAcc }, true, true},
		{"training loss", func(e record.Epoch) float64 { return e.TrainLoss }, false, true},
		{"training accuracy", func(e record.Epoch) float64 { return e.TrainAcc }, true, false},
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

// learningCurve returns the mean of a measure over finished runs, with its 95 % interval, for
// every epoch that all of them have.
func learningCurve(runs []Record, m measure) plot.Curve {
	epochs := len(runs[0].Epochs)
	for _, run := range runs {
		epochs = min(epochs, len(run.Epochs))
	}
	var c plot.Curve
	for i := range epochs {
		var values []float64
		for _, run := range runs {
			values = append(values, m.of(run.Epochs[i]))
		}
		mean, low, high := meanBand(values)
		c.X, c.Y, c.Low, c.High = append(c.X, float64(i+1)), append(c.Y, mean), append(c.Low, low), append(c.High, high)
	}
	return c
}

// meanBand returns the mean of a list and the ends of its 95 % interval; of one value, the
// value.
func meanBand(values []float64) (mean, low, high float64) {
	s, err := stats.Describe(values)
	if err != nil || s.N < 2 {
		return s.Mean, s.Mean, s.Mean
	}
	i := s.MeanInterval(confidence)
	return s.Mean, i.Low, i.High
}

// armCurves returns the learning curve of each arm on a data set, nil for one without.
func (a *Analysis) armCurves(dataset string, m measure) []*plot.Curve {
	curves := make([]*plot.Curve, len(a.Optimizers))
	for arm, optimizer := range a.Optimizers {
		if runs := a.Records.finished(dataset, optimizer); len(runs) > 0 {
			c := learningCurve(runs, m)
			c.Name, c.Arm = a.name(optimizer), arm
			curves[arm] = &c
		}
	}
	return curves
}

func (a *Analysis) curveSection() section {
	s := section{id: "curves", title: "How did training go?", pageOnly: true}
	for _, dataset := range a.Datasets {
		for _, m := range measures() {
			curves := a.armCurves(dataset, m)
			var drawn []plot.Curve
			for _, c := range curves {
				if c != nil {
					drawn = append(drawn, *c)
				}
			}
			if len(drawn) == 0 {
				continue
			}
			title := printable(dataset) + ": " + m.title + " by epoch"
			s.figures = append(s.figures, figure{fileName("curve", dataset, m.title), plot.Curves(title, "epoch", m.title, drawn)})
			if m.panel {
				s.panels = append(s.panels, a.curvePanels(title, m, curves)...)
			}
		}
	}
	if len(s.panels) > 0 {
		s.paragraphs = []string{"Each panel has an arm in its colour and the baseline in grey. Lines are means over the finished runs; bands, from two runs on, are 95 % intervals of the mean, epoch by epoch. " +
			"Axes may be cut: they leave out what only the first 30 % of the epochs reach, values beyond 20 times the median, and the ends of wide bands."}
		if a.tuned() {
			s.paragraphs = append(s.paragraphs, "The bands count each run as independent. Runs of one tuning are not: where tunings differ, bands are too narrow.")
		}
		if most := mostPanels; len(a.Optimizers) > most {
			s.paragraphs = append(s.paragraphs, fmt.Sprintf("There are panels of the first %d arms.", most))
		}
	}
	return s
}

// curvePanels draws learning curves on axes that begin after 30 % of training.
func (a *Analysis) curvePanels(title string, m measure, curves []*plot.Curve) []panel {
	var xs, ys []float64
	for _, c := range curves {
		if c != nil {
			xs = append(xs, c.X...)
			ys = append(ys, c.Y[3*len(c.Y)/10:]...)
		}
	}
	number := func(v float64) string { return signed("%.4g", v) }
	value := number
	if m.share {
		value = func(v float64) string { return number(100*v) + " %" }
	}
	x, y := newAxis(xs, number), newAxis(bulk(ys), value)
	x.ticks = slices.DeleteFunc(x.ticks, func(t tick) bool { return t.value != math.Trunc(t.value) })
	return a.panels(title, curves, x, y, func(c plot.Curve) string {
		return c.Name + " ends at " + value(c.Y[len(c.Y)-1])
	})
}
