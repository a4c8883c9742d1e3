package blocks

import (
	"math"

	"diaghess/optim/rulefile"
)

// Each function does the elements of whole groups with AVX2 where there are vectors, and the
// others in a loop of its own, which has the same operations.

// Copy sets to = x, which fills the block if x is a number.
func Copy(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	if x.Block != nil {
		copy(to, x.Block)
		return
	}
	vectorFill(&p)
	for i := p.done(); i < len(to); i++ {
		to[i] = x.Number
	}
}

// Add sets to = x + y.
func Add(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorAdd(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = xs[i&xm] + ys[i&ym]
	}
}

// Subtract sets to = x - y.
func Subtract(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorSubtract(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = xs[i&xm] - ys[i&ym]
	}
}

// Multiply sets to = x y.
func Multiply(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorMultiply(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = xs[i&xm] * ys[i&ym]
	}
}

// Divide sets to = x / y.
func Divide(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorDivide(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = xs[i&xm] / ys[i&ym]
	}
}

const signBit = 1 << 31

// Negate sets to = x with the other sign, also of a zero or NaN.
func Negate(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorNegate(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = math.Float32frombits(math.Float32bits(xs[i&xm]) ^ signBit)
	}
}

// Abs sets to = x without its sign.
func Abs(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorAbs(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = math.Float32frombits(math.Float32bits(xs[i&xm]) &^ signBit)
	}
}

// Sign sets to = 1 where x is above 0, -1 where it is below, else x: a zero or NaN.
func Sign(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorSign(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		v := xs[i&xm]
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		}
		to[i] = v
	}
}

// Sqrt sets to = the root of x, correctly rounded.
func Sqrt(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorSqrt(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = float32(math.Sqrt(float64(xs[i&xm]))) // the rounding to float64 first changes nothing
	}
}

// Exp sets to = rulefile.Exp32 of x.
func Exp(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorExp(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = rulefile.Exp32(xs[i&xm])
	}
}

// Log sets to = rulefile.Log32 of x.
func Log(to []float32, x Operand) {
	var p arguments
	p.unary(to, x)
	vectorLog(&p)
	xs, xm := x.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = rulefile.Log32(xs[i&xm])
	}
}

// Min sets to = the lesser of x and y: NaN if one of them is. -0 is less than 0.
func Min(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorMin(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = min(xs[i&xm], ys[i&ym])
	}
}

// Max sets to = the greater of x and y: NaN if one of them is. -0 is less than 0.
func Max(to []float32, x, y Operand) {
	var p arguments
	p.binary(to, x, y)
	vectorMax(&p)
	xs, xm := x.values()
	ys, ym := y.values()
	for i := p.done(); i < len(to); i++ {
		to[i] = max(xs[i&xm], ys[i&ym])
	}
}
