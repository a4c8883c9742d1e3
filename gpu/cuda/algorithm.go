//go:build cuda

package cuda

import (
	"fmt"
	"slices"

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
	run(on tensors, space supplement.Memory) error
	// free frees what was made, on the stream's thread.
	free() error
}

// offer is a method that cuDNN's heuristics name.
type offer struct {
	// name is that in a record. With the card it fixes the bits of the result.
	name string
	// ready makes the method ready for the stream of a context, on its thread. Several
	// streams may do that at once.
	ready func(*cudnn.Context) (method, error)
}

// offers asks cuDNN's heuristics for a direction, what is expected to be fastest first:
// what gives the same bits each time, in the arithmetic that was asked for.
//
// Forward and BackwardData go through the functions of cuDNN that dnn has, since they
// let their caller name the arithmetic: the graph API's heuristics rank engines for
// tensor cores, and of the others hardly know the good ones. BackwardFilter goes through
// the graph API, since those functions have one deterministic algorithm for it, and a
// slow one. docs/benchmarks.md has the times.
func (k *choice) offers(asked *cudnn.Context, d gpu.Direction) ([]offer, error) {
	if d == gpu.BackwardFilter {
		return k.engines(asked)
	}
	return k.algorithms(asked, d)
}

// nameOfMethod is what a record says of a method.
func nameOfMethod(name, arithmetic string) string {
	return fmt.Sprintf("cuDNN %s %s %s", supplement.CuDNNVersion(), name, arithmetic)
}

// algorithm is an algorithm of cuDNN's functions for a direction, by its number there.
type algorithm struct {
	choice    *choice
	context   *cudnn.Context
	direction gpu.Direction
	id        int
	product   *product
	bytes     int
}

// product is the descriptor of a convolution in an arithmetic.
type product struct {
	*cudnn.Convolution
	math cudnn.MathType
}

