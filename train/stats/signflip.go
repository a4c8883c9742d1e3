package stats

import (
	"math"

	"diaghess/kernels"
)

// signFlipExact is the largest number of pairs whose sign patterns are all counted.
const signFlipExact = 20

// flipP returns the probability that the sum of differences is at least as large when every
// sign is a fair coin (Fisher, The Design of Experiments, 1935, section 21). Sums that differ by
// at most slack are equal. Up to 20 differences all sign patterns are counted. For more, so
// many random patterns are drawn, and p = (k+1)/(draws+1), where k of them reach the sum (Phipson
// and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
// and Molecular Biology 9, 2010); sampled is their number.
func flipP(d []float64, slack float64, draws Draws) (p float64, sampled int) {
	sum := 0.0
	for _, v := range d {
		sum += v
	}
	threshold := math.Abs(sum) - slack
	if len(d) <= signFlipExact {
		return exactFlipP(d, threshold), 0
	}
	sampled = draws.number()
	return drawnFlipP(d, threshold, sampled, draws.Seed), sampled
}

// exactFlipP returns the share of sign patterns whose |sum| is at least the
// threshold. It splits the differences into halves and counts the pairs of
// half-sums, both sorted, in one pass (Horowitz and Sahni, "Computing partitions
// with applications to the knapsack problem", JACM 21, 1974): 2^(n/2) steps
// instead of 2^n.
func exactFlipP(d []float64, threshold float64) float64 {
	if threshold <= 0 {
		return 1
	}
	left, right := signedSums(d[:len(d)/2]), signedSums(d[len(d)/2:])
	above, j := 0, len(right)
	for _, sum := range left {
		for j > 0 && sum+right[j-1] >= threshold {
			j--
		}
		above += len(right) - j
	}
	// The sums are symmetric about zero: as many are at most −threshold.
	return math.Ldexp(float64(2*above), -len(d))
}

// signedSums returns the sums of d with all 2^len(d) patterns of signs, ascending.
func signedSums(d []float64) []float64 {
	sums := []float64{0}
	for _, v := range d {
		size := math.Abs(v)
		next := make([]float64, 0, 2*len(sums))
		minus, plus := 0, 0 // how many of sums−size and of sums+size were merged
		for plus < len(sums) {
			if minus < len(sums) && sums[minus]-size <= sums[plus]+size {
				next = append(next, sums[minus]-size)
				minus++
			} else {
				next = append(next, sums[plus]+size)
				plus++
			}
		}
		sums = next
	}
	return sums
}

// drawnFlipP estimates the share of sign patterns whose |sum| is at least the
// threshold. A random word holds the signs of 32 differences.
func drawnFlipP(d []float64, threshold float64, draws int, seed uint64) float64 {
	stream := kernels.RandomStream("stats/sign flip")
	reached := 0
	for draw := range draws {
		sum := 0.0
		for i := 0; i < len(d); i += 128 {
			words := kernels.Random(seed, stream, uint32(i/128), uint64(draw))
			for j, v := range d[i:min(i+128, len(d))] {
				sign := words[j/32] >> (j % 32) & 1
				sum += v * float64(2*int(sign)-1)
			}
		}
		if math.Abs(sum) >= threshold {
			reached++
		}
	}
	return float64(reached+1) / float64(draws+1)
}
