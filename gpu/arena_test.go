package gpu_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"diaghess/gpu"
)

// limited is a stream with room for so many buffers of memory that the host can address.
type limited struct {
	gpu.Stream
	room  int
	sizes []int
}

var errFull = errors.New("full")

func (s *limited) Alloc(bytes int) (*gpu.Buffer, error) {
	if len(s.sizes) == s.room {
		return nil, errFull
	}
	s.sizes = append(s.sizes, bytes)
	return &gpu.Buffer{Address: 0x1000 * uint64(len(s.sizes)), Host: make([]byte, bytes), Size: bytes}, nil
}

func (s *limited) Upload(dst *gpu.Buffer, offset int, src []byte) error {
	copy(dst.Host[offset:], src)
	return nil
}

// Slices that were cut before there was memory lie in it, each reservation in a
// buffer of its own; a second call makes what was reserved since.
func TestArena(t *testing.T) {
	s := &limited{room: 9}
	a := gpu.NewArena(s)
	zeros := gpu.Reserve[float32](a, 5)
	words := gpu.ReserveCopy(a, []uint32{7, 8, 9})
	part, none := words.Sub(1, 3), gpu.Reserve[uint8](a, 0)
	panics(t, "Host before Allocate", func() { part.Host() })
	panics(t, "Address before Allocate", func() { part.Address() })
	if part.Len() != 2 || part.IsNull() || none.IsNull() || len(s.sizes) != 0 {
		t.Errorf("before Allocate: %d elements, null %t and %t, %d allocations", part.Len(), part.IsNull(), none.IsNull(), len(s.sizes))
	}
	check(t, a.Allocate())
	if !slices.Equal(s.sizes, []int{20, 12, 0}) {
		t.Errorf("allocated %v bytes, want 20, 12 and 0", s.sizes)
	}
	if !slices.Equal(zeros.Host(), make([]float32, 5)) || !slices.Equal(part.Host(), []uint32{8, 9}) || part.Address() != 0x2004 {
		t.Errorf("contents %v and %v at %#x", zeros.Host(), part.Host(), part.Address())
	}
	more := gpu.Reserve[int32](a, 1)
	check(t, a.Allocate())
	if !slices.Equal(s.sizes, []int{20, 12, 0, 4}) || more.Address() != 0x4000 || part.Address() != 0x2004 {
		t.Errorf("after a second call %v bytes, the new at %#x, the old at %#x", s.sizes, more.Address(), part.Address())
	}
}

// Where a stream is out of memory, that is the error, and the slices stay without memory.
func TestArenaOutOfMemory(t *testing.T) {
	a := gpu.NewArena(&limited{room: 1})
	gpu.Reserve[float32](a, 1)
	second := gpu.Reserve[float32](a, 1)
	if err := a.Allocate(); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
	panics(t, "Address without memory", func() { second.Address() })
}

// Scratch memory has the size of the most that was taken, and what is taken does not
// overlap what was taken last, also where the turns begin elsewhere than when the sizes
// were found.
func TestScratch(t *testing.T) {
	for buffers, want := range map[int][]int{1: {28}, 2: {28, 28}, 3: {28, 28, 28}} {
		t.Run(fmt.Sprint(buffers), func(t *testing.T) {
			s := &limited{room: 9}
			a := gpu.NewArena(s)
			scratch := a.Scratch(buffers)
			early := scratch.Take(2)
			scratch.Take(7)
			scratch.Take(3)
			check(t, a.Allocate())
			if !slices.Equal(s.sizes, want) {
				t.Errorf("allocated %v bytes, want %v", s.sizes, want)
			}
			if early.Len() != 2 || early.Address() == 0 {
				t.Errorf("what was taken first has %d elements at %#x", early.Len(), early.Address())
			}
			var taken []uint64
			for range 2 * buffers {
				taken = append(taken, scratch.Take(7).Address())
			}
			if !slices.Equal(taken[:buffers], taken[buffers:]) {
				t.Errorf("taken at %#x: the turns do not repeat", taken)
			}
			slices.Sort(taken)
			if distinct := len(slices.Compact(taken)); distinct != buffers {
				t.Errorf("%d buffers in turn, want %d", distinct, buffers)
			}
			panics(t, "Take of more than there is", func() { scratch.Take(8) })
		})
	}
}

// Scratch memory that nobody took is empty.
func TestScratchUnused(t *testing.T) {
	s := &limited{room: 9}
	a := gpu.NewArena(s)
	scratch := a.Scratch(1)
	check(t, a.Allocate())
	if !slices.Equal(s.sizes, []int{0}) || scratch.Take(0).Len() != 0 {
		t.Errorf("allocated %v bytes, want none", s.sizes)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
