package fused

import (
	"math"

	"diaghess/optim/rulefile"
)

// The instructions of operations. Each rounds as its name says, so that no compiler fuses two.
var instructions = map[rulefile.Op]string{
	rulefile.OpAdd: "add.rn.f32", rulefile.OpSubtract: "sub.rn.f32", rulefile.OpMultiply: "mul.rn.f32", rulefile.OpDivide: "div.rn.f32",
	rulefile.OpNegate: "neg.f32", rulefile.OpSqrt: "sqrt.rn.f32", rulefile.OpAbs: "abs.f32", rulefile.OpMin: "min.f32", rulefile.OpMax: "max.f32",
	rulefile.OpLess: "setp.lt.f32", rulefile.OpLessEqual: "setp.le.f32", rulefile.OpEqual: "setp.eq.f32", rulefile.OpNotEqual: "setp.neu.f32",
	rulefile.OpAnd: "and.pred", rulefile.OpOr: "or.pred", rulefile.OpNot: "not.pred",
}

// operation writes an operation of the device on registers. Conditions are predicates.
func (t *text) operation(v *rulefile.Value, to string, x []string) {
	switch v.Op {
	case rulefile.OpMin, rulefile.OpMax:
		t.extreme("f32", v.Op == rulefile.OpMax, to, x[0], x[1])
	case rulefile.OpSign:
		p := t.pred("above")
		t.ins("setp.gt.f32 %s, %s, %s", p, x[0], single(0))
		t.ins("selp.f32 %s, %s, %s, %s", to, single(1), x[0], p)
		t.ins("setp.lt.f32 %s, %s, %s", p, x[0], single(0))
		t.ins("selp.f32 %s, %s, %s, %s", to, single(-1), to, p)
	case rulefile.OpIsFinite:
		size := t.f32("size")
		t.ins("abs.f32 %s, %s", size, x[0])
		t.ins("setp.lt.f32 %s, %s, %s", to, size, single(float32(math.Inf(1))))
	case rulefile.OpExp:
		t.exp(to, x[0])
	case rulefile.OpLog:
		t.log(to, x[0])
	case rulefile.OpSelect:
		if !v.Condition {
			t.ins("selp.f32 %s, %s, %s, %s", to, x[1], x[2], x[0])
			return
		}
		yes, no := t.pred("yes"), t.pred("no")
		t.ins("and.pred %s, %s, %s", yes, x[0], x[1])
		t.ins("not.pred %s, %s", no, x[0])
		t.ins("and.pred %s, %s, %s", no, no, x[2])
		t.ins("or.pred %s, %s, %s", to, yes, no)
	default:
		name, ok := instructions[v.Op]
		if !ok {
			panic("fused: no instruction for " + v.Op.String())
		}
		list := to
		for _, operand := range x {
			list += ", " + operand
		}
		t.ins("%s %s", name, list)
	}
}

// extreme writes the min or max of two floats of a type: NaN if one of them is. min.NaN.f32
// would need a newer target.
func (t *text) extreme(kind string, greatest bool, to, x, y string) {
	function, nan := "min", single(float32(math.NaN()))
	if greatest {
		function = "max"
	}
	if kind == "f64" {
		nan = double(math.NaN())
	}
	p := t.pred("isnan")
	t.ins("setp.nan.%s %s, %s, %s", kind, p, x, y)
	t.ins("%s.%s %s, %s, %s", function, kind, to, x, y)
	t.ins("selp.%s %s, %s, %s, %s", kind, to, nan, to, p)
}

