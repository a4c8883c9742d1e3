package optim

import (
	"diaghess/gpu"
	"diaghess/kernels"
)

// Adam is Adam, Kingma and Ba 2015, and AdamW, Loshchilov and Hutter 2019, in the
// convention of Keras. eps is added to the uncorrected root (the paper's epsilon-hat), and
// both bias corrections are in the step size:
//
//	w -= lr weight-decay w                          AdamW alone, before the step
//	m += (g - m) (1 - beta1)
//	v += (g^2 - v) (1 - beta2)
//	w -= m alpha / (sqrt(v) + eps),  alpha = lr sqrt(1 - beta2^t) / (1 - beta1^t)
//
// As in Keras the decay applies to every tensor, also to biases and normalization.
// PyTorch differs in eps alone: it divides sqrt(v) by the root of its correction before
// it adds eps.
//
// Source: Keras 2.15, optimizers/adam.py and adamw.py.
type Adam struct {
	Schedule
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // 0 for Adam

	decoupled bool // AdamW
}

var _ Rule = (*Adam)(nil)

// NewAdam returns Adam with Keras's defaults.
func NewAdam() *Adam {
	return &Adam{Schedule: schedule(1e-3), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
}

// NewAdamW returns AdamW with Keras's defaults and the weight decay of the pilot's baseline.
func NewAdamW() *Adam {
	o := NewAdam()
	o.decoupled, o.WeightDecay = true, 5e-4
	return o
}

func (o *Adam) Name() string {
	if o.decoupled {
		return "adamw"
	}
	return "adam"
}
func (o *Adam) Slots() []string     { return []string{"m", "v"} }
func (o *Adam) schedule() *Schedule { return &o.Schedule }

func (o *Adam) tunables() []tunable {
	t := append(o.Schedule.tunables(),
		fraction("beta1", "decay of the first moment", &o.Beta1),
		fraction("beta2", "decay of the second moment", &o.Beta2),
		positive("eps", "added to the root of the second moment", &o.Epsilon))
	if o.decoupled {
		t = append(t, nonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
	}
	return t
}

// Coefficients returns rate and alpha, in float32 as Keras evaluates them.
func (o *Adam) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, rate * root(1-power(o.Beta2, step)) / (1 - power(o.Beta1, step)), 0, 0}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *Adam) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.AdamUpdate{
		W: b.Values, G: b.Gradients, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		OneMinusBeta1: float32(1 - o.Beta1), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	})
}
