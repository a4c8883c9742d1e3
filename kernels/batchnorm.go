package kernels

import (
	"math"

	"diaghess/gpu"
)

// Batch normalization, Ioffe and Szegedy 2015, with Keras's conventions: the
// batch is normalized with its biased variance,
//
//	z = gamma (y - mean) / sqrt(variance + epsilon) + beta
//
// and the moving statistics take (1 - momentum) of the batch's. The kernels of
// this file find statistics and coefficients per channel; those of epilogue.go
// apply them.

// BatchNormStats is the first stage of a batch's statistics: mean and sum of
// squared deviations of each chunk of rows. The sums are taken of y less the
// chunk's first row, so that they do not cancel where the mean is large against
// the deviation.
//
//	Partial[chunk, 0, c] = mean of Y[rows of the chunk, c]
//	Partial[chunk, 1, c] = sum of (Y - mean)^2 there
type BatchNormStats struct {
	Y        gpu.Slice[float32] // [Rows, Channels]
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels], written
	Rows     int32
	Channels int32
}

func (k *BatchNormStats) Entry() string  { return "batchnorm_stats" }
func (k *BatchNormStats) Grid() gpu.Grid { return chunkGrid(k.Rows, k.Channels) }
func (k *BatchNormStats) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Y.Len()+k.Partial.Len()), Flops: 4 * int64(k.Y.Len())}
}

// Host reduces chunks lo to hi-1.
func (k *BatchNormStats) Host(lo, hi int) {
	channels := int(k.Channels)
	y, partial := k.Y.Host(), k.Partial.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last := span(chunk, chunk+1, rowsPerChunk(k.Channels), int(k.Rows))
		shift := y[first*channels:][:channels]
		sum := partial[chunk*2*channels:][:channels]
		squares := partial[(chunk*2+1)*channels:][:channels]
		clear(sum)
		clear(squares)
		done := k.vector(first, last, sum, squares)
		for row := first; row < last && done < channels; row++ {
			addDeviations(y[row*channels+done:(row+1)*channels], shift[done:], sum[done:], squares[done:])
		}
		n := float32(last - first)
		for c, s := range sum {
			mean := s / n
			sum[c] = shift[c] + mean
			squares[c] = max(0, squares[c]-float32(s*mean))
		}
	}
}

func addDeviations(y, shift, sum, squares []float32) {
	shift, sum, squares = shift[:len(y)], sum[:len(y)], squares[:len(y)]
	for c, v := range y {
		d := v - shift[c]
		sum[c] += d
		squares[c] += float32(d * d)
	}
}

// BatchNormFinish is the second stage: it merges the chunks in double
// precision, and updates the moving statistics.
//
//	Mean, InvStd = the batch's mean and 1/sqrt(variance + Epsilon)
//	Scale        = Gamma * InvStd
//	Moving       = Momentum * Moving + (1 - Momentum) * the batch's
//
// Correction multiplies the variance that updates the moving variance. It is
// Rows/(Rows-1) for the unbiased variance, which Keras's fused kernel stores (4-d inputs).
// It is 1 for the biased variance, which Keras's other kernel stores (2-d inputs).
type BatchNormFinish struct {
	Partial        gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels]
	Gamma          gpu.Slice[float32] // [Channels]
	MovingMean     gpu.Slice[float32] // [Channels], updated
	MovingVariance gpu.Slice[float32] // [Channels], updated
	Mean           gpu.Slice[float32] // [Channels], written
	InvStd         gpu.Slice[float32] // [Channels], written
	Scale          gpu.Slice[float32] // [Channels], written
	Rows           int32
	Channels       int32
	Epsilon        float32
	Momentum       float32
	Correction     float32
}

func (k *BatchNormFinish) Entry() string  { return "batchnorm_finish" }
func (k *BatchNormFinish) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *BatchNormFinish) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+8*int(k.Channels)), Flops: 5 * int64(k.Partial.Len())}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *BatchNormFinish) Host(lo, hi int) {
	partial, gamma := k.Partial.Host(), k.Gamma.Host()
	movingMean, movingVariance := k.MovingMean.Host(), k.MovingVariance.Host()
	mean, invStd, scale := k.Mean.Host(), k.InvStd.Host(), k.Scale.Host()
	channels, chunks, perChunk := int(k.Channels), Chunks(k.Rows, k.Channels), rowsPerChunk(k.Channels)
	rowsOf := func(chunk int) float64 { return float64(min(perChunk, int(k.Rows)-chunk*perChunk)) }
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		var m, squares float64
		for chunk := range chunks {
			m += float64(rowsOf(chunk) * float64(partial[chunk*2*channels+c]))
		}
		m /= float64(k.Rows)
		for chunk := range chunks {
			d := float64(partial[chunk*2*channels+c]) - m
			squares += float64(partial[(chunk*2+1)*channels+c]) + float64(rowsOf(chunk)*(d*d))
		}
		variance := float32(squares / float64(k.Rows))
		mean[c] = float32(m)
		invStd[c] = inverseSqrt(variance + k.Epsilon)
		scale[c] = gamma[c] * invStd[c]
		movingMean[c] = movingAverage(movingMean[c], mean[c], k.Momentum)
		movingVariance[c] = movingAverage(movingVariance[c], float32(variance*k.Correction), k.Momentum)
	}
}

