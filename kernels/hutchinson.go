package kernels

import (
	"math"

	"diaghess/gpu"
)

// What Hutchinson's estimator of the Hessian's diagonal needs besides the product of
// the Hessian with a direction, which is tangent.go's: see package optim/curvature,
// hutchinson.go.

// signsPerCall is how many signs one call of the generator gives.
const signsPerCall = 128

// Rademacher samples a direction of signs, each 1 or -1 with equal probability.
// Element i of the buffer is negative where bit i % 32 is set of
//
//	Random(Seed, Stream, State.step, Draw 2^32 + i / 128)[i / 32 % 4]
//
// The gaps between the tensors keep their values. The sign of a weight depends on its
// place in the buffer, so on the device's order of a filter's elements too.
type Rademacher struct {
	Z      gpu.Slice[float32] // all parameters, written
	Chunks gpu.Slice[uint32]  // [chunks, ChunkWords]
	State  gpu.Slice[uint32]  // [StateWords]
	Seed   uint64
	Stream uint32
	Draw   uint32 // of the draws at a step
}

func (k *Rademacher) Entry() string  { return "rademacher" }
func (k *Rademacher) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *Rademacher) Cost() gpu.Cost { return updateCost(k.Z, 0, 1, 0) }

// Host samples chunks lo to hi-1.
func (k *Rademacher) Host(lo, hi int) {
	const oneBits = 0x3f800000 // of 1; bit 31 is the sign
	chunks, step := k.Chunks.Host(), k.State.Host()[StateStep]
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		z := k.Z.Host()
		for i := first + k.vector(z[first:last], first, step); i < last; {
			words := Random(k.Seed, k.Stream, step, k.index(i/signsPerCall))
			for end := min(last, (i/signsPerCall+1)*signsPerCall); i < end; i++ {
				z[i] = math.Float32frombits(oneBits | words[i/32%4]>>(i%32)<<31)
			}
		}
	}
}

// index is where a call's signs are in the stream.
func (k *Rademacher) index(call int) uint64 { return uint64(k.Draw)<<32 | uint64(call) }

// HutchinsonSample adds a sample of the diagonal to the sum:
//
//	Sum = Sum + Factor Z Product            with Absolute: the absolute value of that
//
// With First set the old Sum counts as 0.
type HutchinsonSample struct {
	Z        gpu.Slice[float32] // [Elements]
	Product  gpu.Slice[float32] // [Elements]
	Sum      gpu.Slice[float32] // [Elements], updated
	Elements int32
	First    uint32 // 0 or 1
	Absolute uint32 // 0 or 1
	Factor   float32
}

func (k *HutchinsonSample) Entry() string  { return "hutchinson_sample" }
func (k *HutchinsonSample) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *HutchinsonSample) Cost() gpu.Cost {
	return gpu.Cost{Bytes: int64(16-4*k.First) * int64(k.Elements), Flops: 3 * int64(k.Elements)}
}

// Host does the elements of blocks lo to hi-1.
func (k *HutchinsonSample) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	z, product, sum := k.Z.Host()[first:last], k.Product.Host()[first:last], k.Sum.Host()[first:last]
	for i := k.vector(z, product, sum); i < len(z); i++ {
		s := float32(float32(k.Factor*z[i]) * product[i])
		if k.First == 0 {
			s += sum[i]
		}
		if k.Absolute != 0 {
			s = max(s, -s)
		}
		sum[i] = s
	}
}

// TapMean sets all taps of a filter to their mean, for each pair of channels:
//
//	X[o, t, i] = mean over t of X[o, t, i]
//
// with Outer and Inner what comes before and after the taps in the filter's layout.
type TapMean struct {
	X     gpu.Slice[float32] // [Outer, Taps, Inner], updated
	Outer int32
	Taps  int32
	Inner int32
}

func (k *TapMean) Entry() string { return "tap_mean" }
func (k *TapMean) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Outer*k.Inner), threads), Threads: threads}
}
func (k *TapMean) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 8 * int64(k.X.Len()), Flops: int64(k.X.Len())}
}

// Host does the pairs of channels of blocks lo to hi-1.
func (k *TapMean) Host(lo, hi int) {
	x, taps, inner := k.X.Host(), int(k.Taps), int(k.Inner)
	first, last := span(lo, hi, threads, int(k.Outer*k.Inner))
	for pair := first; pair < last; pair++ {
		at := pair/inner*taps*inner + pair%inner
		var sum float32
		for t := range taps {
			sum += x[at+t*inner]
		}
		mean := sum / float32(k.Taps)
		for t := range taps {
			x[at+t*inner] = mean
		}
	}
}
