package kernels

import (
	"math"

	"diaghess/gpu"
)

// The rule of optim.DiagHess on a tensor, with g the gradient, h the diagonal
// of the curvature, and coefficients (alpha, beta) of the step, alpha = rate /
// (1 - Beta1^t) and beta = 1 / sqrt(1 - Beta2^t):
//
//	n   = C2 g^2 + C1 h                        0 where that is not finite
//	lam = max(0, -min n over the tensor) + Lambda0
//	d   = g C1 / (n + lam)
//	M   = Beta1 M + OneMinusBeta1 d
//	V   = Beta2 V + OneMinusBeta2 n^2
//	W  -= alpha M / (beta sqrt(V) + Epsilon)
//
// The minimum takes two stages of fixed order, DiagHessMinimum and
// DiagHessLambda. Where h is known to be non-negative, n is too and lam is
// Lambda0 everywhere: Lambda is null then, and the update a single pass.

// curvature returns n.
func curvature(g, h, c1, c2 float32) float32 {
	n := float32(c2*(g*g)) + float32(c1*h)
	if math.Float32bits(n)&0x7f800000 == 0x7f800000 {
		return 0
	}
	return n
}

// DiagHessMinimum finds the minimum of n over each chunk.
type DiagHessMinimum struct {
	G       gpu.Slice[float32] // all gradients
	H       gpu.Slice[float32] // all curvatures
	Chunks  gpu.Slice[uint32]  // [chunks, ChunkWords]
	Minimum gpu.Slice[float32] // [chunks], written
	C1, C2  float32
}

func (k *DiagHessMinimum) Entry() string  { return "diaghess_minimum" }
func (k *DiagHessMinimum) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *DiagHessMinimum) Cost() gpu.Cost { return updateCost(k.G, 2, 0, 5) }

// Host finds the minima of chunks lo to hi-1.
func (k *DiagHessMinimum) Host(lo, hi int) {
	chunks, minimum := k.Chunks.Host(), k.Minimum.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		g := k.G.Host()[first:last]
		h := k.H.Host()[first:last][:len(g)]
		done, least := k.vector(g, h)
		for i := done; i < len(g); i++ {
			if n := curvature(g[i], h[i], k.C1, k.C2); n < least {
				least = n
			}
		}
		minimum[chunk] = least
	}
}

// DiagHessLambda finds lam of each tensor from the minima of its chunks.
type DiagHessLambda struct {
	Minimum gpu.Slice[float32] // [chunks]
	First   gpu.Slice[uint32]  // [tensors + 1], see ChunkTable
	Lambda  gpu.Slice[float32] // [tensors], written
	Lambda0 float32
}

func (k *DiagHessLambda) Entry() string { return "diaghess_lambda" }
func (k *DiagHessLambda) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.Lambda.Len(), Threads: threads}
}
func (k *DiagHessLambda) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Minimum.Len()+k.First.Len()+k.Lambda.Len()), Flops: int64(k.Minimum.Len())}
}

// Host does tensors lo to hi-1.
func (k *DiagHessLambda) Host(lo, hi int) {
	minimum, first, lambda := k.Minimum.Host(), k.First.Host(), k.Lambda.Host()
	for tensor := lo; tensor < hi; tensor++ {
		least := float32(math.Inf(1))
		for _, n := range minimum[first[tensor]:first[tensor+1]] {
			least = min(least, n)
		}
		lambda[tensor] = max(0, -least) + k.Lambda0
	}
}

// DiagHessUpdate updates parameters and slots. H may be null: h = 0. Lambda may
// be null: lam = Lambda0.
type DiagHessUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	H             gpu.Slice[float32] // all curvatures, or null
	M             gpu.Slice[float32] // first moments, updated
	V             gpu.Slice[float32] // second moments, updated
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Lambda        gpu.Slice[float32] // [tensors], or null
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]: alpha, beta
	State         gpu.Slice[uint32]  // [StateWords]
	C1, C2        float32
	Lambda0       float32
	Beta1         float32
	OneMinusBeta1 float32
	Beta2         float32
	OneMinusBeta2 float32
	Epsilon       float32
}

func (k *DiagHessUpdate) Entry() string  { return "diaghess_update" }
func (k *DiagHessUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *DiagHessUpdate) Cost() gpu.Cost {
	reads := int64(4)
	if !k.H.IsNull() {
		reads++
	}
	return updateCost(k.W, reads, 3, 20)
}

// Host updates chunks lo to hi-1.
func (k *DiagHessUpdate) Host(lo, hi int) {
	chunks, lambda := k.Chunks.Host(), k.Lambda.Host()
	coefficients := coefficientsAt(k.Coefficients, k.State)
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		lam := k.Lambda0
		if lambda != nil {
			lam = lambda[tensor]
		}
		var h []float32
		if !k.H.IsNull() {
			h = k.H.Host()[first:last]
		}
		k.update(k.W.Host()[first:last], k.G.Host()[first:last], h, k.M.Host()[first:last], k.V.Host()[first:last], lam, coefficients)
	}
}

func (k *DiagHessUpdate) update(w, g, h, m, v []float32, lam float32, coefficients [CoefficientWords]float32) {
	alpha, beta := coefficients[0], coefficients[1]
	c1, c2, epsilon := k.C1, k.C2, k.Epsilon
	beta1, oneMinusBeta1, beta2, oneMinusBeta2 := k.Beta1, k.OneMinusBeta1, k.Beta2, k.OneMinusBeta2
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := k.vector(w, g, h, m, v, lam, coefficients); i < len(w); i++ {
		var hi float32
		if h != nil {
			hi = h[i]
		}
		n := curvature(g[i], hi, c1, c2)
		d := g[i] * c1 / (n + lam)
		mi := float32(beta1*m[i]) + float32(oneMinusBeta1*d)
		vi := float32(beta2*v[i]) + float32(oneMinusBeta2*(n*n))
		m[i], v[i] = mi, vi
		w[i] -= float32(alpha*mi) / (float32(beta*squareRoot(vi)) + epsilon)
	}
}

func squareRoot(v float32) float32 { return float32(math.Sqrt(float64(v))) }
