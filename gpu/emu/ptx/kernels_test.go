package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Whole kernels, compiled by nvcc, against the same computation in Go; under every check and in natural and drawn orders.
var settings = []Options{{Check: CheckNone}, {Check: CheckMemory, Workers: 1}, {Check: CheckFull}, {Check: CheckFull, Order: 1}, {Check: CheckFull, Order: 77}}

func forSettings(t *testing.T, test func(t *testing.T, o Options)) {
	for _, o := range settings {
		t.Run(fmt.Sprintf("check=%v,order=%d", o.Check, o.Order), func(t *testing.T) { test(t, o) })
	}
}

func drawn(seed uint64, n int) []float32 {
	random := rand.New(rand.NewPCG(seed, 0))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return values
}

// sumTree adds 32 values as the shuffles do.
func sumTree(v []float32, offset int) float32 {
	s := append([]float32(nil), v...)
	for o := offset; o > 0; o >>= 1 {
		for lane := range o {
			s[lane] += s[lane+o]
		}
	}
	return s[0]
}

func TestBlockSum(t *testing.T) {
	k := kernel(t, load(t, "reduction.ptx"), "block_sum")
	for _, n := range []int{1, 31, 257, 5000} {
		x := drawn(5, n)
		const blocks, threads = 3, 256
		want := make([]float32, blocks)
		for b := range want {
			perThread := make([]float32, threads)
			for i := range perThread {
				for j := b*threads + i; j < n; j += blocks * threads {
					perThread[i] += x[j]
				}
			}
			warps := make([]float32, 8)
			for w := range warps {
				warps[w] = sumTree(perThread[32*w:32*w+32], 16)
			}
			want[b] = sumTree(warps, 4)
		}
		forSettings(t, func(t *testing.T, o Options) {
			memory := NewMemory()
			ax, sums := floats(t, memory, "x", x), output(t, memory, "sums", blocks)
			run(t, k, memory, Launch{Blocks: blocks, Threads: threads, Arguments: [][]byte{at(ax), at(sums), s32(n)}, Options: o})
			for b := range want {
				if floatAt(sums, b) != want[b] {
					t.Errorf("n=%d (seed 5): sum of block %d is %v, want %v", n, b, floatAt(sums, b), want[b])
				}
			}
		})
	}
}

