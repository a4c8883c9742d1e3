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
	// phases make the columns' transform some rows at a time, so that it fits in the
	// registers of AVX-512; without them it goes through scratch memory.
	phases []phase
}

// phase makes one or two rows of the columns' transform: column computes the elements
// to of a column from its elements in memory, with two more registers. It has the
// same operations as line.
type phase struct {
	rows   []int // made
	from   []int // read
	column func(f *asm.File, from func(row int) string, c func(n int) string, to []string, x, y string)
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
	if i == asm.AVX512 && t.phases != nil {
		for _, p := range t.phases {
			t.phase(f, i, p, c)
		}
	} else {
		t.throughScratch(f, i, c)
	}
	f.Emit("ADDQ $%d, DI", i.Bytes())
	f.Emit("ADDQ $%d, SI", i.Bytes())
	f.Emit("DECQ CX")
	f.Emit("JNE next")
	f.Return()
}

// throughScratch transforms the columns into scratch memory, then its rows.
func (t transform) throughScratch(f *asm.File, i asm.ISA, c func(n int) string) {
	f.Emit("MOVQ DI, AX")
	for column := range t.from {
		f.Emit("MOVQ AX, BX")
		access(f, i, "R8", t.from, 0, true)
		t.line(f, i.Reg, c)
		for r := range t.to {
			f.Emit("VMOVUPS %s, %d(DX)", i.Reg(6+r), (r*t.from+column)*i.Bytes())
		}
		if column < t.from-1 {
			f.Emit("ADDQ R9, AX")
		}
	}
	for r := range t.to {
		for column := range t.from {
			f.Emit("VMOVUPS %d(DX), %s", (r*t.from+column)*i.Bytes(), i.Reg(column))
		}
		t.line(f, i.Reg, c)
		row(f, "SI", "R10", r, "BX")
		access(f, i, "R11", t.to, 6, false)
	}
}

// phase makes some rows: their columns into registers 0 to 5 and 24 to 29, then them.
func (t transform) phase(f *asm.File, i asm.ISA, p phase, c func(n int) string) {
	pointers := []string{"AX", "BX", "R12", "DX", "R13"}
	pointer := map[int]string{}
	for n, r := range p.from {
		pointer[r] = pointers[n]
		row(f, "DI", "R8", r, pointers[n])
	}
	made := func(n int) func(int) string {
		return func(r int) string {
			if n == 1 && r < 6 {
				r += 24
			}
			return i.Reg(r)
		}
	}
	for column := range t.from {
		if column == 3 {
			for _, r := range p.from {
				f.Emit("LEAQ (%s)(R9*2), %[1]s", pointer[r])
				f.Emit("ADDQ R9, %s", pointer[r])
			}
		}
		from := func(r int) string {
			return "(" + pointer[r] + ")" + []string{"", "(R9*1)", "(R9*2)"}[column%3]
		}
		var to []string
		for n := range p.rows {
			to = append(to, made(n)(column))
		}
		p.column(f, from, c, to, i.Reg(6), i.Reg(7))
	}
	for n, r := range p.rows {
		t.line(f, made(n), c)
		row(f, "SI", "R10", r, "BX")
		access(f, i, "R11", t.to, 6, false)
	}
}

// row points to row n of a square.
func row(f *asm.File, base, step string, n int, pointer string) {
	switch {
	case n >= 4:
		f.Emit("LEAQ (%s)(%s*4), %s", base, step, pointer)
	case n >= 2:
		f.Emit("LEAQ (%s)(%s*2), %s", base, step, pointer)
	default:
		f.Emit("MOVQ %s, %s", base, pointer)
	}
	if n%2 == 1 {
		f.Emit("ADDQ %s, %s", step, pointer)
	}
}

