package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
)

// Study is datasets x seeds x optimizers, or datasets x tunings x seeds x arms.
type Study struct {
	record.Settings
	Datasets   []string
	Optimizers []optim.Rule // the first is the baseline
	Seeds      []int
	// Tunings are the optimizers of each of several independent tunings, in place of
	// Optimizers. Every tuning has as many seeds as Seeds, and none that another has: see
	// [record.TuningSeeds]. Seeds are then below record.SeedStride, or as far from where the seeds
	// of tuning begin.
	Tunings [][]optim.Rule
	Out     string // folder of the records, of a shard that of its own
	Data    data.Shelf
	Device  string // see devices.All
	Library string // see devices.Options
	// Parallel is how many runs go side by side on each device and Threads how many threads
	// each has. 0 lets the study choose: as many runs as there are processors
	// or runs, and the processors shared among them. On a GPU it is as many runs as its
	// memory takes, up to mostParallel. Neither changes a result.
	Parallel, Threads int

	// ValidationOnly leaves the test set alone, also where the protocol has one look at it.
	// Until is after how many epochs runs pause, with a checkpoint; 0 runs them to their
	// end. A tuning sets both.
	ValidationOnly bool
	Until          int
	// Later is how many epochs a tuning is to train in later stages, for the time left.
	Later int

	// KeepCheckpoints is how many checkpoints of each run stay, evenly spread over its epochs, for
	// an audit to go on from; see package audit. A checkpoint has the size of the parameters
	// and of what the optimizer keeps.
	KeepCheckpoints int

	// Profile has a profiler record a few steps of each run, op by op, on a device that
	// has something for it.
	Profile bool

	// Intent is what the study's plan says of its question. Where it has looks, Look is called
	// after the runs of each that others follow. It says which of the other runs are still needed,
	// and what was decided, in a sentence. look counts from 0.
	Intent Intent
	Look   func(look int) (needed func(record.Job) bool, said string, err error)

	// Shard is the part of the study that Run does; the zero value is all of it. The study's folder
	// is that above Out, and [record.Merge] joins the shards there.
	Shard record.Shard

	// Force has the study replace files in Out that are not its own.
	Force bool

	// tuned is what chose the optimizers' settings, or nil, and tuningTrials from
	// how many trials each, by its spec; arms are the names of the optimizers of Tunings. See Use.
	tuned        *record.Tuned
	tuningTrials map[string]int
	arms         []string
	planned      *record.Plan // see Register; nil without one
	// checkpointEvery is [train.Options.CheckpointEvery]; 0 for its default.
	checkpointEvery time.Duration
	held            bool // see Hold
}

// Jobs returns the runs in the order in which they are begun: for each dataset
// and seed all arms, so that pairs are complete early.
func (s *Study) Jobs() ([]train.Job, error) {
	tunings := s.Tunings
	if tunings == nil {
		tunings = [][]optim.Rule{s.Optimizers}
	}
	rules := slices.Concat(tunings...)
	if len(s.Datasets) == 0 || len(rules) == 0 || len(s.Seeds) == 0 {
		return nil, errors.New("a study needs at least one dataset, one optimizer and one seed")
	}
	var jobs []train.Job
	known := map[record.Job]bool{}
	if runs := int64(len(s.Datasets)) * int64(len(s.Seeds)) * int64(len(rules)); runs > MostRuns {
		return nil, fmt.Errorf("%d runs (datasets: %d, seeds: %d, optimizers: %d): a study has at most %d", runs, len(s.Datasets), len(s.Seeds), len(rules), MostRuns)
	}
	for _, dataset := range s.Datasets {
		// What is wrong with any of the arms is said before the first is trained.
		set, err := s.Data.Describe(dataset)
		if err != nil {
			return nil, err
		}
		if err := train.Check(s.Settings, set, rules); err != nil {
			return nil, err
		}
		for i, rules := range tunings {
			for _, seed := range record.TuningSeeds(s.Seeds, i+1) {
				if err := train.ValidateSeed(seed); err != nil {
					return nil, err
				}
				for arm, rule := range rules {
					job := train.NewJob(s.Settings, dataset, rule, seed)
					if known[job.Job] {
						return nil, fmt.Errorf("%s is in the study twice", job)
					}
					known[job.Job] = true
					if s.arms != nil {
						job.Arm, job.Tuning = s.arms[arm], i+1
					}
					jobs = append(jobs, job)
				}
			}
		}
	}
	return jobs, nil
}

// Arms returns the names of what the study compares, the baseline first.
func (s *Study) Arms() []string {
	if s.arms != nil {
		return s.arms
	}
	var arms []string
	for _, rule := range s.Optimizers {
		arms = append(arms, optim.Spec(rule))
	}
	return arms
}

