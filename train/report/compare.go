package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"diaghess/train/stats"
)

// Analysis compares the optimizers of a study: every rival with the baseline on every data
// set.
type Analysis struct {
	Rows        []Row
	Datasets    []string     // in order of first appearance
	Optimizers  []string     // the baseline, then the rivals in order of first appearance
	Comparisons []Comparison // data set by data set, rival by rival
	Checks      []Check      // what Check found, in the order of its calls
	Tests       int          // how many t-tests there are, the family of the adjusted p values
	SpreadTests int          // how many tests of spread
	Records     Records      // of rows that were read from result folders
	// Introduction says what study this is to a reader who did not make it; may be empty.
	Introduction string
	// Targets are the validation accuracies that the arms race to; empty for shares of
	// the best arm's, see the report.
	Targets []float64
}

// Comparison compares one rival with the baseline on one data set, over the seeds that
// both have finished.
type Comparison struct {
	Dataset  string
	Baseline string
	Rival    string    // empty where the data set has runs of one optimizer only, named by Baseline
	Seeds    []int     // the seeds compared, ascending
	LeftOut  []LeftOut // runs that keep a seed out, by seed
	Epochs   []int     // distinct known numbers of epochs of the runs compared, ascending
	Limits   []int     // distinct picture limits of the runs compared, ascending; 0 is all pictures
	// Measured and Builds are the distinct known ones of the runs compared.
	Measured []Measured
	Builds   []string // sorted
	Lines    []Line   // one for every metric, in the order of Metrics
}

// LeftOut names a run without which its seed cannot be compared.
type LeftOut struct {
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
	Reason    string `json:"reason"` // "missing", or its status and note
}

// Line is the comparison of one metric.
type Line struct {
	Metric Metric
	// BaselineValues and RivalValues are the metric, by the comparison's seeds.
	BaselineValues, RivalValues []float64
	Baseline                    stats.Summary // N is 0 where no seed could be compared
	Rival                       stats.Summary // N is 0 where there is no rival
	Difference                  float64       // rival's mean − baseline's mean; NaN without pairs
	PercentChange               float64       // Difference in percent of |baseline's mean|; NaN without pairs or where that mean is 0
	Test                        stats.PairedTResult
	Untested                    error // why Test is empty, or nil
	Evidence                    Evidence
}

var errNoPair = errors.New("no seed has finished in every arm")

// DefaultBaseline is the optimizer that the others are compared with when
// nobody says which and there is one of this name.
const DefaultBaseline = "Baseline"

// Compare pairs the rows by data set and seed and compares every optimizer with
// the baseline. An empty baseline stands for DefaultBaseline where there are
// such rows, and else for the optimizer of the first row.
//
// A seed is compared when both arms have finished it with finite metrics.
// Every other seed that either arm has is named in LeftOut.
//
// It returns an error if there are no rows or none of the baseline. It also returns one if
// a row lacks its data set, optimizer or status, or if two rows are of the same run.
func Compare(rows []Row, baseline string) (*Analysis, error) {
	if len(rows) == 0 {
		return nil, errors.New("there are no runs to compare")
	}
	runs := make(map[runKey]Row)
	a := &Analysis{Rows: rows}
	for _, r := range rows {
		if r.Dataset == "" || r.Optimizer == "" || r.Status == "" {
			return nil, fmt.Errorf("%s: the run has no data set, optimizer or status: %q, %q, %q", r.Source, r.Dataset, r.Optimizer, r.Status)
		}
		if other, ok := runs[keyOf(r)]; ok {
			return nil, fmt.Errorf("%s and %s are the same run (data set %q, seed %d, optimizer %q): results of two studies, or of one study twice, cannot be mixed",
				other.Source, r.Source, r.Dataset, r.Seed, r.Optimizer)
		}
		runs[keyOf(r)] = r
		a.Datasets = appendNew(a.Datasets, r.Dataset)
		a.Optimizers = appendNew(a.Optimizers, r.Optimizer)
	}

	if baseline == "" {
		baseline = a.Optimizers[0]
		if slices.Contains(a.Optimizers, DefaultBaseline) {
			baseline = DefaultBaseline
		}
	}
	place := slices.Index(a.Optimizers, baseline)
	if place < 0 {
		return nil, fmt.Errorf("no run is of the baseline %q; the optimizers are %s", baseline, quoteAll(a.Optimizers))
	}
	a.Optimizers = append([]string{baseline}, slices.Delete(a.Optimizers, place, place+1)...)

	for _, dataset := range a.Datasets {
		arms := a.armsOf(dataset)
		if len(arms) == 1 {
			a.Comparisons = append(a.Comparisons, newComparison(runs, a.seedsOf(dataset, arms[0]), dataset, arms[0], ""))
			continue
		}
		for _, rival := range arms {
			if rival != baseline {
				seeds := a.seedsOf(dataset, baseline, rival)
				a.Comparisons = append(a.Comparisons, newComparison(runs, seeds, dataset, baseline, rival))
			}
		}
	}
	a.Records = records(rows)
	return a, a.adjust()
}

