package native

import (
	"unsafe"

	"diaghess/gpu/vector"
)

// Dense computes the matrix products of a dense layer, with x [Batch, In], w [In, Out]
// and y [Batch, Out].
type Dense struct {
	level          vector.Level
	Batch, In, Out int
}

// CanDense reports whether the tiles fit the layer: in and out are multiples of 16.
func CanDense(in, out int) bool { return in%16 == 0 && out%16 == 0 }

// NewDense prepares the matrix products. CanDense must be true of in and out.
func NewDense(l vector.Level, batch, in, out int) *Dense { return &Dense{l, batch, in, out} }

// DensePanel is the number of columns of y, or of inputs, that a part computes.
const DensePanel = 64

// ForwardParts returns the number of parts of y. A part is a panel of columns, of all rows
// or, if there are few panels, of some rows.
func (d *Dense) ForwardParts() int { return d.panels() * d.rowParts() }

func (d *Dense) panels() int { return (d.Out + DensePanel - 1) / DensePanel }

func (d *Dense) rowParts() int {
	const few, enough = 4, 8
	if tiles := (d.Batch + tileRows - 1) / tileRows; d.panels() < few {
		return min(tiles, enough/d.panels())
	}
	return 1
}

// Forward computes a part of y.
func (d *Dense) Forward(worker *Worker, part int, x, w, y []float32) {
	lo := part / d.rowParts() * DensePanel
	hi := min(lo+DensePanel, d.Out)
	each := roundUp((d.Batch+d.rowParts()-1)/d.rowParts(), tileRows)
	first := part % d.rowParts() * each
	last := min(first+each, d.Batch)
	p := product{ldb: 4 * d.Out, length: 4 * d.In, segments: 1}
	columns := 0
	for column := lo; column < hi; column += columns {
		columns = 16
		for d.level == vector.AVX512 && columns < 64 && 2*columns <= hi-column {
			columns *= 2
		}
		p.b = at(w, column)
		for row := first; row < last; row += tileRows {
			for i := range p.a {
				p.a[i] = at(x, min(row+i, last-1)*d.In)
			}
			if row+tileRows <= last {
				p.c, p.ldc = at(y, row*d.Out+column), 4*d.Out
				multiply(columns, &p)
				continue
			}
			p.c, p.ldc = unsafe.Pointer(&worker.tile[0]), 4*columns
			multiply(columns, &p)
			for i := range last - row {
				copy(y[(row+i)*d.Out+column:][:columns], worker.tile[i*columns:])
			}
		}
	}
}

// rows is the batch in whole tiles of columns.
func (d *Dense) rows() (columns, rows int) {
	columns = productColumns(d.level, d.Batch)
	return columns, roundUp(d.Batch, columns)
}

// TransposedLen returns the number of elements of a transposed gradient of y.
func (d *Dense) TransposedLen() int {
	_, rows := d.rows()
	return rows * d.Out
}

// Transpose copies columns lo to hi-1 of dy [Batch, Out] into rows of transposed.
func (d *Dense) Transpose(lo, hi int, dy, transposed []float32) {
	_, rows := d.rows()
	for b := range d.Batch {
		for o, v := range dy[b*d.Out+lo : b*d.Out+hi] {
			transposed[(lo+o)*rows+b] = v
		}
	}
}

// BackwardData computes the inputs lo to hi-1, at most DensePanel, of dx. A tile
// has inputs as rows and pictures as columns, so w is read as it lies.
func (d *Dense) BackwardData(worker *Worker, lo, hi int, transposed, w, dx []float32) {
	columns, rows := d.rows()
	p := product{ldb: 4 * rows, ldc: 4 * columns, length: 4 * d.Out, segments: 1}
	result := worker.reserve(&worker.other, roundUp(DensePanel, tileRows)*columns)
	for first := 0; first < rows; first += columns {
		p.b = at(transposed, first)
		for row := lo; row < hi; row += tileRows {
			for i := range p.a {
				p.a[i] = at(w, min(row+i, d.In-1)*d.Out)
			}
			p.c = at(result, (row-lo)*columns)
			multiply(columns, &p)
		}
		for b := range min(columns, d.Batch-first) {
			to := dx[(first+b)*d.In+lo : (first+b)*d.In+hi]
			for i := range to {
				to[i] = result[i*columns+b]
			}
		}
	}
}

// BackwardFilter computes the rows lo to hi-1 of dw; there are at least 16.
func (d *Dense) BackwardFilter(lo, hi int, x, dy, dw []float32) {
	rows, columns := 6, 16
	if d.level == vector.AVX512 && d.Out%32 == 0 {
		rows, columns = 12, 32
		if d.Out%64 == 0 {
			rows, columns = 6, 64
		}
	}
	p := outer{ldc: 4 * d.Out, rows: 1, columns: d.Batch, xStep: 4 * d.In, yStep: 4 * d.Out}
	for column := 0; column < d.Out; column += columns {
		p.y = at(dy, column)
		for row := lo; row < hi; row += rows {
			first := min(row, hi-rows) // the last tile does some rows again
			p.x, p.c = at(x, first), at(dw, first*d.Out+column)
			accumulate(rows, columns, &p)
		}
	}
}
