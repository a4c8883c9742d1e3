//go:build cuda

package cuda

import (
	"fmt"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// directions is the number of values of gpu.Direction.
const directions = 3

// method is a way of cuDNN's to compute a direction of a convolution, made ready for a
// stream.
type method interface {
	// workspace is the scratch memory that it needs, in bytes.
	workspace() int
	// run queues the direction, on the stream's thread. Two of the tensors are read,
	// the direction's result is written.
	run(x, w, y, space supplement.Memory) error
	// free frees what was made, on the stream's thread.
	free() error
}

// offer is a method that cuDNN's heuristics name.
type offer struct {
	// name is that in a record. With the card it fixes the bits of the result.
	name  string
	ready func() (method, error)
}

// offers asks cuDNN's heuristics for a direction, what is expected to be fastest first:
// what gives the same bits each time, in the arithmetic that was asked for.
//
// Forward and BackwardData go through the functions of cuDNN that dnn has, since they
// let their caller name the arithmetic: the graph API's heuristics rank engines for
// tensor cores, and of the others hardly know the good ones. BackwardFilter goes through
// the graph API, since those functions have one deterministic algorithm for it, and a
// slow one. docs/benchmarks.md has the times.
func (c *convolution) offers(d gpu.Direction) ([]offer, error) {
	if d == gpu.BackwardFilter {
		return c.engines()
	}
	return c.algorithms(d)
}

// nameOfMethod is what a record says of a method.
func nameOfMethod(name, arithmetic string) string {
	return fmt.Sprintf("cuDNN %s %s %s", supplement.CuDNNVersion(), name, arithmetic)
}

// algorithm is an algorithm of cuDNN's functions for a direction, by its number there.
type algorithm struct {
	convolution *convolution
	direction   gpu.Direction
	id          int
	descriptor  *cudnn.Convolution // with the arithmetic
	bytes       int
}

// algorithmNames are those of cuDNN's constants, by id.
var algorithmNames = map[gpu.Direction][]string{
	gpu.Forward:      {"implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
	gpu.BackwardData: {"algo_0", "algo_1", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
}

// algorithms asks the heuristics of cuDNN's functions, with a descriptor that asks for
// the arithmetic.
func (c *convolution) algorithms(d gpu.Direction) ([]offer, error) {
	asked := cudnn.FmaMath
	if c.stream.device.options.Math == gpu.MathTF32 {
		asked = cudnn.DefaultMath
	}
	descriptor, err := newDescriptor(c.shape, asked)
	if err != nil {
		return nil, err
	}
	var listed []supplement.Algorithm
	if d == gpu.Forward {
		listed, err = supplement.ForwardAlgorithms(c.stream.cudnn, c.x, c.w, descriptor, c.y)
	} else {
		listed, err = supplement.BackwardDataAlgorithms(c.stream.cudnn, c.w, c.y, descriptor, c.x)
	}
	if err := supplement.First(err, supplement.DestroyConvolution(descriptor)); err != nil {
		return nil, err
	}
	var offers []offer
	for _, a := range listed {
		if !a.Deterministic || a.Workspace > largestWorkspace || otherArithmetic(a.Math, asked) {
			continue
		}
		math, arithmetic := asked, gpu.MathFP32
		if asked == cudnn.DefaultMath {
			math = a.Math
		}
		if math != cudnn.FmaMath {
			arithmetic = gpu.MathTF32
		}
		name := fmt.Sprintf("algorithm %d", a.ID)
		if a.ID < len(algorithmNames[d]) {
			name = algorithmNames[d][a.ID]
		}
		offers = append(offers, offer{
			name:  nameOfMethod(name, arithmetic),
			ready: func() (method, error) { return c.algorithm(d, a.ID, math) },
		})
	}
	return offers, nil
}

// otherArithmetic says that an algorithm's arithmetic is not what was asked for: it
// converts to half precision, or uses tensor cores where FMA was demanded.
func otherArithmetic(offered, asked cudnn.MathType) bool {
	return offered == cudnn.TensorOpMathAllowConversion || asked == cudnn.FmaMath && offered == cudnn.TensorOpMath
}

// algorithm makes an algorithm ready.
func (c *convolution) algorithm(d gpu.Direction, id int, math cudnn.MathType) (method, error) {
	descriptor, err := newDescriptor(c.shape, math)
	if err != nil {
		return nil, err
	}
	a := &algorithm{convolution: c, direction: d, id: id, descriptor: descriptor}
	if d == gpu.Forward {
		a.bytes, err = supplement.ForwardWorkspace(c.stream.cudnn, c.x, c.w, descriptor, c.y, cudnn.ConvolutionFwdAlgo(id))
	} else {
		a.bytes, err = supplement.BackwardDataWorkspace(c.stream.cudnn, c.w, c.y, descriptor, c.x, cudnn.ConvolutionBwdDataAlgo(id))
	}
	if err != nil {
		return nil, supplement.First(a.free(), err)
	}
	return a, nil
}

func (a *algorithm) workspace() int { return a.bytes }

func (a *algorithm) run(x, w, y, space supplement.Memory) error {
	c := a.convolution
	if a.direction == gpu.Forward {
		return supplement.Wrap("cudnnConvolutionForward", c.stream.cudnn.ConvolutionForward(
			1, c.x, x, c.w, w, a.descriptor, cudnn.ConvolutionFwdAlgo(a.id), space, uintptr(a.bytes), 0, c.y, y))
	}
	return supplement.Wrap("cudnnConvolutionBackwardData", c.stream.cudnn.ConvolutionBackwardData(
		1, c.w, w, c.y, y, a.descriptor, cudnn.ConvolutionBwdDataAlgo(a.id), space, uintptr(a.bytes), 0, c.x, x))
}

func (a *algorithm) free() error { return supplement.DestroyConvolution(a.descriptor) }

// newDescriptor describes a cross-correlation, which is what neural networks call a
// convolution, with stride 1 and same padding.
func newDescriptor(s gpu.ConvolutionShape, math cudnn.MathType) (*cudnn.Convolution, error) {
	padding := s.Kernel / 2
	c, err := cudnn.NewConvolution(math, 1, []int{padding, padding}, []int{1, 1}, []int{1, 1}, cudnn.CrossCorrelation, cudnn.Float)
	return c, supplement.Wrap("describe the convolution", err)
}

// engine is an engine of cuDNN's graph API for the gradient of the filters.
type engine struct{ *supplement.Plan }

// engines asks the heuristics of the graph API.
func (c *convolution) engines() ([]offer, error) {
	var err error
	if c.gradient, err = supplement.NewFilterGradient(c.stream.cudnn, c.shape); err != nil {
		return nil, err
	}
	listed, err := c.gradient.Engines(func(e supplement.Engine) bool {
		return e.Deterministic && e.Exact && (!e.TensorCores || c.stream.device.options.Math == gpu.MathTF32)
	})
	if err != nil {
		return nil, err
	}
	var offers []offer
	for _, e := range listed {
		arithmetic := gpu.MathFP32
		if e.TensorCores {
			arithmetic = gpu.MathTF32
		}
		offers = append(offers, offer{
			name: nameOfMethod(e.Name, arithmetic),
			ready: func() (method, error) {
				plan, err := c.gradient.Plan(e)
				return engine{plan}, err
			},
		})
	}
	return offers, nil
}

func (e engine) workspace() int { return e.Workspace() }

func (e engine) run(x, w, y, space supplement.Memory) error { return e.Run(x, y, w, space) }

func (e engine) free() error { return e.Destroy() }
