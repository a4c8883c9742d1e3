//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// stagingBytes is the pinned memory of a stream, through which all copies go: large
// enough that a copy takes longer than its beginning and end.
const stagingBytes = 1 << 20

// lane is what a stream works with. The device keeps it for a later stream, and with it the
// memory: to make or free either might wait for the work of all streams.
type lane struct {
	thread  *thread
	queue   cu.Stream
	cudnn   *cudnn.Context
	staging []byte
	spare   []allocation // of the stream before
}

// stream implements [gpu.Stream].
type stream struct {
	*lane
	device *Device

	held         []allocation
	workspace    allocation
	convolutions []*convolution
	programs     []*program
	tracing      bool // programs run op by op, see Trace
	// queued names what was queued last.
	queued atomic.Pointer[string]
}

var (
	_ gpu.Tracer = (*stream)(nil)
	_ gpu.Packer = (*stream)(nil)
)

// newStream makes a stream on a lane that is idle or new, or nothing at all.
func newStream(d *Device) (*stream, error) {
	if l := d.lanes.take(); l != nil {
		return &stream{lane: l, device: d}, nil
	}
	l := &lane{}
	thread, err := startThread(&d.watch, func() error {
		if err := makeCurrent(d.context); err != nil {
			return err
		}
		if err := l.open(d); err != nil {
			return supplement.First(err, l.free(d))
		}
		return nil
	})
	l.thread = thread
	return &stream{lane: l, device: d}, err
}

// open makes what a stream works with, on its thread.
func (l *lane) open(d *Device) error {
	var err error
	if l.queue, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return supplement.Wrap("cuStreamCreate", err)
	}
	if l.cudnn, err = supplement.NewContext(); err != nil {
		return d.noRoom(0, err)
	}
	if err = supplement.SetStream(l.cudnn, l.queue); err != nil {
		return err
	}
	l.staging, err = supplement.AllocPinned(stagingBytes)
	return err
}

func (s *stream) Device() gpu.Device { return s.device }

// alignment is what addresses of buffers are multiples of, in bytes.
const alignment = 256

func aligned(bytes int) int { return (bytes + alignment - 1) / alignment * alignment }

// Alloc makes zeroed memory. Its error is a *gpu.OutOfMemory if the card has too little.
func (s *stream) Alloc(bytes int) (*gpu.Buffer, error) {
	b := &gpu.Buffer{Size: bytes}
	return b, s.Pack([]*gpu.Buffer{b})
}

// Pack makes the memory of buffers as one allocation. Where ops are to be told apart, each has
// its own, so that one that leaves its buffer is found out.
func (s *stream) Pack(buffers []*gpu.Buffer) error {
	if s.device.options.Blocking && len(buffers) > 1 {
		return supplement.First(s.Pack(buffers[:1]), s.Pack(buffers[1:]))
	}
	if len(buffers) == 0 {
		return nil
	}
	bytes := 0
	for _, b := range buffers[:len(buffers)-1] {
		bytes += max(alignment, aligned(b.Size)) // an empty buffer has an address too
	}
	bytes += max(1, buffers[len(buffers)-1].Size)
	var a allocation
	err := s.thread.do(func() (err error) {
		if a, err = s.alloc(bytes); err != nil {
			return err
		}
		return supplement.Wrap("cuMemsetD8Async", cu.MemsetD8Async(a.address, 0, int64(bytes), s.queue))
	})
	if err != nil {
		return s.wrap("allocate", err)
	}
	address := uint64(a.address)
	for _, b := range buffers {
		b.Address = address
		address += uint64(max(alignment, aligned(b.Size)))
	}
	return nil
}

// alloc makes memory that is not zeroed, on the stream's thread: of the lane's where there is a
// piece of the same size.
func (s *stream) alloc(bytes int) (a allocation, err error) {
	i := slices.IndexFunc(s.spare, func(a allocation) bool { return a.bytes == bytes })
	if i >= 0 {
		a = s.spare[i]
		s.spare = slices.Delete(s.spare, i, i+1)
		s.device.spare.Add(-int64(bytes))
	} else if a, err = s.device.alloc(bytes, s.lane); err != nil {
		return a, err
	}
	s.held = append(s.held, a)
	s.device.allocated.Add(int64(bytes))
	return a, nil
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

func (l *lane) pinned() unsafe.Pointer { return unsafe.Pointer(&l.staging[0]) }

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

// Close waits, frees what the stream made, and leaves its lane and its memory to the next. It
// goes on after an error, frees those too, and returns the first.
func (s *stream) Close() error {
	err := s.thread.free(func() error {
		failed := []error{s.synchronize()}
		for _, p := range s.programs {
			failed = append(failed, p.free())
		}
		for _, c := range s.convolutions {
			failed = append(failed, c.free())
		}
		held, spare := s.held, s.spare
		s.spare = held
		for _, a := range held {
			s.device.allocated.Add(-int64(a.bytes))
			s.device.spare.Add(int64(a.bytes))
		}
		// What this stream had no use for, the next will not have either.
		failed = append(failed, s.device.release(spare))
		if err := supplement.First(failed...); err != nil {
			return supplement.First(err, s.lane.free(s.device))
		}
		return nil
	})
	if err != nil {
		s.thread.stop()
		return s.wrap("close a stream", err)
	}
	s.device.lanes.give(s.lane)
	return nil
}

// free frees a lane and its memory, in the order that is the reverse of its making, on its
// thread.
func (l *lane) free(d *Device) error {
	var failed []error
	if l.cudnn != nil {
		failed = append(failed, supplement.Wrap("cudnnDestroy", l.cudnn.Close()))
	}
	failed = append(failed, d.release(l.spare))
	if l.staging != nil {
		failed = append(failed, supplement.Wrap("cuMemFreeHost", cu.MemFreeHost(l.pinned())))
	}
	if l.queue != cu.NoStream {
		failed = append(failed, supplement.Wrap("cuStreamDestroy", l.queue.Destroy()))
	}
	return supplement.First(failed...)
}

// wrap says on which device what failed, and of a stream that hangs, what it was given last.
func (s *stream) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if queued := s.queued.Load(); queued != nil && errors.As(err, new(*hang)) {
		doing += " for " + *queued
	}
	return fmt.Errorf("%s: %s: %w", s.device.Name(), doing, err)
}
