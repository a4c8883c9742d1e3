package layers

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// HesScale computes an approximate diagonal of the Gauss-Newton matrix of the loss, in
// one sweep from the logits down. It reads the activations of a batch's forward pass.
// Package optim/curvature, hesscale.go, has the formulas, and says what it drops.
type HesScale struct {
	batch   *Batch
	units   []hesScaleUnit
	weights gpu.Slice[float32] // squares of Network.Values
	inputs  *gpu.Scratch       // squares of a linear layer's input
	q       *gpu.Scratch       // read and written in turn
	// partials is the first stage of every reduction, mean and coefficients
	// what the second makes of it.
	partials, mean, coefficients *gpu.Scratch
}

// hesScaleUnit is a unit that the sweep goes through.
type hesScaleUnit interface {
	unit
	// hesScale writes the layer's part of the diagonal. From q by the output it
	// returns q by the input, if it is wanted. centred says that the layer behind
	// takes the mean of each channel out of this one's output.
	hesScale(q *HesScale, r *gpu.Recorder, at, diagonal gpu.Slice[float32], centred, wanted bool) gpu.Slice[float32]
	// centres says that the layer takes the mean of each channel out of its input.
	centres() bool
}

// BindHesScale allocates what the sweep of a batch needs, about the squares
// of the parameters and three activations. It fails on a network with a layer that
// the sweep does not go through.
func (b *Batch) BindHesScale() (*HesScale, error) {
	units, err := unitsFor[hesScaleUnit](b, "sweep of HesScale")
	if err != nil {
		return nil, err
	}
	a := gpu.NewArena(b.network.Stream)
	q := &HesScale{
		batch: b, units: units, weights: gpu.Reserve[float32](a, b.network.Values.Len()), inputs: a.Scratch(1), q: a.Scratch(2),
		partials: a.Scratch(1), mean: a.Scratch(1), coefficients: a.Scratch(1),
	}
	q.Record(&gpu.Recorder{}, b.network.Values) // sizes the scratch memory
	if err := a.Allocate(); err != nil {
		return nil, fmt.Errorf("HesScale of batches of %d: %w", b.Size, err)
	}
	return q, nil
}

// Record records the diagonal into a vector of the layout of the network's values,
// of the batch whose forward pass in training has been recorded.
func (q *HesScale) Record(r *gpu.Recorder, diagonal gpu.Slice[float32]) {
	b := q.batch
	r.Group("hesscale", func() {
		r.Record(&kernels.Square{X: b.network.Values, Out: q.weights, Elements: int32(q.weights.Len())})
		at := q.q.Take(b.Logits.Len())
		r.Record(&kernels.HesScaleLogits{Logits: b.Logits, Q: at, Rows: int32(b.Size), Classes: int32(b.network.Classes)})
		centred := false
		for i := len(q.units) - 1; i >= 0; i-- {
			u := q.units[i]
			r.Group(u.label(), func() { at = u.hesScale(q, r, at, diagonal, centred, i > 0) })
			centred = u.centres()
		}
	})
}
