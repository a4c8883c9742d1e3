package stats

import "testing"

func TestPowerKnownAnswers(t *testing.T) {
	// statsmodels 0.15.0: TTestPower().power(dz, n, α). The first is the matched
	// pairs of the G*Power manual (Faul and others, Behavior Research Methods 39, 2007), which has 0.832114.
	for _, c := range []struct {
		n               int
		dz, alpha, want float64
	}{
		{n: 50, dz: 0.421637, alpha: 0.05, want: 0.8321144617513158},
		{n: 10, dz: 0.5, alpha: 0.05, want: 0.29317560651407687},
		{n: 10, dz: -0.5, alpha: 0.05, want: 0.29317560651407687},
		{n: 5, dz: 1, alpha: 0.05, want: 0.40138991737179536},
		{n: 20, dz: 1, alpha: 0.01, want: 0.9324953716898586},
		{n: 3, dz: 2, alpha: 0.05, want: 0.47074943127843494},
		{n: 7, dz: 0, alpha: 0.05, want: 0.05}, // no effect: the level itself
		{n: 20, dz: 15, alpha: 1e-9, want: 1},  // noncentrality 67, beyond the series
	} {
		within(t, "power", power(c.n, c.dz, c.alpha), c.want, 1e-11) // the distribution function is good to 1e-12
	}
}
