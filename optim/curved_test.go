package optim_test

import (
	"math"
	"testing"

	"diaghess/optim"
)

// The rules with a given curvature follow their authors' formulas, here in
// float64 from the gradients that the program used: Sophia's algorithm 3, and
// Adam with h^2 in the second moment. A step is off by some roundings of its
// parts, and so are 20 of them.
func TestCurvedRules(t *testing.T) {
	const steps = 20
	sophia := func(lr, decay float64) func(step int, w, g, h float64, s []float64) float64 {
		return func(_ int, w, g, h float64, s []float64) float64 {
			s[0] = 0.965*s[0] + (1-0.965)*g
			w -= lr * decay * w
			return w - lr*min(max(s[0]/max(0.04*h, 1e-12), -1), 1)
		}
	}
	adam := func(lr, decay, eps float64) func(step int, w, g, h float64, s []float64) float64 {
		return func(step int, w, g, h float64, s []float64) float64 {
			s[0] = 0.9*s[0] + 0.1*g
			s[1] = 0.999*s[1] + 0.001*h*h
			m, v := s[0]/(1-math.Pow(0.9, float64(step))), s[1]/(1-math.Pow(0.999, float64(step)))
			return w - lr*(m/(math.Sqrt(v)+eps)+decay*w)
		}
	}
	for spec, rule := range map[string]func(step int, w, g, h float64, s []float64) float64{
		"sophia":                        sophia(1e-4, 0.1),
		"sophia:lr=0.01,weight-decay=0": sophia(0.01, 0),
		"adahesscale":                   adam(1e-3, 0, 1e-8),
		"adahesscale:weight-decay=0.01": adam(1e-3, 0.01, 1e-8),
		"adahessian":                    adam(0.15, 0, 1e-4),
	} {
		p := newProblem(t)
		h := append([]float32(nil), p.bowl.Curvature.Host()...)
		for i := range h {
			switch i % 3 {
			case 1:
				h[i] *= 1000 // Sophia does not clip
			case 2:
				h[i] = -h[i]
			}
		}
		n := len(h)
		want, slots := make([]float64, n), make([][]float64, n)
		for i, w := range p.bowl.W.Host() {
			want[i], slots[i] = float64(w), make([]float64, 2)
		}
		for step := 1; step <= steps; step++ {
			for i := range want {
				g := float64(p.bowl.Curvature.Host()[i]) * (want[i] - float64(p.bowl.Target.Host()[i]))
				want[i] = rule(step, want[i], g, float64(h[i]), slots[i])
			}
		}
		start := append([]float32(nil), p.bowl.W.Host()...)
		p.train(t, parse(t, spec), steps, values(t, p.stream, h), false)
		for tensor, offset := range p.tensors.Offsets {
			for i := offset; i < offset+p.tensors.Lengths[tensor]; i++ {
				// Each step rounds w, and the corrections in float32 are off by
				// 1.3e-5 at first; the gradient follows w, whose curvature is
				// below 1.5.
				tolerance := steps*ulp*(math.Abs(float64(start[i]))+1) + 1e-4*math.Abs(want[i]-float64(start[i]))
				if got := float64(p.bowl.W.Host()[i]); !(math.Abs(got-want[i]) <= tolerance) {
					t.Errorf("%s: element %d: %.9g, want %.9g +- %.2g", spec, i, got, want[i], tolerance)
				}
			}
		}
	}
}

// Rules that cannot do without a curvature refuse to.
func TestCurvatureIsNeeded(t *testing.T) {
	for _, spec := range []string{"sophia:curvature=none", "adahesscale:curvature=none", "diaghess:curvature=empirical-fisher,samples=2", "diaghess:every=0"} {
		if _, err := optim.Parse(spec); err == nil {
			t.Errorf("%s is taken", spec)
		}
	}
}
