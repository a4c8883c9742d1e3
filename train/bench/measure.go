package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/train"
	"diaghess/train/record"
)

// Load is the work by which the speed of a device is measured: training steps on random
// pictures of CIFAR's shape. The host queues a block of steps and then waits. A host that
// waits for a GPU sleeps, and wakes tens of microseconds late; a block takes much longer.
type Load struct {
	record.Settings
	Optimizers []string // specs, see optim.Parse
	Classes    int
	Block      int // steps between two waits
	Blocks     int // number of measured blocks
}

// CopyBandwidth returns how fast a stream reads one buffer and writes another: the bytes
// read plus the bytes written, per second. It is the median over blocks; a block replays a
// small kernel the given number of times. The buffers should be larger than the caches.
func CopyBandwidth(stream gpu.Stream, bufferBytes, replays, blocks int) (float64, error) {
	elements := bufferBytes / 4
	x, err := gpu.Alloc[float32](stream, elements)
	if err != nil {
		return 0, err
	}
	out, err := gpu.Alloc[float32](stream, elements)
	if err != nil {
		return 0, err
	}
	square := &kernels.Square{X: x, Out: out, Elements: int32(elements)}
	var r gpu.Recorder
	r.Record(square)
	program, err := stream.Compile(r.Ops())
	if err != nil {
		return 0, err
	}
	each, err := timeBlocks(stream, replays, blocks, stream.Wait, program.Run)
	if err != nil {
		return 0, err
	}
	return float64(square.Cost().Bytes) / each.Seconds(), nil
}

// timeBlocks returns what one of n calls of queue takes until it is done, the median over
// blocks of so many, each after a call of prepare. A block before them warms up.
func timeBlocks(stream gpu.Stream, n, blocks int, prepare, queue func() error) (time.Duration, error) {
	var times []time.Duration
	for block := range blocks + 1 {
		if err := prepare(); err != nil {
			return 0, err
		}
		start := time.Now()
		for range n {
			if err := queue(); err != nil {
				return 0, err
			}
		}
		if err := stream.Wait(); err != nil {
			return 0, err
		}
		if block > 0 {
			times = append(times, time.Since(start)/time.Duration(n))
		}
	}
	return median(times), nil
}

// BlockCost is what a step of an optimizer costs when a block of them is queued.
type BlockCost struct {
	Optimizer string        `json:"optimizer"`
	Step      time.Duration `json:"step_ns"`     // median over blocks, the block's curvature estimates shared out
	Evaluate  time.Duration `json:"evaluate_ns"` // a batch in inference mode, median over blocks
	// Families and Nodes are as those of StepCost.
	Families []FamilyCost `json:"families"`
	Nodes    int          `json:"graph_nodes,omitempty"`
}

// Steps measures a step of each optimizer, alone on the device.
func (l Load) Steps(ctx context.Context, device gpu.Device) ([]BlockCost, error) {
	var costs []BlockCost
	for _, spec := range l.Optimizers {
		if err := ctx.Err(); err != nil {
			return costs, err
		}
		err := gpu.WithStream(device, func(stream gpu.Stream) error {
			cost, err := l.step(stream, spec)
			if err != nil {
				return fmt.Errorf("%s: %w", spec, err)
			}
			costs = append(costs, cost)
			return nil
		})
		if err != nil {
			return costs, err
		}
	}
	return costs, nil
}

// step measures a step of one optimizer.
func (l Load) step(stream gpu.Stream, spec string) (BlockCost, error) {
	cost := BlockCost{Optimizer: spec}
	set, err := train.MakeResident(stream, train.RandomSet(l.Block*l.Batch, l.Block*l.Batch, l.Classes))
	if err != nil {
		return cost, err
	}
	r, err := train.New(stream, set, l.job(spec))
	if err != nil {
		return cost, err
	}
	// timed walks over the pictures again and again, a block each time.
	timed := func(steps train.Steps, due func(step int) bool) (time.Duration, error) {
		batch := 0
		begin := func() error {
			batch = 0
			return steps.Begin()
		}
		return timeBlocks(stream, l.Block, l.Blocks, begin, func() error {
			batch++
			return steps.Program(due(batch - 1)).Run()
		})
	}
	if cost.Step, err = timed(r.TrainingSteps(), r.Optimizer().Due); err != nil {
		return cost, err
	}
	never := func(int) bool { return false }
	if cost.Evaluate, err = timed(r.ValidationSteps(), never); err != nil {
		return cost, err
	}
	cost.Families, cost.Nodes, err = profileStep(r, l.Blocks)
	return cost, err
}

