package exact

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// linear is a convolution with stride 1 and same padding, or with extent 1 on
// 1 x 1 pictures a dense layer:
//
//	y[b, h, w, o] = sum over kh, kw, i of x[b, h+kh-r, w+kw-r, i] kernel[kh, kw, i, o]
//
// with x zero outside and r the radius of the filter.
type linear struct {
	kernel        *Tensor
	extent        int
	height, width int
	in, out       int // channels
}

func newLinear(kernel *Tensor, height, width int) *linear {
	shape := kernel.Shape
	l := &linear{kernel: kernel, extent: 1, height: height, width: width, in: shape[len(shape)-2], out: shape[len(shape)-1]}
	if len(shape) == 4 {
		l.extent = shape[0]
	}
	return l
}

func (l *linear) tensors() []*Tensor { return []*Tensor{l.kernel} }

// batch is the number of pictures of an input.
func (l *linear) batch(x []float64) int { return len(x) / (l.height * l.width * l.in) }

// eachTap calls visit for each tap of the filter with each pair of pixels of
// input and output that it connects. A pixel's index counts over the batch.
func (l *linear) eachTap(batch int, visit func(tap, in, out int)) {
	radius := l.extent / 2
	for kh := range l.extent {
		for kw := range l.extent {
			tap, down, right := kh*l.extent+kw, kh-radius, kw-radius
			for b := range batch {
				for h := max(0, -down); h < l.height-max(0, down); h++ {
					for w := max(0, -right); w < l.width-max(0, right); w++ {
						out := (b*l.height+h)*l.width + w
						visit(tap, out+down*l.width+right, out)
					}
				}
			}
		}
	}
}

// row is the part of a kernel that a tap and an input channel have.
func (l *linear) row(kernel []float64, tap, in int) []float64 {
	return kernel[(tap*l.in+in)*l.out:][:l.out]
}

// nonzero returns, for each tap, the input channels whose row is not zero: of
// the kernel of a unit vector there is one, of a kernel that has no part in a
// direction none. It is nil where all is zero.
func (l *linear) nonzero(kernel []float64) [][]int {
	var channels [][]int
	for tap := range l.extent * l.extent {
		for i := range l.in {
			if slices.ContainsFunc(l.row(kernel, tap, i), func(v float64) bool { return v != 0 }) {
				if channels == nil {
					channels = make([][]int, l.extent*l.extent)
				}
				channels[tap] = append(channels[tap], i)
			}
		}
	}
	return channels
}

// addProduct adds the convolution of x with a kernel to y.
func (l *linear) addProduct(x, kernel, y []float64) {
	channels := l.nonzero(kernel)
	if channels == nil {
		return
	}
	l.eachTap(l.batch(x), func(tap, in, out int) {
		for _, i := range channels[tap] {
			if v := x[in*l.in+i]; v != 0 {
				floats.AddScaled(y[out*l.out:][:l.out], v, l.row(kernel, tap, i))
			}
		}
	})
}

// addInput adds to dx the transposed product: the gradient by the input for the
// gradient dy by the output.
func (l *linear) addInput(dy, kernel, dx []float64) {
	channels := l.nonzero(kernel)
	if channels == nil {
		return
	}
	l.eachTap(l.batch(dx), func(tap, in, out int) {
		for _, i := range channels[tap] {
			dx[in*l.in+i] += floats.Dot(dy[out*l.out:][:l.out], l.row(kernel, tap, i))
		}
	})
}

// addKernel adds to dkernel the gradient by the kernel for input x and gradient
// dy by the output.
func (l *linear) addKernel(x, dy, dkernel []float64) {
	l.eachTap(l.batch(x), func(tap, in, out int) {
		for i, v := range x[in*l.in:][:l.in] {
			if v != 0 {
				floats.AddScaled(l.row(dkernel, tap, i), v, dy[out*l.out:][:l.out])
			}
		}
	})
}

// linearTrace is a linear stage of a pass.
type linearTrace struct {
	*linear
	x []float64
}

func (l *linear) forward(p *Pass, x []float64) (trace, []float64) {
	t := &linearTrace{l, x}
	y := t.newOutput()
	l.addProduct(x, l.kernel.Value, y)
	return t, y
}

func (t *linearTrace) newOutput() []float64 {
	return make([]float64, t.batch(t.x)*t.height*t.width*t.out)
}

func (t *linearTrace) gradient(dy, gradient []float64) {
	t.addKernel(t.x, dy, t.kernel.Of(gradient))
}

func (t *linearTrace) backward(dy []float64) []float64 {
	dx := make([]float64, len(t.x))
	t.addInput(dy, t.kernel.Value, dx)
	return dx
}

func (t *linearTrace) tangent(z, rx []float64) []float64 {
	ry := t.newOutput()
	t.addProduct(t.x, t.kernel.Of(z), ry)
	if rx != nil {
		t.addProduct(rx, t.kernel.Value, ry)
	}
	return ry
}

func (t *linearTrace) tangentGradient(_, rx, dy, rdy, rgradient []float64) {
	t.addKernel(t.x, rdy, t.kernel.Of(rgradient))
	if rx != nil {
		t.addKernel(rx, dy, t.kernel.Of(rgradient))
	}
}

func (t *linearTrace) tangentBackward(z, _, dy, rdy []float64) []float64 {
	rdx := make([]float64, len(t.x))
	t.addInput(rdy, t.kernel.Value, rdx)
	t.addInput(dy, t.kernel.Of(z), rdx)
	return rdx
}

func (t *linearTrace) centres() bool { return false }

func (t *linearTrace) hesScale(d, diagonal []float64, centred bool) []float64 {
	x := t.x
	if centred {
		x = withoutMeans(x, t.in)
	}
	t.addKernel(squared(x), d, t.kernel.Of(diagonal))
	dx := make([]float64, len(t.x))
	t.addInput(d, squared(t.kernel.Value), dx)
	return dx
}
