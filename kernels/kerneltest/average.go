package kerneltest

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// averageCases are the kernels of an evaluation's weights and statistics.
func averageCases() []Case {
	var cases []Case
	for _, n := range lengths {
		for _, share := range []float32{1, 1e-3} {
			cases = append(cases, Case{fmt.Sprintf("weight_average/%d,share=%g", n, share), func(p *placer) gpu.Kernel { return weightAverage(p, n, share) }})
		}
		for _, before := range []uint32{0, 96} {
			cases = append(cases, Case{fmt.Sprintf("statistics_merge/%d,before=%d", n, before), func(p *placer) gpu.Kernel { return statisticsMerge(p, n, before) }})
		}
		cases = append(cases, Case{fmt.Sprintf("copy_elements/%d", n), func(p *placer) gpu.Kernel {
			from := normal(p.random, n, 0, 1)
			return &kernels.Copy{To: outputExact(p, "To", from), From: input(p, "From", from), Elements: int32(n)}
		}})
	}
	return cases
}

// weightAverage averages after the third step, whose share is given.
func weightAverage(p *placer, n int, share float32) gpu.Kernel {
	average, w := normal(p.random, n, 0, 1), normal(p.random, n, 0, 1)
	want := make([]number, n)
	for i := range want {
		want[i] = exactly(average[i]).plus(exactly(w[i]).minus(exactly(average[i])).times(exactly(share)))
	}
	return &kernels.WeightAverage{
		Average: update(p, "Average", average, want), W: input(p, "W", w), Shares: input(p, "Shares", []float32{7, 8, share, 9}),
		State: input(p, "State", []uint32{2, 99, 98, 0}), Elements: int32(n),
	}
}

// statisticsMerge merges the statistics of 33 samples into those of so many before.
func statisticsMerge(p *placer, n int, before uint32) gpu.Kernel {
	const samples = 33
	mean, variance := make([]float32, n), make([]float32, n)
	if before > 0 {
		mean, variance = normal(p.random, n, 5, 1), uniform(p.random, n, 0, 2)
	}
	batchMean, batchVariance := normal(p.random, n, 5, 1), uniform(p.random, n, 0, 2)
	share := number{value: samples}.over(number{value: float64(before + samples)})
	between := share.times(exactly(1).minus(share))
	wantMean, wantVariance := make([]number, n), make([]number, n)
	for c := range n {
		d := exactly(batchMean[c]).minus(exactly(mean[c]))
		wantMean[c] = exactly(mean[c]).plus(d.times(share))
		within := exactly(variance[c]).plus(exactly(batchVariance[c]).minus(exactly(variance[c])).times(share))
		wantVariance[c] = within.plus(d.times(d).times(between))
	}
	return &kernels.StatisticsMerge{
		BatchMean: input(p, "BatchMean", batchMean), BatchVariance: input(p, "BatchVariance", batchVariance),
		Mean: update(p, "Mean", mean, wantMean), Variance: update(p, "Variance", variance, wantVariance),
		State: input(p, "State", []uint32{99, 98, before, 97}), Samples: samples, Channels: int32(n),
	}
}
