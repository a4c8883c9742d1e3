package native

import (
	"unsafe"

	"diaghess/gpu/vector"
)

// Shape is the shape of a convolution with stride 1 and same padding: pictures of Height x
// Width pixels, In and Out channels, a filter of Kernel x Kernel taps.
type Shape struct{ Height, Width, In, Out, Kernel int }

func (s Shape) paddedWidth() int { return s.Width + s.Kernel - 1 }

// paddedLen is the elements of a picture with its border, and of what a tile may
// read past it.
func (s Shape) paddedLen() int {
	return (s.Height+s.Kernel-1)*s.paddedWidth()*s.In + maxTaps
}

// maxTaps bounds what a tile of the filter's gradient reads past its last tap.
const maxTaps = 12

// pad copies a picture into one with a border of zeros.
func (s Shape) pad(x, padded []float32) {
	half := s.Kernel / 2
	row, wide := s.Width*s.In, s.paddedWidth()*s.In
	clear(padded[:half*wide])
	for h := range s.Height {
		to := padded[(h+half)*wide:][:wide]
		clear(to[:half*s.In])
		copy(to[half*s.In:], x[h*row:(h+1)*row])
		clear(to[half*s.In+row:])
	}
	clear(padded[(s.Height+half)*wide : (s.Height+2*half)*wide+maxTaps])
}

// Direct is a convolution as sums over taps.
type Direct struct {
	shape   Shape
	columns int     // of a tile
	outputs int     // Out in whole tiles
	pixels  []int32 // where the taps of each output pixel begin, in the padded picture
}

// NewDirect prepares a convolution of pictures of the shape.
func NewDirect(l vector.Level, s Shape) *Direct {
	d := &Direct{shape: s, columns: productColumns(l, s.Out)}
	d.outputs = roundUp(s.Out, d.columns)
	for h := range s.Height {
		for w := range s.Width {
			d.pixels = append(d.pixels, int32((h*s.paddedWidth()+w)*s.In))
		}
	}
	return d
}

// PackedLen is the elements of a packed filter, 0 if it is used as it is.
func (d *Direct) PackedLen() int {
	if d.outputs == d.shape.Out {
		return 0
	}
	return d.shape.Kernel * d.shape.Kernel * d.shape.In * d.outputs
}

// Pack widens the rows of a filter to whole tiles.
func (d *Direct) Pack(w, packed []float32) {
	out := d.shape.Out
	for row := range d.shape.Kernel * d.shape.Kernel * d.shape.In {
		copy(packed[row*d.outputs:], w[row*out:(row+1)*out])
	}
}

// Run computes a picture y [Height, Width, Out] of a picture x [Height, Width, In] and a
// filter w, packed if PackedLen is not 0.
func (d *Direct) Run(worker *Worker, x, w, y []float32) {
	s := d.shape
	padded := worker.reserve(&worker.picture, s.paddedLen())
	s.pad(x, padded)
	p := product{
		ldb: 4 * d.outputs, length: 4 * s.Kernel * s.In, segments: s.Kernel,
		skip: 4 * (s.paddedWidth() - s.Kernel) * s.In,
	}
	base := at(padded, 0)
	n := len(d.pixels)
	for column := 0; column < d.outputs; column += d.columns {
		p.b = at(w, column)
		for first := 0; first < n; first += tileRows {
			if first+tileRows <= n && column+d.columns <= s.Out {
				for i, pixel := range d.pixels[first : first+tileRows] {
					p.a[i] = unsafe.Add(base, 4*int(pixel))
				}
				p.c, p.ldc = at(y, first*s.Out+column), 4*s.Out
				multiply(d.columns, &p)
				continue
			}
			for i := range p.a {
				p.a[i] = unsafe.Add(base, 4*int(d.pixels[min(first+i, n-1)]))
			}
			p.c, p.ldc = unsafe.Pointer(&worker.tile[0]), 4*d.columns
			multiply(d.columns, &p)
			for i := range min(tileRows, n-first) {
				copy(y[(first+i)*s.Out+column:(first+i+1)*s.Out], worker.tile[i*d.columns:][:d.columns])
			}
		}
	}
}

// Turn turns a tap of a filter [Kernel, Kernel, In, Out] by 180 degrees into the
// filter [Kernel, Kernel, Out, In] of the gradient of the input.
func Turn(s Shape, tap int, w, turned []float32) {
	in, out := s.In, s.Out
	from := w[tap*in*out:][:in*out]
	to := turned[(s.Kernel*s.Kernel-1-tap)*in*out:][:in*out]
	const block = 16
	for i0 := 0; i0 < in; i0 += block {
		for o := range out {
			column := to[o*in+i0 : o*in+min(i0+block, in)]
			for i := range column {
				column[i] = from[(i0+i)*out+o]
			}
		}
	}
}
