package kernels

import (
	"slices"

	"diaghess/gpu"
)

// The tangents of a network: the derivatives, along a direction in the space of
// the parameters, of all that a training step computes. Forward and backward pass
// differentiated so are the R-operator of Pearlmutter 1994, "Fast exact
// multiplication by the Hessian": the derivative of the gradient is the product of
// the Hessian with the direction. A name that ends in Dot is the tangent of the
// quantity before it; those of the parameters are the direction itself.
//
// This file is the way forward, tangent_backward.go the way back. With d = y -
// mean, r = invStd and s = scale = gamma r of a normalization by the batch's own
// statistics over N rows,
//
//	meanDot   = mean of yDot
//	rDot      = -r^3 mean of d yDot
//	sDot      = gammaDot r + gamma rDot
//	zDot      = s (yDot - meanDot) + sDot d + betaDot
//	aDot      = zDot D
//
// with D what LeakyReLU, pooling and dropout did to z, each decision as it was. A
// bias is a normalization whose mean and r are constants: meanDot, rDot and sDot
// are 0.

// TangentStats is the first stage of the statistics' tangents:
//
//	Partial[chunk, 0, c] = sum of YDot over the rows of the chunk
//	Partial[chunk, 1, c] = sum of (Y - Mean) YDot there
type TangentStats struct {
	Y        gpu.Slice[float32] // [Rows, Channels]
	YDot     gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels], written
	Rows     int32
	Channels int32
}

func (k *TangentStats) Entry() string  { return "tangent_stats" }
func (k *TangentStats) Grid() gpu.Grid { return chunkGrid(k.Rows, k.Channels) }
func (k *TangentStats) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 8*n + 4*int64(k.Partial.Len()+int(k.Channels)), Flops: 4 * n}
}

// Host reduces chunks lo to hi-1.
func (k *TangentStats) Host(lo, hi int) {
	channels := int(k.Channels)
	y, yDot, mean, partial := k.Y.Host(), k.YDot.Host(), k.Mean.Host(), k.Partial.Host()
	for chunk := lo; chunk < hi; chunk++ {
		sum := partial[chunk*2*channels:][:channels]
		moment := partial[(chunk*2+1)*channels:][:channels]
		clear(sum)
		clear(moment)
		first, last := span(chunk, chunk+1, rowsPerChunk(k.Channels), int(k.Rows))
		done := k.vector(first, last, sum, moment)
		for row := first; row < last && done < channels; row++ {
			y, yDot := y[row*channels:][:channels], yDot[row*channels:][:channels]
			for c := done; c < channels; c++ {
				sum[c] += yDot[c]
				moment[c] += float32((y[c] - mean[c]) * yDot[c])
			}
		}
	}
}

// chunkSums ends the sums of a channel over chunks, in double precision and the
// order of a block whose warps take turns at the chunks.
func chunkSums(partial []float32, chunks, channels, c int) (sum, moment float64) {
	var sums, moments [threads / 32]float64
	for chunk := range chunks {
		sums[chunk%len(sums)] += float64(partial[2*chunk*channels+c])
		moments[chunk%len(sums)] += float64(partial[(2*chunk+1)*channels+c])
	}
	for warp := range sums {
		sum += sums[warp]
		moment += moments[warp]
	}
	return sum, moment
}

// TangentFinish is the second stage, in double precision: meanDot, rDot and sDot.
type TangentFinish struct {
	Partial   gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels]
	Gamma     gpu.Slice[float32] // [Channels]
	GammaDot  gpu.Slice[float32] // [Channels]
	InvStd    gpu.Slice[float32] // [Channels]
	MeanDot   gpu.Slice[float32] // [Channels], written
	InvStdDot gpu.Slice[float32] // [Channels], written
	ScaleDot  gpu.Slice[float32] // [Channels], written
	Rows      int32
	Channels  int32
}

func (k *TangentFinish) Entry() string  { return "tangent_finish" }
func (k *TangentFinish) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *TangentFinish) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+6*int(k.Channels)), Flops: int64(k.Partial.Len() + 8*int(k.Channels))}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *TangentFinish) Host(lo, hi int) {
	partial, gamma, gammaDot, invStd := k.Partial.Host(), k.Gamma.Host(), k.GammaDot.Host(), k.InvStd.Host()
	meanDot, invStdDot, scaleDot := k.MeanDot.Host(), k.InvStdDot.Host(), k.ScaleDot.Host()
	channels, chunks := int(k.Channels), Chunks(k.Rows, k.Channels)
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		sum, moment := chunkSums(partial, chunks, channels, c)
		r := float64(invStd[c])
		rDot := -(r * r * r) * (moment / float64(k.Rows))
		meanDot[c] = float32(sum / float64(k.Rows))
		invStdDot[c] = float32(rDot)
		scaleDot[c] = float32(float64(float64(gammaDot[c])*r) + float64(float64(gamma[c])*rDot))
	}
}

// TangentForward computes aDot, the tangent of the epilogue's output.
type TangentForward struct {
	Y        gpu.Slice[float32] // [Rows, Channels]
	YDot     gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	MeanDot  gpu.Slice[float32] // [Channels]
	ScaleDot gpu.Slice[float32] // [Channels]
	BetaDot  gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [Rows, Channels], or null: keep all
	ADot     gpu.Slice[float32] // [Rows, Channels], written
	Rows     int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *TangentForward) Entry() string  { return "tangent_forward" }
func (k *TangentForward) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *TangentForward) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 12*n + int64(k.Mask.Len()) + 24*int64(k.Channels), Flops: 10 * n}
}

