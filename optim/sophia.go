package optim

import (
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/curvature"
)

// Sophia, Liu, Li, Hall, Liang and Ma 2023, algorithm 3, divides the momentum by a
// diagonal h of the curvature and clips the result:
//
//	m  = beta1 m + (1 - beta1) g
//	w -= lr weight-decay w
//	w -= lr clip(m / max(rho h, eps), -1, 1)
//
// h is the exponential average of the estimates. It begins at 0 and is not corrected for
// that, so early steps clip more.
//
// With curvature=gnb the rule is Sophia-G, with the defaults of the authors' program
// except for eps. There the program adds 1e-15, and the paper takes the larger one, as
// here. With curvature=hutchinson the rule is Sophia-H.
type Sophia struct {
	Schedule
	Beta1, Rho, Epsilon float64
	WeightDecay         float64
	Curvature           curvature.Options
}

var _ Rule = (*Sophia)(nil)

// NewSophia returns Sophia-G with its authors' defaults.
func NewSophia() *Sophia {
	h := curvature.Options{Kind: "gnb", Every: 10, Samples: 1, Decay: 0.99, Uncorrected: true}
	return &Sophia{Schedule: schedule(1e-4), Beta1: 0.965, Rho: 0.04, Epsilon: 1e-12, WeightDecay: 0.1, Curvature: h}
}

func (o *Sophia) Name() string                  { return "sophia" }
func (o *Sophia) Slots() []string               { return []string{"m"} }
func (o *Sophia) schedule() *Schedule           { return &o.Schedule }
func (o *Sophia) curvature() *curvature.Options { return &o.Curvature }

func (o *Sophia) tunables() []tunable {
	return append(append(o.Schedule.tunables(), curvatureTunables(&o.Curvature, someCurvature())...),
		fraction("beta1", "decay of the momentum", &o.Beta1),
		positive("rho", "factor of the curvature: larger clips less", &o.Rho),
		positive("eps", "least that the momentum is divided by", &o.Epsilon),
		nonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay))
}

// Coefficients are the rate.
func (o *Sophia) Coefficients(_ int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate, 0, 0, 0}
}

// Record is one pass.
func (o *Sophia) Record(r *gpu.Recorder, b *Buffers) {
	r.Record(&kernels.SophiaUpdate{
		W: b.Values, G: b.Gradients, H: b.Curvature, M: b.Slots[0],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		Beta1: float32(o.Beta1), OneMinusBeta1: float32(1 - o.Beta1),
		Rho: float32(o.Rho), Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	})
}

// observe counts the coordinates whose step is the whole rate.
func (o *Sophia) observe(_, h []float32, slots [][]float32) (clipped int, damped bool) {
	for i, m := range slots[0] {
		if math.Abs(float64(m)) >= float64(max(float32(o.Rho)*h[i], float32(o.Epsilon))) {
			clipped++
		}
	}
	return clipped, false
}

func (o *Sophia) observed(seen *Observation, clipped float64, _ int) { seen.Clipped = &clipped }
