package optim

import (
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Rule is an update rule with its settings.
type Rule interface {
	// Name is the rule's name in a spec: "adamw".
	Name() string
	// Slots returns the names of the rule's slots: tensors that it keeps from step
	// to step. Each has the layout of the parameters and is zero at first.
	Slots() []string
	// Coefficients returns the row of the coefficient table for a step, counted from
	// 1, at the given learning rate. The rule's file says what the numbers are.
	Coefficients(step int, rate float32) [kernels.CoefficientWords]float32
	// Record records the kernels that update all parameters by one step.
	Record(r *gpu.Recorder, b *Buffers)

	tunables() []tunable
	// schedule returns the learning rate and how it changes.
	schedule() *Schedule
}

// Buffers is the memory that a rule's kernel reads and writes, see package kernels,
// update.go. Values, Gradients, Curvature and each slot have the same layout.
type Buffers struct {
	Values, Gradients gpu.Slice[float32]
	// Curvature is the diagonal of the curvature, or null for none.
	Curvature gpu.Slice[float32]
	// NonNegative says that no entry of Curvature is negative.
	NonNegative   bool
	Slots         []gpu.Slice[float32] // in the order of Rule.Slots
	Chunks, First gpu.Slice[uint32]    // see kernels.ChunkTable
	Coefficients  gpu.Slice[float32]   // [steps, kernels.CoefficientWords]
	State         gpu.Slice[uint32]    // [kernels.StateWords]

	stream gpu.Stream
	arena  *gpu.Arena
	// scratch is what a rule's kernels leave to each other; the first
	// Optimizer.Record allocates it.
	scratch *gpu.Scratch
}

// power is float32 pow as the pilot and Keras evaluate it: base and result are rounded
// to float32.
func power(base float64, exponent int) float32 {
	return float32(math.Pow(float64(float32(base)), float64(exponent)))
}

func root(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// flag is a bool as a kernel's parameter.
func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
