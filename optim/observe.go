package optim

import (
	"math"

	"diaghess/gpu"
)

// Observation describes the curvature that a rule used at the last step.
type Observation struct {
	Norm     float64 // of h, Euclidean
	Negative float64 // share of the entries of h that are below 0
	// Damped is how many tensors had a negative curvature, which DiagHess's
	// damping made up for.
	Damped *int
}

// damper is a rule that makes up for a negative curvature.
type damper interface {
	// damps says whether it does so in a tensor.
	damps(g, h []float32) bool
}

// Observe describes the last step. Call it between steps: it copies buffers from the
// device. It returns nil for a rule without curvature, and if h is not finite. The error
// is that of a copy.
func (o *Optimizer) Observe() (*Observation, error) {
	b := &o.buffers
	if b.Curvature.IsNull() {
		return nil, nil
	}
	download := func(s gpu.Slice[float32]) ([]float32, error) {
		host := make([]float32, s.Len())
		return host, gpu.Download(b.stream, host, s)
	}
	h, err := download(b.Curvature)
	if err != nil {
		return nil, err
	}
	rule, damps := o.Rule.(damper)
	var g []float32
	if damps {
		if g, err = download(b.Gradients); err != nil {
			return nil, err
		}
	}
	seen := &Observation{}
	elements, negative, damped := 0, 0, 0
	for i, offset := range o.tensors.Offsets {
		end := offset + o.tensors.Lengths[i]
		elements += end - offset
		for _, v := range h[offset:end] {
			seen.Norm += float64(v) * float64(v)
			if v < 0 {
				negative++
			}
		}
		if damps && rule.damps(g[offset:end], h[offset:end]) {
			damped++
		}
	}
	seen.Norm = math.Sqrt(seen.Norm)
	if math.IsNaN(seen.Norm) || math.IsInf(seen.Norm, 0) {
		return nil, nil
	}
	seen.Negative = float64(negative) / float64(elements)
	if damps {
		seen.Damped = &damped
	}
	return seen, nil
}
