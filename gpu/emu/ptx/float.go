package ptx

import "math"

func float32NaN() float32 { return math.Float32frombits(0x7fffffff) }

// canonical replaces a NaN by the one that every float32 operation gives.
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

// extremum is min or max: a NaN loses against a number, and -0 is less than +0.
func extremum[T float32 | float64](largest bool) func(a, b T) T {
	return func(a, b T) T {
		switch {
		case a != a && b != b:
			return T(float32NaN())
		case a != a:
			return b
		case b != b:
			return a
		case a == b: // only zeros differ
			if math.Signbit(float64(a)) == largest {
				return b
			}
			return a
		case (a > b) == largest:
			return a
		}
		return b
	}
}

// approximation makes an operation of a function: computed in float64, rounded once.
func approximation(f func(float64) float64, ftz bool) operation {
	return unaryFloat32(func(a float32) float32 {
		if ftz {
			return flush(canonical(float32(f(float64(flush(a))))))
		}
		return canonical(float32(f(float64(a))))
	})
}

// A float64 holds two more bits than twice a float32's 24 and two more, so a result rounded to odd in float64 and then to float32
// in any mode is rounded once: S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using
// rounding to odd" (2008). Rounding to odd: an exact result stays; of the two neighbours of an inexact one, the one whose last bit is 1.

// sumOdd is a+b rounded to odd; what the rounded sum lacks is exact, by D. E. Knuth's two-sum.
func sumOdd(a, b float64) float64 {
	sum := a + b
	rest := sum - a
	lost := (a - (sum - rest)) + (b - rest)
	bits := math.Float64bits(sum)
	if lost == 0 || bits&1 == 1 || math.IsInf(sum, 0) || lost != lost {
		return sum
	}
	// Of an inexact result's neighbours the even one is the sum; the odd one lies towards the exact value.
	if (lost > 0) == (sum > 0) {
		return math.Float64frombits(bits + 1)
	}
	return math.Float64frombits(bits - 1)
}

// rounding is how a float32 sum is rounded.
type rounding uint8

const (
	nearest    rounding = iota // .rn, ties to even
	downward                   // .rm
	towardZero                 // .rz
)

// fma32 is a*b+c rounded once. The product is exact in float64; the sum, rounded to float64, nearly
// always rounds on to the right float32.
func fma32(a, b, c float32, mode rounding) float32 {
	product, addend := float64(a)*float64(b), float64(c)
	if sum := product + addend; mode == nearest && !delicate(sum) {
		return float32(sum)
	}
	return fmaSlow(product, addend, mode)
}

// delicate tells whether rounding a float64 sum again, to float32, may go wrong: if it is on the middle between two float32 (its
// low 29 bits are 1 and zeros), if its exponent is that of a float32 subnormal, or if it is infinite or not a number.
func delicate(sum float64) bool {
	bits := math.Float64bits(sum)
	return bits&0x1fffffff == 0x10000000 || bits<<1>>53-(1023-126) >= 0x7ff-(1023-126)
}

func fmaSlow(product, addend float64, mode rounding) float32 {
	sum := product + addend
	switch {
	case sum == 0 && mode != downward:
		return float32(sum)
	case sum == 0 && product == -addend && math.Signbit(product) != math.Signbit(addend):
		return float32(math.Copysign(0, -1)) // x - x is -0 when rounding down
	case math.IsInf(sum, 0) || sum != sum:
		return canonical(float32(sum))
	}
	sum = sumOdd(product, addend)
	f := float32(sum)
	switch {
	case mode == downward && float64(f) > sum:
		return math.Nextafter32(f, float32(math.Inf(-1)))
	case mode == towardZero && math.Abs(float64(f)) > math.Abs(sum):
		return math.Nextafter32(f, 0)
	}
	return f
}
