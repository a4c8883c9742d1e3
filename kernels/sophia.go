package kernels

import "diaghess/gpu"

// SophiaUpdate is Sophia with decoupled weight decay, with the coefficient
// (rate) of the step:
//
//	M  = Beta1 M + OneMinusBeta1 g
//	W -= rate WeightDecay W
//	W -= rate clip(M / max(Rho h, Epsilon), -1, 1)
type SophiaUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	H             gpu.Slice[float32] // all curvatures
	M             gpu.Slice[float32] // first moments, updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]: rate
	State         gpu.Slice[uint32]  // [StateWords]
	Beta1         float32
	OneMinusBeta1 float32
	Rho           float32
	Epsilon       float32
	WeightDecay   float32
}

func (k *SophiaUpdate) Entry() string  { return "sophia_update" }
func (k *SophiaUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *SophiaUpdate) Cost() gpu.Cost { return updateCost(k.W, 4, 2, 12) }

// Host updates chunks lo to hi-1.
func (k *SophiaUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	rate := coefficientsAt(k.Coefficients, k.State)[0]
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		w, g, h, m := k.W.Host()[first:last], k.G.Host()[first:last], k.H.Host()[first:last], k.M.Host()[first:last]
		for i := range w {
			mi := float32(k.Beta1*m[i]) + float32(k.OneMinusBeta1*g[i])
			m[i] = mi
			wi := w[i] - float32(rate*k.WeightDecay*w[i])
			w[i] = wi - float32(rate*min(max(mi/max(k.Rho*h[i], k.Epsilon), -1), 1))
		}
	}
}
