//go:build onednn

package onednn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// oracle is a direct convolution in float64: every function returns one element and the sum of the absolute values of its terms.
type oracle struct {
	Shape
	x, w, y []float32 // NHWC, HWIO, NHWC; in the backward passes y holds the output's gradient
}

func (o oracle) input(n, h, w, i int) float64 {
	if h < 0 || h >= o.Height || w < 0 || w >= o.Width {
		return 0
	}
	return float64(o.x[((n*o.Height+h)*o.Width+w)*o.In+i])
}

func (o oracle) output(n, h, w, k int) float64 {
	if h < 0 || h >= o.Height || w < 0 || w >= o.Width {
		return 0
	}
	return float64(o.y[((n*o.Height+h)*o.Width+w)*o.Out+k])
}

func (o oracle) filter(r, s, i, k int) float64 {
	return float64(o.w[((r*o.Kernel+s)*o.In+i)*o.Out+k])
}

func (o oracle) forward(at int) (sum, absolute float64) {
	k, w, h, n := at%o.Out, at/o.Out%o.Width, at/o.Out/o.Width%o.Height, at/o.Out/o.Width/o.Height
	for r := range o.Kernel {
		for s := range o.Kernel {
			for i := range o.In {
				term := o.input(n, h+r-o.Kernel/2, w+s-o.Kernel/2, i) * o.filter(r, s, i, k)
				sum, absolute = sum+term, absolute+math.Abs(term)
			}
		}
	}
	return sum, absolute
}

func (o oracle) backwardData(at int) (sum, absolute float64) {
	i, w, h, n := at%o.In, at/o.In%o.Width, at/o.In/o.Width%o.Height, at/o.In/o.Width/o.Height
	for r := range o.Kernel {
		for s := range o.Kernel {
			for k := range o.Out {
				term := o.output(n, h-r+o.Kernel/2, w-s+o.Kernel/2, k) * o.filter(r, s, i, k)
				sum, absolute = sum+term, absolute+math.Abs(term)
			}
		}
	}
	return sum, absolute
}

func (o oracle) backwardFilter(at int) (sum, absolute float64) {
	k, i, s, r := at%o.Out, at/o.Out%o.In, at/o.Out/o.In%o.Kernel, at/o.Out/o.In/o.Kernel
	for n := range o.Batch {
		for h := range o.Height {
			for w := range o.Width {
				term := o.input(n, h+r-o.Kernel/2, w+s-o.Kernel/2, i) * o.output(n, h, w, k)
				sum, absolute = sum+term, absolute+math.Abs(term)
			}
		}
	}
	return sum, absolute
}

// compare holds up to samples elements of got against the oracle.
//
// A sum of length terms in float32, in whatever order, with or without fused multiply-add, is off by at most
// (length+1) 2^-24 / (1 - (length+1) 2^-24) times the sum of the absolute values of its terms (Higham, Accuracy and Stability
// of Numerical Algorithms, section 3.1).
//
// Winograd's algorithm F(4x4, 3x3) does not compute those terms: its transforms amplify a product by up to
// max_i sum_k |A_ik| sum|B_k| sum|G_k| = 48 in each of the two directions (matrices of Lavin and Gray 2016). One rounding so
// amplified, 48^2 2^-24 = 1.4e-4 of the result's root mean square, bounds the root mean square of the error, and eight times that
// a single error.
func compare(t *testing.T, what, algorithm string, got []float32, length, samples int, want func(at int) (sum, absolute float64)) {
	t.Helper()
	const unit = 1.0 / (1 << 24)
	stride := max(1, len(got)/samples) | 1 // odd, so that all channels have their turn
	var squares, errorSquares, largest float64
	count := 0
	for at := 0; at < len(got); at += stride {
		sum, absolute := want(at)
		difference := math.Abs(float64(got[at]) - sum)
		squares, errorSquares, largest = squares+sum*sum, errorSquares+difference*difference, max(largest, difference)
		count++
		if strings.Contains(algorithm, "wino") && !math.IsNaN(difference) {
			continue
		}
		bound := float64(length+1) * unit / (1 - float64(length+1)*unit) * absolute
		if !(difference <= bound) {
			t.Fatalf("%s (%s): element %d is %v, want %v +- %.3g", what, algorithm, at, got[at], sum, bound)
		}
	}
	if strings.Contains(algorithm, "wino") {
		bound := 48 * 48 * unit * math.Sqrt(squares/float64(count))
		if math.Sqrt(errorSquares/float64(count)) > bound || largest > 8*bound {
			t.Fatalf("%s (%s): error %.3g (root mean square), %.3g (largest), want %.3g and %.3g",
				what, algorithm, math.Sqrt(errorSquares/float64(count)), largest, bound, 8*bound)
		}
	}
}

