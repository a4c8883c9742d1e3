package stats

import (
	"fmt"
	"math"
)

// Power returns the probability that a two-sided paired t-test of n pairs is significant
// at α. The differences are assumed to be normal, with the given true mean and standard
// deviation sd:
//
//	P(|T| > t(1−α/2; n−1)),   T noncentral t with n−1 degrees of freedom and noncentrality √n·difference/sd
//
// (Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988,
// chapter 2). It is statsmodels' TTestPower().power(difference/sd, n, α).
//
// The power at the observed difference adds nothing to p. Ask for the power at a
// difference that would matter.
//
// It returns ErrTooFewPairs for n below MinPairs, ErrNotFinite for a difference
// or an sd that is not finite, and ErrNoSpread for an sd of 0. It panics for a
// negative sd and for an α outside (0, 1).
func Power(n int, difference, sd, alpha float64) (float64, error) {
	mustBeFraction("Power", "α", alpha)
	if err := checkDesign(n, difference, sd); err != nil {
		return 0, err
	}
	return power(n, math.Abs(difference)/sd, alpha), nil
}

// power is Power at a standardised difference.
func power(n int, dz, alpha float64) float64 {
	df := float64(n - 1)
	critical, delta := studentUpper(alpha/2, df), dz*math.Sqrt(float64(n))
	return noncentralTCDF(-critical, df, delta) + noncentralTCDF(-critical, df, -delta)
}

// SmallestDifference returns the smallest true mean difference that a two-sided paired
// t-test of n pairs finds at α with a given probability, power, such as 0.8. The
// differences are assumed to be normal with standard deviation sd. A smaller difference may
// exist although such a study found none.
//
// The sd is an assumption: of an sd estimated from k differences, the result inherits
// the relative standard error, 1/√(2(k−1)).
//
// It returns the errors of Power. It panics for a negative sd, for an α or a power
// outside (0, 1), and for a power that is not above α, because even no difference has that.
func SmallestDifference(n int, sd, alpha, power float64) (float64, error) {
	mustBeFraction("SmallestDifference", "α", alpha)
	mustBeFraction("SmallestDifference", "power", power)
	if power <= alpha {
		panic(fmt.Sprintf("stats: SmallestDifference: power %g is not above α %g", power, alpha))
	}
	if err := checkDesign(n, 0, sd); err != nil {
		return 0, err
	}
	return smallestDz(n, alpha, power) * sd, nil
}

func smallestDz(n int, alpha, target float64) float64 {
	excess := func(dz float64) float64 { return power(n, dz, alpha) - target }
	high := 1.0
	for excess(high) < 0 {
		high *= 2
	}
	return root(excess, 0, high)
}

func checkDesign(n int, difference, sd float64) error {
	if n < MinPairs {
		return fmt.Errorf("%w, got %d", ErrTooFewPairs, n)
	}
	if err := checkFinite("difference or sd", []float64{difference, sd}); err != nil {
		return err
	}
	if sd < 0 {
		panic(fmt.Sprintf("stats: a standard deviation of %g", sd))
	}
	if sd == 0 {
		return ErrNoSpread
	}
	return nil
}
