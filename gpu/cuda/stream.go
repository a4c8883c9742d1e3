//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// stagingBytes is the pinned memory of a stream, through which all copies go: large
// enough that a copy takes longer than its beginning and end.
const stagingBytes = 1 << 20

// stream implements [gpu.Stream].
type stream struct {
	device  *Device
	thread  *thread
	queue   cu.Stream
	cudnn   *cudnn.Context
	staging []byte

	held         []allocation
	workspace    workspace
	convolutions []*convolution
	programs     []*program
	tracing      bool // programs run op by op, see Trace
}

var _ gpu.Tracer = (*stream)(nil)

// allocation is a piece of the card's memory.
type allocation struct {
	address cu.DevicePtr
	bytes   int
}

// newStream makes a stream, or nothing at all.
func newStream(d *Device) (*stream, error) {
	s := &stream{device: d}
	thread, err := startThread(func() error {
		if err := makeCurrent(d.context); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return supplement.First(err, s.free())
		}
		return nil
	})
	s.thread = thread
	return s, err
}

// open makes what a stream works with, on its thread.
func (s *stream) open() error {
	var err error
	if s.queue, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return supplement.Wrap("cuStreamCreate", err)
	}
	if s.cudnn, err = supplement.NewContext(); err != nil {
		return s.device.noRoom(0, err)
	}
	if err = supplement.SetStream(s.cudnn, s.queue); err != nil {
		return err
	}
	s.staging, err = supplement.AllocPinned(stagingBytes)
	return err
}

func (s *stream) Device() gpu.Device { return s.device }

// Alloc makes zeroed memory. Its error is a *gpu.OutOfMemory if the card has too little.
func (s *stream) Alloc(bytes int) (*gpu.Buffer, error) {
	var a allocation
	err := s.thread.do(func() error {
		var err error
		if a, err = s.alloc(bytes); err != nil {
			return err
		}
		if err := cu.MemsetD8Async(a.address, 0, int64(a.bytes), s.queue); err != nil {
			return supplement.First(supplement.Wrap("cuMemsetD8Async", err), s.release(a))
		}
		s.held = append(s.held, a)
		return nil
	})
	if err != nil {
		return nil, s.wrap("allocate", err)
	}
	return &gpu.Buffer{Address: uint64(a.address), Size: bytes}, nil
}

// alloc makes memory that is not zeroed, nor yet held.
func (s *stream) alloc(bytes int) (allocation, error) {
	a := allocation{bytes: max(bytes, 1)} // an empty buffer has an address too
	var err error
	if a.address, err = cu.MemAlloc(int64(a.bytes)); err != nil {
		return a, s.device.noRoom(a.bytes, supplement.Wrap("cuMemAlloc", err))
	}
	s.device.allocated.Add(int64(a.bytes))
	return a, nil
}

// release frees memory, after all that the card has been given to do.
func (s *stream) release(a allocation) error {
	s.device.allocated.Add(-int64(a.bytes))
	return supplement.Wrap("cuMemFree", cu.MemFree(a.address))
}

// noRoom turns an error for want of so many bytes, 0 if nobody says how many, into a
// *gpu.OutOfMemory, on a thread of the device.
func (d *Device) noRoom(bytes int, err error) error {
	if !supplement.IsOutOfMemory(err) {
		return err
	}
	free, total, infoErr := cu.MemInfo()
	if infoErr != nil {
		return err
	}
	return &gpu.OutOfMemory{Bytes: int64(bytes), Free: free, Total: total, Held: d.allocated.Load()}
}

// Upload copies through pinned memory, piece by piece.
func (s *stream) Upload(dst *gpu.Buffer, offset int, src []byte) error {
	return s.wrap("upload", s.thread.do(func() error {
		for len(src) > 0 {
			n := copy(s.staging, src)
			if err := cu.MemcpyHtoDAsync(at(dst, offset), s.pinned(), int64(n), s.queue); err != nil {
				return supplement.Wrap("cuMemcpyHtoDAsync", err)
			}
			if err := s.synchronize(); err != nil {
				return err
			}
			src, offset = src[n:], offset+n
		}
		return nil
	}))
}

// Download copies through pinned memory, piece by piece.
func (s *stream) Download(dst []byte, src *gpu.Buffer, offset int) error {
	return s.wrap("download", s.thread.do(func() error {
		for len(dst) > 0 {
			n := min(len(dst), len(s.staging))
			if err := cu.MemcpyDtoHAsync(s.pinned(), at(src, offset), int64(n), s.queue); err != nil {
				return supplement.Wrap("cuMemcpyDtoHAsync", err)
			}
			if err := s.synchronize(); err != nil {
				return err
			}
			copy(dst, s.staging[:n])
			dst, offset = dst[n:], offset+n
		}
		return nil
	}))
}

func at(b *gpu.Buffer, offset int) cu.DevicePtr {
	return cu.DevicePtr(b.Address + uint64(offset))
}

func (s *stream) pinned() unsafe.Pointer { return unsafe.Pointer(&s.staging[0]) }

// Wait returns when everything queued has been done; the first error of that work is
// its own.
func (s *stream) Wait() error { return s.wrap("wait", s.thread.do(s.synchronize)) }

func (s *stream) synchronize() error {
	return supplement.Wrap("cuStreamSynchronize", s.queue.Synchronize())
}

// Trace has the profiler record what body does.
func (s *stream) Trace(body func() error) error {
	trace := func(on bool, profiler func() error) error {
		return s.wrap("trace", s.thread.do(func() error {
			s.tracing = on
			return supplement.First(s.synchronize(), profiler())
		}))
	}
	if err := trace(true, supplement.StartProfiler); err != nil {
		return supplement.First(err, trace(false, supplement.StopProfiler))
	}
	err := body()
	return supplement.First(err, trace(false, supplement.StopProfiler))
}

// Close waits and frees everything. It goes on after an error, and returns the first.
func (s *stream) Close() error {
	err := s.thread.do(s.free)
	s.thread.stop()
	return s.wrap("close a stream", err)
}

// free waits and frees what the stream has, in the order that is the reverse of its
// making, on its thread.
func (s *stream) free() error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	if s.queue != cu.NoStream {
		keep(s.synchronize())
	}
	for _, p := range s.programs {
		keep(p.free())
	}
	for _, c := range s.convolutions {
		keep(c.free())
	}
	if s.cudnn != nil {
		keep(supplement.Wrap("cudnnDestroy", s.cudnn.Close()))
	}
	for _, a := range s.held {
		keep(s.release(a))
	}
	if s.staging != nil {
		keep(supplement.Wrap("cuMemFreeHost", cu.MemFreeHost(s.pinned())))
	}
	if s.queue != cu.NoStream {
		keep(supplement.Wrap("cuStreamDestroy", s.queue.Destroy()))
	}
	return first
}

// wrap says on which device what failed.
func (s *stream) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", s.device.Name(), doing, err)
}
