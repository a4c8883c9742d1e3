//go:build cuda

package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
)

// shapes are convolutions and dense layers at odd sizes.
var shapes = []gpu.ConvolutionShape{
	{Batch: 1, Height: 1, Width: 1, In: 1, Out: 1, Kernel: 1},
	{Batch: 3, Height: 1, Width: 1, In: 31, Out: 33, Kernel: 1},
	{Batch: 33, Height: 1, Width: 1, In: 257, Out: 3, Kernel: 1},
	{Batch: 2, Height: 5, Width: 7, In: 4, Out: 3, Kernel: 1},
	{Batch: 1, Height: 1, Width: 3, In: 3, Out: 1, Kernel: 3},
	{Batch: 3, Height: 7, Width: 5, In: 3, Out: 8, Kernel: 3},
	{Batch: 2, Height: 9, Width: 3, In: 33, Out: 31, Kernel: 3},
	{Batch: 2, Height: 6, Width: 5, In: 2, Out: 3, Kernel: 5},
}

// tensors are the operands of a convolution, in NHWC and OHWI.
type tensors struct{ x, w, y []float32 }

// drawTensors draws operands from a seed.
func drawTensors(s gpu.ConvolutionShape, seed uint64) tensors {
	random := rand.New(rand.NewPCG(seed, 0))
	draw := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(random.NormFloat64())
		}
		return values
	}
	return tensors{draw(s.Input()), draw(s.Filter()), draw(s.Output())}
}

// of returns the tensor that a direction writes.
func (t tensors) of(d gpu.Direction) []float32 {
	return [...][]float32{gpu.Forward: t.y, gpu.BackwardData: t.x, gpu.BackwardFilter: t.w}[d]
}

// product computes a direction in float64, term by term from the definition, with the
// sum of the terms' absolute values and their number.
func product(s gpu.ConvolutionShape, d gpu.Direction, t tensors) (sum, absolute []float64, terms int) {
	n := len(t.of(d))
	sum, absolute, counts := make([]float64, n), make([]float64, n), make([]int, n)
	for b := range s.Batch {
		for h := range s.Height {
			for w := range s.Width {
				for o := range s.Out {
					y := ((b*s.Height+h)*s.Width+w)*s.Out + o
					for kh := range s.Kernel {
						for kw := range s.Kernel {
							ih, iw := h+kh-s.Kernel/2, w+kw-s.Kernel/2
							if ih < 0 || ih >= s.Height || iw < 0 || iw >= s.Width {
								continue
							}
							for i := range s.In {
								x := ((b*s.Height+ih)*s.Width+iw)*s.In + i
								f := ((o*s.Kernel+kh)*s.Kernel+kw)*s.In + i
								to, a, c := y, t.x[x], t.w[f]
								switch d {
								case gpu.BackwardData:
									to, a, c = x, t.w[f], t.y[y]
								case gpu.BackwardFilter:
									to, a, c = f, t.x[x], t.y[y]
								}
								v := float64(a) * float64(c)
								sum[to] += v
								absolute[to] += math.Abs(v)
								counts[to]++
							}
						}
					}
				}
			}
		}
	}
	for _, c := range counts {
		terms = max(terms, c)
	}
	return sum, absolute, terms
}

// convolve runs a direction on a stream, twice, and returns what it wrote.
func convolve(t *testing.T, stream gpu.Stream, s gpu.ConvolutionShape, d gpu.Direction, in tensors) ([]float32, string) {
	t.Helper()
	c, err := stream.Convolution(s)
	check(t, err)
	var operands [3]gpu.Slice[float32]
	for i, values := range [][]float32{in.x, in.w, in.y} {
		operands[i], err = gpu.Alloc[float32](stream, len(values))
		check(t, err)
		check(t, gpu.Upload(stream, operands[i], values))
	}
	written := operands[d.Written()]
	program := compile(t, stream, gpu.NewConvolutionPass(c, d, operands[0], operands[1], operands[2]))
	for range 2 {
		check(t, program.Run())
	}
	got := make([]float32, written.Len())
	check(t, gpu.Download(stream, got, written))
	return got, c.Algorithm(d)
}

