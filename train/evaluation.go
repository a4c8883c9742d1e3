package train

import (
	"cmp"
	"context"
	"math"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/record"
)

// evaluation is what a run needs to be measured with other weights or statistics than those in
// training: an average of the weights, those that the optimizer has for evaluation, statistics of
// batch normalization that are recomputed, or the weights of its best epoch. Training goes on bit-identically: what it uses is put aside
// meanwhile.
type evaluation struct {
	average     gpu.Slice[float32] // with the layout of the network's values; null without one
	shares      gpu.Slice[float32] // see kernels.WeightAverage
	best        weights            // null but for the endpoint best-val
	calibration *pass              // recomputes the statistics; nil without

	// Programs; nil where nothing calls for them.
	keep, restore    gpu.Program // put aside what training uses, and back
	enter            gpu.Program // put the average or the optimizer's weights in its place
	remember, recall gpu.Program // put what is in its place into best, and back
}

// weights are the values of a network's parameters and its moving statistics.
type weights struct{ values, moving gpu.Slice[float32] }

// makeEvaluation allocates what the settings call for, for a run of so many steps.
func (r *Trainer) makeEvaluation(steps int) (err error) {
	e, n := &r.evaluation, r.network
	decay, averages := r.job.Average.Decay()
	best := r.job.Endpoint == record.EndpointBest
	var own gpu.Recorder
	evaluated := r.optimizer.RecordEvaluation(&own)
	if !averages && !best && r.job.Recalibrate == 0 && evaluated.IsNull() {
		return nil
	}
	a := gpu.NewArena(r.stream)
	reserve := func() weights {
		return weights{gpu.Reserve[float32](a, n.Values.Len()), gpu.Reserve[float32](a, n.Moving.Len())}
	}
	training, aside := weights{n.Values, n.Moving}, reserve()
	if averages {
		e.average, e.shares = gpu.Reserve[float32](a, n.Values.Len()), gpu.ReserveCopy(a, averageShares(decay, steps))
	}
	if best {
		e.best = reserve()
	}
	if err := a.Allocate(); err != nil {
		return err
	}
	for _, p := range []struct {
		program  *gpu.Program
		to, from weights
		wanted   bool
	}{
		{&e.keep, aside, training, true}, {&e.restore, training, aside, true},
		{&e.enter, weights{values: n.Values}, weights{values: e.average}, averages},
		{&e.remember, e.best, training, best}, {&e.recall, training, e.best, best},
	} {
		if p.wanted {
			if *p.program, err = r.stream.Compile(copies(p.to, p.from)); err != nil {
				return err
			}
		}
	}
	if !evaluated.IsNull() {
		e.enter, err = r.stream.Compile(append(own.Ops(), copies(weights{values: n.Values}, weights{values: evaluated})...))
	}
	return err
}

// copies are the ops that copy weights.
func copies(to, from weights) []gpu.RecordedOp {
	var rec gpu.Recorder
	for _, c := range [][2]gpu.Slice[float32]{{to.values, from.values}, {to.moving, from.moving}} {
		if c[0].Len() > 0 {
			rec.Record(&kernels.Copy{To: c[0], From: c[1], Elements: int32(c[0].Len())})
		}
	}
	return rec.Ops()
}

// averageShares are those of [kernels.WeightAverage] for each step of a run.
func averageShares(decay float64, steps int) []float32 {
	shares := make([]float32, steps)
	for i := range shares {
		shares[i] = float32((1 - decay) / -math.Expm1(float64(i+1)*math.Log(decay)))
	}
	return shares
}

// makeCalibration makes the pass that recomputes statistics.
func (r *Trainer) makeCalibration(set *Resident) error {
	if len(r.parts.calibration) == 0 {
		return nil
	}
	var err error
	r.evaluation.calibration, err = r.inferencePass(set, r.parts.calibration, func(rec *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) {
		b.Calibrate(rec, state)
	})
	return err
}

// recordAverage records the update of the average after a step.
func (r *Trainer) recordAverage(rec *gpu.Recorder) {
	e, n := &r.evaluation, r.network
	if e.average.Len() == 0 {
		return
	}
	rec.Group("update", func() {
		rec.Record(&kernels.WeightAverage{Average: e.average, W: n.Values, Shares: e.shares, State: r.optimizer.State, Elements: int32(n.Values.Len())})
	})
}

// validate measures the run on the validation pictures after an epoch and, if the settings ask
// for it, on those of training. It remembers the weights if they are the best so far and the endpoint
// asks for these.
func (r *Trainer) validate(ctx context.Context) (s Score, trained *record.TrainScore, err error) {
	err = r.apart(func() error {
		if err := r.enter(ctx); err != nil {
			return err
		}
		if r.trained != nil {
			t, err := r.evaluate(ctx, r.trained)
			if err != nil {
				return err
			}
			trained = &record.TrainScore{Loss: t.Loss, LossSmoothed: t.OtherLoss, Acc: t.Accuracy, F1: t.F1}
		}
		if s, err = r.evaluate(ctx, r.validation); err != nil || r.evaluation.remember == nil {
			return err
		}
		now := record.Epoch{Epoch: r.Epoch + 1, ValLoss: s.Loss, ValAcc: s.Accuracy, F1: s.F1}
		if record.EndpointBest.Of(append(slices.Clone(r.Epochs), now)).Epoch == now.Epoch {
			return r.evaluation.remember.Run()
		}
		return nil
	})
	return s, trained, err
}

// testOnce measures the run on the test set, at its end.
func (r *Trainer) testOnce(ctx context.Context) (s Score, err error) {
	err = r.apart(func() error {
		if recall := r.evaluation.recall; recall != nil {
			err = recall.Run()
		} else {
			err = r.enter(ctx)
		}
		if err != nil {
			return err
		}
		s, err = r.evaluate(ctx, r.test)
		return err
	})
	return s, err
}

// apart has a function change weights and moving statistics, and then gives training its own
// back.
func (r *Trainer) apart(f func() error) error {
	if r.evaluation.keep == nil {
		return f()
	}
	if err := r.evaluation.keep.Run(); err != nil {
		return err
	}
	return cmp.Or(f(), r.evaluation.restore.Run())
}

// enter puts what is evaluated after an epoch in the place of what training uses.
func (r *Trainer) enter(ctx context.Context) error {
	e := &r.evaluation
	if e.enter != nil {
		if err := e.enter.Run(); err != nil {
			return err
		}
	}
	if e.calibration == nil {
		return nil
	}
	if err := gpu.Upload(r.stream, r.network.Moving, make([]float32, r.network.Moving.Len())); err != nil {
		return err
	}
	return walk(ctx, e.calibration)
}

// walk goes through the pictures of a pass.
func walk(ctx context.Context, p *pass) error {
	if err := p.begin(p.pictures, 0, 0); err != nil {
		return err
	}
	for batch := range p.batches() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.run(batch, false); err != nil {
			return err
		}
	}
	return nil
}

// floats are the tensors of a checkpoint: the average, and the best weights so far.
func (e *evaluation) floats() (all []floats) {
	for _, f := range []floats{{e.average, true}, {e.best.values, true}, {e.best.moving, false}} {
		if f.slice.Len() > 0 {
			all = append(all, f)
		}
	}
	return all
}
