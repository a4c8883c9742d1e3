package cpu

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"diaghess/gpu"
	"diaghess/gpu/cpu/slab"
	"diaghess/gpu/vector"
	"diaghess/nearest"
)

// Options configure the device. The zero value uses every processor and the
// fastest convolution library.
type Options struct {
	// Threads is the number of threads of a stream; 0 means all processors.
	Threads int
	// Library is the convolution library: "native" (Go assembly, if the processor has
	// the vector instructions, see package vector), "gonum" (pure Go), or "" for the first
	// of these that the process can use.
	Library string
}

// Device implements [gpu.Device] in host memory.
type Device struct {
	threads int
	library library
	// next is the address that the next allocation gets: addresses only name
	// buffers here, nothing dereferences them.
	next      atomic.Uint64
	allocated atomic.Int64
	// promised is what open streams take while they work, beside what Alloc makes.
	promised atomic.Int64
}

var _ gpu.Device = (*Device)(nil)

// Libraries returns the names of the convolution libraries that this process can
// use, the fastest first.
func Libraries() []string {
	level, _ := vector.Supported() // New returns the error
	var names []string
	for _, l := range libraries(level) {
		names = append(names, l.name())
	}
	return names
}

// New opens the device. It returns an error if the process cannot use the library, or if
// DIAGHESS_VECTORS is invalid (see package vector).
func New(o Options) (*Device, error) {
	level, err := vector.Supported()
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return newAt(level, o)
}

func newAt(level vector.Level, o Options) (*Device, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads: give a positive number, or 0 for all processors", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	for _, l := range libraries(level) {
		if o.Library == "" || o.Library == l.name() {
			d := &Device{threads: o.Threads, library: l}
			d.next.Store(alignment)
			return d, nil
		}
	}
	return nil, fmt.Errorf("cpu: %w; native is Go assembly for amd64 with AVX2", nearest.Unknown("convolution library", o.Library, Libraries()))
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// Description names the threads of a stream and the convolution library.
func (d *Device) Description() string {
	return fmt.Sprintf("%s, %d thread(s), convolutions by %s", runtime.GOARCH, d.threads, d.library.version())
}

// FilterLayout is HWIO.
func (d *Device) FilterLayout() gpu.FilterLayout { return gpu.HWIO }

const alignment = 256

// Alloc makes zeroed memory, aligned to 256 bytes.
func (s *stream) Alloc(bytes int) (*gpu.Buffer, error) {
	if takes := s.memory.Takes(bytes, alignment); takes > 0 {
		if err := gpu.CheckBuffer(takes + int(s.device.promised.Load())); err != nil {
			return nil, fmt.Errorf("cpu: %w", err)
		}
	}
	size := uint64(bytes+2*alignment-1) &^ (alignment - 1)
	s.allocated += int64(bytes)
	s.device.allocated.Add(int64(bytes))
	return &gpu.Buffer{
		Address: s.device.next.Add(size) - size,
		Host:    s.memory.Bytes(bytes, alignment),
		Size:    bytes,
	}, nil
}

// Allocated returns the bytes that open streams have made.
func (d *Device) Allocated() int64 { return d.allocated.Load() }

// Convolution binds a shape to the device's library.
func (s *stream) Convolution(shape gpu.ConvolutionShape) (gpu.Convolution, error) {
	if shape.Kernel%2 == 0 {
		return nil, fmt.Errorf("cpu: convolution %v: the filter's extent must be odd", shape)
	}
	return &convolution{shape: shape, algorithms: s.device.library.algorithms(shape)}, nil
}

// NewStream starts a stream of the device's number of threads. Its buffers, its library and
// each thread have memory of their own.
func (d *Device) NewStream() (gpu.Stream, error) {
	if err := gpu.CheckBuffer(slab.Least + int(d.promised.Add(d.promise()))); err != nil {
		d.promised.Add(-d.promise())
		return nil, fmt.Errorf("cpu: memory for %d thread(s): %w", d.threads, err)
	}
	return newStream(d), nil
}

// promise is what a stream's library and threads take.
func (d *Device) promise() int64 { return int64(1+d.threads) * slab.Least }

// Close does nothing: the device holds nothing of its own.
func (d *Device) Close() error { return nil }

// convolution is a shape whose algorithms are known; a stream compiles it.
type convolution struct {
	shape      gpu.ConvolutionShape
	algorithms [directions]string
}

// directions is the number of values of gpu.Direction.
const directions = 3

func (c *convolution) Shape() gpu.ConvolutionShape      { return c.shape }
func (c *convolution) Algorithm(d gpu.Direction) string { return c.algorithms[d] }

// library is a source of convolutions.
type library interface {
	name() string
	version() string
	// algorithms names what computes each direction of a shape.
	algorithms(gpu.ConvolutionShape) [directions]string
	// open makes what a stream of so many workers needs.
	open(workers int) session
}

// session is a library at work for one stream.
type session interface {
	// compile returns the tasks of a pass, to be run one after the other.
	compile(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) []task
	// taken is how many bytes the session has taken for that.
	taken() int
}

// isDense says that a convolution is the product of a dense layer.
func isDense(s gpu.ConvolutionShape) bool {
	return s.Kernel == 1 && s.Height == 1 && s.Width == 1
}
