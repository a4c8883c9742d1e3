package kernels

import "diaghess/gpu"

// What changes from one replay of a program to the next lives in a state of
// StateWords words on the device.
const (
	StateStep   = iota // optimizer steps done since the run began
	StateBatch         // batches done in this pass over the data
	StateSample        // samples done in this pass over the data
	StatePass          // passes over the data done before this one
	StateWords
)

// Advance ends a step: it counts the step, its batch and its Rows samples. It
// must come after all kernels that read the state.
type Advance struct {
	State gpu.Slice[uint32] // [StateWords]
	Rows  uint32
}

func (k *Advance) Entry() string  { return "advance" }
func (k *Advance) Grid() gpu.Grid { return gpu.Grid{Blocks: 1, Threads: 1} }
func (k *Advance) Cost() gpu.Cost { return gpu.Cost{Bytes: 24} }
func (k *Advance) Host(lo, hi int) {
	s := k.State.Host()
	s[StateStep]++
	s[StateBatch]++
	s[StateSample] += k.Rows
}
