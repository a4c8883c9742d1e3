package rulefile

import "math"

// The constants of Exp32 and Log32, for other bodies of the same functions. Each is the
// float64 nearest to what is written.
const (
	Log2E   = 1.4426950408889634 // 1 / ln 2
	Ln2     = 0.6931471805599453
	Ln2High = 0.693147180369123816490    // ln 2, with zeros at the end: k Ln2High is exact
	Ln2Low  = 1.90821492927058770002e-10 // the rest of ln 2
	// ExpLeast and ExpMost bound the argument of exp: beyond them the result is 0 or infinite
	// in float32.
	ExpLeast, ExpMost = -110.0, 90.0
	RootHalf          = 0.7071067811865476 // sqrt(1/2)
)

// ExpCoefficients are those of the Taylor polynomial of exp, of degree 11: 1/11!, 1/10! and
// so on to 1/0!.
var ExpCoefficients = [...]float64{
	1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
}

// LogCoefficients are those of the series of log((1+s)/(1-s)) / (2 s) in s^2, of degree 10:
// 1/21, 1/19 and so on to 1.
var LogCoefficients = [...]float64{
	1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1,
}

// Exp32 is exp of the device: in float64, each operation rounded to nearest even, and then
// rounded to float32. With y = x within [ExpLeast, ExpMost]:
//
//	k = y Log2E, rounded to an integer, halves to even
//	r = (y - k Ln2High) - k Ln2Low
//	result = p(r) 2^k, p the polynomial of ExpCoefficients by Horner's rule
//
// exp of NaN is NaN.
func Exp32(x float32) float32 {
	if x != x {
		return x
	}
	y := min(max(float64(x), ExpLeast), ExpMost)
	k := math.RoundToEven(float64(y * Log2E))
	r := (y - float64(k*Ln2High)) - float64(k*Ln2Low)
	return float32(math.Ldexp(horner(ExpCoefficients[:], r), int(k)))
}

// Log32 is log of the device: in float64, each operation rounded to nearest even, and then
// rounded to float32. With x = m 2^e, e an integer and m from RootHalf to below 2 RootHalf:
//
//	s = (m - 1) / (m + 1)
//	result = e Ln2 + 2 s q(s^2), q the polynomial of LogCoefficients by Horner's rule
//
// log of 0 is -Inf, of +Inf +Inf, of a number below 0 and of NaN NaN.
func Log32(x float32) float32 {
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case !(x > 0):
		return float32(math.NaN())
	case math.IsInf(float64(x), 1):
		return x
	}
	m, e := math.Frexp(float64(x))
	if m < RootHalf {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1)
	q := horner(LogCoefficients[:], float64(s*s))
	return float32(float64(float64(e)*Ln2) + float64(2*s*q))
}

// horner evaluates the polynomial whose coefficients are given, the highest power's first.
func horner(coefficients []float64, x float64) float64 {
	p := coefficients[0]
	for _, c := range coefficients[1:] {
		p = float64(p*x) + c
	}
	return p
}
