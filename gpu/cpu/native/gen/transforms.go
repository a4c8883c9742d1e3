package main

import (
	"fmt"

	"diaghess/gpu/cpu/asm"
)

// The transforms of Winograd's F(4x4, 3x3) and F(3x3, 4x4) on vectors of channels,
// with the points 0, p, -p, q, -q and infinity (Toom-Cook: a point a has the row
// [1, a, a^2, ...] / N(a) in the transform of the filter, N(a) the product of its
// distances to the others, and the coefficients of the product of x - b over the
// others b in the one of the input). Each is a one-dimensional transform of the
// columns into scratch memory and one of the rows out of it. With p = 11/16 and
// q = 3/2 the error is the least of those tried, half of that of 1 and 2.
const (
	p, q   = 0.6875, 1.5
	pp, qq = p * p, q * q
	n0     = pp * qq
	np     = 2 * pp * (pp - qq)
	nq     = 2 * qq * (qq - pp)
)

type transform struct {
	name      string
	from, to  int // extent of the squares
	constants []float64
	// line transforms registers 0 to from-1 to registers 6 to 6+to-1; r(n) names
	// register n, c(n) constant n.
	line func(f *asm.File, r, c func(n int) string)
}

func (t transform) write(f *asm.File, i asm.ISA) {
	f.Text(fmt.Sprintf("%s%d", t.name, i.Lanes()), "transform", 0)
	f.Emit("MOVQ 0(R13), DI")
	f.Emit("MOVQ 8(R13), R8")
	f.Emit("MOVQ 16(R13), R9")
	f.Emit("MOVQ 24(R13), SI")
	f.Emit("MOVQ 32(R13), R10")
	f.Emit("MOVQ 40(R13), R11")
	f.Emit("MOVQ 48(R13), CX")
	f.Emit("MOVQ 56(R13), DX")
	inRegisters := 4 // the rest are operands in memory
	if i == asm.AVX512 {
		inRegisters = 20
	}
	c := func(n int) string {
		if n < inRegisters {
			return i.Reg(12 + n)
		}
		return f.Float(t.constants[n])
	}
	for n := range min(inRegisters, len(t.constants)) {
		f.Emit("VMOVUPS %s, %s", f.Float(t.constants[n]), i.Reg(12+n))
	}
	f.Label("next") // unrolled: with loops over columns and rows it is slower
	f.Emit("MOVQ DI, AX")
	for column := range t.from {
		access(f, i, "AX", "R8", t.from, 0, true)
		t.line(f, i.Reg, c)
		for r := range t.to {
			f.Emit("VMOVUPS %s, %d(DX)", i.Reg(6+r), (r*t.from+column)*i.Bytes())
		}
		if column < t.from-1 {
			f.Emit("ADDQ R9, AX")
		}
	}
	f.Emit("MOVQ SI, AX")
	for r := range t.to {
		for column := range t.from {
			f.Emit("VMOVUPS %d(DX), %s", (r*t.from+column)*i.Bytes(), i.Reg(column))
		}
		t.line(f, i.Reg, c)
		access(f, i, "AX", "R11", t.to, 6, false)
		if r < t.to-1 {
			f.Emit("ADDQ R10, AX")
		}
	}
	f.Emit("ADDQ $%d, DI", i.Bytes())
	f.Emit("ADDQ $%d, SI", i.Bytes())
	f.Emit("DECQ CX")
	f.Emit("JNE next")
	f.Return()
}

// access loads or stores n vectors a step apart.
func access(f *asm.File, i asm.ISA, base, step string, n, register int, load bool) {
	f.Emit("MOVQ %s, BX", base)
	for k := range n {
		address := []string{"(BX)", "(BX)(" + step + "*1)", "(BX)(" + step + "*2)"}[k%3]
		if k == 3 {
			f.Emit("LEAQ (BX)(%s*2), BX", step)
			f.Emit("ADDQ %s, BX", step)
		}
		if load {
			f.Emit("VMOVUPS %s, %s", address, i.Reg(register+k))
		} else {
			f.Emit("VMOVUPS %s, %s", i.Reg(register+k), address)
		}
	}
}

// pair is even + odd and even - odd, odd in the first.
func pair(f *asm.File, even, odd, plus, minus string) {
	f.Emit("VSUBPS %s, %s, %s", odd, even, minus)
	f.Emit("VADDPS %s, %s, %s", odd, even, plus)
}

// folded is the sums and differences of registers 1 and 2 (to 8 and 7), and of 3
// and 4 (to 10 and 11), and the first output, 6.
func folded(f *asm.File, r func(int) string) {
	pair(f, r(1), r(2), r(8), r(7))
	pair(f, r(3), r(4), r(10), r(11))
	f.Emit("VADDPS %s, %s, %s", r(8), r(0), r(6))
	f.Emit("VADDPS %s, %s, %s", r(10), r(6), r(6))
}

