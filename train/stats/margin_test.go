package stats

import (
	"errors"
	"math"
	"testing"
)

func TestEquivalenceKnownAnswers(t *testing.T) {
	// statsmodels 0.15.0: ttost_paired(x, y, −margin, margin), the larger p and the size of its t. The
	// interval is that of SciPy 1.17.1's ttest_rel at 0.9.
	for _, c := range []struct {
		name         string
		x, y         []float64
		margin, t, p float64
	}{
		{"sleep", sleepX, sleepY, 2.5, 2.3652895371591605, 0.021116860246500745},
		{"sleep turned round", sleepY, sleepX, 2.5, 2.3652895371591605, 0.021116860246500745},
		{"depression", depressionX, depressionY, 0.8, 2.587136288151217, 0.01612819999095295},
	} {
		got, err := Equivalence(c.x, c.y, c.margin, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.name+" t", got.T, c.t)
		near(t, c.name+" p", got.P, c.p)
	}
	got, _ := Equivalence(sleepX, sleepY, 2.5, 0.05)
	near(t, "low", got.Interval.Low, -2.293005267029284)
	near(t, "high", got.Interval.High, -0.8669947329707163)
	near(t, "level", got.Interval.Level, 0.9)
	if got.N != 10 || got.DF != 9 || got.Margin != 2.5 || got.MeanDifference != -1.5799999999999998 {
		t.Errorf("%+v", got)
	}
}

func TestNonInferiorityKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: ttest_1samp(x − y + margin, 0, alternative="greater") where higher is better and
	// ttest_1samp(x − y − margin, 0, alternative="less") where lower is; t in the direction of non-inferior.
	for _, c := range []struct {
		name         string
		x, y         []float64
		direction    Direction
		margin, t, p float64
	}{
		{"sleep, higher is better", sleepX, sleepY, HigherIsBetter, 2.5, 2.36528953715916, 0.02111686024650077},
		{"sleep, lower is better", sleepX, sleepY, LowerIsBetter, 2.5, 10.489544903923232, 1.2002417381896456e-06},
		{"depression, lower is better", depressionX, depressionY, LowerIsBetter, 0.8, 2.5871362881512177, 0.016128199990952937},
		{"depression, higher is better", depressionX, depressionY, HigherIsBetter, 0.1, 3.738189378623568, 0.0028600927586692223},
		// Margin 0 is the one-sided t-test of whether x is better: half of two sides' p, or the rest.
		{"better", sleepX, sleepY, LowerIsBetter, 0, 4.062127683382037, 0.002832890197384273 / 2},
		{"worse", sleepX, sleepY, HigherIsBetter, 0, -4.062127683382037, 1 - 0.002832890197384273/2},
	} {
		got, err := NonInferiority(c.x, c.y, c.direction, c.margin, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.name+" t", got.T, c.t)
		near(t, c.name+" p", got.P, c.p)
		// P < α exactly when the interval keeps clear of the margin on the bad side.
		clear := got.Interval.Low > -c.margin
		if c.direction == LowerIsBetter {
			clear = got.Interval.High < c.margin
		}
		if clear != (got.P < 0.05) {
			t.Errorf("%s: p = %g, interval %+v, margin %g", c.name, got.P, got.Interval, c.margin)
		}
	}
}

func TestBadMargins(t *testing.T) {
	for _, margin := range []float64{-0.1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := NonInferiority(sleepX, sleepY, LowerIsBetter, margin, 0.05); !errors.Is(err, ErrMargin) {
			t.Errorf("NonInferiority with margin %g: error %v", margin, err)
		}
		if _, err := Equivalence(sleepX, sleepY, margin, 0.05); !errors.Is(err, ErrMargin) {
			t.Errorf("Equivalence with margin %g: error %v", margin, err)
		}
	}
	if _, err := Equivalence(sleepX, sleepY, 0, 0.05); !errors.Is(err, ErrMargin) {
		t.Errorf("Equivalence with margin 0: error %v", err)
	}
}
