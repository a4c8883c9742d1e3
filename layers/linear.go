package layers

import (
	"fmt"

	"diaghess/gpu"
)

// Initializer is the distribution of the initial weights of a kernel.
type Initializer int

const (
	// GlorotUniform is U(-l, l) with l = sqrt(6 / (fan in + fan out)): Glorot and Bengio
	// 2010, equation 16. It is Keras's default.
	GlorotUniform Initializer = iota
	// HeNormal is N(0, 2 / fan in), not truncated: He et al. 2015.
	HeNormal
)

func (i Initializer) draw(fanIn, fanOut int) initializer {
	if i == HeNormal {
		return heNormal(fanIn, fanOut)
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
	convolution, err := b.stream.Convolution(shape)
	if err != nil {
		return nil, gpu.Slice[float32]{}, fmt.Errorf("%s: %w", l.name, err)
	}
	u := &linearUnit{linear: l, convolution: convolution, x: x, y: alloc[float32](b, shape.Output())}
	b.batch.convolutions = append(b.batch.convolutions, namedConvolution{l.name, convolution})
	return u, u.y, nil
}

type linearUnit struct {
	*linear
	convolution  gpu.Convolution
	x, y, dx, dy gpu.Slice[float32]
}

func (u *linearUnit) label() string { return u.name }

func (u *linearUnit) bindGradient(b *binder, output gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	u.dy = output
	if wanted {
		u.dx = b.gradient(u.x.Len())
	}
	return u.dx
}

func (u *linearUnit) forward(r *gpu.Recorder, _ bool) {
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.Forward, u.x, u.kernel.Value, u.y))
}

func (u *linearUnit) backward(r *gpu.Recorder, gradients gpu.Slice[float32]) {
	r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardFilter, u.x, u.kernel.In(gradients), u.dy))
	if !u.dx.IsNull() {
		r.Record(gpu.NewConvolutionPass(u.convolution, gpu.BackwardData, u.dx, u.kernel.Value, u.dy))
	}
}

// rows are those of the input, a channel each.
func (u *linearUnit) rows() int { return u.x.Len() / u.shape.In }
