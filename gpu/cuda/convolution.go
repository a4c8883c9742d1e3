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

// convolution implements [gpu.Convolution] for the passes of one stream.
type convolution struct {
	shape    gpu.ConvolutionShape
	stream   *stream
	x, y     *cudnn.TensorDescriptor
	w        *cudnn.Filter
	gradient *supplement.FilterGradient
	methods  [directions]method
	names    [directions]string // of the methods
}

// choices are the methods that the device has chosen, once for a shape so that all
// streams compute the same bits, and the tensors that convolutions are tried on.
type choices struct {
	mutex   sync.Mutex
	names   map[gpu.ConvolutionShape][directions]string
	scratch allocation
}

func (c *convolution) Shape() gpu.ConvolutionShape { return c.shape }

// Algorithm names cuDNN's method and the arithmetic.
func (c *convolution) Algorithm(d gpu.Direction) string { return c.names[d] }

// Convolution binds a shape: cuDNN's methods are chosen when the device first sees it,
// see choose.
func (s *stream) Convolution(shape gpu.ConvolutionShape) (gpu.Convolution, error) {
	if shape.Kernel%2 == 0 {
		return nil, fmt.Errorf("%s: convolution %v: the filter's extent must be odd", s.device.Name(), shape)
	}
	c := &convolution{shape: shape, stream: s}
	chosen := &s.device.choices
	chosen.mutex.Lock()
	defer chosen.mutex.Unlock()
	err := s.thread.do(func() error {
		if err := c.bind(chosen); err != nil {
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
func (c *convolution) bind(chosen *choices) error {
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
	x, w, y, err := chosen.tensors(c.stream.device, s)
	if err != nil {
		return err
	}
	names := chosen.names[s]
	for d := range gpu.Direction(directions) {
		if err := c.choose(d, names[d], x, w, y); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
	}
	if chosen.names == nil {
		chosen.names = map[gpu.ConvolutionShape][directions]string{}
	}
	chosen.names[s] = c.names
	return nil
}

// errLargeWorkspace says that a method needs more than largestWorkspace.
var errLargeWorkspace = errors.New("needs too large a workspace")

// choose finds the method of a direction: the first offer that has the given name where
// there is one, needs no more than largestWorkspace and succeeds on the scratch tensors x,
// w and y.
func (c *convolution) choose(d gpu.Direction, name string, x, w, y supplement.Memory) error {
	offers, err := c.offers(d)
	if err != nil {
		return err
	}
	var unsuitable []string
	for _, o := range offers {
		if name != "" && name != o.name {
			continue
		}
		m, err := c.try(o, x, w, y)
		if err == nil {
			c.methods[d], c.names[d] = m, o.name
			return nil
		}
		if err != errLargeWorkspace && !supplement.IsUnsupported(err) {
			return err // not the method's fault: a passing trouble must not choose
		}
		if err := c.stream.synchronize(); err != nil {
			return err
		}
		unsuitable = append(unsuitable, fmt.Sprintf("%s: %v", o.name, err))
	}
	return fmt.Errorf("no method that cuDNN lists is deterministic, runs on this card and needs no more than %d MB (tried %q)",
		largestWorkspace>>20, unsuitable)
}

// try makes an offer ready and runs it once, which also loads its kernels.
func (c *convolution) try(o offer, x, w, y supplement.Memory) (method, error) {
	m, err := o.ready()
	if err != nil {
		return nil, err
	}
	if err := c.warm(m, x, w, y); err != nil {
		// A failure to free comes first: it is not the method's fault.
		return nil, supplement.First(m.free(), err)
	}
	return m, nil
}

// warm runs a method once, with the workspace that it needs.
func (c *convolution) warm(m method, x, w, y supplement.Memory) error {
	if m.workspace() > largestWorkspace {
		return errLargeWorkspace
	}
	if err := c.stream.reserve(m.workspace()); err != nil {
		return err
	}
	if err := m.run(x, w, y, c.stream.workspace.memory()); err != nil {
		return err
	}
	return c.stream.synchronize()
}

// run queues one direction, on the stream's thread.
func (c *convolution) run(d gpu.Direction, x, w, y supplement.Memory) error {
	return c.methods[d].run(x, w, y, c.stream.workspace.memory())
}

// free frees the methods and descriptors, on the stream's thread.
func (c *convolution) free() error {
	var failed []error
	for _, m := range c.methods {
		if m != nil {
			failed = append(failed, m.free())
		}
	}
	if c.gradient != nil {
		failed = append(failed, c.gradient.Destroy())
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

// tensors returns room for the tensors of a shape with whatever numbers in it, on a
// thread of the device. It belongs to the holder of the mutex until that has waited for
// its work.
func (c *choices) tensors(d *Device, s gpu.ConvolutionShape) (x, w, y supplement.Memory, err error) {
	place := func(elements int) int { return (4*elements + 255) / 256 * 256 }
	bytes := place(s.Input()) + place(s.Filter()) + place(s.Output())
	if bytes > c.scratch.bytes {
		if err := c.free(); err != nil {
			return 0, 0, 0, err
		}
		address, err := cu.MemAlloc(int64(bytes))
		if err != nil {
			return 0, 0, 0, d.noRoom(bytes, supplement.Wrap("cuMemAlloc", err))
		}
		c.scratch = allocation{address, bytes}
	}
	x = supplement.Memory(c.scratch.address)
	w = x + supplement.Memory(place(s.Input()))
	return x, w, w + supplement.Memory(place(s.Filter())), nil
}

// free frees the scratch tensors, on a thread of the device.
func (c *choices) free() error {
	if c.scratch.bytes == 0 {
		return nil
	}
	address := c.scratch.address
	c.scratch = allocation{}
	return supplement.Wrap("cuMemFree", cu.MemFree(address))
}
