// Package slab allocates memory in large pages where the system has them.
//
// A step reads and writes tens of megabytes, and Winograd's transforms write to 36
// places that are a few kilobytes apart. With pages of 4 KB the processor would look up
// the address of a page for almost each of these places.
//
// What does not belong here: any knowledge of what the memory holds.
package slab

import "unsafe"

const (
	// page is the size of a large page on amd64 and, with pages of 4 KB, on arm64.
	page = 2 << 20
	// size is what a slab takes at a time at least.
	size = 8 * page

	// Least is the bytes of a slab that is not empty, at least.
	Least = size + page
)

// Slab is memory that is handed out piece by piece and freed as a whole, by the
// garbage collector. The zero value is empty. A Slab belongs to one goroutine at a
// time.
type Slab struct {
	free []byte
	// Taken is how many bytes the slab has taken from the system.
	Taken int
}

// Bytes returns n zeroed bytes that begin at a multiple of alignment, a power of two of
// at most 2 MB.
func (s *Slab) Bytes(n, alignment int) []byte {
	skip := s.skip(alignment)
	if takes := s.Takes(n, alignment); takes > 0 {
		s.Taken += takes
		s.free = make([]byte, takes)
		s.free = s.free[s.skip(page):]
		s.free = s.free[:max(size, n)]
		advise(s.free)
		skip = 0
	}
	piece := s.free[skip : skip+n : skip+n]
	s.free = s.free[skip+n:]
	return piece
}

// Takes returns how many bytes Bytes would take from the system for n bytes, 0 for none.
func (s *Slab) Takes(n, alignment int) int {
	if s.skip(alignment)+n <= len(s.free) {
		return 0
	}
	return max(size, n) + page
}

// skip is the bytes to the next multiple of alignment.
func (s *Slab) skip(alignment int) int {
	return int(-uintptr(unsafe.Pointer(unsafe.SliceData(s.free))) & uintptr(alignment-1))
}

// Floats returns n zeroed elements that begin at a multiple of 64 bytes.
func (s *Slab) Floats(n int) []float32 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s.Bytes(4*n, 64)))), n)
}
