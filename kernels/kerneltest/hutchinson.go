package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func hutchinsonCases() []Case {
	var cases []Case
	add := func(name string, build func(p *placer) gpu.Kernel) { cases = append(cases, Case{name, build}) }
	for _, n := range lengths {
		for _, first := range []uint32{0, 1} {
			for _, absolute := range []uint32{0, 1} {
				add(fmt.Sprintf("hutchinson_sample/first=%d,absolute=%d,elements=%d", first, absolute, n),
					func(p *placer) gpu.Kernel { return hutchinsonSample(p, n, first, absolute) })
			}
		}
	}
	for _, sizes := range tensorSizes() {
		for _, draw := range []uint32{0, 3} {
			add(fmt.Sprintf("rademacher/draw=%d,tensors=%v", draw, sizes), func(p *placer) gpu.Kernel { return rademacher(drawTensors(p, sizes), draw) })
		}
	}
	for _, size := range [][3]int{{1, 1, 1}, {1, 9, 1}, {1, 9, 33}, {31, 9, 3}, {257, 25, 1}, {1, 9, 1000}, {16, 9, 64}, {3, 1, 5}} {
		add(fmt.Sprintf("tap_mean/%dx%dx%d", size[0], size[1], size[2]), func(p *placer) gpu.Kernel { return tapMean(p, size) })
	}
	return cases
}

// rademacher wants the documented bit of the documented word.
func rademacher(t *tensors, draw uint32) gpu.Kernel {
	const seed, step = 1<<63 + 12345, 2 // the step is that of the tensors' state
	stream := kernels.RandomStream("rademacher")
	want := append([]float32(nil), t.w...)
	for tensor, offset := range t.offsets {
		for i := offset; i < offset+t.sizes[tensor]; i++ {
			want[i] = 1
			if kernels.Random(seed, stream, step, uint64(draw)<<32+uint64(i)/128)[i%128/32]&(1<<(i%32)) != 0 {
				want[i] = -1
			}
		}
	}
	return &kernels.Rademacher{
		Z: updateExact(t.placer, "Z", t.w, want), Chunks: t.Chunks, State: t.State, Seed: seed, Stream: stream, Draw: draw,
	}
}

func hutchinsonSample(p *placer, n int, first, absolute uint32) gpu.Kernel {
	const factor = float32(1.0 / 3)
	product, sums, z, want := normal(p.random, n, 0, 1), normal(p.random, n, 0, 1), make([]float32, n), make([]number, n)
	for i := range z {
		z[i] = float32(2*p.random.IntN(2) - 1)
		want[i] = exactly(factor).times(exactly(z[i])).times(exactly(product[i]))
		if first == 0 {
			want[i] = want[i].plus(exactly(sums[i]))
		} else {
			sums[i] = float32(math.NaN()) // must not be read
		}
		if absolute == 1 {
			want[i].value = math.Abs(want[i].value)
		}
	}
	return &kernels.HutchinsonSample{
		Z: input(p, "Z", z), Product: input(p, "Product", product), Sum: update(p, "Sum", sums, want),
		Elements: int32(n), First: first, Absolute: absolute, Factor: factor,
	}
}

func tapMean(p *placer, size [3]int) gpu.Kernel {
	outer, taps, inner := size[0], size[1], size[2]
	x, want := normal(p.random, outer*taps*inner, 0, 1), make([]number, outer*taps*inner)
	for o := range outer {
		for i := range inner {
			var terms []number
			for t := range taps {
				terms = append(terms, exactly(x[(o*taps+t)*inner+i]))
			}
			for t := range taps {
				want[(o*taps+t)*inner+i] = total(terms).over(exactly(float32(taps)))
			}
		}
	}
	return &kernels.TapMean{X: update(p, "X", x, want), Outer: int32(outer), Taps: int32(taps), Inner: int32(inner)}
}
