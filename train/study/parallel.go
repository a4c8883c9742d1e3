package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"diaghess/gpu"
	"diaghess/train"
)

// share divides the processors among runs. A run has its threads to its end, also where
// the last runs leave processors free: train_time is compared between paired runs.
func (s *Study) share(runs int) (parallel, threads int) {
	processors := runtime.GOMAXPROCS(0)
	parallel = s.Parallel
	if parallel == 0 {
		parallel = processors / max(1, s.Threads)
	}
	parallel = max(1, min(parallel, runs))
	threads = s.Threads
	if threads == 0 {
		threads = max(1, processors/parallel)
	}
	return parallel, threads
}

// runners makes the runs of a study, each on a stream of its own, one at a time: where
// memory ends, it is known how many have found room.
type runners struct {
	device gpu.Device

	mutex   sync.Mutex
	running int
}

// running is a trainer with the stream that owns its memory.
type running struct {
	*train.Trainer
	stream gpu.Stream
}

// make makes a run, or nothing.
func (r *runners) make(ctx context.Context, set *train.Resident, job train.Job) (running, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := ctx.Err(); err != nil { // while others were made
		return running{}, err
	}
	stream, err := r.device.NewStream()
	if err != nil {
		return running{}, r.noRoom(err)
	}
	trainer, err := train.New(stream, set, job)
	if err != nil {
		stream.Close() // the first error tells more than what may follow from it
		return running{}, r.noRoom(err)
	}
	r.running++
	return running{trainer, stream}, nil
}

// close gives a run's memory back.
func (r *runners) close(run running, err *error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	*err = cmp.Or(*err, run.stream.Close())
	r.running--
}

// noRoom adds to an error for want of memory how many runs have room.
func (r *runners) noRoom(err error) error {
	var full *gpu.OutOfMemory
	switch {
	case !errors.As(err, &full):
		return err
	case r.running == 0:
		return fmt.Errorf("%w: not even one run fits: a smaller --batch or --model needs less", err)
	}
	return fmt.Errorf("%w: use --parallel %d, so many fit side by side; the same command goes on from here", err, r.running)
}

// mostParallel bounds the runs side by side on a GPU: more of them have nothing left to
// add to its use.
const mostParallel = 40

// room returns how many runs a device with memory of its own has room for, measured by
// the second of two: with the first come what all of them share, the dataset and the
// code of kernels and libraries.
func (s *Study) room(ctx context.Context, runs *runners, meter gpu.Meter, sets *residents, jobs []train.Job) (n int, err error) {
	set, err := sets.get(jobs[0].Dataset)
	if err != nil {
		return 0, err
	}
	var free [2]int64
	for i := range free {
		var run running
		run, err = runs.make(ctx, set, jobs[0])
		var full *gpu.OutOfMemory
		switch {
		case i > 0 && errors.As(err, &full):
			return 1, nil
		case err != nil:
			return 0, fmt.Errorf("%s: %w", jobs[0], err)
		}
		defer runs.close(run, &err)
		if free[i], _, err = meter.Memory(); err != nil {
			return 0, err
		}
	}
	// A tenth stays free: another optimizer may have more slots, another dataset come.
	each := max(1, free[0]-free[1])
	return int(min(1+free[0]*9/10/each, mostParallel, int64(len(jobs)))), nil
}
