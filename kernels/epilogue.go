package kernels

import (
	"math"

	"diaghess/gpu"
)

// The epilogue of a convolution or dense layer is what follows its product y,
// channel by channel, in one pass over memory:
//
//	z = (y - Mean) Scale + Beta        normalization, or a bias (Mean 0, Scale 1)
//	a = z where z > 0, else Slope z    LeakyReLU; Slope 1 is the identity
//	a = a Keep where Mask, else 0      inverted dropout, Keep = 1/(1 - rate)
//
// The derivative of LeakyReLU at exactly 0 is Slope, as in Keras. The backward
// kernels compute z again from y rather than keep it.

// EpilogueForward computes a, the output.
type EpilogueForward struct {
	Y        gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [Rows, Channels], or null: keep all
	A        gpu.Slice[float32] // [Rows, Channels], written
	Rows     int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *EpilogueForward) Entry() string  { return "epilogue_forward" }
func (k *EpilogueForward) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *EpilogueForward) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 8*n + int64(k.Mask.Len()) + 12*int64(k.Channels), Flops: 4 * n}
}

// Host writes the rows of blocks lo to hi-1.
func (k *EpilogueForward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, a, mask := k.Y.Host(), k.A.Host(), k.Mask.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	slopes := slopeTable(k.Slope)
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		at, end := row*channels+done, (row+1)*channels
		activate(y[at:end], mean[done:], scale[done:], beta[done:], a[at:end], &slopes)
		if mask != nil {
			drop(a[at:end], mask[at:end], k.Keep)
		}
	}
}

// slopeTable holds the derivative of LeakyReLU at an index of positive(z): a
// load instead of a branch that a processor would guess wrong half the time.
func slopeTable(slope float32) [2]float32 { return [2]float32{slope, 1} }

// positive is 1 where z > 0, else 0: the bits of positive numbers, infinity
// included, are 1 to 0x7f800000.
func positive(z float32) uint32 {
	return uint32((uint64(math.Float32bits(z)-1) - 0x7f800000) >> 63)
}

func activate(y, mean, scale, beta, a []float32, slopes *[2]float32) {
	mean, scale, beta, a = mean[:len(y)], scale[:len(y)], beta[:len(y)], a[:len(y)]
	for c, v := range y {
		z := float32((v-mean[c])*scale[c]) + beta[c]
		a[c] = z * slopes[positive(z)]
	}
}

// drop applies a dropout mask in place.
func drop(a []float32, mask []uint8, keep float32) {
	mask = mask[:len(a)]
	keeps := [2]float32{0, keep}
	for c, v := range a {
		a[c] = v * keeps[mask[c]&1]
	}
}

// EpilogueReduce is the first stage of the backward pass: per chunk of rows and
// channel, with dz the gradient of the loss by z,
//
//	dz = DA (Keep where Mask, else 0) (1 where z > 0, else Slope)
//	Partial[chunk, 0, c] = sum dz, Partial[chunk, 1, c] = sum dz (y - Mean)
type EpilogueReduce struct {
	DA       gpu.Slice[float32] // [Rows, Channels]
	Y        gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [Rows, Channels], or null
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels], written
	Rows     int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *EpilogueReduce) Entry() string  { return "epilogue_reduce" }
func (k *EpilogueReduce) Grid() gpu.Grid { return chunkGrid(k.Rows, k.Channels) }
func (k *EpilogueReduce) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 8*n + int64(k.Mask.Len()) + 4*int64(k.Partial.Len()+3*int(k.Channels)), Flops: 7 * n}
}

// Host reduces chunks lo to hi-1.
func (k *EpilogueReduce) Host(lo, hi int) {
	channels := int(k.Channels)
	y, da, mask, partial := k.Y.Host(), k.DA.Host(), k.Mask.Host(), k.Partial.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	for chunk := lo; chunk < hi; chunk++ {
		sum := partial[chunk*2*channels:][:channels]
		moment := partial[(chunk*2+1)*channels:][:channels]
		clear(sum)
		clear(moment)
		first, last := span(chunk, chunk+1, rowsPerChunk(k.Channels), int(k.Rows))
		done := k.vector(first, last, sum, moment)
		for row := first; row < last && done < channels; row++ {
			at, end := row*channels+done, (row+1)*channels
			if mask != nil {
				addMaskedGradients(da[at:end], y[at:end], mean[done:], scale[done:], beta[done:], mask[at:end], sum[done:], moment[done:], &slopes, &keeps)
			} else {
				addGradients(da[at:end], y[at:end], mean[done:], scale[done:], beta[done:], sum[done:], moment[done:], &slopes)
			}
		}
	}
}