// job is a run of the load.
func (l Load) job(spec string) record.Job {
	settings := l.Settings
	settings.Epochs, settings.Limit, settings.Protocol = 1, 0, record.ProtocolPilot
	return record.Job{Settings: settings, Dataset: "cifar10", Optimizer: spec}
}

// Throughput is the measured speed of several runs at once.
type Throughput struct {
	Runs            int     `json:"runs"`
	Steps           int     `json:"steps"` // that were measured, of all runs
	Seconds         float64 `json:"seconds"`
	StepsPerSecond  float64 `json:"steps_per_second"` // of all runs together
	ImagesPerSecond float64 `json:"images_per_second"`
	Memory          int64   `json:"memory_bytes"` // of the runs and the dataset, on the device
}

// Throughput measures the given number of runs at once, for about the given time. As in a
// study, each has its own stream and goroutine, and waits now and then to look at its
// losses. The runs take the optimizers in turn. The error is a *[gpu.OutOfMemory] if the
// device has too little memory for all of them.
func (l Load) Throughput(ctx context.Context, device gpu.Device, runs int, about time.Duration) (t Throughput, err error) {
	owner, err := device.NewStream()
	if err != nil {
		return t, err
	}
	defer func() { err = cmp.Or(err, owner.Close()) }()
	epoch := 4 * l.Block // steps: between epochs the host does more than in them
	set, err := train.MakeResident(owner, train.RandomSet(epoch*l.Batch, l.Batch, l.Classes))
	if err != nil {
		return t, err
	}
	var runners []*train.Trainer
	for i := range runs {
		stream, err := device.NewStream()
		if err != nil {
			return t, err
		}
		defer func() { err = cmp.Or(err, stream.Close()) }()
		r, err := train.New(stream, set, l.job(l.Optimizers[i%len(l.Optimizers)]))
		if err != nil {
			return t, err
		}
		runners = append(runners, r)
	}
	// The first round warms up and says how many rounds the time has room for.
	first, err := trainTogether(ctx, runners, 1)
	if err != nil {
		return t, err
	}
	rounds := max(1, int(about/first))
	took, err := trainTogether(ctx, runners, rounds)
	if err != nil {
		return t, err
	}
	t = Throughput{Runs: runs, Steps: runs * rounds * epoch, Seconds: took.Seconds(), Memory: device.Allocated()}
	t.StepsPerSecond = float64(t.Steps) / t.Seconds
	t.ImagesPerSecond = t.StepsPerSecond * float64(l.Batch)
	return t, nil
}

// trainTogether has each run do so many epochs of its own, all at once, and returns how
// long that took.
func trainTogether(ctx context.Context, runners []*train.Trainer, epochs int) (time.Duration, error) {
	failed := make([]error, len(runners))
	var workers sync.WaitGroup
	start := time.Now()
	for i, r := range runners {
		workers.Add(1)
		go func() {
			defer workers.Done()
			failed[i] = r.RepeatEpoch(ctx, epochs)
		}()
	}
	workers.Wait()
	return time.Since(start), errors.Join(failed...)
}

// Projection is the projected time of the pilot's study: 40 runs of 50 epochs on CIFAR-10,
// validated on the test pictures after each epoch.
type Projection struct {
	Runs        int     `json:"runs"`
	Steps       int     `json:"steps"`       // of a run
	Evaluations int     `json:"evaluations"` // batches of a run
	Parallel    int     `json:"parallel"`    // runs at once
	Seconds     float64 `json:"seconds"`
}

// Project returns the projected time of the pilot's study at the best of the throughputs.
// An evaluation batch counts as the part of a step that costs says it takes. Both slices
// must have at least one element.
func (l Load) Project(costs []BlockCost, throughputs []Throughput) Projection {
	const runs, epochs, trainPictures, testPictures = 40, 50, 50_000, 10_000
	batches := func(pictures int) int { return (pictures + l.Batch - 1) / l.Batch }
	p := Projection{Runs: runs, Steps: epochs * batches(trainPictures), Evaluations: epochs * batches(testPictures)}
	best := throughputs[0]
	for _, t := range throughputs {
		if t.StepsPerSecond > best.StepsPerSecond {
			best = t
		}
	}
	var step, evaluate time.Duration
	for _, c := range costs {
		step += c.Step
		evaluate += c.Evaluate
	}
	p.Parallel = best.Runs
	steps := float64(p.Steps) + float64(p.Evaluations)*evaluate.Seconds()/step.Seconds()
	p.Seconds = runs * steps / best.StepsPerSecond
	return p
}
