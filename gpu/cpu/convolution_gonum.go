package cpu

import (
	"gonum.org/v1/gonum/blas"
	blasgonum "gonum.org/v1/gonum/blas/gonum"

	"diaghess/gpu"
)

// gonumLibrary makes convolutions of matrix products in pure Go: im2col panels
// that stay in cache, multiplied by gonum's sgemm.
type gonumLibrary struct{}

func (gonumLibrary) name() string    { return gonumName }
func (gonumLibrary) version() string { return "gonum blas32" }

func (gonumLibrary) algorithms(s gpu.ConvolutionShape) [directions]string {
	name := "im2col + gonum sgemm"
	if isDense(s) {
		name = "gonum sgemm"
	}
	return [directions]string{name, name, name}
}

func (gonumLibrary) open(workers int) session {
	return &gonumSession{panels: make([][]float32, workers)}
}

// gonumSession is the scratch memory of a stream: an im2col panel for each
// worker, as large as the largest convolution needs.
type gonumSession struct {
	panels [][]float32
	bytes  int // taken by compile
}

func (g *gonumSession) taken() int { return g.bytes }

// floats makes zeroed memory.
func (g *gonumSession) floats(n int) []float32 {
	g.bytes += 4 * n
	return make([]float32, n)
}

// reserve ensures that the panels are large enough for a shape.
func (g *gonumSession) reserve(s gpu.ConvolutionShape) {
	n := panelPixels * s.Kernel * s.Kernel * s.In
	for worker, panel := range g.panels {
		if len(panel) < n {
			g.panels[worker] = g.floats(n)
		}
	}
}

// filterSlices is how many parts of the batch a filter gradient is summed over
// before the partial sums are added, whatever the number of threads.
const filterSlices = 16

func (g *gonumSession) compile(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) []task {
	if isDense(s) {
		return []task{&denseTask{shape: s, direction: d, x: x, w: w, y: y}}
	}
	switch d {
	case gpu.Forward:
		g.reserve(s)
		return []task{&panelTask{session: g, shape: s, x: x, w: w, y: y}}
	case gpu.BackwardData:
		// The gradient of the input is the convolution of the output's
		// gradient with the filter turned by 180 degrees, channels swapped.
		turned := s
		turned.In, turned.Out = s.Out, s.In
		g.reserve(turned)
		filter := g.floats(s.Filter())
		return []task{
			&turnTask{shape: s, w: w, turned: filter},
			&panelTask{session: g, shape: turned, x: y, w: filter, y: x},
		}
	}
	g.reserve(s)
	slices := min(filterSlices, s.Batch)
	partial := g.floats(slices * s.Filter())
	return []task{
		&filterTask{session: g, shape: s, slices: slices, x: x, dy: y, partial: partial},
		&sumTask{partial: partial, slices: slices, sum: w},
	}
}

// panelPixels is the number of output pixels in an im2col panel: 64 rows of at
// most 9 x 128 floats are 288 KiB, which stay in a core's L2 cache.
const panelPixels = 64

// panels returns the number of panels in a picture.
func panels(s gpu.ConvolutionShape) int {
	return (s.Height*s.Width + panelPixels - 1) / panelPixels
}

// im2col writes, for output pixels lo to hi-1 of a picture x [Height, Width,
// In], the inputs under the filter: rows of Kernel*Kernel*In, zero on the
// padding.
func im2col(s gpu.ConvolutionShape, x []float32, lo, hi int, col []float32) {
	half := s.Kernel / 2
	span := s.Kernel * s.In
	for pixel := lo; pixel < hi; pixel++ {
		h, w := pixel/s.Width, pixel%s.Width
		left := max(0, w-half)
		right := min(s.Width, w+half+1)
		skip := (left - (w - half)) * s.In
		for kh := range s.Kernel {
			row := col[:span]
			col = col[span:]
			ih := h + kh - half
			if ih < 0 || ih >= s.Height {
				clear(row)
				continue
			}
			clear(row[:skip])
			n := copy(row[skip:], x[(ih*s.Width+left)*s.In:(ih*s.Width+right)*s.In])
			clear(row[skip+n:])
		}
	}
}

// panelTask is a forward convolution: a part is one panel of one picture.
type panelTask struct {
	session *gonumSession
	shape   gpu.ConvolutionShape
	x, w, y []float32
}

func (t *panelTask) parts() int { return t.shape.Batch * panels(t.shape) }

func (t *panelTask) run(worker, lo, hi int) {
	s := t.shape
	pixels := s.Height * s.Width
	k := s.Kernel * s.Kernel * s.In
	for part := lo; part < hi; part++ {
		picture, panel := part/panels(s), part%panels(s)
		first := panel * panelPixels
		last := min(first+panelPixels, pixels)
		col := t.session.panels[worker]
		im2col(s, t.x[picture*pixels*s.In:], first, last, col)
		sgemm(blas.NoTrans, blas.NoTrans, last-first, s.Out, k, col, k, t.w, s.Out, 0, t.y[(picture*pixels+first)*s.Out:], s.Out)
	}
}

