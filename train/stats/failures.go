package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// FailuresResult is the outcome of a two-sided sign test of failed runs.
type FailuresResult struct {
	N                  int // number of pairs
	OnlyX, OnlyY, Both int // pairs in which just one arm failed, or both
	// P is the probability of a division of the pairs in which just one arm failed that
	// is at least as uneven, when either arm is as likely.
	P float64
}

// Failures tests whether one arm fails more often than the other, over the seeds in which
// just one arm failed: x[i] says whether x failed with seed i. P is that of k or fewer heads
// of n fair coins, twice, and at most 1 (McNemar's exact test; SciPy's
// binomtest(OnlyX, OnlyX + OnlyY)). Without such seeds it is 1. 6 to 0 is needed for 5 %.
//
// It panics when x and y differ in length.
func Failures(x, y []bool) FailuresResult {
	if len(x) != len(y) {
		panic(fmt.Sprintf("stats: Failures: x has length %d, y has length %d", len(x), len(y)))
	}
	r := FailuresResult{N: len(x), P: 1}
	for i := range x {
		switch {
		case x[i] && y[i]:
			r.Both++
		case x[i]:
			r.OnlyX++
		case y[i]:
			r.OnlyY++
		}
	}
	if n := r.OnlyX + r.OnlyY; n > 0 {
		r.P = min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(r.OnlyX, r.OnlyY))))
	}
	return r
}

// UnseenFailureRate returns the largest failure rate that n runs without a failure leave
// possible, at a confidence such as 0.95: 1 − (1 − confidence)^(1/n). It is 26 % for 10 runs and
// 14 % for 20. It panics for n below 1 and for a confidence outside (0, 1).
func UnseenFailureRate(n int, confidence float64) float64 {
	mustBeFraction("UnseenFailureRate", "confidence", confidence)
	if n < 1 {
		panic(fmt.Sprintf("stats: UnseenFailureRate of %d runs", n))
	}
	return -math.Expm1(math.Log1p(-confidence) / float64(n))
}