// records returns what the records say of jobs.
func records(jobs []train.Job) []record.Job {
	all := make([]record.Job, len(jobs))
	for i, job := range jobs {
		all[i] = job.Job
	}
	return all
}

// MostRuns bounds a study: a report of more takes minutes.
const MostRuns = 100_000

// Folder returns the record's folder of the study's first run.
func (s *Study) Folder() (string, error) {
	jobs, err := s.Jobs()
	if err != nil {
		return "", err
	}
	return filepath.Abs(record.RunOf(s.Out, jobs[0].Job).Folder)
}

// ErrStopped says that a study was interrupted, and that each run that had begun has kept its
// checkpoint.
var ErrStopped = errors.New("stopped before its end; the same command goes on from here")

// Run does all runs that have not ended yet. A run that diverges is an outcome;
// any other failure stops the study after the runs beside it have kept their
// checkpoints.
func (s *Study) Run(ctx context.Context, observer Observer) (err error) {
	if observer == nil {
		observer = Silent{}
	}
	all, err := s.Jobs()
	if err != nil {
		return err
	}
	jobs, err := s.mine(all)
	if err != nil {
		return err
	}
	if !s.held {
		var release func() error
		if release, err = s.hold(ctx, func() error { return nil }); err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, release()) }()
	}
	said := make(chan struct{})
	unheard := context.AfterFunc(ctx, func() { observer.Stopping(); close(said) })
	defer func() {
		if !unheard() {
			<-said
		}
	}()

	left, ended, err := s.left(ctx, jobs)
	if err != nil && onlyInterrupted(err) {
		return fmt.Errorf("study %s: %w", s.Out, ErrStopped)
	}
	if err != nil {
		return err
	}
	extent, err := s.extent(records(jobs), records(left))
	if err != nil {
		return err
	}
	if s.Profile && len(left) == 0 {
		return fmt.Errorf("nothing for a profiler to record: all runs in %s have ended; choose another folder with --out", s.Out)
	}
	parallel, threads := s.share(len(left))
	for _, job := range left {
		if err := optim.CheckDevice(job.Rule, s.Device); err != nil {
			return fmt.Errorf("optimizer %s: %w", job.Rule.Name(), err)
		}
	}
	sites, err := s.open(threads, len(left), observer)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, closeAll(sites)) }()
	ledger, err := record.OpenLedger(s.Out)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, ledger.Close()) }()
	if extent.Plan, err = ledger.Plan(records(all), s.tuned, train.ThisBuild()); err != nil {
		return err
	}
	if err := ledger.Reconcile(ended); err != nil {
		return err
	}
	err = s.inLooks(ctx, jobs, left, extent, ledger, observer, func(left []train.Job) error {
		return s.runAll(ctx, sites, left, parallel, &chronicle{ledger: ledger, study: s.Out}, observer)
	})
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case onlyInterrupted(err):
		return fmt.Errorf("study %s: %w", s.Out, ErrStopped)
	}
	return fmt.Errorf("study %s: stopped before its end. %w. The same command goes on, each run from the checkpoint that it has", s.Out, err)
}

// inLooks does the runs that are left up to each planned look, and then, of the others, those
// that are still needed. Runs that are in no plan come after the last look.
func (s *Study) inLooks(ctx context.Context, jobs, left []train.Job, extent Extent, ledger *record.Ledger, observer Observer, run func([]train.Job) error) error {
	for look := 0; ; look++ {
		observer.Study(extent)
		now, later := s.upTo(look, left)
		if len(now) > 0 {
			if err := run(now); err != nil {
				return err
			}
		}
		if len(later) == 0 || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		needed, said, err := s.Look(look)
		if err != nil {
			return err
		}
		observer.Look(said)
		needless := map[record.Job]bool{}
		for _, job := range later {
			needless[job.Job] = !needed(job.Job)
		}
		drop := func(job train.Job) bool { return needless[job.Job] }
		left, jobs = slices.DeleteFunc(later, drop), slices.DeleteFunc(jobs, drop)
		plan := extent.Plan
		if extent, err = s.extent(records(jobs), records(left)); err != nil {
			return err
		}
		extent.Plan = plan
		if err := ledger.Looked(len(jobs), extent.Steps); err != nil {
			return err
		}
	}
}

// upTo divides jobs into those of the units up to a look and the others. After the last look, or
// without any, all are the first.
func (s *Study) upTo(look int, jobs []train.Job) (first, others []train.Job) {
	if s.planned == nil || look >= len(s.planned.Looks) {
		return jobs, nil
	}
	units := map[int]bool{}
	for _, unit := range s.planned.Units()[:s.planned.Looks[look]] {
		units[unit] = true
	}
	for _, job := range jobs {
		unit := job.Seed
		if s.planned.Tunings > 1 {
			unit = job.Tuning
		}
		if units[unit] {
			first = append(first, job)
		} else {
			others = append(others, job)
		}
	}
	return first, others
}

