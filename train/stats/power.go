package stats

import "math"

// power returns the probability that a two-sided paired t-test of n pairs is significant
// at α, for normal differences whose true mean is dz true standard deviations:
//
//	P(|T| > t(1−α/2; n−1)),   T noncentral t with n−1 degrees of freedom and noncentrality √n·dz
//
// (Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988,
// chapter 2). It is statsmodels' TTestPower().power(dz, n, α).
func power(n int, dz, alpha float64) float64 {
	df := float64(n - 1)
	critical, delta := studentUpper(alpha/2, df), dz*math.Sqrt(float64(n))
	return noncentralTCDF(-critical, df, delta) + noncentralTCDF(-critical, df, -delta)
}

// smallestDz returns the dz whose power is target.
func smallestDz(n int, alpha, target float64) float64 {
	excess := func(dz float64) float64 { return power(n, dz, alpha) - target }
	high := 1.0
	for excess(high) < 0 {
		high *= 2
	}
	return root(excess, 0, high)
}
