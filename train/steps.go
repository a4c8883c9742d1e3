package train

import (
	"context"
	"fmt"

	"diaghess/gpu"
	"diaghess/optim"
)

// Steps are the batches of a run's walk over pictures, one by one, for what measures them.
type Steps struct{ pass *pass }

// Begin goes to the first batch, of the first epoch.
func (s Steps) Begin() error { return s.pass.begin(s.pass.pictures, 0, 0) }

// Program computes a full batch, with an estimate of the curvature or without. One with an
// estimate is there for training if the run's optimizer [optim.Optimizer.Estimates].
func (s Steps) Program(estimate bool) gpu.Program { return s.pass.full.program(estimate) }

// TrainingSteps and ValidationSteps walk over the pictures of a run's training and validation.
func (r *Trainer) TrainingSteps() Steps   { return Steps{r.training} }
func (r *Trainer) ValidationSteps() Steps { return Steps{r.validation} }

// Optimizer is the run's, which tells the steps with an estimate of the curvature.
func (r *Trainer) Optimizer() *optim.Optimizer { return r.optimizer }

// Advance trains so many steps from where the run is, as Train does, without validation,
// and keeps nothing. The run must have as many steps left.
func (r *Trainer) Advance(ctx context.Context, steps int) error {
	for end := r.Step + steps; r.Step < end; {
		if r.Batch == r.training.batches() {
			r.Epoch, r.Batch = r.Epoch+1, 0
		}
		if err := r.trainTo(ctx, min(r.Batch+end-r.Step, r.training.batches()), nil, Silent{}); err != nil {
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
