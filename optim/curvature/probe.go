package curvature

import (
	"context"
	"slices"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// probe is a network that walks over the batches of a comparison with its weights fixed:
// a training step without the optimizer's update.
type probe struct {
	*Comparison
	stream    gpu.Stream
	network   *layers.Network
	batch     *layers.Batch
	estimator Estimator         // nil for none
	state     gpu.Slice[uint32] // [kernels.StateWords]
	step      gpu.Program       // with the estimate
	// backward and estimate are those parts alone, of the batch that went before; nil
	// without an estimator.
	backward, estimate gpu.Program
}

// probe makes one with an estimator that draws from a seed. Dropout is of the
// comparison's seed, so that all probes of it estimate the same thing.
func (c *Comparison) probe(stream gpu.Stream, o Options, drawSeed uint64) (*probe, error) {
	p := &probe{Comparison: c, stream: stream}
	var err error
	if p.network, err = layers.New(stream, c.Input, c.Chain, c.Seed); err != nil {
		return nil, err
	}
	if c.Values != nil {
		if err := gpu.Upload(stream, p.network.Values, c.Values); err != nil {
			return nil, err
		}
		if err := gpu.Upload(stream, p.network.Moving, c.Moving); err != nil {
			return nil, err
		}
	}
	p.network.Retain = o.Retains()
	if p.estimator, err = New(p.network, o, c.Step+len(c.Batches), drawSeed); err != nil {
		return nil, err
	}
	if p.batch, err = p.network.Bind(len(c.Batches[0].Labels)); err != nil {
		return nil, err
	}
	if p.state, err = gpu.Alloc[uint32](stream, kernels.StateWords); err != nil {
		return nil, err
	}
	var backward, estimate gpu.Recorder
	p.batch.Backward(&backward, p.network.Gradients)
	if p.estimator != nil {
		if err := p.estimator.Record(&estimate, p.batch, p.state); err != nil {
			return nil, err
		}
	}
	var r gpu.Recorder
	p.batch.DrawMasks(&r, c.Seed, p.state)
	p.batch.Forward(&r, true)
	p.batch.Loss(&r, float32(c.LabelSmoothing), true)
	for _, program := range []struct {
		to  *gpu.Program
		ops []gpu.RecordedOp
	}{{&p.step, slices.Concat(r.Ops(), backward.Ops(), estimate.Ops())}, {&p.backward, backward.Ops()}, {&p.estimate, estimate.Ops()}} {
		if *program.to, err = stream.Compile(program.ops); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// each does a step on each batch and calls visit after it.
func (p *probe) each(ctx context.Context, visit func(HostBatch) error) error {
	for i, b := range p.Batches {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := gpu.Upload(p.stream, p.batch.X, b.X); err != nil {
			return err
		}
		if err := gpu.Upload(p.stream, p.batch.Labels, b.Labels); err != nil {
			return err
		}
		state := make([]uint32, kernels.StateWords)
		state[kernels.StateStep] = uint32(p.Step + i)
		if err := gpu.Upload(p.stream, p.state, state); err != nil {
			return err
		}
		if err := p.step.Run(); err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// estimates returns the estimate of every batch, tensor after tensor without gaps.
func (p *probe) estimates(ctx context.Context) ([][]float64, error) {
	var all [][]float64
	err := p.each(ctx, func(HostBatch) error {
		diagonal := make([]float32, p.estimator.Diagonal().Len())
		if err := p.network.Download(diagonal, p.estimator.Diagonal()); err != nil {
			return err
		}
		var values []float64
		for _, parameter := range p.network.Parameters {
			values = append(values, exact.Widen(diagonal[parameter.Offset:][:parameter.Elements()])...)
		}
		all = append(all, values)
		return nil
	})
	return all, err
}

// exactBatch returns a batch with the dropout of the step just done, for the float64 twin.
func (p *probe) exactBatch(twin *exact.Network, b HostBatch) (exact.Batch, error) {
	mask := make([]uint8, p.batch.Mask.Len())
	if err := gpu.Download(p.stream, mask, p.batch.Mask); err != nil {
		return exact.Batch{}, err
	}
	return exact.Batch{X: exact.Widen(b.X), Labels: b.Labels, Smoothing: p.LabelSmoothing, Training: true, Masks: twin.Masks(mask, p.batch.Size)}, nil
}

// times returns the medians of so many backward passes and estimates, in turns.
func (p *probe) times(ctx context.Context, repeats int) (backward, estimate time.Duration, err error) {
	durations, err := gpu.Time(ctx, repeats, gpu.Replays(p.stream, p.backward, 1), gpu.Replays(p.stream, p.estimate, 1))
	if err != nil {
		return 0, 0, err
	}
	return gpu.Median(durations[0]), gpu.Median(durations[1]), nil
}
