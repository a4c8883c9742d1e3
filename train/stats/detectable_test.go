package stats

import (
	"errors"
	"math"
	"testing"
)

// SciPy 1.17.1: brentq of the power by nct.sf and nct.cdf at t.isf(0.05/2m, n − 1), and
// √((n − 1)/chi2.ppf(0.1, n − 1)).
func TestDetectableKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		n, cells  int
		dz, upper float64
	}{
		{3, 1, 3.264043549699572, 3.0807826247611008},
		{5, 1, 1.6819969659555536, 1.9392602312251999},
		{10, 1, 0.9960013714554438, 1.4694307221378702},
		{8, 7, 1.695644456145771, 1.5718733025076328},
		{10, 7, 1.4050704125197668, 1.4694307221378702},
		{10, 28, 1.7230996589970158, 1.4694307221378702},
		{20, 28, 1.0186539385435054, 1.2770175804261554},
	} {
		got, err := Detectable(c.n, c.cells, 0.02, 0.05, 0.8)
		if err != nil {
			t.Fatal(err)
		}
		// SciPy loses the lower tail of power, below 1e-9, beyond some noncentrality.
		within(t, "dz", got.Dz, c.dz, 1e-9)
		within(t, "upper limit", got.SDUpper, 0.02*c.upper, 1e-12)
		within(t, "difference", got.Difference, 0.02*c.upper*c.dz, 1e-10)
	}
	for _, c := range []struct {
		n    int
		sd   float64
		want error
	}{{2, 1, ErrTooFewPairs}, {5, math.Inf(1), ErrNotFinite}, {5, 0, ErrNoSpread}} {
		if _, err := Detectable(c.n, 1, c.sd, 0.05, 0.8); !errors.Is(err, c.want) {
			t.Errorf("n = %d, sd %g: %v, want %v", c.n, c.sd, err, c.want)
		}
	}
	mustPanic(t, "no cells", func() { _, _ = Detectable(5, 0, 1, 0.05, 0.8) })
}
