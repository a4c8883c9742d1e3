package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim"
	"diaghess/train/record"
)

// Trainer is a run in memory: the network, its optimizer and its passes, bound
// to a stream.
type Trainer struct {
	Options
	job       record.Job
	config    record.Config
	stream    gpu.Stream
	network   *layers.Network
	optimizer *optim.Optimizer
	parts     parts

	batches                    map[int]*layers.Batch // by size
	training, validation, test *pass                 // test is nil where validation is of the test set

	record.Position
	stepParts    *record.StepParts // of a step of the running epoch, once it has been timed
	epochStart   time.Time         // of the running epoch, or of going on with it
	checkpointed time.Time
	warm         int // steps done since the run was made
}

// Options are how a run goes. None of them changes a result.
type Options struct {
	// Until is after how many epochs the run pauses; 0 trains it to its end.
	Until int
	// ValidationOnly leaves the test set alone, also where the protocol has one look at it.
	ValidationOnly bool
	// CheckpointEvery is how much work a killed process loses at most.
	CheckpointEvery time.Duration
	// Profiler is to watch some steps; nil for none, and once it has.
	Profiler gpu.Tracer
}

// Keeper keeps what a run must not lose; see [record.Run].
type Keeper interface {
	// WriteEpochs is called after an epoch's validation with all epochs so far.
	WriteEpochs([]record.Epoch) error
	// WriteCheckpoint is called with where the run is, and a function that writes the
	// tensors, now and then and where the run is interrupted or pauses.
	WriteCheckpoint(record.Position, func(io.Writer) error) error
}

// Watcher is told how a run goes. Its methods are called from one goroutine.
type Watcher interface {
	// Step is called after a step on so many pictures.
	Step(pictures int)
	// Epoch is called after an epoch's validation.
	Epoch(record.Epoch)
}

// Silent is a Watcher that does nothing.
type Silent struct{}

func (Silent) Step(int)           {}
func (Silent) Epoch(record.Epoch) {}

// defaultCheckpointEvery is [Options.CheckpointEvery] of a new trainer.
const defaultCheckpointEvery = 30 * time.Second

// waitEvery is how many steps may be queued on a device before the host waits
// for them and looks at their losses.
const waitEvery = 16

// New makes everything that a run needs: after it nothing is allocated on the
// device. It returns a [gpu.OutOfMemory] error where there is not enough memory for that.
func New(stream gpu.Stream, set *Resident, job record.Job) (*Trainer, error) {
	r := &Trainer{Options: Options{CheckpointEvery: defaultCheckpointEvery}, job: job, stream: stream, batches: map[int]*layers.Batch{}}
	rule, err := optim.Parse(job.Optimizer)
	if err != nil {
		return nil, err
	}
	if r.parts, err = split(job.Settings, set.name, set.train.pictures, set.test.pictures); err != nil {
		return nil, err
	}
	chain, err := layers.Model(job.Model, set.classes)
	if err != nil {
		return nil, err
	}
	seed := uint64(job.Seed)
	if r.network, err = layers.New(stream, set.input, chain, seed); err != nil {
		return nil, err
	}
	stepsPerEpoch := (len(r.parts.train) + job.Batch - 1) / job.Batch
	length := optim.Length{Steps: stepsPerEpoch * job.Epochs, StepsPerEpoch: stepsPerEpoch}
	r.network.Retain = optim.CurvatureOf(rule).Retains()
	if r.optimizer, err = optim.ForNetwork(r.network, rule, length, seed); err != nil {
		return nil, err
	}
	if err := r.makePasses(set, seed); err != nil {
		return nil, err
	}

	full, err := r.bind(min(job.Batch, len(r.parts.train)))
	if err != nil {
		return nil, err
	}
	r.config = record.Config{
		Job: job, OptimizerSettings: optim.Settings(rule),
		TrainPictures: len(r.parts.train), ValPictures: len(r.parts.validation), TestPictures: len(r.parts.test),
		Parameters: r.network.Trainable(), Steps: length.Steps,
		Device: stream.Device().Name(), Machine: stream.Device().Description(), Algorithms: full.Algorithms(),
	}
	return r, nil
}

// bind returns the network bound to batches of a size, the same each time.
func (r *Trainer) bind(size int) (*layers.Batch, error) {
	if b, ok := r.batches[size]; ok {
		return b, nil
	}
	b, err := r.network.Bind(size)
	if err == nil {
		r.batches[size] = b
	}
	return b, err
}

