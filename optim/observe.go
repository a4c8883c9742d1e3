package optim

import (
	"math"

	"diaghess/gpu"
)

// Observation describes the curvature that a rule used at the last step.
type Observation struct {
	Norm     float64 // of h, Euclidean
	Negative float64 // share of the entries of h that are below 0
	// Clipped is the share of the coordinates that Sophia clipped.
	Clipped *float64
	// Damped is how many tensors had a negative curvature, which DiagHess's
	// damping made up for.
	Damped *int
}

// observer is a rule that has more to say about its curvature. slots are in the
// order of Rule.Slots, and all slices a tensor's.
type observer interface {
	// observe returns how many coordinates of a tensor the rule clipped, and
	// whether it damped the tensor.
	observe(g, h []float32, slots [][]float32) (clipped int, damped bool)
	// observed keeps of the two what means something.
	observed(o *Observation, clipped float64, damped int)
}

// Observe describes the last step. Call it between steps: it copies all buffers from the
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
	g, err := download(b.Gradients)
	if err != nil {
		return nil, err
	}
	var slots [][]float32
	for _, slot := range b.Slots {
		s, err := download(slot)
		if err != nil {
			return nil, err
		}
		slots = append(slots, s)
	}

	seen := &Observation{}
	rule, more := o.Rule.(observer)
	elements, negative, clipped, damped := 0, 0, 0, 0
	for i, offset := range o.tensors.Offsets {
		end := offset + o.tensors.Lengths[i]
		elements += end - offset
		for _, v := range h[offset:end] {
			seen.Norm += float64(v) * float64(v)
			if v < 0 {
				negative++
			}
		}
		if more {
			var of [][]float32
			for _, s := range slots {
				of = append(of, s[offset:end])
			}
			n, raised := rule.observe(g[offset:end], h[offset:end], of)
			clipped += n
			if raised {
				damped++
			}
		}
	}
	seen.Norm = math.Sqrt(seen.Norm)
	if math.IsNaN(seen.Norm) || math.IsInf(seen.Norm, 0) {
		return nil, nil
	}
	seen.Negative = float64(negative) / float64(elements)
	if more {
		rule.observed(seen, float64(clipped)/float64(elements), damped)
	}
	return seen, nil
}
