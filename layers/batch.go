package layers

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Batch is a network bound to a number of samples. It holds inputs, activations and the
// memory of gradients. Batches of different sizes share the network's parameters.
type Batch struct {
	Size   int
	X      gpu.Slice[float32] // [Size, height, width, channels], the input
	Labels gpu.Slice[int32]   // [Size]
	Logits gpu.Slice[float32] // [Size, classes]
	// Mask holds the dropout masks of all layers, each at a multiple of 16
	// elements, in the order of the layers: 1 keeps, 0 drops.
	Mask gpu.Slice[uint8]
	// RowLoss and Prediction are the loss and the predicted class of each row.
	RowLoss    gpu.Slice[float32] // [Size]
	Prediction gpu.Slice[int32]   // [Size]

	network      *Network
	units        []unit
	dLogits      gpu.Slice[float32]
	sampled      sampled
	segments     gpu.Slice[uint32]
	convolutions []namedConvolution
	retained     bool // the gradients by the activations
}

// sampled is what the loss of sampled labels is about; none of it counts.
type sampled struct {
	labels, prediction gpu.Slice[int32]   // [Size]
	rowLoss            gpu.Slice[float32] // [Size]
}

type namedConvolution struct {
	name string
	gpu.Convolution
}

// binder makes the layers' parts of a batch.
type binder struct {
	batch    *Batch
	arena    *gpu.Arena
	masks    []kernels.DropoutLayer
	maskSize int
	// partials is the first stage of every reduction: kernels run one after
	// the other, so they share it.
	partials *gpu.Scratch
	// gradients holds those by activations: one that is read and one that is
	// written, in turn.
	gradients *gpu.Scratch
}

// dropout reserves a layer's mask and returns its offset.
func (b *binder) dropout(elements int, stream uint32, rate float32) int {
	offset := b.maskSize
	b.masks = append(b.masks, kernels.DropoutLayer{Offset: offset, Elements: elements, Stream: stream, Rate: rate})
	b.maskSize = align(offset + elements)
	return offset
}

// gradient returns n elements of scratch memory that does not overlap the last one it
// returned, nor any other where the network retains its gradients.
func (b *binder) gradient(n int) gpu.Slice[float32] {
	if b.batch.retained {
		return gpu.Reserve[float32](b.arena, n)
	}
	return b.gradients.Take(n)
}

// Bind allocates the memory of batches of the given size, in samples. It returns an error
// if the device has too little, or no algorithm for a convolution.
func (n *Network) Bind(size int) (*Batch, error) {
	a := gpu.NewArena(n.Stream)
	floats := func(n int) gpu.Slice[float32] { return gpu.Reserve[float32](a, n) }
	words := func(n int) gpu.Slice[int32] { return gpu.Reserve[int32](a, n) }
	batch := &Batch{
		Size: size, X: floats(size * n.Input.Elements()), Labels: words(size), RowLoss: floats(size), Prediction: words(size),
		network: n, dLogits: floats(size * n.Classes), sampled: sampled{words(size), words(size), floats(size)}, retained: n.Retain,
	}
	b := &binder{batch: batch, arena: a, partials: a.Scratch(1), gradients: a.Scratch(2)}
	fail := func(err error) (*Batch, error) {
		return nil, fmt.Errorf("bind the network to batches of %d: %w", size, err)
	}
	x := batch.X
	for _, node := range n.nodes {
		u, out, err := node.bind(b, x)
		if err != nil {
			return fail(err)
		}
		if out.Len() > math.MaxInt32 { // a kernel counts elements in int32
			return fail(fmt.Errorf("layer %s has %d outputs, a batch has at most %d of a layer: choose a smaller batch or network", u.label(), out.Len(), math.MaxInt32))
		}
		batch.units = append(batch.units, u)
		x = out
	}
	batch.Logits = x
	if segments := kernels.DropoutSegments(b.masks); len(segments) > 0 {
		batch.Mask, batch.segments = gpu.Reserve[uint8](a, b.maskSize), gpu.ReserveCopy(a, segments)
	}
	gradient := batch.dLogits
	for i := len(batch.units) - 1; i >= 0; i-- {
		gradient = batch.units[i].bindGradient(b, gradient, i > 0)
	}
	if err := a.Allocate(); err != nil {
		return fail(err)
	}
	return batch, nil
}