func draw(random *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = random.Float32()*2 - 1
	}
	return values
}

// guarded returns a slice of n NaNs between guard words, and a function that fails the test if a guard was touched.
func guarded(t *testing.T, what string, n int) ([]float32, func()) {
	const guards, guard = 32, 12345.678
	all := make([]float32, n+2*guards)
	for i := range all {
		all[i] = guard
	}
	inner := all[guards : guards+n : guards+n]
	for i := range inner {
		inner[i] = float32(math.NaN())
	}
	return inner, func() {
		t.Helper()
		for i := range guards {
			if all[i] != guard || all[guards+n+i] != guard {
				t.Fatalf("%s: wrote outside its %d values", what, n)
			}
		}
	}
}

func newWorker(t testing.TB) *Worker {
	t.Helper()
	worker, err := NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Close)
	return worker
}

func newConvolution(t testing.TB, worker *Worker, shape Shape) *Convolution {
	t.Helper()
	c, err := worker.NewConvolution(shape)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// results runs all passes of c and returns y, dx and dw.
func results(t *testing.T, c *Convolution, x, w, dy []float32) (y, dx, dw []float32) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	packed := map[Pass][]float32{}
	var guards []func()
	output := func(what string, n int) []float32 {
		values, guard := guarded(t, what, n)
		guards = append(guards, guard)
		return values
	}
	for _, pass := range []Pass{Forward, BackwardData, BackwardFilter} {
		packed[pass] = output("packed filter, "+pass.String(), c.PackedLen(pass))
	}
	y, dx, dw = output("y", len(dy)), output("dx", len(x)), output("dw", len(w))
	check(c.Pack(Forward, w, packed[Forward]))
	check(c.Pack(BackwardData, w, packed[BackwardData]))
	check(c.Forward(x, packed[Forward], y))
	check(c.BackwardData(dy, packed[BackwardData], dx))
	check(c.BackwardFilter(x, dy, packed[BackwardFilter]))
	check(c.Unpack(packed[BackwardFilter], dw))
	for _, guard := range guards {
		guard()
	}
	return y, dx, dw
}

// networkShapes are the 3x3 convolutions of the CIFAR network.
func networkShapes(batch int) []Shape {
	return []Shape{
		{batch, 32, 32, 3, 32, 3}, {batch, 32, 32, 32, 32, 3}, {batch, 16, 16, 32, 64, 3},
		{batch, 16, 16, 64, 64, 3}, {batch, 8, 8, 64, 128, 3}, {batch, 8, 8, 128, 128, 3},
	}
}

func testShapes() []Shape {
	var shapes []Shape
	for _, kernel := range []int{1, 3} {
		for _, extent := range [][2]int{{1, 1}, {6, 10}, {3, 5}} {
			for batch := 1; batch <= 3; batch++ {
				for in := 1; in <= 5; in++ {
					shapes = append(shapes, Shape{batch, extent[0], extent[1], in, (in+batch)%5 + 1, kernel})
				}
			}
		}
	}
	shapes = append(shapes, Shape{2, 7, 9, 16, 24, 3}, Shape{3, 5, 5, 17, 33, 3}, Shape{2, 8, 8, 64, 32, 1}, Shape{1, 28, 28, 1, 8, 3})
	return append(append(shapes, networkShapes(16)...), networkShapes(7)...)
}

func TestConvolutionAgainstDirectFloat64(t *testing.T) {
	const seed, samples = 1, 700
	t.Logf("oneDNN %s, inputs of seed %d", Version(), seed)
	random := rand.New(rand.NewPCG(seed, 0))
	worker := newWorker(t)
	for _, shape := range testShapes() {
		t.Run(shape.String(), func(t *testing.T) {
			c := newConvolution(t, worker, shape)
			x, w, dy := draw(random, shape.inputLen()), draw(random, shape.filterLen()), draw(random, shape.outputLen())
			y, dx, dw := results(t, c, x, w, dy)
			o := oracle{shape, x, w, dy}
			window := shape.Kernel * shape.Kernel
			compare(t, "forward", c.Algorithm(Forward), y, window*shape.In, samples, o.forward)
			compare(t, "backward data", c.Algorithm(BackwardData), dx, window*shape.Out, samples, o.backwardData)
			compare(t, "backward filter", c.Algorithm(BackwardFilter), dw, shape.Batch*shape.Height*shape.Width, samples, o.backwardFilter)
		})
	}
}

