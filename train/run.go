package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/train/record"
)

// runner is a run in memory: the network, its optimizer and its passes, bound
// to a stream.
type runner struct {
	job       record.Job
	record    record.Run
	config    record.Config
	stream    gpu.Stream
	network   *layers.Network
	optimizer *optim.Optimizer
	curvature curvature.Options   // of the optimizer
	estimator curvature.Estimator // nil for an optimizer without curvature
	parts     parts

	batches                    map[int]*layers.Batch // by size
	training, validation, test *pass                 // test is nil where validation is of the test set

	record.Position
	until           int               // epochs after which it pauses; 0 for none
	stepParts       *record.StepParts // of a step of the running epoch, once it has been timed
	epochStart      time.Time         // of the running epoch, or of going on with it
	checkpointed    time.Time
	checkpointEvery time.Duration
	profiler        gpu.Tracer // is to watch some steps; nil for none, and once it has
	warm            int        // steps done since the run was made
}

// checkpointEvery is how much work a killed process loses at most.
const checkpointEvery = 30 * time.Second

// waitEvery is how many steps may be queued on a device before the host waits
// for them and looks at their losses.
const waitEvery = 16

// newRunner makes everything that the run needs: after it nothing is allocated
// on the device.
func newRunner(stream gpu.Stream, set *resident, job record.Job, rec record.Run) (*runner, error) {
	r := &runner{job: job, record: rec, stream: stream, batches: map[int]*layers.Batch{}, checkpointEvery: checkpointEvery}
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
	r.curvature = optim.CurvatureOf(rule)
	if r.estimator, err = curvature.New(r.network, r.curvature, length.Steps, seed); err != nil {
		return nil, err
	}
	var diagonal gpu.Slice[float32]
	nonNegative := true
	if r.estimator != nil {
		diagonal, nonNegative = r.estimator.Diagonal(), r.estimator.NonNegative()
	}
	if r.optimizer, err = optim.New(stream, rule, optim.TensorsOf(r.network), length, diagonal, nonNegative); err != nil {
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
		Build: ThisBuild(),
	}
	return r, nil
}

