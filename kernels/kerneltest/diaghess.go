package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// The constants of the pilot's rule, and its damping.
const (
	diagHessC1, diagHessC2 = float32(1.373291015625e-4), float32(4.39453125e-3)
	damping                = float32(1e-3)
)

// curvatures are the kinds of h that the rule meets.
var curvatures = []string{"none", "positive", "signed", "nonfinite"}

func diagHessCases() []Case {
	var cases []Case
	for _, sizes := range tensorSizes() {
		for _, kind := range curvatures {
			name := fmt.Sprintf("curvature=%s,tensors=%v", kind, sizes)
			draw := func(p *placer) *curved { return drawCurved(p, sizes, kind) }
			cases = append(cases, Case{"diaghess_update/" + name, func(p *placer) gpu.Kernel { return diagHessUpdate(draw(p)) }})
			if kind != "none" {
				cases = append(cases,
					Case{"diaghess_minimum/" + name, func(p *placer) gpu.Kernel { return diagHessMinimum(draw(p)) }},
					Case{"diaghess_lambda/" + name, func(p *placer) gpu.Kernel { return diagHessLambda(draw(p)) }})
			}
		}
	}
	return cases
}

// curved is tensors with a diagonal of the curvature.
type curved struct {
	*tensors
	kind string
	h    []float32 // nil: none
}

func drawCurved(p *placer, sizes []int, kind string) *curved {
	c := &curved{tensors: drawTensors(p, sizes), kind: kind}
	c.h = normal(p.random, len(c.w), 0, 10)
	switch kind {
	case "none":
		c.h = nil
	case "positive":
		for i, h := range c.h {
			c.h[i] = float32(math.Abs(float64(h)))
		}
	case "nonfinite":
		infinity := float32(math.Inf(1))
		strange := []float32{infinity, -infinity, infinity - infinity}
		for i := range c.h {
			if i%5 == 0 {
				c.h[i] = strange[i/5%3]
			}
			if i%11 == 6 {
				c.g[i] = []float32{1e25, infinity, infinity - infinity}[i/11%3] // 1e25^2 is too large
			}
		}
	}
	return c
}

// n is the curvature of element i, 0 where it is not finite.
func (c *curved) n(i int) number {
	g := exactly(c.g[i])
	n := exactly(diagHessC2).times(g.times(g))
	if c.h != nil {
		n = n.plus(exactly(diagHessC1).times(exactly(c.h[i])))
	}
	if math.IsNaN(n.value) || math.IsInf(n.value, 0) {
		return number{}
	}
	return n
}

// least is the smallest n of elements lo to hi-1.
func (c *curved) least(lo, hi int) number {
	least := number{value: math.Inf(1)}
	bound := 0.0
	for i := lo; i < hi; i++ {
		n := c.n(i)
		bound = max(bound, n.bound)
		if n.value < least.value {
			least = n
		}
	}
	return number{least.value, bound}
}

func diagHessMinimum(c *curved) gpu.Kernel {
	var minimum []number
	for tensor, offset := range c.offsets {
		end := offset + c.sizes[tensor]
		for ; offset < end; offset += 4096 {
			minimum = append(minimum, c.least(offset, min(offset+4096, end)))
		}
	}
	return &kernels.DiagHessMinimum{
		G: input(c.placer, "G", c.g), H: input(c.placer, "H", c.h), Chunks: c.Chunks,
		Minimum: output(c.placer, "Minimum", minimum), C1: diagHessC1, C2: diagHessC2,
	}
}

func diagHessLambda(c *curved) gpu.Kernel {
	_, first := kernels.ChunkTable(c.offsets, c.sizes)
	minimum := normal(c.random, int(first[len(first)-1]), 0.001, 0.001)
	lambda := make([]number, len(c.sizes))
	for tensor := range lambda {
		least := float32(math.Inf(1))
		for _, n := range minimum[first[tensor]:first[tensor+1]] {
			least = min(least, n)
		}
		lambda[tensor] = exactly(max(0, -least)).plus(exactly(damping))
	}
	return &kernels.DiagHessLambda{
		Minimum: input(c.placer, "Minimum", minimum), First: input(c.placer, "First", first),
		Lambda: output(c.placer, "Lambda", lambda), Lambda0: damping,
	}
}

func diagHessUpdate(c *curved) gpu.Kernel {
	const alpha, beta, epsilon = float32(1e-5), float32(18.3), float32(1e-7)
	const beta1, oneMinusBeta1, beta2, oneMinusBeta2 = float32(0.9), float32(0.1), float32(0.999), float32(1e-3)
	lambda := make([]float32, len(c.sizes))
	for tensor, offset := range c.offsets {
		lambda[tensor] = float32(max(0, -c.least(offset, offset+c.sizes[tensor]).value)) + damping
	}
	needed := c.kind == "signed" || c.kind == "nonfinite"
	want := c.wanted(3, func(tensor, i int) []number {
		lam := damping
		if needed {
			lam = lambda[tensor]
		}
		n := c.n(i)
		d := exactly(c.g[i]).times(exactly(diagHessC1)).over(n.plus(exactly(lam)))
		m := blend(beta1, exactly(c.m[i]), oneMinusBeta1, d)
		v := blend(beta2, exactly(c.v[i]), oneMinusBeta2, n.times(n))
		step := exactly(alpha).times(m).over(exactly(beta).times(v.squareRoot()).plus(exactly(epsilon)))
		return []number{exactly(c.w[i]).minus(step), m, v}
	})
	k := &kernels.DiagHessUpdate{
		W: update(c.placer, "W", c.w, want[0]), G: input(c.placer, "G", c.g),
		M: update(c.placer, "M", c.m, want[1]), V: update(c.placer, "V", c.v, want[2]),
		Chunks: c.Chunks, Coefficients: c.table(alpha, beta), State: c.State,
		C1: diagHessC1, C2: diagHessC2, Lambda0: damping,
		Beta1: beta1, OneMinusBeta1: oneMinusBeta1, Beta2: beta2, OneMinusBeta2: oneMinusBeta2, Epsilon: epsilon,
	}
	if c.h != nil {
		k.H = input(c.placer, "H", c.h)
	}
	if needed {
		k.Lambda = input(c.placer, "Lambda", lambda)
	}
	return k
}
