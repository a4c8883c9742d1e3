package report

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// trainingLoss returns the training loss after the last epoch that all rows have of one kind, the
// one that tells most, and what it is; nil where some have none.
func trainingLoss(rows []Row) (of func(Row) float64, words string) {
	for _, kind := range []struct {
		words string
		of    func(record.Config, record.Epoch) *float64
	}{
		{"of all training pictures after the last epoch, without dropout and label smoothing", func(_ record.Config, e record.Epoch) *float64 {
			if e.EvaluatedTrain == nil {
				return nil
			}
			return &e.EvaluatedTrain.Loss
		}},
		{"the mean during the last epoch, with dropout and without label smoothing", func(c record.Config, e record.Epoch) *float64 {
			if c.LabelSmoothing == 0 {
				return &e.TrainLoss
			}
			return e.TrainLossClean
		}},
		{"the mean during the last epoch, with dropout and label smoothing", func(_ record.Config, e record.Epoch) *float64 { return &e.TrainLoss }},
	} {
		last := func(r Row) *float64 {
			if r.run == nil || len(r.run.Epochs) == 0 {
				return nil
			}
			return kind.of(r.run.Config, r.run.Epochs[len(r.run.Epochs)-1])
		}
		if len(rows) > 0 && !slices.ContainsFunc(rows, func(r Row) bool { return last(r) == nil }) {
			return func(r Row) float64 { return *last(r) }, kind.words
		}
	}
	return nil, ""
}

// pilotMetric is one of the numbers that the pilot's study of perceptrons tested.
type pilotMetric struct {
	name      string // its column in CSV files
	title     string
	direction stats.Direction
	of        func(Row) float64
}

// pilotMetrics returns those that all rows have, and what the training loss is, if they have one.
func pilotMetrics(rows []Row) (metrics []pilotMetric, loss string) {
	of, loss := trainingLoss(rows)
	if of != nil {
		metrics = []pilotMetric{{"train_loss", "training loss", stats.LowerIsBetter, of}}
	}
	for _, m := range []Metric{ValLoss, ValAcc, F1} {
		direction := stats.LowerIsBetter
		if m.HigherIsBetter() {
			direction = stats.HigherIsBetter
		}
		metrics = append(metrics, pilotMetric{m.String(), m.Title(), direction, m.Of})
	}
	return metrics, loss
}

// pilotPair is a metric of two arms over the seeds that both have finished.
type pilotPair struct {
	dataset, x, y string
	metric        pilotMetric
	n             int
	result        stats.PilotResult
	err           error // why there is none
}

// pilotPairs returns all pairs of arms on a data set, metric by metric, and what the training loss
// is.
func (a *Analysis) pilotPairs(dataset string) (pairs []pilotPair, loss string) {
	runs := a.finished(dataset)
	metrics, loss := pilotMetrics(slices.Collect(maps.Values(runs)))
	arms := a.armsOf(dataset)
	for _, m := range metrics {
		for i, x := range arms {
			for _, y := range arms[i+1:] {
				var xs, ys []float64
				for _, seed := range a.seedsOf(dataset, x, y) {
					p, there := runs[runKey{dataset, seed, x}]
					q, too := runs[runKey{dataset, seed, y}]
					if there && too {
						xs, ys = append(xs, m.of(p)), append(ys, m.of(q))
					}
				}
				pair := pilotPair{dataset: dataset, x: x, y: y, metric: m, n: len(xs)}
				pair.result, pair.err = stats.Pilot(xs, ys, m.direction)
				pairs = append(pairs, pair)
			}
		}
	}
	return pairs, loss
}

