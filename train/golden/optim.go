package golden

import (
	"fmt"
	"math"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim"
)

// given are the tensors of a case that feeds gradients: the initial values and,
// for each step, gradient and curvature.
type given struct {
	names   []string
	offsets []int
	lengths []int
	size    int         // of the buffer that holds all of them
	p       []float32   // [size]
	g       [][]float32 // [steps][size]
	h       [][]float32 // [steps][size], nil for none
}

// readGiven reads the arrays p0/X, g/X and h/X of all tensors X.
func readGiven(c *Case, steps int) *given {
	f := &given{names: c.Names("p0/")}
	for _, name := range f.names {
		n := len(must(Read[float32](c, "p0/"+name)).Values)
		f.offsets = append(f.offsets, f.size)
		f.lengths = append(f.lengths, n)
		f.size += (n + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	}
	f.p = make([]float32, f.size)
	for range steps {
		f.g = append(f.g, make([]float32, f.size))
	}
	if len(c.Names("h/")) > 0 {
		f.h = f.zeroCurvature()
	}
	for i, name := range f.names {
		copy(f.p[f.offsets[i]:], must(Read[float32](c, "p0/"+name)).Values)
		g := must(Read[float32](c, "g/"+name))
		for step := range steps {
			copy(f.g[step][f.offsets[i]:], g.At(step))
		}
		if f.h != nil {
			h := must(Read[float32](c, "h/"+name))
			for step := range steps {
				copy(f.h[step][f.offsets[i]:], h.At(step))
			}
		}
	}
	return f
}

func (f *given) zeroCurvature() [][]float32 {
	h := make([][]float32, len(f.g))
	for step := range h {
		h[step] = make([]float32, f.size)
	}
	return h
}

// nonNegative reports whether no entry of h is below zero.
func (f *given) nonNegative() bool {
	for _, h := range f.h {
		if slices.ContainsFunc(h, func(v float32) bool { return v < 0 }) {
			return false
		}
	}
	return true
}

// train runs a rule over all steps, with curvature h (nil for none), and
// returns values and slots after every one: stepN/p/X and stepN/SLOT/X, with
// prefix before.
func (f *given) train(s gpu.Stream, rule optim.Rule, prefix string, h [][]float32, nonNegative bool) results {
	alloc := func() gpu.Slice[float32] { return must(gpu.Alloc[float32](s, f.size)) }
	tensors := optim.Tensors{Values: alloc(), Gradients: alloc(), Offsets: f.offsets, Lengths: f.lengths}
	upload(s, tensors.Values, f.p)
	var curvature gpu.Slice[float32]
	if h != nil {
		curvature = alloc()
	}
	o := must(optim.New(s, rule, tensors, optim.Length{Steps: len(f.g), StepsPerEpoch: len(f.g)}, curvature, nonNegative))
	program := compile(s, func(r *gpu.Recorder) {
		demand(o.Record(r))
		r.Record(&kernels.Advance{State: o.State, Rows: 1})
	})
	all := results{}
	keep := func(step int, what string, values []float32) {
		for i, name := range f.names {
			all[fmt.Sprintf("%sstep%d/%s/%s", prefix, step, what, name)] = values[f.offsets[i]:][:f.lengths[i]]
		}
	}
	keep(0, "p", f.p)
	for step := range f.g {
		upload(s, tensors.Gradients, f.g[step])
		if h != nil {
			upload(s, curvature, h[step])
		}
		runProgram(s, program)
		keep(step+1, "p", download(s, tensors.Values))
		for _, slot := range rule.Slots() {
			keep(step+1, slot, download(s, o.Slot(slot)))
		}
	}
	return all
}

type optimConfig struct {
	Steps      int   `json:"steps"`
	SavedAfter []int `json:"saved_after"`
}

// optimTrajectories compare the pilot's rule with the pilot's program on given gradients
// and curvatures.
//
// The kernel does the pilot's float32 operations in the pilot's order up to m and
// v, which have its bits. The step lr (m/bias1) / (sqrt(v/bias2) + eps) may be
// arranged in other ways: see biasFraction and quotientRoundings. p may then be
// rounded another way, once in the first step and once or twice in the last place
// over the few steps of a case.
func optimTrajectories(c *Case) []*Trajectory {
	config := configOf[struct {
		optimConfig
		Hyper hyper `json:"hyper"`
	}](c)
	f := readGiven(c, config.Steps)
	rule := config.Hyper.rule("custom")
	beta1, beta2 := config.Hyper.number("beta1"), config.Hyper.number("beta2")
	compute := func(s gpu.Stream) results {
		r := f.train(s, rule, "", f.h, false)
		if f.nonNegative() {
			sameBits("h as such and known to be non-negative", r, f.train(s, rule, "", f.h, true))
		}
		if f.h == nil {
			sameBits("no h and h = 0", r, f.train(s, rule, "", f.zeroCurvature(), false))
		}
		return r
	}
	return []*Trajectory{{Name: c.Name, of: c, compute: compute, compare: func(k *comparison) {
		for _, step := range config.SavedAfter {
			for _, name := range f.names {
				for _, slot := range []string{"m", "v"} {
					array := fmt.Sprintf("step%d/%s/%s", step, slot, name)
					k.bits(slot, array, array)
				}
				array := fmt.Sprintf("step%d/p/%s", step, name)
				k.float32s("p", array, array, func(i int) float64 {
					tolerance := float64(min(step, 2)) * ulp(k.r[array][i])
					for s := 1; s <= step; s++ {
						fraction := epsilon * (quotientRoundings + biasFraction(beta1, beta2, s))
						tolerance += fraction * k.r.update("", s, name, i)
					}
					return tolerance
				})
			}
		}
	}}}
}

// quotientRoundings are those of a step lr (m/bias1) / (sqrt(v/bias2) + eps) from
// m and v: the first quotient, product, root, sum and last quotient, and half of
// the quotient under the root, in each of two programs.
const quotientRoundings = 11

// biasFraction is the fraction of a step that the bias corrections may differ by,
// in units of 2^-24, half a unit in the last place of 1. Two libraries may round
// a power differently, by a unit in the last place of beta^t, which is 2^-24 at
// the most since the power is below 1. 1 - beta^t moves by as much and the step by
//
//	1/bias1 + 1/(2 bias2),  bias = 1 - beta^t
//
// The first powers are exact.
func biasFraction(beta1, beta2 float64, step int) float64 {
	if step == 1 {
		return 0
	}
	return 1/(1-math.Pow(beta1, float64(step))) + 1/(2*(1-math.Pow(beta2, float64(step))))
}

// update is how far a step moved element i of a tensor.
func (r results) update(prefix string, step int, name string, i int) float64 {
	before := r[fmt.Sprintf("%sstep%d/p/%s", prefix, step-1, name)][i]
	after := r[fmt.Sprintf("%sstep%d/p/%s", prefix, step, name)][i]
	return math.Abs(float64(after) - float64(before))
}
