package rulefile

import (
	"math"
	"slices"
)

// State is what a rule keeps from step to step: an array of elements for each tensor.
type State struct {
	Weights [][]float32   // [tensor][element]
	Slots   [][][]float32 // [slot][tensor][element]
}

// Start returns the state before the first step. It copies the weights.
func (r *Rule) Start(weights [][]float32) *State {
	s := &State{Weights: copied(weights)}
	for _, slot := range r.Slots {
		values := copied(weights)
		for _, tensor := range values {
			for i := range tensor {
				if !slot.Weight {
					tensor[i] = slot.Initial
				}
			}
		}
		s.Slots = append(s.Slots, values)
	}
	return s
}

func copied(tensors [][]float32) (all [][]float32) {
	for _, t := range tensors {
		all = append(all, slices.Clone(t))
	}
	return all
}

// array returns an array of the state by its name.
func (s *State) array(r *Rule, name string) *[][]float32 {
	if name == "w" {
		return &s.Weights
	}
	return &s.Slots[slices.Index(r.slotNames(), name)]
}

// Interpret computes a step, counted from 0, one operation after the other, without passes. It
// is slow and simple: what a test compares the other bodies of the rule with. curvature may be
// nil for a program that does not read h. Gradients and curvature have the tensors of the
// weights, and the coefficients' run has their shapes.
func (p *Program) Interpret(c *Coefficients, step int, s *State, gradients, curvature [][]float32, loss float32) {
	m := p.machine(c, step, s, gradients, curvature, loss)
	for i, v := range p.Values {
		if !v.Host {
			m.compute(i)
		}
	}
	m.store(s, p.Stores)
}

// InterpretEvaluation computes the weights for evaluation after a step. They are the weights
// of a rule without others.
func (p *Program) InterpretEvaluation(c *Coefficients, s *State) [][]float32 {
	if p.Evaluation == nil {
		return copied(s.Weights)
	}
	m := p.machine(c, 0, s, nil, nil, 0)
	e := p.Evaluation
	for _, r := range e.Reads {
		m.compute(r.Value)
	}
	for _, i := range slices.Concat(e.Scalars, e.Values) {
		m.compute(i)
	}
	return m.elements(e.Stores[0].Value)
}

// machine computes the device's values of a step, each for all tensors.
type machine struct {
	p      *Program
	c      *Coefficients
	step   int
	loss   float32
	arrays map[string][][]float32
	sizes  []int         // elements of the tensors
	x      [][][]float32 // [value][tensor]: one number, or one for each element
}

func (p *Program) machine(c *Coefficients, step int, s *State, gradients, curvature [][]float32, loss float32) *machine {
	m := &machine{p: p, c: c, step: step, loss: loss, x: make([][][]float32, len(p.Values))}
	m.arrays = map[string][][]float32{"w": s.Weights, "g": gradients, "h": curvature}
	for i, slot := range p.Rule.Slots {
		m.arrays[slot.Name] = s.Slots[i]
	}
	for _, tensor := range s.Weights {
		m.sizes = append(m.sizes, len(tensor))
	}
	return m
}

// elements returns a value for each element of each tensor, as a copy.
func (m *machine) elements(value int) (all [][]float32) {
	for tensor, size := range m.sizes {
		x := m.x[value][tensor]
		if len(x) == 1 {
			x = slices.Repeat(x, size)
		}
		all = append(all, slices.Clone(x))
	}
	return all
}

func (m *machine) store(s *State, stores []Store) {
	for _, store := range stores {
		*s.array(m.p.Rule, store.Array) = m.elements(store.Value)
	}
}

// compute computes a value of the device from its operands.
func (m *machine) compute(value int) {
	v := &m.p.Values[value]
	if v.Op.Reduces() {
		m.x[value] = m.reduce(v)
		return
	}
	m.x[value] = nil
	for tensor := range m.sizes {
		var x []float32
		switch v.Op {
		case OpLoad:
			x = m.arrays[v.Name][tensor]
		case OpLoss:
			x = []float32{m.loss}
		case OpNumber:
			x = []float32{float32(v.Number)}
		case OpRound:
			x = []float32{m.coefficient(value, tensor)}
		default:
			x = m.operation(v, tensor)
		}
		m.x[value] = append(m.x[value], x)
	}
}

