package kernels

import "diaghess/gpu"

// Calibration gives one estimate of a diagonal the size of another, tensor by
// tensor; the buffers and the chunk table are those of update.go. The sums take
// two stages of fixed order.

// CalibrateSums sums a chunk of both estimates, in double precision:
//
//	Partial[chunk, 0] = Factor sum G^2, Partial[chunk, 1] = sum R
type CalibrateSums struct {
	G       gpu.Slice[float32] // all gradients
	R       gpu.Slice[float32] // all curvatures
	Chunks  gpu.Slice[uint32]  // [chunks, ChunkWords]
	Partial gpu.Slice[float32] // [chunks, 2], written
	Factor  float32
}

func (k *CalibrateSums) Entry() string  { return "calibrate_sums" }
func (k *CalibrateSums) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *CalibrateSums) Cost() gpu.Cost { return updateCost(k.G, 2, 0, 3) }

// Host sums chunks lo to hi-1.
func (k *CalibrateSums) Host(lo, hi int) {
	chunks, partial := k.Chunks.Host(), k.Partial.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		g := k.G.Host()[first:last]
		r := k.R.Host()[first:last][:len(g)]
		var squares, sum float64
		for i, v := range g {
			squares += float64(v) * float64(v)
			sum += float64(r[i])
		}
		partial[2*chunk], partial[2*chunk+1] = k.Factor*float32(squares), float32(sum)
	}
}

// CalibrateRatio ends the sums of each tensor, takes their exponential averages
// over the estimates of a run, and divides them:
//
//	Average[tensor, i] = Decay Average[tensor, i] + OneMinusDecay sum over chunks of Partial[chunk, i]
//	Ratio[tensor] = Average[tensor, 0] / Average[tensor, 1], 0 where the divisor is 0
//
// The weights of both averages are the same, so the ratio needs no correction for
// their beginning at 0.
type CalibrateRatio struct {
	Partial       gpu.Slice[float32] // [chunks, 2]
	First         gpu.Slice[uint32]  // [tensors + 1], see ChunkTable
	Average       gpu.Slice[float32] // [tensors, 2], updated
	Ratio         gpu.Slice[float32] // [tensors], written
	Decay         float32
	OneMinusDecay float32
}

func (k *CalibrateRatio) Entry() string { return "calibrate_ratio" }
func (k *CalibrateRatio) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.Ratio.Len(), Threads: threads}
}
func (k *CalibrateRatio) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+k.First.Len()+5*k.Ratio.Len()), Flops: int64(k.Partial.Len() + 7*k.Ratio.Len())}
}

// Host does tensors lo to hi-1.
func (k *CalibrateRatio) Host(lo, hi int) {
	partial, firsts, average, ratio := k.Partial.Host(), k.First.Host(), k.Average.Host(), k.Ratio.Host()
	for tensor := lo; tensor < hi; tensor++ {
		var sums [2]float64
		for chunk := firsts[tensor]; chunk < firsts[tensor+1]; chunk++ {
			sums[0] += float64(partial[2*chunk])
			sums[1] += float64(partial[2*chunk+1])
		}
		a := average[2*tensor:][:2]
		for i, sum := range sums {
			a[i] = float32(k.Decay*a[i]) + float32(k.OneMinusDecay*float32(sum))
		}
		ratio[tensor] = 0
		if a[1] != 0 {
			ratio[tensor] = a[0] / a[1]
		}
	}
}

// CalibrateApply scales an estimate: R = R Ratio[tensor].
type CalibrateApply struct {
	R      gpu.Slice[float32] // all curvatures, updated
	Chunks gpu.Slice[uint32]  // [chunks, ChunkWords]
	Ratio  gpu.Slice[float32] // [tensors]
}

func (k *CalibrateApply) Entry() string  { return "calibrate_apply" }
func (k *CalibrateApply) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *CalibrateApply) Cost() gpu.Cost { return updateCost(k.R, 1, 1, 1) }

// Host scales chunks lo to hi-1.
func (k *CalibrateApply) Host(lo, hi int) {
	chunks, ratio := k.Chunks.Host(), k.Ratio.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		r := k.R.Host()[first:last]
		for i := range r {
			r[i] *= ratio[tensor]
		}
	}
}
