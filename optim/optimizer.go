package optim

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// Tensors describes the tensors that an optimizer updates. Values and Gradients hold
// all of them. Offsets and Lengths have one number for each tensor, in elements.
type Tensors struct {
	Values, Gradients gpu.Slice[float32]
	Offsets, Lengths  []int
}

// TensorsOf returns the buffers of a network's values and gradients, and the offset and
// length of each parameter in them, in the order of Network.Parameters.
func TensorsOf(n *layers.Network) Tensors {
	t := Tensors{Values: n.Values, Gradients: n.Gradients}
	for _, p := range n.Parameters {
		t.Offsets = append(t.Offsets, p.Offset)
		t.Lengths = append(t.Lengths, p.Elements())
	}
	return t
}

// Optimizer is a rule bound to tensors on a device.
type Optimizer struct {
	Rule Rule
	// Slots holds the rule's slots one after the other, each with the layout of
	// Tensors.Values. A checkpoint stores them.
	Slots gpu.Slice[float32]
	// State counts the steps; see package kernels, state.go.
	State gpu.Slice[uint32]

	tensors Tensors
	buffers Buffers
}

// New binds a rule to tensors for a run of the given length. curvature is the diagonal
// that the rule uses, with the layout of t.Values, or null for none. nonNegative says that
// no entry of it is negative. New allocates the slots and uploads the table of
// coefficients, [run.Steps, kernels.CoefficientWords]. It returns an error if the schedule
// does not fit the run, or if the device has too little memory.
func New(stream gpu.Stream, rule Rule, t Tensors, run Length, curvature gpu.Slice[float32], nonNegative bool) (*Optimizer, error) {
	fail := func(err error) (*Optimizer, error) {
		return nil, fmt.Errorf("optimizer %s: %w", rule.Name(), err)
	}
	rates, err := rule.schedule().Rates(run)
	if err != nil {
		return fail(err)
	}
	table := make([]float32, 0, len(rates)*kernels.CoefficientWords)
	for i, rate := range rates {
		row := rule.Coefficients(i+1, rate)
		table = append(table, row[:]...)
	}
	chunks, first := kernels.ChunkTable(t.Offsets, t.Lengths)

	n, a := t.Values.Len(), gpu.NewArena(stream)
	o := &Optimizer{
		Rule: rule, tensors: t,
		Slots: gpu.Reserve[float32](a, len(rule.Slots())*n), State: gpu.Reserve[uint32](a, kernels.StateWords),
	}
	b := &o.buffers
	*b = Buffers{
		Values: t.Values, Gradients: t.Gradients, Curvature: curvature, NonNegative: nonNegative, State: o.State,
		Chunks: gpu.ReserveCopy(a, chunks), First: gpu.ReserveCopy(a, first), Coefficients: gpu.ReserveCopy(a, table),
		stream: stream, arena: a,
	}
	for i := range rule.Slots() {
		b.Slots = append(b.Slots, o.Slots.Sub(i*n, (i+1)*n))
	}
	if err := a.Allocate(); err != nil {
		return fail(err)
	}
	b.scratch = a.Scratch(2)
	return o, nil
}

// Slot returns a slot by its name, with the layout of Tensors.Values. It panics if the
// rule has no such slot.
func (o *Optimizer) Slot(name string) gpu.Slice[float32] {
	for i, slot := range o.Rule.Slots() {
		if slot == name {
			return o.buffers.Slots[i]
		}
	}
	panic(fmt.Sprintf("optim: %s has no slot %q", o.Rule.Name(), name))
}

// Record records the update of all tensors. The kernel kernels.Advance counts the step.
// The error is that of an allocation.
func (o *Optimizer) Record(r *gpu.Recorder) error {
	r.Group("update", func() { o.Rule.Record(r, &o.buffers) })
	return o.buffers.arena.Allocate()
}
