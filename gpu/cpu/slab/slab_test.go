package slab

import (
	"testing"
	"unsafe"
)

// Pieces are zeroed, aligned, of the length asked for and apart from each other, also
// where they do not fit into what a slab takes at a time.
func TestSlab(t *testing.T) {
	var s Slab
	type piece struct {
		memory []byte
		mark   byte
	}
	var pieces []piece
	for i, n := range []int{1, 0, 63, 64, 65, 4097, size - 1, size, size + 1, 3, 2*size + 5, 7} {
		alignment := []int{1, 64, 256, page}[i%4]
		m := s.Bytes(n, alignment)
		if len(m) != n || cap(m) != n || n > 0 && uintptr(unsafe.Pointer(&m[0]))%uintptr(alignment) != 0 {
			t.Fatalf("%d bytes at multiples of %d: length %d, capacity %d, at %p", n, alignment, len(m), cap(m), m)
		}
		for _, v := range m {
			if v != 0 {
				t.Fatalf("%d bytes are not zeroed", n)
			}
		}
		for j := range m {
			m[j] = byte(i + 1)
		}
		pieces = append(pieces, piece{m, byte(i + 1)})
	}
	for _, p := range pieces {
		for _, v := range p.memory {
			if v != p.mark {
				t.Fatalf("piece %d of %d bytes was written through another one", p.mark, len(p.memory))
			}
		}
	}
	if f := s.Floats(5); len(f) != 5 || cap(f) != 5 {
		t.Errorf("5 floats: length %d, capacity %d", len(f), cap(f))
	}
}
