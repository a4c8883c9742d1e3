package optim

import (
	"diaghess/gpu"
	"diaghess/kernels"
)

// RMSProp is RMSprop, Hinton's lecture 6e of 2012, in the convention of Keras, with eps
// under the root. With legacy=true eps is outside the root, as in Keras's legacy optimizer
// and in PyTorch:
//
//	v  = rho v + (1 - rho) g^2
//	w -= lr g / sqrt(v + eps)      legacy: lr g / (sqrt(v) + eps)
//
// Weight decay is decoupled, w -= lr weight-decay w, before the step.
//
// Source: Keras 2.15, optimizers/rmsprop.py and legacy/rmsprop.py.
type RMSProp struct {
	Schedule
	Rho, Epsilon float64
	Legacy       bool
	WeightDecay  float64
}

var _ Rule = (*RMSProp)(nil)

// NewRMSProp returns the rule with Keras's defaults.
func NewRMSProp() *RMSProp {
	return &RMSProp{Schedule: schedule(1e-3), Rho: 0.9, Epsilon: 1e-7}
}

func (o *RMSProp) Name() string        { return "rmsprop" }
func (o *RMSProp) Slots() []string     { return []string{"v"} }
func (o *RMSProp) schedule() *Schedule { return &o.Schedule }

func (o *RMSProp) tunables() []tunable {
	return append(o.Schedule.tunables(),
		fraction("rho", "decay of the mean square", &o.Rho),
		positive("eps", "added under the root", &o.Epsilon),
		boolean("legacy", "add eps outside the root", &o.Legacy),
		nonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients hold the rate.
func (o *RMSProp) Coefficients(_ int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, 0, 0, 0}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *RMSProp) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.RMSPropUpdate{
		W: b.Values, G: b.Gradients, V: b.Slots[0],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		Rho: float32(o.Rho), OneMinusRho: float32(1 - o.Rho), Epsilon: float32(o.Epsilon),
		WeightDecay: float32(o.WeightDecay), Legacy: flag(o.Legacy),
	})
}