func (m *machine) operation(v *Value, tensor int) []float32 {
	n := 1
	for _, a := range v.Args {
		n = max(n, len(m.x[a][tensor]))
	}
	result := make([]float32, n)
	for i := range result {
		var a [3]float32
		for j, arg := range v.Args {
			if x := m.x[arg][tensor]; len(x) == 1 {
				a[j] = x[0]
			} else {
				a[j] = x[i]
			}
		}
		switch v.Op {
		case OpExp:
			result[i] = Exp32(a[0])
		case OpLog:
			result[i] = Log32(a[0])
		default:
			result[i] = arithmetic(v.Op, a[0], a[1], a[2])
		}
	}
	return result
}

// coefficient returns the number of an OpRound.
func (m *machine) coefficient(value, tensor int) float32 {
	switch m.p.Values[value].Kind {
	case Const:
		return m.c.Constants[slices.Index(m.p.Constants, value)]
	case Step:
		return m.c.Steps[m.step*len(m.p.Steps)+slices.Index(m.p.Steps, value)]
	}
	return m.c.Tables[tensor*len(m.p.Tables)+slices.Index(m.p.Tables, value)]
}

// The order of sums: see the package's comment.
const (
	chunkElements = 4096
	chunkColumns  = 1024
	sumColumns    = 256
)

// reduced is what the reductions of an array are made of.
type reduced struct {
	least, greatest float32
	sum             float64 // of elements, or of their squares
	count           int
}

// reduce returns a reduction's result for each tensor.
func (m *machine) reduce(v *Value) (results [][]float32) {
	var parts []reduced
	for _, x := range m.elements(v.Args[0]) {
		// slices.Min and slices.Max return NaN if there is one.
		parts = append(parts, reduced{slices.Min(x), slices.Max(x), chunked(x, v.Op == OpReduceNorm), len(x)})
	}
	if v.Name == "all" {
		parts = slices.Repeat([]reduced{together(parts)}, len(parts))
	}
	for _, r := range parts {
		var result float32
		switch v.Op {
		case OpReduceMin:
			result = r.least + 0 // +0 of either zero
		case OpReduceMax:
			result = r.greatest + 0
		case OpReduceSum:
			result = float32(r.sum)
		case OpReduceMean:
			result = float32(r.sum / float64(r.count))
		case OpReduceNorm:
			result = float32(math.Sqrt(r.sum))
		}
		results = append(results, []float32{result})
	}
	return results
}

// together makes one array of those of all tensors.
func together(parts []reduced) reduced {
	all := parts[0]
	var sums []float64
	for i, r := range parts {
		sums = append(sums, r.sum)
		if i > 0 {
			all.least, all.greatest, all.count = min(all.least, r.least), max(all.greatest, r.greatest), all.count+r.count
		}
	}
	all.sum = columns(sums, sumColumns)
	return all
}

// chunked sums the elements of a tensor, or their squares.
func chunked(x []float32, squares bool) float64 {
	var sums []float64
	for chunk := range slices.Chunk(x, chunkElements) {
		wide := make([]float64, len(chunk))
		for i, v := range chunk {
			wide[i] = float64(v)
			if squares {
				wide[i] = float64(v) * float64(v)
			}
		}
		sums = append(sums, columns(wide, chunkColumns))
	}
	return columns(sums, sumColumns)
}

// columns adds numbers column by column in turn, then the columns by halves.
func columns(x []float64, count int) float64 {
	sums := make([]float64, count)
	for i, v := range x {
		sums[i%count] += v
	}
	for n := count / 2; n > 0; n /= 2 {
		for i := range n {
			sums[i] += sums[i+n]
		}
	}
	return sums[0]
}
