package stats

import (
	"fmt"
	"math"
	"slices"

	"diaghess/kernels"
	"gonum.org/v1/gonum/stat"
)

// resamples is the number of bootstrap resamples: 0.025 of one more is a whole number.
const resamples = 999

// OverallResult is a rival's result over several data sets.
type OverallResult struct {
	Sets     int
	Estimate float64
	Interval Interval
}

// interquartileMean sorts x, and returns the mean of what is left when ⌊n/4⌋ values are cut off
// at each end, as SciPy's trim_mean(x, 0.25) does.
func interquartileMean(x []float64) float64 {
	slices.Sort(x)
	cut := len(x) / 4
	return stat.Mean(x[cut:len(x)-cut], nil)
}

// InterquartileDifference returns how much the interquartile mean of a rival exceeds the
// baseline's, averaged over data sets: cells has the rival's cell of each set. The interquartile mean
// leaves out the ⌊n/4⌋ best and worst of n results (Agarwal and others, "Deep reinforcement learning
// at the edge of the statistical precipice", NeurIPS 2021). Taken over the pooled runs of few sets, it
// would drop the easiest and the hardest set whole.
//
// The interval at a level such as 0.95 is the percentile bootstrap's: seeds are resampled in
// pairs within sets, 999 times, and the ends are the quantiles (1 ± level)/2 of the results. In
// simulations of 10 and 20 seeds it covers 93.4 to 99.4 %. The same seed gives bit-identical results.
//
// It returns ErrEmpty, ErrTooFewPairs or ErrNotFinite, with the set. It panics when slices
// differ in length and for a level outside (0, 1).
func InterquartileDifference(cells []Cell, level float64, seed uint64) (OverallResult, error) {
	mustBeFraction("InterquartileDifference", "level", level)
	sets, _, err := overallPairs("InterquartileDifference", cells)
	if err != nil {
		return OverallResult{}, err
	}
	statistic := func(p pairs, picks []int) float64 {
		x, y := make([]float64, len(picks)), make([]float64, len(picks))
		for i, pick := range picks {
			x[i], y[i] = p.x[pick], p.y[pick]
		}
		return interquartileMean(x) - interquartileMean(y)
	}
	r := OverallResult{Sets: len(sets), Interval: Interval{Level: level}}
	var sample []float64
	r.Estimate, sample = overall(sets, seed, statistic)
	slices.Sort(sample)
	r.Interval.Low, r.Interval.High = orderStatistic(sample, (1-level)/2), orderStatistic(sample, (1+level)/2)
	return r, nil
}

// Improvement returns the probability that a run of the rival is better than a run of the
// baseline, ties counting half (Agarwal and others, 2021). It is the share of all pairs of runs
// within a data set, averaged over sets. cells has the rival's cell of each set.
//
// With the standard error SE of the bootstrap of InterquartileDifference, n the smallest
// number of seeds and P clipped to [1/2n, 1 − 1/2n], the interval is
//
//	logit P ± t(n−1)·max(SE·√(n/(n−1)), 1/2n) / (P(1−P))
//
// brought back to probabilities. In simulations of 10 and 20 seeds it covers 95.9 to
// 99.2 %; the percentile interval, 70.6 to 95.2 %. Errors and panics are those of
// InterquartileDifference. It panics for an unknown direction.
func Improvement(cells []Cell, direction Direction, level float64, seed uint64) (OverallResult, error) {
	mustBeFraction("Improvement", "level", level)
	sign := 1.0
	switch direction {
	case LowerIsBetter:
		sign = -1
	case HigherIsBetter:
	default:
		panic(fmt.Sprintf("stats: Improvement: direction %d does not exist", int(direction)))
	}
	sets, least, err := overallPairs("Improvement", cells)
	if err != nil {
		return OverallResult{}, err
	}
	statistic := func(p pairs, picks []int) float64 {
		wins := 0.0
		for _, i := range picks {
			for _, j := range picks {
				switch d := sign * (p.x[i] - p.y[j]); {
				case d > p.rounding:
					wins++
				case d >= -p.rounding:
					wins += 0.5
				}
			}
		}
		return wins / float64(len(picks)*len(picks))
	}
	r := OverallResult{Sets: len(sets), Interval: Interval{Level: level}}
	var sample []float64
	r.Estimate, sample = overall(sets, seed, statistic)
	n := float64(least)
	p := min(max(r.Estimate, 0.5/n), 1-0.5/n)
	half := studentUpper((1-level)/2, n-1) * max(stat.PopStdDev(sample, nil)*math.Sqrt(n/(n-1)), 0.5/n) / (p * (1 - p))
	middle := math.Log(p / (1 - p))
	r.Interval.Low, r.Interval.High = 1/(1+math.Exp(half-middle)), 1/(1+math.Exp(-half-middle))
	// Where one arm always wins, the clipped p lies beside the estimate.
	r.Interval.Low, r.Interval.High = min(r.Interval.Low, r.Estimate), max(r.Interval.High, r.Estimate)
	return r, nil
}

// overallPairs checks the cells of sets, and returns the smallest number of pairs.
func overallPairs(function string, cells []Cell) ([]pairs, int, error) {
	if len(cells) == 0 {
		return nil, 0, fmt.Errorf("sets: %w", ErrEmpty)
	}
	sets, least := make([]pairs, len(cells)), len(cells[0].Rival)
	for i, c := range cells {
		var err error
		if sets[i], err = newPairs(function, c.Rival, c.Baseline); err != nil {
			if len(cells) > 1 {
				err = fmt.Errorf("set %d of %d: %w", i+1, len(cells), err)
			}
			return nil, 0, err
		}
		least = min(least, len(c.Rival))
	}
	return sets, least, nil
}

// overall returns the mean over sets of a statistic of the pairs that are picked: of each
// pair once, and of each bootstrap resample.
func overall(sets []pairs, seed uint64, statistic func(p pairs, picks []int) float64) (estimate float64, sample []float64) {
	sample = make([]float64, resamples)
	for set, p := range sets {
		n := len(p.x)
		picks := make([]int, n)
		for i := range picks {
			picks[i] = i
		}
		estimate += statistic(p, picks) / float64(len(sets))
		stream := kernels.RandomStream(fmt.Sprintf("stats/resample/%d", set))
		for draw := range sample {
			for i := 0; i < n; i += 4 {
				words := kernels.Random(seed, stream, uint32(i/4), uint64(draw))
				for j := range min(4, n-i) {
					// The high half of the product picks fairly, to n/2^32.
					picks[i+j] = int(uint64(words[j]) * uint64(n) >> 32)
				}
			}
			sample[draw] += statistic(p, picks) / float64(len(sets))
		}
	}
	return estimate, sample
}

// orderStatistic returns the p-quantile of a sorted sample, which is its p·(n+1)-th value.
func orderStatistic(sorted []float64, p float64) float64 {
	place := min(max(p*float64(len(sorted)+1)-1, 0), float64(len(sorted)-1))
	below := min(int(place), len(sorted)-2)
	weight := place - float64(below)
	return sorted[below]*(1-weight) + sorted[below+1]*weight
}
