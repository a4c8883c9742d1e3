package blocks

import "math"

// Size is how many elements a block should have: 2 KiB. Then the arrays and results that a rule
// works on lie in half of the first cache, which is what a thread has that shares it.
const Size = 512

// Operand is what an operation reads: the elements of a block, or one number for all elements.
type Operand struct {
	Block  []float32 // nil for a number
	Number float32
}

// Condition is the operand that holds for all elements, or for none.
func Condition(holds bool) Operand { return Operand{Number: condition(holds)} }

// values returns the operand's elements, and a mask for their indices: 0 for a number, so that
// one element stands for all.
func (x Operand) values() (elements []float32, mask int) {
	if x.Block == nil {
		return []float32{x.Number}, 0
	}
	return x.Block, -1
}

// condition returns an element of a condition.
func condition(holds bool) float32 {
	if holds {
		return math.Float32frombits(math.MaxUint32)
	}
	return 0
}
