package blocks

import "math"

// IsFinite sets the condition to = x is neither NaN nor infinite.
func IsFinite(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorIsFinite(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = condition(math.Float32bits(xs[i&xm])&^signBit < math.Float32bits(float32(math.Inf(1))))
	}
}

// Less sets the condition to = x < y, which is false for a NaN.
func Less(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorLess(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = condition(xs[i&xm] < ys[i&ym])
	}
}

// LessEqual sets the condition to = x <= y, which is false for a NaN.
func LessEqual(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorLessEqual(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = condition(xs[i&xm] <= ys[i&ym])
	}
}

// Equal sets the condition to = x == y, which is false for a NaN.
func Equal(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorEqual(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = condition(xs[i&xm] == ys[i&ym])
	}
}

// NotEqual sets the condition to = x != y, which is true for a NaN.
func NotEqual(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorNotEqual(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = condition(xs[i&xm] != ys[i&ym])
	}
}

// And sets the condition to = both x and y hold. x and y are conditions.
func And(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorAnd(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = math.Float32frombits(math.Float32bits(xs[i&xm]) & math.Float32bits(ys[i&ym]))
	}
}

// Or sets the condition to = x or y holds, or both. x and y are conditions.
func Or(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorOr(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = math.Float32frombits(math.Float32bits(xs[i&xm]) | math.Float32bits(ys[i&ym]))
	}
}

// Not sets the condition to = x does not hold. x is a condition.
func Not(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorNot(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = math.Float32frombits(^math.Float32bits(xs[i&xm]))
	}
}

// Select sets to = y where the condition x holds, else z. y and z may be numbers or conditions.
func Select(to []float32, x, y, z Operand) {
	var p arguments
	p.ternary(to, x, y, z)
	vectorSelect(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	zs, zm := z.values()
	for i := p.done(); i < len(to); i++ {
		if math.Float32bits(xs[i&xm]) != 0 {
			to[i] = ys[i&ym]
		} else {
			to[i] = zs[i&zm]
		}
	}
}
