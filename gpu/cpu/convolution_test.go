package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/cpu/native/nativetest"
	"diaghess/gpu/vector"
)

var directions = []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter}

// gridShapes are all combinations of small extents: odd ones, and such that a
// 3x3 filter is larger than the picture.
func gridShapes() []gpu.ConvolutionShape {
	var shapes []gpu.ConvolutionShape
	for _, kernel := range []int{1, 3} {
		for _, extent := range [][2]int{{1, 1}, {1, 2}, {5, 3}, {6, 10}} {
			for _, in := range []int{1, 3, 5, 17} {
				for _, out := range []int{1, 3, 5, 17} {
					for _, batch := range []int{1, 2, 5, 17} {
						shapes = append(shapes, gpu.ConvolutionShape{Batch: batch, Height: extent[0], Width: extent[1], In: in, Out: out, Kernel: kernel})
					}
				}
			}
		}
	}
	return shapes
}

// largeShapes reach past every tile of a library: more than 64 rows or pixels,
// more than 128 channels, a 5x5 filter, more pictures than slices of a batch.
func largeShapes() []gpu.ConvolutionShape {
	return []gpu.ConvolutionShape{
		{Batch: 33, Height: 9, Width: 11, In: 3, Out: 7, Kernel: 3},
		{Batch: 2, Height: 17, Width: 8, In: 33, Out: 131, Kernel: 3},
		{Batch: 3, Height: 8, Width: 8, In: 130, Out: 5, Kernel: 3},
		{Batch: 16, Height: 8, Width: 8, In: 16, Out: 32, Kernel: 3},
		{Batch: 2, Height: 7, Width: 13, In: 4, Out: 6, Kernel: 5},
		{Batch: 2, Height: 6, Width: 7, In: 16, Out: 32, Kernel: 5},
		{Batch: 3, Height: 9, Width: 11, In: 32, Out: 64, Kernel: 3},
		{Batch: 5, Height: 7, Width: 6, In: 48, Out: 32, Kernel: 3},
		{Batch: 4, Height: 6, Width: 5, In: 16, Out: 48, Kernel: 3},
		{Batch: 2, Height: 1, Width: 3, In: 16, Out: 96, Kernel: 3},
		{Batch: 17, Height: 5, Width: 5, In: 64, Out: 128, Kernel: 3},
		{Batch: 1, Height: 12, Width: 16, In: 80, Out: 16, Kernel: 3},
		{Batch: 9, Height: 8, Width: 8, In: 128, Out: 128, Kernel: 3},
		{Batch: 70, Height: 1, Width: 1, In: 131, Out: 201, Kernel: 1},
		{Batch: 257, Height: 1, Width: 1, In: 65, Out: 10, Kernel: 1},
		{Batch: 67, Height: 1, Width: 1, In: 144, Out: 112, Kernel: 1},
		{Batch: 5, Height: 1, Width: 1, In: 16, Out: 176, Kernel: 1},
	}
}

// bench is a device with a stream and the three tensors of a convolution.
type bench struct {
	testing.TB
	stream  gpu.Stream
	x, w, y *guarded
}

// guarded is a tensor between guard words.
type guarded struct {
	slice  gpu.Slice[float32]
	around gpu.Slice[float32] // with the guards
	values []float32          // as uploaded
}

// guardElements keep a tensor at the alignment that a network's tensors have.
const guardElements = 16

// guard is a NaN that no computation makes: it marks guards and outputs that
// were not written.
var guard = math.Float32frombits(0x7fc5a5a5)

func newBench(t testing.TB, o cpu.Options) *bench {
	t.Helper()
	device, err := cpu.New(o)
	check(t, err)
	return benchOn(t, device)
}

func benchOn(t testing.TB, device gpu.Device) *bench {
	t.Helper()
	stream, err := device.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, stream.Close()) })
	return &bench{TB: t, stream: stream}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place uploads values between guards; nil values poison n elements.
func (b *bench) place(n int, values []float32) *guarded {
	b.Helper()
	around, err := gpu.Alloc[float32](b.stream, n+2*guardElements)
	check(b, err)
	g := &guarded{slice: around.Sub(guardElements, guardElements+n), around: around, values: values}
	host := make([]float32, around.Len())
	for i := range host {
		host[i] = guard
	}
	copy(host[guardElements:guardElements+n], values)
	check(b, gpu.Upload(b.stream, around, host))
	return g
}

// read returns a tensor and fails if a guard has changed.
func (b *bench) read(what string, g *guarded) []float32 {
	b.Helper()
	host := make([]float32, g.around.Len())
	check(b, gpu.Download(b.stream, host, g.around))
	end := guardElements + g.slice.Len()
	for i, v := range host {
		if (i < guardElements || i >= end) && math.Float32bits(v) != math.Float32bits(guard) {
			b.Errorf("%s: guard word %d is overwritten", what, i-guardElements)
		}
	}
	return host[guardElements:end]
}

