package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// noncentralTCDF returns the probability that (Z + δ) / √(V/ν) is at most t, for
// a standard normal Z and a V of the chi-squared distribution with ν degrees of
// freedom, to an absolute 1e-12.
//
// Up to |δ| = 37 that is gonum's algorithm AS 243 (Lenth, Applied Statistics
// 38, 1989). Beyond, the first term of its series, exp(−δ²/2), underflows, and what
// gonum (as R) then returns is a normal approximation; here the integral
//
//	P = ∫ φ(z) · P(√(V/ν) ≥ (z+δ)/t) dz
//
// is taken by the trapezoidal rule, which converges exponentially for a smooth
// integrand that dies away on both sides (Trefethen and Weideman, "The
// exponentially convergent trapezoidal rule", SIAM Review 56, 2014).
func noncentralTCDF(t, nu, delta float64) float64 {
	if t < 0 {
		return 1 - noncentralTCDF(-t, nu, -delta)
	}
	const seriesLimit = 37
	switch {
	case math.Abs(delta) <= seriesLimit:
		return distuv.NoncentralT{Nu: nu, Mu: delta}.CDF(t)
	case delta < 0:
		return 1 // all but Φ(−37) of Z + δ is negative
	case t == 0:
		return 0
	}
	// φ has width 1 in z, and the chi distribution t/√(2ν): half of what both have together.
	step := 0.5 / math.Sqrt(1+2*nu/(t*t))
	sum := 0.0
	const reach = 9.0 // φ(9) is 1e-18
	for z := -reach; z <= reach; z += step {
		s := (z + delta) / t
		sum += math.Exp(-z*z/2) * mathext.GammaIncRegComp(nu/2, nu*s*s/2)
	}
	return sum * step / math.Sqrt(2*math.Pi)
}

// noncentralityAt returns the δ of which t is the p-quantile.
func noncentralityAt(t, nu, p float64) float64 {
	excess := func(delta float64) float64 { return noncentralTCDF(t, nu, delta) - p } // falls with delta
	width := 2 * math.Sqrt(1+t*t/(2*nu))                                              // about two standard errors
	low, high := t-width, t+width
	for excess(low) < 0 {
		low -= width
	}
	for excess(high) > 0 {
		high += width
	}
	return root(excess, low, high)
}

// root returns where a continuous f is zero between two places of opposite
// sign, by false position with the Illinois rule (Dowell and Jarratt, "A
// modified regula falsi method", BIT 11, 1971). It is for an f that is known to
// 1e-12, as distribution functions here are, and stops there.
func root(f func(float64) float64, low, high float64) float64 {
	const accuracy = 1e-12
	fLow, fHigh := f(low), f(high)
	for {
		middle := (low*fHigh - high*fLow) / (fHigh - fLow)
		fMiddle := f(middle)
		if math.Abs(fMiddle) <= accuracy || !(min(low, high) < middle && middle < max(low, high)) {
			return middle
		}
		if (fMiddle > 0) == (fHigh > 0) {
			fLow /= 2 // the same end was replaced: halve the other, lest it stay for ever
		} else {
			low, fLow = high, fHigh
		}
		high, fHigh = middle, fMiddle
	}
}
