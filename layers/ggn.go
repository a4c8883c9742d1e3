package layers

import (
	"errors"
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// GGNColumns computes the exact diagonal of the Gauss-Newton matrix of a perceptron. It
// carries the columns of a square root of the matrix back through the network, one for each
// class, and sums the squares over the samples. See package optim/curvature, ggn_exact.go.
type GGNColumns struct {
	batch            *Batch
	inputs, outputs  gpu.Slice[float32]    // squares of a layer's input, and of the column there
	scratch          [2]gpu.Slice[float32] // the column, read and written in turn
	turn             int
	partials, sample gpu.Slice[float32]
}

// errNotPerceptron says what GGNColumns cannot do.
var errNotPerceptron = errors.New("the exact diagonal is for perceptrons: a convolution sums over positions before it is squared, and batch normalization couples the samples")

// BindGGNColumns allocates the memory of a batch's columns. It returns an error for a
// network with convolutions or batch normalization, or if the device has too little memory.
func (b *Batch) BindGGNColumns() (*GGNColumns, error) {
	inputs, largest, partials := 0, b.Logits.Len(), 0
	for _, u := range b.units {
		switch u := u.(type) {
		case *linearUnit:
			if u.shape.Height*u.shape.Width > 1 {
				return nil, fmt.Errorf("%s: %w", u.name, errNotPerceptron)
			}
			inputs, largest = max(inputs, u.x.Len()), max(largest, u.x.Len())
		case *epilogueUnit:
			if u.BatchNorm {
				return nil, fmt.Errorf("%s: %w", u.Name, errNotPerceptron)
			}
			largest = max(largest, u.y.Len())
			c := u.in.Channels
			partials = max(partials, 3*kernels.Chunks(int32(u.rows()), int32(c))*c)
		}
	}
	c := &GGNColumns{batch: b}
	for _, s := range []struct {
		slice *gpu.Slice[float32]
		n     int
	}{
		{&c.inputs, inputs}, {&c.outputs, largest}, {&c.scratch[0], largest}, {&c.scratch[1], largest},
		{&c.partials, partials}, {&c.sample, b.network.Values.Len()},
	} {
		var err error
		if *s.slice, err = gpu.Alloc[float32](b.network.Stream, s.n); err != nil {
			return nil, fmt.Errorf("columns of batches of %d: %w", b.Size, err)
		}
	}
	return c, nil
}

// next returns room for n elements that does not overlap the last one it returned.
func (c *GGNColumns) next(n int) gpu.Slice[float32] {
	c.turn = 1 - c.turn
	return c.scratch[c.turn].Sub(0, n)
}

// Record records the diagonal, with the layout of Network.Values. Call it after recording
// the batch's forward pass in training.
func (c *GGNColumns) Record(r *gpu.Recorder, diagonal gpu.Slice[float32]) {
	b := c.batch
	for class := range b.network.Classes {
		r.Group("columns", func() {
			at := c.next(b.Logits.Len())
			r.Record(&kernels.GGNColumn{
				Logits: b.Logits, D: at, Rows: int32(b.Size), Classes: int32(b.network.Classes), Column: int32(class),
			})
			for i := len(b.units) - 1; i >= 0; i-- {
				r.Group(b.units[i].label(), func() {
					switch u := b.units[i].(type) {
					case *linearUnit:
						at = c.linear(r, u, at, i > 0)
					case *epilogueUnit:
						at = c.epilogue(r, u, at)
					default:
						panic(fmt.Sprintf("layers: no columns through %T", u))
					}
				})
			}
			first := uint32(0)
			if class == 0 {
				first = 1
			}
			r.Record(&kernels.CurvatureSum{X: c.sample, Sum: diagonal, Elements: int32(diagonal.Len()), First: first, Factor: 1})
		})
	}
}

// square records the squares of a column.
func (c *GGNColumns) square(r *gpu.Recorder, at gpu.Slice[float32]) gpu.Slice[float32] {
	squares := c.outputs.Sub(0, at.Len())
	r.Record(&kernels.Square{X: at, Out: squares, Elements: int32(at.Len())})
	return squares
}

// linear goes through a dense layer: a sample's part of the gradient is the outer
// product of its input and its column, so its square is that of their squares.
func (c *GGNColumns) linear(r *gpu.Recorder, u *linearUnit, at gpu.Slice[float32], down bool) gpu.Slice[float32] {
	inputs := c.inputs.Sub(0, u.x.Len())
	r.Record(&kernels.Square{X: u.x, Out: inputs, Elements: int32(inputs.Len())})
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardFilter, inputs, u.kernel.In(c.sample), c.square(r, at)))
	if !down {
		return gpu.Slice[float32]{}
	}
	below := c.next(u.x.Len())
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardData, below, u.kernel.Value, at))
	return below
}

// epilogue goes through a bias and what follows it.
func (c *GGNColumns) epilogue(r *gpu.Recorder, u *epilogueUnit, at gpu.Slice[float32]) gpu.Slice[float32] {
	rows, channels := int32(u.rows()), int32(u.in.Channels)
	partial := c.partials.Sub(0, 3*kernels.Chunks(rows, channels)*u.in.Channels)
	r.Record(&kernels.RecursionSlope{
		QA: c.square(r, at), Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask, Partial: partial,
		Rows: rows, Height: 1, Width: 1, Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
	r.Record(&kernels.RecursionFinish{
		Partial: partial, InvStd: u.invStd, Scale: u.scale, HBeta: u.beta.In(c.sample), Rows: rows, Channels: channels,
	})
	if u.identity() {
		return at
	}
	below := c.next(u.y.Len())
	r.Record(&kernels.EpilogueBackward{
		DA: at, Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, DSlope: u.dSlope, DOffset: u.dOffset, Mask: u.mask, DY: below,
		Rows: rows, Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
	return below
}
