package native

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/vector"
)

// shapes have ragged edges of all kinds: pixels, channels, taps, tiles and blocks of
// direct sums, Winograd's and dense ones.
var shapes = []gpu.ConvolutionShape{
	{Batch: 1, Height: 1, Width: 1, In: 1, Out: 1, Kernel: 3},
	{Batch: 3, Height: 5, Width: 3, In: 3, Out: 7, Kernel: 3},
	{Batch: 2, Height: 5, Width: 3, In: 3, Out: 32, Kernel: 3},
	{Batch: 2, Height: 1, Width: 2, In: 3, Out: 5, Kernel: 5},
	{Batch: 2, Height: 6, Width: 7, In: 16, Out: 32, Kernel: 5},
	{Batch: 1, Height: 4, Width: 9, In: 17, Out: 33, Kernel: 3},
	{Batch: 2, Height: 7, Width: 5, In: 5, Out: 64, Kernel: 3},
	{Batch: 1, Height: 3, Width: 11, In: 2, Out: 131, Kernel: 1},

	{Batch: 3, Height: 4, Width: 4, In: 16, Out: 16, Kernel: 3},
	{Batch: 2, Height: 1, Width: 3, In: 48, Out: 32, Kernel: 3},
	{Batch: 10, Height: 9, Width: 11, In: 32, Out: 64, Kernel: 3},
	{Batch: 2, Height: 33, Width: 30, In: 16, Out: 32, Kernel: 3}, // several blocks of a slice
	{Batch: 5, Height: 7, Width: 6, In: 128, Out: 64, Kernel: 3},
	{Batch: 9, Height: 6, Width: 5, In: 80, Out: 96, Kernel: 3},

	{Batch: 1, Height: 1, Width: 1, In: 16, Out: 16, Kernel: 1},
	{Batch: 5, Height: 1, Width: 1, In: 32, Out: 176, Kernel: 1},
	{Batch: 67, Height: 1, Width: 1, In: 144, Out: 112, Kernel: 1},
	{Batch: 96, Height: 1, Width: 1, In: 80, Out: 64, Kernel: 1},
}

// pass is a convolution at work in one direction, as device cpu does it. Buffers
// between its steps are poisoned.
type pass struct {
	*testing.T
	what      string
	shape     gpu.ConvolutionShape
	direction gpu.Direction
	tensors   [3][]float32 // x, w, y
	written   []float32    // one of them, with guards around it
	worker    *Worker
	workers   int
}

const guardWords = 16

func eachPass(t *testing.T, list []gpu.ConvolutionShape, test func(p *pass)) {
	for seed, s := range list {
		for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
			p := &pass{T: t, what: fmt.Sprintf("%v %v, seed %d", s, d, seed), shape: s, direction: d, worker: NewWorker(), workers: 5}
			random, to := newRandom(seed), d.Written()
			for i, n := range []int{s.Input(), s.Filter(), s.Output()} {
				p.tensors[i] = make([]float32, n)
				fillNormal(random, p.tensors[i])
			}
			p.written = guards(len(p.tensors[to]) + 2*guardWords)
			p.tensors[to] = p.written[guardWords : len(p.written)-guardWords]
			test(p)
		}
	}
}

// run returns what is written over guard words, and fails if there is more.
func (p *pass) run(level vector.Level) []float32 {
	fill(p.written, guard)
	s, x, w, y := p.shape, p.tensors[0], p.tensors[1], p.tensors[2]
	if s.Kernel == 1 && s.Height == 1 && s.Width == 1 {
		p.dense(NewDense(level, s.Batch, s.In, s.Out), x, w, y)
	} else {
		p.convolve(level, Shape{Height: s.Height, Width: s.Width, In: s.In, Out: s.Out, Kernel: s.Kernel}, x, w, y)
	}
	result := slices.Clone(p.tensors[p.direction.Written()])
	fill(p.tensors[p.direction.Written()], guard)
	equalBits(p.T, p.what+": guards", p.written, guards(len(p.written)))
	return result
}

