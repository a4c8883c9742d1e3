package optim

import (
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// AdaBelief is AdaBelief, Zhuang et al. 2020, in the convention of TensorFlow Addons,
// whose AdaBelief the pilot used as a baseline. eps is added to v at every step and to
// its root. The weight decay is decoupled. The step is rectified as in RAdam (Liu et al.
// 2020):
//
//	m  = beta1 m + (1 - beta1) g
//	v  = beta2 v + (1 - beta2) (g - m)^2 + eps
//	s  = r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
//	w -= lr (s + weight-decay w)
//
// where, with L = 2/(1 - beta2) - 1 and l = L - 2 t beta2^t / (1 - beta2^t),
// r = sqrt((l-4)/(L-4) (l-2)/(L-2) L/l). While l < 5 the step is m / (1 -
// beta1^t) without a denominator. rectify=false sets r to 1.
//
// Source: TensorFlow Addons 0.22, optimizers/adabelief.py.
type AdaBelief struct {
	Schedule
	Beta1, Beta2, Epsilon float64
	Rectify               bool
	WeightDecay           float64
}

var _ Rule = (*AdaBelief)(nil)

// NewAdaBelief returns the rule with the constants of the pilot.
func NewAdaBelief() *AdaBelief {
	return &AdaBelief{Schedule: schedule(1e-3), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-14, Rectify: true, WeightDecay: 1e-4}
}

func (o *AdaBelief) Name() string        { return "adabelief" }
func (o *AdaBelief) Slots() []string     { return []string{"m", "v"} }
func (o *AdaBelief) schedule() *Schedule { return &o.Schedule }

func (o *AdaBelief) tunables() []tunable {
	return append(o.Schedule.tunables(),
		fraction("beta1", "decay of the first moment", &o.Beta1),
		fraction("beta2", "decay of the variance", &o.Beta2),
		positive("eps", "added to the variance and to its root", &o.Epsilon),
		boolean("rectify", "rectify the variance of the first steps", &o.Rectify),
		nonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients returns rate, 1 - beta1^t, 1 - beta2^t and r. r is 0 for a step without a
// denominator.
func (o *AdaBelief) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	rectification := 1.0
	if o.Rectify {
		const threshold = 5
		longest := 2/(1-o.Beta2) - 1
		power2 := math.Pow(o.Beta2, float64(step))
		length := longest - 2*float64(step)*power2/(1-power2)
		rectification = 0
		if length >= threshold {
			rectification = math.Sqrt((length - 4) / (longest - 4) * (length - 2) / (longest - 2) * longest / length)
		}
	}
	return [...]float32{rate, 1 - power(o.Beta1, step), 1 - power(o.Beta2, step), float32(rectification)}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *AdaBelief) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.AdaBeliefUpdate{
		W: b.Values, G: b.Gradients, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		Beta1: float32(o.Beta1), OneMinusBeta1: float32(1 - o.Beta1),
		Beta2: float32(o.Beta2), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	})
}
