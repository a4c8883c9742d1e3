//go:build cuda

package cuda

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// convolution implements [gpu.Convolution] for the passes of one stream.
type convolution struct {
	*choice
	stream  *stream
	methods [directions]method
}

func (c *convolution) Shape() gpu.ConvolutionShape { return c.shape }

// Algorithm names cuDNN's method and the arithmetic.
func (c *convolution) Algorithm(d gpu.Direction) string { return c.chosen[d].name }

// Convolution binds a shape, by the methods that the device has chosen for it.
func (s *stream) Convolution(shape gpu.ConvolutionShape) (gpu.Convolution, error) {
	if shape.Kernel%2 == 0 {
		return nil, fmt.Errorf("%s: convolution %v: the filter's extent must be odd", s.device.Name(), shape)
	}
	c := &convolution{stream: s}
	err := s.thread.do(func() (err error) {
		var scratch tensors
		if c.choice, scratch, err = s.device.choices.choose(s, shape); err != nil {
			return err
		}
		if err := c.bind(scratch); err != nil {
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

// bind makes the methods ready and queues each once, on the stream's thread: what cuDNN does at
// a method's first run may not be possible while a program is captured.
func (c *convolution) bind(scratch tensors) (err error) {
	for d, o := range c.chosen {
		if c.methods[d], err = o.ready(c.stream.cudnn); err == nil {
			err = c.stream.warm(c.methods[d], scratch)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", gpu.Direction(d), err)
		}
	}
	return nil
}

// warm queues a method once, with the workspace that it needs.
func (s *stream) warm(m method, on tensors) error {
	if err := s.reserve(m.workspace()); err != nil {
		return err
	}
	return m.run(on, s.workspace.memory())
}

// run queues one direction, on the stream's thread.
func (c *convolution) run(d gpu.Direction, on tensors) error {
	return c.methods[d].run(on, c.stream.workspace.memory())
}

// free frees the methods, on the stream's thread.
func (c *convolution) free() error {
	var failed []error
	for _, m := range c.methods {
		if m != nil {
			failed = append(failed, m.free())
		}
	}
	return supplement.First(failed...)
}

// reserve ensures that the stream's convolutions, which run one after the other and so share
// it, have a workspace of so many bytes, on the stream's thread. A smaller one stays until the
// stream is closed: graphs have its address, and to free it might wait for the work of all
// streams. So a new one has what any shape needs that the device has seen.
func (s *stream) reserve(bytes int) error {
	if bytes <= s.workspace.bytes {
		return nil
	}
	larger, err := s.alloc(max(bytes, int(s.device.choices.largest.Load())))
	if err != nil {
		return err
	}
	s.workspace = larger
	return nil
}