func (p *pass) convolve(level vector.Level, s Shape, x, w, y []float32) {
	if p.direction == gpu.BackwardData {
		turned := filled(len(w), poison)
		for tap := range s.Kernel * s.Kernel {
			Turn(s, tap, w, turned)
		}
		s.In, s.Out = s.Out, s.In
		x, w, y = y, turned, x
	}
	batch, in, out := p.shape.Batch, s.Height*s.Width*s.In, s.Height*s.Width*s.Out
	switch filter := p.direction == gpu.BackwardFilter; {
	case filter && CanWinograd(s):
		f := NewWinogradFilter(level, s, batch, p.workers)
		partial := filled(f.PartialLen(), poison)
		for part := range f.Parts() {
			f.Sum(p.worker, part, x, y, partial)
		}
		for part := range f.FinishParts() {
			f.Finish(p.worker, part, partial, w)
		}
	case filter:
		f := NewFilterGradient(level, s)
		sum := filled(f.Len(), poison)
		for i := range batch {
			f.Add(p.worker, x[i*in:(i+1)*in], y[i*out:(i+1)*out], sum, i == 0)
		}
		for row := range len(w) / s.Out {
			copy(w[row*s.Out:], f.Row(sum, row))
		}
	case CanWinograd(s):
		f := NewWinograd(level, s, batch)
		packed := filled(f.PackedLen(), poison)
		f.Pack(p.worker, 0, 8, w, packed)
		f.Pack(p.worker, 8, s.In, w, packed)
		for block := range f.Blocks() {
			f.Run(p.worker, block, x, packed, y)
		}
	default:
		f := NewDirect(level, s)
		if n := f.PackedLen(); n > 0 {
			packed := filled(n, poison)
			f.Pack(w, packed)
			w = packed
		}
		for i := range batch {
			f.Run(p.worker, x[i*in:(i+1)*in], w, y[i*out:(i+1)*out])
		}
	}
}

func (p *pass) dense(d *Dense, x, w, y []float32) {
	panels := func(n int, do func(lo, hi int)) {
		for lo := 0; lo < n; lo += DensePanel {
			do(lo, min(lo+DensePanel, n))
		}
	}
	switch p.direction {
	case gpu.Forward:
		for part := range d.ForwardParts() {
			d.Forward(p.worker, part, x, w, y)
		}
	case gpu.BackwardData:
		transposed := filled(d.TransposedLen(), poison)
		panels(d.Out, func(lo, hi int) { d.Transpose(lo, hi, y, transposed) })
		panels(d.In, func(lo, hi int) { d.BackwardData(p.worker, lo, hi, transposed, w, x) })
	case gpu.BackwardFilter:
		panels(d.In, func(lo, hi int) { d.BackwardFilter(lo, hi, x, y, w) })
	}
}

// Of small integers every sum is exact, so the results are the definition's; those of
// Winograd once they are rounded, as their errors are far below 1/2.
func TestConvolutionsOfIntegers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	all := levels(t)
	eachPass(t, shapes, func(p *pass) {
		for _, values := range p.tensors {
			for i, v := range values {
				values[i] = float32(math.Round(float64(v)))
			}
		}
		want, _ := p.shape.Direct(p.direction, p.tensors[0], p.tensors[1], p.tensors[2])
		s := p.shape
		winograd := CanWinograd(Shape{In: s.In, Out: s.Out, Kernel: s.Kernel})
		for _, level := range all {
			for i, v := range p.run(level) {
				got := float64(v)
				if winograd {
					got = math.Round(got)
				}
				if got != want[i] {
					t.Fatalf("%s, %v: element %d is %v, want %v", p.what, level, i, v, want[i])
				}
			}
		}
	})
}

// Results depend neither on what is in scratch memory, nor on the number of workers,
// nor on the level; and nothing is written around scratch memory.
func TestSameBits(t *testing.T) {
	all := levels(t)
	eachPass(t, shapes, func(p *pass) {
		want := p.run(all[0])
		for _, level := range all {
			for _, p.workers = range []int{1, 5, 33} {
				what := fmt.Sprintf("%s, %v, %d workers", p.what, level, p.workers)
				p.run(level) // makes the scratch memory
				var scratch [][]float32
				for _, s := range []*[]float32{&p.worker.picture, &p.worker.other, &p.worker.v, &p.worker.m, &p.worker.tile} {
					around := guards(len(*s) + 2*guardWords)
					*s = around[guardWords : len(around)-guardWords]
					fill(*s, poison)
					scratch = append(scratch, around)
				}
				equalBits(t, what, p.run(level), want)
				for _, around := range scratch {
					fill(around[guardWords:len(around)-guardWords], guard)
					equalBits(t, what+": guards of scratch memory", around, guards(len(around)))
				}
			}
		}
	})
}

// What is not finite does not vanish, whichever element of an input it is.
func TestNonFiniteInputsShow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	all := levels(t)
	bad := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	eachPass(t, []gpu.ConvolutionShape{
		{Batch: 2, Height: 4, Width: 5, In: 3, Out: 7, Kernel: 3},
		{Batch: 1, Height: 3, Width: 4, In: 2, Out: 32, Kernel: 5},
		{Batch: 1, Height: 5, Width: 6, In: 16, Out: 32, Kernel: 3},
		{Batch: 5, Height: 1, Width: 1, In: 32, Out: 48, Kernel: 1},
	}, func(p *pass) {
		for i, values := range p.tensors {
			for k, v := range values {
				if i == p.direction.Written() {
					continue
				}
				values[k] = bad[k%len(bad)]
				for _, level := range all {
					if !slices.ContainsFunc(p.run(level), func(v float32) bool { return v-v != 0 }) {
						t.Fatalf("%s, %v: %v in element %d of tensor %d vanishes", p.what, level, values[k], k, i)
					}
				}
				values[k] = v
			}
		}
	})
}
