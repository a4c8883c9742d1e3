package exact

import (
	"math"

	"diaghess/layers"
)

// relu is a layers.ReLU of a network.
type relu struct{ layers.ReLU }

func (relu) tensors() []*Tensor { return nil }

// reluTrace is a relu of a pass: whether each element of its input is positive.
type reluTrace struct{ positive []bool }

func (relu) forward(p *Pass, y []float64) (trace, []float64) {
	t := &reluTrace{make([]bool, len(y))}
	for i, v := range y {
		t.positive[i] = v > 0
		p.decide(t.positive[i], math.Abs(v))
	}
	return t, t.masked(y)
}

// masked returns the values where the input is positive, else 0.
func (t *reluTrace) masked(values []float64) []float64 {
	masked := make([]float64, len(values))
	for i, v := range values {
		if t.positive[i] {
			masked[i] = v
		}
	}
	return masked
}

func (t *reluTrace) gradient(_, _ []float64) {}

func (t *reluTrace) backward(da []float64) []float64 { return t.masked(da) }

func (t *reluTrace) tangent(_, ry []float64) []float64 {
	if ry == nil {
		return nil
	}
	return t.masked(ry)
}

func (t *reluTrace) tangentGradient(_, _, _, _, _ []float64) {}

func (t *reluTrace) tangentBackward(_, _, _, rda []float64) []float64 { return t.masked(rda) }

func (t *reluTrace) centres() bool { return false }

func (t *reluTrace) hesScale(d, _ []float64, _ bool) []float64 { return t.masked(d) }
