package kernels

import "diaghess/gpu"

// RMSPropUpdate is RMSprop in either of Keras's arrangements:
//
//	V  = Rho V + OneMinusRho g^2
//	W -= rate g / sqrt(V + Epsilon)      or, Legacy, rate g / (sqrt(V) + Epsilon)
//
// Weight decay is decoupled, W -= W WeightDecay rate, before the step.
type RMSPropUpdate struct {
	W            gpu.Slice[float32] // all parameters, updated
	G            gpu.Slice[float32] // all gradients
	V            gpu.Slice[float32] // mean squares, updated
	Chunks       gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients gpu.Slice[float32] // [steps, CoefficientWords]: rate
	State        gpu.Slice[uint32]  // [StateWords]
	Rho          float32
	OneMinusRho  float32
	Epsilon      float32
	WeightDecay  float32
	Legacy       uint32 // 0 or 1
}

func (k *RMSPropUpdate) Entry() string  { return "rmsprop_update" }
func (k *RMSPropUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *RMSPropUpdate) Cost() gpu.Cost { return updateCost(k.W, 3, 2, 11) }

// Host updates chunks lo to hi-1.
func (k *RMSPropUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	rate := coefficientsAt(k.Coefficients, k.State)[0]
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		w := k.W.Host()[first:last]
		g, v := k.G.Host()[first:last][:len(w)], k.V.Host()[first:last][:len(w)]
		for i, wi := range w {
			gi := g[i]
			vi := float32(k.Rho*v[i]) + float32(k.OneMinusRho*float32(gi*gi))
			v[i] = vi
			root := squareRoot(vi) + k.Epsilon
			if k.Legacy == 0 {
				root = squareRoot(vi + k.Epsilon)
			}
			w[i] = wi - float32(wi*k.WeightDecay*rate) - float32(rate*gi)/root
		}
	}
}
