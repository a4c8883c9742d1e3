package golden

import (
	"fmt"
	"slices"

	"diaghess/optim"
)

// Reference is a trajectory of an optimizer, made by another program: the authors' where
// there is one. It starts from given weights and has given gradients.
type Reference struct {
	Name      string // of the optimizer and its settings: "lion/decay"
	Optimizer string // the spec of the same optimizer here: "lion:lr=1e-4,..."
	Program   string // which program made the trajectory, with its version
	Run       optim.Length
	Tensors   []ReferenceTensor
	Saved     []Saved // at some steps, ascending

	noise []float32
	shift int
}

// ReferenceTensor is a tensor that an optimizer of a [Reference] updates.
type ReferenceTensor struct {
	Name    string
	Shape   []int     // as Keras has it: [out], [in, out] or [height, width, in, out]
	Initial []float32 // the weights before the first step, in C order
	Sampled []int32   // ascending: the elements of which the results are known

	first int // the elements of the tensors before it
}

// Saved is what a [Reference] has of a step. The first index is the tensor, the second
// that of an element in its Sampled.
type Saved struct {
	Step int // counted from 1
	W    [][]float32
	Eval [][]float32 // the weights to evaluate, which are W for most optimizers
}

// Gradient returns the gradient of a tensor in a step, counted from 1, in C order.
func (r *Reference) Gradient(tensor, step int) []float32 {
	x := r.Tensors[tensor]
	g := make([]float32, len(x.Initial))
	for i := range g {
		g[i] = r.noise[(x.first+i+r.shift*step)%len(r.noise)]
	}
	return g
}

// References reads the trajectories in the set's cases of kind reference. The README in
// folder reference says how they were made.
func (s *Set) References() (all []*Reference, err error) {
	cases, err := s.Cases("reference")
	if err != nil {
		return nil, err
	}
	err = caught(func() {
		for _, c := range cases {
			all = append(all, references(c)...)
		}
	})
	return all, err
}

func references(c *Case) (all []*Reference) {
	config := configOf[struct {
		optimConfig
		StepsPerEpoch int `json:"steps_per_epoch"`
		Shift         int
		Tensors       []struct{ Name string }
		Cases         []struct{ Name, Optimizer, Program string }
	}](c)
	noise := must(Read[float32](c, "noise")).Values
	if len(noise) == 0 {
		demand(fmt.Errorf("golden case %s: array noise is empty", c.Name))
	}
	var tensors []ReferenceTensor
	first, samples := 0, 0
	for _, x := range config.Tensors {
		w, sampled := must(Read[float32](c, "w0/"+x.Name)), must(Read[int32](c, "sampled/"+x.Name)).Values
		if slices.ContainsFunc(sampled, func(i int32) bool { return i < 0 || int(i) >= len(w.Values) }) {
			demand(fmt.Errorf("golden case %s: tensor %s: a sampled element is none of its %d", c.Name, x.Name, len(w.Values)))
		}
		tensors = append(tensors, ReferenceTensor{Name: x.Name, Shape: w.Shape, Initial: w.Values, Sampled: sampled, first: first})
		first, samples = first+len(w.Values), samples+len(sampled)
	}
	for _, of := range config.Cases {
		r := &Reference{
			Name: of.Name, Optimizer: of.Optimizer, Program: of.Program,
			Run:     optim.Length{Steps: config.Steps, StepsPerEpoch: config.StepsPerEpoch},
			Tensors: tensors, noise: noise, shift: config.Shift,
		}
		w := must(Read[float32](c, r.Name+"/w"))
		eval := w
		if c.arrays[r.Name+"/eval.npy"] != nil {
			eval = must(Read[float32](c, r.Name+"/eval"))
		}
		if want := []int{len(config.SavedAfter), samples}; !slices.Equal(w.Shape, want) || !slices.Equal(eval.Shape, want) {
			demand(fmt.Errorf("golden case %s: the arrays of %s have shapes %v and %v, want %v", c.Name, r.Name, w.Shape, eval.Shape, want))
		}
		for i, step := range config.SavedAfter {
			r.Saved = append(r.Saved, Saved{Step: step, W: r.split(w.At(i)), Eval: r.split(eval.At(i))})
		}
		all = append(all, r)
	}
	return all
}

// split divides the sampled elements of all tensors by tensor.
func (r *Reference) split(all []float32) (parts [][]float32) {
	for _, x := range r.Tensors {
		parts, all = append(parts, all[:len(x.Sampled)]), all[len(x.Sampled):]
	}
	return parts
}
