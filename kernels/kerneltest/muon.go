package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// muonShare is 1 - momentum.
const muonShare = float32(0.05)

func muonCases() []Case {
	var cases []Case
	add := func(name string, sizes []int, build func(t *tensors) gpu.Kernel) {
		cases = append(cases, Case{fmt.Sprintf("%s,tensors=%v", name, sizes), func(p *placer) gpu.Kernel { return build(drawTensors(p, sizes)) }})
	}
	for _, sizes := range tensorSizes() {
		for _, ahead := range []float32{0, muonShare} {
			add(fmt.Sprintf("muon_momentum/ahead=%g", ahead), sizes, func(t *tensors) gpu.Kernel { return muonMomentum(t, ahead) })
			add(fmt.Sprintf("muon_normalize/ahead=%g", ahead), sizes, func(t *tensors) gpu.Kernel { return muonNormalize(t, ahead, 0) })
		}
		for _, decay := range []float32{0, 0.1} {
			for _, scales := range [][]float32{{0.3, 0, 1}, {0}} {
				add(fmt.Sprintf("muon_update/decay=%g,scales=%g", decay, scales), sizes, func(t *tensors) gpu.Kernel { return muonUpdate(t, decay, scales) })
			}
		}
	}
	// More sums than a block has threads.
	add("muon_normalize/sums=700", []int{33, 5000}, func(t *tensors) gpu.Kernel { return muonNormalize(t, muonShare, 700) })
	for _, sides := range [][]int{{1}, {3}, {31}, {64}, {65}, {33, 1, 100, 16}} {
		var sizes []int
		for _, side := range sides {
			sizes = append(sizes, side*side)
		}
		add("muon_polynomial/matrices", sizes, func(t *tensors) gpu.Kernel { return muonPolynomial(t, sides) })
	}
	return cases
}

// lookAhead is U of an element, from the new momentum.
func (t *tensors) lookAhead(i int, m number, ahead float32) number {
	return m.plus(exactly(t.g[i]).minus(m).times(exactly(ahead)))
}

func muonMomentum(t *tensors, ahead float32) gpu.Kernel {
	want := t.wanted(1, func(_, i int) []number {
		m := exactly(t.m[i])
		return []number{m.plus(exactly(t.g[i]).minus(m).times(exactly(muonShare)))}
	})
	var partial []number
	for tensor, offset := range t.offsets {
		end := offset + t.sizes[tensor]
		for ; offset < end; offset += 4096 {
			sum, bound := 0.0, 0.0
			for i := offset; i < min(offset+4096, end); i++ {
				u := t.lookAhead(i, want[0][i], ahead)
				sum += u.value * u.value
				bound += 2*math.Abs(u.value)*u.bound + u.bound*u.bound
			}
			partial = append(partial, rounded(sum, bound+double(sum, sum).bound))
		}
	}
	return &kernels.MuonMomentum{
		G: input(t.placer, "G", t.g), M: update(t.placer, "M", t.m, want[0]), Chunks: t.Chunks,
		Partial: output(t.placer, "Partial", partial), OneMinusMomentum: muonShare, Ahead: ahead,
	}
}

// muonNormalize has some sums more of each tensor than it has chunks.
func muonNormalize(t *tensors, ahead float32, more int) gpu.Kernel {
	const epsilon = float32(0.25)
	_, first := kernels.ChunkTable(t.offsets, t.sizes)
	for tensor := range first {
		first[tensor] += uint32(tensor * more)
	}
	partial := uniform(t.random, int(first[len(first)-1]), 0, 1)
	norms := make([]number, len(t.sizes))
	for tensor := range norms {
		sum := 0.0
		for _, p := range partial[first[tensor]:first[tensor+1]] {
			sum += float64(p)
		}
		norms[tensor] = double(sum, sum).squareRoot().plus(exactly(epsilon))
	}
	want := t.wanted(1, func(tensor, i int) []number {
		return []number{t.lookAhead(i, exactly(t.m[i]), ahead).over(norms[tensor])}
	})
	return &kernels.MuonNormalize{
		G: input(t.placer, "G", t.g), M: input(t.placer, "M", t.m), Partial: input(t.placer, "Partial", partial),
		Chunks: t.Chunks, First: input(t.placer, "First", first), X: update(t.placer, "X", t.w, want[0]), Ahead: ahead, Epsilon: epsilon,
	}
}

func muonPolynomial(t *tensors, sides []int) gpu.Kernel {
	const a0, a1, a2 = float32(3.4445), float32(-4.775), float32(2.0315)
	var squares []uint32
	for tensor, side := range sides {
		squares = append(squares, uint32(t.offsets[tensor]), uint32(side))
	}
	want := t.wanted(1, func(tensor, i int) []number {
		p := blend(a1, exactly(t.g[i]), a2, exactly(t.w[i]))
		if row, column := (i-t.offsets[tensor])/sides[tensor], (i-t.offsets[tensor])%sides[tensor]; row == column {
			p = p.plus(exactly(a0))
		}
		return []number{p}
	})
	return &kernels.MuonPolynomial{
		Gram: input(t.placer, "Gram", t.g), Square: update(t.placer, "Square", t.w, want[0]),
		Chunks: t.Chunks, Squares: input(t.placer, "Squares", squares), A0: a0, A1: a1, A2: a2,
	}
}

// muonUpdate gives the scales to the tensors in turn.
func muonUpdate(t *tensors, decay float32, scales []float32) gpu.Kernel {
	const rate, adamWRate, alpha, beta = float32(0.02), float32(3e-4), float32(6e-4), float32(2.7)
	const oneMinusBeta1, oneMinusBeta2, epsilon = float32(0.1), float32(0.05), float32(1e-4)
	x := normal(t.random, len(t.w), 0, 0.1)
	of := make([]float32, len(t.sizes))
	for tensor := range of {
		of[tensor] = scales[tensor%len(scales)]
	}
	want := t.wanted(3, func(tensor, i int) []number {
		if scale := of[tensor]; scale != 0 {
			step := exactly(x[i]).times(exactly(scale).times(exactly(rate)))
			return []number{decayed(t.w[i], decay, rate).minus(step), unchanged, unchanged}
		}
		g, m, v := exactly(t.g[i]), exactly(t.m[i]), exactly(t.v[i])
		m = m.plus(g.minus(m).times(exactly(oneMinusBeta1)))
		v = v.plus(g.times(g).minus(v).times(exactly(oneMinusBeta2)))
		step := m.times(exactly(alpha)).over(exactly(beta).times(v.squareRoot()).plus(exactly(epsilon)))
		return []number{decayed(t.w[i], decay, adamWRate).minus(step), m, v}
	})
	k := &kernels.MuonUpdate{
		W: update(t.placer, "W", t.w, want[0]), G: input(t.placer, "G", t.g),
		M: update(t.placer, "M", t.m, want[1]), V: update(t.placer, "V", t.v, want[2]),
		Chunks: t.Chunks, Scales: input(t.placer, "Scales", of), Coefficients: t.table(rate, adamWRate, alpha, beta), State: t.State,
		OneMinusBeta1: oneMinusBeta1, OneMinusBeta2: oneMinusBeta2, Epsilon: epsilon, WeightDecay: decay,
	}
	if len(scales) > 1 {
		k.X = input(t.placer, "X", x)
	}
	return k
}
