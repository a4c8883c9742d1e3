package curvature

import (
	"diaghess/gpu"
	"diaghess/layers"
)

// fisher is the squared gradient of the batch, with its true labels:
//
//	h = B g^2
//
// It costs nothing, is never negative, and is no curvature: "the empirical
// Fisher", which agrees with the Fisher information, and so with the Gauss-Newton
// diagonal, only where labels are distributed as the model predicts them, and
// whose cross terms between samples vanish only where the mean gradient does
// (Kunstner, Balles and Hennig 2019, "Limitations of the empirical Fisher
// approximation"). It is here to tell what real curvature adds.
type fisher struct{ *base }

func newFisher(b *base) (Estimator, error) { return &fisher{b}, nil }

func (e *fisher) NonNegative() bool { return true }

func (e *fisher) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	r.Group("curvature", func() {
		e.record(r, sample{x: e.network.Gradients, squared: true, factor: float32(b.Size)}, gpu.Slice[float32]{}, state)
	})
	return nil
}
