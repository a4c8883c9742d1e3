package kernels

import "diaghess/gpu"

// Calibration combines two estimates of a diagonal, tensor by tensor. The first, called
// Drawn, is sampled: noisy and unbiased. The second, called Swept, has little noise and
// the wrong scale. Package optim/curvature, calibrated.go, has the formulas. The buffers
// and the chunk table are those of update.go. The sums take two stages of fixed order.

// CalibrateSums is the number of sums that CalibrateAverage computes for each chunk: those
// of Drawn, Swept, Drawn^2, Drawn Swept and Swept^2.
const CalibrateSums = 5

// CalibrateAverage updates the exponential averages of both estimates,
//
//	Drawn = Decay Drawn + OneMinusDecay (Sum + Factor G^2)
//	Swept = Decay Swept + OneMinusDecay R
//
// and sums a chunk of them, in double precision:
//
//	Partial[chunk] = sum Drawn, sum Swept, sum Drawn^2, sum Drawn Swept, sum Swept^2
//
// A null Sum counts as 0.
type CalibrateAverage struct {
	G             gpu.Slice[float32] // all gradients, for sampled labels
	Sum           gpu.Slice[float32] // of all samples before, or null
	R             gpu.Slice[float32] // all curvatures, of the sweep
	Drawn         gpu.Slice[float32] // [as G], updated
	Swept         gpu.Slice[float32] // [as G], updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Partial       gpu.Slice[float32] // [chunks, CalibrateSums], written
	Factor        float32
	Decay         float32
	OneMinusDecay float32
}

func (k *CalibrateAverage) Entry() string  { return "calibrate_average" }
func (k *CalibrateAverage) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *CalibrateAverage) Cost() gpu.Cost {
	reads := int64(4)
	if !k.Sum.IsNull() {
		reads++
	}
	return updateCost(k.G, reads, 2, 17)
}

// Host does chunks lo to hi-1.
func (k *CalibrateAverage) Host(lo, hi int) {
	chunks, partial := k.Chunks.Host(), k.Partial.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		g := k.G.Host()[first:last]
		r, drawn, swept := k.R.Host()[first:last][:len(g)], k.Drawn.Host()[first:last][:len(g)], k.Swept.Host()[first:last][:len(g)]
		var sum []float32
		if !k.Sum.IsNull() {
			sum = k.Sum.Host()[first:last][:len(g)]
		}
		done, sums := k.vector(g, sum, r, drawn, swept)
		for i := done; i < len(g); i++ {
			sample := sampleOf(g[i], k.Factor, 1)
			if sum != nil {
				sample += sum[i]
			}
			drawn[i] = float32(k.Decay*drawn[i]) + float32(k.OneMinusDecay*sample)
			swept[i] = float32(k.Decay*swept[i]) + float32(k.OneMinusDecay*r[i])
			d, s := float64(drawn[i]), float64(swept[i])
			sums[0] += d
			sums[1] += s
			sums[2] += d * d
			sums[3] += d * s
			sums[4] += s * s
		}
		for i, s := range sums {
			partial[CalibrateSums*chunk+i] = float32(s)
		}
	}
}

// CalibrateWeights finishes the sums of each tensor and computes the weights of both
// averages, in double precision. With ratio = sum Drawn / sum Swept and n =
// Draws[State.step / Every],
//
//	apart = sum (Drawn - ratio Swept)^2
//	noise = 2 sum Drawn^2 / (n + 2)
//	w     = max(0, 1 - noise / apart)
//	Weights[tensor] = w, (1 - w) ratio, both times Corrections[State.step / Every]
//
// Where sum Swept is 0, w is 1.
type CalibrateWeights struct {
	Partial     gpu.Slice[float32] // [chunks, CalibrateSums]
	First       gpu.Slice[uint32]  // [tensors + 1], see ChunkTable
	Corrections gpu.Slice[float32] // [estimates of a run]: 1/(1 - Decay^k), k from 1
	Draws       gpu.Slice[float32] // [estimates of a run]: how many samples Drawn is worth
	State       gpu.Slice[uint32]  // [StateWords]
	Weights     gpu.Slice[float32] // [tensors, 2], written
	Every       uint32             // steps from one estimate to the next
}

func (k *CalibrateWeights) Entry() string { return "calibrate_weights" }
func (k *CalibrateWeights) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.Weights.Len() / 2, Threads: threads}
}
func (k *CalibrateWeights) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+k.First.Len()+k.Weights.Len()), Flops: int64(k.Partial.Len() + 8*k.Weights.Len())}
}

// Host does tensors lo to hi-1.
func (k *CalibrateWeights) Host(lo, hi int) {
	partial, firsts, weights := k.Partial.Host(), k.First.Host(), k.Weights.Host()
	estimate := k.State.Host()[StateStep] / k.Every
	draws, correction := float64(k.Draws.Host()[estimate]), float64(k.Corrections.Host()[estimate])
	for tensor := lo; tensor < hi; tensor++ {
		var sums [CalibrateSums]float64
		for chunk := firsts[tensor]; chunk < firsts[tensor+1]; chunk++ {
			for i, s := range partial[CalibrateSums*chunk:][:CalibrateSums] {
				sums[i] += float64(s)
			}
		}
		ratio, ofDrawn := 0.0, 1.0
		if sums[1] != 0 {
			ratio = sums[0] / sums[1]
			apart := sums[2] - 2*ratio*sums[3] + ratio*ratio*sums[4]
			noise := 2 * sums[2] / (draws + 2)
			ofDrawn = 0
			if noise < apart {
				ofDrawn = 1 - noise/apart
			}
		}
		weights[2*tensor] = float32(correction * ofDrawn)
		weights[2*tensor+1] = float32(correction * (1 - ofDrawn) * ratio)
	}
}

// CalibrateBlend combines both averages into the estimate:
//
//	Diagonal = Weights[tensor, 0] Drawn + Weights[tensor, 1] Swept
type CalibrateBlend struct {
	Drawn    gpu.Slice[float32] // all curvatures
	Swept    gpu.Slice[float32] // [as Drawn]
	Diagonal gpu.Slice[float32] // [as Drawn], written
	Chunks   gpu.Slice[uint32]  // [chunks, ChunkWords]
	Weights  gpu.Slice[float32] // [tensors, 2]
}

func (k *CalibrateBlend) Entry() string  { return "calibrate_blend" }
func (k *CalibrateBlend) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *CalibrateBlend) Cost() gpu.Cost { return updateCost(k.Drawn, 2, 1, 3) }

// Host does chunks lo to hi-1.
func (k *CalibrateBlend) Host(lo, hi int) {
	chunks, weights := k.Chunks.Host(), k.Weights.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		ofDrawn, ofSwept := weights[2*tensor], weights[2*tensor+1]
		drawn := k.Drawn.Host()[first:last]
		swept, diagonal := k.Swept.Host()[first:last][:len(drawn)], k.Diagonal.Host()[first:last][:len(drawn)]
		for i := k.vector(drawn, swept, diagonal, ofDrawn, ofSwept); i < len(drawn); i++ {
			diagonal[i] = float32(ofDrawn*drawn[i]) + float32(ofSwept*swept[i])
		}
	}
}