// TestNoSlowImplementation checks that none of the network's passes falls back to the library's reference loops.
func TestNoSlowImplementation(t *testing.T) {
	worker := newWorker(t)
	for layer, shape := range networkShapes(16) {
		c := newConvolution(t, worker, shape)
		for _, pass := range []Pass{Forward, BackwardData, BackwardFilter} {
			t.Logf("%v: %v: %s", shape, pass, c.Algorithm(pass))
			if strings.HasPrefix(c.Algorithm(pass), "ref") && !(layer == 0 && pass == BackwardData) { // nobody needs the image's gradient
				t.Errorf("%v: %v runs as %s", shape, pass, c.Algorithm(pass))
			}
		}
	}
}

// TestBitsRepeat runs the same slices again, one after the other and from two workers at once.
func TestBitsRepeat(t *testing.T) {
	const seed, rounds = 2, 5
	random := rand.New(rand.NewPCG(seed, 0))
	for _, shape := range networkShapes(8)[:4] {
		x, w, dy := draw(random, shape.inputLen()), draw(random, shape.filterLen()), draw(random, shape.outputLen())
		y, dx, dw := results(t, newConvolution(t, newWorker(t), shape), x, w, dy)
		t.Run(shape.String(), func(t *testing.T) {
			for id := range 2 {
				t.Run(fmt.Sprint("worker ", id), func(t *testing.T) {
					c := newConvolution(t, newWorker(t), shape)
					t.Parallel()
					for range rounds {
						y2, dx2, dw2 := results(t, c, x, w, dy)
						if !slices.Equal(y, y2) || !slices.Equal(dx, dx2) || !slices.Equal(dw, dw2) {
							t.Fatalf("seed %d: other bits", seed)
						}
					}
				})
			}
		})
	}
}

// TestScratchIsShared makes a small convolution run before and after a large one that enlarges the worker's scratch memory.
func TestScratchIsShared(t *testing.T) {
	const seed = 3
	random := rand.New(rand.NewPCG(seed, 0))
	worker := newWorker(t)
	small, large := networkShapes(1)[5], networkShapes(16)[1]
	x, w, dy := draw(random, small.inputLen()), draw(random, small.filterLen()), draw(random, small.outputLen())
	first := newConvolution(t, worker, small)
	before, _, _ := results(t, first, x, w, dy)
	results(t, newConvolution(t, worker, large), draw(random, large.inputLen()), draw(random, large.filterLen()), draw(random, large.outputLen()))
	after, _, _ := results(t, first, x, w, dy)
	if !slices.Equal(before, after) {
		t.Fatalf("seed %d: other bits after the scratch memory grew", seed)
	}
}

func TestRunningAllocatesNothing(t *testing.T) {
	c := newConvolution(t, newWorker(t), Shape{2, 6, 5, 3, 9, 3})
	x, w, y := make([]float32, 2*6*5*3), make([]float32, 9*3*9), make([]float32, 2*6*5*9)
	forward, backward, gradient := make([]float32, c.PackedLen(Forward)), make([]float32, c.PackedLen(BackwardData)), make([]float32, c.PackedLen(BackwardFilter))
	allocations := testing.AllocsPerRun(10, func() {
		if c.Pack(Forward, w, forward) != nil || c.Forward(x, forward, y) != nil ||
			c.Pack(BackwardData, w, backward) != nil || c.BackwardData(y, backward, x) != nil ||
			c.BackwardFilter(x, y, gradient) != nil || c.Unpack(gradient, w) != nil ||
			Gemm(false, false, 2, 3, 4, x, 4, w, 3, y, 3) != nil {
			t.Fatal("a pass failed")
		}
	})
	if allocations != 0 {
		t.Fatalf("%v allocations", allocations)
	}
}

// TestSmallNumbersSurvive checks that the library does not leave the thread rounding subnormal numbers to zero: Go code that runs on
// it afterwards would get other bits than elsewhere.
func TestSmallNumbersSurvive(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	shape := Shape{2, 8, 8, 16, 16, 3}
	values := make([]float32, shape.inputLen())
	results(t, newConvolution(t, newWorker(t), shape), values, make([]float32, shape.filterLen()), values)
	if err := Gemm(false, false, 8, 8, 8, values, 8, values, 8, make([]float32, 64), 8); err != nil {
		t.Fatal(err)
	}
	tiny := math.Float32frombits(2) // 2^-148
	if half := tiny * float32(0.5); math.Float32bits(half) != 1 {
		t.Fatalf("2^-148 / 2 = %v, want 2^-149", half)
	}
}

