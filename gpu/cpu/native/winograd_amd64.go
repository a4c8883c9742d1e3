package native

import (
	"unsafe"

	"diaghess/gpu/vector"
)

// Winograd is a 3x3 convolution by F(4x4, 3x3): a tile of 4x4 outputs is the
// transform of 6x6 products of a transformed tile of 6x6 inputs.
type Winograd struct {
	shape   Shape
	batch   int
	columns int // of a product's tile
	lanes   lanes
	tiling  tiling
	block   int // tiles that are computed together, a multiple of tileRows
	vStride int // elements from a product's inputs to those of the next
	mStride int
}

const (
	tileOut = 4
	tileIn  = 6
	// products of a tile and a pair of channels.
	products = tileIn * tileIn
)

// CanWinograd says that the channels fill vectors,
// whatever the instruction set, so that its bits do not depend on it. It is so
// for the input's and the filter's gradient, too.
func CanWinograd(s Shape) bool {
	return s.Kernel == 3 && s.In%16 == 0 && s.Out%16 == 0
}

// NewWinograd prepares a convolution for which CanWinograd holds, of a batch of pictures.
func NewWinograd(l vector.Level, s Shape, batch int) *Winograd {
	w := &Winograd{
		shape: s, batch: batch, columns: productColumns(l, s.Out), lanes: 8,
		tiling: tilingOf(s),
	}
	if s.Out%w.columns != 0 {
		w.columns = 16
	}
	if l == vector.AVX512 {
		w.lanes = 16
	}
	w.block = winogradBlock(s)
	// Not a power of two, else the 36 places of a tile would share a set of the cache.
	w.vStride, w.mStride = w.block*s.In+32, w.block*s.Out+32
	return w
}

func winogradBlock(s Shape) int {
	if s.In+s.Out > 128 {
		return 24
	}
	return 48
}

// Blocks is the number of blocks of tiles of a batch.
func (w *Winograd) Blocks() int {
	return (w.tiles() + w.block - 1) / w.block
}

func (w *Winograd) tiles() int { return w.batch * w.tiling.each() }

// PackedLen is the elements of a transformed filter.
func (w *Winograd) PackedLen() int { return products * w.shape.In * w.shape.Out }

// Pack transforms the filters of inputs lo to hi-1.
func (w *Winograd) Pack(worker *Worker, lo, hi int, filter, packed []float32) {
	in, out := w.shape.In, w.shape.Out
	tap := 4 * in * out
	w.lanes.filter(&transform{
		from: at(filter, lo*out), fromRow: 3 * tap, fromColumn: tap,
		to: at(packed, lo*out), toRow: tileIn * tap, toColumn: tap,
		vectors: (hi - lo) * out / int(w.lanes), scratch: unsafe.Pointer(&worker.tile[0]),
	})
}

// Run computes a block of y, of a batch of pictures x and a packed filter.
func (w *Winograd) Run(worker *Worker, block int, x, packed, y []float32) {
	s := w.shape
	in, out := s.In, s.Out
	v := worker.reserve(&worker.v, products*w.vStride)
	m := worker.reserve(&worker.m, products*w.mStride)
	square := worker.reserve(&worker.picture, tileIn*tileIn*max(in, out))
	first := block * w.block
	n := min(w.block, w.tiles()-first)
	scratch := unsafe.Pointer(&worker.tile[0])

	to := transform{toRow: 4 * tileIn * w.vStride, toColumn: 4 * w.vStride, vectors: in / int(w.lanes), scratch: scratch}
	for t := range n {
		picture, row, column := w.tiling.place(first + t)
		to.to = at(v, t*in)
		if t+2 < n {
			w.tiling.prefetch(first+t+2, x, in, prefetchForRead)
		}
		w.tiling.source(&to, x[picture*s.Height*s.Width*in:], in, row-1, column-1, tileIn, square)
		w.lanes.input(&to)
	}

	p := product{ldb: 4 * out, ldc: 4 * out, length: 4 * in, segments: 1}
	for k := range products {
		// The outputs come into the cache while it has little to do.
		for t := k * n / products; t < (k+1)*n/products; t++ {
			w.tiling.prefetch(first+t, y, out, prefetchForWrite)
		}
		for column := 0; column < out; column += w.columns {
			p.b = at(packed, k*in*out+column)
			for t := 0; t < n; t += tileRows {
				for i := range p.a {
					p.a[i] = at(v, k*w.vStride+(t+i)*in)
				}
				p.c = at(m, k*w.mStride+t*out+column)
				multiply(w.columns, &p)
			}
		}
	}

	from := transform{fromRow: 4 * tileIn * w.mStride, fromColumn: 4 * w.mStride, vectors: out / int(w.lanes), scratch: scratch}
	for t := range n {
		picture, row, column := w.tiling.place(first + t)
		from.from = at(m, t*out)
		offset := ((picture*s.Height+row)*s.Width + column) * out
		if row+tileOut <= s.Height && column+tileOut <= s.Width {
			from.to, from.toRow, from.toColumn = at(y, offset), 4*s.Width*out, 4*out
			w.lanes.output(&from)
			continue
		}
		from.to, from.toRow, from.toColumn = at(square, 0), 4*tileOut*out, 4*out
		w.lanes.output(&from)
		width := min(tileOut, s.Width-column) * out
		for r := range min(tileOut, s.Height-row) {
			copy(y[offset+r*s.Width*out:][:width], square[r*tileOut*out:])
		}
	}
}

