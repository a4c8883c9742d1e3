package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
)

// Workload is the work by which the speed of a device is measured: training steps on random
// pictures of CIFAR's shape. The host queues a block of steps and then waits. A host that
// waits for a GPU sleeps, and wakes tens of microseconds late; a long block takes much longer.
type Workload struct {
	record.Settings
	Optimizers []optim.Rule
	Classes    int
	Block      int // steps between two waits
	Blocks     int // number of measured blocks
}

// trainer makes a run of the workload on a set of random pictures.
func (w Workload) trainer(stream gpu.Stream, set *train.Resident, rule optim.Rule) (*train.Trainer, error) {
	r, err := train.New(stream, set, train.NewJob(w.Settings, "", rule, 0))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", optim.Spec(rule), err)
	}
	return r, nil
}

// MostSteps is the most steps that are measured: the median of fewer is as good.
const MostSteps = 100_000

// pictures makes a set of random pictures for so many batches of training and of validation. It
// returns a [gpu.OutOfMemory] error where they do not fit.
func (w Workload) pictures(stream gpu.Stream, training, validation int) (*train.Resident, error) {
	const bytes, copies = 32 * 32 * 3, 2 // a picture; the host's and the device's
	if _, err := gpu.CheckProduct(int64(w.Batch), int64(training)+int64(validation), bytes, copies); err != nil {
		return nil, fmt.Errorf("%d batches of %d random pictures: %w", training+validation, w.Batch, err)
	}
	return train.MakeResident(stream, train.RandomSet(training*w.Batch, validation*w.Batch, w.Classes))
}

// StepCost is the measured cost of a training step of an optimizer.
type StepCost struct {
	Optimizer string        `json:"optimizer"`
	Step      time.Duration `json:"step_ns"`    // of a block without estimates, median over blocks
	Fastest   time.Duration `json:"fastest_ns"` // of the fastest such block
	// Estimate is the median of the steps that estimate the curvature, 0 without
	// one, and Mean that of all steps, one in so many with an estimate.
	Estimate time.Duration `json:"estimate_ns,omitempty"`
	Mean     time.Duration `json:"mean_ns"`
	Evaluate time.Duration `json:"evaluate_ns"` // a batch in inference mode, median over blocks
	// Families are the ops of a step by entry, the most expensive first; of one
	// that estimates the curvature where there is such.
	Families []FamilyCost `json:"families"`
	// Memory is what the run allocated on the device, without the dataset.
	Memory int64 `json:"memory_bytes"`
	// Nodes is the number of nodes of a step's graph, on a device that has graphs.
	Nodes int `json:"graph_nodes,omitempty"`
}

// FamilyCost is the cost of the ops with one entry in a step.
type FamilyCost struct {
	Entry    string        `json:"entry"`
	Launches int           `json:"launches"`
	Time     time.Duration `json:"time_ns"`      // sum over launches of their medians
	Bytes    int64         `json:"needed_bytes"` // the floors of gpu.Cost
	Flops    int64         `json:"needed_flops"`
	// Traffic is what the launches did, on a device that counts.
	Traffic *gpu.Traffic `json:"traffic,omitempty"`
}

