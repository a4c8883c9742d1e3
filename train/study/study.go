package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/devices"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/lock"
	"diaghess/train/record"
)

// Study is datasets x seeds x optimizers.
type Study struct {
	record.Settings
	Datasets   []string
	Optimizers []string // specs; the first is the baseline
	Seeds      []int
	Out        string // folder of the records
	Data       string // folder of the datasets, see data.Dir
	Device     string // see devices.Options
	Library    string // see devices.Options
	// Parallel is how many runs go side by side and Threads how many threads
	// each has. 0 lets the study choose: as many runs as there are processors
	// or runs, and the processors shared among them. On a GPU it is as many runs as its
	// memory takes, up to mostParallel. Neither changes a result.
	Parallel, Threads int

	// ValidationOnly leaves the test set alone, also where the protocol has one look at it.
	// Until is after how many epochs runs pause, with a checkpoint; 0 runs them to their
	// end. A tuning sets both.
	ValidationOnly bool
	Until          int

	// Profile has a profiler record a few steps of each run, op by op, on a device that
	// has something for it.
	Profile bool

	// tuned is what chose the optimizers' settings, or nil, and tuningTrials from
	// how many trials each, by its spec; see Use.
	tuned        *record.Tuned
	tuningTrials map[string]int
	// checkpointEvery is [train.Options.CheckpointEvery]; 0 for its default.
	checkpointEvery time.Duration
}

// Jobs returns the runs in the order in which they are begun: for each dataset
// and seed all arms, so that pairs are complete early.
func (s *Study) Jobs() ([]record.Job, error) {
	if len(s.Datasets) == 0 || len(s.Optimizers) == 0 || len(s.Seeds) == 0 {
		return nil, errors.New("a study needs at least one dataset, one optimizer and one seed")
	}
	var arms []string
	for _, spec := range s.Optimizers {
		rule, err := optim.Parse(spec)
		if err != nil {
			return nil, err
		}
		arm := optim.Spec(rule)
		if slices.Contains(arms, arm) {
			return nil, fmt.Errorf("optimizer %s is in the study twice", arm)
		}
		arms = append(arms, arm)
	}
	var jobs []record.Job
	for _, dataset := range s.Datasets {
		for _, seed := range s.Seeds {
			for _, arm := range arms {
				job := record.Job{Settings: s.Settings, Dataset: dataset, Optimizer: arm, Seed: seed}
				if err := train.Validate(job); err != nil {
					return nil, err
				}
				if slices.Contains(jobs, job) {
					return nil, fmt.Errorf("%s is in the study twice", job)
				}
				jobs = append(jobs, job)
			}
		}
	}
	return jobs, nil
}

// Folder returns the record's folder of the study's first run.
func (s *Study) Folder() (string, error) {
	jobs, err := s.Jobs()
	if err != nil {
		return "", err
	}
	return filepath.Abs(record.RunOf(s.Out, jobs[0]).Folder)
}

// ErrStopped says that a study was interrupted.
var ErrStopped = errors.New("stopped before its end; the same command goes on from here")

// Run does all runs that have not ended yet. A run that diverges is an outcome;
// any other failure stops the study after the runs beside it have kept their
// checkpoints.
func (s *Study) Run(ctx context.Context, observer Observer) (err error) {
	if observer == nil {
		observer = Silent{}
	}
	jobs, err := s.Jobs()
	if err != nil {
		return err
	}
	lock, err := lockStudy(ctx, s.Out)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, lock.Close()) }()

	left, err := s.left(jobs)
	if err != nil {
		return err
	}
	if s.Profile && len(left) == 0 {
		return fmt.Errorf("nothing for a profiler to record: all runs in %s have ended; choose another folder with --out", s.Out)
	}
	parallel, threads := s.share(len(left))
	device, err := devices.Open(devices.Options{Name: s.Device, Threads: threads, Library: s.Library, Math: s.Math})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, device.Close()) }()
	if err := record.WriteStudy(s.Out, jobs); err != nil {
		return err
	}
	if s.tuned != nil {
		if err := s.tuned.Write(filepath.Join(s.Out, record.TunedFile)); err != nil {
			return err
		}
	}
	observer.Study(jobs, len(jobs)-len(left))
	if err := s.runAll(ctx, device, left, parallel, observer); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("study %s: %w", s.Out, ErrStopped)
		}
		return err
	}
	return nil
}

// lockPatience is how long a study waits for another process to leave it: a
// killed one holds its lock until the system has taken its memory back.
const lockPatience = 2 * time.Second

