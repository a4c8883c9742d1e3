package bench

import (
	"fmt"
	"slices"
	"time"

	"diaghess/gpu"
	"diaghess/train"
	"diaghess/train/record"
)

// StepCost is the measured cost of a training step of an optimizer.
type StepCost struct {
	Optimizer string        `json:"optimizer"`
	Step      time.Duration `json:"step_ns"`    // median of whole steps
	Fastest   time.Duration `json:"fastest_ns"` // of them
	// Estimate is the median of the steps that estimate the curvature, 0 without
	// one, and Mean that of all steps, one in so many with an estimate.
	Estimate time.Duration `json:"estimate_ns,omitempty"`
	Mean     time.Duration `json:"mean_ns"`
	Evaluate time.Duration `json:"evaluate_ns"` // median of a batch in inference mode
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

// Steps measures a step of each optimizer on random pictures of CIFAR's shape, n
// times each, in turn, so that a slow moment of the machine hits all of them. profile
// has a profiler record steps of the first optimizer after that.
func Steps(stream gpu.Stream, settings record.Settings, optimizers []string, classes, n int, profile bool) ([]StepCost, error) {
	var profiler gpu.Tracer
	if profile {
		var err error
		if profiler, err = train.TracerOf(stream); err != nil {
			return nil, err
		}
	}
	settings.Epochs, settings.Limit, settings.Protocol = 1, 0, record.ProtocolPilot
	set, err := train.MakeResident(stream, train.RandomSet(settings.Batch*n, settings.Batch, classes))
	if err != nil {
		return nil, err
	}
	runners := make([]*train.Trainer, len(optimizers))
	costs := make([]StepCost, len(optimizers))
	for i, spec := range optimizers {
		before := stream.Device().Allocated()
		runners[i], err = train.New(stream, set, record.Job{Settings: settings, Dataset: "cifar10", Optimizer: spec})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec, err)
		}
		costs[i] = StepCost{Optimizer: spec, Memory: stream.Device().Allocated() - before}
	}
	// timed runs a full batch from the start of its pass.
	timed := func(steps train.Steps, estimate bool) (time.Duration, error) {
		if err := steps.Begin(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := steps.Program(estimate).Run(); err != nil {
			return 0, err
		}
		err := stream.Wait()
		return time.Since(start), err
	}
	const warmUp = 2
	steps, estimates, evaluations := make([][]time.Duration, len(runners)), make([][]time.Duration, len(runners)), make([][]time.Duration, len(runners))
	for round := range n + warmUp {
		for i, r := range runners {
			step, err := timed(r.TrainingSteps(), false)
			if err != nil {
				return nil, err
			}
			estimate := step
			if r.Optimizer().Estimates() {
				if estimate, err = timed(r.TrainingSteps(), true); err != nil {
					return nil, err
				}
			}
			evaluation, err := timed(r.ValidationSteps(), false)
			if err != nil {
				return nil, err
			}
			if round >= warmUp {
				steps[i], estimates[i], evaluations[i] = append(steps[i], step), append(estimates[i], estimate), append(evaluations[i], evaluation)
			}
		}
	}
	for i, r := range runners {
		costs[i].Step, costs[i].Evaluate = median(steps[i]), median(evaluations[i])
		costs[i].Fastest, costs[i].Mean = slices.Min(steps[i]), costs[i].Step
		if r.Optimizer().Estimates() {
			costs[i].Estimate = median(estimates[i])
			costs[i].Mean += (costs[i].Estimate - costs[i].Step) / time.Duration(r.Optimizer().EstimateEvery())
		}
		if costs[i].Families, costs[i].Nodes, err = profileStep(r, n); err != nil {
			return nil, err
		}
	}
	if profiler != nil {
		r := runners[0]
		if err := r.TrainingSteps().Begin(); err != nil {
			return nil, err
		}
		return costs, profiler.Trace(func() error {
			for step := range min(train.ProfileSteps, n) {
				if err := r.TrainingSteps().Program(r.Optimizer().Due(step)).Run(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return costs, nil
}

// profileStep returns the ops of a step by entry, their times the medians of n, and the
// nodes of its graph; of one that estimates the curvature where there is such.
func profileStep(r *train.Trainer, n int) (all []FamilyCost, nodes int, err error) {
	program := r.TrainingSteps().Program(r.Optimizer().Estimates())
	if err := r.TrainingSteps().Begin(); err != nil {
		return nil, 0, err
	}
	durations, err := program.Profile(n)
	if err != nil {
		return nil, 0, err
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
		f.Time += median(durations[i])
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

// median returns the upper median of at least one duration.
func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}
