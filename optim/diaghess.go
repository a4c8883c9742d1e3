package optim

import (
	"math"

	"diaghess/nearest/keys"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/curvature"
)

// DiagHess is the pilot's rule: RMSprop of the curvature, with damping. g is the gradient
// of the batch's mean loss, h a diagonal of its curvature, t the step, counted from 1:
//
//	n   = c2 g^2 + c1 h                     entries that are not finite are 0
//	lam = max(0, -min n over the tensor) + lambda
//	d   = g c1 / (n + lam)
//	m   = beta1 m + (1 - beta1) d           mhat = m / (1 - beta1^t)
//	v   = beta2 v + (1 - beta2) n^2         vhat = v / (1 - beta2^t), n without lam
//	w  -= lr mhat / (sqrt(vhat) + eps)
//
// c1 = square diff^(square - 1) and c2 = square (square - 1) diff^(square - 2) are the
// first and second derivative of x^square at diff. The rule descends on loss^square, whose
// curvature contains g^2 for any h.
//
// The pilot's perceptrons took the minimum over the kernel and the bias of a layer
// together. They had the exact diagonal, which is never negative, so lam is lambda in both
// forms.
//
// Source: github.com/YunInSung/diagonal-hessian-cnn, MyModel.train_step. As published,
// the network's h was identically zero, which is curvature=none. Package curvature has
// the other values of h.
type DiagHess struct {
	Schedule
	Before
	Beta1, Beta2, Epsilon float64
	Lambda                float64 // damping
	Diff, Square          float64
	Curvature             curvature.Options // what h is
}

var _ handwritten = (*DiagHess)(nil)

// NewDiagHess returns the rule with the pilot's constants.
func NewDiagHess() *DiagHess {
	return &DiagHess{
		Schedule: schedule(1e-6), Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7,
		Lambda: 1e-3, Diff: 0.25, Square: 9, Curvature: curvatureOptions(curvature.None),
	}
}

func (o *DiagHess) Name() string                    { return "diaghess" }
func (o *DiagHess) Slots() []string                 { return []string{"m", "v"} }
func (o *DiagHess) bind(b *Buffers) (update, error) { return bindByHand(o, b) }

func (o *DiagHess) curvature() *curvature.Options { return &o.Curvature }

func (o *DiagHess) ownKeys() []keys.Key {
	return append(append(o.Schedule.keys(), curvatureKeys(&o.Curvature, curvature.Kinds())...),
		keys.Fraction("beta1", "decay of the first moment", &o.Beta1),
		keys.Fraction("beta2", "decay of the second moment", &o.Beta2),
		keys.Positive("eps", "added to the root of the second moment", &o.Epsilon),
		keys.Positive("lambda", "damping of the curvature", &o.Lambda),
		keys.Positive("diff", "value of the loss at which loss^square is differentiated", &o.Diff).When("a square above 1", func() bool { return o.Square > 1 }),
		keys.AtLeastOne("square", "power of the loss; below 1 its curvature would be negative", &o.Square))
}

// Constants returns the rule's factors c1, of the curvature, and c2, of the squared
// gradient.
func (o *DiagHess) Constants() (c1, c2 float64) {
	return o.Square * math.Pow(o.Diff, o.Square-1), o.Square * (o.Square - 1) * math.Pow(o.Diff, o.Square-2)
}

// Coefficients returns rate / (1 - beta1^t) and 1 / sqrt(1 - beta2^t). The corrections are
// those of the pilot, in float32. Here they are factors of the step instead of divisors of
// m and v. That saves two divisions per element and changes the step by an ulp or two.
func (o *DiagHess) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	return [...]float32{rate / (1 - power(o.Beta1, step)), 1 / root(1-power(o.Beta2, step)), 0, 0}
}

// Record records one kernel if n cannot be negative. Otherwise it records three: two that
// find the minimum of each tensor, and the update.
func (o *DiagHess) Record(r *gpu.Recorder, b *Buffers) {
	c1, c2 := o.Constants()
	update := &kernels.DiagHessUpdate{
		W: b.Values, G: b.Gradients, H: b.Curvature, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Coefficients: b.Coefficients, State: b.State,
		C1: float32(c1), C2: float32(c2), Lambda0: float32(o.Lambda),
		Beta1: float32(o.Beta1), OneMinusBeta1: float32(1 - o.Beta1),
		Beta2: float32(o.Beta2), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon),
	}
	if !b.Curvature.IsNull() && !b.NonNegative {
		minimum := b.scratch.Take(b.Chunks.Len() / kernels.ChunkWords)
		update.Lambda = b.scratch.Take(b.First.Len() - 1)
		r.Record(&kernels.DiagHessMinimum{G: b.Gradients, H: b.Curvature, Chunks: b.Chunks, Minimum: minimum, C1: update.C1, C2: update.C2})
		r.Record(&kernels.DiagHessLambda{Minimum: minimum, First: b.First, Lambda: update.Lambda, Lambda0: update.Lambda0})
	}
	r.Record(update)
}

// damps says whether the least n of a tensor is below 0.
func (o *DiagHess) damps(g, h []float32) bool {
	c1, c2 := o.Constants()
	for i, gi := range g {
		if n := c2*float64(gi)*float64(gi) + c1*float64(h[i]); n < 0 && !math.IsInf(n, 0) {
			return true
		}
	}
	return false
}
