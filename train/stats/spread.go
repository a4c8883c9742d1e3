package stats

import (
	"math"
	"slices"
)

// SpreadResult is the outcome of a two-sided test of whether one arm varies more.
type SpreadResult struct {
	N       int     // number of pairs
	Ratio   float64 // mean absolute deviation from the median, of x over that of y
	Sampled int     // number of random sign patterns; 0 where all were counted
	P       float64 // probability of a statistic at least as large when the arms are exchangeable
}

// Spread tests whether the results of one arm spread more than those of the other, pair by
// pair. It flips the signs of the differences of absolute deviations,
//
//	z[i] = |x[i] − med x| − |y[i] − med y|
//
// It is a paired form of Brown and Forsythe's test ("Robust tests for the
// equality of variances", JASA 69, 1974). For an even number of pairs P is the larger one of two
// tests: with the lower and with the upper median of both arms. With the midpoint, skewed data
// would give 6 to 7 % false positives instead of 5.
// In simulations the error is 0.6 to 5.3 % for 10 and 20 pairs, whatever the distribution.
//
// Ten seeds say little about stability: of normal results, a ratio of 2 is found with 19 %. It is
// with 66 % by 20 seeds, and never by 6 or fewer, whose P is above 0.05.
// The arms' distributions must be alike except for location and spread: other shapes count as
// another spread. Failed runs are a matter of their own, see Failures.
//
// It returns ErrTooFewPairs, ErrNotFinite or, where an arm does not vary, ErrConstant.
// It panics when x and y differ in length and for a negative number of draws.
func Spread(x, y []float64, draws Draws) (SpreadResult, error) {
	p, err := newPairs("Spread", x, y)
	if err != nil {
		return SpreadResult{}, err
	}
	for _, arm := range []struct {
		name   string
		values []float64
	}{{"x", x}, {"y", y}} {
		if _, err := p.armSD(arm.name, arm.values); err != nil {
			return SpreadResult{}, err
		}
	}
	n := len(x)
	sortedX, sortedY := slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))
	r := SpreadResult{N: n}
	for _, k := range slices.Compact([]int{(n - 1) / 2, n / 2}) {
		z, sumX, sumY := make([]float64, n), 0.0, 0.0
		for i := range z {
			ofX, ofY := math.Abs(x[i]-sortedX[k]), math.Abs(y[i]-sortedY[k])
			z[i] = ofX - ofY
			sumX, sumY = sumX+ofX, sumY+ofY
		}
		r.Ratio = sumX / sumY // the same for every median
		// z is off by as much as two differences are.
		flipped, sampled := flipP(z, 2*p.sumRounding(), draws)
		r.P, r.Sampled = max(r.P, flipped), sampled
	}
	return r, nil
}