func normals(random *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return values
}

// convolve runs one direction on tensors drawn from a seed and returns the
// tensor that it writes, after checks that it writes nothing else. x, w and y
// hold the drawn values.
func (b *bench) convolve(s gpu.ConvolutionShape, d gpu.Direction, seed uint64) []float32 {
	b.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	drawn := [3][]float32{normals(random, s.Input()), normals(random, s.Filter()), normals(random, s.Output())}
	what := fmt.Sprintf("%v %v, seed %d", s, d, seed)
	written := d.Written()
	tensors := [3]*guarded{}
	for i, values := range drawn {
		if i == written {
			tensors[i] = b.place(len(values), nil)
		} else {
			tensors[i] = b.place(len(values), values)
		}
	}
	b.x, b.w, b.y = tensors[0], tensors[1], tensors[2]
	c, err := b.stream.Convolution(s)
	check(b, err)
	if c.Shape() != s || c.Algorithm(d) == "" {
		b.Errorf("%s: bound to shape %v with algorithm %q", what, c.Shape(), c.Algorithm(d))
	}
	var r gpu.Recorder
	r.Record(gpu.NewConvolutionPass(c, d, b.x.slice, b.w.slice, b.y.slice))
	program, err := b.stream.Compile(r.Ops())
	check(b, err)
	var result []float32
	for range 2 { // the second replay starts from used scratch memory
		check(b, program.Run())
		for i, g := range tensors {
			got := b.read(what, g)
			if i != written {
				equalBits(b, what+": an input", got, g.values)
			} else if result == nil {
				result = got
			} else {
				equalBits(b, what+": the second replay", got, result)
			}
		}
	}
	return result
}

// terms is the most products in a sum of a direction.
func terms(s gpu.ConvolutionShape, d gpu.Direction) int {
	switch d {
	case gpu.Forward:
		return s.Kernel * s.Kernel * s.In
	case gpu.BackwardData:
		return s.Kernel * s.Kernel * s.Out
	}
	return s.Batch * s.Height * s.Width
}

// directTolerance bounds the errors of float32 sums of n products, in whatever order,
// by the sums of absolute products (Higham, Accuracy and Stability of Numerical
// Algorithms, section 3.1). A sum of no products has no error.
func directTolerance(absolute []float64, n int) []float64 {
	tolerance := make([]float64, len(absolute))
	for i, v := range absolute {
		tolerance[i] = nativetest.Gamma(n) * v
	}
	return tolerance
}

// compareSum compares float32 sums with the exact ones and returns the largest error
// in tolerances.
func compareSum(t testing.TB, what string, got []float32, sum, tolerance []float64) (largest float64) {
	t.Helper()
	for i, v := range got {
		off := math.Abs(float64(v) - sum[i])
		if !(off <= tolerance[i]) {
			t.Fatalf("%s: element %d is %.9g, want %.9g: off by %.2g, tolerance %.2g", what, i, v, sum[i], off, tolerance[i])
		}
		if off > 0 {
			largest = max(largest, off/tolerance[i])
		}
	}
	return largest
}

func equalBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
}

func eachLibrary(t *testing.T, test func(t *testing.T, library string)) {
	for _, library := range cpu.Libraries() {
		t.Run(library, func(t *testing.T) { test(t, library) })
	}
}

// Every library's convolution is the sum of its definition, in all directions.
func TestConvolutionIsTheDirectSum(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	shapes := append(gridShapes(), largeShapes()...)
	eachLibrary(t, func(t *testing.T, library string) {
		b := newBench(t, cpu.Options{Threads: 2, Library: library})
		largest := map[string]float64{}
		for seed, s := range shapes {
			for _, d := range directions {
				got := b.convolve(s, d, uint64(seed))
				sum, absolute := s.Direct(d, b.x.values, b.w.values, b.y.values)
				c, err := b.stream.Convolution(s)
				check(t, err)
				name := fmt.Sprintf("%s, %v", c.Algorithm(d), d)
				tolerance := directTolerance(absolute, terms(s, d))
				if strings.Contains(name, "winograd") {
					tolerance = winogradTolerance(s, d, b.x.values, b.w.values, b.y.values)
				}
				what := fmt.Sprintf("%v, %s, seed %d", s, name, seed)
				largest[name] = max(largest[name], compareSum(t, what, got, sum, tolerance))
			}
		}
		for name, v := range largest {
			t.Logf("%s: the largest error is %.2g of its tolerance", name, v)
		}
	})
}

