package optim

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/curvature"
)

// AdaHessian is Adam whose second moment is that of a diagonal h of the curvature in place
// of the gradient. t is the step, counted from 1:
//
//	m  = beta1 m + (1 - beta1) g        mhat = m / (1 - beta1^t)
//	v  = beta2 v + (1 - beta2) h^2      vhat = v / (1 - beta2^t)
//	w -= lr (mhat / (sqrt(vhat) + eps) + weight-decay w)
//
// There are two sets of defaults, each that of its authors.
//
// AdaHessian, Yao, Gholami, Shen, Mustafa, Keutzer and Mahoney 2021, uses the absolute
// values of Hutchinson's estimate, averaged over the taps of a convolution's filter. As in
// its programs, eps is added to the corrected root and the Hessian power is 1.
//
// AdaHesScale, Elsayed and Mahmood 2022, uses the diagonal of the recursion.
//
// If h is estimated only at every k-th step, the steps between use the last h again.
type AdaHessian struct {
	Schedule
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
	Curvature             curvature.Options

	name string
}

var _ Rule = (*AdaHessian)(nil)

// NewAdaHessian returns AdaHessian with its authors' defaults.
func NewAdaHessian() *AdaHessian {
	h := curvatureOptions("hutchinson")
	h.Decay, h.Absolute = 0, true
	return &AdaHessian{Schedule: schedule(0.15), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-4, Curvature: h, name: "adahessian"}
}

// NewAdaHesScale returns AdaHesScale with its authors' defaults.
func NewAdaHesScale() *AdaHessian {
	h := curvatureOptions("recursion")
	h.Decay = 0
	return &AdaHessian{Schedule: schedule(1e-3), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Curvature: h, name: "adahesscale"}
}

func (o *AdaHessian) Name() string                  { return o.name }
func (o *AdaHessian) Slots() []string               { return []string{"m", "v"} }
func (o *AdaHessian) schedule() *Schedule           { return &o.Schedule }
func (o *AdaHessian) curvature() *curvature.Options { return &o.Curvature }

func (o *AdaHessian) tunables() []tunable {
	return append(append(o.Schedule.tunables(), curvatureTunables(&o.Curvature, someCurvature())...),
		fraction("beta1", "decay of the first moment", &o.Beta1),
		fraction("beta2", "decay of the second moment", &o.Beta2),
		positive("eps", "added to the root of the second moment", &o.Epsilon),
		nonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients returns rate, rate / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
func (o *AdaHessian) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, rate / (1 - power(o.Beta1, step)), 1 / root(1-power(o.Beta2, step)), 0}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *AdaHessian) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.AdaHessianUpdate{
		W: b.Values, G: b.Gradients, H: b.Curvature, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		Beta1: float32(o.Beta1), OneMinusBeta1: float32(1 - o.Beta1),
		Beta2: float32(o.Beta2), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	})
}
