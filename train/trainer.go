package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	job       Job
	config    record.Config
	stream    gpu.Stream
	network   *layers.Network
	optimizer *optim.Optimizer
	parts     parts
	scaling   scaling

	batches                    map[int]*layers.Batch // by size
	training, validation, test *pass                 // test is nil where validation is of the test set
	trained                    *pass                 // of the training pictures after an epoch; nil unless the settings ask for it
	evaluation                 evaluation

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

// Keeper keeps what a run must not lose; see [record.Run]. It may write while training goes on,
// in the order of the calls, and then returns a failure later.
type Keeper interface {
	// WriteEpochs is called after an epoch's validation with all epochs so far.
	WriteEpochs([]record.Epoch) error
	// WriteCheckpoint is called with where the run is, and a function that writes the
	// tensors as they are until it returns, now and then and where the run is interrupted or pauses.
	WriteCheckpoint(record.Position, func(io.Writer) error) error
	// Flush returns when all is on the disk, with the first failure. Train ends with it.
	Flush() error
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
// for them and looks at their losses. The device idles for some 80 microseconds then, and an
// interruption waits for as many steps of all runs.
const waitEvery = 64

// New makes everything that a run needs: after it nothing is allocated on the
// device. It returns a [gpu.OutOfMemory] error where there is not enough memory for that.
func New(stream gpu.Stream, set *Resident, job Job) (*Trainer, error) {
	r := &Trainer{Options: Options{CheckpointEvery: defaultCheckpointEvery}, job: job, stream: stream, batches: map[int]*layers.Batch{}}
	var err error
	train, test := rowsOf(&set.set, job.Seed)
	if r.parts, err = split(job.Settings, set.set.Name, train, test); err != nil {
		return nil, err
	}
	if r.scaling, err = makeScaling(stream, set, r.parts.train); err != nil {
		return nil, fmt.Errorf("scaling of inputs: %w", err)
	}
	chain, err := layers.Model(job.Model, set.set.Classes)
	if err != nil {
		return nil, err
	}
	seed := uint64(job.Seed)
	if r.network, err = layers.New(stream, set.input(), chain, seed); err != nil {
		return nil, err
	}
	length := lengthOf(job.Settings, r.parts)
	r.network.Retain = optim.CurvatureOf(job.Rule).Retains()
	if r.optimizer, err = optim.ForNetwork(r.network, job.Rule, length, seed); err != nil {
		return nil, err
	}
	if err := r.makeEvaluation(length.Steps); err != nil {
		return nil, fmt.Errorf("weights of evaluation: %w", err)
	}
	if err := r.makePasses(set, seed); err != nil {
		return nil, err
	}

	full, err := r.bind(min(job.Batch, len(r.parts.train)))
	if err != nil {
		return nil, err
	}
	r.config = record.Config{
		Job: job.Job, OptimizerSettings: optim.Settings(job.Rule), Rule: optim.Source(job.Rule),
		TrainPictures: len(r.parts.train), ValPictures: len(r.parts.validation), TestPictures: len(r.parts.test),
		Parameters: r.network.Trainable(), Steps: length.Steps,
		Data: (*record.Origin)(set.set.Origin), Device: stream.Device().Name(), Machine: stream.Device().Description(), Algorithms: full.Algorithms(),
	}
	if card, ok := stream.Device().(gpu.Card); ok {
		r.config.Card = card.Kind()
	}
	maps.Copy(r.config.Algorithms, r.optimizer.Algorithms())
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
	r.training, err = newPass(r.stream, set, r.scaling, r.parts.train, r.job.Batch, r.optimizer.State, r.optimizer.Loss)
	if err != nil {
		return fmt.Errorf("training pass: %w", err)
	}
	r.training.augment, r.training.seed = r.job.Augment, seed
	if r.job.LabelSmoothing > 0 {
		if err := r.training.measureOther(0); err != nil {
			return fmt.Errorf("training pass: %w", err)
		}
	}
	training := func(estimate bool) body {
		return func(rec *gpu.Recorder, b *layers.Batch) error {
			b.DrawMasks(rec, seed, r.optimizer.State)
			b.Forward(rec, true)
			r.training.recordLoss(rec, b, float32(r.job.LabelSmoothing), true)
			b.Backward(rec, r.network.Gradients)
			if estimate {
				return r.optimizer.RecordEstimate(rec, b)
			}
			return nil
		}
	}
	r.training.update = func(rec *gpu.Recorder) error {
		if err := r.optimizer.Record(rec); err != nil {
			return err
		}
		r.recordAverage(rec)
		return nil
	}
	estimating := training(true)
	if !r.optimizer.Estimates() {
		estimating = nil
	}
	if err = r.training.compile(r.bind, training(false), estimating); err != nil {
		return fmt.Errorf("training pass: %w", err)
	}

	if r.validation, err = r.evaluationPass(set, r.parts.validation); err != nil {
		return fmt.Errorf("validation pass: %w", err)
	}
	if len(r.parts.test) > 0 {
		if r.test, err = r.evaluationPass(set, r.parts.test); err != nil {
			return fmt.Errorf("test pass: %w", err)
		}
	}
	if r.job.EvaluateTrain {
		if r.trained, err = r.evaluationPass(set, r.parts.train); err != nil {
			return fmt.Errorf("pass over the training pictures: %w", err)
		}
	}
	if err := r.makeCalibration(set); err != nil {
		return fmt.Errorf("calibration pass: %w", err)
	}
	return nil
}

// evaluationPass makes a pass in inference mode.
func (r *Trainer) evaluationPass(set *Resident, pictures []uint32) (*pass, error) {
	return r.inferencePass(set, pictures, func(rec *gpu.Recorder, b *layers.Batch, _ gpu.Slice[uint32]) {
		b.Forward(rec, false)
	})
}

// inferencePass makes a pass with a forward sweep, which may use the state of the pass. It uses
// the batches of training, so it needs no activations of its own.
func (r *Trainer) inferencePass(set *Resident, pictures []uint32, forward func(*gpu.Recorder, *layers.Batch, gpu.Slice[uint32])) (*pass, error) {
	state, err := gpu.Alloc[uint32](r.stream, r.optimizer.State.Len())
	if err != nil {
		return nil, err
	}
	loss, err := gpu.Alloc[float32](r.stream, batches(pictures, r.job.Batch))
	if err != nil {
		return nil, err
	}
	p, err := newPass(r.stream, set, r.scaling, pictures, r.job.Batch, state, loss)
	if err != nil {
		return nil, err
	}
	if smoothing := float32(r.job.LabelSmoothing); smoothing > 0 {
		if err := p.measureOther(smoothing); err != nil {
			return nil, err
		}
	}
	return p, p.compile(r.bind, func(rec *gpu.Recorder, b *layers.Batch) error {
		forward(rec, b, state)
		p.recordLoss(rec, b, 0, false)
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
// is not finite is an outcome. If the context ends, a checkpoint is kept after the step that
// is being computed, and the context's error returned; where it cannot be kept, an error that
// is not the context's. Without a keeper nothing is kept.
func (r *Trainer) Train(ctx context.Context, keep Keeper, watch Watcher) (record.Final, error) {
	final, err := r.train(ctx, keep, watch)
	if keep != nil {
		// Also after an error: nobody writes once it has returned.
		if failed := keep.Flush(); err == nil {
			err = failed
		}
	}
	if err != nil {
		return record.Final{}, err
	}
	return final, nil
}

func (r *Trainer) train(ctx context.Context, keep Keeper, watch Watcher) (record.Final, error) {
	final := r.config.Final(record.Finished)
	err := r.epochs(ctx, keep, watch)
	if err == nil && r.test != nil && !r.ValidationOnly {
		var s Score
		if s, err = r.testOnce(ctx); err == nil {
			final.Test = &record.TestScore{Loss: s.Loss, Acc: s.Accuracy, F1: s.F1}
		} else {
			err = r.interrupted(ctx, err, keep)
		}
	}
	switch {
	case err == nil:
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
	final.Summarize(r.Epochs)
	return final, nil
}

// epochs trains and validates what is left of the run.
func (r *Trainer) epochs(ctx context.Context, keep Keeper, watch Watcher) error {
	r.epochStart, r.checkpointed = time.Now(), time.Now()
	for r.Epoch < r.job.Epochs {
		if r.Until > 0 && r.Epoch >= r.Until {
			return errPaused
		}
		if err := r.trainTo(ctx, r.training.batches(), keep, watch); err != nil {
			return err
		}
		trained, err := r.training.score()
		if err != nil {
			return err
		}
		if !trained.finite() {
			return errDiverged
		}
		curved, err := r.optimizer.Observe()
		if err != nil {
			return err
		}
		validated, evaluated, err := r.validate(ctx)
		if err != nil {
			return r.interrupted(ctx, err, keep)
		}
		now := time.Now()
		epoch := record.Epoch{
			Epoch: r.Epoch + 1, TrainLoss: trained.Loss, TrainAcc: trained.Accuracy,
			ValLoss: validated.Loss, ValAcc: validated.Accuracy, F1: validated.F1,
			Seconds: r.Seconds + now.Sub(r.epochStart).Seconds(),
			Parts:   r.stepParts,

			TrainLossClean: trained.OtherLoss, ValLossSmoothed: validated.OtherLoss, EvaluatedTrain: evaluated,
		}
		if curved != nil {
			epoch.Curvature = &record.Curvature{Norm: curved.Norm, Negative: curved.Negative, Damped: curved.Damped}
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

// trainTo does the epoch's steps up to a batch.
func (r *Trainer) trainTo(ctx context.Context, end int, keep Keeper, watch Watcher) error {
	if r.Batch == 0 {
		order := epochOrder(r.training.pictures, uint64(r.job.Seed), r.Epoch)
		if err := r.training.begin(order, r.Step, r.Epoch); err != nil {
			return err
		}
	}
	for r.Batch < end {
		if ctx.Err() != nil {
			return r.interrupted(ctx, context.Cause(ctx), keep)
		}
		var err error
		if r.Profiler != nil && r.warm >= ProfileAfter {
			steps := min(ProfileSteps, end-r.Batch)
			err = r.Profiler.Trace(func() error { return r.trainSteps(steps, watch) })
			r.Profiler = nil
		} else {
			err = r.trainSteps(1, watch)
		}
		if err != nil {
			return err
		}
		if r.Batch%waitEvery == 0 || r.Batch == end {
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

// evaluate measures the network on the pictures of a pass. A loss that is not finite is
// errDiverged.
func (r *Trainer) evaluate(ctx context.Context, p *pass) (Score, error) {
	if err := walk(ctx, p); err != nil {
		return Score{}, err
	}
	s, err := p.score()
	if err == nil && !s.finite() {
		err = errDiverged
	}
	return s, err
}

// interrupted keeps a checkpoint if it is the context that ended.
func (r *Trainer) interrupted(ctx context.Context, err error, keep Keeper) error {
	if ctx.Err() == nil || errors.Is(err, errDiverged) {
		return err
	}
	err = r.checkpoint(keep)
	if err == nil && keep != nil {
		err = keep.Flush()
	}
	if err != nil {
		return fmt.Errorf("no checkpoint could be written: %w", err)
	}
	return ctx.Err()
}

// memory is what a checkpoint keeps.
func (r *Trainer) memory() memory {
	t := r.training
	m := memory{
		network: r.network,
		floats:  []floats{{r.network.Values, true}, {r.network.Moving, false}, {t.loss, false}},
		words:   []gpu.Slice[uint32]{t.state, t.order, t.correct, t.confusion},
	}
	if !t.other.loss.IsNull() {
		m.floats = append(m.floats, floats{t.other.loss, false})
	}
	for _, s := range r.optimizer.Keep() {
		m.floats = append(m.floats, floats{s, true})
	}
	m.floats = append(m.floats, r.evaluation.floats()...)
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