// A convolution's bits do not depend on the number of threads.
func TestConvolutionBitsOnAnyThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	shapes := largeShapes()
	for i, s := range gridShapes() {
		if i%11 == 0 {
			shapes = append(shapes, s)
		}
	}
	eachLibrary(t, func(t *testing.T, library string) {
		one := newBench(t, cpu.Options{Threads: 1, Library: library})
		for _, threads := range []int{2, 3, 5, 33} {
			many := newBench(t, cpu.Options{Threads: threads, Library: library})
			for seed, s := range shapes {
				for _, d := range directions {
					what := fmt.Sprintf("%v %v on %d threads, seed %d", s, d, threads, seed)
					equalBits(t, what, many.convolve(s, d, uint64(seed)), one.convolve(s, d, uint64(seed)))
				}
			}
		}
	})
}

// The native library's results do not depend on the level of vectors.
func TestConvolutionBitsAtAnyLevel(t *testing.T) {
	best, err := vector.Supported()
	check(t, err)
	if best < vector.AVX512 {
		t.Skipf("this processor has vectors of one level: %v", best)
	}
	at := func(level vector.Level) *bench {
		device, err := cpu.NewAt(level, cpu.Options{Threads: 2, Library: "native"})
		check(t, err)
		return benchOn(t, device)
	}
	wide, narrow := at(vector.AVX512), at(vector.AVX2)
	for seed, s := range append(gridShapes(), largeShapes()...) {
		for _, d := range directions {
			equalBits(t, fmt.Sprintf("%v %v, seed %d", s, d, seed), narrow.convolve(s, d, uint64(seed)), wide.convolve(s, d, uint64(seed)))
		}
	}
}

// A NaN in an input comes out wherever it is multiplied by something other than
// zero, and nowhere that it does not belong.
func TestConvolutionNaN(t *testing.T) {
	shapes := []gpu.ConvolutionShape{
		{Batch: 3, Height: 5, Width: 3, In: 2, Out: 4, Kernel: 3},
		{Batch: 5, Height: 1, Width: 1, In: 70, Out: 5, Kernel: 1},
	}
	nan := float32(math.NaN())
	eachLibrary(t, func(t *testing.T, library string) {
		b := newBench(t, cpu.Options{Threads: 2, Library: library})
		for seed, s := range shapes {
			for _, d := range directions {
				b.convolve(s, d, uint64(seed))
				tensors := []*guarded{b.x, b.w, b.y}
				for i := range tensors {
					if i == d.Written() {
						continue
					}
					values := [3][]float32{b.x.values, b.w.values, b.y.values}
					values[i] = append([]float32(nil), values[i]...)
					values[i][len(values[i])/2] = nan
					want, _ := s.Direct(d, values[0], values[1], values[2])
					c, err := b.stream.Convolution(s)
					check(t, err)
					placed := [3]*guarded{}
					for j := range placed {
						placed[j] = b.place(tensors[j].slice.Len(), values[j])
					}
					var r gpu.Recorder
					r.Record(gpu.NewConvolutionPass(c, d, placed[0].slice, placed[1].slice, placed[2].slice))
					program, err := b.stream.Compile(r.Ops())
					check(t, err)
					check(t, program.Run())
					for k, got := range b.read("NaN", placed[d.Written()]) {
						if math.IsNaN(float64(got)) != math.IsNaN(want[k]) {
							t.Fatalf("%v %v, seed %d, NaN in tensor %d: element %d is %v, want %v", s, d, seed, i, k, got, want[k])
						}
					}
				}
			}
		}
	})
}

// A library's algorithms say whose they are, in records of other machines too.
func TestLibraryOf(t *testing.T) {
	for algorithm, want := range map[string]string{"native product": "native", "native winograd 4x4,3x3": "native", "im2col + gonum sgemm": "gonum", "gonum sgemm": "gonum", "IMPLICIT_GEMM": "", "": ""} {
		if got := cpu.LibraryOf(algorithm); got != want {
			t.Errorf("%q is of library %q, want %q", algorithm, got, want)
		}
	}
	eachLibrary(t, func(t *testing.T, library string) {
		b := newBench(t, cpu.Options{Library: library})
		for _, s := range slices.Concat(gridShapes(), largeShapes()) {
			c, err := b.stream.Convolution(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range directions {
				if got := cpu.LibraryOf(c.Algorithm(d)); got != library {
					t.Errorf("%v %v: %q is of library %q", s, d, c.Algorithm(d), got)
				}
			}
		}
	})
}

// An even filter has no centre, and a library that is not there cannot be had.
func TestConvolutionErrors(t *testing.T) {
	eachLibrary(t, func(t *testing.T, library string) {
		b := newBench(t, cpu.Options{Library: library})
		for _, kernel := range []int{0, 2, 4} {
			if _, err := b.stream.Convolution(gpu.ConvolutionShape{Batch: 1, Height: 4, Width: 4, In: 1, Out: 1, Kernel: kernel}); err == nil {
				t.Errorf("a filter of extent %d is accepted", kernel)
			}
		}
	})
}
