package optim

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/nearest/keys"
)

// SGD is stochastic gradient descent with momentum in the convention of Keras, where the
// velocity includes the learning rate:
//
//	v  = momentum v - lr g
//	w += momentum v - lr g   with nesterov, else w += v
//
// PyTorch's velocity does not include it: the two differ if lr changes during a run.
// Weight decay is decoupled, w -= lr weight-decay w, before the step.
//
// Source: Keras 2.15, optimizers/sgd.py; Sutskever et al. 2013 for Nesterov's
// form.
type SGD struct {
	Schedule
	Before
	Momentum    float64
	Nesterov    bool
	WeightDecay float64
}

var _ handwritten = (*SGD)(nil)

// NewSGD returns SGD with momentum .9, Nesterov's step and Keras's learning rate, .01.
func NewSGD() *SGD {
	return &SGD{Schedule: schedule(1e-2), Momentum: 0.9, Nesterov: true}
}

func (o *SGD) Name() string                    { return "sgd" }
func (o *SGD) Slots() []string                 { return []string{"v"} }
func (o *SGD) bind(b *Buffers) (update, error) { return bindByHand(o, b) }

func (o *SGD) ownKeys() []keys.Key {
	return append(o.Schedule.keys(),
		keys.Fraction("momentum", "decay of the velocity", &o.Momentum),
		keys.Boolean("nesterov", "Nesterov's look-ahead", &o.Nesterov).When("a momentum above 0", func() bool { return o.Momentum > 0 }),
		keys.NonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients returns the rate.
func (o *SGD) Coefficients(_ int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, 0, 0, 0}
}

// Record records one kernel, which reads and writes each tensor once.
func (o *SGD) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.SGDUpdate{
		W: b.Values, G: b.Gradients, V: b.Slots[0],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		Momentum: float32(o.Momentum), WeightDecay: float32(o.WeightDecay), Nesterov: kernels.Flag(o.Nesterov),
	})
}
