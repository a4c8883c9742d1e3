package stats

import (
	"errors"
	"fmt"
	"math"
)

// Direction says which values of a metric are better.
type Direction int

const (
	LowerIsBetter  Direction = iota // as of a loss or a time
	HigherIsBetter                  // as of an accuracy
)

// ErrMargin is returned, wrapped with its value, for a margin that is not a
// number to test against.
var ErrMargin = errors.New("a margin is a finite number, positive for equivalence and at least 0 for non-inferiority")

// MarginResult is the outcome of a test against a margin.
type MarginResult struct {
	N              int      // number of pairs
	MeanDifference float64  // mean of x − y
	Margin         float64  // in the metric's unit
	T              float64  // distance of the mean difference to the nearer margin, in standard errors; negative beyond it
	DF             float64  // degrees of freedom, N−1
	P              float64  // probability of a T at least as large when the true difference is at the margin
	Interval       Interval // of the mean difference at level 1−2α; it keeps clear of the margin when P < α
}

// NonInferiority tests whether x is worse than y by less than a margin, in the metric's
// own direction. It rejects "x is worse than y by the margin or more" by a one-sided
// paired t-test,
//
//	T = (margin + benefit) / (sd(d)/√n),   P = F(−T; n−1)
//
// where benefit is mean(x−y) of a metric whose higher values are better and
// mean(y−x) of one whose lower values are. x is non-inferior at α when P < α,
// that is when the interval's end on the bad side is within the margin. A
// margin of 0 asks whether x is better.
//
// The margin must be chosen before the runs. It is in the metric's unit: 0.005 is half a
// percentage point of accuracy. See Piaggio and others, "Reporting of noninferiority and
// equivalence randomized trials", JAMA 308, 2012.
//
// It returns ErrTooFewPairs, ErrNotFinite, ErrNoSpread or ErrMargin. It panics
// when x and y differ in length, for an unknown direction and for an α outside (0, ½).
func NonInferiority(x, y []float64, direction Direction, margin, alpha float64) (MarginResult, error) {
	r, t, err := newMarginTest("NonInferiority", x, y, margin, alpha)
	if err != nil {
		return MarginResult{}, err
	}
	switch direction {
	case HigherIsBetter:
		r.finish(margin+t.MeanDifference, t)
	case LowerIsBetter:
		r.finish(margin-t.MeanDifference, t)
	default:
		panic(fmt.Sprintf("stats: NonInferiority: direction %d does not exist", int(direction)))
	}
	return r, nil
}

// Equivalence tests whether x and y differ by less than a margin in either direction, by
// two one-sided paired t-tests (TOST). The source is Schuirmann, "A comparison of the two
// one-sided tests procedure and the power approach for assessing the equivalence of average
// bioavailability", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987. The larger p
// of both is
//
//	T = (margin − |mean(x−y)|) / (sd(d)/√n),   P = F(−T; n−1)
//
// and x and y are equivalent at α when P < α, that is when the whole interval is within
// ±margin. It is statsmodels' ttost_paired(x, y, −margin, margin).
//
// The margin must be chosen before the runs. Errors and panics are those of NonInferiority,
// and a margin of 0 is ErrMargin.
func Equivalence(x, y []float64, margin, alpha float64) (MarginResult, error) {
	if margin == 0 {
		return MarginResult{}, fmt.Errorf("margin 0: %w", ErrMargin)
	}
	r, t, err := newMarginTest("Equivalence", x, y, margin, alpha)
	if err != nil {
		return MarginResult{}, err
	}
	r.finish(margin-math.Abs(t.MeanDifference), t)
	return r, nil
}

func newMarginTest(function string, x, y []float64, margin, alpha float64) (MarginResult, PairedTResult, error) {
	if !(0 < alpha && alpha < 0.5) {
		panic(fmt.Sprintf("stats: %s: α %g is not between 0 and ½", function, alpha))
	}
	if !(margin >= 0) || math.IsInf(margin, 1) {
		return MarginResult{}, PairedTResult{}, fmt.Errorf("margin %g: %w", margin, ErrMargin)
	}
	p, err := newPairs(function, x, y)
	if err != nil {
		return MarginResult{}, PairedTResult{}, err
	}
	t, err := p.t()
	if err != nil {
		return MarginResult{}, PairedTResult{}, err
	}
	return MarginResult{N: t.N, MeanDifference: t.MeanDifference, Margin: margin, DF: t.DF, Interval: t.Interval(1 - 2*alpha)}, t, nil
}

// finish fills in T and P of a distance to the margin.
func (r *MarginResult) finish(distance float64, t PairedTResult) {
	r.T = distance / t.standardError()
	r.P = studentTail(r.T, r.DF)
}
