package curvature

import (
	"cmp"
	"math"
	"slices"

	vectors "gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Agreement is what an estimate of a tensor's diagonal is, over the entries of all
// batches, and how far it is from its reference. What is not defined is nil: a share of
// a reference of zeros, a correlation with a constant.
type Agreement struct {
	Tensor   string  `json:"tensor"`
	Elements int     `json:"elements"`
	Mean     float64 `json:"mean"`
	// Low, Median and High are the 5, 50 and 95 percent quantiles.
	Low      float64 `json:"quantile_05"`
	Median   float64 `json:"quantile_50"`
	High     float64 `json:"quantile_95"`
	Negative float64 `json:"share_negative"`
	// Error is |estimate - reference| / |reference|, of Euclidean norms.
	Error *float64 `json:"relative_error"`
	// Rank is Spearman's rank correlation, the mean of the batches'.
	Rank *float64 `json:"rank_correlation"`
	// Ratio is sum estimate / sum reference: 1 for an estimate without bias.
	Ratio *float64 `json:"ratio_of_sums"`
}

// agree compares estimates with references, a vector of each for each batch.
func agree(tensor string, estimates, references [][]float64) Agreement {
	estimate, reference := slices.Concat(estimates...), slices.Concat(references...)
	a := Agreement{
		Tensor: tensor, Elements: len(estimates[0]), Mean: stat.Mean(estimate, nil),
		Error: defined(vectors.Distance(estimate, reference, 2) / vectors.Norm(reference, 2)),
		Ratio: defined(vectors.Sum(estimate) / vectors.Sum(reference)),
	}
	rank := 0.0
	for i := range estimates {
		rank += spearman(estimates[i], references[i]) / float64(len(estimates))
	}
	a.Rank = defined(rank)
	for _, v := range estimate {
		if v < 0 {
			a.Negative += 1 / float64(len(estimate))
		}
	}
	slices.Sort(estimate)
	quantile := func(p float64) float64 { return stat.Quantile(p, stat.LinInterp, estimate, nil) }
	a.Low, a.Median, a.High = quantile(0.05), quantile(0.5), quantile(0.95)
	return a
}

// defined returns nil for what is not finite.
func defined(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// spearman returns the correlation of the ranks, NaN where one side is constant.
func spearman(x, y []float64) float64 { return stat.Correlation(ranks(x), ranks(y), nil) }

// ranks returns the place of each value, from 1; equal values share the mean of theirs.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	ranks := make([]float64, len(x))
	for first := 0; first < len(order); {
		end := first + 1
		for end < len(order) && x[order[end]] == x[order[first]] {
			end++
		}
		for _, i := range order[first:end] {
			ranks[i] = float64(first+1+end) / 2
		}
		first = end
	}
	return ranks
}

// CalibrationBin is a group of entries whose references are close to each other: the
// means of reference and estimate.
type CalibrationBin struct {
	Reference float64 `json:"reference"`
	Estimate  float64 `json:"estimate"`
}

// calibration sorts the entries whose reference is positive by it and cuts them into
// bins of equal number.
func calibration(estimates, references [][]float64) []CalibrationBin {
	const most = 24
	estimate, reference := slices.Concat(estimates...), slices.Concat(references...)
	var order []int
	for i, v := range reference {
		if v > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(reference[a], reference[b]) })
	var bins []CalibrationBin
	n := min(most, len(order))
	for i := range n {
		in := order[i*len(order)/n : (i+1)*len(order)/n]
		var b CalibrationBin
		for _, j := range in {
			b.Reference += reference[j] / float64(len(in))
			b.Estimate += estimate[j] / float64(len(in))
		}
		bins = append(bins, b)
	}
	return bins
}

// noise returns the relative error of the mean of two independent estimates of the same
// batches, from how far they are apart: their difference is twice that error.
func noise(a, b [][]float64) float64 {
	x, y := slices.Concat(a...), slices.Concat(b...)
	distance := vectors.Distance(x, y, 2)
	if distance == 0 {
		return 0
	}
	vectors.Add(x, y)
	return distance / vectors.Norm(x, 2)
}
