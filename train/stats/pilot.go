package stats

import "math"

// PilotMargin is the margin of the pilot's study of perceptrons, for each of its metrics in the
// metric's own unit. Whether it was chosen before the runs is not known.
const PilotMargin = 0.02

// PilotResult is what the pilot's study of perceptrons computed of a pair of arms, x and y.
type PilotResult struct {
	PairedTResult // SciPy's ttest_rel(x, y)
	// D is Cohen's d of independent samples, (mean(x) - mean(y)) / sqrt((var(x) + var(y)) / 2), with
	// the deviations of the arms pooled. It ignores the pairs; CohenDz does not.
	D float64
	// NonInferiority is the pilot's p of "x is not worse than y by the margin", of a t with N-1
	// degrees of freedom: cdf((mean(x-y) - margin) / se). It has the sense of a loss. Of a metric whose
	// higher values are better it is the p of "x is not better by the margin": it tests the wrong side.
	NonInferiority float64
	// OwnNonInferiority is that p in the metric's own direction.
	OwnNonInferiority float64
	// Equivalence is the pilot's p of two one-sided tests, which has no direction.
	Equivalence float64
}

// Pilot computes the statistics of the pilot's study of perceptrons, with PilotMargin. It corrects for
// no number of tests. Of a loss the two p of non-inferiority are equal.
//
// It returns ErrTooFewPairs, ErrNotFinite or ErrNoSpread. It panics when x and y differ in length.
func Pilot(x, y []float64, direction Direction) (PilotResult, error) {
	t, err := PairedT(x, y)
	if err != nil {
		return PilotResult{}, err
	}
	var p [3]MarginResult
	const alpha = 0.05 // of intervals, which are not used
	for i, test := range []func() (MarginResult, error){
		func() (MarginResult, error) { return NonInferiority(x, y, LowerIsBetter, PilotMargin, alpha) },
		func() (MarginResult, error) { return NonInferiority(x, y, direction, PilotMargin, alpha) },
		func() (MarginResult, error) { return Equivalence(x, y, PilotMargin, alpha) },
	} {
		if p[i], err = test(); err != nil {
			return PilotResult{}, err
		}
	}
	// Differences with a spread have an arm with one, so the root is not 0.
	a, err := Describe(x)
	if err != nil {
		return PilotResult{}, err
	}
	b, err := Describe(y)
	if err != nil {
		return PilotResult{}, err
	}
	pooled := math.Hypot(a.SD, b.SD) / math.Sqrt2
	return PilotResult{t, t.MeanDifference / pooled, p[0].P, p[1].P, p[2].P}, nil
}
