package bench

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"diaghess/gpu"
	"diaghess/train"
	"diaghess/train/record"
)

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
func (w Workload) Throughput(ctx context.Context, device gpu.Device, runs int, about time.Duration) (t Throughput, err error) {
	owner, err := device.NewStream()
	if err != nil {
		return t, err
	}
	defer func() { err = cmp.Or(err, owner.Close()) }()
	epoch := 4 * w.Block // steps: between epochs the host does more than in them
	set, err := w.pictures(owner, epoch, 1)
	if err != nil {
		return t, err
	}
	var trainers []*train.Trainer
	for i := range runs {
		stream, err := device.NewStream()
		if err != nil {
			return t, err
		}
		defer func() { err = cmp.Or(err, stream.Close()) }()
		r, err := w.trainer(stream, set, w.Optimizers[i%len(w.Optimizers)])
		if err != nil {
			return t, err
		}
		trainers = append(trainers, r)
	}
	// The first round warms up and says how many rounds the time has room for.
	first, err := trainTogether(ctx, trainers, epoch, 1)
	if err != nil {
		return t, err
	}
	rounds := max(1, int(about/first))
	took, err := trainTogether(ctx, trainers, epoch, rounds)
	if err != nil {
		return t, err
	}
	t = Throughput{Runs: runs, Steps: runs * rounds * epoch, Seconds: took.Seconds(), Memory: device.Allocated()}
	t.StepsPerSecond = float64(t.Steps) / t.Seconds
	t.ImagesPerSecond = t.StepsPerSecond * float64(w.Batch)
	return t, nil
}

// trainTogether has all runs at once train their first epoch, of so many steps, again and
// again, and returns how long that took.
func trainTogether(ctx context.Context, trainers []*train.Trainer, epoch, times int) (time.Duration, error) {
	took, err := gpu.Time(ctx, 1, gpu.Timed{Do: func() error {
		failed := make([]error, len(trainers))
		var workers sync.WaitGroup
		for i, r := range trainers {
			workers.Add(1)
			go func() {
				defer workers.Done()
				for range times {
					r.Position = record.Position{} // the schedule has no steps after those of its epochs
					if failed[i] = r.Advance(ctx, epoch); failed[i] != nil {
						return
					}
				}
			}()
		}
		workers.Wait()
		return errors.Join(failed...)
	}})
	if err != nil {
		return 0, err
	}
	return took[0][0], nil
}