// makePasses records and compiles the programs of training and evaluation.
func (r *Trainer) makePasses(set *Resident, seed uint64) error {
	var err error
	r.training, err = newPass(r.stream, set.train, len(r.parts.train), r.job.Batch, set.classes, r.optimizer.State)
	if err != nil {
		return fmt.Errorf("training pass: %w", err)
	}
	r.training.augment, r.training.seed = r.job.Augment, seed
	training := func(estimate bool) body {
		return func(rec *gpu.Recorder, b *layers.Batch) error {
			b.DrawMasks(rec, seed, r.optimizer.State)
			b.Forward(rec, true)
			b.Loss(rec, float32(r.job.LabelSmoothing), true)
			b.Backward(rec, r.network.Gradients)
			if estimate {
				if err := r.optimizer.RecordEstimate(rec, b); err != nil {
					return err
				}
			}
			return r.optimizer.Record(rec)
		}
	}
	estimating := training(true)
	if !r.optimizer.Estimates() {
		estimating = nil
	}
	if err = r.training.compile(r.bind, set, training(false), estimating); err != nil {
		return fmt.Errorf("training pass: %w", err)
	}

	from := set.train
	if r.parts.validateOnTest {
		from = set.test
	}
	if r.validation, err = r.evaluation(set, from, len(r.parts.validation)); err != nil {
		return fmt.Errorf("validation pass: %w", err)
	}
	if len(r.parts.test) > 0 {
		if r.test, err = r.evaluation(set, set.test, len(r.parts.test)); err != nil {
			return fmt.Errorf("test pass: %w", err)
		}
	}
	return nil
}

// evaluation makes a pass in inference mode. It uses the batches of training,
// so it needs no activations of its own.
func (r *Trainer) evaluation(set *Resident, from residentSplit, pictures int) (*pass, error) {
	state, err := gpu.Alloc[uint32](r.stream, r.optimizer.State.Len())
	if err != nil {
		return nil, err
	}
	p, err := newPass(r.stream, from, pictures, r.job.Batch, set.classes, state)
	if err != nil {
		return nil, err
	}
	return p, p.compile(r.bind, set, func(rec *gpu.Recorder, b *layers.Batch) error {
		b.Forward(rec, false)
		b.Loss(rec, 0, false)
		return nil
	}, nil)
}

// Config says what the run is, and all that its results depend on but the program.
func (r *Trainer) Config() record.Config {
	config := r.config
	if r.ValidationOnly {
		config.TestPictures = 0
	}
	return config
}

// ReadTensors and WriteTensors are what a checkpoint keeps of the run beside its
// [record.Position].
func (r *Trainer) ReadTensors(from io.Reader) error { return r.memory().read(from) }
func (r *Trainer) WriteTensors(to io.Writer) error  { return r.memory().write(to) }

// errDiverged ends a run whose loss is not finite, errPaused one that has been trained
// for as many epochs as it was to be.
var (
	errDiverged = errors.New("diverged")
	errPaused   = errors.New("paused")
)

// Train trains from where the run is to its end, or to where it is to pause. A loss that
// is not finite is an outcome. If the context ends, a checkpoint is kept and the context's
// error returned. Without a keeper nothing is kept.
func (r *Trainer) Train(ctx context.Context, keep Keeper, watch Watcher) (record.Final, error) {
	final := record.Final{
		Dataset: r.job.Dataset, Optimizer: r.job.Optimizer, Seed: r.job.Seed,
		Limit: r.job.Limit, Protocol: r.job.Protocol, Augment: r.job.Augment,
	}
	err := r.epochs(ctx, keep, watch)
	if err == nil && r.test != nil && !r.ValidationOnly {
		var s Score
		if s, err = r.evaluate(ctx, r.test, r.parts.test); err == nil {
			final.Test = &record.TestScore{Loss: s.Loss, Acc: s.Accuracy, F1: s.F1}
		} else {
			err = r.interrupted(ctx, err, keep)
		}
	}
	switch {
	case err == nil:
		last := r.Epochs[len(r.Epochs)-1]
		final.Status = record.Finished
		final.ValLoss, final.ValAcc, final.F1 = last.ValLoss, last.ValAcc, last.F1
	case errors.Is(err, errDiverged):
		final.Status = record.Diverged
		final.DivergedAt = r.Step
		final.Note = fmt.Sprintf("loss not finite at step %d of %d", r.Step, r.config.Steps)
	case errors.Is(err, errPaused):
		note := fmt.Sprintf("after %d of %d epochs", r.Epoch, r.job.Epochs)
		return record.Final{Status: record.Paused, Note: note}, r.checkpoint(keep)
	default:
		return record.Final{}, err
	}
	final.Epochs = len(r.Epochs)
	for _, e := range r.Epochs {
		final.TrainTime += e.Seconds
	}
	return final, nil
}

