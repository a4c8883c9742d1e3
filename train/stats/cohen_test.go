package stats

import (
	"math"
	"testing"
)

func TestCohenDzKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: t of ttest_rel over √n, and brentq of nct.cdf(t, n−1, δ) = 0.975 and 0.025 over √n.
	for _, c := range []struct {
		name string
		x, y []float64
		want CohenDzResult
	}{
		{"sleep", sleepY, sleepX, CohenDzResult{10, 1.2845575625910546, Interval{0.95, 0.4146277563804623, 2.118016513981603}}},
		{"sleep turned round", sleepX, sleepY, CohenDzResult{10, -1.2845575625910546, Interval{0.95, -2.118016513981603, -0.4146277563804623}}},
		{"sleep, 90 %", sleepY, sleepX, CohenDzResult{10, 1.2845575625910546, Interval{0.9, 0.5446397659235215, 1.9746153451170116}}},
		{"maize", maize, zeros(15), CohenDzResult{15, 0.5546079777065185, Interval{0.95, 0.0007042487017934678, 1.0916029278021395}}},
		{"depression", depressionX, depressionY, CohenDzResult{9, 1.0117918052161972, Interval{0.95, 0.17714760906822094, 1.8071690619393934}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := CohenDz(c.x, c.y, c.want.Interval.Level)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != c.want.N || got.Interval.Level != c.want.Interval.Level {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			near(t, "dz", got.Dz, c.want.Dz)
			checkDz(t, got.Interval, c.want.Interval)
		})
	}
}

// An effect so large that the noncentrality is beyond the series: t = 76.353
// with 20 pairs, as the time of two optimizers may have. mpmath 1.4.1, 30 digits, findroot of
// the integral of TestNoncentralTCDF.
func TestCohenDzOfALargeEffect(t *testing.T) {
	x := zeros(20)
	for i := range x {
		// 20 differences of m ± 1 have sd √(20/19), so t = m·√19.
		x[i] = 76.353/math.Sqrt(19) + float64(2*(i%2)-1)
	}
	got, err := CohenDz(x, zeros(20), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	checkDz(t, got.Interval, Interval{0.95, 11.669885356537027, 22.466570722998628})
}

// The distribution function is good to 1e-12, and its slope at the ends is
// about 0.2 over the interval's length.
func checkDz(t *testing.T, got, want Interval) {
	t.Helper()
	tolerance := 2e-11 * (want.High - want.Low)
	within(t, "low", got.Low, want.Low, tolerance)
	within(t, "high", got.High, want.High, tolerance)
}
