package main

import (
	"fmt"
	"math"

	"diaghess/gpu/cpu/asm"
	"diaghess/optim/rulefile"
)

// unroll is the vectors of a turn of an elementwise loop.
const unroll = 4

// Bits of float32.
const (
	signBit  = 1 << 31
	one      = 0x3f800000
	infinity = 0x7f800000
	allOnes  = math.MaxUint32
)

// Predicates of comparisons of which no NaN signals.
const (
	equal       = "$0x00"
	unordered   = "$0x03"
	notEqual    = "$0x04" // or unordered
	notDistinct = "$0x08" // equal or unordered
	less        = "$0x11"
	lessEqual   = "$0x12"
	notGreater  = "$0x1a" // or unordered
)

func loops() []*loop {
	return []*loop{
		fill(),
		binary("Add", "VADDPS %s, Y0, Y0"),
		binary("Subtract", "VSUBPS %s, Y0, Y0"),
		binary("Multiply", "VMULPS %s, Y0, Y0"),
		binary("Divide", "VDIVPS %s, Y0, Y0"),
		unary("Negate", []uint32{signBit}, "VXORPS %s, Y15, Y0"),
		unary("Abs", []uint32{^uint32(signBit)}, "VANDPS %s, Y15, Y0"),
		// One with the sign of x; x itself where it is unordered with 0, or equal.
		unary("Sign", []uint32{signBit, one, 0}, "VMOVUPS %s, Y0", "VANDPS Y15, Y0, Y1", "VORPS Y14, Y1, Y1", "VCMPPS "+notDistinct+", Y13, Y0, Y2", "VBLENDVPS Y2, Y0, Y1, Y0"),
		unary("Sqrt", nil, "VSQRTPS %s, Y0"),
		exponential(),
		logarithm(),
		// VMINPS and VMAXPS return the second of two that are equal or unordered. So the results
		// of both orders differ there only, and their bits make -0 of zeros of both signs for
		// min, 0 for max. They make a NaN of one and a number for min; for max it is forced.
		binary("Min", "VMOVUPS %s, Y1", "VMINPS Y1, Y0, Y2", "VMINPS Y0, Y1, Y0", "VORPS Y2, Y0, Y0"),
		binary("Max", "VMOVUPS %s, Y1", "VMAXPS Y1, Y0, Y2", "VMAXPS Y0, Y1, Y3", "VANDPS Y2, Y3, Y2", "VCMPPS "+unordered+", Y1, Y0, Y0", "VORPS Y2, Y0, Y0"),
		unary("IsFinite", []uint32{^uint32(signBit), infinity}, "VANDPS %s, Y15, Y0", "VCMPPS "+less+", Y14, Y0, Y0"),
		binary("Less", "VCMPPS "+less+", %s, Y0, Y0"),
		binary("LessEqual", "VCMPPS "+lessEqual+", %s, Y0, Y0"),
		binary("Equal", "VCMPPS "+equal+", %s, Y0, Y0"),
		binary("NotEqual", "VCMPPS "+notEqual+", %s, Y0, Y0"),
		binary("And", "VANDPS %s, Y0, Y0"),
		binary("Or", "VORPS %s, Y0, Y0"),
		unary("Not", []uint32{allOnes}, "VXORPS %s, Y15, Y0"),
		choose(),
		columns("Columns"),
		columns("Squares", "VMULPD Y0, Y0, Y0"),
		fold(),
		extreme("Least", "VMINPS"),
		extreme("Greatest", "VMAXPS"),
	}
}

// instructions writes those of a vector. The first has the last operand for its %s. The result
// is in Y0.
func instructions(f *asm.File, list []string, operand, to string) {
	for n, in := range list {
		if n == 0 {
			in = fmt.Sprintf(in, operand)
		}
		f.Emit("%s", in)
	}
	f.Emit("VMOVUPS Y0, %s", to)
}

// constants loads words into Y15, Y14 and so on.
func constants(words ...uint32) func(f *asm.File) {
	return func(f *asm.File) {
		for n, word := range words {
			f.Emit("VMOVUPS %s, %s", f.Literal(word), asm.AVX2.Reg(asm.AVX2.Count()-1-n))
		}
	}
}

// elementwise is a loop over float32 with as many results.
func elementwise(name string, operands int) *loop {
	return &loop{name: name, operands: operands, element: 4, lanes: asm.AVX2.Lanes(), vectors: unroll, results: 4}
}

func unary(name string, words []uint32, list ...string) *loop {
	l := elementwise(name, 1)
	l.before = constants(words...)
	l.body = func(f *asm.File, _ int, to string, from []string) { instructions(f, list, from[0], to) }
	return l
}