func TestPhilox(t *testing.T) {
	k := kernel(t, load(t, "philox.ptx"), "philox")
	// Known answers of Random123 1.14 (tests/kat_vectors, philox4x32 10): counter, key, result.
	vectors := []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	forSettings(t, func(t *testing.T, o Options) {
		for _, v := range vectors {
			memory := NewMemory()
			const n = 70
			out := output(t, memory, "out", 4*n)
			counter := append(append(u32(v.counter[0]), u32(v.counter[1])...), append(u32(v.counter[2]), u32(v.counter[3])...)...)
			run(t, k, memory, Launch{Blocks: 2, Threads: 64, Arguments: [][]byte{at(out), counter, append(u32(v.key[0]), u32(v.key[1])...), s32(n)}, Options: o})
			for i := range v.want {
				if wordAt(out, i) != v.want[i] {
					t.Errorf("word %d is %#x, want %#x", i, wordAt(out, i), v.want[i])
				}
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	k := kernel(t, load(t, "softmax.ptx"), "softmax")
	const rows = 5
	for _, columns := range []int{1, 10, 33, 100} {
		x := drawn(8, rows*columns)
		forSettings(t, func(t *testing.T, o Options) {
			memory := NewMemory()
			in, out := floats(t, memory, "x", x), output(t, memory, "out", rows*columns)
			run(t, k, memory, Launch{Blocks: 3, Threads: 64, Arguments: [][]byte{at(in), at(out), s32(rows), s32(columns)}, Options: o})
			for r := range rows {
				var sum, high float64 = 0, math.Inf(-1)
				for _, v := range x[r*columns : (r+1)*columns] {
					high = math.Max(high, float64(v))
				}
				for _, v := range x[r*columns : (r+1)*columns] {
					sum += math.Exp(float64(v) - high)
				}
				for c := range columns {
					want := math.Exp(float64(x[r*columns+c])-high) / sum
					got := float64(floatAt(out, r*columns+c))
					// x - high rounds once: at most |x-high| 2^-24 < 2^-21 relative in exp; expf 2 ulp (CUDA's manual), the sum of
					// columns/32 + 5 additions and expf again, the division half an ulp: below 2^-20 in all.
					if math.Abs(got-want) > 0x1p-20*want {
						t.Fatalf("row %d column %d of %d (seed 8): %v, want %v", r, c, columns, got, want)
					}
				}
			}
		})
	}
}

func TestCollatz(t *testing.T) {
	k := kernel(t, load(t, "divergence.ptx"), "collatz")
	const n, limit = 1000, 60
	forSettings(t, func(t *testing.T, o Options) {
		memory := NewMemory()
		start, _ := memory.Allocate("start", 4*n, true)
		steps := output(t, memory, "steps", n)
		for i := range n {
			binary.LittleEndian.PutUint32(start.Data[4*i:], uint32(i+1))
		}
		counters := run(t, k, memory, Launch{Blocks: 4, Threads: 256, Arguments: [][]byte{at(start), at(steps), s32(n), u32(limit)}, Options: o})
		for i := range n {
			v, count := uint32(i+1), uint32(0)
			for v != 1 && count != limit {
				count++
				if v&1 == 1 {
					v = 3*v + 1
					continue
				}
				for {
					v >>= 1
					if v&1 == 1 {
						break
					}
					if count++; count >= limit {
						break
					}
				}
			}
			if wordAt(steps, i) != count {
				t.Fatalf("steps from %d: %d, want %d", i+1, wordAt(steps, i), count)
			}
		}
		if counters.DivergentBranches == 0 {
			t.Error("no divergent branches counted")
		}
	})
}

// BenchmarkPolynomial is mostly float32 fma and add: the speed of the interpreter itself.
func BenchmarkPolynomial(b *testing.B) {
	k := kernel(b, load(b, "polynomial.ptx"), "polynomial")
	memory := NewMemory()
	const blocks, threads = 64, 256
	x, y := floats(b, memory, "x", drawn(9, blocks*threads)), output(b, memory, "y", blocks*threads)
	benchmark(b, k, memory, Launch{Blocks: blocks, Threads: threads, Arguments: [][]byte{at(x), at(y), f32(0.5), f32(0.25), s32(64)}})
}

// BenchmarkSaxpy is mostly memory.
func BenchmarkSaxpy(b *testing.B) {
	k := kernel(b, load(b, "saxpy.ptx"), "saxpy")
	memory := NewMemory()
	const n = 1 << 18
	x, y := floats(b, memory, "x", drawn(9, n)), floats(b, memory, "y", drawn(10, n))
	benchmark(b, k, memory, Launch{Blocks: 64, Threads: 256, Arguments: [][]byte{at(x), at(y), f32(0.5), s32(n)}})
}

func BenchmarkSoftmax(b *testing.B) {
	k := kernel(b, load(b, "softmax.ptx"), "softmax")
	memory := NewMemory()
	const rows, columns = 1024, 100
	x, y := floats(b, memory, "x", drawn(9, rows*columns)), output(b, memory, "y", rows*columns)
	benchmark(b, k, memory, Launch{Blocks: rows / 4, Threads: 128, Arguments: [][]byte{at(x), at(y), s32(rows), s32(columns)}})
}

// benchmark reports millions of thread instructions a second of one worker, under each check.
func benchmark(b *testing.B, k *Kernel, memory *Memory, launch Launch) {
	for _, check := range []Check{CheckNone, CheckMemory, CheckFull} {
		b.Run(check.String(), func(b *testing.B) {
			launch.Options = Options{Check: check, Workers: 1}
			var instructions int64
			for b.Loop() {
				instructions += run(b, k, memory, launch).ThreadInstructions
			}
			b.ReportMetric(float64(instructions)/1e6/b.Elapsed().Seconds(), "Minstr/s")
		})
	}
}

// TestPlain: what nvcc makes of plain C is all emulated, and the functions of CUDA's library have the values of Go's.
func TestPlain(t *testing.T) {
	m := load(t, "plain.ptx")
	if len(m.kernels) != 12 {
		t.Errorf("%d kernels, want 12", len(m.kernels))
	}
	const n = 50
	xs, ys := make([]float32, n), make([]float32, n)
	for i := range n {
		xs[i], ys[i] = float32(i)*0.11+0.1, float32(n-i)*0.07
	}
	memory := NewMemory()
	a, b := floats(t, memory, "a", xs), floats(t, memory, "b", ys)
	run(t, kernel(t, m, "functions"), memory, Launch{Threads: 64, Arguments: [][]byte{at(a), at(b), s32(n)}, Options: Options{Check: CheckFull}})
	for i := range n {
		x, y := float64(xs[i]), float64(ys[i])
		want := math.Exp(x) + math.Log(y) + 1/math.Sqrt(x) + math.Tanh(y) + math.Pow(x, y) + math.Log1p(x) + math.Expm1(y) + math.Exp2(x) + math.Log2(y) +
			math.Erf(x) + math.Exp(x) + math.Log(y) + math.Cbrt(x) + math.Mod(x, y) + math.Sin(math.Pi*x) + math.Sin(y) + x/y + math.Hypot(x, y) + math.Ldexp(x, 3)
		// Each of the 19 terms is below 2,000 in magnitude and within 16 ulp (CUDA's manual), 2^-19 of it; so is what 18 additions round.
		if got := float64(floatAt(a, i)); !(math.Abs(got-want) < 0x1p-19*2000) {
			t.Errorf("x = %v, y = %v: %v, want %v", x, y, got, want)
		}
	}
}