// turnTask turns a filter [Kernel, Kernel, In, Out] into the one of the
// backward convolution, [Kernel, Kernel, Out, In]; a part is one tap.
type turnTask struct {
	shape     gpu.ConvolutionShape
	w, turned []float32
}

func (t *turnTask) parts() int { return t.shape.Kernel * t.shape.Kernel }

func (t *turnTask) run(worker, lo, hi int) {
	in, out := t.shape.In, t.shape.Out
	for tap := lo; tap < hi; tap++ {
		from := t.w[tap*in*out:][:in*out]
		to := t.turned[(t.parts()-1-tap)*in*out:][:in*out]
		for i := range in {
			for o := range out {
				to[o*in+i] = from[i*out+o]
			}
		}
	}
}

// filterTask sums the filter's gradient over each slice of the batch: a part is
// one slice.
type filterTask struct {
	session *gonumSession
	shape   gpu.ConvolutionShape
	slices  int
	x, dy   []float32
	partial []float32 // [slices, filter]
}

func (t *filterTask) parts() int { return t.slices }

func (t *filterTask) run(worker, lo, hi int) {
	s := t.shape
	pixels := s.Height * s.Width
	k := s.Kernel * s.Kernel * s.In
	col := t.session.panels[worker]
	for slice := lo; slice < hi; slice++ {
		dw := t.partial[slice*s.Filter():][:s.Filter()]
		clear(dw)
		for picture := slice * s.Batch / t.slices; picture < (slice+1)*s.Batch/t.slices; picture++ {
			for first := 0; first < pixels; first += panelPixels {
				last := min(first+panelPixels, pixels)
				im2col(s, t.x[picture*pixels*s.In:], first, last, col)
				sgemm(blas.Trans, blas.NoTrans, k, s.Out, last-first, col, k, t.dy[(picture*pixels+first)*s.Out:], s.Out, 1, dw, s.Out)
			}
		}
	}
}

// sumTask adds the partial sums of the slices in order; a part is a run of
// sumGrain elements.
type sumTask struct {
	partial []float32 // [slices, len(sum)]
	slices  int
	sum     []float32
}

const sumGrain = 4096

func (t *sumTask) parts() int { return (len(t.sum) + sumGrain - 1) / sumGrain }

func (t *sumTask) run(worker, lo, hi int) {
	n := len(t.sum)
	first, last := lo*sumGrain, min(hi*sumGrain, n)
	sum := t.sum[first:last]
	copy(sum, t.partial[first:last])
	for slice := 1; slice < t.slices; slice++ {
		for i, v := range t.partial[slice*n+first : slice*n+last] {
			sum[i] += v
		}
	}
}

// denseTask is a product of a dense layer, x [Batch, In], w [In, Out], y [Batch,
// Out]; a part is a panel of denseColumns columns of the result (rows, for the
// filter's gradient).
type denseTask struct {
	shape     gpu.ConvolutionShape
	direction gpu.Direction
	x, w, y   []float32
}

const denseColumns = 64

func (t *denseTask) parts() int {
	n := t.shape.In
	if t.direction == gpu.Forward {
		n = t.shape.Out
	}
	return (n + denseColumns - 1) / denseColumns
}

func (t *denseTask) run(_, lo, hi int) {
	batch, in, out := t.shape.Batch, t.shape.In, t.shape.Out
	for part := lo; part < hi; part++ {
		first := part * denseColumns
		switch t.direction {
		case gpu.Forward:
			sgemm(blas.NoTrans, blas.NoTrans, batch, min(denseColumns, out-first), in, t.x, in, t.w[first:], out, 0, t.y[first:], out)
		case gpu.BackwardData:
			sgemm(blas.NoTrans, blas.Trans, batch, min(denseColumns, in-first), out, t.y, out, t.w[first*out:], out, 0, t.x[first:], in)
		case gpu.BackwardFilter:
			sgemm(blas.Trans, blas.NoTrans, min(denseColumns, in-first), out, batch, t.x[first:], in, t.y, out, 0, t.w[first*out:], out)
		}
	}
}

// sgemm is gonum's, C = op(A) op(B) + beta C, called on tiles small enough that it stays on this
// goroutine: from four blocks of 64 x 64 on it would start its own, allocate,
// and fight with the other workers.
func sgemm(transA, transB blas.Transpose, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	const rows, columns = 64, 128
	// Elements from a row of op(A), and from a column of op(B), to the next.
	stepA, stepB := lda, 1
	if transA == blas.Trans {
		stepA = 1
	}
	if transB == blas.Trans {
		stepB = ldb
	}
	for i := 0; i < m; i += rows {
		for j := 0; j < n; j += columns {
			blasgonum.Implementation{}.Sgemm(transA, transB, min(rows, m-i), min(columns, n-j), k,
				1, a[i*stepA:], lda, b[j*stepB:], ldb, beta, c[i*ldc+j:], ldc)
		}
	}
}
