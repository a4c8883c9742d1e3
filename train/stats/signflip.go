package stats

import (
	"math"

	"diaghess/kernels"
)

// SignFlipResult is the outcome of a two-sided sign-flip test on x − y.
type SignFlipResult struct {
	N              int     // number of pairs
	MeanDifference float64 // mean of x − y
	Draws          int     // random sign patterns; 0 where all 2^N were counted and P is exact
	P              float64 // probability of a |mean| at least as large when every sign is a fair coin
}

// signFlipExact is the largest number of pairs whose sign patterns are all counted.
const signFlipExact = 20

// SignFlip tests by the mean difference whether the arms are exchangeable: then each
// difference x[i] − y[i] is as likely with the opposite sign. The source is Fisher, The
// Design of Experiments, 1935, section 21. The test assumes nothing about the distribution
// of the results.
//
// Up to 20 pairs P is exact: the share of the 2^n sign patterns whose |mean| is at least
// the observed one. For more pairs P = (k+1)/(draws+1), where k random patterns of draws
// reach it. That is never zero and keeps the level (Phipson and Smyth, "Permutation
// p-values should never be zero", Statistical Applications in Genetics and Molecular
// Biology 9, 2010). Means that differ by no more than rounding count as equal. When all
// differences are zero, P is 1. SciPy has the test as
// permutation_test(permutation_type="samples").
//
// It returns ErrTooFewPairs or ErrNotFinite, and panics when x and y differ in
// length and for a negative number of draws.
func SignFlip(x, y []float64, draws Draws) (SignFlipResult, error) {
	p, err := newPairs("SignFlip", x, y)
	if err != nil {
		return SignFlipResult{}, err
	}
	d, err := Describe(p.difference) // says so when sums overflow
	if err != nil {
		return SignFlipResult{}, err
	}
	sum := 0.0
	for _, v := range p.difference {
		sum += v
	}
	r := SignFlipResult{N: d.N, MeanDifference: d.Mean}
	if threshold := math.Abs(sum) - p.sumRounding(); r.N <= signFlipExact {
		r.P = exactFlipP(p.difference, threshold)
	} else {
		r.Draws = draws.number()
		r.P = drawnFlipP(p.difference, threshold, r.Draws, draws.Seed)
	}
	return r, nil
}

// SmallestExactP returns 2^(1−n), below which neither SignFlip's nor Wilcoxon's
// exact p of n pairs can be, however large the difference: with 5 pairs, 0.0625.
func SmallestExactP(n int) float64 { return math.Ldexp(1, 1-n) }

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