// DrawMasks records the kernel that samples the dropout masks, a function of the seed and
// the step that state counts. Without dropout it records nothing.
func (b *Batch) DrawMasks(r *gpu.Recorder, seed uint64, state gpu.Slice[uint32]) {
	if b.segments.Len() == 0 {
		return
	}
	r.Group("dropout", func() {
		r.Record(&kernels.DropoutMask{Mask: b.Mask, Segments: b.segments, State: state, Seed: seed})
	})
}

// Forward records the network from X to Logits. In training it uses the batch's statistics
// and the dropout masks in Mask, and updates the moving statistics. Otherwise it uses the
// moving statistics, without dropout.
func (b *Batch) Forward(r *gpu.Recorder, training bool) {
	r.Group("forward", func() {
		for _, u := range b.units {
			r.Group(u.label(), func() { u.forward(r, training) })
		}
	})
}

// Calibrate records the network from X to Logits as a step of a pass that recomputes the
// statistics of batch normalization. Each normalization takes the batch's own statistics, and
// the moving ones become the mean and the biased variance of its inputs in all batches of the
// pass so far. Dropout is off. state counts the samples of the pass, and the moving statistics
// must be zero at its start.
func (b *Batch) Calibrate(r *gpu.Recorder, state gpu.Slice[uint32]) {
	r.Group("calibrate", func() {
		for _, u := range b.units {
			r.Group(u.label(), func() {
				if c, ok := u.(calibrator); ok {
					c.calibrate(r, state)
				} else {
					u.forward(r, false)
				}
			})
		}
	})
}

// Loss records the cross-entropy of the logits with smoothed labels, into RowLoss, and the
// predictions. smoothing is the share of a label that is spread over all classes. With
// gradient set it also records the gradient of the mean loss by the logits, for Backward.
func (b *Batch) Loss(r *gpu.Recorder, smoothing float32, gradient bool) {
	k := &kernels.SoftmaxCrossEntropy{
		Logits: b.Logits, Labels: b.Labels, RowLoss: b.RowLoss, Prediction: b.Prediction,
		Rows: int32(b.Size), Classes: int32(b.network.Classes), Smoothing: smoothing,
	}
	if gradient {
		k.DLogits = b.dLogits
	}
	r.Group("loss", func() { r.Record(k) })
}

// SampledLoss records the gradient of the mean loss by the logits, for Backward, with
// labels that are sampled from the network's predictions. They are a function of the seed,
// the step that state counts, and draw, which numbers the samples at a step.
func (b *Batch) SampledLoss(r *gpu.Recorder, seed uint64, draw uint32, state gpu.Slice[uint32]) {
	rows, classes := int32(b.Size), int32(b.network.Classes)
	r.Group("loss", func() {
		r.Record(&kernels.SampleLabels{
			Logits: b.Logits, Labels: b.sampled.labels, State: state,
			Seed: seed, Stream: kernels.RandomStream("labels"), Draw: draw, Rows: rows, Classes: classes,
		})
		r.Record(&kernels.SoftmaxCrossEntropy{
			Logits: b.Logits, Labels: b.sampled.labels, DLogits: b.dLogits,
			RowLoss: b.sampled.rowLoss, Prediction: b.sampled.prediction, Rows: rows, Classes: classes,
		})
	})
}

// Backward records the gradient of the loss by every parameter, from that by
// the logits which Loss has left, into a vector with the layout of the network's
// values: Network.Gradients, or another.
func (b *Batch) Backward(r *gpu.Recorder, gradients gpu.Slice[float32]) {
	r.Group("backward", func() {
		for i := len(b.units) - 1; i >= 0; i-- {
			u := b.units[i]
			r.Group(u.label(), func() { u.backward(r, gradients) })
		}
	})
}

// Algorithms returns the name of the algorithm of each direction of each linear layer, for
// the record: "conv1 forward" -> "im2col + gonum sgemm".
func (b *Batch) Algorithms() map[string]string {
	names := map[string]string{}
	for _, c := range b.convolutions {
		for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
			names[c.name+" "+d.String()] = c.Algorithm(d)
		}
	}
	return names
}

// unitsFor returns the batch's units as a sweep through the network takes them. It
// fails on the first layer that does not have the sweep.
func unitsFor[T any](b *Batch, sweep string) ([]T, error) {
	units := make([]T, len(b.units))
	for i, u := range b.units {
		var ok bool
		if units[i], ok = u.(T); !ok {
			return nil, fmt.Errorf("layer %s has no %s", u.label(), sweep)
		}
	}
	return units, nil
}
