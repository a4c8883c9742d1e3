package main

import (
	"fmt"
	"math/bits"

	"diaghess/gpu/cpu/asm"
)

// A loop is the vector function of an operation. A turn of the loop does several vectors. It reads
// the next elements of an operand that is a block, and for a number the same copies of it.
type loop struct {
	name     string // of the function, after "vector"
	operands int
	element  int // bytes of an operand's element
	lanes    int // elements of a vector
	vectors  int // of a turn
	results  int // bytes of an element's result, or 0 if all turns have the same
	// before and after stand around the loop. body does one vector of the turn: to is the place
	// of its results, and from are those of the operands, all in memory.
	before, after func(f *asm.File)
	body          func(f *asm.File, vector int, to string, from []string)
}

// The offsets of the fields of type arguments in package blocks.
const (
	offsetTo       = 0
	offsetGroups   = 8
	offsetOperands = 16
	operandBytes   = 16
	offsetNumber   = 8
)

// groupElements is that of package blocks.
const groupElements = 32

// pointers and steps hold where the loop is in an operand, and how far a turn moves that.
var (
	pointers = [...]string{"SI", "R8", "R9"}
	steps    = [...]string{"R10", "R11", "R12"}
)

// write writes the function. Copies of numbers, as many as a turn reads, lie in the frame.
func (l *loop) write(f *asm.File) {
	vector := l.element * l.lanes // bytes
	turn := vector * l.vectors
	turns := bits.TrailingZeros(uint(groupElements * l.element / turn)) // in a group: the exponent of a power of 2
	if groupElements*l.element != turn<<turns {
		panic(l.name + ": the turns of a group are no power of 2")
	}
	copies := max(turn, asm.AVX2.Bytes())
	f.Text("vector"+l.name, "arguments", copies*l.operands+asm.AVX2.Bytes())
	f.Emit("MOVQ %d(R13), CX", offsetGroups)
	f.Emit("TESTQ CX, CX")
	f.Emit("JNE groups")
	f.Emit("RET")
	f.Label("groups")
	if turns > 0 {
		f.Emit("SHLQ $%d, CX", turns)
	}
	f.Emit("MOVQ %d(R13), DI", offsetTo)
	f.Emit("LEAQ %d(SP), AX", asm.AVX2.Bytes()-1)
	f.Emit("ANDQ $%d, AX", -asm.AVX2.Bytes()) // a vector does not cross cache lines
	for n := range l.operands {
		at := offsetOperands + operandBytes*n
		f.Emit("MOVQ $%d, %s", turn, steps[n])
		f.Emit("MOVQ %d(R13), %s", at, pointers[n])
		f.Emit("TESTQ %s, %[1]s", pointers[n])
		f.Emit("JNE block%d", n)
		f.Emit("XORQ %s, %[1]s", steps[n])
		f.Emit("LEAQ %d(AX), %s", copies*n, pointers[n])
		f.Emit("VBROADCASTSS %d(R13), Y0", at+offsetNumber)
		for offset := 0; offset < copies; offset += asm.AVX2.Bytes() {
			f.Emit("VMOVUPS Y0, %d(%s)", offset, pointers[n])
		}
		f.Label(fmt.Sprintf("block%d", n))
	}
	if l.before != nil {
		l.before(f)
	}
	f.Label("turn")
	for v := range l.vectors {
		var from []string
		for n := range l.operands {
			from = append(from, fmt.Sprintf("%d(%s)", vector*v, pointers[n]))
		}
		l.body(f, v, fmt.Sprintf("%d(DI)", l.results*l.lanes*v), from)
	}
	if l.results > 0 {
		f.Emit("ADDQ $%d, DI", l.results*l.lanes*l.vectors)
	}
	for n := range l.operands {
		f.Emit("ADDQ %s, %s", steps[n], pointers[n])
	}
	f.Emit("DECQ CX")
	f.Emit("JNE turn")
	if l.after != nil {
		l.after(f)
	}
	f.Return()
}
