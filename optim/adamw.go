package optim

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/nearest/keys"
)

// AdamW is AdamW, Loshchilov and Hutter 2019, in the convention of Keras. eps is added to
// the uncorrected root (the paper's epsilon-hat), and both bias corrections are in the step
// size:
//
//	w -= lr weight-decay w
//	m += (g - m) (1 - beta1)
//	v += (g^2 - v) (1 - beta2)
//	w -= m alpha / (sqrt(v) + eps),  alpha = lr sqrt(1 - beta2^t) / (1 - beta1^t)
//
// As in Keras the decay applies to every tensor, also to biases and normalization.
// PyTorch, whose convention is that of the rule file adamw_torch, divides sqrt(v) by the root
// of its correction before it adds eps.
//
// Source: Keras 2.15, optimizers/adamw.py.
type AdamW struct {
	Schedule
	Before
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
}

var _ handwritten = (*AdamW)(nil)

// NewAdamW returns AdamW with Keras's defaults and the weight decay of the pilot's baseline.
func NewAdamW() *AdamW {
	return &AdamW{Schedule: schedule(1e-3), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, WeightDecay: 5e-4}
}

func (o *AdamW) Name() string                    { return "adamw" }
func (o *AdamW) Slots() []string                 { return []string{"m", "v"} }
func (o *AdamW) bind(b *Buffers) (update, error) { return bindByHand(o, b) }

func (o *AdamW) ownKeys() []keys.Key {
	return append(o.Schedule.keys(),
		keys.Fraction("beta1", "decay of the first moment", &o.Beta1),
		keys.Fraction("beta2", "decay of the second moment", &o.Beta2),
		keys.Positive("eps", "added to the root of the second moment", &o.Epsilon),
		keys.NonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients returns rate and alpha, in float32 as Keras evaluates them.
func (o *AdamW) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, rate * root(1-power(o.Beta2, step)) / (1 - power(o.Beta1, step)), 0, 0}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *AdamW) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.AdamUpdate{
		W: b.Values, G: b.Gradients, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		OneMinusBeta1: float32(1 - o.Beta1), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	})
}
