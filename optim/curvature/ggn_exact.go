package curvature

import (
	"diaghess/gpu"
	"diaghess/layers"
)

// ggnExact is the diagonal of the Gauss-Newton matrix itself, for perceptrons: with
// J the Jacobian of a sample's logits by the parameters and p its softmax,
//
//	h = 1/B sum over samples and classes c of p[c] (J^T (e[c] - p))^2
//
// Schraudolph 2002, "Fast curvature matrix-vector products"; Dangel, Kunstner and
// Hennig 2020, "BackPACK", DiagGGNExact. It costs a backward pass for each class. A
// perceptron with LeakyReLU is piecewise linear, so this is also the diagonal of the
// Hessian. The pilot's perceptron computed the same, with float16 products. The estimator
// refuses networks with convolutions or batch normalization.
type ggnExact struct {
	*base
	sample gpu.Slice[float32]
	bound  sweeps[*layers.GGNColumns]
}

func newGGNExact(b *base) (Estimator, error) {
	e := &ggnExact{base: b, sample: b.diagonal, bound: sweeps[*layers.GGNColumns]{}}
	if !b.average.IsNull() {
		e.sample = b.values()
	}
	return e, nil
}

func (e *ggnExact) NonNegative() bool { return true }

func (e *ggnExact) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	c, err := e.bound.of(b, (*layers.Batch).BindGGNColumns)
	if err != nil {
		return err
	}
	r.Group("curvature", func() {
		c.Record(r, e.sample)
		if !e.average.IsNull() {
			e.record(r, sample{x: e.sample, factor: 1}, gpu.Slice[float32]{}, state)
		}
	})
	return nil
}
