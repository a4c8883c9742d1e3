package gpu

import (
	"fmt"
	"math"
)

// The arithmetic of convolutions.
const (
	// MathFP32 multiplies float32 numbers: what the cpu does, up to the order of sums.
	MathFP32 = "fp32"
	// MathTF32 lets a GPU's tensor cores round the factors to 10 bits, for speed.
	MathTF32 = "tf32"
)

// Maths returns the names of the arithmetics.
func Maths() []string { return []string{MathFP32, MathTF32} }

// FilterLayout is the order in which a filter's elements lie in device memory.
type FilterLayout int

const (
	// HWIO is [Kernel, Kernel, In, Out], of a dense layer [In, Out]: the order of
	// records and of everything on the host.
	HWIO FilterLayout = iota
	// OHWI is [Out, Kernel, Kernel, In], of a dense layer [Out, In]: HWIO as a
	// matrix of Out columns, transposed.
	OHWI
)

// FromHWIO copies a filter with the given number of outputs from HWIO into the layout.
// The slices have equal length and must not overlap.
func (l FilterLayout) FromHWIO(to, hwio []float32, outputs int) {
	if l == HWIO {
		copy(to, hwio)
		return
	}
	transpose(to, hwio, len(hwio)/outputs, outputs)
}

// ToHWIO is the inverse of FromHWIO.
func (l FilterLayout) ToHWIO(hwio, from []float32, outputs int) {
	if l == HWIO {
		copy(hwio, from)
		return
	}
	transpose(hwio, from, outputs, len(from)/outputs)
}

// transpose copies a matrix [rows, columns] as [columns, rows].
func transpose(to, from []float32, rows, columns int) {
	for r := range rows {
		for c, v := range from[r*columns : (r+1)*columns] {
			to[c*rows+r] = v
		}
	}
}

// ConvolutionShape describes a convolution with stride 1 and same padding over
// NHWC pictures, with filters in the device's [FilterLayout]. A dense layer is the
// one with Kernel, Height and Width 1.
type ConvolutionShape struct {
	Batch, Height, Width int
	In, Out              int // channels
	Kernel               int // extent of the square filter, odd
}

// Input returns the number of elements of the input, [Batch, Height, Width, In].
func (s ConvolutionShape) Input() int { return s.Batch * s.Height * s.Width * s.In }

// Output returns the number of elements of the output, [Batch, Height, Width, Out].
func (s ConvolutionShape) Output() int { return s.Batch * s.Height * s.Width * s.Out }

// Filter returns the number of elements of the filter, in HWIO [Kernel, Kernel, In, Out].
func (s ConvolutionShape) Filter() int { return s.Kernel * s.Kernel * s.In * s.Out }

// String is the shape in the form 64x32x32x3 3x3 32.
func (s ConvolutionShape) String() string {
	return fmt.Sprintf("%dx%dx%dx%d %dx%d %d", s.Batch, s.Height, s.Width, s.In, s.Kernel, s.Kernel, s.Out)
}

// Direction is one of the three computations of a convolution.
type Direction int

// The three directions: output from input and filter, input gradient from output
// gradient and filter, filter gradient from input and output gradient.
const (
	Forward Direction = iota
	BackwardData
	BackwardFilter
)

func (d Direction) String() string {
	return [...]string{"forward", "backward-data", "backward-filter"}[d]
}

// Written is the index of the tensor that a direction writes, of input, filter and
// output.
func (d Direction) Written() int {
	return [...]int{Forward: 2, BackwardData: 0, BackwardFilter: 1}[d]
}

// Direct computes a direction in float64 from the definition: it adds each product of an
// input pixel, a tap and an output pixel to the tensor that the direction writes. x, w
// and y are NHWC and HWIO. The second result is the sum of the absolute products, which
// bounds the rounding error of any other way to compute the first. It is slow: tests and
// the self-test compare devices with it.
func (s ConvolutionShape) Direct(d Direction, x, w, y []float32) (sum, absolute []float64) {
	n := [...]int{s.Input(), s.Filter(), s.Output()}[d.Written()]
	sum, absolute = make([]float64, n), make([]float64, n)
	add := func(at int, a, b float32) {
		product := float64(a) * float64(b)
		sum[at] += product
		absolute[at] += math.Abs(product)
	}
	for position := range s.Batch * s.Height * s.Width {
		picture, row, column := position/(s.Height*s.Width), position/s.Width%s.Height, position%s.Width
		for tap := range s.Kernel * s.Kernel {
			h, v := row+tap/s.Kernel-s.Kernel/2, column+tap%s.Kernel-s.Kernel/2
			if h < 0 || h >= s.Height || v < 0 || v >= s.Width {
				continue
			}
			for i := range s.In {
				atX := ((picture*s.Height+h)*s.Width+v)*s.In + i
				for o := range s.Out {
					atW, atY := (tap*s.In+i)*s.Out+o, position*s.Out+o
					switch d {
					case Forward:
						add(atY, x[atX], w[atW])
					case BackwardData:
						add(atX, y[atY], w[atW])
					case BackwardFilter:
						add(atW, x[atX], y[atY])
					}
				}
			}
		}
	}
	return sum, absolute
}

// Convolution is a convolution bound to a device: shape, algorithms, workspace.
type Convolution interface {
	Shape() ConvolutionShape
	// Algorithm returns the name of the algorithm of a direction, for the record.
	Algorithm(Direction) string
}

// ConvolutionPass is the op that runs one direction of a convolution. Forward computes Y
// from X and W, BackwardData X from Y and W, BackwardFilter W from X and Y. X has the
// shape of the input, Y of the output, W of the filter. In the backward directions, Y and
// the written tensor hold gradients.
type ConvolutionPass struct {
	Convolution Convolution
	Direction   Direction
	X, W, Y     Slice[float32]
}

// NewConvolutionPass checks the lengths and returns the op. It panics if a
// slice does not have the length of its tensor.
func NewConvolutionPass(c Convolution, d Direction, x, w, y Slice[float32]) *ConvolutionPass {
	s := c.Shape()
	if x.Len() != s.Input() || w.Len() != s.Filter() || y.Len() != s.Output() {
		panic(fmt.Sprintf("gpu: %v of %v with tensors of %d, %d and %d elements", d, s, x.Len(), w.Len(), y.Len()))
	}
	return &ConvolutionPass{Convolution: c, Direction: d, X: x, W: w, Y: y}
}

// Entry names the op "conv3x3 forward" or, for a 1x1 filter on 1x1 pictures,
// "dense forward".
func (p *ConvolutionPass) Entry() string {
	s := p.Convolution.Shape()
	if s.Kernel == 1 && s.Height == 1 && s.Width == 1 {
		return "dense " + p.Direction.String()
	}
	return fmt.Sprintf("conv%dx%d %v", s.Kernel, s.Kernel, p.Direction)
}

// Cost counts all Kernel^2 multiply-adds of every output position and pair of channels,
// including those on the padding, which is the usual convention.
func (p *ConvolutionPass) Cost() Cost {
	s := p.Convolution.Shape()
	return Cost{
		Bytes: 4 * int64(s.Input()+s.Output()+s.Filter()),
		Flops: 2 * int64(s.Output()) * int64(s.Kernel*s.Kernel*s.In),
	}
}
