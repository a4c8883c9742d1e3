package kernels

import "diaghess/gpu"

// AdamUpdate is Adam and AdamW in Keras's arrangement, with coefficients
// (rate, alpha) of the step, alpha = rate sqrt(1 - Beta2^t) /
// (1 - Beta1^t):
//
//	W -= W WeightDecay rate                   decoupled, before the step
//	M += (g - M) OneMinusBeta1
//	V += (g^2 - V) OneMinusBeta2
//	W -= M alpha / (sqrt(V) + Epsilon)
type AdamUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	M             gpu.Slice[float32] // first moments, updated
	V             gpu.Slice[float32] // second moments, updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]: rate, alpha
	State         gpu.Slice[uint32]  // [StateWords]
	OneMinusBeta1 float32
	OneMinusBeta2 float32
	Epsilon       float32
	WeightDecay   float32
}

func (k *AdamUpdate) Entry() string  { return "adam_update" }
func (k *AdamUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *AdamUpdate) Cost() gpu.Cost { return updateCost(k.W, 4, 3, 13) }

// Host updates chunks lo to hi-1.
func (k *AdamUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	coefficients := coefficientsAt(k.Coefficients, k.State)
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		k.update(k.W.Host()[first:last], k.G.Host()[first:last], k.M.Host()[first:last], k.V.Host()[first:last], coefficients)
	}
}

func (k *AdamUpdate) update(w, g, m, v []float32, coefficients [CoefficientWords]float32) {
	rate, alpha := coefficients[0], coefficients[1]
	oneMinusBeta1, oneMinusBeta2, epsilon, decay := k.OneMinusBeta1, k.OneMinusBeta2, k.Epsilon, k.WeightDecay
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := k.vector(w, g, m, v, coefficients); i < len(w); i++ {
		wi := w[i]
		gi := g[i]
		mi := m[i] + float32((gi-m[i])*oneMinusBeta1)
		vi := v[i] + float32((float32(gi*gi)-v[i])*oneMinusBeta2)
		m[i], v[i] = mi, vi
		wi -= float32(wi * decay * rate)
		w[i] = wi - float32(mi*alpha)/(squareRoot(vi)+epsilon)
	}
}