// distinct sorts a list and drops repetitions.
func distinct[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// appendMeasured adds what is known and not in the list.
func appendMeasured(list []Measured, m Measured) []Measured {
	if m == (Measured{}) || slices.Contains(list, m) {
		return list
	}
	return append(list, m)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// armsOf returns the optimizers that have runs on a data set, the baseline first.
func (a *Analysis) armsOf(dataset string) []string {
	var arms []string
	for _, optimizer := range a.Optimizers {
		if slices.ContainsFunc(a.Rows, func(r Row) bool { return r.Dataset == dataset && r.Optimizer == optimizer }) {
			arms = append(arms, optimizer)
		}
	}
	return arms
}

// seedsOf returns the seeds for which one of the optimizers has a run on a data
// set, ascending.
func (a *Analysis) seedsOf(dataset string, optimizers ...string) []int {
	var seeds []int
	for _, r := range a.Rows {
		if r.Dataset == dataset && slices.Contains(optimizers, r.Optimizer) {
			seeds = append(seeds, r.Seed)
		}
	}
	slices.Sort(seeds)
	return slices.Compact(seeds)
}

// newComparison compares over those of the candidate seeds that every arm has finished.
func newComparison(runs map[runKey]Row, candidates []int, dataset, baseline, rival string) Comparison {
	c := Comparison{Dataset: dataset, Baseline: baseline, Rival: rival}
	arms := []string{baseline}
	if rival != "" {
		arms = append(arms, rival)
	}
	compared := make([][]Row, len(arms)) // [arm][seed]
	for _, seed := range candidates {
		var leftOut []LeftOut
		for _, arm := range arms {
			reason := "missing"
			if r, ok := runs[runKey{dataset, seed, arm}]; ok {
				reason = r.unusable()
			}
			if reason != "" {
				leftOut = append(leftOut, LeftOut{arm, seed, reason})
			}
		}
		if len(leftOut) > 0 {
			c.LeftOut = append(c.LeftOut, leftOut...)
			continue
		}
		c.Seeds = append(c.Seeds, seed)
		for i, arm := range arms {
			r := runs[runKey{dataset, seed, arm}]
			compared[i] = append(compared[i], r)
			c.Limits = append(c.Limits, r.Limit)
			if r.Epochs != 0 {
				c.Epochs = append(c.Epochs, r.Epochs)
			}
			c.Measured = appendMeasured(c.Measured, r.Measured)
			if r.Build != "" {
				c.Builds = append(c.Builds, r.Build)
			}
		}
	}
	c.Epochs, c.Limits = distinct(c.Epochs), distinct(c.Limits)
	c.Builds = distinct(c.Builds)
	for _, m := range Metrics() {
		c.Lines = append(c.Lines, newLine(m, compared))
	}
	return c
}

// newLine compares one metric over rows [arm][seed] of one arm or two.
func newLine(m Metric, compared [][]Row) Line {
	l := Line{Metric: m, BaselineValues: values(m, compared[0]), Difference: math.NaN(), PercentChange: math.NaN()}
	if len(compared) > 1 {
		l.RivalValues = values(m, compared[1])
	}
	l.Untested = l.compare(len(compared) > 1)
	l.Evidence = newEvidence(l)
	return l
}

// compare sets the numbers of a line whose values are set. It returns why there is
// no test.
func (l *Line) compare(hasRival bool) (err error) {
	if l.Baseline, err = stats.Describe(l.BaselineValues); err != nil {
		if errors.Is(err, stats.ErrEmpty) {
			return errNoPair
		}
		return err
	}
	if !hasRival {
		return errors.New("there is no other optimizer to compare with")
	}
	if l.Rival, err = stats.Describe(l.RivalValues); err != nil {
		return err
	}
	l.Difference = l.Rival.Mean - l.Baseline.Mean
	if l.Baseline.Mean != 0 {
		l.PercentChange = 100 * l.Difference / math.Abs(l.Baseline.Mean)
	}
	l.Test, err = stats.PairedT(l.RivalValues, l.BaselineValues)
	return err
}

func values(m Metric, rows []Row) []float64 {
	v := make([]float64, len(rows))
	for i, r := range rows {
		v[i] = m.Of(r)
	}
	return v
}
