package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// ErrTooFewForLevel is returned for so few pairs that no interval reaches a level.
var ErrTooFewForLevel = errors.New("too few pairs for an interval at this level")

// HodgesLehmannResult is the estimate of location that belongs to Wilcoxon's test.
type HodgesLehmannResult struct {
	N        int
	Estimate float64  // median of the means of all pairs of differences
	Interval Interval // of the centre of symmetry; its Level is what it reaches, at least what was asked
}

// HodgesLehmann estimates the centre of symmetry of the differences x[i] − y[i]: the median
// of the n(n+1)/2 means of two differences, each with itself too. The source is Hodges and Lehmann,
// "Estimates of location based on rank tests", Annals of Mathematical Statistics 34, 1963.
//
// The interval has the k-th smallest and the k-th largest of these means as ends. k is the largest
// number with 2·P(W < k) ≤ 1 − level, for W of Wilcoxon without ties (Hollander
// and Wolfe, Nonparametric Statistical Methods, 2nd ed. 1999, section 3.3). Below 50 pairs P is exact, then
// of the normal approximation. Below 50 pairs without ties it is the interval of R's
// wilcox.test(x, y, paired = TRUE, conf.int = TRUE). With ties it is a little too wide.
//
// It returns ErrTooFewPairs, ErrNotFinite or ErrTooFewForLevel: 95 % needs 6 pairs.
// It panics when x and y differ in length and for a level outside (0, 1).
func HodgesLehmann(x, y []float64, level float64) (HodgesLehmannResult, error) {
	mustBeFraction("HodgesLehmann", "level", level)
	p, err := newPairs("HodgesLehmann", x, y)
	if err != nil {
		return HodgesLehmannResult{}, err
	}
	n := len(x)
	means := make([]float64, 0, n*(n+1)/2)
	for i, a := range p.difference {
		for _, b := range p.difference[:i+1] {
			means = append(means, a/2+b/2)
		}
	}
	slices.Sort(means)

	k, below := 0, 0.0 // P(W < k)
	if n <= wilcoxonExact {
		ranks := make([]float64, n)
		for i := range ranks {
			ranks[i] = float64(i + 1)
		}
		ways := rankSums(ranks)
		for next := 0.0; ; k++ {
			if next = below + math.Ldexp(ways[2*k], -n); 2*next > 1-level {
				break
			}
			below = next
		}
	} else {
		mean, sd := float64(n*(n+1))/4, math.Sqrt(float64(n*(n+1)*(2*n+1))/24)
		for cdf := 0.0; ; k++ {
			// P(W ≤ k), with a continuity correction.
			if cdf = distuv.UnitNormal.CDF((float64(k) + 0.5 - mean) / sd); 2*cdf > 1-level {
				break
			}
			below = cdf
		}
	}
	if k == 0 {
		return HodgesLehmannResult{}, fmt.Errorf("%w: %d pairs at level %g", ErrTooFewForLevel, n, level)
	}
	half := len(means) / 2
	return HodgesLehmannResult{
		N:        n,
		Estimate: (means[half] + means[(len(means)-1)/2]) / 2,
		Interval: Interval{Level: 1 - 2*below, Low: means[k-1], High: means[len(means)-k]},
	}, nil
}