func TestWrongLengthPanics(t *testing.T) {
	c := newConvolution(t, newWorker(t), Shape{2, 4, 4, 8, 16, 3})
	x, packed, y := make([]float32, 2*4*4*8), make([]float32, c.PackedLen(Forward)), make([]float32, 2*4*4*16)
	cases := map[string]func(){
		"short input":    func() { _ = c.Forward(x[1:], packed, y) },
		"long output":    func() { _ = c.Forward(x, packed, append(y, 0)) },
		"swapped":        func() { _ = c.Forward(y, packed, x) },
		"empty filter":   func() { _ = c.Forward(x, nil, y) },
		"pack of dw":     func() { _ = c.Pack(BackwardFilter, packed, packed) },
		"short unpacked": func() { _ = c.Unpack(make([]float32, c.PackedLen(BackwardFilter)), make([]float32, 3)) },
		"short matrix":   func() { _ = Gemm(false, false, 2, 2, 2, x[:3], 2, x, 2, y, 2) },
		"small stride":   func() { _ = Gemm(true, false, 4, 2, 2, x, 2, x, 2, y, 2) },
		"no rows":        func() { _ = Gemm(false, false, 0, 2, 2, x, 2, x, 2, y, 2) },
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if message, _ := recover().(string); !strings.HasPrefix(message, "onednn: ") {
					t.Fatalf("panic %q, want one that starts with onednn:", message)
				}
			}()
			run()
		})
	}
}

func TestGemmAgainstFloat64(t *testing.T) {
	const seed = 4
	random := rand.New(rand.NewPCG(seed, 0))
	for _, extents := range [][3]int{{1, 1, 1}, {3, 5, 7}, {31, 33, 257}, {64, 10, 512}, {32, 512, 100}, {512, 64, 64}} {
		for _, transposes := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			m, n, k := extents[0], extents[1], extents[2]
			lda, ldb, ldc := k+3, n+1, n+2 // rows with a gap between them
			a, b := draw(random, m*lda), draw(random, k*ldb)
			if transposes[0] {
				lda = m + 3
				a = draw(random, k*lda)
			}
			if transposes[1] {
				ldb = k + 1
				b = draw(random, n*ldb)
			}
			name := fmt.Sprintf("seed %d: %dx%dx%d, transposes %v", seed, m, n, k, transposes)
			c, guard := guarded(t, name, (m-1)*ldc+n)
			if err := Gemm(transposes[0], transposes[1], m, n, k, a, lda, b, ldb, c, ldc); err != nil {
				t.Fatal(err)
			}
			guard()
			dense := make([]float32, 0, m*n)
			for row := range m {
				dense = append(dense, c[row*ldc:row*ldc+n]...)
			}
			compare(t, name, "gemm", dense, k, len(dense), func(at int) (sum, absolute float64) {
				row, column := at/n, at%n
				for i := range k {
					left, right := a[min(row*lda+i, len(a)-1)], b[min(i*ldb+column, len(b)-1)]
					if transposes[0] {
						left = a[i*lda+row]
					}
					if transposes[1] {
						right = b[column*ldb+i]
					}
					term := float64(left) * float64(right)
					sum, absolute = sum+term, absolute+math.Abs(term)
				}
				return sum, absolute
			})
		}
	}
}

func TestGemmBitsRepeatInParallel(t *testing.T) {
	const seed, m, n, k = 5, 64, 512, 2048
	random := rand.New(rand.NewPCG(seed, 0))
	a, b := draw(random, m*k), draw(random, k*n)
	outputs := make([][]float32, 4)
	errors := make([]error, len(outputs))
	var group sync.WaitGroup
	for i := range outputs {
		outputs[i] = make([]float32, m*n)
		group.Go(func() { errors[i] = Gemm(false, false, m, n, k, a, k, b, n, outputs[i], n) })
	}
	group.Wait()
	for i := range outputs {
		if errors[i] != nil {
			t.Fatal(errors[i])
		}
		if !slices.Equal(outputs[0], outputs[i]) {
			t.Fatalf("seed %d: call %d has other bits", seed, i)
		}
	}
}
