package optim

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// The polynomial of an iteration, X = a X + (b A + c A A) X with A = X X^T. Its slope at 0 is so
// steep that five iterations take singular values of 1/500 to 1 to numbers between 0.68 and 1.21.
//
// Source: github.com/KellerJordan/Muon, muon.py.
const newtonSchulzA, newtonSchulzB, newtonSchulzC = 3.4445, -4.7750, 2.0315

// normEpsilon is added to the norm of a matrix, which may be zero.
const normEpsilon = 1e-7

// newtonSchulz makes the momenta of some tensors nearly orthogonal, as matrices: U S V^T
// becomes about U V^T. A filter is a matrix with a row or a column for each output, as it lies on
// the device.
//
// The shorter side of a matrix is that of A, so X is multiplied from the left or from the right.
// A matrix is never transposed: the transpose has the transposed result, and the three
// directions of a dense layer multiply by transposes of either factor.
type newtonSchulz struct {
	matrices      []*matrix
	chunks, first gpu.Slice[uint32] // of the matrices, see kernels.ChunkTable
	squareChunks  gpu.Slice[uint32] // of the square matrices
	squares       gpu.Slice[uint32] // [matrices, kernels.SquareWords]
	partial       gpu.Slice[float32]
	x             [2]gpu.Slice[float32] // [as Tensors.Values], read and written in turn
	gram, square  gpu.Slice[float32]    // of all matrices, side^2 elements each
}

// matrix is a tensor as a matrix [rows, columns], row by row in device memory.
type matrix struct {
	offset, rows, columns int // offset is that in Tensors.Values
	square                int // offset of its square matrices
	layout                gpu.FilterLayout
	outer, inner          gpu.Convolution // with X; of square matrices
}

// newNewtonSchulz reserves memory in the buffers' arena for the tensors of some
// indices, and binds matrix products. The error is that of a product.
func newNewtonSchulz(b *Buffers, t Tensors, indices []int) (*newtonSchulz, error) {
	n := &newtonSchulz{}
	layout := b.stream.Device().FilterLayout()
	bound := map[gpu.ConvolutionShape]gpu.Convolution{}
	product := func(batch, in, out int) (gpu.Convolution, error) {
		s := gpu.ConvolutionShape{Batch: batch, Height: 1, Width: 1, In: in, Out: out, Kernel: 1}
		if bound[s] == nil {
			c, err := b.stream.Convolution(s)
			if err != nil {
				return nil, fmt.Errorf("matrix product: %w", err)
			}
			bound[s] = c
		}
		return bound[s], nil
	}
	var offsets, lengths, squareOffsets, squareLengths []int
	var squares []uint32
	elements := 0 // of square matrices
	for _, i := range indices {
		outputs := t.Shapes[i][len(t.Shapes[i])-1]
		m := &matrix{offset: t.Offsets[i], rows: t.Lengths[i] / outputs, columns: outputs, square: elements, layout: layout}
		if layout == gpu.OHWI {
			m.rows, m.columns = m.columns, m.rows
		}
		var err error
		switch {
		case m.tall():
			m.outer, err = product(m.rows, m.columns, m.columns)
		case layout == gpu.OHWI:
			m.outer, err = product(m.rows, m.columns, m.rows)
		default:
			m.outer, err = product(m.rows, m.rows, m.columns)
		}
		if err == nil {
			m.inner, err = product(m.side(), m.side(), m.side())
		}
		if err != nil {
			return nil, err
		}
		n.matrices = append(n.matrices, m)
		offsets, lengths = append(offsets, m.offset), append(lengths, t.Lengths[i])
		squareOffsets, squareLengths = append(squareOffsets, elements), append(squareLengths, m.side()*m.side())
		squares = append(squares, uint32(elements), uint32(m.side()))
		elements = align(elements + m.side()*m.side())
	}
	chunks, first := kernels.ChunkTable(offsets, lengths)
	squareChunks, _ := kernels.ChunkTable(squareOffsets, squareLengths)
	n.chunks, n.first = gpu.ReserveCopy(b.arena, chunks), gpu.ReserveCopy(b.arena, first)
	n.squareChunks, n.squares = gpu.ReserveCopy(b.arena, squareChunks), gpu.ReserveCopy(b.arena, squares)
	n.partial = gpu.Reserve[float32](b.arena, len(chunks)/kernels.ChunkWords)
	for i := range n.x {
		n.x[i] = gpu.Reserve[float32](b.arena, t.Values.Len())
	}
	n.gram, n.square = gpu.Reserve[float32](b.arena, elements), gpu.Reserve[float32](b.arena, elements)
	return n, nil
}