// binary has the first operand in Y0.
func binary(name string, list ...string) *loop {
	l := elementwise(name, 2)
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VMOVUPS %s, Y0", from[0])
		instructions(f, list, from[1], to)
	}
	return l
}

// fill has one operand, a number.
func fill() *loop {
	l := elementwise("Fill", 1)
	l.before = func(f *asm.File) { f.Emit("VMOVUPS (%s), Y0", pointers[0]) }
	l.body = func(f *asm.File, _ int, to string, _ []string) { f.Emit("VMOVUPS Y0, %s", to) }
	return l
}

// choose has a condition, yes and no.
func choose() *loop {
	l := elementwise("Select", 3)
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VMOVUPS %s, Y0", from[0])
		f.Emit("VMOVUPS %s, Y1", from[2])
		instructions(f, []string{"VBLENDVPS Y0, %s, Y1, Y0"}, from[1], to)
	}
	return l
}

// wide is a loop over float32 that become float64: half as many lanes.
func wide(name string, vectors, results int) *loop {
	return &loop{name: name, operands: 1, element: 4, lanes: asm.AVX2.Lanes() / 2, vectors: vectors, results: results}
}

// horner writes Y1 = the polynomial of Y0.
func horner(f *asm.File, coefficients []float64) {
	f.Emit("VMOVUPS %s, Y1", f.Double(coefficients[0]))
	for _, c := range coefficients[1:] {
		f.Emit("VMULPD Y0, Y1, Y1")
		f.Emit("VADDPD %s, Y1, Y1", f.Double(c))
	}
}

// exponential is rulefile.Exp32. The bounds let NaN through, as VMAXPD and VMINPD return the second of
// two that are unordered. Its k is the least int32, of whose bits none are left in the exponent.
func exponential() *loop {
	l := wide("Exp", 1, 4)
	l.before = func(f *asm.File) {
		f.Emit("VMOVUPS %s, Y15", f.Double(rulefile.ExpLeast))
		f.Emit("VMOVUPS %s, Y14", f.Double(rulefile.ExpMost))
		f.Emit("VMOVUPS %s, Y13", f.Double(rulefile.Log2E))
		f.Emit("VMOVUPS %s, Y12", f.Double(rulefile.Ln2High))
		f.Emit("VMOVUPS %s, Y11", f.Double(rulefile.Ln2Low))
	}
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VCVTPS2PD %s, Y0", from[0])
		f.Emit("VMAXPD Y0, Y15, Y0")
		f.Emit("VMINPD Y0, Y14, Y0")
		f.Emit("VMULPD Y13, Y0, Y2")
		f.Emit("VROUNDPD $0, Y2, Y2") // to nearest, halves to even
		f.Emit("VMULPD Y12, Y2, Y3")
		f.Emit("VSUBPD Y3, Y0, Y0")
		f.Emit("VMULPD Y11, Y2, Y3")
		f.Emit("VSUBPD Y3, Y0, Y0")
		horner(f, rulefile.ExpCoefficients[:])
		// Times 2^k, exactly, as the exponent stays in float64's range.
		f.Emit("VCVTPD2DQY Y2, X2")
		f.Emit("VPMOVSXDQ X2, Y2")
		f.Emit("VPSLLQ $%d, Y2, Y2", mantissaBits)
		f.Emit("VPADDQ Y2, Y1, Y1")
		f.Emit("VCVTPD2PSY Y1, X1")
		f.Emit("VMOVUPS X1, %s", to)
	}
	return l
}

// Of float64.
const (
	mantissaBits = 52
	mantissa     = 1<<mantissaBits - 1
	halfExponent = 1022 // that of 1/2 as it is stored
)

