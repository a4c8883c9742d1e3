package gpu

import "fmt"

// Arena is the memory of one binding: of a network, a batch, an optimizer. [Reserve],
// [ReserveCopy] and [Scratch.Take] return slices at once; Allocate makes their memory, when
// everything is known that the binding needs. Until then a slice can be cut and
// recorded, and that is all: Host and Address panic.
//
// Each reservation becomes a [Buffer] of its own, zeroed and aligned to 256 bytes. A stream that
// is a [Packer] makes all of them as one. Any other makes them one by one, so that a device that
// checks bounds finds a kernel that leaves its buffer. The stream owns the memory.
// An arena belongs to one goroutine at a time.
type Arena struct {
	stream  Stream
	pending []reservation
}

// reservation is a buffer without memory, and what is copied there.
type reservation struct {
	buffer   *Buffer
	contents []byte
}

// NewArena returns an arena without memory.
func NewArena(s Stream) *Arena { return &Arena{stream: s} }

func (a *Arena) reserve(bytes int, contents []byte) *Buffer {
	b := &Buffer{Size: bytes}
	a.pending = append(a.pending, reservation{b, contents})
	return b
}

// Reserve returns n elements, which Allocate sets to zero.
func Reserve[T Element](a *Arena, n int) Slice[T] {
	return View[T](a.reserve(n*sizeOf[T](), nil))
}

// ReserveCopy returns as many elements as the host's, which Allocate copies there.
func ReserveCopy[T Element](a *Arena, host []T) Slice[T] {
	return View[T](a.reserve(len(host)*sizeOf[T](), bytesOf(host)))
}

// Allocate makes the memory of all that has been reserved since it last succeeded. It
// returns the stream's error as it is, [OutOfMemory] where there is not enough memory.
func (a *Arena) Allocate() error {
	buffers := make([]*Buffer, len(a.pending))
	for i, r := range a.pending {
		buffers[i] = r.buffer
	}
	if err := allocate(a.stream, buffers); err != nil {
		return err
	}
	for _, r := range a.pending {
		if len(r.contents) == 0 {
			continue
		}
		if err := a.stream.Upload(r.buffer, 0, r.contents); err != nil {
			return err
		}
	}
	a.pending = nil
	return nil
}

// allocate makes the memory of buffers that have a size.
func allocate(stream Stream, buffers []*Buffer) error {
	if packer, ok := stream.(Packer); ok {
		return packer.Pack(buffers)
	}
	for _, b := range buffers {
		made, err := stream.Alloc(b.Size)
		if err != nil {
			return err
		}
		*b = *made
	}
	return nil
}

// Scratch is memory that ops use one after the other. It has a number of buffers, taken
// in turn, each as large as the most that was taken before the arena was allocated.
type Scratch struct {
	buffers []*Buffer
	last    int
}

// Scratch reserves scratch memory of a number of buffers: 1 for what an op leaves to the
// next, 2 where an op reads one and writes the other.
func (a *Arena) Scratch(buffers int) *Scratch {
	s := &Scratch{}
	for range buffers {
		s.buffers = append(s.buffers, a.reserve(0, nil))
	}
	return s
}

// Take returns n elements of the next buffer in turn, with any contents. It panics if
// the memory has been allocated with less.
func (s *Scratch) Take(n int) Slice[float32] {
	for _, b := range s.buffers {
		switch {
		case b.Address == 0:
			b.Size = max(b.Size, n*sizeOf[float32]())
		case n*sizeOf[float32]() > b.Size:
			panic(fmt.Sprintf("gpu: Take(%d) of scratch memory of %d bytes", n, b.Size))
		}
	}
	s.last = (s.last + 1) % len(s.buffers)
	return Slice[float32]{buffer: s.buffers[s.last], n: n}
}
