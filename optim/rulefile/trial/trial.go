package trial

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
)

// Trial is a rule whose kernels are tried.
type Trial struct {
	Kernels  *fused.Kernels
	Diagonal rulefile.Diagonal  // for which the kernels are
	Keys     map[string]float64 // number keys, as in rulefile.Run
}

// own says whether the kernel is the user's, which has no other body to compare with.
func (t *Trial) own() bool { return t.Kernels.Program.Rule.Kernel() }

// run is a run of some tensors with constant rates.
func (t *Trial) run(rate float64, steps, stepsPerEpoch int, sizes ...int) rulefile.Run {
	run := rulefile.Run{Keys: t.Keys, StepsPerEpoch: stepsPerEpoch, Rates: slices.Repeat([]float64{rate}, steps)}
	for i, n := range sizes {
		run.Tensors = append(run.Tensors, rulefile.Shape{Elements: n, Rank: []int{1, 2, 4}[i%3]})
	}
	return run
}

// bound is a run of the kernels on a device.
type bound struct {
	*Trial
	name    string // of the device, for messages
	stream  gpu.Stream
	buffers fused.Buffers
	offsets []int
	step    gpu.Program
	eval    gpu.Program // nil without
}

// between is what lies between tensors. No kernel may change it.
var between = math.Float32frombits(0x7fabcdef)

// bind places a run on a stream, at its start.
func (t *Trial) bind(name string, stream gpu.Stream, run rulefile.Run, start *rulefile.State, losses []float32) (*bound, error) {
	b := &bound{Trial: t, name: name, stream: stream}
	n := 0
	for _, shape := range run.Tensors {
		b.offsets = append(b.offsets, n)
		b.buffers.Lengths = append(b.buffers.Lengths, shape.Elements)
		n += (shape.Elements + kernels.TensorAlignment) &^ (kernels.TensorAlignment - 1) // at least one between
	}
	chunks, first := kernels.ChunkTable(b.offsets, b.buffers.Lengths)
	coefficients, err := t.Kernels.Program.Coefficients(run)
	if err != nil {
		return nil, err
	}
	a, u := gpu.NewArena(stream), &b.buffers
	array := func() gpu.Slice[float32] { return gpu.Reserve[float32](a, n) }
	u.Values, u.Gradients = array(), array()
	if t.Diagonal != rulefile.NoDiagonal {
		u.Curvature = array()
	}
	rule := t.Kernels.Program.Rule
	for range rule.Slots {
		u.Slots = append(u.Slots, array())
	}
	if rule.Evaluates {
		u.Evaluation = array()
	}
	u.Chunks, u.First = gpu.ReserveCopy(a, chunks), gpu.ReserveCopy(a, first)
	u.State, u.Loss = gpu.Reserve[uint32](a, kernels.StateWords), gpu.ReserveCopy(a, losses)
	update := t.Kernels.Bind(a, *u, coefficients)
	if err := a.Allocate(); err != nil {
		return nil, err
	}
	err = errors.Join(b.upload(u.Values, start.Weights), b.upload(u.Gradients, nil), b.upload(u.Curvature, nil), b.upload(u.Evaluation, nil))
	for i, slot := range u.Slots {
		err = errors.Join(err, b.upload(slot, start.Slots[i]))
	}
	if err != nil {
		return nil, err
	}
	var r, eval gpu.Recorder
	r.Group("update", func() { update.Record(&r) })
	r.Record(&kernels.Advance{State: u.State, Rows: 1})
	if b.step, err = stream.Compile(r.Ops()); err != nil || !rule.Evaluates {
		return b, err
	}
	eval.Group("evaluation", func() { update.RecordEvaluation(&eval) })
	b.eval, err = stream.Compile(eval.Ops())
	return b, err
}

// upload fills an array with tensors, and what lies between them. A null array takes nothing.
func (b *bound) upload(to gpu.Slice[float32], tensors [][]float32) error {
	if to.IsNull() {
		return nil
	}
	all := slices.Repeat([]float32{between}, to.Len())
	for i, x := range tensors {
		copy(all[b.offsets[i]:], x)
	}
	return gpu.Upload(b.stream, to, all)
}

