package kernels

import "diaghess/gpu"

// The kernels of optim.Muon, whose matrices are walked in one launch, as update.go
// says. In between come matrix products:
//
//	MuonMomentum, MuonNormalize                   M and X = U / (norm U + Epsilon)
//	Gram = X X^T, Square = Gram Gram              matrix products, for each matrix
//	MuonPolynomial                                P = A I + B Gram + C Square
//	X = P X                                       a matrix product
//	MuonUpdate                                    W, of vectors as AdamW does

// threadSums are the sums of a block's threads, in the order of muon.cu.
type threadSums [threads]float64

// threadOf returns the thread that has element i of n: each has packs of 4, and the
// first ones an element of the rest.
func threadOf(i, n int) int {
	if packed := n &^ 3; i >= packed {
		return i - packed
	}
	return i / 4 % threads
}

// total adds up all threads as blockReduce does: the lanes of each warp in a tree, then
// the warps in order.
func (s *threadSums) total() float32 {
	sum := 0.0
	for warp := 0; warp < threads; warp += threads / warpsPerBlock {
		lanes := s[warp:][:threads/warpsPerBlock]
		for n := len(lanes) / 2; n > 0; n /= 2 {
			for lane := range n {
				lanes[lane] += lanes[lane+n]
			}
		}
		sum += lanes[0]
	}
	return float32(sum)
}

// lookAhead returns U from the new momentum.
func lookAhead(g, m, ahead float32) float32 { return m + float32((g-m)*ahead) }

// MuonMomentum updates the momentum of each matrix and sums the squares of U over each
// chunk, in double precision:
//
//	M += (g - M) OneMinusMomentum
//	U  = M + (g - M) Ahead
//	Partial[chunk] = sum U^2
type MuonMomentum struct {
	G                gpu.Slice[float32] // all gradients
	M                gpu.Slice[float32] // all momenta, updated
	Chunks           gpu.Slice[uint32]  // [chunks, ChunkWords], of the matrices
	Partial          gpu.Slice[float32] // [chunks], written
	OneMinusMomentum float32
	Ahead            float32 // 0, or OneMinusMomentum for Nesterov's look-ahead
}

func (k *MuonMomentum) Entry() string  { return "muon_momentum" }
func (k *MuonMomentum) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *MuonMomentum) Cost() gpu.Cost { return updateCost(k.M, 2, 1, 8) }

// Host does chunks lo to hi-1.
func (k *MuonMomentum) Host(lo, hi int) {
	chunks, partial := k.Chunks.Host(), k.Partial.Host()
	share, ahead := k.OneMinusMomentum, k.Ahead
	for chunk := lo; chunk < hi; chunk++ {
		first, last, _ := chunkAt(chunks, chunk)
		g := k.G.Host()[first:last]
		m := k.M.Host()[first:last][:len(g)]
		var sums threadSums
		for i, gi := range g {
			mi := m[i] + float32((gi-m[i])*share)
			m[i] = mi
			u := float64(lookAhead(gi, mi, ahead))
			sums[threadOf(i, len(g))] += u * u
		}
		partial[chunk] = sums.total()
	}
}

// MuonNormalize divides U of each matrix by its Frobenius norm:
//
//	X = U / (sqrt(sum of the tensor's Partial) + Epsilon)
type MuonNormalize struct {
	G       gpu.Slice[float32] // all gradients
	M       gpu.Slice[float32] // all momenta, of MuonMomentum
	Partial gpu.Slice[float32] // [chunks], of MuonMomentum
	Chunks  gpu.Slice[uint32]  // [chunks, ChunkWords], of the matrices
	First   gpu.Slice[uint32]  // [matrices + 1], see ChunkTable
	X       gpu.Slice[float32] // [as M], written for the matrices
	Ahead   float32            // as in MuonMomentum
	Epsilon float32
}

func (k *MuonNormalize) Entry() string  { return "muon_normalize" }
func (k *MuonNormalize) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *MuonNormalize) Cost() gpu.Cost { return updateCost(k.M, 2, 1, 4) }

// Host does chunks lo to hi-1.
func (k *MuonNormalize) Host(lo, hi int) {
	chunks, firsts, partial := k.Chunks.Host(), k.First.Host(), k.Partial.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		var sums threadSums
		for i, p := range partial[firsts[tensor]:firsts[tensor+1]] {
			sums[i%threads] += float64(p)
		}
		norm := squareRoot(sums.total()) + k.Epsilon
		g := k.G.Host()[first:last]
		m, x := k.M.Host()[first:last][:len(g)], k.X.Host()[first:last][:len(g)]
		for i, gi := range g {
			x[i] = lookAhead(gi, m[i], k.Ahead) / norm
		}
	}
}