// Steps measures a step of each optimizer, in turns.
func (w Workload) Steps(ctx context.Context, stream gpu.Stream) ([]StepCost, error) {
	batches := max(w.Block, min(w.Blocks, 20)) // enough to measure ops without many starts of the pass
	set, err := w.pictures(stream, batches, w.Block)
	if err != nil {
		return nil, err
	}
	trainers := make([]*train.Trainer, len(w.Optimizers))
	costs := make([]StepCost, len(w.Optimizers))
	var work []gpu.Timed
	block := func(steps train.Steps, estimate bool) {
		replays := gpu.Replays(stream, steps.Program(estimate), w.Block)
		replays.Prepare = steps.Begin
		work = append(work, replays)
	}
	for i, rule := range w.Optimizers {
		before := stream.Device().Allocated()
		if trainers[i], err = w.trainer(stream, set, rule); err != nil {
			return nil, err
		}
		costs[i] = StepCost{Optimizer: optim.Spec(rule), Memory: stream.Device().Allocated() - before}
		block(trainers[i].TrainingSteps(), false)
		block(trainers[i].ValidationSteps(), false)
		if trainers[i].Optimizer().Estimates() {
			block(trainers[i].TrainingSteps(), true)
		}
	}
	durations, err := gpu.Time(ctx, warmUp+w.Blocks, work...)
	if err != nil {
		return nil, err
	}
	next := func() (median, fastest time.Duration) {
		blocks := durations[0][warmUp:]
		durations = durations[1:]
		return gpu.Median(blocks) / time.Duration(w.Block), slices.Min(blocks) / time.Duration(w.Block)
	}
	for i, r := range trainers {
		c := &costs[i]
		c.Step, c.Fastest = next()
		c.Evaluate, _ = next()
		c.Mean = c.Step
		if r.Optimizer().Estimates() {
			c.Estimate, _ = next()
			c.Mean += (c.Estimate - c.Step) / time.Duration(r.Optimizer().EstimateEvery())
		}
		if c.Families, c.Nodes, err = profileStep(r, w.Blocks, batches); err != nil {
			return nil, err
		}
	}
	return costs, nil
}

// warmUp is the number of blocks before those that count.
const warmUp = 1

// Trace has a profiler record steps of the first optimizer, as it does those of a run.
func (w Workload) Trace(ctx context.Context, stream gpu.Stream, profiler gpu.Tracer) error {
	const steps = train.ProfileAfter + train.ProfileSteps
	set, err := w.pictures(stream, steps, 1)
	if err != nil {
		return err
	}
	r, err := w.trainer(stream, set, w.Optimizers[0])
	if err != nil {
		return err
	}
	r.Profiler = profiler
	return r.Advance(ctx, steps)
}

// profileStep returns the ops of a step by entry, their times the medians of n, and the
// nodes of its graph; of one that estimates the curvature where there is such. The pass has
// so many batches.
func profileStep(r *train.Trainer, n, batches int) (all []FamilyCost, nodes int, err error) {
	program := r.TrainingSteps().Program(r.Optimizer().Estimates())
	durations := make([][]time.Duration, len(program.Ops()))
	for ; n > 0; n -= batches {
		if err := r.TrainingSteps().Begin(); err != nil {
			return nil, 0, err
		}
		some, err := program.Profile(min(n, batches))
		if err != nil {
			return nil, 0, err
		}
		for i, d := range some {
			durations[i] = append(durations[i], d...)
		}
	}
	var traffic []gpu.Traffic
	if counter, ok := program.(gpu.Counter); ok {
		if err := r.TrainingSteps().Begin(); err != nil {
			return nil, 0, err
		}
		if traffic, err = counter.Count(); err != nil {
			return nil, 0, err
		}
	}
	if graph, ok := program.(gpu.Graph); ok {
		nodes = graph.Nodes()
	}
	return families(program.Ops(), durations, traffic), nodes, nil
}

// families sums the ops of a program up by entry; traffic is nil on a device
// that does not count.
func families(ops []gpu.RecordedOp, durations [][]time.Duration, traffic []gpu.Traffic) []FamilyCost {
	var all []FamilyCost
	for i, op := range ops {
		entry, cost := op.Op.Entry(), op.Op.Cost()
		at := slices.IndexFunc(all, func(f FamilyCost) bool { return f.Entry == entry })
		if at < 0 {
			at = len(all)
			all = append(all, FamilyCost{Entry: entry})
		}
		f := &all[at]
		f.Launches++
		f.Time += gpu.Median(durations[i])
		f.Bytes += cost.Bytes
		f.Flops += cost.Flops
		if _, isKernel := op.Op.(gpu.Kernel); isKernel && traffic != nil {
			if f.Traffic == nil {
				f.Traffic = &gpu.Traffic{}
			}
			f.Traffic.Add(traffic[i])
		}
	}
	slices.SortStableFunc(all, func(a, b FamilyCost) int { return int(b.Time - a.Time) })
	return all
}
