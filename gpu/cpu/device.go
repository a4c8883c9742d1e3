package cpu

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"diaghess/gpu"
)

// Options configure the device. The zero value uses every processor and the
// fastest convolution library that was built in.
type Options struct {
	// Threads is how many threads a stream uses; 0 means all processors.
	Threads int
	// Library names the convolution library: "onednn", "gonum" or "", the
	// first of these that was built in.
	Library string
}

// Device implements [gpu.Device] in host memory.
type Device struct {
	threads int
	library library
	// next is the address that the next allocation gets: addresses only name
	// buffers here, nothing dereferences them.
	next atomic.Uint64
}

var _ gpu.Device = (*Device)(nil)

// Libraries returns the names of the convolution libraries that were built in,
// the fastest first.
func Libraries() []string {
	var names []string
	for _, l := range libraries() {
		names = append(names, l.name())
	}
	return names
}

// New opens the device. It fails on a library that was not built in.
func New(o Options) (*Device, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads: give a positive number, or 0 for all processors", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	for _, l := range libraries() {
		if o.Library == "" || o.Library == l.name() {
			d := &Device{threads: o.Threads, library: l}
			d.next.Store(alignment)
			return d, nil
		}
	}
	return nil, fmt.Errorf("cpu: convolution library %q is not built in (have: %v); oneDNN needs its headers and the build tag onednn, see README.md", o.Library, Libraries())
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// Description names the threads of a stream and the convolution library.
func (d *Device) Description() string {
	return fmt.Sprintf("%s, %d thread(s), convolutions by %s", runtime.GOARCH, d.threads, d.library.version())
}

const alignment = 256

// Alloc makes zeroed memory, aligned to 256 bytes.
func (d *Device) Alloc(bytes int) (*gpu.Buffer, error) {
	memory := make([]byte, bytes+alignment)
	shift := int(-uintptr(unsafe.Pointer(&memory[0])) & (alignment - 1))
	size := uint64(bytes+2*alignment-1) &^ (alignment - 1)
	return &gpu.Buffer{
		Address: d.next.Add(size) - size,
		Host:    memory[shift : shift+bytes : shift+bytes],
		Size:    bytes,
	}, nil
}

// Allocated returns the bytes handed out, each allocation rounded up to the
// alignment.
func (d *Device) Allocated() int64 { return int64(d.next.Load()) - alignment }

// Convolution binds a shape to the device's library.
func (d *Device) Convolution(s gpu.ConvolutionShape) (gpu.Convolution, error) {
	if s.Kernel%2 == 0 {
		return nil, fmt.Errorf("cpu: convolution %v: the filter's extent must be odd", s)
	}
	return d.library.convolution(s)
}

// NewStream starts a stream of the device's number of threads.
func (d *Device) NewStream() (gpu.Stream, error) {
	return newStream(d), nil
}

// Close does nothing: the garbage collector frees host memory.
func (d *Device) Close() error { return nil }

// library is a source of convolutions.
type library interface {
	name() string
	version() string
	convolution(gpu.ConvolutionShape) (convolution, error)
}

// convolution is a gpu.Convolution that can say how the cpu runs it.
type convolution interface {
	gpu.Convolution
	// compile returns the tasks of a pass, run one after the other, with
	// scratch memory for the given number of workers.
	compile(p *gpu.ConvolutionPass, workers int) ([]task, error)
}
