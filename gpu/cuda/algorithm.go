//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// directions is the number of values of gpu.Direction.
const directions = 3

// algorithm is a way of cuDNN's to compute a direction of a convolution.
type algorithm struct {
	id        int
	workspace int // bytes
	math      cudnn.MathType
}

// algorithmNames are those of cuDNN's constants, by id.
var algorithmNames = [directions][]string{
	gpu.Forward:        {"implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
	gpu.BackwardData:   {"algo_0", "algo_1", "fft", "fft_tiling", "winograd", "winograd_nonfused"},
	gpu.BackwardFilter: {"algo_0", "algo_1", "fft", "algo_3", "winograd", "winograd_nonfused", "fft_tiling"},
}

// name is the algorithm's in a record.
func (a algorithm) name(d gpu.Direction) string {
	name := fmt.Sprintf("algorithm %d", a.id)
	if a.id < len(algorithmNames[d]) {
		name = algorithmNames[d][a.id]
	}
	math := FP32
	if a.math != cudnn.FmaMath {
		math = TF32
	}
	return fmt.Sprintf("cuDNN %s %s %s", supplement.CuDNNVersion(), name, math)
}

// algorithms are the device's choices, made once for a shape so that all streams
// compute the same bits, and the tensors that convolutions are tried on.
type algorithms struct {
	mutex   sync.Mutex
	chosen  map[gpu.ConvolutionShape][directions]algorithm
	scratch allocation
}

// tensors returns room for the tensors of a shape with whatever numbers in it, on a
// thread of the device. It belongs to the holder of the mutex until that has waited for
// its work.
func (a *algorithms) tensors(d *Device, s gpu.ConvolutionShape) (x, w, y supplement.Memory, err error) {
	place := func(elements int) int { return (4*elements + 255) / 256 * 256 }
	bytes := place(s.Input()) + place(s.Filter()) + place(s.Output())
	if bytes > a.scratch.bytes {
		if err := a.free(); err != nil {
			return 0, 0, 0, err
		}
		address, err := cu.MemAlloc(int64(bytes))
		if err != nil {
			return 0, 0, 0, d.noRoom(bytes, supplement.Wrap("cuMemAlloc", err))
		}
		a.scratch = allocation{address, bytes}
	}
	x = supplement.Memory(a.scratch.address)
	w = x + supplement.Memory(place(s.Input()))
	return x, w, w + supplement.Memory(place(s.Filter())), nil
}

// free frees the scratch tensors, on a thread of the device.
func (a *algorithms) free() error {
	if a.scratch.bytes == 0 {
		return nil
	}
	address := a.scratch.address
	a.scratch = allocation{}
	return supplement.Wrap("cuMemFree", cu.MemFree(address))
}

// choose finds the algorithm of a direction: the first of cuDNN's list that gives the
// same bits each time, needs no more than largestWorkspace and succeeds on the scratch
// tensors x, w and y. The convolution keeps it.
func (c *convolution) choose(d gpu.Direction, x, w, y supplement.Memory) error {
	math := cudnn.FmaMath
	if c.stream.device.options.Math == TF32 {
		math = cudnn.DefaultMath
	}
	listed, err := c.list(d, math)
	if err != nil {
		return fmt.Errorf("%v: %w", d, err)
	}
	var unsuitable []string
	for _, candidate := range listed {
		a := algorithm{id: candidate.ID, workspace: candidate.Workspace, math: math}
		if math == cudnn.DefaultMath {
			a.math = candidate.Math
		}
		if !candidate.Deterministic || candidate.Workspace > largestWorkspace || otherArithmetic(candidate.Math, math) {
			continue
		}
		err := c.try(d, a, x, w, y)
		if err != errLargeWorkspace && !supplement.IsUnsupported(err) {
			return err // nil, or not the algorithm's fault: a passing trouble must not choose
		}
		if err := c.stream.synchronize(); err != nil {
			return err
		}
		unsuitable = append(unsuitable, fmt.Sprintf("%s: %v", a.name(d), err))
	}
	return fmt.Errorf("%v: none of the %d algorithms that cuDNN lists is deterministic, runs on this card and needs no more than %d MB (tried %q)",
		d, len(listed), largestWorkspace>>20, unsuitable)
}

// errLargeWorkspace says that an algorithm needs more than largestWorkspace after all.
var errLargeWorkspace = errors.New("needs too large a workspace")

// otherArithmetic says that an algorithm's arithmetic is not what was asked for: it
// converts to half precision, or uses tensor cores where FMA was demanded.
func otherArithmetic(offered, asked cudnn.MathType) bool {
	return offered == cudnn.TensorOpMathAllowConversion || asked == cudnn.FmaMath && offered == cudnn.TensorOpMath
}

// list asks cuDNN's heuristics, with a descriptor that asks for the arithmetic.
func (c *convolution) list(d gpu.Direction, math cudnn.MathType) ([]supplement.Algorithm, error) {
	descriptor, err := newDescriptor(c.shape, math)
	if err != nil {
		return nil, err
	}
	var listed []supplement.Algorithm
	switch d {
	case gpu.Forward:
		listed, err = supplement.ForwardAlgorithms(c.stream.cudnn, c.x, c.w, descriptor, c.y)
	case gpu.BackwardData:
		listed, err = supplement.BackwardDataAlgorithms(c.stream.cudnn, c.w, c.y, descriptor, c.x)
	default:
		listed, err = supplement.BackwardFilterAlgorithms(c.stream.cudnn, c.x, c.y, descriptor, c.w)
	}
	return listed, supplement.First(err, supplement.DestroyConvolution(descriptor))
}

// try takes an algorithm for a direction and runs it once, which also loads its
// kernels; the convolution keeps it if that works.
func (c *convolution) try(d gpu.Direction, a algorithm, x, w, y supplement.Memory) error {
	descriptor, err := newDescriptor(c.shape, a.math)
	if err != nil {
		return err
	}
	c.passes[d] = pass{a, descriptor}
	err = c.warm(d, x, w, y)
	if err != nil {
		// A failure to destroy comes first: it is not the algorithm's fault.
		err = supplement.First(supplement.DestroyConvolution(descriptor), err)
		c.passes[d] = pass{}
	}
	return err
}

// warm runs a direction once, with the workspace that it needs.
func (c *convolution) warm(d gpu.Direction, x, w, y supplement.Memory) error {
	p := &c.passes[d]
	var err error
	switch d {
	case gpu.Forward:
		p.workspace, err = supplement.ForwardWorkspace(c.stream.cudnn, c.x, c.w, p.descriptor, c.y, cudnn.ConvolutionFwdAlgo(p.id))
	case gpu.BackwardData:
		p.workspace, err = supplement.BackwardDataWorkspace(c.stream.cudnn, c.w, c.y, p.descriptor, c.x, cudnn.ConvolutionBwdDataAlgo(p.id))
	default:
		p.workspace, err = supplement.BackwardFilterWorkspace(c.stream.cudnn, c.x, c.y, p.descriptor, c.w, cudnn.ConvolutionBwdFilterAlgo(p.id))
	}
	if err != nil {
		return err
	}
	if p.workspace > largestWorkspace {
		return errLargeWorkspace
	}
	if err := c.stream.reserve(p.workspace); err != nil {
		return err
	}
	if err := c.run(d, x, w, y); err != nil {
		return err
	}
	return c.stream.synchronize()
}