var transforms = []transform{
	{"transformInput", 6, 6, []float64{n0, pp + qq, qq, pp, p, q}, func(f *asm.File, r, c func(int) string) {
		f.Emit("VMOVAPS %s, %s", r(4), r(6)) // d4 - (pp + qq) d2 + pp qq d0
		f.Emit("VFNMADD231PS %s, %s, %s", c(1), r(2), r(6))
		f.Emit("VFMADD231PS %s, %s, %s", c(0), r(0), r(6))
		f.Emit("VMOVAPS %s, %s", r(5), r(11)) // the same of d5, d3 and d1
		f.Emit("VFNMADD231PS %s, %s, %s", c(1), r(3), r(11))
		f.Emit("VFMADD231PS %s, %s, %s", c(0), r(1), r(11))
		for n, point := range []int{5, 4} { // (d4 - bb d2) +- a (d3 - bb d1), b the other point
			plus := 9 - 2*n
			square := 3 - n
			f.Emit("VMOVAPS %s, %s", r(4), r(0))
			f.Emit("VFNMADD231PS %s, %s, %s", c(square), r(2), r(0))
			f.Emit("VMOVAPS %s, %s", r(3), r(5))
			f.Emit("VFNMADD231PS %s, %s, %s", c(square), r(1), r(5))
			f.Emit("VMULPS %s, %s, %s", c(point), r(5), r(5))
			pair(f, r(0), r(5), r(plus), r(plus+1))
		}
	}},
	{"transformOutput", 6, 4, []float64{p, q, pp, qq, p * pp, q * qq}, func(f *asm.File, r, c func(int) string) {
		folded(f, r)
		f.Emit("VMULPS %s, %s, %s", c(4), r(7), r(9))
		f.Emit("VADDPS %s, %s, %s", r(5), r(9), r(9))
		f.Emit("VFMADD231PS %s, %s, %s", c(5), r(11), r(9))
		f.Emit("VMULPS %s, %s, %s", c(0), r(7), r(7))
		f.Emit("VFMADD231PS %s, %s, %s", c(1), r(11), r(7))
		f.Emit("VMULPS %s, %s, %s", c(2), r(8), r(8))
		f.Emit("VFMADD231PS %s, %s, %s", c(3), r(10), r(8))
	}},
	{"transformFilter", 3, 6, []float64{1 / n0, 1 / np, pp / np, p / np, 1 / nq, qq / nq, q / nq}, func(f *asm.File, r, c func(int) string) {
		f.Emit("VMULPS %s, %s, %s", c(0), r(0), r(6))
		f.Emit("VMOVAPS %s, %s", r(2), r(11))
		for n := range 2 {
			f.Emit("VMULPS %s, %s, %s", c(3*n+1), r(0), r(3))
			f.Emit("VFMADD231PS %s, %s, %s", c(3*n+2), r(2), r(3))
			f.Emit("VMULPS %s, %s, %s", c(3*n+3), r(1), r(4))
			pair(f, r(3), r(4), r(7+2*n), r(8+2*n))
		}
	}},
	{"transformOutputGradient", 4, 6, []float64{1 / n0, 1 / np, pp / np, p / np, p * pp / np, 1 / nq, qq / nq, q / nq, q * qq / nq}, func(f *asm.File, r, c func(int) string) {
		f.Emit("VMULPS %s, %s, %s", c(0), r(0), r(6))
		f.Emit("VMOVAPS %s, %s", r(3), r(11))
		for n := range 2 {
			f.Emit("VMULPS %s, %s, %s", c(4*n+1), r(0), r(4))
			f.Emit("VFMADD231PS %s, %s, %s", c(4*n+2), r(2), r(4))
			f.Emit("VMULPS %s, %s, %s", c(4*n+3), r(1), r(5))
			f.Emit("VFMADD231PS %s, %s, %s", c(4*n+4), r(3), r(5))
			pair(f, r(4), r(5), r(7+2*n), r(8+2*n))
		}
	}},
	{"transformFilterGradient", 6, 3, []float64{p, q, pp, qq}, func(f *asm.File, r, c func(int) string) {
		folded(f, r)
		f.Emit("VMULPS %s, %s, %s", c(0), r(7), r(7))
		f.Emit("VFMADD231PS %s, %s, %s", c(1), r(11), r(7))
		f.Emit("VMULPS %s, %s, %s", c(2), r(8), r(8))
		f.Emit("VFMADD231PS %s, %s, %s", c(3), r(10), r(8))
		f.Emit("VADDPS %s, %s, %s", r(5), r(8), r(8))
	}},
}