// onlyInterrupted says whether an error has no other cause than that a context ended.
func onlyInterrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// extent is what the study has to do if those jobs are left of all.
func (s *Study) extent(jobs, left []record.Job) (Extent, error) {
	e := Extent{Jobs: jobs, Ended: len(jobs) - len(left)}
	steps := map[string]int{} // of a run, by dataset: all else is the same
	for _, job := range jobs {
		n, known := steps[job.Dataset]
		if !known {
			set, err := s.Data.Describe(job.Dataset)
			if err != nil {
				return e, err
			}
			if n, err = train.StepsOf(job, set); err != nil {
				return e, err
			}
			e.Later = n / s.Epochs * s.Later
			n = s.untilPause(n)
			steps[job.Dataset] = n
		}
		e.Steps += n
		e.Done += n
	}
	for _, job := range left {
		e.Done -= steps[job.Dataset]
	}
	return e, nil
}

// untilPause returns how many of a run's steps come before it is to pause.
func (s *Study) untilPause(steps int) int {
	if s.Until > 0 {
		return steps / s.Epochs * min(s.Until, s.Epochs)
	}
	return steps
}

// left returns the jobs without an end. Nothing in the study's folder may be wrong that its
// report would refuse, and a run that needs nothing more must have had the settings of its job.
// ended are the records, see [record.CheckStudyContext].
func (s *Study) left(ctx context.Context, jobs []train.Job) (left []train.Job, ended map[string]record.Event, err error) {
	ended, wrong, err := record.CheckStudyContext(ctx, os.DirFS(s.Out), s.Out)
	if err != nil {
		return nil, nil, err
	}
	wrong = slices.DeleteFunc(wrong, func(p record.Problem) bool { // Run writes these anew
		return p.Place == filepath.Join(s.Out, record.StudyFile) || s.tuned != nil && p.Place == filepath.Join(s.Out, record.TunedFile)
	})
	if len(wrong) > 0 {
		return nil, nil, wrong
	}
	if err := s.sameRules(ctx, jobs); err != nil {
		return nil, nil, err
	}
	if err := s.sameTuning(ctx, jobs); err != nil {
		return nil, nil, err
	}
	if err := s.sameData(ctx); err != nil {
		return nil, nil, err
	}
	for _, job := range jobs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		run := record.RunOf(s.Out, job.Job)
		_, end, err := run.Final()
		if err != nil {
			return nil, nil, err
		}
		if !end && s.Until > 0 {
			epochs, err := run.Epochs()
			if err != nil {
				return nil, nil, err
			}
			end = len(epochs) >= s.Until
		}
		if end {
			if err := run.Chosen(record.Config{Job: job.Job, OptimizerSettings: optim.Settings(job.Rule), Rule: optim.Source(job.Rule), Data: (*record.Origin)(s.Data.Origin(job.Dataset))}); err != nil {
				return nil, nil, err
			}
			continue
		}
		left = append(left, job)
	}
	return left, ended, nil
}

// sameData refuses datasets of which the study's folder has another content, split or scaling under
// the same short name.
func (s *Study) sameData(ctx context.Context) error {
	begun, err := record.BegunRuns(ctx, s.Out)
	if err != nil {
		return err
	}
	for _, run := range begun {
		was, _, own := strings.Cut(run.Dataset, "@")
		for _, name := range s.Datasets {
			if is, _, _ := strings.Cut(name, "@"); own && is == was && !slices.Contains(s.Datasets, run.Dataset) {
				return fmt.Errorf("%s holds runs on the dataset %s, and it is %s now: its content, split or scaling has changed; take back what config.json of those runs has under \"data\", or choose another folder with --out",
					s.Out, run.Dataset, name)
			}
		}
	}
	return nil
}

// runAll does the jobs, parallel at a time on each device. A free device takes the next run,
// so that a faster one does more of them. The first failure that is not a device's own stops
// the others at their next step.
func (s *Study) runAll(ctx context.Context, sites []*site, jobs []train.Job, parallel int, chronicle *chronicle, observer Observer) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kinds, err := s.begunKinds(ctx, sites)
	if err != nil {
		return err
	}
	queue := newQueue(sites, jobs, kinds)
	var workers sync.WaitGroup
	var mutex sync.Mutex
	var failed error // the first that is no interruption, also of a run that could not stop in order
	fail := func(err error) {
		stop(err)
		if !onlyInterrupted(err) {
			mutex.Lock()
			failed = cmp.Or(failed, err)
			mutex.Unlock()
		}
	}
	each := func(do func(*site)) {
		for _, d := range sites {
			if d.left() == nil {
				workers.Add(1)
				go func() {
					defer workers.Done()
					do(d)
				}()
			}
		}
		workers.Wait()
	}
	for _, d := range sites {
		d.ctx, d.stop = context.WithCancel(ctx)
		defer context.AfterFunc(d.ctx, queue.wake)()
	}
	each(func(d *site) {
		if err := s.prepare(d, jobs, parallel, len(sites) == 1, chronicle); fails(err) {
			d.leave(err)
		} else if err != nil {
			fail(err)
		}
	})
	each(func(d *site) {
		for range min(d.room, len(jobs)) {
			workers.Add(1)
			go func() {
				defer workers.Done()
				s.work(d, queue, chronicle, observer, fail)
			}()
		}
	})
	for _, d := range sites {
		if err := d.unprepare(); err != nil {
			d.leave(err)
		}
	}
	if failed == nil {
		failed = lost(sites)
	}
	if failed == nil && ctx.Err() == nil {
		failed = queue.unserved()
	}
	return cmp.Or(failed, context.Cause(ctx))
}