// bind returns the network bound to batches of a size, the same each time.
func (r *runner) bind(size int) (*layers.Batch, error) {
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
func (r *runner) makePasses(set *resident, seed uint64) error {
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
				if err := r.estimator.Record(rec, b, r.optimizer.State); err != nil {
					return err
				}
			}
			return r.optimizer.Record(rec)
		}
	}
	estimating := training(true)
	if r.estimator == nil {
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
func (r *runner) evaluation(set *resident, from residentSplit, pictures int) (*pass, error) {
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

// errDiverged ends a run whose loss is not finite.
var errDiverged = errors.New("diverged")

// run trains to the end, from where the record's checkpoint is. If the context
// ends it keeps a checkpoint and returns the context's error.
func (r *runner) run(ctx context.Context, observer Observer) (record.Final, error) {
	if err := r.resume(); err != nil {
		return record.Final{}, err
	}
	seen := observer.Run(r.job, r.config, r.Step, r.config.Steps)
	final := record.Final{
		Dataset: r.job.Dataset, Optimizer: r.job.Optimizer, Seed: r.job.Seed,
		Limit: r.job.Limit, Protocol: r.job.Protocol, Augment: r.job.Augment, Build: r.config.Build,
	}
	err := r.epochs(ctx, seen)
	if err == nil && r.test != nil {
		var s Score
		if s, err = r.evaluate(ctx, r.test, r.parts.test); err == nil {
			final.Test = &record.TestScore{Loss: s.Loss, Acc: s.Accuracy, F1: s.F1}
		} else {
			err = r.interrupted(ctx, err)
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
		final, err := r.pause()
		seen.End(final)
		return final, err
	default:
		seen.End(record.Final{})
		return record.Final{}, err
	}
	final.Epochs = len(r.Epochs)
	for _, e := range r.Epochs {
		final.TrainTime += e.Seconds
	}
	if err := r.record.WriteEpochs(r.Epochs); err != nil {
		return record.Final{}, err
	}
	if err := r.record.Finish(final); err != nil {
		return record.Final{}, err
	}
	seen.End(final)
	return final, nil
}

// epochs trains and validates what is left of the run.
func (r *runner) epochs(ctx context.Context, seen RunObserver) error {
	r.epochStart, r.checkpointed = time.Now(), time.Now()
	for r.Epoch < r.job.Epochs {
		if err := r.pauseIfDue(); err != nil {
			return err
		}
		if r.Batch == 0 {
			order := epochOrder(r.parts.train, uint64(r.job.Seed), r.Epoch)
			if err := r.training.begin(order, r.Step, r.Epoch); err != nil {
				return err
			}
		}
		if err := r.trainEpoch(ctx, seen); err != nil {
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
			return r.interrupted(ctx, err)
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
		if err := r.record.WriteEpochs(r.Epochs); err != nil {
			return err
		}
		seen.Epoch(epoch)
	}
	return nil
}

// trainEpoch does what is left of the epoch's steps.
func (r *runner) trainEpoch(ctx context.Context, seen RunObserver) error {
	for r.Batch < r.training.batches() {
		if err := ctx.Err(); err != nil {
			return r.interrupted(ctx, err)
		}
		var err error
		if r.profiler != nil && r.warm >= profileAfter {
			steps := min(profileSteps, r.training.batches()-r.Batch)
			err = r.profiler.Trace(func() error { return r.trainSteps(steps, seen) })
			r.profiler = nil
		} else {
			err = r.trainSteps(1, seen)
		}
		if err != nil {
			return err
		}
		if r.Batch%waitEvery == 0 || r.Batch == r.training.batches() {
			if err := r.checkLosses(); err != nil {
				return err
			}
		}
		if time.Since(r.checkpointed) >= r.checkpointEvery {
			if err := r.checkpoint(); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainSteps does so many steps of the epoch.
func (r *runner) trainSteps(n int, seen RunObserver) error {
	for range n {
		run := r.training.run
		if r.timesNextStep() {
			run = r.timeStep
		}
		if err := run(r.Batch, r.curvature.Due(r.Step)); err != nil {
			return err
		}
		r.Batch++
		r.Step++
		r.warm++
		seen.Step(r.training.rows(r.Batch - 1))
	}
	return nil
}

// checkLosses waits for the epoch's steps so far and looks at their losses. At
// one that is not finite it returns errDiverged, with the position at its step,
// whenever it was that it looked.
func (r *runner) checkLosses() error {
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
func (r *runner) evaluate(ctx context.Context, p *pass, pictures []uint32) (Score, error) {
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
func (r *runner) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, errDiverged) {
		return err
	}
	return errors.Join(err, r.checkpoint())
}

// memory is what a checkpoint keeps.
func (r *runner) memory() memory {
	t := r.training
	m := memory{
		network: r.network,
		floats: []floats{
			{r.network.Values, true}, {r.network.Moving, false}, {r.optimizer.Slots, true}, {t.loss, false},
		},
		words: []gpu.Slice[uint32]{t.state, t.order, t.correct, t.confusion},
	}
	if r.estimator != nil {
		for _, s := range r.estimator.State() {
			m.floats = append(m.floats, floats{s, true})
		}
		if !r.estimator.NonNegative() { // Observe looks at them
			m.floats = append(m.floats, floats{r.network.Gradients, true})
		}
	}
	return m
}

// checkpoint keeps the position and the tensors.
func (r *runner) checkpoint() error {
	p := r.Position
	p.Seconds += time.Since(r.epochStart).Seconds()
	r.checkpointed = time.Now()
	return r.record.WriteCheckpoint(p, r.memory().write)
}

// resume claims the record and goes to its checkpoint, if it has one.
func (r *runner) resume() error {
	if err := r.record.Claim(r.config); err != nil {
		return err
	}
	p, ok, err := r.record.ReadCheckpoint(r.memory().read)
	if err != nil {
		return err
	}
	if ok {
		r.Position = p
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
