package optim

import (
	"fmt"
	"sync"

	"diaghess/gpu"
	"diaghess/nearest/keys"
	"diaghess/optim/curvature"
	"diaghess/optim/rulefile"
)

// Before is what every rule can do before its update, in this order:
//
//	g *= min(1, clip / (norm + 1e-6))    norm of the gradient of all weights, Euclidean
//	w -= lr weight-decay w
//
// With 0, the default, nothing is done. So the decay is decoupled: it is no part of the gradient,
// of its norm or of moments. A rule that has a weight decay of its own has that in its place.
// An estimate of the curvature precedes clipping. If the norm is not finite, the gradient becomes NaN
// and the run diverges.
//
// Both are formulas as rule files have them; in that of clip, w is the gradient.
//
// Source: torch 2.15, torch/nn/utils/clip_grad.py; Loshchilov and Hutter 2019.
type Before struct {
	Clip  float64
	Decay float64
}

func (b *Before) before() *Before { return b }

func (b *Before) keys() []keys.Key {
	return []keys.Key{
		keys.NonNegative("clip", "largest norm of the whole gradient, which is scaled down to it; 0: any", &b.Clip),
		keys.NonNegative("weight-decay", "decoupled weight decay, times the learning rate, before the update", &b.Decay),
	}
}

const clipFormula = `rule clip "clipping by the global norm"
key lr = 1 in [0, inf) "learning rate"
key most = 1 in [0, inf) "largest norm"
norm = all.norm(w)
w *= where(isfinite(norm), min(1, most / (norm + 1e-6)), norm - norm)
`

const decayFormula = `rule decay "decoupled weight decay"
key lr = 1 in [0, inf) "learning rate"
key decay = 0 in [0, inf) "weight decay"
w -= lr * decay * w
`

// formulas returns the sources of clip and decay.
var formulas = sync.OnceValue(func() (all [2]*source) {
	for i, text := range []string{clipFormula, decayFormula} {
		s, err := newSource(rulefile.Parse, "before.go", "", text)
		if err != nil {
			panic(fmt.Sprintf("optim: %v", err))
		}
		all[i] = s
	}
	return all
})

// bind binds what is to be done to the memory of a run.
func (b *Before) bind(buffers *Buffers) ([]update, error) {
	var bound []update
	for i, value := range []float64{b.Clip, b.Decay} {
		if value == 0 {
			continue
		}
		of := *buffers
		of.Curvature, of.Slots, of.evaluation = gpu.Slice[float32]{}, nil, gpu.Slice[float32]{}
		if i == 0 {
			of.Values = buffers.Gradients
		}
		formula := &FileRule{source: formulas()[i], keys: []float64{0, value}, Curvature: curvature.Options{Kind: curvature.None}}
		u, err := formula.bind(&of)
		if err != nil {
			return nil, err
		}
		bound = append(bound, u)
	}
	return bound, nil
}
