package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// WilcoxonResult is the outcome of a two-sided Wilcoxon signed-rank test on x − y.
type WilcoxonResult struct {
	N     int     // number of pairs
	Zeros int     // differences that are zero
	W     float64 // sum of the ranks of the positive differences
	Exact bool    // whether P is exact or of the normal approximation
	P     float64 // probability of a W at least as far from its mean when the differences are symmetric about zero
}

// wilcoxonExact is the largest number of pairs whose P is exact.
const wilcoxonExact = 49

// Wilcoxon tests whether the differences x[i] − y[i] are symmetric about zero,
// by the ranks of their magnitudes (Wilcoxon, "Individual comparisons by ranking
// methods", Biometrics Bulletin 1, 1945).
//
// All magnitudes are ranked, and equal magnitudes get the mean of their ranks. Zeros are
// removed after that, with their ranks (Pratt, "Remarks on zeros and ties in the Wilcoxon
// signed rank procedures", JASA 54, 1959). If zeros were removed before ranking, moving a
// sample towards zero could make it significant. Magnitudes that differ by no more than
// rounding count as equal, so 0.4−0.3 and 0.5−0.4 are a tie. When all differences are zero,
// W is 0 and P is 1.
//
// Below 50 pairs P is exact, given the ranks: of the 2^m ways to give signs to m ranks, the
// share whose W is at least as far from the mean. For more pairs it is that of the normal
// approximation, with mean Σr/2, variance Σr²/4 and a continuity correction of ½. The ranks
// in the variance account for ties.
// Without zeros and ties it is R's wilcox.test(x, y, paired = TRUE), whose V is W;
// with them it is SciPy's wilcoxon(x, y, zero_method="pratt").
//
// It returns ErrTooFewPairs or ErrNotFinite, and panics when x and y differ in length.
func Wilcoxon(x, y []float64) (WilcoxonResult, error) {
	p, err := newPairs("Wilcoxon", x, y)
	if err != nil {
		return WilcoxonResult{}, err
	}
	ranks, positive := p.signedRanks()
	r := WilcoxonResult{N: len(x), Zeros: len(x) - len(ranks), Exact: len(x) <= wilcoxonExact}
	for i, rank := range ranks {
		if positive[i] {
			r.W += rank
		}
	}
	if r.Exact {
		r.P = exactRankP(ranks, r.W)
	} else {
		r.P = approximateRankP(ranks, r.W)
	}
	return r, nil
}

// signedRanks returns the ranks of the magnitudes of the differences that are
// not zero, ascending, and which of those differences are positive.
func (p pairs) signedRanks() (ranks []float64, positive []bool) {
	d := slices.Clone(p.difference)
	slices.SortFunc(d, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	for first := 0; first < len(d); {
		// Two equal magnitudes are off by p.rounding each.
		next := first + 1
		for next < len(d) && math.Abs(d[next])-math.Abs(d[first]) <= 2*p.rounding {
			next++
		}
		if math.Abs(d[first]) > p.rounding {
			for _, v := range d[first:next] {
				ranks = append(ranks, float64(first+1+next)/2)
				positive = append(positive, v > 0)
			}
		}
		first = next
	}
	return ranks, positive
}

// exactRankP counts the signs by their W.
func exactRankP(ranks []float64, w float64) float64 {
	ways := rankSums(ranks)
	total := float64(len(ways)-1) / 2
	far := 0.0
	for i, count := range ways {
		if math.Abs(float64(i)-total) >= math.Abs(2*w-total) {
			far += count
		}
	}
	return math.Ldexp(far, -len(ranks))
}

// rankSums returns in how many ways to give signs W takes each value, by 2W. Twice a rank
// is a whole number, and so is every count, below 2^49.
func rankSums(ranks []float64) []float64 {
	total := 0.0
	for _, rank := range ranks {
		total += rank
	}
	ways := make([]float64, int(2*total)+1)
	ways[0] = 1
	for _, rank := range ranks {
		step := int(2 * rank)
		for i := len(ways) - 1; i >= step; i-- {
			ways[i] += ways[i-step]
		}
	}
	return ways
}

func approximateRankP(ranks []float64, w float64) float64 {
	mean, variance := 0.0, 0.0
	for _, rank := range ranks {
		mean += rank / 2
		variance += rank * rank / 4
	}
	distance := math.Abs(w-mean) - 0.5
	if distance <= 0 {
		return 1
	}
	return 2 * distuv.UnitNormal.CDF(-distance/math.Sqrt(variance))
}
