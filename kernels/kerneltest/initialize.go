package kerneltest

import (
	"fmt"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
)

// initialCases are the kernels that give memory its first values.
func initialCases() []Case {
	var cases []Case
	for _, seed := range []uint64{0, 1<<63 + 12345} {
		cases = append(cases, Case{fmt.Sprintf("initialize/seed=%d", seed), func(p *placer) gpu.Kernel { return initialize(p, seed) }})
	}
	for _, n := range lengths {
		cases = append(cases, Case{fmt.Sprintf("fill/%d", n), func(p *placer) gpu.Kernel { return fill(p, n) }})
	}
	return cases
}

// initialize draws tensors of all lengths at once, each with a neighbour that is
// a constant. The gaps that align them must be left alone. A layer of the pilot's
// network has a limit like that here.
func initialize(p *placer, seed uint64) gpu.Kernel {
	var tensors []kernels.InitialTensor
	var values []float32
	var want []number
	add := func(n int, constant, limit float32) {
		t := kernels.InitialTensor{
			Offset: len(want), Elements: n, Constant: constant, Limit: limit,
			Stream: kernels.RandomStream(fmt.Sprintf("init/%d", len(tensors)+1)),
		}
		tensors = append(tensors, t)
		for i := range n {
			u := exactly(kernels.Uniform(kernels.Random(seed, t.Stream, 0, uint64(i/4))[i%4]))
			// 2 u - 1 is exact, so only its product with the limit is rounded, and
			// the sum.
			w := u.plus(u).minus(exactly(1)).times(exactly(limit)).plus(exactly(constant))
			values, want = append(values, 7), append(want, w)
		}
		for len(want)%16 != 0 {
			values, want = append(values, 7), append(want, unchanged)
		}
	}
	for i, n := range lengths {
		add(n, []float32{0, 0.5, -2}[i%3], 0.0484)
		add(n, []float32{1, 0, -3}[i%3], 0)
	}
	return &kernels.Initialize{
		Values: update(p, "Values", values, want), Segments: input(p, "Segments", kernels.InitialSegments(tensors)), Seed: seed,
	}
}

func fill(p *placer, n int) gpu.Kernel {
	const value = 1<<31 + 5
	return &kernels.Fill{X: outputExact(p, "X", slices.Repeat([]uint32{value}, n)), Elements: int32(n), Value: value}
}
