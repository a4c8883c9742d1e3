//go:build cuda

package cuda

import (
	"fmt"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// convolution implements [gpu.Convolution] for the passes of one stream.
type convolution struct {
	shape  gpu.ConvolutionShape
	stream *stream
	x, y   *cudnn.TensorDescriptor
	w      *cudnn.Filter
	passes [directions]pass
}

// pass is a direction's algorithm and the descriptor with its arithmetic.
type pass struct {
	algorithm
	descriptor *cudnn.Convolution
}

func (c *convolution) Shape() gpu.ConvolutionShape { return c.shape }

// Algorithm names cuDNN's algorithm and the arithmetic.
func (c *convolution) Algorithm(d gpu.Direction) string { return c.passes[d].name(d) }

// Convolution binds a shape: cuDNN's algorithms are chosen when the device first sees
// it, see choose.
func (s *stream) Convolution(shape gpu.ConvolutionShape) (gpu.Convolution, error) {
	if shape.Kernel%2 == 0 {
		return nil, fmt.Errorf("%s: convolution %v: the filter's extent must be odd", s.device.Name(), shape)
	}
	c := &convolution{shape: shape, stream: s}
	a := &s.device.algorithms
	a.mutex.Lock()
	defer a.mutex.Unlock()
	err := s.thread.do(func() error {
		if err := c.bind(a); err != nil {
			return supplement.First(err, c.free())
		}
		s.convolutions = append(s.convolutions, c)
		return nil
	})
	if err != nil {
		return nil, s.wrap(fmt.Sprintf("convolution %v", shape), err)
	}
	return c, nil
}

// bind makes the descriptors and runs each direction once on scratch tensors, on the
// stream's thread.
func (c *convolution) bind(a *algorithms) error {
	s := c.shape
	var err error
	// dnn takes the extents in the order of NCHW and KCRS, whatever the layout is.
	if c.x, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{s.Batch, s.In, s.Height, s.Width}, nil); err != nil {
		return supplement.Wrap("describe the input", err)
	}
	if c.y, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{s.Batch, s.Out, s.Height, s.Width}, nil); err != nil {
		return supplement.Wrap("describe the output", err)
	}
	if c.w, err = cudnn.NewFilter(cudnn.Float, cudnn.NHWC, []int{s.Out, s.In, s.Kernel, s.Kernel}); err != nil {
		return supplement.Wrap("describe the filter", err)
	}
	x, w, y, err := a.tensors(c.stream.device, s)
	if err != nil {
		return err
	}
	chosen, known := a.chosen[s]
	for d := range gpu.Direction(directions) {
		if known {
			err = c.try(d, chosen[d], x, w, y)
		} else {
			err = c.choose(d, x, w, y)
		}
		if err != nil {
			return err
		}
		chosen[d] = c.passes[d].algorithm
	}
	if a.chosen == nil {
		a.chosen = map[gpu.ConvolutionShape][directions]algorithm{}
	}
	a.chosen[s] = chosen
	return nil
}

// newDescriptor describes a cross-correlation, which is what neural networks call a
// convolution, with stride 1 and same padding.
func newDescriptor(s gpu.ConvolutionShape, math cudnn.MathType) (*cudnn.Convolution, error) {
	padding := s.Kernel / 2
	c, err := cudnn.NewConvolution(math, 1, []int{padding, padding}, []int{1, 1}, []int{1, 1}, cudnn.CrossCorrelation, cudnn.Float)
	return c, supplement.Wrap("describe the convolution", err)
}

// run queues one direction, on the stream's thread.
func (c *convolution) run(d gpu.Direction, x, w, y supplement.Memory) error {
	p, s := &c.passes[d], c.stream
	scratch, bytes := s.workspace.memory(), uintptr(p.workspace)
	switch d {
	case gpu.Forward:
		return supplement.Wrap("cudnnConvolutionForward", s.cudnn.ConvolutionForward(
			1, c.x, x, c.w, w, p.descriptor, cudnn.ConvolutionFwdAlgo(p.id), scratch, bytes, 0, c.y, y))
	case gpu.BackwardData:
		return supplement.Wrap("cudnnConvolutionBackwardData", s.cudnn.ConvolutionBackwardData(
			1, c.w, w, c.y, y, p.descriptor, cudnn.ConvolutionBwdDataAlgo(p.id), scratch, bytes, 0, c.x, x))
	}
	return supplement.Wrap("cudnnConvolutionBackwardFilter", s.cudnn.ConvolutionBackwardFilter(
		1, c.x, x, c.y, y, p.descriptor, cudnn.ConvolutionBwdFilterAlgo(p.id), scratch, bytes, 0, c.w, w))
}

// free frees the descriptors, on the stream's thread.
func (c *convolution) free() error {
	var failed []error
	for _, p := range c.passes {
		if p.descriptor != nil {
			failed = append(failed, supplement.DestroyConvolution(p.descriptor))
		}
	}
	if c.w != nil {
		failed = append(failed, supplement.DestroyFilter(c.w))
	}
	for _, t := range []*cudnn.TensorDescriptor{c.y, c.x} {
		if t != nil {
			failed = append(failed, supplement.DestroyTensor(t))
		}
	}
	return supplement.First(failed...)
}
