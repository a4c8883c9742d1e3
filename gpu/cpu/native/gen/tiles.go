package main

import (
	"fmt"

	"diaghess/gpu/cpu/asm"
)

// scalars is the number of registers that hold scalars in turns.
func scalars(i asm.ISA) int {
	if i == asm.AVX512 {
		return 4
	}
	return 2
}

// product is rows x vectors sums of products in registers: rows of scalars by
// rows of vectors.
func product(f *asm.File, i asm.ISA, rows, vectors int) {
	f.Text(fmt.Sprintf("product%dx%d", rows, vectors*i.Lanes()), "product", 0)
	pointers := []string{"DI", "SI", "R8", "R9", "R10", "R11"}
	for r, pointer := range pointers[:rows] {
		f.Emit("MOVQ %d(R13), %s", 8*r, pointer)
	}
	f.Emit("MOVQ 48(R13), BX")
	f.Emit("MOVQ 64(R13), DX")
	f.Emit("MOVQ 80(R13), CX")
	f.Emit("MOVQ 88(R13), R12")
	f.Emit("XORQ AX, AX")
	sums := rows * vectors
	for n := range sums {
		f.Zero(i, n)
	}
	f.Label("next")
	for v := range vectors {
		f.Emit("VMOVUPS %d(BX), %s", v*i.Bytes(), i.Reg(sums+v))
	}
	f.Emit("ADDQ DX, BX")
	for r := range rows {
		scalar := i.Reg(sums + vectors + r%scalars(i))
		f.Emit("VBROADCASTSS (%s)(AX*1), %s", pointers[r], scalar)
		for v := range vectors {
			f.Emit("VFMADD231PS %s, %s, %s", i.Reg(sums+v), scalar, i.Reg(r*vectors+v))
		}
	}
	f.Emit("ADDQ $4, AX")
	f.Emit("CMPQ AX, CX")
	f.Emit("JNE next")
	f.Emit("ADDQ 96(R13), AX")
	f.Emit("MOVQ 80(R13), CX")
	f.Emit("ADDQ AX, CX")
	f.Emit("DECQ R12")
	f.Emit("JNE next")
	f.Emit("MOVQ 56(R13), BX")
	f.Emit("MOVQ 72(R13), DX")
	for r := range rows {
		for v := range vectors {
			f.Emit("VMOVUPS %s, %d(BX)", i.Reg(r*vectors+v), v*i.Bytes())
		}
		if r < rows-1 {
			f.Emit("ADDQ DX, BX")
		}
	}
	f.Return()
}

// outer is rows x vectors sums over pixels of adjacent scalars by vectors.
func outer(f *asm.File, i asm.ISA, rows, vectors int) {
	f.Text(fmt.Sprintf("outer%dx%d", rows, vectors*i.Lanes()), "outer", 0)
	f.Emit("MOVQ 0(R13), DI")
	f.Emit("MOVQ 8(R13), SI")
	f.Emit("MOVQ 32(R13), R12")
	f.Emit("MOVQ 40(R13), R11")
	f.Emit("MOVQ 48(R13), R8")
	f.Emit("MOVQ 56(R13), R9")
	f.Emit("MOVQ 64(R13), R10")
	sums := rows * vectors
	for n := range sums {
		f.Zero(i, n)
	}
	f.Label("row")
	f.Emit("MOVQ R11, CX")
	f.Label("next")
	if sums+vectors+scalars(i) <= i.Count() {
		for v := range vectors {
			f.Emit("VMOVUPS %d(SI), %s", v*i.Bytes(), i.Reg(sums+v))
		}
		for r := range rows {
			scalar := i.Reg(sums + vectors + r%scalars(i))
			f.Emit("VBROADCASTSS %d(DI), %s", 4*r, scalar)
			for v := range vectors {
				f.Emit("VFMADD231PS %s, %s, %s", i.Reg(sums+v), scalar, i.Reg(r*vectors+v))
			}
		}
	} else { // the scalars take registers, the vectors one in turns
		for r := range rows {
			f.Emit("VBROADCASTSS %d(DI), %s", 4*r, i.Reg(sums+r))
		}
		for v := range vectors {
			f.Emit("VMOVUPS %d(SI), %s", v*i.Bytes(), i.Reg(sums+rows))
			for r := range rows {
				f.Emit("VFMADD231PS %s, %s, %s", i.Reg(sums+rows), i.Reg(sums+r), i.Reg(r*vectors+v))
			}
		}
	}
	f.Emit("ADDQ R10, SI")
	f.Emit("ADDQ R8, DI")
	f.Emit("DECQ CX")
	f.Emit("JNE next")
	f.Emit("ADDQ R9, DI")
	f.Emit("DECQ R12")
	f.Emit("JNE row")
	f.Emit("MOVQ 16(R13), DI")
	f.Emit("MOVQ 24(R13), DX")
	f.Emit("MOVQ 72(R13), AX")
	f.Emit("TESTQ AX, AX")
	f.Emit("JEQ store")
	f.Emit("MOVQ DI, BX")
	for r := range rows {
		for v := range vectors {
			f.Emit("VADDPS %d(BX), %s, %[2]s", v*i.Bytes(), i.Reg(r*vectors+v))
		}
		f.Emit("ADDQ DX, BX")
	}
	f.Label("store")
	for r := range rows {
		for v := range vectors {
			f.Emit("VMOVUPS %s, %d(DI)", i.Reg(r*vectors+v), v*i.Bytes())
		}
		f.Emit("ADDQ DX, DI")
	}
	f.Return()
}

// add adds partial sums: to += from.
func add(f *asm.File, i asm.ISA) {
	f.Text("add8", "addition", 0)
	f.Emit("MOVQ 0(R13), DI")
	f.Emit("MOVQ 8(R13), SI")
	f.Emit("MOVQ 16(R13), CX")
	f.Label("next")
	f.Emit("VMOVUPS (DI), %s", i.Reg(0))
	f.Emit("VADDPS (SI), %s, %[1]s", i.Reg(0))
	f.Emit("VMOVUPS %s, (DI)", i.Reg(0))
	f.Emit("ADDQ $%d, DI", i.Bytes())
	f.Emit("ADDQ $%d, SI", i.Bytes())
	f.Emit("DECQ CX")
	f.Emit("JNE next")
	f.Return()
}

// prefetch touches the cache lines of an area.
func prefetch(f *asm.File, name, instruction string) {
	f.Text(name, "area", 0)
	f.Emit("MOVQ 0(R13), DI")
	f.Emit("MOVQ 8(R13), SI")
	f.Emit("MOVQ 16(R13), CX")
	f.Emit("MOVQ 24(R13), DX")
	f.Label("row")
	f.Emit("MOVQ DI, AX")
	f.Emit("MOVQ DX, BX")
	f.Label("next")
	f.Emit(instruction)
	f.Emit("ADDQ $64, AX")
	f.Emit("DECQ BX")
	f.Emit("JNE next")
	f.Emit("ADDQ SI, DI")
	f.Emit("DECQ CX")
	f.Emit("JNE row")
	f.Emit("RET")
}
