package golden

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/optim"
)

// eachCase runs body on all cases of a kind.
func eachCase(t *testing.T, kind string, body func(t *testing.T, c *Case)) {
	cases := need(openSet(t).Cases(kind))(t)
	if len(cases) == 0 {
		t.Skipf("the folder has no case of kind %s", kind)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { body(t, c) })
	}
}

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
	want := need(Read[float64](c, array))(t).Values
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
		cases := need(openSet(t).Cases("cnn"))(t)
		of := slices.IndexFunc(cases, func(c *Case) bool { return c.Name == config.OfCase })
		if of < 0 {
			t.Fatalf("%s: there is no case %s", c.Name, config.OfCase)
		}
		cnn, in := configOf[cnnConfig](cases[of]), readCNNInput(cases[of])
		model := layers.PilotCNN()
		model.Filters, model.Dense, model.BlockDropout, model.DenseDropout = cnn.Filters, cnn.Dense, 0, 0
		chain := model.Layers(cnn.Classes)
		n := need(exact.New(layers.Shape{Height: cnn.Image[0], Width: cnn.Image[1], Channels: cnn.Image[2]}, chain))(t)
		for _, p := range n.Parameters {
			copy(p.Value, exact.Widen(in.parameters[p.Name]))
		}
		pass := n.Forward(exact.Batch{X: exact.Widen(in.x[config.Batch]), Labels: in.labels[config.Batch], Training: true})
		hessian := need(pass.HessianDiagonal(t.Context()))(t)
		gaussNewton := need(pass.GaussNewtonDiagonal(t.Context()))(t)
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
		config := configOf[mlpConfig](c)
		chain := mlpChain(config.Layers[1:])
		n := need(exact.New(layers.Shape{Height: 1, Width: 1, Channels: config.Layers[0], Flat: true}, chain))(t)
		for i := range config.Layers[1:] {
			w := need(Read[float32](c, fmt.Sprintf("W0/%d", i)))(t)
			copy(n.Parameters[2*i].Value, exact.Widen(transpose(w.Values, w.Shape[0], w.Shape[1])))
			copy(n.Parameters[2*i+1].Value, exact.Widen(need(Read[float32](c, fmt.Sprintf("b0/%d", i)))(t).Values))
		}
		x, y := need(Read[float32](c, "X"))(t), need(Read[float32](c, "y"))(t)
		m, v := make([]float64, len(n.Values)), make([]float64, len(n.Values))
		tolerance := 0.0
		for step := 1; step <= config.Steps; step++ {
			b := exact.Batch{X: exact.Widen(x.At(step - 1)), Smoothing: float64(config.LabelSmoothing), Training: true}
			for row := range slices.Chunk(y.At(step-1), n.Classes) {
				b.Labels = append(b.Labels, int32(slices.Index(row, 1)))
			}
			pass := n.Forward(b)
			gradient, hessian := pass.Gradient(), need(pass.HessianDiagonal(t.Context()))(t)
			if step == 1 {
				gaussNewton := need(pass.GaussNewtonDiagonal(t.Context()))(t)
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
				compareFloat64(t, c, "weights", weights, array, tolerance/largestOf(need(Read[float64](c, array))(t).Values))
				array = fmt.Sprintf("%sb64/%d", prefix, i)
				compareFloat64(t, c, "biases", bias.Value, array, tolerance/largestOf(need(Read[float64](c, array))(t).Values))
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