// download returns the tensors of an array. What lies between them must be as it was.
func (b *bound) download(name string, from gpu.Slice[float32]) (tensors [][]float32, err error) {
	all := make([]float32, from.Len())
	if err := gpu.Download(b.stream, all, from); err != nil {
		return nil, err
	}
	for i, offset := range b.offsets {
		end, next := offset+b.buffers.Lengths[i], len(all)
		if i+1 < len(b.offsets) {
			next = b.offsets[i+1]
		}
		tensors = append(tensors, all[offset:end])
		for j, v := range all[end:next] {
			if math.Float32bits(v) != math.Float32bits(between) {
				return nil, fmt.Errorf("%s: %s is written behind the end of a tensor of %d elements: element %d has become %g", b.name, name, b.buffers.Lengths[i], b.buffers.Lengths[i]+j, v)
			}
		}
	}
	return tensors, nil
}

// array is an array that a rule writes, by tensors.
type array struct {
	name    string
	tensors [][]float32
}

// arrays returns all that the kernels have written, with the weights for evaluation.
func (b *bound) arrays() (all []array, err error) {
	get := func(name string, from gpu.Slice[float32]) {
		tensors, wrong := b.download(name, from)
		all, err = append(all, array{name, tensors}), errors.Join(err, wrong)
	}
	get("w", b.buffers.Values)
	for i, slot := range b.Kernels.Program.Rule.Slots {
		get(slot.Name, b.buffers.Slots[i])
	}
	if b.eval != nil && err == nil {
		if err := b.eval.Run(); err != nil {
			return nil, err
		}
		get("eval", b.buffers.Evaluation)
	}
	return all, err
}

// device opens a device and hands a stream of it to a function.
func device(make func() (gpu.Device, error), use func(gpu.Stream) error) error {
	d, err := make()
	if err != nil {
		return err
	}
	return errors.Join(gpu.WithStream(d, use), d.Close())
}

func processor() (gpu.Device, error) { return cpu.New(cpu.Options{Threads: 1}) }

// budget is how many instructions of warps a launch of the user's kernel may take, which may loop
// forever: 29,000 for each element of Traffic, some seconds.
const budget = 30_000_000

// emulator makes one with checks, in an order of blocks and warps that is random unless 0.
func (t *Trial) emulator(check ptx.Check, order uint64) func() (gpu.Device, error) {
	return func() (gpu.Device, error) {
		o := emu.Options{Source: kernels.Module, Check: check, Order: order, Threads: 1}
		if t.own() {
			o.Budget = budget
		}
		return emu.New(o)
	}
}

// Purposes of random numbers.
const (
	ofWeights = iota
	ofGradients
	ofCurvature
	ofLoss
)

// inputs are random numbers of a run's tensors.
type inputs struct {
	run     rulefile.Run
	h       rulefile.Diagonal
	special bool // some gradients are NaN, infinite, subnormal or -0
}

// some returns tensors of numbers over four decades, of which two percent are 0.
func (in inputs) some(purpose, step int) (tensors [][]float32) {
	r := rand.New(rand.NewPCG(1, uint64(8*step+purpose)))
	for i, shape := range in.run.Tensors {
		x := make([]float32, shape.Elements)
		for j := range x {
			x[j] = float32(r.NormFloat64() * math.Pow(10, -4*r.Float64()))
			if r.IntN(50) == 0 {
				x[j] = 0
			}
			if purpose == ofCurvature && in.h == rulefile.NonNegativeDiagonal {
				x[j] = float32(math.Abs(float64(x[j])))
			}
		}
		if in.special && purpose == ofGradients && i%2 == step%2 {
			for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-42, math.Copysign(0, -1)} {
				x[r.IntN(len(x))] = float32(v)
			}
		}
		tensors = append(tensors, x)
	}
	return tensors
}

// losses are those of all steps.
func (in inputs) losses() (all []float32) {
	for step := range in.run.Rates {
		all = append(all, float32(rand.New(rand.NewPCG(1, uint64(8*step+ofLoss))).ExpFloat64()))
	}
	return all
}
