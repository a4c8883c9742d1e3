//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// largestWorkspace bounds the scratch memory of a convolution; an algorithm that needs
// more is passed over.
const largestWorkspace = 256 << 20

// choices are what the device has chosen for convolutions, once for a shape: so all streams
// compute the same bits, and cuDNN is asked once.
type choices struct {
	mutex   sync.Mutex
	made    map[gpu.ConvolutionShape]*choice
	scratch []allocation // for tensors that methods are tried on, the largest last
	largest atomic.Int64 // workspace of a choice, in bytes
}

// choice is how the device computes a shape.
type choice struct {
	device   *Device
	shape    gpu.ConvolutionShape
	x, y     *cudnn.TensorDescriptor
	w        *cudnn.Filter
	gradient *supplement.FilterGradient
	products []*product
	chosen   [directions]offer
}

// choose returns the choice for a shape, and tensors of that shape to try a method on. It is
// called on the thread of a stream, which tries methods where the device has not seen the shape.
func (c *choices) choose(s *stream, shape gpu.ConvolutionShape) (*choice, tensors, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	scratch, err := c.tensors(s, shape)
	if err != nil {
		return nil, scratch, err
	}
	if known, ok := c.made[shape]; ok {
		return known, scratch, nil
	}
	k := &choice{device: s.device, shape: shape}
	if err := k.describe(); err != nil {
		return nil, scratch, supplement.First(err, k.free())
	}
	for d := range gpu.Direction(directions) {
		offers, err := k.offers(s.cudnn, d)
		if err == nil {
			k.chosen[d], err = c.first(offers, s, scratch)
		}
		if err != nil {
			return nil, scratch, supplement.First(fmt.Errorf("%v: %w", d, err), k.free())
		}
	}
	if c.made == nil {
		c.made = map[gpu.ConvolutionShape]*choice{}
	}
	c.made[shape] = k
	return k, scratch, nil
}

// describe makes the descriptors of the tensors.
func (k *choice) describe() error {
	s := k.shape
	var err error
	// dnn takes the extents in the order of NCHW and KCRS, whatever the layout is.
	if k.x, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{s.Batch, s.In, s.Height, s.Width}, nil); err != nil {
		return supplement.Wrap("describe the input", err)
	}
	if k.y, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{s.Batch, s.Out, s.Height, s.Width}, nil); err != nil {
		return supplement.Wrap("describe the output", err)
	}
	if k.w, err = cudnn.NewFilter(cudnn.Float, cudnn.NHWC, []int{s.Out, s.In, s.Kernel, s.Kernel}); err != nil {
		return supplement.Wrap("describe the filter", err)
	}
	return nil
}

// errLargeWorkspace says that a method needs more than largestWorkspace.
var errLargeWorkspace = errors.New("needs too large a workspace")

// first returns the first offer that needs no more than largestWorkspace and succeeds on
// scratch tensors.
func (c *choices) first(offers []offer, s *stream, scratch tensors) (offer, error) {
	var unsuitable []string
	for _, o := range offers {
		bytes, err := s.try(o, scratch)
		if err == nil {
			c.largest.Store(max(c.largest.Load(), int64(bytes)))
			return o, nil
		}
		if err != errLargeWorkspace && !supplement.IsUnsupported(err) {
			return o, err // not the method's fault: a passing trouble must not choose
		}
		if err := s.synchronize(); err != nil {
			return o, err
		}
		unsuitable = append(unsuitable, fmt.Sprintf("%s: %v", o.name, err))
	}
	return offer{}, fmt.Errorf("no method that cuDNN lists is deterministic, runs on this card and needs no more than %d MB (tried %q)",
		largestWorkspace>>20, unsuitable)
}

// try makes an offer ready, runs it once, which also loads its kernels, and returns its
// workspace in bytes.
func (s *stream) try(o offer, scratch tensors) (int, error) {
	m, err := o.ready(s.cudnn)
	if err != nil {
		return 0, err
	}
	bytes := m.workspace()
	err = errLargeWorkspace
	if bytes <= largestWorkspace {
		if err = s.warm(m, scratch); err == nil {
			err = s.synchronize()
		}
	}
	// A failure to free comes first: it is not the method's fault.
	return bytes, supplement.First(m.free(), err)
}

// tensors are the operands of a convolution.
type tensors struct{ x, w, y supplement.Memory }

// tensors returns room for the operands of a shape with whatever numbers in it, on the thread
// of a stream. Several streams may write there at once: nobody reads the numbers.
func (c *choices) tensors(s *stream, shape gpu.ConvolutionShape) (t tensors, err error) {
	x, w := aligned(4*shape.Input()), aligned(4*shape.Filter())
	bytes := x + w + aligned(4*shape.Output())
	if n := len(c.scratch); n == 0 || bytes > c.scratch[n-1].bytes {
		// The others stay: to free them might wait for the work of all streams.
		larger, err := s.device.alloc(bytes, s.lane)
		if err != nil {
			return t, err
		}
		c.scratch = append(c.scratch, larger)
	}
	t.x = supplement.Memory(c.scratch[len(c.scratch)-1].address)
	t.w = t.x + supplement.Memory(x)
	t.y = t.w + supplement.Memory(w)
	return t, nil
}

// free frees the descriptors.
func (k *choice) free() error {
	var failed []error
	if k.gradient != nil {
		failed = append(failed, k.gradient.Destroy())
	}
	for _, p := range k.products {
		failed = append(failed, supplement.DestroyConvolution(p.Convolution))
	}
	if k.w != nil {
		failed = append(failed, supplement.DestroyFilter(k.w))
	}
	for _, t := range []*cudnn.TensorDescriptor{k.y, k.x} {
		if t != nil {
			failed = append(failed, supplement.DestroyTensor(t))
		}
	}
	return supplement.First(failed...)
}

// free frees all choices, on a thread of the device.
func (c *choices) free() error {
	var failed []error
	for _, k := range c.made {
		failed = append(failed, k.free())
	}
	for _, a := range c.scratch {
		failed = append(failed, a.free())
	}
	return supplement.First(failed...)
}
