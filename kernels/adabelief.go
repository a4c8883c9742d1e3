package kernels

import "diaghess/gpu"

// AdaBeliefUpdate is AdaBelief, Zhuang et al. 2020, in TensorFlow Addons's
// arrangement, with coefficients (rate, bias1, bias2, rectification) of the
// step:
//
//	M = Beta1 M + OneMinusBeta1 g
//	V = Beta2 V + OneMinusBeta2 (g - M)^2 + Epsilon
//	s = rectification (M / bias1) / (sqrt(V / bias2) + Epsilon)
//	s = M / bias1                                where rectification is 0
//	W -= rate (s + WeightDecay W)
type AdaBeliefUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	M             gpu.Slice[float32] // first moments, updated
	V             gpu.Slice[float32] // variances about M, updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]
	State         gpu.Slice[uint32]  // [StateWords]
	Beta1         float32
	OneMinusBeta1 float32
	Beta2         float32
	OneMinusBeta2 float32
	Epsilon       float32
	WeightDecay   float32
}

func (k *AdaBeliefUpdate) Entry() string  { return "adabelief_update" }
func (k *AdaBeliefUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *AdaBeliefUpdate) Cost() gpu.Cost { return updateCost(k.W, 4, 3, 18) }

// Host updates chunks lo to hi-1.
func (k *AdaBeliefUpdate) Host(lo, hi int) {
	chunks := k.Chunks.Host()
	c := coefficientsAt(k.Coefficients, k.State)
	rate, bias1, bias2, rectification := c[0], c[1], c[2], c[3]
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		w := k.W.Host()[first:last]
		g, m, v := k.G.Host()[first:last][:len(w)], k.M.Host()[first:last][:len(w)], k.V.Host()[first:last][:len(w)]
		for i, wi := range w {
			mi := float32(k.Beta1*m[i]) + float32(k.OneMinusBeta1*g[i])
			belief := g[i] - mi
			vi := float32(k.Beta2*v[i]) + float32(k.OneMinusBeta2*float32(belief*belief)) + k.Epsilon
			m[i], v[i] = mi, vi
			s := mi / bias1
			if rectification != 0 {
				s = float32(rectification*s) / (squareRoot(vi/bias2) + k.Epsilon)
			}
			w[i] = wi - float32(rate*(s+float32(k.WeightDecay*wi)))
		}
	}
}