// logarithm is rulefile.Log32. A float32, subnormal or not, is a normal float64. What m and e are of
// a zero, a negative number, infinity or NaN does not matter.
func logarithm() *loop {
	l := wide("Log", 1, 4)
	shift := float64(1 << mantissaBits) // its last bit is 1: a sum with a small integer has that in its mantissa
	l.before = func(f *asm.File) {
		f.Emit("VMOVUPS %s, Y15", f.WideLiteral(math.Float64bits(shift)))
		f.Emit("VMOVUPS %s, Y14", f.Double(shift+halfExponent))
		f.Emit("VMOVUPS %s, Y13", f.WideLiteral(mantissa))
		f.Emit("VMOVUPS %s, Y12", f.WideLiteral(halfExponent<<mantissaBits))
		f.Emit("VMOVUPS %s, Y11", f.Double(rulefile.RootHalf))
		f.Emit("VMOVUPS %s, Y10", f.Double(1))
		f.Emit("VMOVUPS %s, Y9", f.Double(rulefile.Ln2))
		f.Emit("VXORPS Y8, Y8, Y8")
		f.Emit("VMOVUPS %s, X7", f.Literal(infinity))
		f.Emit("VMOVUPS %s, X6", f.Literal(signBit|infinity))
	}
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VCVTPS2PD %s, Y3", from[0])
		f.Emit("VPSRLQ $%d, Y3, Y2", mantissaBits)
		f.Emit("VPOR Y15, Y2, Y2")
		f.Emit("VSUBPD Y14, Y2, Y2") // e of m from 1/2 to below 1
		f.Emit("VPAND Y13, Y3, Y3")
		f.Emit("VPOR Y12, Y3, Y3") // m
		f.Emit("VCMPPD %s, Y11, Y3, Y0", less)
		f.Emit("VANDPD Y0, Y3, Y1")
		f.Emit("VADDPD Y1, Y3, Y3") // 2 m where m < RootHalf
		f.Emit("VANDPD Y0, Y10, Y1")
		f.Emit("VSUBPD Y1, Y2, Y2") // e - 1 there
		f.Emit("VADDPD Y10, Y3, Y1")
		f.Emit("VSUBPD Y10, Y3, Y3")
		f.Emit("VDIVPD Y1, Y3, Y3") // s
		f.Emit("VMULPD Y3, Y3, Y0")
		horner(f, rulefile.LogCoefficients[:])
		f.Emit("VADDPD Y3, Y3, Y3")
		f.Emit("VMULPD Y1, Y3, Y3")
		f.Emit("VMULPD Y9, Y2, Y2")
		f.Emit("VADDPD Y3, Y2, Y2")
		f.Emit("VCVTPD2PSY Y2, X2")
		f.Emit("VMOVUPS %s, X0", from[0])
		f.Emit("VCMPPS %s, X8, X0, X1", notGreater)
		f.Emit("VORPS X1, X2, X2") // all ones are a NaN
		f.Emit("VCMPPS %s, X8, X0, X1", equal)
		f.Emit("VBLENDVPS X1, X6, X2, X2")
		f.Emit("VCMPPS %s, X7, X0, X1", equal)
		f.Emit("VBLENDVPS X1, X7, X2, X2")
		f.Emit("VMOVUPS X2, %s", to)
	}
	return l
}

// columns adds the elements, or what list makes of them, to columns of float64.
func columns(name string, list ...string) *loop {
	l := wide(name, unroll, 8)
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VCVTPS2PD %s, Y0", from[0])
		for _, in := range list {
			f.Emit("%s", in)
		}
		f.Emit("VADDPD %s, Y0, Y0", to)
		f.Emit("VMOVUPD Y0, %s", to)
	}
	return l
}

// fold adds columns of float64 to others.
func fold() *loop {
	l := &loop{name: "Fold", operands: 1, element: 8, lanes: 4, vectors: unroll, results: 8}
	l.body = func(f *asm.File, _ int, to string, from []string) {
		f.Emit("VMOVUPD %s, Y0", from[0])
		f.Emit("VADDPD %s, Y0, Y0", to)
		f.Emit("VMOVUPD Y0, %s", to)
	}
	return l
}

// extreme leaves the least or greatest of each lane of the elements and of the numbers that are
// there, NaN in a lane that had one.
func extreme(name, mnemonic string) *loop {
	l := elementwise(name, 1)
	l.results = 0
	l.before = func(f *asm.File) {
		for v := range unroll {
			f.Emit("VMOVUPS (DI), Y%d", v)
		}
		f.Zero(asm.AVX2, 15)
	}
	// VMINPS and VMAXPS return the second of two that are unordered, so they pass over NaNs. A
	// comparison finds those of two vectors.
	l.body = func(f *asm.File, v int, _ string, from []string) {
		x := unroll + v
		f.Emit("VMOVUPS %s, Y%d", from[0], x)
		f.Emit("%s Y%d, Y%d, Y%[2]d", mnemonic, v, x)
		if v%2 == 1 {
			f.Emit("VCMPPS %s, Y%d, Y%d, Y%[2]d", unordered, x, x-1)
			f.Emit("VORPS Y%d, Y15, Y15", x)
		}
	}
	l.after = func(f *asm.File) {
		for v := 1; v < unroll; v++ {
			f.Emit("%s Y%d, Y0, Y0", mnemonic, v)
		}
		f.Emit("VORPS Y15, Y0, Y0")
		f.Emit("VMOVUPS Y0, (DI)")
	}
	return l
}
