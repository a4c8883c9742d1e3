package optim

import (
	"errors"
	"math"

	"diaghess/nearest/keys"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Muon is momentum that is orthogonalized by Newton-Schulz iterations, Jordan et al. 2024,
// for the weights of the hidden layers, and AdamW for everything else. A filter is a matrix
// with a row for each output. For each matrix:
//
//	m  += (1 - momentum) (g - m)
//	u   = m + (1 - momentum) (g - m)           with nesterov, else u = m
//	X   = u / (norm(u) + 1e-7)                 Frobenius
//	X   = a X + (b A + c A A) X,  A = X X^T    newton-schulz times
//	w  -= lr weight-decay w
//	w  -= lr scale X
//
// a, b and c are those of newtonschulz.go. The author's iterations are in bfloat16. Here they have
// the arithmetic of the device's matrix products: float32, or tf32 with --math tf32. Those of the
// pilot's network take 17 GFLOP a step, as much as forward and backward. The conventions of scale:
//
//	author           sqrt(max(1, out / in)) of a dense layer, sqrt(max(1, height / width)) of a filter
//	original         sqrt(max(1, out / in)), of a filter with in = height width channels
//	match-rms-adamw  0.2 sqrt(max(out, in)): steps as large as AdamW's, so its rates fit
//
// author is the author's program, and the other two are torch's. Theirs is the same iteration.
//
// AdamW is in torch's convention: eps is added to the corrected root. Its rate adamw-lr follows
// the same schedule; where it is 0, the rate is lr.
//
//	m  += (1 - beta1) (g - m)                  mhat = m / (1 - beta1^t)
//	v  += (1 - beta2) (g^2 - v)                vhat = v / (1 - beta2^t)
//	w  -= adamw-lr weight-decay w
//	w  -= adamw-lr mhat / (sqrt(vhat) + eps)
//
// It has all vectors and, with hidden-only, the weights of the first and the last layer, as the
// author advises.
//
// Source: github.com/KellerJordan/Muon, muon.py and README, commit 857d1ad; torch 2.15,
// torch/optim/_muon.py.
type Muon struct {
	Schedule
	Before
	Momentum     float64
	Nesterov     bool
	WeightDecay  float64
	NewtonSchulz int    // iterations
	Scale        string // author, original or match-rms-adamw
	HiddenOnly   bool
	// Of AdamW.
	AdamWRate, Beta1, Beta2, Epsilon float64
}

var _ Rule = (*Muon)(nil)

// The conventions of scale.
const (
	authorScale   = "author"
	originalScale = "original"
	matchRMSScale = "match-rms-adamw"
)

// NewMuon returns Muon with its author's defaults.
func NewMuon() *Muon {
	return &Muon{
		Schedule: schedule(0.02), Momentum: 0.95, Nesterov: true, NewtonSchulz: 5, Scale: authorScale, HiddenOnly: true,
		AdamWRate: 3e-4, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-10,
	}
}

func (o *Muon) Name() string    { return "muon" }
func (o *Muon) Slots() []string { return []string{"m", "v"} } // v is 0 where Muon is

func (o *Muon) ownKeys() []keys.Key {
	return append(o.Schedule.keys(),
		keys.Fraction("momentum", "decay of the momentum", &o.Momentum),
		keys.Boolean("nesterov", "Nesterov's look-ahead", &o.Nesterov).When("a momentum above 0", func() bool { return o.Momentum > 0 }),
		keys.NonNegative("weight-decay", "decoupled weight decay, times the learning rate", &o.WeightDecay),
		keys.Integer("newton-schulz", "iterations that orthogonalize an update", &o.NewtonSchulz, 1, 1000),
		keys.Choice("scale", "factor of an update: author, original or match-rms-adamw", &o.Scale, []string{authorScale, originalScale, matchRMSScale}),
		keys.Boolean("hidden-only", "AdamW for the weights of the first and the last layer", &o.HiddenOnly),
		keys.NonNegative("adamw-lr", "learning rate of AdamW, with the same schedule; 0: lr", &o.AdamWRate),
		keys.Fraction("adamw-beta1", "AdamW's decay of the first moment", &o.Beta1),
		keys.Fraction("adamw-beta2", "AdamW's decay of the second moment", &o.Beta2),
		keys.Positive("adamw-eps", "AdamW's addend to the root of the second moment", &o.Epsilon))
}

// Coefficients returns the rate and, for AdamW, its rate, the rate / (1 - beta1^t) and
// 1 / sqrt(1 - beta2^t).
func (o *Muon) Coefficients(step int, rate float32) [kernels.CoefficientWords]float32 {
	adamW := float64(rate)
	if o.AdamWRate > 0 {
		adamW = adamW / o.LR * o.AdamWRate
	}
	bias1, bias2 := 1-math.Pow(o.Beta1, float64(step)), 1-math.Pow(o.Beta2, float64(step))
	return [...]float32{rate, float32(adamW), float32(adamW / bias1), float32(1 / math.Sqrt(bias2))}
}

// fit returns an error if the rule is none for a network with so many matrices.
func (o *Muon) fit(matrices int) error {
	if o.HiddenOnly && matrices > 0 && matrices < 3 {
		return errors.New("the network has no hidden layer between its first and its last: set hidden-only=false")
	}
	return nil
}

// bind chooses the matrices and binds the products of their iterations.
func (o *Muon) bind(b *Buffers) (update, error) {
	t := b.tensors
	var matrices []int
	for i, shape := range t.Shapes {
		if len(shape) > 1 {
			matrices = append(matrices, i)
		}
	}
	if err := o.fit(len(matrices)); err != nil {
		return nil, err
	}
	if o.HiddenOnly && len(matrices) > 0 {
		matrices = matrices[1 : len(matrices)-1]
	}
	scales := make([]float32, len(t.Offsets))
	for _, i := range matrices {
		scales[i] = float32(o.scale(t.Shapes[i]))
	}
	b.scales = gpu.ReserveCopy(b.arena, scales)
	if matrices != nil {
		var err error
		if b.newtonSchulz, err = newNewtonSchulz(b, t, matrices); err != nil {
			return nil, err
		}
	}
	return bindByHand(o, b)
}

// scale is the factor of a matrix's steps, from its shape: [in, out] or
// [height, width, in, out].
func (o *Muon) scale(shape []int) float64 {
	out, in := shape[len(shape)-1], 1
	for _, n := range shape[:len(shape)-1] {
		in *= n
	}
	switch {
	case o.Scale == matchRMSScale:
		return 0.2 * math.Sqrt(float64(max(out, in)))
	case o.Scale == authorScale && len(shape) == 4:
		// The program takes the last two sides of a gradient [out, in, height, width].
		out, in = shape[0], shape[1]
	}
	return math.Sqrt(max(1, float64(out)/float64(in)))
}

// Record records two kernels and the iterations, each of them a kernel and three matrix
// products for each matrix, then the update of all tensors.
func (o *Muon) Record(r *gpu.Recorder, b *Buffers) {
	update := &kernels.MuonUpdate{
		W: b.Values, G: b.Gradients, M: b.Slots[0], V: b.Slots[1],
		Chunks: b.Chunks, Scales: b.scales, Coefficients: b.Coefficients, State: b.State,
		OneMinusBeta1: float32(1 - o.Beta1), OneMinusBeta2: float32(1 - o.Beta2),
		Epsilon: float32(o.Epsilon), WeightDecay: float32(o.WeightDecay),
	}
	if n := b.newtonSchulz; n != nil {
		share := float32(1 - o.Momentum)
		ahead := float32(0)
		if o.Nesterov {
			ahead = share
		}
		update.X = n.record(r, b.Gradients, b.Slots[0], share, ahead, o.NewtonSchulz)
	}
	r.Record(update)
}
