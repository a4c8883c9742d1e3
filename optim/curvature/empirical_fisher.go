package curvature

import (
	"diaghess/gpu"
	"diaghess/layers"
)

// empiricalFisher is the squared gradient of the batch, with its true labels:
//
//	h = B g^2
//
// It costs nothing and is never negative, but it is not a curvature. It is called the
// empirical Fisher. It equals the Fisher information, and so the Gauss-Newton diagonal,
// only if labels are distributed as the model predicts them. Its cross terms between
// samples vanish only where the mean gradient does (Kunstner, Balles and Hennig 2019,
// "Limitations of the empirical Fisher approximation"). It is here for comparison: it
// shows what real curvature adds.
type empiricalFisher struct{ *base }

func newEmpiricalFisher(b *base) (Estimator, error) { return &empiricalFisher{b}, nil }

func (e *empiricalFisher) NonNegative() bool { return true }

func (e *empiricalFisher) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	r.Group("curvature", func() {
		e.record(r, sample{x: e.network.Gradients, squared: true, factor: float32(b.Size)}, gpu.Slice[float32]{}, state)
	})
	return nil
}
