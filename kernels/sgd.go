package kernels

import "diaghess/gpu"

// SGDUpdate is stochastic gradient descent with momentum in Keras's
// arrangement, where the velocity V includes the rate:
//
//	V  = Momentum V - rate g
//	W += Momentum V - rate g   with Nesterov, else W += V
//
// Weight decay is decoupled, W -= W WeightDecay rate, before the step.
type SGDUpdate struct {
	W            gpu.Slice[float32] // all parameters, updated
	G            gpu.Slice[float32] // all gradients
	V            gpu.Slice[float32] // velocities, updated
	Chunks       gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients gpu.Slice[float32] // [steps, CoefficientWords]: rate
	State        gpu.Slice[uint32]  // [StateWords]
	Momentum     float32
	WeightDecay  float32
	Nesterov     uint32 // 0 or 1
}

func (k *SGDUpdate) Entry() string  { return "sgd_update" }
func (k *SGDUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *SGDUpdate) Cost() gpu.Cost { return updateCost(k.W, 3, 2, 8) }

// Host updates chunks lo to hi-1.
func (k *SGDUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	rate := coefficientsAt(k.Coefficients, k.State)[0]
	momentum, decay := k.Momentum, k.WeightDecay
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		w := k.W.Host()[first:last]
		g, v := k.G.Host()[first:last][:len(w)], k.V.Host()[first:last][:len(w)]
		for i, wi := range w {
			step := float32(rate * g[i])
			vi := float32(momentum*v[i]) - step
			v[i] = vi
			if k.Nesterov != 0 {
				vi = float32(momentum*vi) - step
			}
			w[i] = wi - float32(wi*decay*rate) + vi
		}
	}
}