func addGradients(da, y, mean, scale, beta, sum, moment []float32, slopes *[2]float32) {
	n := len(y)
	da, mean, scale, beta, sum, moment = da[:n], mean[:n], scale[:n], beta[:n], sum[:n], moment[:n]
	for c, v := range y {
		d := v - mean[c]
		z := float32(d*scale[c]) + beta[c]
		dz := da[c] * slopes[positive(z)]
		sum[c] += dz
		moment[c] += float32(dz * d)
	}
}

func addMaskedGradients(da, y, mean, scale, beta []float32, mask []uint8, sum, moment []float32, slopes, keeps *[2]float32) {
	n := len(y)
	da, mean, scale, beta, mask, sum, moment = da[:n], mean[:n], scale[:n], beta[:n], mask[:n], sum[:n], moment[:n]
	for c, v := range y {
		d := v - mean[c]
		z := float32(d*scale[c]) + beta[c]
		dz := da[c] * keeps[mask[c]&1] * slopes[positive(z)]
		sum[c] += dz
		moment[c] += float32(dz * d)
	}
}

// EpilogueBackward computes the gradient of the loss by y, with dz as in
// EpilogueReduce and the coefficients of BatchNormGradient:
//
//	DY = Scale dz + DSlope (y - Mean) + DOffset
type EpilogueBackward struct {
	DA       gpu.Slice[float32] // [Rows, Channels]
	Y        gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	DSlope   gpu.Slice[float32] // [Channels]
	DOffset  gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [Rows, Channels], or null
	DY       gpu.Slice[float32] // [Rows, Channels], written
	Rows     int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *EpilogueBackward) Entry() string  { return "epilogue_backward" }
func (k *EpilogueBackward) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *EpilogueBackward) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 12*n + int64(k.Mask.Len()) + 20*int64(k.Channels), Flops: 9 * n}
}

// Host writes the rows of blocks lo to hi-1.
func (k *EpilogueBackward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, da, dy, mask := k.Y.Host(), k.DA.Host(), k.DY.Host(), k.Mask.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	dSlope, dOffset := k.DSlope.Host(), k.DOffset.Host()
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		at, end := row*channels+done, (row+1)*channels
		if mask != nil {
			maskedInputGradient(da[at:end], y[at:end], mean[done:], scale[done:], beta[done:], dSlope[done:], dOffset[done:], mask[at:end], dy[at:end], &slopes, &keeps)
		} else {
			inputGradient(da[at:end], y[at:end], mean[done:], scale[done:], beta[done:], dSlope[done:], dOffset[done:], dy[at:end], &slopes)
		}
	}
}

func inputGradient(da, y, mean, scale, beta, dSlope, dOffset, dy []float32, slopes *[2]float32) {
	n := len(y)
	da, mean, scale, beta, dSlope, dOffset, dy = da[:n], mean[:n], scale[:n], beta[:n], dSlope[:n], dOffset[:n], dy[:n]
	for c, v := range y {
		d := v - mean[c]
		z := float32(d*scale[c]) + beta[c]
		dz := da[c] * slopes[positive(z)]
		dy[c] = float32(dz*scale[c]) + float32(d*dSlope[c]) + dOffset[c]
	}
}

func maskedInputGradient(da, y, mean, scale, beta, dSlope, dOffset []float32, mask []uint8, dy []float32, slopes, keeps *[2]float32) {
	n := len(y)
	da, mean, scale, beta, dSlope, dOffset, mask, dy = da[:n], mean[:n], scale[:n], beta[:n], dSlope[:n], dOffset[:n], mask[:n], dy[:n]
	for c, v := range y {
		d := v - mean[c]
		z := float32(d*scale[c]) + beta[c]
		dz := da[c] * keeps[mask[c]&1] * slopes[positive(z)]
		dy[c] = float32(dz*scale[c]) + float32(d*dSlope[c]) + dOffset[c]
	}
}
