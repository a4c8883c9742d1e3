package blocks

import "unsafe"

//go:generate go run ./gen

// A vector function does the whole groups of a block with AVX2, by the operations of the loop
// behind its call, so the results are bit-identical. Without vectors there are no groups. The
// assembly comes from package gen.

// groupElements is the number of elements of a group.
const groupElements = 32

// arguments are those of the assembly, which knows the fields' offsets.
type arguments struct {
	to       unsafe.Pointer
	groups   int
	operands [3]argument
}

// argument is an operand: where its block is, or a number.
type argument struct {
	at     unsafe.Pointer // nil for a number
	number float32
}

// groups returns how many groups n elements have.
func groups(n int) int {
	if !hasVectors {
		return 0
	}
	return n / groupElements
}

// set sets an operand of n elements. It panics if the block is shorter.
func (a *argument) set(x Operand, n int) {
	switch {
	case x.Block == nil:
		a.number = x.Number
	case len(x.Block) < n:
		panic("blocks: an operand has fewer elements than the result")
	default:
		a.at = unsafe.Pointer(unsafe.SliceData(x.Block))
	}
}

// unary, binary and ternary set the arguments of an operation with one, two or three operands.
// They write the fields where they stay. A copy of the struct just after its fields are written
// waits for them, which took as long as the operation.
func (p *arguments) unary(to []float32, x Operand) {
	p.to, p.groups = unsafe.Pointer(unsafe.SliceData(to)), groups(len(to))
	p.operands[0].set(x, len(to))
}

func (p *arguments) binary(to []float32, x, y Operand) {
	p.unary(to, x)
	p.operands[1].set(y, len(to))
}

func (p *arguments) ternary(to []float32, x, y, z Operand) {
	p.binary(to, x, y)
	p.operands[2].set(z, len(to))
}

// done returns how many elements are in the groups.
func (p *arguments) done() int { return p.groups * groupElements }
