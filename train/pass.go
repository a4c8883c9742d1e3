package train

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/record"
)

// pass is a walk over some pictures in batches, with the programs that do it
// and what they measure. What depends on where it is lies on the device.
type pass struct {
	stream    gpu.Stream
	pictures  []uint32 // by index; an evaluation visits them in this order
	batchSize int
	classes   int
	set       *Resident
	scaling   scaling
	augment   string // see Augmentations
	seed      uint64 // of what is augmented
	// update records what comes after a batch's loss is known; nil for nothing.
	update func(*gpu.Recorder) error

	order     gpu.Slice[uint32]  // [pictures]
	state     gpu.Slice[uint32]  // [kernels.StateWords]
	loss      gpu.Slice[float32] // [batches]
	correct   gpu.Slice[uint32]  // [batches]
	confusion gpu.Slice[uint32]  // [classes, classes]
	other     otherLoss

	reset      gpu.Program // zeroes what a pass counts up
	full, last step        // last is of the batch with what is left; it may be full
}

// otherLoss is the loss of each batch with another label smoothing than that of the pass: none in
// training, the run's in an evaluation. loss is null in a run without smoothing.
type otherLoss struct {
	smoothing float32
	loss      gpu.Slice[float32] // [batches]
	correct   gpu.Slice[uint32]  // [batches], and
	confusion gpu.Slice[uint32]  // [classes, classes]: what comes with it, and the pass has already
}

// step is the programs of a batch: plain, and of training with a curvature also
// the one that estimates it.
type step struct{ plain, estimate gpu.Program }

// program returns that of a step with an estimate of the curvature or not.
func (s step) program(estimate bool) gpu.Program {
	if estimate {
		return s.estimate
	}
	return s.plain
}

// newPass allocates a pass over pictures of a dataset. state counts
// its batches, and loss gets the loss of each: an optimizer's in training, or the pass's own.
func newPass(stream gpu.Stream, set *Resident, scaling scaling, pictures []uint32, batchSize int, state gpu.Slice[uint32], loss gpu.Slice[float32]) (*pass, error) {
	classes := set.set.Classes
	p := &pass{stream: stream, pictures: pictures, batchSize: batchSize, classes: classes, set: set, scaling: scaling, augment: record.AugmentNone, state: state, loss: loss}
	a := gpu.NewArena(stream)
	p.order = gpu.Reserve[uint32](a, len(pictures))
	p.correct = gpu.Reserve[uint32](a, p.batches())
	p.confusion = gpu.Reserve[uint32](a, classes*classes)
	return p, a.Allocate()
}

// measureOther has the pass measure the loss with another smoothing too.
func (p *pass) measureOther(smoothing float32) error {
	p.other.smoothing = smoothing
	a := gpu.NewArena(p.stream)
	p.other.loss, p.other.correct = gpu.Reserve[float32](a, p.batches()), gpu.Reserve[uint32](a, p.batches())
	p.other.confusion = gpu.Reserve[uint32](a, p.classes*p.classes)
	return a.Allocate()
}

// recordLoss records the loss of a batch after its forward sweep, and with gradient set what
// Backward needs. Where the pass measures another loss, that comes first, and the batch keeps nothing of it.
func (p *pass) recordLoss(r *gpu.Recorder, b *layers.Batch, smoothing float32, gradient bool) {
	if o := p.other; !o.loss.IsNull() {
		b.Loss(r, o.smoothing, false)
		p.recordMetrics(r, b, o.loss, o.correct, o.confusion)
	}
	b.Loss(r, smoothing, gradient)
}

// recordMetrics records what is measured of a batch.
func (p *pass) recordMetrics(r *gpu.Recorder, b *layers.Batch, loss gpu.Slice[float32], correct, confusion gpu.Slice[uint32]) {
	r.Group("metrics", func() {
		r.Record(&kernels.BatchMetrics{
			RowLoss: b.RowLoss, Prediction: b.Prediction, Labels: b.Labels, State: p.state,
			Loss: loss, Correct: correct, Confusion: confusion, Rows: int32(b.Size), Classes: int32(p.classes),
		})
	})
}

// batches returns the number of batches of pictures.
func batches(pictures []uint32, size int) int { return (len(pictures) + size - 1) / size }

