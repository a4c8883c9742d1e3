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
	chunks := chunksOf(rows, channels)
	var partial []float32
	for range chunks {
		partial = append(partial, normal(p.random, channels, 3, 1)...)
		partial = append(partial, uniform(p.random, channels, 0, 5)...)
	}
	n := drawNormalization(p, rows, channels)
	mean, variance := make([]number, channels), make([]number, channels)
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
		variance[c] = double(squares/float64(rows), squares/float64(rows))
	}
	n.finish(p, mean, variance)
	return &kernels.BatchNormFinish{
		Partial: input(p, "Partial", partial), Gamma: n.Gamma, MovingMean: n.MovingMean, MovingVariance: n.MovingVariance,
		Mean: n.Mean, InvStd: n.InvStd, Scale: n.Scale,
		Rows: int32(rows), Channels: int32(channels), Epsilon: n.epsilon, Momentum: n.momentum, Correction: n.correction,
	}
}

// normalization is what batch normalization keeps of channels.
type normalization struct {
	epsilon, momentum, correction     float32
	gamma, movingMean, movingVariance []float32
	scale                             []number

	Gamma, MovingMean, MovingVariance, Mean, InvStd, Scale gpu.Slice[float32]
}

func drawNormalization(p *placer, rows, channels int) *normalization {
	n := &normalization{
		epsilon: 1e-3, momentum: 0.99, correction: 1,
		gamma: normal(p.random, channels, 1, 0.5), movingMean: normal(p.random, channels, 0, 1), movingVariance: uniform(p.random, channels, 0.5, 2),
	}
	if rows > 1 {
		n.correction = float32(float64(rows) / float64(rows-1))
	}
	return n
}

// finish places what a batch's mean and variance must make of the channels.
func (n *normalization) finish(p *placer, mean, variance []number) {
	channels := len(mean)
	invStd, wantMean, wantVariance := make([]number, channels), make([]number, channels), make([]number, channels)
	n.scale = make([]number, channels)
	move := func(old float32, new number) number {
		return exactly(old).minus(exactly(old).minus(new).times(exactly(1).minus(exactly(n.momentum))))
	}
	for c := range channels {
		invStd[c] = exactly(1).over(variance[c].plus(exactly(n.epsilon)).squareRoot())
		n.scale[c] = exactly(n.gamma[c]).times(invStd[c])
		wantMean[c] = move(n.movingMean[c], mean[c])
		wantVariance[c] = move(n.movingVariance[c], variance[c].times(exactly(n.correction)))
	}
	n.Gamma = input(p, "Gamma", n.gamma)
	n.MovingMean, n.MovingVariance = update(p, "MovingMean", n.movingMean, wantMean), update(p, "MovingVariance", n.movingVariance, wantVariance)
	n.Mean, n.InvStd, n.Scale = output(p, "Mean", mean), output(p, "InvStd", invStd), output(p, "Scale", n.scale)
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
