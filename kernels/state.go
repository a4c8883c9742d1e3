package kernels

import "diaghess/gpu"

// The state holds what changes from one replay of a program to the next. It has
// StateWords words in device memory.
const (
	StateStep   = iota // optimizer steps done since the run began
	StateBatch         // batches done in this pass over the data
	StateSample        // samples done in this pass over the data
	StatePass          // passes over the data done before this one
	StateWords
)

// Advance ends a step: it counts the step, its batch and its Rows samples in the state. It
// must come after all kernels that read the state.
type Advance struct {
	State gpu.Slice[uint32] // [StateWords]
	Rows  uint32
}

func (k *Advance) Entry() string  { return "advance" }
func (k *Advance) Grid() gpu.Grid { return gpu.Grid{Blocks: 1, Threads: 1} }
func (k *Advance) Cost() gpu.Cost { return gpu.Cost{Bytes: 24} }

// Host counts the step.
func (k *Advance) Host(lo, hi int) {
	s := k.State.Host()
	s[StateStep]++
	s[StateBatch]++
	s[StateSample] += k.Rows
}
