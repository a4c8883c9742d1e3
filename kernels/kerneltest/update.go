package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// tensorSizes are lists of tensors that an update walks in one launch.
func tensorSizes() [][]int {
	sizes := [][]int{{4096, 1, 9000, 33, 4097}}
	for _, n := range lengths {
		sizes = append(sizes, []int{n})
	}
	return sizes
}

func updateCases() []Case {
	var cases []Case
	for _, sizes := range tensorSizes() {
		add := func(name string, build func(t *tensors) gpu.Kernel) {
			cases = append(cases, Case{fmt.Sprintf("%s,tensors=%v", name, sizes), func(p *placer) gpu.Kernel { return build(drawTensors(p, sizes)) }})
		}
		for _, decay := range []float32{0, 5e-4} {
			add(fmt.Sprintf("adam_update/decay=%g", decay), func(t *tensors) gpu.Kernel { return adam(t, decay) })
			for _, flag := range []uint32{0, 1} {
				add(fmt.Sprintf("sgd_update/decay=%g,nesterov=%d", decay, flag), func(t *tensors) gpu.Kernel { return sgd(t, decay, flag) })
			}
		}
	}
	return cases
}

// tensors is what the update kernels share: buffers of one layout, each tensor
// at a multiple of 16 elements, with a table of chunks. The gaps between the
// tensors must be left alone.
type tensors struct {
	*placer
	offsets, sizes []int
	w, g, m, v     []float32
	// G, Chunks and State are placed; State says that two steps have been done.
	G             gpu.Slice[float32]
	Chunks, State gpu.Slice[uint32]
}

func drawTensors(p *placer, sizes []int) *tensors {
	t := &tensors{placer: p, sizes: sizes}
	total := 0
	for _, n := range sizes {
		t.offsets = append(t.offsets, total)
		total = (total + n + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	}
	t.w, t.g, t.m = normal(p.random, total, 0, 1), normal(p.random, total, 0, 0.1), normal(p.random, total, 0, 0.1)
	t.v = uniform(p.random, total, 1e-4, 0.02)
	for i := range t.g {
		if i%7 == 3 { // a weight that gets no gradient, and has got none
			t.g[i], t.m[i], t.v[i] = 0, 0, 0
		}
	}
	chunks, _ := kernels.ChunkTable(t.offsets, sizes)
	t.Chunks, t.State = input(p, "Chunks", chunks), input(p, "State", []uint32{2, 99, 98, 0})
	return t
}

// table is a table of coefficients in which the third step, the one to be done,
// has the given ones.
func (t *tensors) table(row ...float32) gpu.Slice[float32] {
	wrong := float32(math.NaN())
	table := make([]float32, 5*kernels.CoefficientWords)
	for i := range table {
		table[i] = wrong
	}
	copy(table[2*kernels.CoefficientWords:], append(row, 0, 0, 0)[:kernels.CoefficientWords])
	return input(t.placer, "Coefficients", table)
}

// wanted fills the results of a rule, each of a tensor's element, over the
// layout.
func (t *tensors) wanted(results int, rule func(tensor, i int) []number) [][]number {
	all := make([][]number, results)
	for r := range all {
		all[r] = make([]number, len(t.w))
		for i := range all[r] {
			all[r][i] = unchanged
		}
	}
	for tensor, offset := range t.offsets {
		for i := offset; i < offset+t.sizes[tensor]; i++ {
			for r, v := range rule(tensor, i) {
				all[r][i] = v
			}
		}
	}
	return all
}

// blend is a old + b new.
func blend(a float32, old number, b float32, new number) number {
	return exactly(a).times(old).plus(exactly(b).times(new))
}

// decayed is w less decay times rate of it.
func decayed(w, decay, rate float32) number {
	return exactly(w).minus(exactly(w).times(exactly(decay)).times(exactly(rate)))
}

func adam(t *tensors, decay float32) gpu.Kernel {
	const rate, alpha, oneMinusBeta1, oneMinusBeta2, epsilon = float32(1e-3), float32(2e-3), float32(0.1), float32(1e-3), float32(1e-7)
	want := t.wanted(3, func(_, i int) []number {
		w, g, m, v := decayed(t.w[i], decay, rate), exactly(t.g[i]), exactly(t.m[i]), exactly(t.v[i])
		m = m.plus(g.minus(m).times(exactly(oneMinusBeta1)))
		v = v.plus(g.times(g).minus(v).times(exactly(oneMinusBeta2)))
		w = w.minus(m.times(exactly(alpha)).over(v.squareRoot().plus(exactly(epsilon))))
		return []number{w, m, v}
	})
	return &kernels.AdamUpdate{
		W: update(t.placer, "W", t.w, want[0]), G: input(t.placer, "G", t.g),
		M: update(t.placer, "M", t.m, want[1]), V: update(t.placer, "V", t.v, want[2]),
		Chunks: t.Chunks, Coefficients: t.table(rate, alpha), State: t.State,
		OneMinusBeta1: oneMinusBeta1, OneMinusBeta2: oneMinusBeta2, Epsilon: epsilon, WeightDecay: decay,
	}
}

func sgd(t *tensors, decay float32, nesterov uint32) gpu.Kernel {
	const rate, momentum = float32(0.01), float32(0.9)
	want := t.wanted(2, func(_, i int) []number {
		step := exactly(rate).times(exactly(t.g[i]))
		v := exactly(momentum).times(exactly(t.m[i])).minus(step)
		move := v
		if nesterov == 1 {
			move = exactly(momentum).times(v).minus(step)
		}
		return []number{decayed(t.w[i], decay, rate).plus(move), v}
	})
	return &kernels.SGDUpdate{
		W: update(t.placer, "W", t.w, want[0]), G: input(t.placer, "G", t.g), V: update(t.placer, "V", t.m, want[1]),
		Chunks: t.Chunks, Coefficients: t.table(rate), State: t.State, Momentum: momentum, WeightDecay: decay, Nesterov: nesterov,
	}
}
