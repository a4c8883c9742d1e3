package native

import (
	"unsafe"

	"diaghess/gpu/vector"
)

// WinogradFilter computes the gradient of a 3x3 filter by F(3x3, 4x4). A tile of 4x4
// gradients of the output takes the place of the filter, and the sum over tiles is made
// before the last transform.
//
// The batch is divided into slices, the outputs into strips. A part is one strip of one
// slice. The number of slices depends on the shape alone, because each slice rounds a
// sum. Strips do not change a sum, so more workers get more strips.
type WinogradFilter struct {
	shape          Shape
	batch          int
	slices, strips int
	width          int // outputs of a strip, a multiple of 16
	block          int // tiles that are transformed together
	rows, columns  int // of a tile of sums
	lanes          lanes
	tiling         tiling
}

// NewWinogradFilter prepares a gradient for which CanWinograd holds, of a batch of
// pictures, so that there is work for a number of workers.
func NewWinogradFilter(l vector.Level, s Shape, batch, workers int) *WinogradFilter {
	w := &WinogradFilter{
		shape: s, batch: batch, width: s.Out, slices: min(8, batch), block: 32,
		lanes: 8, tiling: tilingOf(s), rows: 6, columns: 16,
	}
	if s.In+s.Out <= 64 {
		w.block = 64
	}
	if s.In*s.Out >= 1<<13 && s.Out%64 == 0 {
		// The sums of many slices would not stay in the cache.
		w.slices, w.width = min(4, batch), 64
	}
	for w.width%32 == 0 && w.slices*s.Out/w.width < 2*workers {
		w.width /= 2
	}
	w.strips = s.Out / w.width
	if l == vector.AVX512 {
		w.lanes = 16
		switch {
		case w.width%64 == 0:
			w.rows, w.columns = 4, 64
		case w.width%32 == 0:
			w.rows, w.columns = 8, 32
		}
	}
	return w
}

// Parts is the number of parts of the sum over the batch.
func (w *WinogradFilter) Parts() int { return w.slices * w.strips }

// PartialLen is the elements of the sums of all parts.
func (w *WinogradFilter) PartialLen() int { return w.Parts() * w.partLen() }

func (w *WinogradFilter) partLen() int { return products * w.shape.In * w.width }

// Sum makes a part of the partial sums: [slices, strips, products, In, width].
func (w *WinogradFilter) Sum(worker *Worker, part int, x, dy, partial []float32) {
	s := w.shape
	slice, strip := part/w.strips, part%w.strips
	first := slice * w.batch / w.slices * w.tiling.each()
	last := (slice + 1) * w.batch / w.slices * w.tiling.each()
	sum := partial[part*w.partLen():][:w.partLen()]
	// Not a power of two, else the 36 places of a tile would share a set of the cache.
	vStride, uStride := w.block*s.In+32, w.block*w.width+32
	v := worker.reserve(&worker.v, products*vStride)
	u := worker.reserve(&worker.m, products*uStride)
	square := worker.reserve(&worker.picture, tileIn*tileIn*max(s.In, s.Out))
	scratch := unsafe.Pointer(&worker.tile[0])
	toV := transform{toRow: 4 * tileIn * vStride, toColumn: 4 * vStride, vectors: s.In / int(w.lanes), scratch: scratch}
	toU := transform{toRow: 4 * tileIn * uStride, toColumn: 4 * uStride, vectors: w.width / int(w.lanes), scratch: scratch}
	for begin := first; begin < last; begin += w.block {
		n := min(w.block, last-begin)
		for t := range n {
			picture, row, column := w.tiling.place(begin + t)
			w.tiling.source(&toV, x[picture*s.Height*s.Width*s.In:], s.In, row-1, column-1, tileIn, square)
			toV.to = at(v, t*s.In)
			w.lanes.input(&toV)
			w.tiling.source(&toU, dy[picture*s.Height*s.Width*s.Out:], s.Out, row, column, tileOut, square)
			toU.from = unsafe.Add(toU.from, 4*strip*w.width)
			toU.to = at(u, t*w.width)
			w.lanes.outputGradient(&toU)
		}
		p := outer{ldc: 4 * w.width, rows: 1, columns: n, xStep: 4 * s.In, yStep: 4 * w.width}
		if begin > first {
			p.add = 1
		}
		ahead := min(w.block, last-begin-n)
		for k := range products {
			// The next block's pixels come into the cache while it has little to do.
			for t := k * ahead / products; t < (k+1)*ahead/products; t++ {
				w.tiling.prefetch(begin+n+t, x, s.In, prefetchForRead)
				w.tiling.prefetch(begin+n+t, dy, s.Out, prefetchForRead)
			}
			for column := 0; column < w.width; column += w.columns {
				p.y = at(u, k*uStride+column)
				for row := 0; row < s.In; row += w.rows {
					p.x = at(v, k*vStride+row)
					p.c = at(sum, (k*s.In+row)*w.width+column)
					if row+w.rows <= s.In {
						accumulate(w.rows, w.columns, &p)
						continue
					}
					w.edge(worker, p, s.In-row)
				}
			}
		}
	}
}

// edge runs a tile of which only some rows are wanted.
func (w *WinogradFilter) edge(worker *Worker, p outer, rows int) {
	c, ldc, add := p.c, p.ldc, p.add
	p.c, p.ldc, p.add = unsafe.Pointer(&worker.tile[0]), 4*w.columns, 0
	accumulate(w.rows, w.columns, &p)
	for r := range rows {
		to := unsafe.Slice((*float32)(unsafe.Add(c, r*ldc)), w.columns)
		from := worker.tile[r*w.columns:][:w.columns]
		if add == 0 {
			copy(to, from)
		} else {
			AddTo(to, from)
		}
	}
}

// finishRows is the inputs that a part of the last step makes, of a strip.
func (w *WinogradFilter) finishRows() int { return max(1, 1024/w.width) }

func (w *WinogradFilter) finishParts() int { return (w.shape.In + w.finishRows() - 1) / w.finishRows() }

// FinishParts is the number of parts of the last step.
func (w *WinogradFilter) FinishParts() int { return w.strips * w.finishParts() }

// Finish adds the slices in order and transforms the sum.
func (w *WinogradFilter) Finish(worker *Worker, part int, partial, dw []float32) {
	in, out := w.shape.In, w.shape.Out
	strip, first := part/w.finishParts(), part%w.finishParts()*w.finishRows()
	rows := min(w.finishRows(), in-first)
	n := rows * w.width
	stride := w.finishRows()*w.width + 32
	sum := worker.reserve(&worker.v, products*stride)
	for k := range products {
		to := sum[k*stride:][:n]
		for slice := range w.slices {
			from := partial[(slice*w.strips+strip)*w.partLen()+(k*in+first)*w.width:][:n]
			if slice == 0 {
				copy(to, from)
			} else {
				AddTo(to, from)
			}
		}
	}
	for row := range rows {
		w.lanes.filterGradient(&transform{
			from: at(sum, row*w.width), fromRow: 4 * tileIn * stride, fromColumn: 4 * stride,
			to: at(dw, (first+row)*out+strip*w.width), toRow: 3 * 4 * in * out, toColumn: 4 * in * out,
			vectors: w.width / int(w.lanes), scratch: unsafe.Pointer(&worker.tile[0]),
		})
	}
}
