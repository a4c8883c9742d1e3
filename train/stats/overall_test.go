package stats

import (
	"errors"
	"slices"
	"testing"
)

// SciPy 1.17.1 and NumPy, with the same resamples, made by Philox4x32-10 in Python (key = seed,
// counter = (draw, 0, i/4, FNV-1a of "stats/resample/0" and "…/1"), index = word·n >> 32): trim_mean(…, 0.25),
// quantile(…, method="weibull"), and the formula of the logit interval with n = 9.
func TestOverallKnownAnswers(t *testing.T) {
	cells := []Cell{{units(10), sleepX, sleepY}, {units(9), depressionX, depressionY}}
	got, err := InterquartileDifference(cells, 0.95, 7)
	if err != nil || got.Sets != 2 {
		t.Fatal(got, err)
	}
	within(t, "difference", got.Estimate, -0.5351333333333337, 1e-12)
	within(t, "low", got.Interval.Low, -1.1276, 1e-12)
	within(t, "high", got.Interval.High, -0.10113333333333352, 1e-12)

	got, err = Improvement(cells, HigherIsBetter, 0.95, 7)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "probability", got.Estimate, 0.4855246913580247, 1e-12)
	within(t, "low", got.Interval.Low, 0.32759188036150955, 1e-9) // a quantile of t
	within(t, "high", got.Interval.High, 0.64640226188107, 1e-9)

	lower, _ := Improvement(cells, LowerIsBetter, 0.95, 7)
	within(t, "the other direction", lower.Estimate, 1-got.Estimate, 1e-12)
	again, _ := Improvement(cells, HigherIsBetter, 0.95, 7)
	other, _ := Improvement(cells, HigherIsBetter, 0.95, 8)
	if again != got || other == got {
		t.Errorf("%+v, again %+v, with another seed %+v", got, again, other)
	}
	// All runs are better: P is clipped to 1 − 1/20, and its half-width is t·(1/20). The interval
	// of the clipped P ends at 0.9952; the estimate, 1, belongs to it.
	all, _ := Improvement([]Cell{{units(10), sleepX, []float64{-9, -9, -9, -9, -9, -9, -9, -9, -9, -9}}}, HigherIsBetter, 0.95, 7)
	within(t, "low of 1", all.Interval.Low, 0.6371974693727669, 1e-9)
	within(t, "high of 1", all.Interval.High, 1, 0)
	if all.Estimate != 1 {
		t.Errorf("%+v", all)
	}
}

// SciPy 1.17.1: trim_mean(x, 0.25).
func TestInterquartileMean(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{{maize, 25.77777777777778}, {sleepX, 0.5333333333333333}, {[]float64{4, 1, 7}, 4}} {
		within(t, "mean", interquartileMean(slices.Clone(c.x)), c.want, 1e-12)
	}
	if _, err := InterquartileDifference(nil, 0.95, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("no sets: %v", err)
	}
	mustPanic(t, "direction", func() { _, _ = Improvement([]Cell{cellOf(1, 2, 3)}, 2, 0.95, 1) })
}