// exp writes rulefile.Exp32.
func (t *text) exp(to, x string) {
	y, k, r, p, s := t.f64("y"), t.f64("k"), t.f64("r"), t.f64("poly"), t.f64("s")
	t.ins("cvt.f64.f32 %s, %s", y, x)
	t.ins("max.f64 %s, %s, %s", y, y, double(rulefile.ExpLeast))
	t.ins("min.f64 %s, %s, %s", y, y, double(rulefile.ExpMost))
	t.ins("mul.rn.f64 %s, %s, %s", k, y, double(rulefile.Log2E))
	t.ins("cvt.rni.f64.f64 %s, %s", k, k)
	for i, part := range []float64{rulefile.Ln2High, rulefile.Ln2Low} {
		t.ins("mul.rn.f64 %s, %s, %s", s, k, double(part))
		t.ins("sub.rn.f64 %s, %s, %s", r, []string{y, r}[i], s)
	}
	t.horner(p, r, rulefile.ExpCoefficients[:])
	// 2^k has the exponent k, and zeros behind it.
	e := t.b32("e")
	t.ins("cvt.rzi.s32.f64 %s, %s", e, k)
	t.ins("shl.b32 %s, %s, 20", e, e)
	t.ins("add.s32 %s, %s, %d", e, e, 1023<<20)
	t.ins("mov.b64 %s, {0, %s}", s, e)
	t.ins("mul.rn.f64 %s, %s, %s", p, p, s)
	t.ins("cvt.rn.f32.f64 %s, %s", to, p)
	nan := t.pred("isnan")
	t.ins("setp.nan.f32 %s, %s, %s", nan, x, x)
	t.ins("selp.f32 %s, %s, %s, %s", to, x, to, nan)
}

// log writes rulefile.Log32.
func (t *text) log(to, x string) {
	m, s, q, n, d := t.f64("m"), t.f64("s"), t.f64("q"), t.f64("numerator"), t.f64("denominator")
	low, high, e, f := t.b32("low"), t.b32("high"), t.b32("e"), t.b32("fraction")
	p := t.pred("special")
	// m in [1/2, 1) and e, from the exponent and the fraction of x.
	t.ins("cvt.f64.f32 %s, %s", m, x)
	t.ins("mov.b64 {%s, %s}, %s", low, high, m)
	t.ins("shr.u32 %s, %s, 20", e, high)
	t.ins("sub.s32 %s, %s, 1022", e, e)
	t.ins("and.b32 %s, %s, %d", f, high, 1<<20-1)
	t.ins("or.b32 %s, %s, %d", f, f, 1022<<20)
	t.ins("mov.b64 %s, {%s, %s}", m, low, f)
	t.ins("setp.lt.f64 %s, %s, %s", p, m, double(rulefile.RootHalf))
	t.ins("@%s add.rn.f64 %s, %s, %s", p, m, m, m)
	t.ins("@%s sub.s32 %s, %s, 1", p, e, e)
	t.ins("sub.rn.f64 %s, %s, %s", n, m, double(1))
	t.ins("add.rn.f64 %s, %s, %s", d, m, double(1))
	t.ins("div.rn.f64 %s, %s, %s", s, n, d)
	t.ins("mul.rn.f64 %s, %s, %s", n, s, s)
	t.horner(q, n, rulefile.LogCoefficients[:])
	t.ins("add.rn.f64 %s, %s, %s", s, s, s)
	t.ins("mul.rn.f64 %s, %s, %s", q, s, q)
	t.ins("cvt.rn.f64.s32 %s, %s", d, e)
	t.ins("mul.rn.f64 %s, %s, %s", d, d, double(rulefile.Ln2))
	t.ins("add.rn.f64 %s, %s, %s", d, d, q)
	t.ins("cvt.rn.f32.f64 %s, %s", to, d)
	for _, special := range []struct {
		comparison string
		bound      float64
		result     string
	}{
		{"eq", 0, single(float32(math.Inf(-1)))}, {"eq", math.Inf(1), single(float32(math.Inf(1)))}, {"ltu", 0, single(float32(math.NaN()))},
	} {
		t.ins("setp.%s.f32 %s, %s, %s", special.comparison, p, x, single(float32(special.bound)))
		t.ins("selp.f32 %s, %s, %s, %s", to, special.result, to, p)
	}
}

// horner writes a polynomial, whose coefficients are given, the highest power's first.
func (t *text) horner(p, x string, coefficients []float64) {
	t.ins("mov.f64 %s, %s", p, double(coefficients[0]))
	for _, c := range coefficients[1:] {
		t.ins("mul.rn.f64 %s, %s, %s", p, p, x)
		t.ins("add.rn.f64 %s, %s, %s", p, p, double(c))
	}
}
