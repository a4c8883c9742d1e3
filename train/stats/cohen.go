package stats

import "math"

// CohenDzResult is a standardised mean difference of pairs.
type CohenDzResult struct {
	N        int      // number of pairs
	Dz       float64  // mean of x − y in units of the standard deviation of x − y
	Interval Interval // of the true ratio, assuming normal differences
}

// CohenDz returns the mean of the differences x[i] − y[i] divided by their
// standard deviation (Cohen, Statistical Power Analysis for the Behavioral
// Sciences, 2nd ed. 1988, section 2.3.5), which is t/√n, and its confidence
// interval at a level, such as 0.95.
//
// The deviation is that of the differences, not that of an arm: dz grows with the
// correlation of the pairs and is not the d of independent samples.
//
// For normal differences t has a noncentral t distribution with noncentrality √n·(true
// dz). The interval has the values for which the observed t is no rarer than (1−level)/2
// on either side. It is exact. The source is Steiger and Fouladi, "Noncentrality interval
// estimation and the evaluation of statistical models", in Harlow, Mulaik and Steiger,
// What If There Were No Significance Tests?, 1997.
//
// It returns ErrTooFewPairs, ErrNotFinite or ErrNoSpread. It panics when x and y
// differ in length and for a level outside (0, 1).
func CohenDz(x, y []float64, level float64) (CohenDzResult, error) {
	mustBeFraction("CohenDz", "level", level)
	t, err := PairedT(x, y)
	if err != nil {
		return CohenDzResult{}, err
	}
	root, tail := math.Sqrt(float64(t.N)), (1-level)/2
	return CohenDzResult{
		N:  t.N,
		Dz: t.T / root,
		Interval: Interval{
			Level: level,
			Low:   noncentralityAt(t.T, t.DF, 1-tail) / root,
			High:  noncentralityAt(t.T, t.DF, tail) / root,
		},
	}, nil
}
