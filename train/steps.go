package train

import (
	"context"
	"fmt"
	"time"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train/record"
)

// Steps are the batches of a run's walk over pictures, one by one, for what measures them.
type Steps struct {
	pass     *pass
	pictures []uint32
}

// Begin goes to the first batch, of the first epoch.
func (s Steps) Begin() error { return s.pass.begin(s.pictures, 0, 0) }

// Program computes a full batch, with an estimate of the curvature or without. One with an
// estimate is there for training if the run's optimizer [optim.Optimizer.Estimates].
func (s Steps) Program(estimate bool) gpu.Program { return s.pass.full.program(estimate) }

// TrainingSteps and ValidationSteps walk over the pictures of a run's training and validation.
func (r *Trainer) TrainingSteps() Steps   { return Steps{r.training, r.parts.train} }
func (r *Trainer) ValidationSteps() Steps { return Steps{r.validation, r.parts.validation} }

// Optimizer is the run's, which tells the steps with an estimate of the curvature.
func (r *Trainer) Optimizer() *optim.Optimizer { return r.optimizer }

// RepeatEpoch trains the first epoch so many times, as Train does, and keeps nothing.
func (r *Trainer) RepeatEpoch(ctx context.Context, times int) error {
	for range times {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.TrainingSteps().Begin(); err != nil {
			return err
		}
		r.Position, r.checkpointed = record.Position{}, time.Now()
		if err := r.trainEpoch(ctx, nil, Silent{}); err != nil {
			return err
		}
	}
	return nil
}

// What a profiler records of a run: ProfileSteps steps after the first ProfileAfter, when
// all is loaded and warm, or as many as are left of the epoch then.
const (
	ProfileAfter = 20
	ProfileSteps = 5
)

// TracerOf returns the stream as one that a profiler can watch.
func TracerOf(stream gpu.Stream) (gpu.Tracer, error) {
	tracer, ok := stream.(gpu.Tracer)
	if !ok {
		return nil, fmt.Errorf("nothing for a profiler to record on the device %s: --profile takes --device cuda", stream.Device().Name())
	}
	return tracer, nil
}
