package sets

import "math"

// log returns the natural logarithm of a positive x, with an error below .53 units in the last
// place and the same bits on every processor: math.Log has neither, and NumPy's, the
// C library's, has the first. x = 2^e * m with m in [sqrt(1/2), sqrt(2)), and with s = (m-1)/(m+1)
// ln m = 2*(s + s^3/3 + s^5/5 + ...). The first term is a sum of two numbers.
func log(x float64) float64 {
	const (
		ln2High = 0x1.62e42fefa39efp-1
		ln2Low  = 0x1.abc9e3b39803fp-56
	)
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	// m-1 is exact; low completes the rounded m+1.
	numerator, denominator := m-1, m+1
	low := m - (denominator - 1)
	s := numerator / denominator
	sLow := (math.FMA(-s, denominator, numerator) - float64(s*low)) / denominator

	square := float64(s * s)
	series := 0.0
	for k := 23; k >= 3; k -= 2 {
		series = math.FMA(series, square, 1/float64(k))
	}
	tail := 2*sLow + float64(2*float64(s*square)*series)
	big := float64(e) * ln2High
	tail += math.FMA(float64(e), ln2High, -big) + float64(float64(e)*ln2Low)
	// |big| is zero or more than |2*s|, so that the difference is what the sum rounds away.
	sum := big + 2*s
	return sum + (2*s - (sum - big) + tail)
}
