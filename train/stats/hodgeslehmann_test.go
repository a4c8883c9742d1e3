package stats

import (
	"errors"
	"testing"
)

func TestHodgesLehmannKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name            string
		x, y            []float64
		level           float64
		estimate        float64
		reached         float64
		low, high, room float64
	}{
		// Hollander and Wolfe, section 3.3: 0.46 and, at 96.1 %, 0.010 to 0.786.
		{"depression", depressionX, depressionY, 0.96, 0.46, 0.9609375, 0.010, 0.786, 1e-12},
		// NumPy: the median and the order statistics of the means, counts of W by a recursion.
		{"maize", maize, zeros(15), 0.95, 25, 0.95208740234375, 4, 41.5, 0},
		{"sleep", sleepX, sleepY, 0.95, -1.3, 0.951171875, -2.7, -0.9, 1e-12},
		{"just reached", []float64{1, 2, 3, 4, 5}, zeros(5), 0.9375, 3, 0.9375, 1, 5, 0},
		{"smallest", []float64{1, 2, 3, 4, 5, 6}, zeros(6), 0.95, 3.5, 1 - 2.0/64, 1, 6, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := HodgesLehmann(c.x, c.y, c.level)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "estimate", got.Estimate, c.estimate, 1e-12)
			within(t, "level", got.Interval.Level, c.reached, 1e-12)
			within(t, "low", got.Interval.Low, c.low, c.room)
			within(t, "high", got.Interval.High, c.high, c.room)
		})
	}
	if _, err := HodgesLehmann(sleepX[:5], sleepY[:5], 0.95); !errors.Is(err, ErrTooFewForLevel) {
		t.Errorf("5 pairs at 95 %%: %v", err)
	}
}

// The ends hold the values that Wilcoxon's test does not reject, exact and approximate.
func TestHodgesLehmannInvertsWilcoxon(t *testing.T) {
	for _, n := range []int{12, 49, 50, 80} {
		x := zeros(n)
		r := newNull(uint64(n))
		for i := range x {
			x[i] = r.NormFloat64()
		}
		got, err := HodgesLehmann(x, zeros(n), 0.95)
		if err != nil {
			t.Fatal(err)
		}
		p := func(shift float64) float64 {
			y := zeros(n)
			for i := range y {
				y[i] = shift
			}
			w, err := Wilcoxon(x, y)
			if err != nil {
				t.Fatal(err)
			}
			return w.P
		}
		for _, end := range []struct{ at, outward float64 }{{got.Interval.Low, -1e-9}, {got.Interval.High, 1e-9}} {
			if in, out := p(end.at-end.outward), p(end.at+end.outward); in <= 0.05 || out > 0.05 {
				t.Errorf("%d pairs: p inside %g, outside %g", n, in, out)
			}
		}
	}
}
