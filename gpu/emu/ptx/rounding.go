package ptx

import "math"

// rounding is a rounding mode to a float, in PTX's letters.
type rounding uint8

const (
	nearest  rounding = iota // .rn, ties to even
	zero                     // .rz
	downward                 // .rm
	upward                   // .rp
)

func (o *opcode) rounding() (mode rounding, given bool) {
	switch o.take("rn", "rz", "rm", "rp") {
	case "rn":
		return nearest, true
	case "rz":
		return zero, true
	case "rm":
		return downward, true
	case "rp":
		return upward, true
	}
	return nearest, false
}

const canonicalNaN = 0x7fffffff // the result of every float32 operation that is not a number

func float32NaN() float32 { return math.Float32frombits(canonicalNaN) }

func canonical(f float32) float32 {
	if f != f {
		return float32NaN()
	}
	return f
}

// flush gives zero of the same sign for a subnormal: .ftz.
func flush(f float32) float32 {
	if bits := math.Float32bits(f); bits&0x7f800000 == 0 {
		return math.Float32frombits(bits & 0x80000000)
	}
	return f
}

// saturate clamps to [0, 1]; NaN and -0 become +0: .sat.
func saturate(f float32) float32 {
	switch {
	case f >= 1:
		return 1
	case f > 0:
		return f
	}
	return 0
}

// A float64 holds two more bits than twice a float32's 24 and two more, so a result rounded to odd in float64 and then to float32
// in any mode is rounded once: S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using
// rounding to odd" (2008). Rounding to odd: an exact result stays; of the two neighbours of an inexact one, the one whose last bit is 1.

// toOdd corrects a float64 that was rounded to nearest to one rounded to odd, given the sign of what the rounding lost
// (exact value minus rounded).
func toOdd(value, lost float64) float64 {
	bits := math.Float64bits(value)
	if lost == 0 || bits&1 == 1 || math.IsInf(value, 0) || lost != lost {
		return value
	}
	// Of an inexact result's neighbours the even one is `value`; the odd one lies towards the exact value.
	if (lost > 0) == (value > 0) {
		return math.Float64frombits(bits + 1)
	}
	return math.Float64frombits(bits - 1)
}

// sumOdd is a+b rounded to odd; lost is the exact difference, by D. E. Knuth's two-sum.
func sumOdd(a, b float64) float64 {
	sum := a + b
	rest := sum - a
	lost := (a - (sum - rest)) + (b - rest)
	return toOdd(sum, lost)
}

// round32 rounds a float64 to float32 in any mode.
func round32(value float64, mode rounding) float32 {
	f := float32(value)
	if mode == nearest || value != value {
		return canonical(f)
	}
	back := float64(f)
	if back == value {
		return f
	}
	// f is one of the neighbours; step to the other where the mode wants that one. Infinities step back to the largest number.
	switch {
	case mode == upward && back < value, mode == zero && value < 0 && back < value:
		return nextUp32(f)
	case mode == downward && back > value, mode == zero && value > 0 && back > value:
		return -nextUp32(-f)
	}
	return f
}

// nextUp32 gives the next larger float32; of -0 and 0 the smallest subnormal. It keeps the sign of a zero that it arrives at.
func nextUp32(f float32) float32 {
	switch bits := math.Float32bits(f); {
	case bits<<1 == 0:
		return math.Float32frombits(1)
	case bits>>31 == 0:
		return math.Float32frombits(bits + 1)
	default:
		return math.Float32frombits(bits - 1)
	}
}

// fma32 is a*b+c rounded once. The product is exact in float64; the sum, rounded to float64, nearly always rounds on to the right float32.
func fma32(a, b, c float32) float32 {
	product, addend := float64(a)*float64(b), float64(c)
	if sum := product + addend; !delicate(sum) {
		return float32(sum)
	}
	return fmaSlow(product, addend, nearest)
}

// delicate tells whether rounding a float64 sum again, to float32, may go wrong: if it is on the middle between two float32 (its
// low 29 bits are 1 and zeros), if its exponent is that of a float32 subnormal, or if it is infinite or not a number.
func delicate(sum float64) bool {
	bits := math.Float64bits(sum)
	return bits&0x1fffffff == 0x10000000 || bits<<1>>53-(1023-126) >= 0x7ff-(1023-126)
}

func fmaSlow(product, addend float64, mode rounding) float32 {
	sum := product + addend
	if sum == 0 && mode == nearest {
		return float32(sum)
	}
	if sum == 0 && product == -addend && mode == downward && math.Signbit(product) != math.Signbit(addend) {
		return float32(math.Copysign(0, -1)) // x - x is -0 when rounding down
	}
	if math.IsInf(sum, 0) || sum != sum {
		return canonical(float32(sum))
	}
	return round32(sumOdd(product, addend), mode)
}

func fmaMode(mode rounding) func(a, b, c float32) float32 {
	if mode == nearest {
		return fma32
	}
	return func(a, b, c float32) float32 { return fmaSlow(float64(a)*float64(b), float64(c), mode) }
}

// addMode, mulMode, divMode and sqrtMode give float32 operations in a rounding mode.

func addMode(mode rounding) func(a, b float32) float32 {
	if mode == nearest {
		return func(a, b float32) float32 { return canonical(a + b) }
	}
	return func(a, b float32) float32 { return fmaSlow(float64(a), float64(b), mode) }
}

func mulMode(mode rounding) func(a, b float32) float32 {
	if mode == nearest {
		return func(a, b float32) float32 { return canonical(a * b) }
	}
	return func(a, b float32) float32 { return round32(float64(a)*float64(b), mode) }
}

func divMode(mode rounding) func(a, b float32) float32 {
	if mode == nearest {
		return func(a, b float32) float32 { return canonical(a / b) }
	}
	return func(a, b float32) float32 {
		x, y := float64(a), float64(b)
		quotient := x / y
		if math.IsInf(quotient, 0) || quotient != quotient || math.IsInf(y, 0) {
			return canonical(float32(quotient))
		}
		lost := math.FMA(-quotient, y, x) // exact
		if y < 0 {
			lost = -lost
		}
		return round32(toOdd(quotient, lost), mode)
	}
}

func sqrtMode(mode rounding) func(a float32) float32 {
	return func(a float32) float32 {
		x := float64(a)
		root := math.Sqrt(x)
		if root != root || math.IsInf(root, 0) {
			return canonical(float32(root))
		}
		return round32(toOdd(root, math.FMA(-root, root, x)), mode)
	}
}
