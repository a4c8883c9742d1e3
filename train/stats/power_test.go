package stats

import (
	"errors"
	"math"
	"testing"
)

func TestPowerKnownAnswers(t *testing.T) {
	// statsmodels 0.15.0: TTestPower().power(difference/sd, n, α). The first is the matched
	// pairs of the G*Power manual (Faul and others, Behavior Research Methods 39, 2007), which has 0.832114.
	for _, c := range []struct {
		n              int
		difference, sd float64
		alpha, want    float64
	}{
		{n: 50, difference: 0.421637, sd: 1, alpha: 0.05, want: 0.8321144617513158},
		{n: 10, difference: 1, sd: 2, alpha: 0.05, want: 0.29317560651407687},
		{n: 10, difference: -1, sd: 2, alpha: 0.05, want: 0.29317560651407687},
		{n: 5, difference: 1, sd: 1, alpha: 0.05, want: 0.40138991737179536},
		{n: 20, difference: 0.01, sd: 0.01, alpha: 0.01, want: 0.9324953716898586},
		{n: 3, difference: 2, sd: 1, alpha: 0.05, want: 0.47074943127843494},
		{n: 7, difference: 0, sd: 1, alpha: 0.05, want: 0.05}, // no effect: the level itself
		{n: 20, difference: 15, sd: 1, alpha: 1e-9, want: 1},  // noncentrality 67, beyond the series
	} {
		got, err := Power(c.n, c.difference, c.sd, c.alpha)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "power", got, c.want, 1e-11) // the distribution function is good to 1e-12
	}
}

func TestSmallestDifferenceKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: brentq of the power by nct.sf and nct.cdf at t.ppf(1 − α/2, n − 1), xtol 1e-14.
	for _, c := range []struct {
		n                      int
		sd, alpha, power, want float64
	}{
		{3, 1, 0.05, 0.8, 3.264043549699572},
		{5, 1, 0.05, 0.8, 1.6819969659555543},
		{10, 1, 0.05, 0.8, 0.9960013714554438},
		{20, 0.01, 0.05, 0.8, 0.006604416546230262},
		{50, 1, 0.05, 0.8, 0.40418300213604247},
		{10, 2, 0.01, 0.9, 2 * 1.5097344855749382},
	} {
		got, err := SmallestDifference(c.n, c.sd, c.alpha, c.power)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "difference", got, c.want, 1e-10*c.want) // power's slope in it is about 1/want
	}
}

func TestPowerErrors(t *testing.T) {
	for _, c := range []struct {
		n              int
		difference, sd float64
		want           error
	}{
		{2, 1, 1, ErrTooFewPairs},
		{5, math.NaN(), 1, ErrNotFinite},
		{5, 1, math.Inf(1), ErrNotFinite},
		{5, 1, 0, ErrNoSpread},
	} {
		if _, err := Power(c.n, c.difference, c.sd, 0.05); !errors.Is(err, c.want) {
			t.Errorf("Power(%d, %g, %g): error %v, want %v", c.n, c.difference, c.sd, err, c.want)
		}
		if _, err := SmallestDifference(c.n, c.sd, 0.05, 0.8); !math.IsNaN(c.difference) && !errors.Is(err, c.want) {
			t.Errorf("SmallestDifference(%d, %g): error %v, want %v", c.n, c.sd, err, c.want)
		}
	}
}