// work does runs on a device until there are no more for it.
func (s *Study) work(d *site, queue *queue, chronicle *chronicle, observer Observer, fail func(error)) {
	for job := queue.next(d); job != nil; job = queue.next(d) {
		err := s.runOne(d.ctx, d.runs, d.sets, *job, chronicle, observer)
		if err != nil {
			err = fmt.Errorf("%s: %w", *job, err)
		}
		if gpu.IsFault(err) {
			d.leave(err)
		}
		again := false
		if d.left() != nil && (gpu.IsFault(err) || onlyInterrupted(err)) {
			_, ended, wrong := record.RunOf(s.Out, job.Job).Final()
			again, err = !ended && wrong == nil, wrong
		}
		queue.done(d, job, again)
		if err != nil {
			fail(err)
		}
	}
}

// runOne does one run on a stream of its own, from where its record's checkpoint is, and
// records how it ended.
func (s *Study) runOne(ctx context.Context, runs *runners, sets *residents, job train.Job, chronicle *chronicle, observer Observer) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun := false
	defer func() {
		if !begun && err != nil {
			err = chronicle.unbegun(job.Job, err)
		}
	}()
	set, err := sets.get(job.Dataset)
	if err != nil {
		return err
	}
	trainer, err := runs.make(ctx, set, job)
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
	run, err := record.RunOf(s.Out, job.Job).Claim(config)
	if err != nil {
		return err
	}
	position, there, err := run.ReadCheckpoint(trainer.ReadTensors)
	if err != nil {
		return err
	}
	if there {
		trainer.Position = position
	}

	entry, err := chronicle.begin(run.Run, config, trainer.Step)
	if err != nil {
		return err
	}
	begun = true
	seen := observer.Run(job.Job, config, trainer.Step, s.untilPause(config.Steps))
	final, err := trainer.Train(ctx, &keeper{run: run, trainer: trainer.Trainer, extra: s.KeepCheckpoints, expected: config.Epochs, ledger: chronicle.ledger}, seen)
	if err == nil && final.Status != record.Paused {
		final.Build = config.Build
		if err = run.WriteEpochs(trainer.Epochs); err == nil {
			err = run.Finish(final, func(what record.Happening, e record.Event) error { return entry.end(what, e, trainer.Step) })
		}
	} else if err == nil || ctx.Err() != nil {
		err = cmp.Or(err, entry.halt(trainer.Step))
	}
	if err != nil && !onlyInterrupted(err) {
		err = cmp.Or(err, entry.fail(err, trainer.Step))
	}
	switch {
	case err == nil:
		seen.End(final)
	case onlyInterrupted(err), gpu.IsFault(err): // which is said of the device
		seen.Stopped(kept(run), nil)
	default:
		seen.Stopped(kept(run), err)
	}
	if err == nil && trainer.Profiler != nil {
		err = fmt.Errorf("its record is complete, but no step was recorded for a profiler: that takes more than %d steps", train.ProfileAfter)
	}
	return err
}

// kept returns the step of the checkpoint that a run has on the disk, 0 for none.
func kept(run record.Claimed) int {
	position, there, err := run.ReadCheckpoint(func(tensors io.Reader) error {
		_, err := io.Copy(io.Discard, tensors)
		return err
	})
	if err != nil || !there {
		return 0
	}
	return position.Step
}

// residents are the datasets on a study's device, loaded when first asked for.
type residents struct {
	ctx    context.Context
	stream gpu.Stream // owns their memory
	shelf  data.Shelf

	mutex sync.Mutex
	sets  map[string]*train.Resident
}

func (r *residents) get(name string) (*train.Resident, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if set, ok := r.sets[name]; ok {
		return set, nil
	}
	set, err := train.Load(r.ctx, r.shelf, name)
	if err != nil {
		return nil, err
	}
	resident, err := train.MakeResident(r.stream, set)
	if err == nil {
		r.sets[name] = resident
	}
	return resident, err
}