// access loads or stores n vectors a step apart, from BX on.
func access(f *asm.File, i asm.ISA, step string, n, register int, load bool) {
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
	}, []phase{
		{[]int{0}, []int{0, 2, 4}, inputEnd(0)}, {[]int{5}, []int{1, 3, 5}, inputEnd(1)},
		{[]int{1, 2}, []int{1, 2, 3, 4}, inputPair(2, 4)}, {[]int{3, 4}, []int{1, 2, 3, 4}, inputPair(3, 5)},
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
	}, []phase{
		{[]int{0, 2}, []int{0, 1, 2, 3, 4}, func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
			outputHalf(f, "VADDPS", from, x, y)
			f.Emit("VADDPS %s, %s, %s", from(0), x, to[0])
			f.Emit("VADDPS %s, %s, %s", y, to[0], to[0])
			f.Emit("VMULPS %s, %s, %s", c(2), x, to[1])
			f.Emit("VFMADD231PS %s, %s, %s", c(3), y, to[1])
		}},
		{[]int{1, 3}, []int{1, 2, 3, 4, 5}, func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
			outputHalf(f, "VSUBPS", from, x, y)
			f.Emit("VMULPS %s, %s, %s", c(4), x, to[1])
			f.Emit("VADDPS %s, %s, %s", from(5), to[1], to[1])
			f.Emit("VFMADD231PS %s, %s, %s", c(5), y, to[1])
			f.Emit("VMULPS %s, %s, %s", c(0), x, to[0])
			f.Emit("VFMADD231PS %s, %s, %s", c(1), y, to[0])
		}},
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
	}, nil},
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
	}, []phase{
		{[]int{0}, []int{0}, func(f *asm.File, from func(int) string, c func(int) string, to []string, _, _ string) {
			f.Emit("VMULPS %s, %s, %s", from(0), c(0), to[0])
		}},
		{[]int{5}, []int{3}, func(f *asm.File, from func(int) string, _ func(int) string, to []string, _, _ string) {
			f.Emit("VMOVUPS %s, %s", from(3), to[0])
		}},
		{[]int{1, 2}, []int{0, 1, 2, 3}, outputGradientPair(0)}, {[]int{3, 4}, []int{0, 1, 2, 3}, outputGradientPair(1)},
	}},
	{"transformFilterGradient", 6, 3, []float64{p, q, pp, qq}, func(f *asm.File, r, c func(int) string) {
		folded(f, r)
		f.Emit("VMULPS %s, %s, %s", c(0), r(7), r(7))
		f.Emit("VFMADD231PS %s, %s, %s", c(1), r(11), r(7))
		f.Emit("VMULPS %s, %s, %s", c(2), r(8), r(8))
		f.Emit("VFMADD231PS %s, %s, %s", c(3), r(10), r(8))
		f.Emit("VADDPS %s, %s, %s", r(5), r(8), r(8))
	}, nil},
}

// inputEnd is d4 - (pp + qq) d2 + pp qq d0, or the same of d5, d3 and d1.
func inputEnd(first int) func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
	return func(f *asm.File, from func(int) string, c func(int) string, to []string, _, _ string) {
		f.Emit("VMOVUPS %s, %s", from(first+4), to[0])
		f.Emit("VFNMADD231PS %s, %s, %s", from(first+2), c(1), to[0])
		f.Emit("VFMADD231PS %s, %s, %s", from(first), c(0), to[0])
	}
}

// inputPair is (d4 - bb d2) +- a (d3 - bb d1), with the numbers of bb and a.
func inputPair(square, point int) func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
	return func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
		f.Emit("VMOVUPS %s, %s", from(4), x)
		f.Emit("VFNMADD231PS %s, %s, %s", from(2), c(square), x)
		f.Emit("VMOVUPS %s, %s", from(3), y)
		f.Emit("VFNMADD231PS %s, %s, %s", from(1), c(square), y)
		f.Emit("VMULPS %s, %s, %s", c(point), y, y)
		pair(f, x, y, to[0], to[1])
	}
}

// outputHalf is d1 +- d2 and d3 +- d4.
func outputHalf(f *asm.File, instruction string, from func(int) string, x, y string) {
	f.Emit("VMOVUPS %s, %s", from(1), x)
	f.Emit("%s %s, %s, %[3]s", instruction, from(2), x)
	f.Emit("VMOVUPS %s, %s", from(3), y)
	f.Emit("%s %s, %s, %[3]s", instruction, from(4), y)
}

// outputGradientPair is the sum and the difference of the even and the odd terms of
// point n.
func outputGradientPair(n int) func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
	return func(f *asm.File, from func(int) string, c func(int) string, to []string, x, y string) {
		f.Emit("VMULPS %s, %s, %s", from(0), c(4*n+1), x)
		f.Emit("VFMADD231PS %s, %s, %s", from(2), c(4*n+2), x)
		f.Emit("VMULPS %s, %s, %s", from(1), c(4*n+3), y)
		f.Emit("VFMADD231PS %s, %s, %s", from(3), c(4*n+4), y)
		pair(f, x, y, to[0], to[1])
	}
}