// batches returns the number of batches of the pass.
func (p *pass) batches() int { return batches(p.pictures, p.batchSize) }

// lastSize returns the pictures of the last batch.
func (p *pass) lastSize() int { return len(p.pictures) - (p.batches()-1)*p.batchSize }

// rows returns the pictures of a batch.
func (p *pass) rows(batch int) int {
	if batch == p.batches()-1 {
		return p.lastSize()
	}
	return p.batchSize
}

// body records what comes after the pictures have been gathered into the batch.
type body func(r *gpu.Recorder, b *layers.Batch) error

// compile makes the programs of the pass: of plain steps and, unless
// estimate is nil, of those that estimate the curvature.
func (p *pass) compile(bind func(size int) (*layers.Batch, error), plain, estimate body) error {
	program := func(size int, body body) (gpu.Program, error) {
		b, err := bind(size)
		if err != nil {
			return nil, err
		}
		r := &gpu.Recorder{}
		r.Group("gather", func() { r.Record(p.gather(b)) })
		if err := body(r, b); err != nil {
			return nil, err
		}
		p.recordMetrics(r, b, p.loss, p.correct, p.confusion)
		if p.update != nil {
			if err := p.update(r); err != nil {
				return nil, err
			}
		}
		r.Group("metrics", func() { r.Record(&kernels.Advance{State: p.state, Rows: uint32(size)}) })
		return p.stream.Compile(r.Ops())
	}
	programs := func(size int) (s step, err error) {
		if s.plain, err = program(size, plain); err == nil && estimate != nil {
			s.estimate, err = program(size, estimate)
		}
		return s, err
	}
	var err error
	if p.last, err = programs(p.lastSize()); err != nil {
		return err
	}
	p.full = p.last
	if p.lastSize() != p.batchSize && p.batches() > 1 {
		if p.full, err = programs(p.batchSize); err != nil {
			return err
		}
	}
	r := &gpu.Recorder{}
	r.Group("reset", func() {
		r.Record(&kernels.Fill{X: p.confusion, Elements: int32(p.confusion.Len()), Value: 0})
	})
	p.reset, err = p.stream.Compile(r.Ops())
	return err
}

// begin puts the pass at its start: the order in which it visits the pictures,
// and the numbers of optimizer steps and of passes done before it.
func (p *pass) begin(order []uint32, step, passes int) error {
	if err := gpu.Upload(p.stream, p.order, order); err != nil {
		return err
	}
	if err := p.reset.Run(); err != nil {
		return err
	}
	state := make([]uint32, kernels.StateWords)
	state[kernels.StateStep], state[kernels.StatePass] = uint32(step), uint32(passes)
	return gpu.Upload(p.stream, p.state, state)
}

// run queues a batch, with an estimate of the curvature or not: batches must come
// in order.
func (p *pass) run(batch int, estimate bool) error {
	return p.program(batch, estimate).Run()
}

// program returns that of a batch.
func (p *pass) program(batch int, estimate bool) gpu.Program {
	if batch == p.batches()-1 {
		return p.last.program(estimate)
	}
	return p.full.program(estimate)
}

// losses returns the losses of the first n batches.
func (p *pass) losses(n int) ([]float32, error) {
	losses := make([]float32, n)
	return losses, gpu.Download(p.stream, losses, p.loss.Sub(0, n))
}

// score sums the whole pass up.
func (p *pass) score() (Score, error) {
	losses, err := p.losses(p.batches())
	if err != nil {
		return Score{}, err
	}
	correct := make([]uint32, p.batches())
	if err := gpu.Download(p.stream, correct, p.correct); err != nil {
		return Score{}, err
	}
	confusion := make([]uint32, p.confusion.Len())
	if err := gpu.Download(p.stream, confusion, p.confusion); err != nil {
		return Score{}, err
	}
	s := score(losses, correct, confusion, p.classes, p.batchSize, len(p.pictures))
	if other := p.other.loss; !other.IsNull() {
		if err := gpu.Download(p.stream, losses, other); err != nil {
			return Score{}, err
		}
		loss := meanLoss(losses, p.batchSize, len(p.pictures))
		s.OtherLoss = &loss
	}
	return s, nil
}
