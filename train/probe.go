package train

import (
	"context"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/optim/curvature"
)

// probe is a network that walks over the batches of a check with its weights fixed: a
// training step without the optimizer's update.
type probe struct {
	stream    gpu.Stream
	network   *layers.Network
	batch     *layers.Batch
	estimator curvature.Estimator // nil for none
	pass      *pass
	order     []uint32
	step      int // that the first batch counts as
	// backward and estimate are those parts alone, of the batch that went before; nil
	// without an estimator.
	backward, estimate gpu.Program
}

// probe makes one with an estimator that draws from a seed. Dropout is of the job's
// seed, so that all probes of a check estimate the same thing.
func (r *curvatureRun) probe(stream gpu.Stream, o curvature.Options, drawSeed uint64) (*probe, error) {
	p := &probe{stream: stream, order: r.order, step: r.Steps}
	seed := uint64(r.Seed)
	var err error
	if p.network, err = layers.New(stream, r.set.input, r.chain, seed); err != nil {
		return nil, err
	}
	if r.weights != nil {
		if err := gpu.Upload(stream, p.network.Values, r.weights.values); err != nil {
			return nil, err
		}
		if err := gpu.Upload(stream, p.network.Moving, r.weights.moving); err != nil {
			return nil, err
		}
	}
	// One more step than the batches have is where the estimate is timed.
	if p.estimator, err = curvature.New(p.network, o, r.Steps+r.Batches+1, drawSeed); err != nil {
		return nil, err
	}
	if p.batch, err = p.network.Bind(r.Batch); err != nil {
		return nil, err
	}
	state, err := gpu.Alloc[uint32](stream, kernels.StateWords)
	if err != nil {
		return nil, err
	}
	if p.pass, err = newPass(stream, r.set.train, len(r.order), r.Batch, r.set.classes, state); err != nil {
		return nil, err
	}
	estimate := func(rec *gpu.Recorder) error {
		if p.estimator == nil {
			return nil
		}
		return p.estimator.Record(rec, p.batch, state)
	}
	bind := func(int) (*layers.Batch, error) { return p.batch, nil } // all batches are full
	err = p.pass.compile(bind, r.set, func(rec *gpu.Recorder, b *layers.Batch) error {
		b.DrawMasks(rec, seed, state)
		b.Forward(rec, true)
		b.Loss(rec, float32(r.LabelSmoothing), true)
		b.Backward(rec, p.network.Gradients)
		return estimate(rec)
	}, nil)
	if err != nil {
		return nil, err
	}
	if p.estimator == nil {
		return p, nil
	}
	var backward, alone gpu.Recorder
	p.batch.Backward(&backward, p.network.Gradients)
	if p.backward, err = stream.Compile(backward.Ops()); err != nil {
		return nil, err
	}
	if err := estimate(&alone); err != nil {
		return nil, err
	}
	p.estimate, err = stream.Compile(alone.Ops())
	return p, err
}

// each walks over the batches and calls after each.
func (p *probe) each(ctx context.Context, batches int, visit func() error) error {
	if err := p.pass.begin(p.order, p.step, 0); err != nil {
		return err
	}
	for i := range batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.pass.run(i, false); err != nil {
			return err
		}
		if err := visit(); err != nil {
			return err
		}
	}
	return nil
}

// estimates returns the estimate of every batch, tensor after tensor without gaps.
func (p *probe) estimates(ctx context.Context, batches int) ([][]float64, error) {
	var all [][]float64
	err := p.each(ctx, batches, func() error {
		arena := make([]float32, p.estimator.Diagonal().Len())
		if err := p.network.Download(arena, p.estimator.Diagonal()); err != nil {
			return err
		}
		var values []float64
		for _, parameter := range p.network.Parameters {
			values = append(values, exact.Widen(arena[parameter.Offset:][:parameter.Elements()])...)
		}
		all = append(all, values)
		return nil
	})
	return all, err
}

// exactBatch returns the batch that went before, with its dropout, for the float64 twin.
func (p *probe) exactBatch(twin *exact.Network, smoothing float64) (exact.Batch, error) {
	x, labels, mask := make([]float32, p.batch.X.Len()), make([]int32, p.batch.Size), make([]uint8, p.batch.Mask.Len())
	if err := gpu.Download(p.stream, x, p.batch.X); err != nil {
		return exact.Batch{}, err
	}
	if err := gpu.Download(p.stream, labels, p.batch.Labels); err != nil {
		return exact.Batch{}, err
	}
	if err := gpu.Download(p.stream, mask, p.batch.Mask); err != nil {
		return exact.Batch{}, err
	}
	return exact.Batch{X: exact.Widen(x), Labels: labels, Smoothing: smoothing, Training: true, Masks: twin.Masks(mask, p.batch.Size)}, nil
}

// times returns the medians of so many backward passes and estimates, in turn, so that a
// slow moment of the machine hits both.
func (p *probe) times(repeats int) (backward, estimate time.Duration, err error) {
	timed := func(program gpu.Program) (time.Duration, error) {
		start := time.Now()
		if err := program.Run(); err != nil {
			return 0, err
		}
		err := p.stream.Wait()
		return time.Since(start), err
	}
	var backwards, estimates []time.Duration
	for range repeats {
		b, err := timed(p.backward)
		if err != nil {
			return 0, 0, err
		}
		e, err := timed(p.estimate)
		if err != nil {
			return 0, 0, err
		}
		backwards, estimates = append(backwards, b), append(estimates, e)
	}
	return median(backwards), median(estimates), nil
}
