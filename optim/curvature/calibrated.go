package curvature

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// calibrated has the shape of the recursion and the size of GNB: per tensor, with
// g the gradient for drawn labels as in gnb.go and r the recursion's diagonal,
//
//	h = r (average of B sum g^2) / (average of sum r)
//
// Within a tensor the recursion has little noise and the right shape; its size is
// off by a factor that differs from tensor to tensor, most of all behind a
// normalization. One draw of GNB has the right size in expectation, and its noise
// averages out over a tensor. Both sums are averaged over the estimates of a run,
// with decay 0.9 whatever Decay is, which is of h: the sizes change slowly, and
// their ratio has no bias to correct. A tensor whose recursion is zero everywhere
// has h = 0.
//
// It is this project's. It is exact where the recursion is exact up to a factor a
// tensor; within a tensor it has the recursion's error.
type calibrated struct {
	*recursion
	gradient       gpu.Slice[float32]
	chunks, first  gpu.Slice[uint32]
	partial, ratio gpu.Slice[float32]
	sums           gpu.Slice[float32] // [tensors, 2], averaged
}

// sumsDecay is the decay of the averages that the sizes are taken from.
const sumsDecay = 0.9

func newCalibrated(b *base) (Estimator, error) {
	r, err := newRecursion(b)
	if err != nil {
		return nil, err
	}
	var offsets, lengths []int
	for _, p := range b.network.Parameters {
		offsets, lengths = append(offsets, p.Offset), append(lengths, p.Elements())
	}
	chunks, first := kernels.ChunkTable(offsets, lengths)
	return &calibrated{
		recursion: r.(*recursion), gradient: b.alloc(b.network.Values.Len()),
		chunks: b.uploadWords(chunks), first: b.uploadWords(first),
		partial: b.alloc(2 * len(chunks) / kernels.ChunkWords), ratio: b.alloc(len(lengths)), sums: b.alloc(2 * len(lengths)),
	}, nil
}

func (e *calibrated) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	q, err := e.of(b)
	if err != nil {
		return err
	}
	r.Group("curvature", func() {
		const draw = 0
		b.SampledLoss(r, e.seed, draw, state)
		b.Backward(r, e.gradient)
		q.Record(r, e.sample)
		r.Record(&kernels.CalibrateSums{G: e.gradient, R: e.sample, Chunks: e.chunks, Partial: e.partial, Factor: float32(b.Size)})
		r.Record(&kernels.CalibrateRatio{
			Partial: e.partial, First: e.first, Average: e.sums, Ratio: e.ratio, Decay: sumsDecay, OneMinusDecay: 1 - sumsDecay,
		})
		r.Record(&kernels.CalibrateApply{R: e.sample, Chunks: e.chunks, Ratio: e.ratio})
		if !e.average.IsNull() {
			e.record(r, sample{x: e.sample, factor: 1}, gpu.Slice[float32]{}, state)
		}
	})
	return nil
}

// State is that of the average, and the averaged sums.
func (e *calibrated) State() (arenas, others []gpu.Slice[float32]) {
	arenas, _ = e.base.State()
	return arenas, []gpu.Slice[float32]{e.sums}
}