// Host writes the rows of blocks lo to hi-1.
func (k *TangentForward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, yDot, aDot, mask := k.Y.Host(), k.YDot.Host(), k.ADot.Host(), k.Mask.Host()
	t := tangentChannels{
		k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels],
		k.MeanDot.Host()[:channels], k.ScaleDot.Host()[:channels], k.BetaDot.Host()[:channels],
	}
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last, &t)
	for row := first; row < last && done < channels; row++ {
		at := row * channels
		y, yDot, aDot := y[at:][:channels], yDot[at:][:channels], aDot[at:][:channels]
		for c := done; c < channels; c++ {
			v := t.activated(c, y[c], yDot[c], &slopes)
			if mask != nil {
				v *= keeps[mask[at+c]&1]
			}
			aDot[c] = v
		}
	}
}

// tangentChannels is what the way forward needs of the channels.
type tangentChannels struct {
	mean, scale, beta, meanDot, scaleDot, betaDot []float32
}

// activated is the tangent of LeakyReLU of z, from an element of y and yDot.
func (t *tangentChannels) activated(c int, y, yDot float32, slopes *[2]float32) float32 {
	d := y - t.mean[c]
	z := float32(d*t.scale[c]) + t.beta[c]
	zDot := float32((yDot-t.meanDot[c])*t.scale[c]) + float32(d*t.scaleDot[c]) + t.betaDot[c]
	return zDot * slopes[positive(z)]
}

// TangentPoolForward is TangentForward through the pooling: aDot is that of each
// window's winner.
type TangentPoolForward struct {
	Y        gpu.Slice[float32] // [Pictures, Height, Width, Channels]
	YDot     gpu.Slice[float32] // [Pictures, Height, Width, Channels]
	Index    gpu.Slice[uint8]   // [pooled rows, Channels], see EpiloguePoolForward
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	MeanDot  gpu.Slice[float32] // [Channels]
	ScaleDot gpu.Slice[float32] // [Channels]
	BetaDot  gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [pooled rows, Channels], or null: keep all
	ADot     gpu.Slice[float32] // [pooled rows, Channels], written
	Pictures int32
	Height   int32
	Width    int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *TangentPoolForward) Entry() string { return "tangent_pool_forward" }
func (k *TangentPoolForward) Grid() gpu.Grid {
	return rowGrid(PooledRows(k.Pictures, k.Height, k.Width), k.Channels)
}
func (k *TangentPoolForward) Cost() gpu.Cost {
	n := int64(k.ADot.Len())
	return gpu.Cost{Bytes: 13*n + int64(k.Mask.Len()) + 24*int64(k.Channels), Flops: 10 * n}
}

// Host writes the pooled rows of blocks lo to hi-1.
func (k *TangentPoolForward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, yDot, index, aDot, mask := k.Y.Host(), k.YDot.Host(), k.Index.Host(), k.ADot.Host(), k.Mask.Host()
	t := tangentChannels{
		k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels],
		k.MeanDot.Host()[:channels], k.ScaleDot.Host()[:channels], k.BetaDot.Host()[:channels],
	}
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(PooledRows(k.Pictures, k.Height, k.Width)))
	done := k.vector(first, last, &t)
	for row := first; row < last && done < channels; row++ {
		rows := windowOf(row, int(k.Height), int(k.Width)).rows()
		at := row * channels
		index, aDot := index[at:][:channels], aDot[at:][:channels]
		for c := done; c < channels; c++ {
			winner := rows[index[c]&3]*channels + c
			v := t.activated(c, y[winner], yDot[winner], &slopes)
			if mask != nil {
				v *= keeps[mask[at+c]&1]
			}
			aDot[c] = v
		}
	}
}

// TangentLoss writes the tangent of the loss's gradient by the logits, whatever
// the labels are: with p the softmax of a row,
//
//	DLogitsDot = p (LogitsDot - sum of p LogitsDot) / Rows
type TangentLoss struct {
	Logits     gpu.Slice[float32] // [Rows, Classes]
	LogitsDot  gpu.Slice[float32] // [Rows, Classes]
	DLogitsDot gpu.Slice[float32] // [Rows, Classes], written
	Rows       int32
	Classes    int32
}

func (k *TangentLoss) Entry() string { return "tangent_loss" }
func (k *TangentLoss) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Rows), rowsPerSoftmaxBlock), Threads: threads}
}
func (k *TangentLoss) Cost() gpu.Cost {
	n := int64(k.Logits.Len())
	return gpu.Cost{Bytes: 12 * n, Flops: 9 * n}
}

// Host does the rows of blocks lo to hi-1.
func (k *TangentLoss) Host(lo, hi int) {
	logits, logitsDot, dLogitsDot := k.Logits.Host(), k.LogitsDot.Host(), k.DLogitsDot.Host()
	classes := int(k.Classes)
	first, last := span(lo, hi, rowsPerSoftmaxBlock, int(k.Rows))
	for row := first; row < last; row++ {
		x, xDot := logits[row*classes:][:classes], logitsDot[row*classes:][:classes]
		largest := slices.Max(x)
		// sum is of exp(x - largest), moment of that times xDot.
		var sum, moment float32
		for c, v := range x {
			e := exp(v - largest)
			sum += e
			moment += float32(e * xDot[c])
		}
		mean := moment / sum
		for c, v := range x {
			dLogitsDot[row*classes+c] = exp(v-largest) / sum * (xDot[c] - mean) / float32(k.Rows)
		}
	}
}
