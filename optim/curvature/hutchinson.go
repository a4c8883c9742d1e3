package curvature

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// hutchinson is Hutchinson's estimator of the Hessian's diagonal. z is sampled from the
// Rademacher distribution, in which each element is 1 or -1 with equal probability:
//
//	h = z (H z) elementwise, the mean over Samples samples
//
// Bekas, Kokiopoulou and Saad 2007, "An estimator for the diagonal of a matrix". Its
// expectation is the diagonal of the Hessian of the batch's loss, also through
// normalization with the batch's own statistics. The product H z is exact, see
// layers.Tangent, and the elements of z are independent.
//
// An entry may be negative. Its variance is the sum of the squares of the off-diagonal
// entries in its row of the Hessian, which is many times the diagonal in a network. A
// sample costs about two more forward and backward passes, because each linear layer needs
// two convolutions or matrix products instead of one.
//
// With Absolute it is the estimator of AdaHessian, Yao, Gholami, Shen, Mustafa, Keutzer and
// Mahoney 2021. It takes the absolute value of h and, for each pair of channels of a
// convolution's filter, its mean over the taps. It is never negative and less noisy, but
// biased, as the absolute value makes the noise positive. The authors take one sample; here
// the absolute value is that of the samples' mean.
type hutchinson struct {
	*base
	z, product gpu.Slice[float32]
	sum        gpu.Slice[float32] // of the draws
	chunks     gpu.Slice[uint32]
	bound      sweeps[*layers.Tangent]
}

func newHutchinson(b *base) (Estimator, error) {
	n := b.network
	var offsets, lengths []int
	for _, p := range n.Parameters {
		offsets, lengths = append(offsets, p.Offset), append(lengths, p.Elements())
	}
	chunks, _ := kernels.ChunkTable(offsets, lengths)
	e := &hutchinson{
		base: b, z: b.values(), product: b.values(), sum: b.diagonal,
		chunks: gpu.ReserveCopy(b.arena, chunks), bound: sweeps[*layers.Tangent]{},
	}
	if !b.average.IsNull() {
		e.sum = b.values()
	}
	return e, nil
}

func (e *hutchinson) NonNegative() bool { return e.Absolute }

func (e *hutchinson) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	t, err := e.bound.of(b, (*layers.Batch).BindTangent)
	if err != nil {
		return err
	}
	r.Group("curvature", func() {
		for draw := range e.Samples {
			r.Record(&kernels.Rademacher{
				Z: e.z, Chunks: e.chunks, State: state, Seed: e.seed, Stream: kernels.RandomStream("rademacher"), Draw: uint32(draw),
			})
			t.Record(r, e.z, e.product)
			r.Record(&kernels.HutchinsonSample{
				Z: e.z, Product: e.product, Sum: e.sum, Elements: int32(e.sum.Len()),
				First: kernels.Flag(draw == 0), Absolute: kernels.Flag(e.Absolute && draw == e.Samples-1), Factor: 1 / float32(e.Samples),
			})
		}
		if e.Absolute {
			e.averageTaps(r)
		}
		if !e.average.IsNull() {
			e.record(r, sample{x: e.sum, factor: 1}, gpu.Slice[float32]{}, state)
		}
	})
	return nil
}

// averageTaps averages the sum over the taps of each convolution's filter.
func (e *hutchinson) averageTaps(r *gpu.Recorder) {
	for _, p := range e.network.Parameters {
		if len(p.Shape) != 4 {
			continue
		}
		k := &kernels.TapMean{X: p.In(e.sum), Outer: 1, Taps: int32(p.Shape[0] * p.Shape[1]), Inner: int32(p.Shape[2] * p.Shape[3])}
		if e.network.Stream.Device().FilterLayout() == gpu.OHWI {
			k.Outer, k.Inner = int32(p.Shape[3]), int32(p.Shape[2])
		}
		r.Record(k)
	}
}
