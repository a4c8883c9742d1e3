package gpu

import (
	"fmt"
	"unsafe"
)

// Element is a type that device memory can hold: the types that a kernel's
// pointer parameter can point to.
type Element interface {
	~float32 | ~int32 | ~uint32 | ~uint8
}

// Buffer is one allocation of device memory. Streams make buffers; other code uses a
// [Slice] of one.
type Buffer struct {
	// Address is the device address of the first byte, aligned to 256 bytes.
	Address uint64
	// Host is the memory itself where the host can address it (cpu, emu), and
	// nil where it cannot (cuda).
	Host []byte
	// Size is the length in bytes.
	Size int
}

// Slice is a window of elements of a [Buffer]. In Go it stands for a pointer parameter of
// a kernel. The zero value is a null pointer of length 0.
type Slice[T Element] struct {
	buffer *Buffer
	offset int // in elements
	n      int
}

// View returns the whole buffer as a slice of T, dropping a tail that does not
// fill an element.
func View[T Element](b *Buffer) Slice[T] {
	return Slice[T]{buffer: b, n: b.Size / sizeOf[T]()}
}

// Len returns the number of elements.
func (s Slice[T]) Len() int { return s.n }

// IsNull reports whether the slice is the zero value, a null pointer on the
// device.
func (s Slice[T]) IsNull() bool { return s.buffer == nil }

// Sub returns elements lo to hi-1. It panics if they are not all in s.
func (s Slice[T]) Sub(lo, hi int) Slice[T] {
	if lo < 0 || hi < lo || hi > s.n {
		panic(fmt.Sprintf("gpu: Sub(%d, %d) of a slice of %d elements", lo, hi, s.n))
	}
	return Slice[T]{buffer: s.buffer, offset: s.offset + lo, n: hi - lo}
}

// Address returns the device address of the first element, 0 for null. It panics on
// memory that an [Arena] has not allocated yet.
func (s Slice[T]) Address() uint64 {
	if s.buffer == nil {
		return 0
	}
	if s.buffer.Address == 0 {
		panic("gpu: Address() of memory that its arena has not allocated")
	}
	return s.buffer.Address + uint64(s.offset*sizeOf[T]())
}

// Host returns the elements as host memory: what a kernel's Go body works on.
// It returns nil for null and panics on memory that an [Arena] has not allocated
// yet, or that the host cannot address.
func (s Slice[T]) Host() []T {
	if s.n == 0 {
		return nil
	}
	if s.buffer.Host == nil {
		panic("gpu: Host() of memory that only the device can address, or that its arena has not allocated")
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&s.buffer.Host[s.offset*sizeOf[T]()])), s.n)
}

func sizeOf[T Element]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// bytesOf returns the memory of host elements as bytes.
func bytesOf[T Element](host []T) []byte {
	if len(host) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&host[0])), len(host)*sizeOf[T]())
}

// Alloc makes n zeroed elements of device memory, owned by the stream. Its error is that
// of [Stream]'s method Alloc.
func Alloc[T Element](s Stream, n int) (Slice[T], error) {
	b, err := s.Alloc(n * sizeOf[T]())
	if err != nil {
		return Slice[T]{}, err
	}
	return View[T](b), nil
}

// Upload copies host elements to the device, after all work queued on s. It panics if
// the lengths differ.
func Upload[T Element](s Stream, dst Slice[T], src []T) error {
	if len(src) != dst.n {
		panic(fmt.Sprintf("gpu: upload of %d elements to a slice of %d", len(src), dst.n))
	}
	if dst.n == 0 {
		return nil
	}
	return s.Upload(dst.buffer, dst.offset*sizeOf[T](), bytesOf(src))
}

// Download copies device elements to the host, after all work queued on s. It panics if
// the lengths differ.
func Download[T Element](s Stream, dst []T, src Slice[T]) error {
	if len(dst) != src.n {
		panic(fmt.Sprintf("gpu: download of %d elements to a slice of %d", src.n, len(dst)))
	}
	if src.n == 0 {
		return nil
	}
	return s.Download(bytesOf(dst), src.buffer, src.offset*sizeOf[T]())
}
