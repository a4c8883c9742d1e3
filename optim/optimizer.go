package optim

import (
	"cmp"
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim/curvature"
)

// Tensors describes the tensors that an optimizer updates. Values and Gradients hold
// all of them. Offsets and Lengths have one number for each tensor, in elements.
type Tensors struct {
	Values, Gradients gpu.Slice[float32]
	Offsets, Lengths  []int
	// Shapes has each tensor's shape on the host, with the outputs last. Where it is nil all are
	// vectors.
	Shapes [][]int
}

// TensorsOf returns the buffers of a network's values and gradients, and the offset, length
// and shape of each parameter in them, in the order of Network.Parameters.
func TensorsOf(n *layers.Network) Tensors {
	t := Tensors{Values: n.Values, Gradients: n.Gradients}
	for _, p := range n.Parameters {
		t.Offsets = append(t.Offsets, p.Offset)
		t.Lengths = append(t.Lengths, p.Elements())
		t.Shapes = append(t.Shapes, p.Shape)
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
	// Loss has the mean loss of each batch of an epoch, [steps of an epoch]. Who trains writes
	// that of a step before its update.
	Loss gpu.Slice[float32]

	tensors   Tensors
	buffers   Buffers
	before    []update // see Before
	update    update
	curvature curvature.Options
	estimator curvature.Estimator // nil without
}

// Check returns an error if a rule does not fit a run of the given length of a network of
// the layers. It allocates nothing on a device.
func Check(rule Rule, chain []layers.Layer, run Length) error {
	err := rule.schedule().check(run)
	if err == nil {
		err = CurvatureOf(rule).Fit(chain)
	}
	switch o := rule.(type) {
	case *FileRule:
		err = cmp.Or(err, o.check())
	case *Muon:
		err = cmp.Or(err, o.fit(matrices(chain)))
	}
	if err != nil {
		return fmt.Errorf("optimizer %s: %w", rule.Name(), err)
	}
	return nil
}

// matrices counts the parameters of layers that are no vectors.
func matrices(chain []layers.Layer) (n int) {
	for _, l := range chain {
		switch l.(type) {
		case layers.Conv, layers.Dense:
			n++
		}
	}
	return n
}

// ForNetwork binds a rule to a network's parameters, with the estimator of the curvature
// that it asks for, whose random numbers are of the seed. Batches have to be bound with
// layers.Network.Retain if the rule's curvature.Options.Retains. Errors are those of New
// and of curvature.New.
func ForNetwork(n *layers.Network, rule Rule, run Length, seed uint64) (*Optimizer, error) {
	options := CurvatureOf(rule)
	estimator, err := curvature.New(n, options, run.Steps, seed)
	if err != nil {
		return nil, err
	}
	var diagonal gpu.Slice[float32]
	nonNegative := true
	if estimator != nil {
		diagonal, nonNegative = estimator.Diagonal(), estimator.NonNegative()
	}
	o, err := New(n.Stream, rule, TensorsOf(n), run, diagonal, nonNegative)
	if err == nil {
		o.curvature, o.estimator = options, estimator
	}
	return o, err
}

// Estimates says whether the optimizer has an estimator of the curvature.
func (o *Optimizer) Estimates() bool { return o.estimator != nil }

// Due says whether a step, counted from 0, is one that estimates the curvature.
func (o *Optimizer) Due(step int) bool { return o.Estimates() && o.curvature.Due(step) }

// EstimateEvery is n if one step in n estimates the curvature, and 0 without an estimator.
func (o *Optimizer) EstimateEvery() int {
	if !o.Estimates() {
		return 0
	}
	return o.curvature.Every
}

// RecordEstimate records an estimate of the curvature, behind the backward pass of a batch.
func (o *Optimizer) RecordEstimate(r *gpu.Recorder, b *layers.Batch) error {
	return o.estimator.Record(r, b, o.State)
}

// Keep returns what a checkpoint has to keep beside the parameters, all with the layout
// of Tensors.Values.
func (o *Optimizer) Keep() []gpu.Slice[float32] {
	var keep []gpu.Slice[float32]
	if o.Slots.Len() > 0 {
		keep = append(keep, o.Slots)
	}
	if o.Estimates() {
		keep = append(keep, o.estimator.State()...)
		if !o.estimator.NonNegative() { // Observe looks at the gradients
			keep = append(keep, o.tensors.Gradients)
		}
	}
	return keep
}

// New binds a rule to tensors for a run of the given length. curvature is the diagonal
// that the rule uses, with the layout of t.Values, or null for none. nonNegative says that
// no entry of it is negative. New allocates the slots, with their initial values, and uploads
// what the host computes for all steps. It returns an error if the schedule does not fit the run,
// if the rule does not fit the tensors, or if the device has too little memory.
func New(stream gpu.Stream, rule Rule, t Tensors, run Length, curvature gpu.Slice[float32], nonNegative bool) (*Optimizer, error) {
	fail := func(err error) (*Optimizer, error) {
		return nil, fmt.Errorf("optimizer %s: %w", rule.Name(), err)
	}
	if err := gpu.CheckBuffer(run.Steps * 8); err != nil { // the rates
		return fail(err)
	}
	rates, err := rule.schedule().Rates(run)
	if err != nil {
		return fail(err)
	}
	chunks, first := kernels.ChunkTable(t.Offsets, t.Lengths)

	n, a := t.Values.Len(), gpu.NewArena(stream)
	slots, err := reserveSlots(a, stream, rule, t.Values)
	if err != nil {
		return fail(err)
	}
	o := &Optimizer{
		Rule: rule, tensors: t, Slots: slots, State: gpu.Reserve[uint32](a, kernels.StateWords),
		Loss: gpu.Reserve[float32](a, run.StepsPerEpoch),
	}
	b := &o.buffers
	*b = Buffers{
		Values: t.Values, Gradients: t.Gradients, Curvature: curvature, NonNegative: nonNegative, State: o.State,
		Chunks: gpu.ReserveCopy(a, chunks), First: gpu.ReserveCopy(a, first),
		tensors: t, run: run, rates: rates, loss: o.Loss, stream: stream, arena: a,
	}
	for i := range rule.Slots() {
		b.Slots = append(b.Slots, o.Slots.Sub(i*n, (i+1)*n))
	}
	if Evaluates(rule) {
		b.evaluation = gpu.Reserve[float32](a, n)
	}
	if o.before, err = rule.before().bind(b); err != nil {
		return fail(err)
	}
	if o.update, err = rule.bind(b); err != nil {
		return fail(err)
	}
	if err := a.Allocate(); err != nil {
		return fail(err)
	}
	b.scratch = a.Scratch(2)
	return o, nil
}

// Algorithms returns the name of the algorithm of each matrix product of the rule, for the
// record: "update 64x64x128 backward-data" -> "native product". The numbers are those of
// gpu.ConvolutionShape: batch, inputs, outputs.
func (o *Optimizer) Algorithms() map[string]string {
	names := map[string]string{}
	if n := o.buffers.newtonSchulz; n != nil {
		n.algorithms(names)
	}
	return names
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
	r.Group("update", func() {
		for _, u := range append(o.before, o.update) {
			u.Record(r)
		}
	})
	return o.buffers.arena.Allocate()
}

// RecordEvaluation records the computation of the weights for evaluation, which are returned:
// null for a rule that has none of its own. They have the layout of Tensors.Values.
func (o *Optimizer) RecordEvaluation(r *gpu.Recorder) gpu.Slice[float32] {
	if !o.buffers.evaluation.IsNull() {
		o.update.(interface{ RecordEvaluation(r *gpu.Recorder) }).RecordEvaluation(r)
	}
	return o.buffers.evaluation
}