// lockStudy sees to it that one process at a time works on a study.
func lockStudy(ctx context.Context, folder string) (held *lock.Lock, err error) {
	if err = os.MkdirAll(folder, 0o755); err == nil {
		patience, cancel := context.WithTimeout(ctx, lockPatience)
		defer cancel()
		held, err = lock.Take(patience, filepath.Join(folder, ".lock"), nil)
	}
	if err == nil {
		return held, nil
	}
	remedy := "choose another folder with --out"
	if errors.Is(err, lock.ErrHeld) {
		remedy = "wait for it, or " + remedy
	}
	return nil, fmt.Errorf("study %s: %w; %s", folder, err, remedy)
}

// left returns the jobs without an end. A run that has ended must have had the
// settings of its job.
func (s *Study) left(jobs []record.Job) ([]record.Job, error) {
	var left []record.Job
	for _, job := range jobs {
		run := record.RunOf(s.Out, job)
		_, ended, err := run.Final()
		if err != nil {
			return nil, err
		}
		if ended {
			rule, err := optim.Parse(job.Optimizer)
			if err != nil {
				return nil, err
			}
			if err := run.Chosen(record.Config{Job: job, OptimizerSettings: optim.Settings(rule)}); err != nil {
				return nil, err
			}
			continue
		}
		if s.Until > 0 {
			epochs, err := run.Epochs()
			if err != nil {
				return nil, err
			}
			if len(epochs) >= s.Until {
				continue
			}
		}
		left = append(left, job)
	}
	return left, nil
}

// runAll does the jobs, parallel at a time. The first failure stops the others
// at their next step.
func (s *Study) runAll(ctx context.Context, device gpu.Device, jobs []record.Job, parallel int, observer Observer) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, stream.Close()) }()
	sets := &residents{ctx: ctx, stream: stream, folder: s.Data, sets: map[string]*train.Resident{}}
	runs := &runners{device: device}
	if meter, ok := device.(gpu.Meter); ok && s.Parallel == 0 && len(jobs) > 1 {
		if parallel, err = s.room(runs, meter, sets, jobs); err != nil {
			return err
		}
	}
	queue := make(chan record.Job)
	var workers sync.WaitGroup
	for range parallel {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for job := range queue {
				if err := s.runOne(ctx, runs, sets, job, observer); err != nil {
					stop(fmt.Errorf("%s: %w", job, err))
				}
			}
		}()
	}
	for _, job := range jobs {
		if ctx.Err() != nil {
			break
		}
		select {
		case queue <- job:
		case <-ctx.Done():
		}
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}

// runOne does one run on a stream of its own, from where its record's checkpoint is, and
// records how it ended.
func (s *Study) runOne(ctx context.Context, runs *runners, sets *residents, job record.Job, observer Observer) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	set, err := sets.get(job.Dataset)
	if err != nil {
		return err
	}
	trainer, err := runs.make(set, job)
	if err != nil {
		return err
	}
	defer runs.close(trainer, &err)
	trainer.Until, trainer.ValidationOnly = s.Until, s.ValidationOnly
	trainer.CheckpointEvery = cmp.Or(s.checkpointEvery, trainer.CheckpointEvery)
	if s.Profile {
		if trainer.Profiler, err = train.TracerOf(trainer.stream); err != nil {
			return err
		}
	}
	config := trainer.Config()
	config.TuningTrials, config.Build = s.tuningTrials[job.Optimizer], train.ThisBuild()
	run := record.RunOf(s.Out, job)
	if err := run.Claim(config); err != nil {
		return err
	}
	position, there, err := run.ReadCheckpoint(trainer.ReadTensors)
	if err != nil {
		return err
	}
	if there {
		trainer.Position = position
	}

	seen := observer.Run(job, config, trainer.Step, config.Steps)
	final, err := trainer.Train(ctx, run, seen)
	if err == nil && final.Status != record.Paused {
		final.Build = config.Build
		if err = run.WriteEpochs(trainer.Epochs); err == nil {
			err = run.Finish(final)
		}
	}
	if err != nil {
		final = record.Final{}
	}
	seen.End(final)
	if err == nil && trainer.Profiler != nil {
		err = fmt.Errorf("its record is complete, but no step was recorded for a profiler: that takes more than %d steps", train.ProfileAfter)
	}
	return err
}

// residents are the datasets on a study's device, loaded when first asked for.
type residents struct {
	ctx    context.Context
	stream gpu.Stream // owns their memory
	folder string

	mutex sync.Mutex
	sets  map[string]*train.Resident
}

func (r *residents) get(name string) (*train.Resident, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if set, ok := r.sets[name]; ok {
		return set, nil
	}
	set, err := data.Load(r.ctx, r.folder, name)
	if err != nil {
		return nil, err
	}
	resident, err := train.MakeResident(r.stream, set)
	if err == nil {
		r.sets[name] = resident
	}
	return resident, err
}