// epochs trains and validates what is left of the run.
func (r *Trainer) epochs(ctx context.Context, keep Keeper, watch Watcher) error {
	r.epochStart, r.checkpointed = time.Now(), time.Now()
	for r.Epoch < r.job.Epochs {
		if r.Until > 0 && r.Epoch >= r.Until {
			return errPaused
		}
		if r.Batch == 0 {
			order := epochOrder(r.parts.train, uint64(r.job.Seed), r.Epoch)
			if err := r.training.begin(order, r.Step, r.Epoch); err != nil {
				return err
			}
		}
		if err := r.trainEpoch(ctx, keep, watch); err != nil {
			return err
		}
		trained, err := r.training.score()
		if err != nil {
			return err
		}
		curved, err := r.optimizer.Observe()
		if err != nil {
			return err
		}
		validated, err := r.evaluate(ctx, r.validation, r.parts.validation)
		if err != nil {
			return r.interrupted(ctx, err, keep)
		}
		now := time.Now()
		epoch := record.Epoch{
			Epoch: r.Epoch + 1, TrainLoss: trained.Loss, TrainAcc: trained.Accuracy,
			ValLoss: validated.Loss, ValAcc: validated.Accuracy, F1: validated.F1,
			Seconds: r.Seconds + now.Sub(r.epochStart).Seconds(),
			Parts:   r.stepParts, Curvature: (*record.Curvature)(curved),
		}
		r.stepParts = nil
		r.Position = record.Position{Epoch: r.Epoch + 1, Step: r.Step, Epochs: append(r.Epochs, epoch)}
		r.epochStart = now
		if keep != nil {
			if err := keep.WriteEpochs(r.Epochs); err != nil {
				return err
			}
		}
		watch.Epoch(epoch)
	}
	return nil
}

// trainEpoch does what is left of the epoch's steps.
func (r *Trainer) trainEpoch(ctx context.Context, keep Keeper, watch Watcher) error {
	for r.Batch < r.training.batches() {
		if err := ctx.Err(); err != nil {
			return r.interrupted(ctx, err, keep)
		}
		var err error
		if r.Profiler != nil && r.warm >= ProfileAfter {
			steps := min(ProfileSteps, r.training.batches()-r.Batch)
			err = r.Profiler.Trace(func() error { return r.trainSteps(steps, watch) })
			r.Profiler = nil
		} else {
			err = r.trainSteps(1, watch)
		}
		if err != nil {
			return err
		}
		if r.Batch%waitEvery == 0 || r.Batch == r.training.batches() {
			if err := r.checkLosses(); err != nil {
				return err
			}
		}
		if time.Since(r.checkpointed) >= r.CheckpointEvery {
			if err := r.checkpoint(keep); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainSteps does so many steps of the epoch.
func (r *Trainer) trainSteps(n int, watch Watcher) error {
	for range n {
		run := r.training.run
		if r.timesNextStep() {
			run = r.timeStep
		}
		if err := run(r.Batch, r.optimizer.Due(r.Step)); err != nil {
			return err
		}
		r.Batch++
		r.Step++
		r.warm++
		watch.Step(r.training.rows(r.Batch - 1))
	}
	return nil
}

// checkLosses waits for the epoch's steps so far and looks at their losses. At
// one that is not finite it returns errDiverged, with the position at its step,
// whenever it was that it looked.
func (r *Trainer) checkLosses() error {
	losses, err := r.training.losses(r.Batch)
	if err != nil {
		return err
	}
	for i, loss := range losses {
		if !finite(float64(loss)) {
			r.Step -= r.Batch - (i + 1)
			r.Batch = i + 1
			return errDiverged
		}
	}
	return nil
}

// evaluate measures the network on pictures. A loss that is not finite is
// errDiverged.
func (r *Trainer) evaluate(ctx context.Context, p *pass, pictures []uint32) (Score, error) {
	if err := p.begin(pictures, 0, 0); err != nil {
		return Score{}, err
	}
	for batch := range p.batches() {
		if err := ctx.Err(); err != nil {
			return Score{}, err
		}
		if err := p.run(batch, false); err != nil {
			return Score{}, err
		}
	}
	s, err := p.score()
	if err == nil && !finite(s.Loss) {
		err = errDiverged
	}
	return s, err
}

// interrupted keeps a checkpoint if it is the context that ended.
func (r *Trainer) interrupted(ctx context.Context, err error, keep Keeper) error {
	if ctx.Err() == nil || errors.Is(err, errDiverged) {
		return err
	}
	return errors.Join(err, r.checkpoint(keep))
}

// memory is what a checkpoint keeps.
func (r *Trainer) memory() memory {
	t := r.training
	m := memory{
		network: r.network,
		floats:  []floats{{r.network.Values, true}, {r.network.Moving, false}, {t.loss, false}},
		words:   []gpu.Slice[uint32]{t.state, t.order, t.correct, t.confusion},
	}
	for _, s := range r.optimizer.Keep() {
		m.floats = append(m.floats, floats{s, true})
	}
	return m
}

// checkpoint keeps the position and the tensors.
func (r *Trainer) checkpoint(keep Keeper) error {
	r.checkpointed = time.Now()
	if keep == nil {
		return nil
	}
	p := r.Position
	p.Seconds += time.Since(r.epochStart).Seconds()
	return keep.WriteCheckpoint(p, r.WriteTensors)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
