package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func batchNormCases() []Case {
	var cases []Case
	for _, size := range matrices {
		rows, channels := size[0], size[1]
		name := fmt.Sprintf("rows=%d,channels=%d", rows, channels)
		cases = append(cases,
			Case{"batchnorm_stats/" + name, func(p *placer) gpu.Kernel { return batchNormStats(p, rows, channels) }},
			Case{"batchnorm_finish/" + name, func(p *placer) gpu.Kernel { return batchNormFinish(p, rows, channels) }},
			Case{"batchnorm_gradient/" + name, func(p *placer) gpu.Kernel { return batchNormGradient(p, rows, channels, true) }},
			Case{"batchnorm_gradient/bias," + name, func(p *placer) gpu.Kernel { return batchNormGradient(p, rows, channels, false) }})
	}
	for _, channels := range lengths {
		name := fmt.Sprintf("batchnorm_inference/channels=%d", channels)
		cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return batchNormInference(p, channels) }})
	}
	return cases
}

func batchNormStats(p *placer, rows, channels int) gpu.Kernel {
	// A mean of a hundred deviations: sums of squares of y itself would cancel.
	y := normal(p.random, rows*channels, 50, 0.5)
	var partial []number
	for _, chunk := range chunksOf(rows, channels) {
		means, squares := make([]number, channels), make([]number, channels)
		n := float64(chunk[1] - chunk[0])
		for c := range channels {
			exactMean, exactSquares := 0.0, 0.0
			for row := chunk[0]; row < chunk[1]; row++ {
				exactMean += float64(y[row*channels+c]) / n
			}
			for row := chunk[0]; row < chunk[1]; row++ {
				exactSquares += math.Pow(float64(y[row*channels+c])-exactMean, 2)
			}
			// The bounds are those of the sums less the first row.
			shift := exactly(y[chunk[0]*channels+c])
			var deviations, products []number
			for row := chunk[0]; row < chunk[1]; row++ {
				d := exactly(y[row*channels+c]).minus(shift)
				deviations, products = append(deviations, d), append(products, d.times(d))
			}
			sum := total(deviations)
			mean := sum.over(number{value: n})
			means[c] = number{exactMean, shift.plus(mean).bound + 1e-12}
			squares[c] = number{exactSquares, total(products).minus(sum.times(mean)).bound + 1e-12}
		}
		partial = append(append(partial, means...), squares...)
	}
	return &kernels.BatchNormStats{
		Y: input(p, "Y", y), Partial: output(p, "Partial", partial), Rows: int32(rows), Channels: int32(channels),
	}
}

func batchNormFinish(p *placer, rows, channels int) gpu.Kernel {
	const epsilon, momentum = float32(1e-3), float32(0.99)
	correction := float32(1)
	if rows > 1 {
		correction = float32(float64(rows) / float64(rows-1))
	}
	chunks := chunksOf(rows, channels)
	var partial []float32
	for range chunks {
		partial = append(partial, normal(p.random, channels, 3, 1)...)
		partial = append(partial, uniform(p.random, channels, 0, 5)...)
	}
	gamma := normal(p.random, channels, 1, 0.5)
	movingMean, movingVariance := normal(p.random, channels, 0, 1), uniform(p.random, channels, 0.5, 2)
	mean, invStd, scale := make([]number, channels), make([]number, channels), make([]number, channels)
	wantMean, wantVariance := make([]number, channels), make([]number, channels)
	for c := range channels {
		var m, squares float64
		for i, chunk := range chunks {
			m += float64(chunk[1]-chunk[0]) * float64(partial[2*i*channels+c]) / float64(rows)
		}
		for i, chunk := range chunks {
			d := float64(partial[2*i*channels+c]) - m
			squares += float64(partial[(2*i+1)*channels+c]) + float64(chunk[1]-chunk[0])*d*d
		}
		mean[c] = double(m, math.Abs(m)+10)
		variance := double(squares/float64(rows), squares/float64(rows))
		invStd[c] = exactly(1).over(variance.plus(exactly(epsilon)).squareRoot())
		scale[c] = exactly(gamma[c]).times(invStd[c])
		move := func(old float32, new number) number {
			return exactly(old).minus(exactly(old).minus(new).times(exactly(1).minus(exactly(momentum))))
		}
		wantMean[c] = move(movingMean[c], mean[c])
		wantVariance[c] = move(movingVariance[c], variance.times(exactly(correction)))
	}
	return &kernels.BatchNormFinish{
		Partial: input(p, "Partial", partial), Gamma: input(p, "Gamma", gamma),
		MovingMean:     update(p, "MovingMean", movingMean, wantMean),
		MovingVariance: update(p, "MovingVariance", movingVariance, wantVariance),
		Mean:           output(p, "Mean", mean), InvStd: output(p, "InvStd", invStd), Scale: output(p, "Scale", scale),
		Rows: int32(rows), Channels: int32(channels), Epsilon: epsilon, Momentum: momentum, Correction: correction,
	}
}

