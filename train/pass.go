package train

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/record"
)

// pass is a walk over some pictures in batches, with the programs that do it
// and what they measure. What depends on where it is lies on the device.
type pass struct {
	stream    gpu.Stream
	pictures  int
	batchSize int
	classes   int
	from      residentSplit
	augment   string // see Augmentations
	seed      uint64 // of what is augmented

	order     gpu.Slice[uint32]  // [pictures]
	state     gpu.Slice[uint32]  // [kernels.StateWords]
	loss      gpu.Slice[float32] // [batches]
	correct   gpu.Slice[uint32]  // [batches]
	confusion gpu.Slice[uint32]  // [classes, classes]

	reset      gpu.Program // zeroes what a pass counts up
	full, last step        // last is of the batch with what is left; it may be full
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

// newPass allocates a pass over pictures of a part of a dataset. state counts
// its batches: an optimizer's in training, or one of its own.
func newPass(stream gpu.Stream, from residentSplit, pictures, batchSize, classes int, state gpu.Slice[uint32]) (*pass, error) {
	p := &pass{stream: stream, pictures: pictures, batchSize: batchSize, classes: classes, from: from, augment: record.AugmentNone, state: state}
	var err error
	if p.order, err = gpu.Alloc[uint32](stream, pictures); err != nil {
		return nil, err
	}
	if p.loss, err = gpu.Alloc[float32](stream, p.batches()); err != nil {
		return nil, err
	}
	if p.correct, err = gpu.Alloc[uint32](stream, p.batches()); err != nil {
		return nil, err
	}
	if p.confusion, err = gpu.Alloc[uint32](stream, classes*classes); err != nil {
		return nil, err
	}
	return p, nil
}

// batches returns the number of batches of the pass.
func (p *pass) batches() int { return (p.pictures + p.batchSize - 1) / p.batchSize }

// lastSize returns the pictures of the last batch.
func (p *pass) lastSize() int { return p.pictures - (p.batches()-1)*p.batchSize }

// rows returns the pictures of a batch.
func (p *pass) rows(batch int) int {
	if batch == p.batches()-1 {
		return p.lastSize()
	}
	return p.batchSize
}

// body records what comes after the pictures have been gathered into the batch.
type body func(r *gpu.Recorder, b *layers.Batch) error

// compile makes the programs of the set's pictures: of plain steps and, unless
// estimate is nil, of those that estimate the curvature.
func (p *pass) compile(bind func(size int) (*layers.Batch, error), set *Resident, plain, estimate body) error {
	program := func(size int, body body) (gpu.Program, error) {
		b, err := bind(size)
		if err != nil {
			return nil, err
		}
		r := &gpu.Recorder{}
		r.Group("gather", func() { r.Record(p.gather(b, set.input, set.divisor)) })
		if err := body(r, b); err != nil {
			return nil, err
		}
		r.Group("metrics", func() {
			r.Record(&kernels.BatchMetrics{
				RowLoss: b.RowLoss, Prediction: b.Prediction, Labels: b.Labels, State: p.state,
				Loss: p.loss, Correct: p.correct, Confusion: p.confusion, Rows: int32(size), Classes: int32(p.classes),
			})
			r.Record(&kernels.Advance{State: p.state, Rows: uint32(size)})
		})
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
	s := score(losses, correct, confusion, p.classes, p.batchSize, p.pictures)
	return s, nil
}

// String describes the pass for an error.
func (p *pass) String() string {
	return fmt.Sprintf("%d pictures in batches of %d", p.pictures, p.batchSize)
}
