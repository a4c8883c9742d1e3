package blocks_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/rulefile/blocks"
)

const chunk = 4096 // elements

// adamW is the update of kernels.AdamUpdate in two forms: that kernel, and its 15 operations one
// after the other over blocks.
type adamW struct {
	kernel    *kernels.AdamUpdate
	registers [3][]float32
}

func hostSlice[T gpu.Element](values []T) gpu.Slice[T] {
	const size = 4 // of all types here
	s := gpu.View[T](&gpu.Buffer{Host: make([]byte, size*len(values)), Size: size * len(values)}).Sub(0, len(values))
	copy(s.Host(), values)
	return s
}

func newAdamW(parameters int) *adamW {
	random := rand.New(rand.NewPCG(1, 2))
	numbers := func(low, high float32) gpu.Slice[float32] {
		x := make([]float32, parameters)
		for i := range x {
			x[i] = low + (high-low)*random.Float32()
		}
		return hostSlice(x)
	}
	chunks, _ := kernels.ChunkTable([]int{0}, []int{parameters})
	var registers [3][]float32
	for i := range registers {
		registers[i] = make([]float32, blocks.Size)
	}
	return &adamW{registers: registers, kernel: &kernels.AdamUpdate{
		W: numbers(-1, 1), G: numbers(-1, 1), M: numbers(-1, 1), V: numbers(0, 1), Chunks: hostSlice(chunks),
		Coefficients: hostSlice([]float32{1e-3, 1.1e-3, 0, 0}), State: hostSlice(make([]uint32, kernels.StateWords)),
		OneMinusBeta1: .1, OneMinusBeta2: .001, Epsilon: 1e-7, WeightDecay: .004,
	}}
}

// byKernel and byBlocks update chunks lo to hi-1.
func (a *adamW) byKernel(lo, hi int) { a.kernel.Host(lo, hi) }

func (a *adamW) byBlocks(lo, hi int) {
	k := a.kernel
	number := func(v float32) blocks.Operand { return blocks.Operand{Number: v} }
	rate, alpha := number(k.Coefficients.Host()[0]), number(k.Coefficients.Host()[1])
	decay, oneMinusBeta1, oneMinusBeta2, epsilon := number(k.WeightDecay), number(k.OneMinusBeta1), number(k.OneMinusBeta2), number(k.Epsilon)
	ww, gg, mm, vv := k.W.Host(), k.G.Host(), k.M.Host(), k.V.Host()
	for at, last := chunk*lo, min(chunk*hi, len(ww)); at < last; at += blocks.Size {
		end := min(at+blocks.Size, last)
		w, g, m, v := ww[at:end], gg[at:end], mm[at:end], vv[at:end]
		r, s, u := a.registers[0][:end-at], a.registers[1][:end-at], a.registers[2][:end-at]
		of := func(x []float32) blocks.Operand { return blocks.Operand{Block: x} }
		blocks.Multiply(r, of(w), decay)
		blocks.Multiply(r, of(r), rate)
		blocks.Subtract(r, of(w), of(r)) // w, decayed
		blocks.Subtract(s, of(g), of(m))
		blocks.Multiply(s, of(s), oneMinusBeta1)
		blocks.Add(m, of(m), of(s))
		blocks.Multiply(s, of(g), of(g))
		blocks.Subtract(s, of(s), of(v))
		blocks.Multiply(s, of(s), oneMinusBeta2)
		blocks.Add(v, of(v), of(s))
		blocks.Multiply(s, of(m), alpha)
		blocks.Sqrt(u, of(v))
		blocks.Add(u, of(u), epsilon)
		blocks.Divide(s, of(s), of(u))
		blocks.Subtract(w, of(r), of(s))
	}
}

// The hand-written kernel and the blocks are bit-identical over several steps.
func TestAdamW(t *testing.T) {
	for _, parameters := range []int{1, 37, 1024, 5917} {
		a, b := newAdamW(parameters), newAdamW(parameters)
		for range 5 {
			n := a.kernel.Grid().Blocks
			a.byKernel(0, n)
			b.byBlocks(0, n)
		}
		for name, x := range map[string][2]gpu.Slice[float32]{"w": {a.kernel.W, b.kernel.W}, "m": {a.kernel.M, b.kernel.M}, "v": {a.kernel.V, b.kernel.V}} {
			for i, want := range x[0].Host() {
				if got := x[1].Host()[i]; math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%d parameters: %s[%d] is %g by blocks, %g by the kernel", parameters, name, i, got, want)
				}
			}
		}
	}
}

// BenchmarkAdamW has the pilot's network. It reports the median time by blocks as a multiple of
// that of the kernel, over rounds in turns. A round is a 49th of the network, so that few are
// interrupted, and both have memory of their own.
func BenchmarkAdamW(b *testing.B) {
	const chunks, parts = 392, 49
	kernel, byBlocks := newAdamW(chunks*chunk), newAdamW(chunks*chunk)
	var times [2][]float64
	part := 0
	for b.Loop() {
		lo, hi := part*chunks/parts, (part+1)*chunks/parts
		part = (part + 1) % parts
		start := time.Now()
		kernel.byKernel(lo, hi)
		middle := time.Now()
		byBlocks.byBlocks(lo, hi)
		times[0] = append(times[0], middle.Sub(start).Seconds())
		times[1] = append(times[1], time.Since(middle).Seconds())
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	ofKernel, ofBlocks := median(times[0]), median(times[1])
	b.ReportMetric(1e3*parts*ofKernel, "ms/kernel")
	b.ReportMetric(1e3*parts*ofBlocks, "ms/blocks")
	b.ReportMetric(ofBlocks/ofKernel, "blocks/kernel")
}
