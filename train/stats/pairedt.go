package stats

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// ErrTooFewPairs is returned for fewer than two pairs, whose differences have
// no standard deviation.
var ErrTooFewPairs = errors.New("a paired t-test needs at least 2 pairs")

// ErrNoSpread is returned when all differences are equal, so that their
// standard deviation is zero and t is not defined.
var ErrNoSpread = errors.New("all differences are equal: their standard deviation is zero and t is not defined")

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
// Differences count as equal when their standard deviation is at most
// 4ε·max(|x|, |y|), ε = 2⁻⁵². That is what rounding alone can make of equal
// differences: two decimal numbers and their difference are each off by at most
// half an ε of at most M, M and 2M, where M is the largest magnitude, so d is
// off by at most 2εM, and n values within ±2εM have a sample standard
// deviation of at most 2εM·√(n/(n−1)) ≤ 2√2·εM. (Differences below 1e-160 count as
// equal as well, because their squares underflow.)
//
// It returns ErrTooFewPairs for n < 2, ErrNotFinite for a NaN, an infinity or
// an overflow and ErrNoSpread for equal differences. It panics when x and y
// differ in length.
func PairedT(x, y []float64) (PairedTResult, error) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("stats: PairedT: x has length %d, y has length %d", len(x), len(y)))
	}
	n := len(x)
	if n < 2 {
		return PairedTResult{}, fmt.Errorf("%w, got %d", ErrTooFewPairs, n)
	}
	if err := checkFinite("x", x); err != nil {
		return PairedTResult{}, err
	}
	if err := checkFinite("y", y); err != nil {
		return PairedTResult{}, err
	}

	differences := make([]float64, n)
	largest := 0.0
	for i := range x {
		differences[i] = x[i] - y[i]
		largest = max(largest, math.Abs(x[i]), math.Abs(y[i]))
	}
	d, err := Describe(differences)
	if err != nil {
		return PairedTResult{}, fmt.Errorf("differences x − y: %w", err)
	}
	const epsilon = 0x1p-52
	if d.SD <= 4*epsilon*largest {
		return PairedTResult{}, ErrNoSpread
	}

	df := float64(n - 1)
	t := d.Mean / (d.SD / math.Sqrt(float64(n)))
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}
	return PairedTResult{
		N:              n,
		MeanDifference: d.Mean,
		SDDifference:   d.SD,
		T:              t,
		DF:             df,
		P:              2 * student.CDF(-math.Abs(t)),
	}, nil
}
