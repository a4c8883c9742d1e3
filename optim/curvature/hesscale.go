package curvature

import (
	"diaghess/gpu"
	"diaghess/layers"
)

// hesScale is one deterministic sweep from the logits down. It carries the diagonal of
// the Gauss-Newton matrix as a backward pass carries the gradient, with every factor
// squared. p is the softmax, q the curvature of the mean loss by a layer's output, x its
// input:
//
//	logits         q = (p - p^2) / B
//	linear         h = sum of x^2 q over samples and positions; q by the input: W^2 q
//	LeakyReLU      q f'^2
//	max pooling    q to the largest of the window
//	dropout        q (mask / (1 - rate))^2
//	bias           h = sum q
//	normalization  h of beta = sum q, of gamma = sum q xhat^2; q by the input: J^2 q,
//	               J the Jacobian with the batch's own statistics, squared
//	               elementwise
//
// The source is Elsayed and Mahmood 2022, "HesScale", in the form that drops the second
// derivatives, which a piecewise linear network does not have. There is no noise. The
// sweep is exact for the last layer and an approximation for the layers below: at every
// layer it drops the curvature between different units and positions. As a network trains,
// the dropped part becomes larger than the rest. Then the entries of an early tensor give
// an order, but no scale.
//
// A normalization couples all rows of a channel, which no upstream program handles. It
// makes the dropped part large: it removes the mean of its input, and so the part of a
// weight's curvature that comes from the mean of the weight's input. So a linear layer
// before a normalization uses the input without its mean over rows:
//
//	h = sum of (x - mean x)^2 q
//
// That is this project's addition. docs/curvature.md has the distance of both forms from
// the exact diagonal.
type hesScale struct {
	*base
	sample gpu.Slice[float32]
	bound  sweeps[*layers.HesScale]
}

func newHesScale(b *base) (Estimator, error) {
	sample := b.diagonal
	if !b.average.IsNull() {
		sample = b.values()
	}
	return sweepInto(b, sample), nil
}

// sweepInto returns the estimator hesscale whose sweeps end in a vector.
func sweepInto(b *base, sample gpu.Slice[float32]) *hesScale {
	return &hesScale{base: b, sample: sample, bound: sweeps[*layers.HesScale]{}}
}

func (e *hesScale) NonNegative() bool { return true }

func (e *hesScale) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	q, err := e.bound.of(b, (*layers.Batch).BindHesScale)
	if err != nil {
		return err
	}
	r.Group("curvature", func() {
		q.Record(r, e.sample)
		if !e.average.IsNull() {
			e.record(r, sample{x: e.sample, factor: 1}, gpu.Slice[float32]{}, state)
		}
	})
	return nil
}