func batchNormInference(p *placer, channels int) gpu.Kernel {
	const epsilon = float32(1e-3)
	movingMean, movingVariance := normal(p.random, channels, 0, 1), uniform(p.random, channels, 0, 2)
	gamma := normal(p.random, channels, 1, 0.5)
	invStd, scale := make([]number, channels), make([]number, channels)
	for c := range channels {
		invStd[c] = exactly(1).over(exactly(movingVariance[c]).plus(exactly(epsilon)).squareRoot())
		scale[c] = exactly(gamma[c]).times(invStd[c])
	}
	return &kernels.BatchNormInference{
		MovingMean: input(p, "MovingMean", movingMean), MovingVariance: input(p, "MovingVariance", movingVariance),
		Gamma: input(p, "Gamma", gamma), Mean: outputExact(p, "Mean", movingMean),
		InvStd: output(p, "InvStd", invStd), Scale: output(p, "Scale", scale), Channels: int32(channels), Epsilon: epsilon,
	}
}

// batchNormGradient is the kernel behind a reduction over rows pooled rows, four
// times as many before the pooling; without norm, of a bias alone.
func batchNormGradient(p *placer, rows, channels int, norm bool) gpu.Kernel {
	chunks := len(chunksOf(rows, channels))
	partial := normal(p.random, chunks*2*channels, 0, 1)
	invStd, scale := uniform(p.random, channels, 0.5, 2), normal(p.random, channels, 0, 1)
	dBeta, dGamma := make([]number, channels), make([]number, channels)
	slope, offset := make([]number, channels), make([]number, channels)
	for c := range channels {
		var sum, moment, absoluteSum, absoluteMoment float64
		for chunk := range chunks {
			s, m := float64(partial[2*chunk*channels+c]), float64(partial[(2*chunk+1)*channels+c])
			sum, moment = sum+s, moment+m
			absoluteSum, absoluteMoment = absoluteSum+math.Abs(s), absoluteMoment+math.Abs(m)
		}
		dBeta[c] = double(sum, absoluteSum)
		dGamma[c] = double(moment, absoluteMoment).times(exactly(invStd[c]))
		perRow := exactly(-scale[c]).over(exactly(float32(4 * rows)))
		slope[c] = perRow.times(exactly(invStd[c])).times(dGamma[c])
		offset[c] = perRow.times(dBeta[c])
	}
	k := &kernels.BatchNormGradient{
		Partial: input(p, "Partial", partial), InvStd: input(p, "InvStd", invStd), Scale: input(p, "Scale", scale),
		DBeta: output(p, "DBeta", dBeta), Rows: int32(4 * rows), Channels: int32(channels), Chunks: int32(chunks),
	}
	if norm {
		k.DGamma, k.Slope, k.Offset = output(p, "DGamma", dGamma), output(p, "Slope", slope), output(p, "Offset", offset)
	} else {
		zeros := make([]float32, channels)
		k.Slope, k.Offset = input(p, "Slope", zeros), input(p, "Offset", zeros)
	}
	return k
}