// movingAverage is Keras's: old - (old - new) (1 - momentum).
func movingAverage(old, new, momentum float32) float32 {
	return old - float32((old-new)*(1-momentum))
}

func inverseSqrt(v float32) float32 { return 1 / float32(math.Sqrt(float64(v))) }

// BatchNormInference sets the coefficients of a pass that normalizes with the
// moving statistics.
type BatchNormInference struct {
	MovingMean     gpu.Slice[float32] // [Channels]
	MovingVariance gpu.Slice[float32] // [Channels]
	Gamma          gpu.Slice[float32] // [Channels]
	Mean           gpu.Slice[float32] // [Channels], written
	InvStd         gpu.Slice[float32] // [Channels], written
	Scale          gpu.Slice[float32] // [Channels], written
	Channels       int32
	Epsilon        float32
}

func (k *BatchNormInference) Entry() string  { return "batchnorm_inference" }
func (k *BatchNormInference) Grid() gpu.Grid { return elementGrid(int(k.Channels)) }
func (k *BatchNormInference) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 24 * int64(k.Channels), Flops: 4 * int64(k.Channels)}
}

// Host sets the channels of blocks lo to hi-1.
func (k *BatchNormInference) Host(lo, hi int) {
	movingMean, movingVariance, gamma := k.MovingMean.Host(), k.MovingVariance.Host(), k.Gamma.Host()
	mean, invStd, scale := k.Mean.Host(), k.InvStd.Host(), k.Scale.Host()
	first, last := span(lo, hi, elementsPerBlock, int(k.Channels))
	for c := first; c < last; c++ {
		mean[c] = movingMean[c]
		invStd[c] = inverseSqrt(movingVariance[c] + k.Epsilon)
		scale[c] = gamma[c] * invStd[c]
	}
}

// BatchNormGradient is the second stage of the backward reduction that EpilogueReduce
// began. From the sums of dz and of dz (y - mean) it computes the gradients of the
// parameters. It also computes two coefficients, with which the gradient of the input is
//
//	dy = Scale dz + Slope (y - mean) + Offset
//	DBeta = sum dz, DGamma = InvStd sum dz (y - mean)
//	Slope = -Scale InvStd DGamma / Rows, Offset = -Scale DBeta / Rows
//
// A null DGamma means a bias without normalization: Slope and Offset keep their values
// (zero).
type BatchNormGradient struct {
	Partial  gpu.Slice[float32] // [Chunks, 2, Channels]
	InvStd   gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	DGamma   gpu.Slice[float32] // [Channels], written, or null
	DBeta    gpu.Slice[float32] // [Channels], written
	Slope    gpu.Slice[float32] // [Channels], written unless DGamma is null
	Offset   gpu.Slice[float32] // [Channels], written unless DGamma is null
	Rows     int32              // of the normalized tensor
	Channels int32
	Chunks   int32 // of Partial
}

func (k *BatchNormGradient) Entry() string  { return "batchnorm_gradient" }
func (k *BatchNormGradient) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *BatchNormGradient) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+6*int(k.Channels)), Flops: int64(k.Partial.Len() + 8*int(k.Channels))}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *BatchNormGradient) Host(lo, hi int) {
	partial, invStd, scale := k.Partial.Host(), k.InvStd.Host(), k.Scale.Host()
	dGamma, dBeta, slope, offset := k.DGamma.Host(), k.DBeta.Host(), k.Slope.Host(), k.Offset.Host()
	channels := int(k.Channels)
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		var sum, moment float64
		for chunk := range int(k.Chunks) {
			sum += float64(partial[chunk*2*channels+c])
			moment += float64(partial[(chunk*2+1)*channels+c])
		}
		dBeta[c] = float32(sum)
		if dGamma == nil {
			continue
		}
		dGamma[c] = float32(moment) * invStd[c]
		perRow := -scale[c] / float32(k.Rows)
		slope[c] = perRow * invStd[c] * dGamma[c]
		offset[c] = perRow * dBeta[c]
	}
}
