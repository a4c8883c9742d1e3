package golden

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/optim"
)

// slopeError is what the derivative by one parameter may differ by, as a share
// of the largest of its tensor, because the cases' float64 programs have the
// slope .01 of LeakyReLU in float64 and this project in float32, 2.2e-8 away:
// so much for each LeakyReLU on the way, and twice for a second derivative.
func slopeError(chain []layers.Layer) float64 {
	const slope = 0.01
	share := 0.0
	for _, l := range chain {
		if e, ok := l.(layers.Epilogue); ok && e.Slope != 1 {
			share += 2 * math.Abs(float64(float32(slope))-slope) / slope
		}
	}
	return share
}

// compareFloat64 holds float64 results against a case's array, to a share of the
// array's largest element.
func compareFloat64(t *testing.T, c *Case, what string, got []float64, array string, share float64) {
	t.Helper()
	want := must(Read[float64](c, array))(t).Values
	if len(got) != len(want) {
		t.Fatalf("%s: %s has %d elements, want %d", c.Name, what, len(got), len(want))
	}
	largest := largestOf(want)
	worst := 0
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= math.Abs(got[worst]-want[worst])) {
			worst = i
		}
	}
	if off := math.Abs(got[worst] - want[worst]); !(off <= share*largest) {
		t.Errorf("%s: %s against %s: element %d of %d: got %.12g, want %.12g, off by %.2g of the largest, tolerance %.2g",
			c.Name, what, array, worst, len(want), got[worst], want[worst], off/largest, share)
	}
}

// TestGoldenCNNCurvature holds the float64 network against exact diagonals of
// Hessian and Gauss-Newton matrix that another float64 program found, through
// normalization with the batch's own statistics.
func TestGoldenCNNCurvature(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachCase(t, "cnn_curv", func(t *testing.T, c *Case) {
		var config struct {
			OfCase string `json:"of_case"`
			Batch  int    `json:"batch_index"`
		}
		if err := c.Config(&config); err != nil {
			t.Fatal(err)
		}
		cases := must(openSet(t).Cases("cnn"))(t)
		of := slices.IndexFunc(cases, func(c *Case) bool { return c.Name == config.OfCase })
		if of < 0 {
			t.Fatalf("%s: there is no case %s", c.Name, config.OfCase)
		}
		cnn, in := readCNNConfig(t, cases[of]), readCNNInput(t, cases[of])
		model := layers.CNN{Filters: cnn.Filters, Dense: cnn.Dense}
		chain := model.Layers(cnn.Classes)
		n := must(exact.New(layers.Shape{Height: cnn.Image[0], Width: cnn.Image[1], Channels: cnn.Image[2]}, chain))(t)
		for _, p := range n.Parameters {
			copy(p.Value, exact.Widen(in.parameters[p.Name]))
		}
		pass := n.Forward(exact.Batch{X: exact.Widen(in.x[config.Batch]), Labels: in.labels[config.Batch], Training: true})
		hessian := must(pass.HessianDiagonal(t.Context()))(t)
		gaussNewton := must(pass.GaussNewtonDiagonal(t.Context()))(t)
		for _, p := range n.Parameters {
			compareFloat64(t, c, "diagonal of the Hessian", p.Of(hessian), "hess/"+p.Name, slopeError(chain))
			compareFloat64(t, c, "diagonal of the Gauss-Newton matrix", p.Of(gaussNewton), "ggn/"+p.Name, slopeError(chain))
		}
	})
}