// SquareWords is the number of words that describe a square matrix: its offset in the
// buffer of all of them, and its side.
const SquareWords = 2

// MuonPolynomial combines the powers of square matrices, A = Gram and A^2 = Square:
//
//	Square = A0 I + A1 Gram + A2 Square
type MuonPolynomial struct {
	Gram       gpu.Slice[float32] // all square matrices
	Square     gpu.Slice[float32] // [as Gram], updated
	Chunks     gpu.Slice[uint32]  // [chunks, ChunkWords], of the square matrices
	Squares    gpu.Slice[uint32]  // [matrices, SquareWords]: offset, side
	A0, A1, A2 float32
}

func (k *MuonPolynomial) Entry() string  { return "muon_polynomial" }
func (k *MuonPolynomial) Grid() gpu.Grid { return updateGrid(k.Chunks) }
func (k *MuonPolynomial) Cost() gpu.Cost { return updateCost(k.Gram, 2, 1, 3) }

// Host does chunks lo to hi-1.
func (k *MuonPolynomial) Host(lo, hi int) {
	chunks, squares := k.Chunks.Host(), k.Squares.Host()
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		gram := k.Gram.Host()[first:last]
		square := k.Square.Host()[first:last][:len(gram)]
		for i, v := range gram {
			square[i] = float32(k.A1*v) + float32(k.A2*square[i])
		}
		// A diagonal's elements are side + 1 apart.
		apart := int(squares[SquareWords*tensor+1]) + 1
		past := (first - int(squares[SquareWords*tensor])) % apart
		for i := (apart - past) % apart; i < len(square); i += apart {
			square[i] += k.A0
		}
	}
}

// MuonUpdate updates all parameters, and the moments of those that have AdamW: the
// tensors with Scales 0. The coefficients of the step are rate, and for AdamW its
// rate, alpha = rate / (1 - Beta1^t) and beta = 1 / sqrt(1 - Beta2^t):
//
//	W -= W WeightDecay rate
//	W -= X Scales[tensor] rate                    Muon
//	M += (g - M) OneMinusBeta1                    AdamW
//	V += (g^2 - V) OneMinusBeta2
//	W -= M alpha / (beta sqrt(V) + Epsilon)
type MuonUpdate struct {
	W             gpu.Slice[float32] // all parameters, updated
	G             gpu.Slice[float32] // all gradients
	M             gpu.Slice[float32] // momenta, which stay, and first moments, updated
	V             gpu.Slice[float32] // second moments, updated
	X             gpu.Slice[float32] // the steps of the matrices, or null where there are none
	Chunks        gpu.Slice[uint32]  // [chunks, ChunkWords]
	Scales        gpu.Slice[float32] // [tensors]
	Coefficients  gpu.Slice[float32] // [steps, CoefficientWords]: rate, AdamW's rate, alpha, beta
	State         gpu.Slice[uint32]  // [StateWords]
	OneMinusBeta1 float32
	OneMinusBeta2 float32
	Epsilon       float32
	WeightDecay   float32
}

func (k *MuonUpdate) Entry() string  { return "muon_update" }
func (k *MuonUpdate) Grid() gpu.Grid { return updateGrid(k.Chunks) }

// Cost is that of matrices, which are most of a network.
func (k *MuonUpdate) Cost() gpu.Cost { return updateCost(k.W, 2, 1, 5) }

// Host updates chunks lo to hi-1.
func (k *MuonUpdate) Host(lo, hi int) {
	chunks, scales := k.Chunks.Host(), k.Scales.Host()
	c := coefficientsAt(k.Coefficients, k.State)
	for chunk := lo; chunk < hi; chunk++ {
		first, last, tensor := chunkAt(chunks, chunk)
		w := k.W.Host()[first:last]
		if scale := scales[tensor]; scale != 0 {
			rate, step := c[0], scale*c[0]
			for i, x := range k.X.Host()[first:last][:len(w)] {
				w[i] -= float32(w[i] * k.WeightDecay * rate)
				w[i] -= float32(x * step)
			}
			continue
		}
		rate, alpha, beta := c[1], c[2], c[3]
		g, m, v := k.G.Host()[first:last], k.M.Host()[first:last], k.V.Host()[first:last]
		for i, gi := range g {
			mi := m[i] + float32((gi-m[i])*k.OneMinusBeta1)
			vi := v[i] + float32((float32(gi*gi)-v[i])*k.OneMinusBeta2)
			m[i], v[i] = mi, vi
			w[i] -= float32(w[i] * k.WeightDecay * rate)
			w[i] -= float32(mi*alpha) / (float32(beta*squareRoot(vi)) + k.Epsilon)
		}
	}
}
