package curvature

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// gnb is the Gauss-Newton-Bartlett estimator. Labels are sampled from the model's own
// softmax, and g is the gradient of the batch's mean loss with these labels:
//
//	h = B g^2, the mean over Samples samples
//
// Liu, Li, Hall, Liang and Ma 2023, "Sophia", algorithm 2. Its expectation is
// exactly the diagonal of the Gauss-Newton matrix, also through batch normalization with
// the batch's statistics. The reason: under the sampled labels the gradients by the logits
// of different rows are independent with mean zero, so all cross terms vanish.
//
// A sample costs a backward pass over the same activations. Its relative error is that of
// a squared normal number, the root of 2 for most entries, and averages out over samples
// and steps.
type gnb struct {
	*base
	gradient gpu.Slice[float32]
	sum      gpu.Slice[float32] // of the samples before the last; null for one sample
}

func newGNB(b *base) (Estimator, error) { return makeGNB(b), nil }

func makeGNB(b *base) *gnb {
	e := &gnb{base: b, gradient: b.values()}
	if b.Samples > 1 {
		e.sum = b.values()
	}
	return e
}

func (e *gnb) NonNegative() bool { return true }

func (e *gnb) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	r.Group("curvature", func() { e.record(r, e.draw(r, b, state), e.sum, state) })
	return nil
}

// draw records the samples of an estimate and returns the last of them. The sum has those
// before.
func (e *gnb) draw(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) sample {
	s := sample{x: e.gradient, squared: true, factor: float32(b.Size) / float32(e.Samples)}
	for draw := range e.Samples {
		b.SampledLoss(r, e.seed, uint32(draw), state)
		b.Backward(r, e.gradient)
		if draw < e.Samples-1 {
			r.Record(&kernels.CurvatureSum{
				X: s.x, Sum: e.sum, Elements: int32(e.sum.Len()), First: kernels.Flag(draw == 0), Squared: kernels.Flag(s.squared), Factor: s.factor,
			})
		}
	}
	return s
}
