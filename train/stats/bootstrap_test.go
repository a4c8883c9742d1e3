package stats

import (
	"testing"
)

// SciPy 1.17.1's BCa of the same resamples. They were made again in Python by
// Philox4x32-10 (key = seed, counter = (draw, 0, i/4, FNV-1a of "stats/bootstrap"), index = word·n >> 32)
// of d in whole units of its last decimal, so that equal means are equal; then
//
//	scipy.stats._resampling._bca_interval((d,), numpy.mean, -1, alpha, means, None, numpy)
//
// gave the two probabilities, at alpha = 0.025 and at Φ(−√(n/(n−1))·t(0.975; n−1)), and
// numpy.quantile(means, ..., method="interpolated_inverted_cdf") the ends.
func TestBCaKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name               string
		x, y               []float64
		draws              Draws
		interval, expanded Interval
	}{
		{
			"maize", maize, zeros(15), Draws{},
			Interval{0.95, -1.8851032792763798, 36.13333333333333},
			Interval{0.95, -5.6157766696722184, 37.8},
		},
		{
			"sleep", sleepX, sleepY, Draws{N: 1999, Seed: 7},
			Interval{0.95, -2.4995174988094595, -1.03},
			Interval{0.95, -2.8853967346836513, -0.96},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := BCa(c.x, c.y, 0.95, c.draws)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != len(c.x) || got.Draws != c.draws.number() || got.Interval.Level != 0.95 || got.Expanded.Level != 0.95 {
				t.Errorf("%+v", got)
			}
			// An end between two resampled means, some spread/5 apart in the tails, moves with its
			// probability, good to 1e-14, by draws times that.
			tolerance := 1e-9 * (c.interval.High - c.interval.Low)
			within(t, "low", got.Interval.Low, c.interval.Low, tolerance)
			within(t, "high", got.Interval.High, c.interval.High, tolerance)
			within(t, "expanded low", got.Expanded.Low, c.expanded.Low, tolerance)
			within(t, "expanded high", got.Expanded.High, c.expanded.High, tolerance)
		})
	}
}

// There is no interval where no draw lies below the sample's mean, and none at a
// level that carries z over the pole of the acceleration.
func TestBCaUndefined(t *testing.T) {
	if got, err := BCa(sleepX, sleepY, 0.95, Draws{N: 1}); err == nil {
		t.Errorf("an interval of one draw: %+v", got)
	}
	if got, err := BCa([]float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, zeros(10), 1-1e-13, Draws{}); err == nil {
		t.Errorf("an interval beyond the pole: %+v", got)
	}
}

func TestBCaIsReproducible(t *testing.T) {
	first, err := BCa(sleepX, sleepY, 0.9, Draws{Seed: 1})
	again, _ := BCa(sleepX, sleepY, 0.9, Draws{Seed: 1})
	other, _ := BCa(sleepX, sleepY, 0.9, Draws{Seed: 2})
	if err != nil || first != again || first == other {
		t.Errorf("%v: %+v, again %+v, with another seed %+v", err, first, again, other)
	}
}
