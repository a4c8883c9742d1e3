package layers

import (
	"errors"
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Initializer is the distribution of the initial weights of a kernel.
type Initializer int

const (
	// GlorotUniform is U(-l, l) with l = sqrt(6 / (fan in + fan out)): Glorot and Bengio
	// 2010, equation 16. It is Keras's default.
	GlorotUniform Initializer = iota
	// HeNormal is N(0, 2 / fan in), not truncated: He et al. 2015.
	HeNormal
	// HeTruncated is Keras's he_normal, of mean 0 and variance 2 / fan in: a normal distribution
	// truncated at two of its standard deviations.
	HeTruncated
	// LeCunNormal is N(0, 1 / fan in), not truncated: LeCun et al. 1998, section 4.6.
	LeCunNormal
)

// initializerNames are what options call them.
func initializerNames() []string { return []string{"glorot", "he", "he-truncated", "lecun"} }

// String returns what options call the distribution.
func (i Initializer) String() string { return initializerNames()[i] }

func (i Initializer) draw(fanIn, fanOut int) initializer {
	variance := 2 / float64(fanIn)
	switch i {
	case HeNormal:
		return initializer{deviation: math.Sqrt(variance)}
	case HeTruncated:
		return initializer{deviation: math.Sqrt(variance) / truncatedDeviation, truncated: true}
	case LeCunNormal:
		return initializer{deviation: math.Sqrt(1 / float64(fanIn))}
	}
	return glorotUniform(fanIn, fanOut)
}

// Conv is a convolution with a square filter, stride 1, same padding and no bias: y = x *
// kernel. x is [B, H, W, in], kernel [Kernel, Kernel, in, Filters], y [B, H, W, Filters].
type Conv struct {
	Name        string
	Filters     int
	Kernel      int // extent, odd
	Initializer Initializer
}

// Dense is a dense layer without bias: y = x kernel. x is flattened to [B, in], kernel is
// [in, Units], y [B, Units].
type Dense struct {
	Name        string
	Units       int
	Initializer Initializer
}

func (l Conv) declare(d *declaration, in Shape) (node, Shape, error) {
	if in.Flat {
		return nil, Shape{}, fmt.Errorf("convolution %s after a dense layer", l.Name)
	}
	taps := l.Kernel * l.Kernel
	kernel := d.filter(l.Name+"/kernel", l.Initializer.draw(taps*in.Channels, taps*l.Filters), l.Kernel, l.Kernel, in.Channels, l.Filters)
	shape := gpu.ConvolutionShape{Height: in.Height, Width: in.Width, In: in.Channels, Out: l.Filters, Kernel: l.Kernel}
	return &linear{name: l.Name, kernel: kernel, shape: shape}, Shape{Height: in.Height, Width: in.Width, Channels: l.Filters}, nil
}

func (l Dense) declare(d *declaration, in Shape) (node, Shape, error) {
	n := in.Elements()
	kernel := d.filter(l.Name+"/kernel", l.Initializer.draw(n, l.Units), n, l.Units)
	shape := gpu.ConvolutionShape{Height: 1, Width: 1, In: n, Out: l.Units, Kernel: 1}
	return &linear{name: l.Name, kernel: kernel, shape: shape}, Shape{Height: 1, Width: 1, Channels: l.Units, Flat: true}, nil
}

// linear is a Conv or Dense of a network; shape lacks the batch.
type linear struct {
	name   string
	kernel *Parameter
	shape  gpu.ConvolutionShape
}

func (l *linear) bind(b *binder, x gpu.Slice[float32]) (unit, gpu.Slice[float32], error) {
	shape := l.shape
	shape.Batch = b.batch.Size
	convolution, err := b.batch.network.Stream.Convolution(shape)
	if err != nil {
		return nil, gpu.Slice[float32]{}, fmt.Errorf("%s: %w", l.name, err)
	}
	u := &linearUnit{linear: l, convolution: convolution, x: x, y: gpu.Reserve[float32](b.arena, shape.Output())}
	b.batch.convolutions = append(b.batch.convolutions, namedConvolution{l.name, convolution})
	return u, u.y, nil
}

var (
	_ tangentUnit  = (*linearUnit)(nil)
	_ hesScaleUnit = (*linearUnit)(nil)
	_ columnUnit   = (*linearUnit)(nil)
)

// linearUnit is a linear bound to a batch.
type linearUnit struct {
	*linear
	convolution  gpu.Convolution
	x, y, dx, dy gpu.Slice[float32] // dx is null where it is not wanted
}

func (u *linearUnit) label() string { return u.name }

func (u *linearUnit) bindGradient(b *binder, output gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	u.dy = output
	if wanted {
		u.dx = b.gradient(u.x.Len())
	}
	return u.dx
}

// pass is a direction of the layer's convolution.
func (u *linearUnit) pass(d gpu.Direction, x, w, y gpu.Slice[float32]) gpu.Op {
	return gpu.NewConvolutionPass(u.convolution, d, x, w, y)
}

func (u *linearUnit) forward(r *gpu.Recorder, _ bool) {
	r.Record(u.pass(gpu.Forward, u.x, u.kernel.Value, u.y))
}

func (u *linearUnit) backward(r *gpu.Recorder, gradients gpu.Slice[float32]) {
	r.Record(u.pass(gpu.BackwardFilter, u.x, u.kernel.In(gradients), u.dy))
	if !u.dx.IsNull() {
		r.Record(u.pass(gpu.BackwardData, u.dx, u.kernel.Value, u.dy))
	}
}

// linearTangent is the layer's part of a tangent: yDot = W xDot + WDot x and, for the
// kernel's gradient, WDot the direction's part of the kernel,
//
//	the product's part = filter gradient of (x, dyDot) + that of (xDot, dy)
//	dxDot = W^T dyDot + WDot^T dy
type linearTangent struct {
	*linearUnit
	tangent    *Tangent
	xDot, yDot gpu.Slice[float32] // xDot is null for zero
}

func (u *linearUnit) bindTangent(t *Tangent, a *gpu.Arena, xDot gpu.Slice[float32]) (tangentStage, gpu.Slice[float32]) {
	s := &linearTangent{linearUnit: u, tangent: t, xDot: xDot, yDot: gpu.Reserve[float32](a, u.y.Len())}
	return s, s.yDot
}

func (s *linearTangent) forward(r *gpu.Recorder, z gpu.Slice[float32]) {
	r.Record(s.pass(gpu.Forward, s.x, s.kernel.In(z), s.yDot))
	if !s.xDot.IsNull() {
		s.tangent.add(r, s.yDot, func(addend gpu.Slice[float32]) gpu.Op {
			return s.pass(gpu.Forward, s.xDot, s.kernel.Value, addend)
		})
	}
}

func (s *linearTangent) backward(r *gpu.Recorder, z, product, dyDot gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	kernelDot := s.kernel.In(product)
	r.Record(s.pass(gpu.BackwardFilter, s.x, kernelDot, dyDot))
	if !s.xDot.IsNull() {
		s.tangent.add(r, kernelDot, func(addend gpu.Slice[float32]) gpu.Op {
			return s.pass(gpu.BackwardFilter, s.xDot, addend, s.dy)
		})
	}
	if !wanted {
		return gpu.Slice[float32]{}
	}
	dxDot := s.tangent.gradients.Take(s.x.Len())
	r.Record(s.pass(gpu.BackwardData, dxDot, s.kernel.Value, dyDot))
	s.tangent.add(r, dxDot, func(addend gpu.Slice[float32]) gpu.Op {
		return s.pass(gpu.BackwardData, addend, s.kernel.In(z), s.dy)
	})
	return dxDot
}

// centres says that the layer takes its input as it is.
func (u *linearUnit) centres() bool { return false }

// hesScale records the products with squared factors. Before a normalization it is the
// input without its mean that is squared, because the normalization takes the mean
// out of the output.
func (u *linearUnit) hesScale(q *HesScale, r *gpu.Recorder, at, diagonal gpu.Slice[float32], centred, wanted bool) gpu.Slice[float32] {
	squares := q.inputs.Take(u.x.Len())
	if centred {
		rows, channels := int32(u.x.Len()/u.shape.In), int32(u.shape.In)
		partial := q.partials.Take(2 * kernels.Chunks(rows, channels) * u.shape.In)
		mean := q.mean.Take(u.shape.In)
		r.Record(&kernels.BatchNormStats{Y: u.x, Partial: partial, Rows: rows, Channels: channels})
		r.Record(&kernels.ChannelMean{Partial: partial, Mean: mean, Rows: rows, Channels: channels})
		r.Record(&kernels.CenteredSquare{X: u.x, Mean: mean, Out: squares, Rows: rows, Channels: channels})
	} else {
		r.Record(&kernels.Square{X: u.x, Out: squares, Elements: int32(squares.Len())})
	}
	r.Record(u.pass(gpu.BackwardFilter, squares, u.kernel.In(diagonal), at))
	if !wanted {
		return gpu.Slice[float32]{}
	}
	below := q.q.Take(u.x.Len())
	r.Record(u.pass(gpu.BackwardData, below, u.kernel.In(q.weights), at))
	return below
}

func (u *linearUnit) perSample() error {
	if u.shape.Height*u.shape.Width > 1 {
		return errors.New("a convolution sums over positions before it is squared")
	}
	return nil
}

// column goes through a dense layer: a sample's part of the gradient is the outer
// product of its input and its column, so its square is that of their squares.
func (u *linearUnit) column(c *GGNColumns, r *gpu.Recorder, at gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	inputs := c.inputs.Take(u.x.Len())
	r.Record(&kernels.Square{X: u.x, Out: inputs, Elements: int32(inputs.Len())})
	r.Record(u.pass(gpu.BackwardFilter, inputs, u.kernel.In(c.sample), c.square(r, at)))
	if !wanted {
		return gpu.Slice[float32]{}
	}
	below := c.column.Take(u.x.Len())
	r.Record(u.pass(gpu.BackwardData, below, u.kernel.Value, at))
	return below
}