// tiling cuts pictures into tiles of outputs.
type tiling struct {
	height, width int
	down, across  int
}

func tilingOf(s Shape) tiling {
	return tiling{s.Height, s.Width, (s.Height + tileOut - 1) / tileOut, (s.Width + tileOut - 1) / tileOut}
}

// each is the tiles of a picture.
func (t tiling) each() int { return t.down * t.across }

// place is where a tile's outputs begin.
func (t tiling) place(tile int) (picture, row, column int) {
	each := t.each()
	return tile / each, tile % each / t.across * tileOut, tile % t.across * tileOut
}

const (
	prefetchForRead = iota
	prefetchForWrite
)

// prefetch brings a tile's pixels into the cache.
func (t tiling) prefetch(tile int, pictures []float32, channels, how int) {
	picture, row, column := t.place(tile)
	a := area{
		from: at(pictures, ((picture*t.height+row)*t.width+column)*channels), step: 4 * t.width * channels,
		rows: min(tileOut, t.height-row), lines: (min(tileOut, t.width-column)*channels + 15) / 16,
	}
	if how == prefetchForWrite {
		prefetchWrite(&a)
	} else {
		prefetchRead(&a)
	}
}

// source points a transform to a square of a picture, or, if it reaches over the
// picture's edge, to a copy with zeros.
func (t tiling) source(to *transform, picture []float32, channels, top, left, extent int, square []float32) {
	if top >= 0 && left >= 0 && top+extent <= t.height && left+extent <= t.width {
		to.from, to.fromRow, to.fromColumn = at(picture, (top*t.width+left)*channels), 4*t.width*channels, 4*channels
		return
	}
	to.from, to.fromRow, to.fromColumn = at(square, 0), 4*extent*channels, 4*channels
	lo, hi := max(left, 0), min(left+extent, t.width)
	for r := range extent {
		row := square[r*extent*channels:][:extent*channels]
		if top+r < 0 || top+r >= t.height {
			clear(row)
			continue
		}
		clear(row[:(lo-left)*channels])
		n := copy(row[(lo-left)*channels:], picture[((top+r)*t.width+lo)*channels:((top+r)*t.width+hi)*channels])
		clear(row[(lo-left)*channels+n:])
	}
}

// lanes is the number of float32 in a vector of the transforms.
type lanes int

func (l lanes) input(t *transform) {
	if l == 16 {
		transformInput16(t)
	} else {
		transformInput8(t)
	}
}

func (l lanes) output(t *transform) {
	if l == 16 {
		transformOutput16(t)
	} else {
		transformOutput8(t)
	}
}

func (l lanes) filter(t *transform) {
	if l == 16 {
		transformFilter16(t)
	} else {
		transformFilter8(t)
	}
}

func (l lanes) outputGradient(t *transform) {
	if l == 16 {
		transformOutputGradient16(t)
	} else {
		transformOutputGradient8(t)
	}
}

func (l lanes) filterGradient(t *transform) {
	if l == 16 {
		transformFilterGradient16(t)
	} else {
		transformFilterGradient8(t)
	}
}