// pilotRecords are those of pilot-statistics.csv.
func (a *Analysis) pilotRecords() [][]string {
	records := [][]string{{"dataset", "metric", "x", "y", "n", "mean_difference", "t_stat", "p_value", "cohen_d_pooled", "p_non_inferior_pilot", "p_non_inferior", "p_equivalent"}}
	for _, dataset := range a.Datasets {
		pairs, _ := a.pilotPairs(dataset)
		for _, p := range pairs {
			record := []string{dataset, p.metric.name, p.x, p.y, fmt.Sprint(p.n)}
			r := p.result
			for _, v := range []float64{r.MeanDifference, r.T, r.P, r.D, r.NonInferiority, r.OwnNonInferiority, r.Equivalence} {
				if p.err != nil {
					v = math.NaN()
				}
				record = append(record, formatFloat(v))
			}
			records = append(records, record)
		}
	}
	return records
}

// hasPilot says whether the report has the pilot's own statistics.
func (a *Analysis) hasPilot() bool {
	return a.PilotStatistics || a.Records.Plan != nil && a.Records.Plan.Preset == record.PresetPilotMLP
}

// pilotSection has the statistics of the pilot's study of perceptrons.
func (a *Analysis) pilotSection() section {
	s := section{id: "pilot", title: "As the pilot's study of perceptrons computed it", folded: !a.PilotStatistics, brief: a.PilotStatistics}
	if !a.hasPilot() {
		return s
	}
	for _, dataset := range a.Datasets {
		pairs, loss := a.pilotPairs(dataset)
		var reasons footnotes
		for _, p := range pairs {
			title := fmt.Sprintf("%s: %s", printable(dataset), p.metric.title)
			if n := len(s.tables); n == 0 || s.tables[n-1].title != title {
				t := table{title: title, header: []string{"x − y", "n", "mean difference", columnT, columnP, "d, pooled", "p, non-inferior, pilot's", "p, non-inferior", "p, equivalent"}}
				if p.metric.name == "train_loss" {
					t.notes = []string{"Training loss: " + loss + "."}
				}
				s.tables = append(s.tables, t)
				reasons = nil
			}
			t := &s.tables[len(s.tables)-1]
			number := func(of func(r stats.PilotResult) string) string {
				return reasons.cell(p.err, func() string { return of(p.result) })
			}
			t.rows = append(t.rows, []string{
				a.name(p.x) + " − " + a.name(p.y), fmt.Sprint(p.n),
				number(func(r stats.PilotResult) string { return signed("%+.4f", r.MeanDifference) }),
				number(func(r stats.PilotResult) string { return signed("%+.3f", r.T) }),
				number(func(r stats.PilotResult) string { return pValue(r.P) }),
				number(func(r stats.PilotResult) string { return signed("%+.2f", r.D) }),
				number(func(r stats.PilotResult) string { return pValue(r.NonInferiority) }),
				number(func(r stats.PilotResult) string { return pValue(r.OwnNonInferiority) }),
				number(func(r stats.PilotResult) string { return pValue(r.Equivalence) }),
			})
			if len(reasons) > 0 {
				t.notes = append(slices.DeleteFunc(t.notes, func(n string) bool { return n[0] == '[' }), reasons.lines()...)
			}
		}
	}
	if len(s.tables) == 0 {
		return s
	}
	s.paragraphs = []string{
		"These statistics decide nothing here: they repeat those of the pilot, for comparison. Each pair of arms has a paired t-test over the seeds, and no p is corrected for their number. " +
			"Cohen's d has the pooled standard deviation of independent samples. The p of non-inferiority and equivalence (two one-sided tests) have a margin of " + fmt.Sprint(stats.PilotMargin) + " for every metric, of which accuracy and F1 are shares.",
		"The pilot's p of non-inferiority has the sense of a loss. For accuracy and F1 it tests the wrong side: it is small where x is far worse. The column beside it has the metric's own direction.",
	}
	if len(a.Records.Runs) == len(a.Rows) {
		s.paragraphs = append(s.paragraphs, "In the pilot the losses were of two kinds: of its custom arm without label smoothing, of its baselines with it. Here all arms have losses of the same kind.")
	}
	if a.tuned() {
		s.paragraphs = append(s.paragraphs, "The runs of one tuning count as independent seeds here, as they would have in the pilot.")
	}
	return s
}
