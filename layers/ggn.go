package layers

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// GGNColumns computes the exact diagonal of the Gauss-Newton matrix of a perceptron. It
// carries the columns of a square root of the matrix back through the network, one for each
// class, and sums the squares over the samples. See package optim/curvature, ggn_exact.go.
type GGNColumns struct {
	batch           *Batch
	units           []columnUnit
	inputs, outputs *gpu.Scratch // squares of a layer's input, and of the column there
	column          *gpu.Scratch // read and written in turn
	partials        *gpu.Scratch
	sample          gpu.Slice[float32] // a column's part of the diagonal
}

// columnUnit is a unit that columns go through.
type columnUnit interface {
	unit
	// perSample returns why a column does not give each sample's part of the
	// gradient, or nil.
	perSample() error
	// column writes the layer's part of the sample. From the column at the output
	// it returns that at the input, if it is wanted.
	column(c *GGNColumns, r *gpu.Recorder, at gpu.Slice[float32], wanted bool) gpu.Slice[float32]
}

// BindGGNColumns allocates what the columns of a batch need. It fails on a network
// with convolutions or batch normalization, or another layer that has no columns.
func (b *Batch) BindGGNColumns() (*GGNColumns, error) {
	const sweep = "exact Gauss-Newton diagonal"
	units, err := unitsFor[columnUnit](b, sweep)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if err := u.perSample(); err != nil {
			return nil, fmt.Errorf("layer %s has no %s: %w", u.label(), sweep, err)
		}
	}
	a := gpu.NewArena(b.network.Stream)
	c := &GGNColumns{
		batch: b, units: units, inputs: a.Scratch(1), outputs: a.Scratch(1), column: a.Scratch(2),
		partials: a.Scratch(1), sample: gpu.Reserve[float32](a, b.network.Values.Len()),
	}
	c.Record(&gpu.Recorder{}, b.network.Values) // sizes the scratch memory
	if err := a.Allocate(); err != nil {
		return nil, fmt.Errorf("columns of batches of %d: %w", b.Size, err)
	}
	return c, nil
}

// Record records the diagonal into a vector of the layout of the network's values,
// of the batch whose forward pass in training has been recorded.
func (c *GGNColumns) Record(r *gpu.Recorder, diagonal gpu.Slice[float32]) {
	b := c.batch
	for class := range b.network.Classes {
		r.Group("columns", func() {
			at := c.column.Take(b.Logits.Len())
			r.Record(&kernels.GGNColumn{
				Logits: b.Logits, D: at, Rows: int32(b.Size), Classes: int32(b.network.Classes), Column: int32(class),
			})
			for i := len(c.units) - 1; i >= 0; i-- {
				u := c.units[i]
				r.Group(u.label(), func() { at = u.column(c, r, at, i > 0) })
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
	squares := c.outputs.Take(at.Len())
	r.Record(&kernels.Square{X: at, Out: squares, Elements: int32(at.Len())})
	return squares
}
