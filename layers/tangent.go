package layers

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Tangent computes the product of the loss's Hessian with a direction in the space of the
// parameters. It computes the derivatives along the direction of all results of forward
// pass, loss and backward pass. The last of them is the product. This is Pearlmutter's
// R-operator, see package kernels, tangent.go.
//
// The product is exact, also through the batch's own statistics. LeakyReLU and pooling
// make the loss piecewise smooth; the Hessian is that of the piece.
type Tangent struct {
	batch  *Batch
	stages []tangentStage
	// logitsDot and dLogitsDot are the tangents of the logits and of the loss's
	// gradient by them.
	logitsDot, dLogitsDot gpu.Slice[float32]
	// gradients holds the tangents of the gradients by activations, addends the
	// second of two products that are added, partials the first stage of every
	// reduction.
	gradients, addends, partials *gpu.Scratch
}

// tangentUnit is a unit that a tangent goes through.
type tangentUnit interface {
	// bindTangent makes the layer's part of a tangent, from the tangent of its
	// input, null where that is zero, and returns the tangent of its output.
	bindTangent(t *Tangent, a *gpu.Arena, xDot gpu.Slice[float32]) (tangentStage, gpu.Slice[float32])
}

// tangentStage is a layer of a tangent.
type tangentStage interface {
	// forward writes the tangent of the output along the direction z.
	forward(r *gpu.Recorder, z gpu.Slice[float32])
	// backward writes the layer's part of the product. From the tangent of the
	// gradient by the output it returns that by the input, if it is wanted.
	backward(r *gpu.Recorder, z, product, dyDot gpu.Slice[float32], wanted bool) gpu.Slice[float32]
	label() string
}

// BindTangent allocates what the tangents of a batch need: as much as its
// activations, two of them, and one or a filter, the largest. It fails on a network
// with a layer that has no tangent, and panics unless the batch was bound with
// Network.Retain.
func (b *Batch) BindTangent() (*Tangent, error) {
	if !b.retained {
		panic("layers: the tangent of a batch that was bound without Network.Retain")
	}
	units, err := unitsFor[tangentUnit](b, "product with the Hessian")
	if err != nil {
		return nil, err
	}
	a := gpu.NewArena(b.network.Stream)
	t := &Tangent{batch: b, gradients: a.Scratch(2), addends: a.Scratch(1), partials: a.Scratch(1)}
	for _, u := range units {
		var s tangentStage
		s, t.logitsDot = u.bindTangent(t, a, t.logitsDot)
		t.stages = append(t.stages, s)
	}
	t.dLogitsDot = gpu.Reserve[float32](a, b.Logits.Len())
	t.Record(&gpu.Recorder{}, b.network.Values, b.network.Gradients) // sizes the scratch memory
	if err := a.Allocate(); err != nil {
		return nil, fmt.Errorf("tangents of batches of %d: %w", b.Size, err)
	}
	return t, nil
}

// Record records the product of the Hessian of the batch's loss with the direction z;
// both have the layout of the network's values. It comes after the batch's forward
// pass in training, its loss and the backward pass into Network.Gradients, with
// nothing in between that writes what these have left, and leaves it alone.
func (t *Tangent) Record(r *gpu.Recorder, z, product gpu.Slice[float32]) {
	b := t.batch
	r.Group("tangent", func() {
		for _, s := range t.stages {
			r.Group(s.label(), func() { s.forward(r, z) })
		}
		r.Record(&kernels.TangentLoss{
			Logits: b.Logits, LogitsDot: t.logitsDot, DLogitsDot: t.dLogitsDot, Rows: int32(b.Size), Classes: int32(b.network.Classes),
		})
		dyDot := t.dLogitsDot
		for i := len(t.stages) - 1; i >= 0; i-- {
			s := t.stages[i]
			r.Group(s.label(), func() { dyDot = s.backward(r, z, product, dyDot, i > 0) })
		}
	})
}

// add records a product into an addend, and adds that to the sum.
func (t *Tangent) add(r *gpu.Recorder, sum gpu.Slice[float32], product func(addend gpu.Slice[float32]) gpu.Op) {
	addend := t.addends.Take(sum.Len())
	r.Record(product(addend))
	r.Record(&kernels.CurvatureSum{X: addend, Sum: sum, Elements: int32(sum.Len()), Factor: 1})
}
