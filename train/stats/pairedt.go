package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// PairedTResult is the outcome of a two-sided paired t-test on x − y.
type PairedTResult struct {
	N              int     // number of pairs
	MeanDifference float64 // mean of x − y
	SDDifference   float64 // sample standard deviation of x − y (divisor N−1)
	T              float64 // MeanDifference / (SDDifference / √N)
	DF             float64 // degrees of freedom, N−1
	P              float64 // probability of a |t| at least as large when the mean difference is zero
}

// PairedT tests whether the mean of the differences x[i] − y[i] is zero:
//
//	t = mean(d) / (sd(d) / √n),   p = 2·F(−|t|; n−1)
//
// with F the distribution function of Student's t ("Student", "The probable
// error of a mean", Biometrika 6, 1908). It is SciPy's ttest_rel(x, y) and R's
// t.test(x, y, paired = TRUE). P is taken from the lower tail, so that it keeps
// its relative accuracy however small it is.
//
// It is exact for normal differences, and errs on the safe side for symmetric
// ones with longer tails.
//
// It returns ErrTooFewPairs, ErrNotFinite or, for differences that are equal up
// to rounding, ErrNoSpread. It panics when x and y differ in length.
func PairedT(x, y []float64) (PairedTResult, error) {
	p, err := newPairs("PairedT", x, y)
	if err != nil {
		return PairedTResult{}, err
	}
	return p.t()
}

func (p pairs) t() (PairedTResult, error) {
	d, err := p.describe()
	if err != nil {
		return PairedTResult{}, err
	}
	r := PairedTResult{N: d.N, MeanDifference: d.Mean, SDDifference: d.SD, DF: float64(d.N - 1)}
	r.T = d.Mean / r.standardError()
	r.P = 2 * studentTail(math.Abs(r.T), r.DF)
	return r, nil
}

func (r PairedTResult) standardError() float64 { return r.SDDifference / math.Sqrt(float64(r.N)) }

// Interval returns the confidence interval of the mean difference at a level,
// such as 0.95:
//
//	mean(d) ± t(1 − (1−level)/2; n−1) · sd(d) / √n
//
// It holds zero when P > 1 − level. It panics for a level outside (0, 1).
func (r PairedTResult) Interval(level float64) Interval {
	mustBeFraction("PairedTResult.Interval", "level", level)
	return r.intervalAround(level, studentUpper((1-level)/2, r.DF))
}

// intervalAround is Interval with the quantile of t, which also a level that rounds to 1 has.
func (r PairedTResult) intervalAround(level, quantile float64) Interval {
	half := quantile * r.standardError()
	return Interval{Level: level, Low: r.MeanDifference - half, High: r.MeanDifference + half}
}

// studentTail returns the probability that Student's t with df degrees of
// freedom exceeds t.
func studentTail(t, df float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: df}.CDF(-t)
}

// studentUpper returns what Student's t exceeds with probability p.
func studentUpper(p, df float64) float64 {
	return -distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(p)
}
