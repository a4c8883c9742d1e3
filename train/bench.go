package train

import (
	"fmt"
	"slices"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/train/data"
)

// StepCost is what a training step of an optimizer was measured to cost.
type StepCost struct {
	Optimizer string        `json:"optimizer"`
	Step      time.Duration `json:"step_ns"`     // median of whole steps
	Fastest   time.Duration `json:"fastest_ns"`  // of them
	Evaluate  time.Duration `json:"evaluate_ns"` // median of a batch in inference mode
	// Families are the ops of a step by entry, the most expensive first.
	Families []FamilyCost `json:"families"`
	// Memory is what the run allocated on the device, without the dataset.
	Memory int64 `json:"memory_bytes"`
}

// FamilyCost is what the ops of one entry cost in a step.
type FamilyCost struct {
	Entry    string        `json:"entry"`
	Launches int           `json:"launches"`
	Time     time.Duration `json:"time_ns"`      // sum over launches of their medians
	Bytes    int64         `json:"needed_bytes"` // the floors of gpu.Cost
	Flops    int64         `json:"needed_flops"`
	// Traffic is what the launches did, on a device that counts.
	Traffic *gpu.Traffic `json:"traffic,omitempty"`
}

// Bench measures a step of each optimizer on drawn pictures of CIFAR's shape, n
// times each, in turn, so that a slow moment of the machine hits all of them.
func Bench(stream gpu.Stream, settings Settings, optimizers []string, classes, n int) ([]StepCost, error) {
	settings.Epochs, settings.Limit, settings.Protocol = 1, 0, ProtocolSeed
	set, err := makeResident(stream, drawnSet(settings.Batch*n, settings.Batch, classes))
	if err != nil {
		return nil, err
	}
	runners := make([]*runner, len(optimizers))
	costs := make([]StepCost, len(optimizers))
	for i, spec := range optimizers {
		before := stream.Device().Allocated()
		runners[i], err = newRunner(stream, set, Job{Settings: settings, Dataset: "cifar10", Optimizer: spec}, record{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec, err)
		}
		costs[i] = StepCost{Optimizer: spec, Memory: stream.Device().Allocated() - before}
	}
	// timed runs a program from the start of its pass.
	timed := func(p *pass, pictures []uint32) (time.Duration, error) {
		if err := p.begin(pictures, 0); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := p.full.Run(); err != nil {
			return 0, err
		}
		err := stream.Wait()
		return time.Since(start), err
	}
	const warmUp = 2
	steps, evaluations := make([][]time.Duration, len(runners)), make([][]time.Duration, len(runners))
	for round := range n + warmUp {
		for i, r := range runners {
			step, err := timed(r.training, r.parts.train)
			if err != nil {
				return nil, err
			}
			evaluation, err := timed(r.validation, r.parts.validation)
			if err != nil {
				return nil, err
			}
			if round >= warmUp {
				steps[i], evaluations[i] = append(steps[i], step), append(evaluations[i], evaluation)
			}
		}
	}
	for i, r := range runners {
		costs[i].Step, costs[i].Evaluate = median(steps[i]), median(evaluations[i])
		costs[i].Fastest = slices.Min(steps[i])
		if err := r.training.begin(r.parts.train, 0); err != nil {
			return nil, err
		}
		durations, err := r.training.full.Profile(n)
		if err != nil {
			return nil, err
		}
		var traffic []gpu.Traffic
		if counter, ok := r.training.full.(gpu.Counter); ok {
			if err := r.training.begin(r.parts.train, 0); err != nil {
				return nil, err
			}
			if traffic, err = counter.Count(); err != nil {
				return nil, err
			}
		}
		costs[i].Families = families(r.training.full.Ops(), durations, traffic)
	}
	return costs, nil
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

// drawnSet makes pictures of CIFAR's shape with random pixels and labels.
func drawnSet(training, test, classes int) *data.Set {
	split := func(purpose string, n int) data.Split {
		s := data.Split{Images: make([]uint8, n*32*32*3), Labels: make([]uint8, n)}
		stream := kernels.RandomStream("bench/" + purpose)
		for i := range s.Images {
			s.Images[i] = uint8(kernels.Random(0, stream, 0, uint64(i/4))[i%4])
		}
		for i := range s.Labels {
			s.Labels[i] = uint8(kernels.Random(0, stream, 1, uint64(i))[0] % uint32(classes))
		}
		return s
	}
	return &data.Set{
		Name: "drawn pictures", Height: 32, Width: 32, Channels: 3, Classes: classes, Divisor: 255,
		Train: split("train", training), Test: split("test", test),
	}
}
