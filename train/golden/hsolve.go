package golden

import (
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim"
)

// hSolveTrajectories compare the pilot's rule with the pilot's program on one layer:
// curvature T of the pre-activations and inputs X, whose last row is of ones for the
// bias, make the diagonal h = T (X^2)^T / B, and the minimum is over weights and
// biases together, which are one tensor here. The program's results are read off
// the slots after one step from zero: m = (1 - beta1) L and v = (1 - beta2) newH^2.
//
// n = c2 g^2 + c1 h takes 5 roundings in float32, of terms of the size s = c2 g^2 +
// c1 |h|, where h comes in float64, and the minimum hands those of its element on
// to lam: L = g c1 / (n + lam), and the step from it to m and back, have 6 more. The
// program itself sums h over B rows in float32, which are B roundings of the sum of
// magnitudes.
func hSolveTrajectories(c *Case) (all []*Trajectory) {
	for _, set := range c.Names("T/") {
		all = append(all, hSolve(c, set))
	}
	return all
}

func hSolve(c *Case, set string) *Trajectory {
	curvature, x := must(Read[float32](c, "T/"+set)), must(Read[float32](c, "nX/"+set))
	gradient := must(Read[float32](c, "dP/"+set)).Values
	rows := x.Shape[1]
	h, magnitude := make([]float64, 0, len(gradient)), make([]float64, 0, len(gradient))
	for o := range curvature.Shape[0] {
		for i := range x.Shape[0] {
			var sum, sumOfMagnitudes float64
			for b, v := range x.At(i) {
				term := float64(curvature.At(o)[b]) * float64(v) * float64(v) / float64(rows)
				sum += term
				sumOfMagnitudes += math.Abs(term)
			}
			h, magnitude = append(h, sum), append(magnitude, sumOfMagnitudes)
		}
	}
	elements := len(h)
	padded := (elements + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	f := &given{names: []string{"layer"}, offsets: []int{0}, lengths: []int{elements}, size: padded}
	f.p, f.g = make([]float32, padded), [][]float32{make([]float32, padded)}
	f.h = f.zeroCurvature()
	copy(f.g[0], gradient)
	for i, v := range h {
		f.h[0][i] = float32(v)
	}

	rule := optim.NewDiagHess()
	c1, c2 := rule.Constants()
	newH, lam := must(Read[float32](c, "newH/"+set)).Values, must(Read[float64](c, "lam64/"+set)).Values[0]
	size := func(i int) float64 { return c2*float64(gradient[i])*float64(gradient[i]) + c1*math.Abs(h[i]) }
	least := 0
	for i, n := range newH {
		if n < newH[least] {
			least = i
		}
	}
	// share is the error of L with that many roundings of the size of n.
	share := func(i int, roundings func(i int) float64) float64 {
		return (roundings(i)+roundings(least))/(float64(newH[i])+lam) + 6*epsilon
	}
	ours := func(i int) float64 { return 5 * epsilon * size(i) }
	both := func(i int) float64 { return 2*ours(i) + float64(rows)*epsilon*c1*magnitude[i] }

	compute := func(s gpu.Stream) results {
		r := f.train(s, rule, "", f.h, false)
		read := results{}
		for i, m := range r["step1/m/layer"] {
			v := r["step1/v/layer"][i]
			read["L"] = append(read["L"], float32(float64(m)/(1-rule.Beta1)))
			root := math.Sqrt(float64(v) / (1 - rule.Beta2))
			read["newH"] = append(read["newH"], float32(math.Copysign(root, float64(newH[i])))) // L tells the sign
		}
		return read
	}
	return &Trajectory{Name: c.Name + "/" + set, of: c, compute: compute, compare: func(k *comparison) {
		size := func(i int) float64 { return math.Abs(float64(k.r["L"][i])) }
		k.float64s("float64", "L", "L64/"+set, func(i int) float64 { return share(i, ours) * size(i) })
		k.float32s("program", "L", "L/"+set, func(i int) float64 { return (share(i, both) + 6*epsilon) * size(i) })
		k.float32s("n", "newH", "newH/"+set, func(i int) float64 { return both(i) + 4*epsilon*math.Abs(float64(newH[i])) })
	}}
}