// TestGoldenMLPCurvature holds the float64 network against the exact Hessian of
// the first batch, of which the Gauss-Newton matrix has the same diagonal, and
// the pilot's rule with it against a float64 trajectory.
//
// The rule is steepest where gradient and curvature vanish: a step moves by 1.4
// times as much as the gradient there. A change of n by a share moves the step by
// that share once or twice, and a step is at most 1.4 gradients; so four times
// the error of the gradient a step is enough for both.
func TestGoldenMLPCurvature(t *testing.T) {
	eachCase(t, "mlp", func(t *testing.T, c *Case) {
		var config mlpConfig
		if err := c.Config(&config); err != nil {
			t.Fatal(err)
		}
		chain := mlpChain(config.Layers[1:])
		n := must(exact.New(layers.Shape{Height: 1, Width: 1, Channels: config.Layers[0], Flat: true}, chain))(t)
		for i := range config.Layers[1:] {
			w := must(Read[float32](c, fmt.Sprintf("W0/%d", i)))(t)
			copy(n.Parameters[2*i].Value, exact.Widen(transpose(w.Values, w.Shape[0], w.Shape[1])))
			copy(n.Parameters[2*i+1].Value, exact.Widen(must(Read[float32](c, fmt.Sprintf("b0/%d", i)))(t).Values))
		}
		x, y := must(Read[float32](c, "X"))(t), must(Read[float32](c, "y"))(t)
		m, v := make([]float64, len(n.Values)), make([]float64, len(n.Values))
		tolerance := 0.0
		for step := 1; step <= config.Steps; step++ {
			b := exact.Batch{X: exact.Widen(x.At(step - 1)), Smoothing: float64(config.LabelSmoothing), Training: true}
			for row := range slices.Chunk(y.At(step-1), n.Classes) {
				b.Labels = append(b.Labels, int32(slices.Index(row, 1)))
			}
			pass := n.Forward(b)
			gradient, hessian := pass.Gradient(), must(pass.HessianDiagonal(t.Context()))(t)
			if step == 1 {
				gaussNewton := must(pass.GaussNewtonDiagonal(t.Context()))(t)
				for i := range config.Layers[1:] {
					compareFloat64(t, c, "gradient", joint(n, i, gradient), fmt.Sprintf("G64/%d", i), slopeError(chain))
					array := fmt.Sprintf("H64/%d", i)
					compareFloat64(t, c, "diagonal of the Hessian", joint(n, i, hessian), array, slopeError(chain))
					compareFloat64(t, c, "diagonal of the Gauss-Newton matrix", joint(n, i, gaussNewton), array, slopeError(chain))
				}
			}
			seedStep(n.Values, gradient, hessian, m, v, step)
			tolerance += 4 * slopeError(chain) * largestOf(gradient)
			prefix := fmt.Sprintf("step%d/", step)
			if len(c.Names(prefix)) == 0 {
				continue // not all steps are saved
			}
			for i := range config.Layers[1:] {
				kernel, bias := n.Parameters[2*i], n.Parameters[2*i+1]
				array := fmt.Sprintf("%sW64/%d", prefix, i)
				weights := transpose(kernel.Value, kernel.Shape[0], kernel.Shape[1])
				compareFloat64(t, c, "weights", weights, array, tolerance/largestOf(must(Read[float64](c, array))(t).Values))
				array = fmt.Sprintf("%sb64/%d", prefix, i)
				compareFloat64(t, c, "biases", bias.Value, array, tolerance/largestOf(must(Read[float64](c, array))(t).Values))
			}
		}
	})
}

// joint puts a layer's parts of a vector in the order of a case, [out, in+1]
// with the bias last.
func joint(n *exact.Network, layer int, vector []float64) []float64 {
	kernel, bias := n.Parameters[2*layer], n.Parameters[2*layer+1]
	in, out := kernel.Shape[0], kernel.Shape[1]
	var rows []float64
	for o := range out {
		for i := range in {
			rows = append(rows, kernel.Of(vector)[i*out+o])
		}
		rows = append(rows, bias.Of(vector)[o])
	}
	return rows
}

// seedStep is the pilot's rule in float64, the formula of optim.DiagHess, for a
// curvature that is nowhere negative.
func seedStep(w, g, h, m, v []float64, step int) {
	o := optim.NewDiagHess()
	c1, c2 := o.Constants()
	for i := range w {
		n := c2*g[i]*g[i] + c1*h[i]
		m[i] = o.Beta1*m[i] + (1-o.Beta1)*g[i]*c1/(n+o.Lambda)
		v[i] = o.Beta2*v[i] + (1-o.Beta2)*n*n
		mhat, vhat := m[i]/(1-math.Pow(o.Beta1, float64(step))), v[i]/(1-math.Pow(o.Beta2, float64(step)))
		w[i] -= o.LR * mhat / (math.Sqrt(vhat) + o.Epsilon)
	}
}

// TestGoldenHSolve holds the pilot's rule against the pilot's program on one layer:
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
func TestGoldenHSolve(t *testing.T) {
	eachCase(t, "mlp_hsolve", func(t *testing.T, c *Case) {
		for _, set := range c.Names("T/") {
			t.Run(set, func(t *testing.T) {
				testHSolve(t, c, set)
			})
		}
	})
}

func testHSolve(t *testing.T, c *Case, set string) {
	t.Helper()
	curvature, x := must(Read[float32](c, "T/"+set))(t), must(Read[float32](c, "nX/"+set))(t)
	gradient := must(Read[float32](c, "dP/"+set))(t).Values
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
	newH, lam := must(Read[float32](c, "newH/"+set))(t).Values, must(Read[float64](c, "lam64/"+set))(t).Values[0]
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

	each(t, machines(), func(t *testing.T, s gpu.Stream) results {
		r := f.train(t, s, rule, "", f.h, false)
		read := results{}
		for i, m := range r["step1/m/layer"] {
			v := r["step1/v/layer"][i]
			read["L"] = append(read["L"], float32(float64(m)/(1-rule.Beta1)))
			root := math.Sqrt(float64(v) / (1 - rule.Beta2))
			read["newH"] = append(read["newH"], float32(math.Copysign(root, float64(newH[i])))) // L tells the sign
		}
		return read
	}, func(t *testing.T, r results) {
		k := newComparison(t, c, r)
		k.float64s("float64", "L", "L64/"+set, func(i int) float64 { return share(i, ours) * math.Abs(float64(r["L"][i])) })
		k.float32s("program", "L", "L/"+set, func(i int) float64 { return (share(i, both) + 6*epsilon) * math.Abs(float64(r["L"][i])) })
		k.float32s("n", "newH", "newH/"+set, func(i int) float64 { return both(i) + 4*epsilon*math.Abs(float64(newH[i])) })
	})
}
