package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"diaghess/train/record"
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
	Records     Records      // of rows that were read from result folders
	// Primary is the metric that the verdicts are about. All others are secondary.
	Primary Metric
	Method  stats.Method // of the verdicts, at the last look
	Cells   int          // rivals x data sets, which the verdicts and intervals hold for together
	Sampled int          // number of random sign patterns; 0 where all were counted, or none
	// Looks are those that the plan has, and Reached is how many of them the study has reached.
	Looks   []stats.Look
	Reached int
	// Earlier are other studies of the same question, which a page shows beside this one.
	Earlier []Earlier
	// Introduction says what study this is to a reader who did not make it; may be empty.
	Introduction string
	// Targets are the validation accuracies that the arms race to; empty for shares of
	// the best arm's, see the report.
	Targets []float64

	// PilotStatistics has the report show the statistics of the pilot's study of perceptrons, which it
	// shows folded where the plan is of that preset.
	PilotStatistics bool

	short  []string // names of Optimizers, see shortNames
	digits [4]int   // decimals of each metric's scaled values
}

// Earlier is another study of the same question, with a family of its own.
type Earlier struct {
	Title string // such as "against SGD, rule of 28 July 2025"
	*Analysis
}

// Comparison compares one rival with the baseline on one data set, over the seeds that
// both have finished.
type Comparison struct {
	Dataset  string
	Baseline string
	Rival    string // empty where the data set has runs of one optimizer only, named by Baseline
	Seeds    []int  // the seeds compared, ascending
	// Tunings are those that the seeds are of, ascending, each the unit of the statistics. It is
	// empty where a seed is the unit, and where there is no rival.
	Tunings []Tuning
	LeftOut []LeftOut // runs that keep a seed out, by seed
	Epochs  []int     // distinct known numbers of epochs of the runs compared, ascending
	Limits  []int     // distinct picture limits of the runs compared, ascending; 0 is all pictures
	// Measured and Builds are the distinct known ones of the runs compared.
	Measured []Measured
	Builds   []string             // sorted
	Lines    []Line               // one for every metric, in the order of Metrics
	Failures stats.FailuresResult // x is the rival: over the units with which both arms have ended
	Evidence Evidence             // of the primary metric; zero where there is no rival
	times    Outcome[string]      // what the runs' times are of, or why they are not compared
}

// Tuning is one of several tunings of the arms, with how many of its seeds are compared.
type Tuning struct {
	Number int `json:"tuning"`
	Seeds  int `json:"seeds"`
}

// LeftOut names a run without which its seed cannot be compared.
type LeftOut struct {
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
	Reason    string `json:"reason"` // reasonMissing, how far it is, or its status and note
}

const reasonMissing = "missing"

// Line is the comparison of one metric.
type Line struct {
	Metric Metric
	// BaselineValues and RivalValues are the metric of each unit: by the comparison's seeds or,
	// each a mean over a tuning's seeds, by its tunings.
	BaselineValues, RivalValues []float64
	Baseline                    stats.Summary // N is 0 where no seed could be compared
	Rival                       stats.Summary // N is 0 where there is no rival
	Difference                  float64       // rival's mean − baseline's mean; NaN without pairs
	PercentChange               float64       // Difference in percent of |baseline's mean|; NaN without pairs, or where that mean is 0 or too small
	Test                        stats.PairedTResult
	Untested                    error // why Test is empty, or nil
	// Interval is of the mean difference. It holds for all rivals and data sets together.
	Interval Outcome[stats.Interval]
}

var errNoPair = errors.New("no seed has finished in every arm")

// DefaultBaseline is the optimizer that the others are compared with when
// nobody says which and there is one of this name.
const DefaultBaseline = "Baseline"

// mostNames is how many data sets and how many optimizers can be compared.
const mostNames = 1000

// Compare pairs the rows by data set and seed and compares every optimizer with
// the baseline. An empty baseline stands for DefaultBaseline where there are
// such rows, and else for the optimizer of the first row.
//
// A seed is compared when both arms have finished it with finite metrics.
// Every other seed that either arm has is named in LeftOut.
//
// Where the rows have tunings, a tuning is the unit of all statistics: what a metric is
// there is its mean over the seeds of the tuning that are compared.
//
// It returns an error if there are no rows or none of the baseline, and if there are more
// than 1,000 data sets or optimizers. It also returns one if a row lacks its data set,
// optimizer or status, or if two rows are of the same run. Tunings are an error if only some
// rows have one, and if a seed of a data set has two.
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
		if len(a.Datasets) > mostNames || len(a.Optimizers) > mostNames {
			return nil, fmt.Errorf("%s: there are more than %d data sets or optimizers, too many to compare: are they numbers of runs?", r.Source, mostNames)
		}
	}

	if err := checkTunings(rows); err != nil {
		return nil, err
	}

	if baseline == "" {
		baseline = a.Optimizers[0]
		if slices.Contains(a.Optimizers, DefaultBaseline) {
			baseline = DefaultBaseline
		}
	}
	place := slices.Index(a.Optimizers, baseline)
	if now := record.CurrentSpec(baseline); place < 0 && now != baseline {
		return nil, fmt.Errorf("the baseline %s is called %s now", baseline, now)
	}
	if place < 0 {
		return nil, fmt.Errorf("no run is of the baseline %q; the optimizers are %s", baseline, quoteAll(a.Optimizers))
	}
	a.Optimizers = append([]string{baseline}, slices.Delete(a.Optimizers, place, place+1)...)
	a.short = shortNames(a.Optimizers)

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
	err := a.decide()
	states := make(map[runKey]string)
	for _, m := range a.Records.Missing {
		states[runKey{m.Dataset, m.Seed, m.Optimizer}] = m.State
	}
	for _, c := range a.Comparisons {
		for i, l := range c.LeftOut {
			c.LeftOut[i].Reason = cmp.Or(states[runKey{c.Dataset, l.Seed, l.Optimizer}], l.Reason)
		}
	}
	return a, err
}

