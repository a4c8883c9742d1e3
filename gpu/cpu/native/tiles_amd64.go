package native

import (
	"unsafe"

	"diaghess/gpu/cpu/slab"
	"diaghess/gpu/vector"
)

//go:generate go run ./gen

// tileRows is the number of rows of a product's tile.
const tileRows = 6

// product are the arguments of a tile C[row, column] = sum over segments and
// over j < length of A[row, j] B[j, column]. A row of A is in segments, length
// apart plus skip; rows of B lie ldb bytes apart throughout.
type product struct {
	a        [tileRows]unsafe.Pointer
	b, c     unsafe.Pointer
	ldb, ldc int // bytes from a row to the next
	length   int // bytes of a segment of A
	segments int
	skip     int // bytes from a segment's end to the next one
}

// outer are the arguments of a tile C[i, column] = sum over pixels of
// X[pixel + i] Y[pixel, column], added to what C holds if add is not 0.
type outer struct {
	x, y, c       unsafe.Pointer
	ldc           int // bytes from a row of C to the next
	rows, columns int // of pixels
	xStep, xSkip  int // bytes from a pixel to the next, and more from a row's end
	yStep         int
	add           int
}

// addition adds vectors of eight: to += from.
type addition struct {
	to, from unsafe.Pointer
	vectors  int
}

// transform are the arguments of a transform of squares of vectors.
type transform struct {
	from                unsafe.Pointer
	fromRow, fromColumn int // bytes
	to                  unsafe.Pointer
	toRow, toColumn     int
	vectors             int // adjacent squares' channels, in vectors
	scratch             unsafe.Pointer
}

// area are rows of cache lines.
type area struct {
	from  unsafe.Pointer
	step  int // bytes from a row to the next
	rows  int
	lines int
}

//go:noescape
func prefetchRead(p *area)

//go:noescape
func prefetchWrite(p *area)

//go:noescape
func product6x64(p *product)

//go:noescape
func product6x32(p *product)

//go:noescape
func product6x16(p *product)

//go:noescape
func outer12x32(p *outer)

//go:noescape
func outer9x32(p *outer)

//go:noescape
func outer3x32(p *outer)

//go:noescape
func outer6x64(p *outer)

//go:noescape
func outer6x16(p *outer)

//go:noescape
func outer8x32(p *outer)

//go:noescape
func outer4x64(p *outer)

//go:noescape
func add8(p *addition)

//go:noescape
func transformInput16(p *transform)

//go:noescape
func transformInput8(p *transform)

//go:noescape
func transformOutput16(p *transform)

//go:noescape
func transformOutput8(p *transform)

//go:noescape
func transformFilter16(p *transform)

//go:noescape
func transformFilter8(p *transform)

//go:noescape
func transformOutputGradient16(p *transform)

//go:noescape
func transformOutputGradient8(p *transform)

//go:noescape
func transformFilterGradient16(p *transform)

//go:noescape
func transformFilterGradient8(p *transform)

// multiply runs a product's tile of so many columns.
func multiply(columns int, p *product) {
	switch columns {
	case 64:
		product6x64(p)
	case 32:
		product6x32(p)
	default:
		product6x16(p)
	}
}

// accumulate runs an outer tile of so many rows and columns. As everywhere here a
// call through a variable would move the arguments to the heap.
func accumulate(rows, columns int, p *outer) {
	switch {
	case columns == 64 && rows == 4:
		outer4x64(p)
	case columns == 64:
		outer6x64(p)
	case columns == 32 && rows == 8:
		outer8x32(p)
	case columns == 32 && rows == 9:
		outer9x32(p)
	case columns == 32 && rows == 3:
		outer3x32(p)
	case columns == 32:
		outer12x32(p)
	default:
		outer6x16(p)
	}
}

// at is the address of an element.
func at(s []float32, i int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*i)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// productColumns is the width of the tiles that make a row of outputs.
func productColumns(l vector.Level, out int) int {
	switch {
	case l != vector.AVX512 || out <= 16:
		return 16
	case out%64 == 0:
		return 64
	}
	return 32
}

// Worker is the scratch memory of a thread.
type Worker struct {
	picture []float32 // with its border
	other   []float32
	v, m    []float32
	tile    []float32 // of sums, or of a transform between its two steps
	memory  slab.Slab
}

// NewWorker makes a worker.
func NewWorker() *Worker {
	w := &Worker{}
	w.tile = w.memory.Floats(products * 16)
	return w
}

// reserve returns memory of at least n elements, aligned to 64 bytes, zeroed when
// it is new.
func (w *Worker) reserve(s *[]float32, n int) []float32 {
	if len(*s) < n {
		*s = w.memory.Floats(n)
	}
	return *s
}
