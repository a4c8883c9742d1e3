package curvature

import (
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// calibrated combines gnb, which is unbiased and noisy, with hesscale, which has no
// noise, about the right order within a tensor, and the wrong scale. d is the average of
// gnb over the estimates so far, s that of hesscale. Sums are over the entries of a
// tensor:
//
//	c = s sum d / sum s                    hesscale with the scale of gnb
//	w = max(0, 1 - 2 sum d^2 / ((n + 2) sum (d - c)^2))
//	h = w d + (1 - w) c
//
// This is James and Stein's shrinkage of d towards c (1961, "Estimation with quadratic
// loss", section 2; its positive part). A sample of gnb is B g^2 with a g that is about
// normal. So d, worth n samples of the true h, has variance 2 h^2 / n, and sum d^2 is about
// (n + 2) / n sum h^2. The fraction in w is then the part of sum (d - c)^2 that noise
// explains. If noise explains all of it, h is c. The rest is the error of hesscale,
// and moves h towards d.
//
// So the weights adapt to each tensor and to the state of training. After one sample h is
// close to c. The more samples the average is worth, the less of hesscale's error
// remains. With many samples h is gnb.
//
// d and s are averages with the same decay, so c needs no correction for their beginning.
// With decay a and m = Samples samples per estimate, the k-th average is worth n = m (1 +
// a) (1 - a^k) / ((1 - a) (1 + a^k)) samples: the inverse of the sum of its squared
// weights. If hesscale is zero in a whole tensor, h is d.
//
// The combination is this project's. Its expectation is not the exact diagonal before many
// samples; docs/curvature.md has the distance.
type calibrated struct {
	*gnb
	hesScale                *hesScale
	swept                   gpu.Slice[float32] // average of hesscale
	chunks, first           gpu.Slice[uint32]
	draws, partial, weights gpu.Slice[float32]
}

func newCalibrated(b *base) (Estimator, error) {
	if b.average.IsNull() {
		b.keepAverage()
	}
	var offsets, lengths []int
	for _, p := range b.network.Parameters {
		offsets, lengths = append(offsets, p.Offset), append(lengths, p.Elements())
	}
	chunks, first := kernels.ChunkTable(offsets, lengths)
	draws := make([]float32, b.estimates)
	for i := range draws {
		before := math.Pow(b.Decay, float64(i+1))
		draws[i] = float32(float64(b.Samples) * (1 + b.Decay) * (1 - before) / ((1 - b.Decay) * (1 + before)))
	}
	return &calibrated{
		gnb: makeGNB(b), hesScale: sweepInto(b, b.diagonal), swept: b.values(),
		chunks: gpu.ReserveCopy(b.arena, chunks), first: gpu.ReserveCopy(b.arena, first), draws: gpu.ReserveCopy(b.arena, draws),
		partial: gpu.Reserve[float32](b.arena, kernels.CalibrateSums*len(chunks)/kernels.ChunkWords),
		weights: gpu.Reserve[float32](b.arena, 2*len(lengths)),
	}, nil
}

func (e *calibrated) Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error {
	sweep, err := e.hesScale.bound.of(b, (*layers.Batch).BindHesScale)
	if err != nil {
		return err
	}
	r.Group("curvature", func() {
		last := e.draw(r, b, state)
		sweep.Record(r, e.hesScale.sample)
		r.Record(&kernels.CalibrateAverage{
			G: last.x, Sum: e.sum, R: e.hesScale.sample, Drawn: e.average, Swept: e.swept, Chunks: e.chunks, Partial: e.partial,
			Factor: last.factor, Decay: float32(e.Decay), OneMinusDecay: float32(1 - e.Decay),
		})
		r.Record(&kernels.CalibrateWeights{
			Partial: e.partial, First: e.first, Corrections: e.corrections, Draws: e.draws, State: state,
			Weights: e.weights, Every: uint32(e.Every),
		})
		r.Record(&kernels.CalibrateBlend{Drawn: e.average, Swept: e.swept, Diagonal: e.diagonal, Chunks: e.chunks, Weights: e.weights})
	})
	return nil
}

// State is that of gnb, and the average of hesscale.
func (e *calibrated) State() []gpu.Slice[float32] { return append(e.base.State(), e.swept) }