// TestConvolutions holds every direction against float64. A float32 sum of n products
// in any order is off by at most n roundings of the sum of their absolute values.
func TestConvolutions(t *testing.T) {
	const seed, rounding = 3, 1.0 / (1 << 24)
	device, _ := open(t, standin.Options{}, cuda.Options{})
	stream := newStream(t, device)
	for _, s := range shapes {
		for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
			in := drawTensors(s, seed)
			got, algorithm := convolve(t, stream, s, d, in)
			want, absolute, terms := product(s, d, in)
			for i, v := range got {
				if bound := float64(terms) * rounding * absolute[i] * (1 + 1e-3); !(math.Abs(float64(v)-want[i]) <= bound) {
					t.Errorf("%v %v, seed %d: element %d is %v, want %v within %.2g", s, d, seed, i, v, want[i], bound)
					break
				}
			}
			// The first of the list that is deterministic, fits and works, see standin.
			if name := map[gpu.Direction]string{
				gpu.Forward: "implicit_precomp_gemm fp32", gpu.BackwardData: "algo_1 fp32", gpu.BackwardFilter: "engine 1 fp32",
			}[d]; !strings.Contains(algorithm, name) {
				t.Errorf("%v %v by %q, want %q", s, d, algorithm, name)
			}
		}
	}
}

// Streams side by side compute by the same methods to the same bits, also where cuDNN must be
// asked on each of them, and what is left is freed.
func TestStreamsShareChoices(t *testing.T) {
	const seed = 6
	s := shapes[5]
	in := drawTensors(s, seed)
	for _, kind := range gpu.Maths() {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, own), func(t *testing.T) {
				device, m := open(t, standin.Options{OwnAnswers: own}, cuda.Options{Math: kind})
				asked := 0
				var results [3][]float32
				var names [3]string
				for i := range results {
					results[i], names[i] = convolve(t, newStream(t, device), s, gpu.BackwardFilter, in)
					if i == 0 {
						asked = count(m, "cudnnBackendFinalize")
					}
				}
				for i := range results {
					if !slices.Equal(results[i], results[0]) || names[i] != names[0] {
						t.Errorf("stream %d: other bits or another method, %s and %s", i, names[i], names[0])
					}
				}
				// A plan, and a pack for each run that is queued; where they ask, lists too.
				if later := count(m, "cudnnBackendFinalize") - asked; (later > 2*5) != own {
					t.Errorf("later streams make %d descriptors, the first %d", later, asked)
				}
			})
		}
	}
}

// TestMath tells the two kinds of arithmetic apart: TF32 rounds both factors to 11
// bits, so that a product is off by at most 2 units of 2^-11, and some are off by more
// than float32's roundings.
func TestMath(t *testing.T) {
	const seed, rounding, unit = 4, 1.0 / (1 << 24), 1.0 / (1 << 11)
	s := gpu.ConvolutionShape{Batch: 2, Height: 5, Width: 4, In: 3, Out: 5, Kernel: 3}
	in := drawTensors(s, seed)
	for _, kind := range gpu.Maths() {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			device, _ := open(t, standin.Options{}, cuda.Options{Math: kind})
			stream := newStream(t, device)
			for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
				got, algorithm := convolve(t, stream, s, d, in)
				want, absolute, terms := product(s, d, in)
				largest := 0.0 // error, in units of the sum of absolute values
				for i, v := range got {
					largest = max(largest, math.Abs(float64(v)-want[i])/absolute[i])
				}
				exact := float64(terms) * rounding * (1 + 1e-3)
				if within := largest <= exact; within != (kind == gpu.MathFP32) || largest > exact+2.01*unit {
					t.Errorf("%v by %s, seed %d: an error of %.2g", d, algorithm, seed, largest)
				}
				name := string(kind)
				if d == gpu.BackwardFilter {
					name = map[string]string{gpu.MathFP32: "engine 1 fp32", gpu.MathTF32: "engine 68 2:5 13:0 tf32"}[kind]
				}
				if !strings.Contains(algorithm, name) {
					t.Errorf("%v: the record says %q, want %q", d, algorithm, name)
				}
			}
		})
	}
}