// checkTunings returns an error for rows of which only some have a tuning, and for a seed that
// has two on a data set.
func checkTunings(rows []Row) error {
	type place struct {
		dataset string
		seed    int
	}
	first := make(map[place]Row)
	for _, r := range rows {
		if with, without := r, rows[0]; (r.Tuning > 0) != (rows[0].Tuning > 0) {
			if r.Tuning == 0 {
				with, without = rows[0], r
			}
			return fmt.Errorf("%s is of tuning %d, and %s of none: runs of several tunings and others cannot be compared together, give them apart", with.Source, with.Tuning, without.Source)
		}
		at := place{r.Dataset, r.Seed}
		if other, there := first[at]; there && other.Tuning != r.Tuning {
			return fmt.Errorf("%s and %s have seed %d on %q in tunings %d and %d: each tuning needs seeds of its own", other.Source, r.Source, r.Seed, r.Dataset, other.Tuning, r.Tuning)
		}
		first[at] = r
	}
	return nil
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
	var failed [2][]bool                 // [arm][unit with which both have ended]
	place := make(map[int]int)           // of each tuning in failed
	for _, seed := range candidates {
		var leftOut []LeftOut
		b, bEnded := runs[runKey{dataset, seed, baseline}]
		r, rEnded := runs[runKey{dataset, seed, rival}]
		if bEnded && rEnded {
			at, again := place[r.Tuning]
			if !again || r.Tuning == 0 {
				at = len(failed[0])
				place[r.Tuning] = at
				failed[0], failed[1] = append(failed[0], false), append(failed[1], false)
			}
			failed[0][at] = failed[0][at] || r.unusable() != ""
			failed[1][at] = failed[1][at] || b.unusable() != ""
		}
		for _, arm := range arms {
			reason := reasonMissing
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
			if r.run != nil || r.Limit > 0 { // a CSV file does not say that there is none
				c.Limits = append(c.Limits, r.Limit)
			}
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
	c.Failures = stats.Failures(failed[0], failed[1])
	c.times = outcomeOf(alone(slices.Concat(compared...)))
	if rival != "" {
		c.Tunings = tuningsOf(compared[0])
	}
	for _, m := range Metrics() {
		c.Lines = append(c.Lines, newLine(m, compared))
	}
	return c
}

// tuningsOf counts the seeds of each tuning of an arm's rows; there are none where the rows have
// none.
func tuningsOf(rows []Row) []Tuning {
	seeds := make(map[int]int)
	for _, r := range rows {
		seeds[r.Tuning]++
	}
	delete(seeds, 0)
	var tunings []Tuning
	for _, number := range slices.Sorted(maps.Keys(seeds)) {
		tunings = append(tunings, Tuning{number, seeds[number]})
	}
	return tunings
}

// newLine compares one metric over rows [arm][seed] of one arm or two. checkTunings has seen
// the rows.
func newLine(m Metric, compared [][]Row) Line {
	l := Line{Metric: m, BaselineValues: values(m, compared[0]), Difference: math.NaN(), PercentChange: math.NaN()}
	hasRival := len(compared) > 1
	if hasRival {
		l.RivalValues = values(m, compared[1])
	}
	if hasRival && len(compared[0]) > 0 && compared[0][0].Tuning > 0 {
		var pairs []stats.TunedPair
		for i, r := range compared[0] {
			pairs = append(pairs, stats.TunedPair{Tuning: r.Tuning, Seed: r.Seed, Rival: l.RivalValues[i], Baseline: l.BaselineValues[i]})
		}
		units, err := stats.ByTuning(pairs)
		if err != nil {
			panic(fmt.Sprintf("report: %v", err))
		}
		l.RivalValues, l.BaselineValues = units.Rival, units.Baseline
	}
	l.Untested = l.compare(hasRival)
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
	if change := 100 * l.Difference / math.Abs(l.Baseline.Mean); finite(change) {
		l.PercentChange = change
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
