package kernels

import "diaghess/gpu"

// AdaHessianUpdate is Adam whose second moment is that of a diagonal of the curvature in
// place of the gradient. The step's coefficients are rate, alpha = rate / (1 - Beta1^t) and
// beta = 1 / sqrt(1 - Beta2^t):
//
//	M  = Beta1 M + OneMinusBeta1 g
//	V  = Beta2 V + OneMinusBeta2 h^2
//	W -= rate WeightDecay W + alpha M / (beta sqrt(V) + Epsilon)
type AdaHessianUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	H             gpu.Slice[float32] // all curvatures
	M             gpu.Slice[float32] // first moments, updated
	V             gpu.Slice[float32] // second moments, updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]: rate, alpha, beta
	State         gpu.Slice[uint32]  // [StateWords]
	Beta1         float32
	OneMinusBeta1 float32
	Beta2         float32
	OneMinusBeta2 float32
	Epsilon       float32
	WeightDecay   float32
}

func (k *AdaHessianUpdate) Entry() string  { return "adahessian_update" }
func (k *AdaHessianUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *AdaHessianUpdate) Cost() gpu.Cost { return updateCost(k.W, 5, 3, 16) }

// Host updates chunks lo to hi-1.
func (k *AdaHessianUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	c := coefficientsAt(k.Coefficients, k.State)
	rate, alpha, beta := c[0], c[1], c[2]
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		w, g, h := k.W.Host()[first:last], k.G.Host()[first:last], k.H.Host()[first:last]
		m, v := k.M.Host()[first:last], k.V.Host()[first:last]
		for i := range w {
			mi := float32(k.Beta1*m[i]) + float32(k.OneMinusBeta1*g[i])
			vi := float32(k.Beta2*v[i]) + float32(k.OneMinusBeta2*float32(h[i]*h[i]))
			m[i], v[i] = mi, vi
			step := float32(alpha*mi) / (float32(beta*squareRoot(vi)) + k.Epsilon)
			w[i] -= float32(rate*k.WeightDecay*w[i]) + step
		}
	}
}
