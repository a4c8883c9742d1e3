package train

import (
	"strings"
	"time"

	"diaghess/train/record"
)

// timesNextStep says whether the next step is the one of its epoch whose ops are timed
// one by one: the first in the second half with a full batch and, where the optimizer
// estimates the curvature, with an estimate. A profiler that watches the run has other
// means.
func (r *Trainer) timesNextStep() bool {
	return r.stepParts == nil && r.Profiler == nil &&
		2*r.Batch >= r.training.batches() && r.training.rows(r.Batch) == r.job.Batch &&
		(!r.optimizer.Estimates() || r.optimizer.Due(r.Step))
}

// timeStep runs a step as pass.run does, to the same bits, and keeps what its parts took.
func (r *Trainer) timeStep(batch int, estimate bool) error {
	program := r.training.program(batch, estimate)
	durations, err := program.Profile(1)
	if err != nil {
		return err
	}
	parts := &record.StepParts{}
	for i, op := range program.Ops() {
		millis := float64(durations[i][0]) / float64(time.Millisecond)
		part, _, _ := strings.Cut(op.Label, "/")
		switch part {
		case "forward":
			parts.Forward += millis
		case "backward":
			parts.Backward += millis
		case "curvature":
			parts.Curvature += millis / float64(r.optimizer.EstimateEvery())
		case "update":
			parts.Update += millis
		default:
			parts.Rest += millis
		}
	}
	r.stepParts = parts
	return nil
}
