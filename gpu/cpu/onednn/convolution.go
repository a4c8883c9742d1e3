//go:build onednn

package onednn

// #include "onednn.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Pass names one of the three passes of a convolution.
type Pass int

// The passes: output from input, gradient of the input, gradient of the filter.
const (
	Forward        Pass = C.FORWARD
	BackwardData   Pass = C.BACKWARD_DATA
	BackwardFilter Pass = C.BACKWARD_FILTER
)

// String returns the pass's name in words.
func (p Pass) String() string {
	return [...]string{"forward", "backward data", "backward filter"}[p]
}

// Shape is the shape of a convolution of one slice of a batch, stride 1, padded so that the output has the input's
// height and width. Activations are [Batch, Height, Width, channels], filters [Kernel, Kernel, In, Out].
type Shape struct {
	Batch, Height, Width, In, Out int
	Kernel                        int // odd
}

// String returns the shape as 16x32x32x3 -> 32, kernel 3x3.
func (s Shape) String() string {
	return fmt.Sprintf("%dx%dx%dx%d -> %d, kernel %dx%d", s.Batch, s.Height, s.Width, s.In, s.Out, s.Kernel, s.Kernel)
}

func (s Shape) inputLen() int  { return s.Batch * s.Height * s.Width * s.In }
func (s Shape) outputLen() int { return s.Batch * s.Height * s.Width * s.Out }
func (s Shape) filterLen() int { return s.Kernel * s.Kernel * s.In * s.Out }

// Worker holds what one goroutine at a time needs to run convolutions: the library's stream, and scratch memory that all its
// convolutions share, so that it stays in the cache.
type Worker struct {
	handle       *C.worker
	convolutions []*Convolution
}

// NewWorker returns a worker, to be closed after use. It fails if the library was built with a threading runtime other than OpenMP.
func NewWorker() (*Worker, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	w := new(Worker)
	if err := statusError(C.worker_create(&w.handle), "create a CPU engine"); err != nil {
		return nil, err
	}
	return w, nil
}

// Close frees the worker and its convolutions.
func (w *Worker) Close() {
	for _, c := range w.convolutions {
		C.convolution_destroy(c.handle)
		c.handle = nil
	}
	w.convolutions = nil
	C.worker_destroy(w.handle)
	w.handle = nil
}

// Convolution is a convolution of one slice of a batch by one worker. Its methods may not run at the same time as others of the same
// worker; they panic if a slice has the wrong length. They return an error if the library fails, which after NewConvolution
// succeeded should not happen.
type Convolution struct {
	handle *C.convolution
	shape  Shape
}

// NewConvolution makes the primitives of the three passes, their reorders and scratch memory; running them allocates nothing.
// It is freed with the worker. It panics if an extent is not positive or the kernel is even.
func (w *Worker) NewConvolution(shape Shape) (*Convolution, error) {
	if min(shape.Batch, shape.Height, shape.Width, shape.In, shape.Out, shape.Kernel) < 1 || shape.Kernel%2 == 0 {
		panic(fmt.Sprintf("onednn: impossible convolution %v", shape))
	}
	c := &Convolution{shape: shape}
	status := C.convolution_create(&c.handle, w.handle, C.int64_t(shape.Batch), C.int64_t(shape.Height), C.int64_t(shape.Width),
		C.int64_t(shape.In), C.int64_t(shape.Out), C.int64_t(shape.Kernel))
	if err := statusError(status, "create convolution %v", shape); err != nil {
		return nil, err
	}
	w.convolutions = append(w.convolutions, c)
	return c, nil
}

// Algorithm returns the name of the implementation that a pass uses, as oneDNN reports it, and the order of its activations: such as
// "jit:avx2 NHWC", or "jit:avx2 reordered" if they are brought into an order of the library's.
func (c *Convolution) Algorithm(pass Pass) string {
	order := " NHWC"
	if C.convolution_reorders(c.handle, C.int(pass)) != 0 {
		order = " reordered"
	}
	return C.GoString(C.convolution_implementation(c.handle, C.int(pass))) + order
}

// PackedLen returns the length of a filter, or of its gradient, in the order that a pass wants. It can exceed
// Kernel*Kernel*In*Out because channels are padded to the width of a vector.
func (c *Convolution) PackedLen(pass Pass) int {
	return int(C.convolution_packed_bytes(c.handle, C.int(pass))) / int(unsafe.Sizeof(float32(0)))
}

// Pack brings a filter w (HWIO) into the order that Forward or BackwardData wants. The packed filter serves all convolutions of the
// same shape, of any worker, and may be read by several at once.
func (c *Convolution) Pack(pass Pass, w, packed []float32) error {
	if pass == BackwardFilter {
		panic("onednn: Pack of the filter's gradient: Unpack is meant")
	}
	c.check("filter", w, c.shape.filterLen())
	c.check("packed filter", packed, c.PackedLen(pass))
	return c.status(C.convolution_pack(c.handle, C.int(pass), pointer(w), pointer(packed)), pass, "pack the filter for")
}

// Unpack brings a filter's gradient from the order of BackwardFilter into HWIO. Packed gradients of several slices may be
// added element by element before.
func (c *Convolution) Unpack(packed, dw []float32) error {
	c.check("packed filter gradient", packed, c.PackedLen(BackwardFilter))
	c.check("filter gradient", dw, c.shape.filterLen())
	return c.status(C.convolution_pack(c.handle, C.int(BackwardFilter), pointer(packed), pointer(dw)), BackwardFilter, "unpack the filter's gradient of")
}

// Forward computes y = x * w from x (NHWC) and the filter packed for Forward.
func (c *Convolution) Forward(x, packed, y []float32) error { return c.run(Forward, x, packed, y) }

// BackwardData computes the gradient dx of the input from dy (NHWC) and the filter packed for BackwardData.
func (c *Convolution) BackwardData(dy, packed, dx []float32) error {
	return c.run(BackwardData, dx, packed, dy)
}

// BackwardFilter computes the slice's gradient of the filter, in an order of its own (see Unpack), from x and dy (NHWC).
func (c *Convolution) BackwardFilter(x, dy, packed []float32) error {
	return c.run(BackwardFilter, x, packed, dy)
}

func (c *Convolution) run(pass Pass, x, packed, y []float32) error {
	c.check("input", x, c.shape.inputLen())
	c.check("packed filter", packed, c.PackedLen(pass))
	c.check("output", y, c.shape.outputLen())
	return c.status(C.convolution_run(c.handle, C.int(pass), pointer(x), pointer(packed), pointer(y)), pass, "run")
}

func (c *Convolution) check(what string, values []float32, want int) {
	if len(values) != want {
		panic(fmt.Sprintf("onednn: convolution %v: %s has %d values, want %d", c.shape, what, len(values), want))
	}
}

func (c *Convolution) status(status C.dnnl_status_t, pass Pass, doing string) error {
	if status == C.dnnl_success { // before the arguments of the message are allocated
		return nil
	}
	return statusError(status, "convolution %v: %s %v", c.shape, doing, pass)
}

func pointer(values []float32) *C.float { return (*C.float)(unsafe.SliceData(values)) }
