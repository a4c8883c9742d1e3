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
	"diaghess/train/record"
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

// runners makes the runs of a study, each on a stream of its own.
type runners struct {
	device gpu.Device

	// making is held by all that make a run, and alone by one for which there was no memory: then
	// it is known how many have found room.
	making sync.RWMutex

	mutex   sync.Mutex
	running int
	ready   map[record.Job]running // made before their turn
}

// running is a trainer with the stream that owns its memory.
type running struct {
	*train.Trainer
	stream gpu.Stream
}

// make makes a run, or nothing.
func (r *runners) make(ctx context.Context, set *train.Resident, job train.Job) (running, error) {
	r.mutex.Lock()
	run, ok := r.ready[job.Job]
	delete(r.ready, job.Job)
	r.mutex.Unlock()
	if ok {
		return run, nil
	}
	r.making.RLock()
	run, err := r.new(ctx, set, job)
	r.making.RUnlock()
	if !errors.As(err, new(*gpu.OutOfMemory)) {
		return run, err
	}
	// Memory may have gone to another run in the making that found no room either.
	r.making.Lock()
	defer r.making.Unlock()
	run, err = r.new(ctx, set, job)
	return run, r.noRoom(err)
}

// new makes a run's stream and trainer.
func (r *runners) new(ctx context.Context, set *train.Resident, job train.Job) (running, error) {
	if err := ctx.Err(); err != nil { // while others were made
		return running{}, err
	}
	stream, err := r.device.NewStream()
	if err != nil {
		return running{}, err
	}
	trainer, err := train.New(stream, set, job)
	if err != nil {
		stream.Close() // the first error tells more than what may follow from it
		return running{}, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.running++
	return running{trainer, stream}, nil
}

// close gives a run's memory back.
func (r *runners) close(run running, err *error) {
	*err = cmp.Or(*err, run.stream.Close())
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.running--
}

// closeReady closes the runs whose turn never came.
func (r *runners) closeReady(err *error) {
	for job, run := range r.ready {
		delete(r.ready, job)
		r.close(run, err)
	}
}

// noRoom adds to an error for want of memory how many runs have room.
func (r *runners) noRoom(err error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case !errors.As(err, new(*gpu.OutOfMemory)):
		return err
	case r.running == 0:
		return fmt.Errorf("%w: not even one run fits: a smaller --batch or --model needs less", err)
	}
	return fmt.Errorf("%w: use --parallel %d, so many fit side by side; the same command goes on from here", err, r.running)
}

// mostParallel bounds the runs side by side on a GPU: it has as many queues in hardware, and a
// stream that shares one waits for the other.
const mostParallel = 32

// room returns how many runs a device with memory of its own has room for, measured by
// the second of two: with the first come what all of them share, the dataset and the
// code of kernels and libraries. Both are kept for their turn.
func (s *Study) room(ctx context.Context, runs *runners, meter gpu.Meter, sets *residents, jobs []train.Job, chronicle *chronicle) (n int, err error) {
	runs.ready = map[record.Job]running{}
	var free [2]int64
	for i, job := range jobs[:len(free)] {
		set, err := sets.get(job.Dataset)
		if err != nil {
			return 0, chronicle.unbegun(job.Job, err)
		}
		run, err := runs.make(ctx, set, job)
		switch {
		case i > 0 && errors.As(err, new(*gpu.OutOfMemory)):
			return 1, nil
		case err != nil:
			return 0, fmt.Errorf("%s: %w", job, chronicle.unbegun(job.Job, err))
		}
		runs.ready[job.Job] = run
		if free[i], _, err = meter.Memory(); err != nil {
			return 0, err
		}
	}
	// A tenth stays free: another optimizer may have more slots, another dataset come.
	each := max(1, free[0]-free[1])
	return inRounds(len(jobs), int(min(1+free[0]*9/10/each, mostParallel, int64(len(jobs))))), nil
}

// inRounds returns how many of some runs to train at once, up to most: in as few rounds as there
// must be, of equal size. A few runs in a last round would leave most of the device idle.
func inRounds(runs, most int) int {
	rounds := (runs + most - 1) / most
	return (runs + rounds - 1) / rounds
}
