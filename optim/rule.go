package optim

import (
	"math"

	"diaghess/nearest/keys"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Rule is an update rule with its settings: one whose kernels are written by hand, or a
// [FileRule].
type Rule interface {
	// Name is the rule's name in a spec: "adamw".
	Name() string
	// Slots returns the names of the rule's slots: tensors that it keeps from step
	// to step. Each has the layout of the parameters.
	Slots() []string

	// ownKeys are the keys of a spec that the rule has besides those of [Before].
	ownKeys() []keys.Key
	// before returns what is done before each update.
	before() *Before
	// schedule returns the learning rate and how it changes.
	schedule() *Schedule
	// bind binds the rule to the memory of a run, and reserves what else it needs in the arena
	// of the buffers.
	bind(b *Buffers) (update, error)
}

// update is a rule bound to the memory of a run.
type update interface {
	// Record records the kernels that update all parameters by one step.
	Record(r *gpu.Recorder)
}

// Buffers is the memory that a rule's kernels read and write, see package kernels,
// update.go. Values, Gradients, Curvature and each slot have the same layout.
type Buffers struct {
	Values, Gradients gpu.Slice[float32]
	// Curvature is the diagonal of the curvature, or null for none.
	Curvature gpu.Slice[float32]
	// NonNegative says that no entry of Curvature is negative.
	NonNegative   bool
	Slots         []gpu.Slice[float32] // in the order of Rule.Slots
	Chunks, First gpu.Slice[uint32]    // see kernels.ChunkTable
	Coefficients  gpu.Slice[float32]   // of a rule by hand: [steps, kernels.CoefficientWords]
	State         gpu.Slice[uint32]    // [kernels.StateWords]

	tensors    Tensors
	run        Length
	rates      []float64          // of each step
	loss       gpu.Slice[float32] // see Optimizer.Loss
	evaluation gpu.Slice[float32] // see Optimizer.RecordEvaluation
	stream     gpu.Stream
	arena      *gpu.Arena
	// scratch is what a rule's kernels leave to each other; the first
	// Optimizer.Record allocates it.
	scratch *gpu.Scratch
	// newtonSchulz and scales, one for each tensor, are Muon's.
	newtonSchulz *newtonSchulz
	scales       gpu.Slice[float32]
}

// handwritten is a rule whose kernels are part of package kernels.
type handwritten interface {
	Rule
	// Coefficients returns the row of the coefficient table for a step, counted from
	// 1, at the given learning rate. The rule's file says what the numbers are.
	Coefficients(step int, rate float32) [kernels.CoefficientWords]float32
	// Record records the kernels that update all parameters by one step.
	Record(r *gpu.Recorder, b *Buffers)
}

// bindByHand is the method bind of such a rule.
func bindByHand(rule handwritten, b *Buffers) (update, error) {
	// The table here and on the device.
	if err := gpu.CheckBuffer(len(b.rates) * 2 * kernels.CoefficientWords * 4); err != nil {
		return nil, err
	}
	table := make([]float32, 0, len(b.rates)*kernels.CoefficientWords)
	for i, rate := range b.rates {
		row := rule.Coefficients(i+1, float32(rate))
		table = append(table, row[:]...)
	}
	b.Coefficients = gpu.ReserveCopy(b.arena, table)
	return boundByHand{rule, b}, nil
}

type boundByHand struct {
	rule handwritten
	b    *Buffers
}

func (u boundByHand) Record(r *gpu.Recorder) { u.rule.Record(r, u.b) }

// power is float32 pow as the pilot and Keras evaluate it: base and result are rounded
// to float32.
func power(base float64, exponent int) float32 {
	return float32(math.Pow(float64(float32(base)), float64(exponent)))
}

func root(v float32) float32 { return float32(math.Sqrt(float64(v))) }
