package native

import "diaghess/gpu/vector"

// FilterGradient sums the gradient of a filter over pictures.
type FilterGradient struct {
	shape   Shape
	rows    int // of a tile
	columns int
	taps    int // of a row of taps, Kernel x In, in whole tiles
	outputs int // Out in whole tiles
}

// NewFilterGradient prepares a sum over pictures of the shape.
func NewFilterGradient(l vector.Level, s Shape) *FilterGradient {
	f := &FilterGradient{shape: s, rows: 6, columns: 16}
	// The nine taps of a row of a 3x3 filter on three channels fill tiles of 9 or 3.
	taps := s.Kernel * s.In
	switch {
	case l == vector.AVX512 && s.Out%64 == 0:
		f.rows, f.columns = 6, 64
	case l == vector.AVX512 && taps%12 != 0 && taps%9 == 0 && s.Out > 16:
		f.rows, f.columns = 9, 32
	case l == vector.AVX512 && s.Out > 16:
		f.rows, f.columns = 12, 32
	case taps%6 != 0 && taps%3 == 0 && s.Out%32 == 0:
		f.rows, f.columns = 3, 32
	}
	f.taps, f.outputs = roundUp(s.Kernel*s.In, f.rows), roundUp(s.Out, f.columns)
	return f
}

// Len is the elements of a sum.
func (f *FilterGradient) Len() int { return f.shape.Kernel * f.taps * f.outputs }

// Whole reports whether a sum has the layout of the filter.
func (f *FilterGradient) Whole() bool {
	return f.taps == f.shape.Kernel*f.shape.In && f.outputs == f.shape.Out
}

// Row is the sums of a row of the filter.
func (f *FilterGradient) Row(sum []float32, row int) []float32 {
	span := f.shape.Kernel * f.shape.In
	return sum[(row/span*f.taps+row%span)*f.outputs:][:f.shape.Out]
}

// Add sums a picture: the first sets the sum.
func (f *FilterGradient) Add(worker *Worker, x, dy, sum []float32, first bool) {
	s := f.shape
	padded := worker.reserve(&worker.picture, s.paddedLen())
	s.pad(x, padded)
	if f.outputs != s.Out {
		wide := worker.reserve(&worker.other, s.Height*s.Width*f.outputs)
		for pixel := range s.Height * s.Width {
			row := wide[pixel*f.outputs:][:f.outputs]
			clear(row[copy(row, dy[pixel*s.Out:(pixel+1)*s.Out]):])
		}
		dy = wide
	}
	p := outer{
		ldc: 4 * f.outputs, rows: s.Height, columns: s.Width,
		xStep: 4 * s.In, xSkip: 4 * (s.Kernel - 1) * s.In, yStep: 4 * f.outputs,
	}
	if !first {
		p.add = 1
	}
	for column := 0; column < f.outputs; column += f.columns {
		p.y = at(dy, column)
		for kh := range s.Kernel {
			for tap := 0; tap < f.taps; tap += f.rows {
				p.x = at(padded, kh*s.paddedWidth()*s.In+tap)
				p.c = at(sum, (kh*f.taps+tap)*f.outputs+column)
				accumulate(f.rows, f.columns, &p)
			}
		}
	}
}

// AddTo adds whole vectors and the rest: to += from.
func AddTo(to, from []float32) {
	from = from[:len(to)]
	n := len(to) / 8
	if n > 0 {
		add8(&addition{to: at(to, 0), from: at(from, 0), vectors: n})
	}
	for i := 8 * n; i < len(to); i++ {
		to[i] += from[i]
	}
}