func align(n int) int {
	return (n + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
}

// record records the update of the momenta m by gradients g, and the iterations. It returns
// the results, with the layout of m. ahead is that of kernels.MuonMomentum.
func (n *newtonSchulz) record(r *gpu.Recorder, g, m gpu.Slice[float32], oneMinusMomentum, ahead float32, iterations int) gpu.Slice[float32] {
	r.Record(&kernels.MuonMomentum{G: g, M: m, Chunks: n.chunks, Partial: n.partial, OneMinusMomentum: oneMinusMomentum, Ahead: ahead})
	r.Record(&kernels.MuonNormalize{
		G: g, M: m, Partial: n.partial, Chunks: n.chunks, First: n.first, X: n.x[0], Ahead: ahead, Epsilon: normEpsilon,
	})
	for i := range iterations {
		from, to := n.x[i%2], n.x[1-i%2]
		for _, m := range n.matrices {
			gram, square := m.squareIn(n.gram), m.squareIn(n.square)
			r.Record(m.gram(m.in(from), gram))
			r.Record(gpu.NewConvolutionPass(m.inner, gpu.Forward, gram, gram, square))
		}
		// a X + B X is (a I + B) X, which takes no pass over X.
		r.Record(&kernels.MuonPolynomial{
			Gram: n.gram, Square: n.square, Chunks: n.squareChunks, Squares: n.squares,
			A0: newtonSchulzA, A1: newtonSchulzB, A2: newtonSchulzC,
		})
		for _, m := range n.matrices {
			r.Record(m.times(m.in(from), m.squareIn(n.square), m.in(to)))
		}
	}
	return n.x[iterations%2]
}

// algorithms adds the name of the algorithm of each matrix product.
func (n *newtonSchulz) algorithms(names map[string]string) {
	add := func(op *gpu.ConvolutionPass) {
		s := op.Convolution.Shape()
		names[fmt.Sprintf("update %dx%dx%d %v", s.Batch, s.In, s.Out, op.Direction)] = op.Convolution.Algorithm(op.Direction)
	}
	for _, m := range n.matrices {
		x, square := m.in(n.x[0]), m.squareIn(n.square)
		add(m.gram(x, square))
		add(gpu.NewConvolutionPass(m.inner, gpu.Forward, square, square, square))
		add(m.times(x, square, x))
	}
}

func (m *matrix) tall() bool { return m.rows > m.columns }

func (m *matrix) side() int { return min(m.rows, m.columns) }

// in returns the matrix in a vector with the layout of Tensors.Values.
func (m *matrix) in(vector gpu.Slice[float32]) gpu.Slice[float32] {
	return vector.Sub(m.offset, m.offset+m.rows*m.columns)
}

// squareIn returns the matrix's part of all square matrices.
func (m *matrix) squareIn(all gpu.Slice[float32]) gpu.Slice[float32] {
	return all.Sub(m.square, m.square+m.side()*m.side())
}

// gram is the op to = X X^T, or X^T X where X is tall.
func (m *matrix) gram(x, to gpu.Slice[float32]) *gpu.ConvolutionPass {
	switch {
	case m.tall():
		return gpu.NewConvolutionPass(m.outer, gpu.BackwardFilter, x, to, x)
	case m.layout == gpu.OHWI:
		return gpu.NewConvolutionPass(m.outer, gpu.Forward, x, x, to)
	}
	return gpu.NewConvolutionPass(m.outer, gpu.BackwardData, to, x, x)
}

// times is the op to = P X, or X P where X is tall. P is symmetric.
func (m *matrix) times(x, p, to gpu.Slice[float32]) *gpu.ConvolutionPass {
	switch {
	case m.tall():
		return gpu.NewConvolutionPass(m.outer, gpu.Forward, x, p, to)
	case m.layout == gpu.OHWI:
		return gpu.NewConvolutionPass(m.outer, gpu.BackwardData, to, x, p)
	}
	return gpu.NewConvolutionPass(m.outer, gpu.Forward, p, x, to)
}
