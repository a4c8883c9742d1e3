package layers

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Recursion computes an approximate diagonal of the Gauss-Newton matrix of the loss, in
// one sweep from the logits down. It reads the activations of a batch's forward pass.
// Package optim/curvature, recursion.go, has the formulas, and says what it drops.
type Recursion struct {
	batch   *Batch
	weights gpu.Slice[float32]    // squares of Network.Values
	inputs  gpu.Slice[float32]    // squares of a linear layer's input
	scratch [2]gpu.Slice[float32] // q, read and written in turn
	turn    int
	// partials is the first stage of every reduction, mean and coefficients
	// what the second makes of it.
	partials, mean, coefficients gpu.Slice[float32]
}

// BindRecursion allocates the memory of a batch's recursion, about as much as the
// parameters and three activations take. The error is that of an allocation.
func (b *Batch) BindRecursion() (*Recursion, error) {
	q := &Recursion{batch: b}
	inputs, largest, partials, channels := 0, b.Logits.Len(), 0, 0
	for _, u := range b.units {
		switch u := u.(type) {
		case *linearUnit:
			inputs, largest = max(inputs, u.x.Len()), max(largest, u.x.Len())
			rows, in := u.rows(), u.shape.In
			partials, channels = max(partials, 2*kernels.Chunks(int32(rows), int32(in))*in), max(channels, in)
		case *epilogueUnit:
			largest = max(largest, u.y.Len())
			c := u.in.Channels
			partials, channels = max(partials, 3*kernels.Chunks(int32(u.rows()), int32(c))*c), max(channels, c)
		}
	}
	for _, s := range []struct {
		slice *gpu.Slice[float32]
		n     int
	}{
		{&q.weights, b.network.Values.Len()}, {&q.inputs, inputs}, {&q.scratch[0], largest}, {&q.scratch[1], largest},
		{&q.partials, partials}, {&q.mean, channels}, {&q.coefficients, 5 * channels},
	} {
		var err error
		if *s.slice, err = gpu.Alloc[float32](b.network.Stream, s.n); err != nil {
			return nil, fmt.Errorf("recursion of batches of %d: %w", b.Size, err)
		}
	}
	return q, nil
}

// next returns memory for n elements that does not overlap the last one it returned.
func (q *Recursion) next(n int) gpu.Slice[float32] {
	q.turn = 1 - q.turn
	return q.scratch[q.turn].Sub(0, n)
}

// Record records the diagonal, with the layout of Network.Values. Call it after recording
// the batch's forward pass in training.
func (q *Recursion) Record(r *gpu.Recorder, diagonal gpu.Slice[float32]) {
	b := q.batch
	r.Group("recursion", func() {
		r.Record(&kernels.Square{X: b.network.Values, Out: q.weights, Elements: int32(q.weights.Len())})
		at := q.next(b.Logits.Len())
		r.Record(&kernels.RecursionLogits{Logits: b.Logits, Q: at, Rows: int32(b.Size), Classes: int32(b.network.Classes)})
		for i := len(b.units) - 1; i >= 0; i-- {
			r.Group(b.units[i].label(), func() {
				switch u := b.units[i].(type) {
				case *linearUnit:
					normalized := false
					if i+1 < len(b.units) {
						next, ok := b.units[i+1].(*epilogueUnit)
						normalized = ok && next.BatchNorm
					}
					at = q.linear(r, u, at, diagonal, normalized, i > 0)
				case *epilogueUnit:
					at = q.epilogue(r, u, at, diagonal)
				default:
					panic(fmt.Sprintf("layers: no recursion through %T", u))
				}
			})
		}
	})
}

// linear goes through a convolution or dense layer: the squared products. Before a
// normalization it is the input without its mean that is squared, because the
// normalization takes the mean out of the output.
func (q *Recursion) linear(r *gpu.Recorder, u *linearUnit, at, diagonal gpu.Slice[float32], normalized, down bool) gpu.Slice[float32] {
	squares := q.inputs.Sub(0, u.x.Len())
	if normalized {
		rows, channels := int32(u.rows()), int32(u.shape.In)
		partial := q.partials.Sub(0, 2*kernels.Chunks(rows, channels)*u.shape.In)
		mean := q.mean.Sub(0, u.shape.In)
		r.Record(&kernels.BatchNormStats{Y: u.x, Partial: partial, Rows: rows, Channels: channels})
		r.Record(&kernels.ChannelMean{Partial: partial, Mean: mean, Rows: rows, Channels: channels})
		r.Record(&kernels.CenteredSquare{X: u.x, Mean: mean, Out: squares, Rows: rows, Channels: channels})
	} else {
		r.Record(&kernels.Square{X: u.x, Out: squares, Elements: int32(squares.Len())})
	}
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardFilter, squares, u.kernel.In(diagonal), at))
	if !down {
		return gpu.Slice[float32]{}
	}
	below := q.next(u.x.Len())
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardData, below, u.kernel.In(q.weights), at))
	return below
}

// epilogue goes from an epilogue's output to its input.
func (q *Recursion) epilogue(r *gpu.Recorder, u *epilogueUnit, at, diagonal gpu.Slice[float32]) gpu.Slice[float32] {
	rows, channels := int32(u.rows()), int32(u.in.Channels)
	partial := q.partials.Sub(0, 3*kernels.Chunks(rows, channels)*u.in.Channels)
	slope := &kernels.RecursionSlope{
		QA: at, Y: u.y, Index: u.index, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask, Partial: partial,
		Rows: rows, Height: int32(u.in.Height), Width: int32(u.in.Width), Channels: channels, Slope: u.Slope, Keep: u.keep(),
	}
	below := at
	if !u.identity() {
		below = q.next(u.y.Len())
		slope.QZ = below
	}
	r.Record(slope)
	finish := &kernels.RecursionFinish{
		Partial: partial, InvStd: u.invStd, Scale: u.scale, HBeta: u.beta.In(diagonal), Rows: rows, Channels: channels,
	}
	if u.BatchNorm {
		finish.HGamma, finish.Coefficients = u.gamma.In(diagonal), q.coefficients.Sub(0, 5*u.in.Channels)
	}
	r.Record(finish)
	if u.BatchNorm {
		r.Record(&kernels.RecursionBackward{
			Q: below, Y: u.y, Mean: u.mean, Coefficients: finish.Coefficients, Rows: rows, Channels: channels,
		})
	}
	return below
}