// algorithmNames are those of cuDNN's constants, by id.
var algorithmNames = map[gpu.Direction][]string{
	gpu.Forward:      {"implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
	gpu.BackwardData: {"algo_0", "algo_1", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
}

// algorithms asks the heuristics of cuDNN's functions, with a descriptor that asks for
// the arithmetic.
func (k *choice) algorithms(asked *cudnn.Context, d gpu.Direction) ([]offer, error) {
	wanted := cudnn.FmaMath
	if k.device.options.Math == gpu.MathTF32 {
		wanted = cudnn.DefaultMath
	}
	p, err := k.product(wanted)
	if err != nil {
		return nil, err
	}
	var listed []supplement.Algorithm
	if d == gpu.Forward {
		listed, err = supplement.ForwardAlgorithms(asked, k.x, k.w, p.Convolution, k.y)
	} else {
		listed, err = supplement.BackwardDataAlgorithms(asked, k.w, k.y, p.Convolution, k.x)
	}
	if err != nil {
		return nil, err
	}
	var offers []offer
	for _, a := range listed {
		if !a.Deterministic || a.Workspace > largestWorkspace || otherArithmetic(a.Math, wanted) {
			continue
		}
		math, arithmetic := wanted, gpu.MathFP32
		if wanted == cudnn.DefaultMath {
			math = a.Math
		}
		if math != cudnn.FmaMath {
			arithmetic = gpu.MathTF32
		}
		p, err := k.product(math)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("algorithm %d", a.ID)
		if a.ID < len(algorithmNames[d]) {
			name = algorithmNames[d][a.ID]
		}
		offers = append(offers, offer{
			name:  nameOfMethod(name, arithmetic),
			ready: func(c *cudnn.Context) (method, error) { return k.algorithm(c, d, a.ID, p) },
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
func (k *choice) algorithm(c *cudnn.Context, d gpu.Direction, id int, p *product) (method, error) {
	a := &algorithm{choice: k, context: c, direction: d, id: id, product: p}
	var err error
	if d == gpu.Forward {
		a.bytes, err = supplement.ForwardWorkspace(c, k.x, k.w, p.Convolution, k.y, cudnn.ConvolutionFwdAlgo(id))
	} else {
		a.bytes, err = supplement.BackwardDataWorkspace(c, k.w, k.y, p.Convolution, k.x, cudnn.ConvolutionBwdDataAlgo(id))
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *algorithm) workspace() int { return a.bytes }

func (a *algorithm) run(on tensors, space supplement.Memory) error {
	k, p := a.choice, a.product.Convolution
	if a.direction == gpu.Forward {
		return supplement.Wrap("cudnnConvolutionForward", a.context.ConvolutionForward(
			1, k.x, on.x, k.w, on.w, p, cudnn.ConvolutionFwdAlgo(a.id), space, uintptr(a.bytes), 0, k.y, on.y))
	}
	return supplement.Wrap("cudnnConvolutionBackwardData", a.context.ConvolutionBackwardData(
		1, k.w, on.w, k.y, on.y, p, cudnn.ConvolutionBwdDataAlgo(a.id), space, uintptr(a.bytes), 0, k.x, on.x))
}

// free frees nothing: the descriptors are the choice's.
func (a *algorithm) free() error { return nil }

// product describes a cross-correlation, which is what neural networks call a convolution,
// with stride 1 and same padding, the same each time for an arithmetic.
func (k *choice) product(math cudnn.MathType) (*product, error) {
	for _, p := range k.products {
		if p.math == math {
			return p, nil
		}
	}
	padding := k.shape.Kernel / 2
	c, err := cudnn.NewConvolution(math, 1, []int{padding, padding}, []int{1, 1}, []int{1, 1}, cudnn.CrossCorrelation, cudnn.Float)
	if err != nil {
		return nil, supplement.Wrap("describe the convolution", err)
	}
	p := &product{c, math}
	k.products = append(k.products, p)
	return p, nil
}

// engine is an engine of cuDNN's graph API for the gradient of the filters.
type engine struct {
	*supplement.Plan
	gradient *supplement.FilterGradient // that the engine is of, where the stream has its own
}

// engines asks the heuristics of the graph API.
func (k *choice) engines(asked *cudnn.Context) (offers []offer, err error) {
	if k.gradient, err = supplement.NewFilterGradient(asked, k.shape); err != nil {
		return nil, err
	}
	listed, err := k.listed(k.gradient)
	for _, e := range listed {
		arithmetic := gpu.MathFP32
		if e.TensorCores {
			arithmetic = gpu.MathTF32
		}
		offers = append(offers, offer{
			name: nameOfMethod(e.Name, arithmetic),
			ready: func(c *cudnn.Context) (method, error) {
				plan, err := e.Plan(c)
				switch {
				case err == nil:
					return engine{Plan: plan}, nil
				case c != asked && (supplement.IsUnsupported(err) || supplement.IsRefused(err)):
					return k.again(c, e.Name)
				}
				return nil, err
			},
		})
	}
	return offers, err
}

// listed returns the engines that are suitable.
func (k *choice) listed(g *supplement.FilterGradient) ([]supplement.Engine, error) {
	return g.Engines(func(e supplement.Engine) bool {
		return e.Deterministic && e.Exact && (!e.TensorCores || k.device.options.Math == gpu.MathTF32)
	})
}

// again makes the engine of a name ready for a context that must be asked itself: cuDNN does not
// promise that what it answered to one is of use to another. The name fixes the result.
func (k *choice) again(c *cudnn.Context, name string) (method, error) {
	g, err := supplement.NewFilterGradient(c, k.shape)
	if err != nil {
		return nil, err
	}
	listed, err := k.listed(g)
	if err == nil {
		err = fmt.Errorf("cuDNN lists %s for one stream and not for another", name)
		if i := slices.IndexFunc(listed, func(e supplement.Engine) bool { return e.Name == name }); i >= 0 {
			var plan *supplement.Plan
			if plan, err = listed[i].Plan(c); err == nil {
				return engine{plan, g}, nil
			}
		}
	}
	return nil, supplement.First(g.Destroy(), err)
}

func (e engine) workspace() int { return e.Workspace() }

func (e engine) run(on tensors, space supplement.Memory) error { return e.Run(on.x, on.y, on.w, space) }

func (e engine) free() error {
	err := e.Destroy()
	if e.gradient != nil {
		err = supplement.First(err, e.gradient.Destroy())
	}
	return err
}
