package stats

import (
	"errors"
	"slices"
	"testing"
)

func TestByTuning(t *testing.T) {
	got, err := ByTuning([]TunedPair{{2, 7, 4, 1}, {1, 5, 1, 1}, {2, 8, 6, 2}, {1, 6, 2, 4}, {1, 9, 3, 1}})
	want := Cell{Units: []int{1, 2}, Rival: []float64{2, 5}, Baseline: []float64{2, 1.5}}
	if err != nil || !slices.Equal(got.Units, want.Units) || !slices.Equal(got.Rival, want.Rival) || !slices.Equal(got.Baseline, want.Baseline) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, second := range []TunedPair{{1, 5, 1, 1}, {2, 5, 1, 1}} {
		if _, err := ByTuning([]TunedPair{{1, 5, 1, 1}, second}); !errors.Is(err, ErrUnit) {
			t.Errorf("seed 5 twice: %v", err)
		}
	}
}

func zeroRows(rows, columns int) [][]float64 {
	all := make([][]float64, rows)
	for i := range all {
		all[i] = zeros(columns)
	}
	return all
}

// statsmodels 0.15.0: mean squares 12.325 and 4.15/3 of anova_lm(ols("d ~ C(tuning) + C(seed)")),
// V and degrees of them by the formula in NumPy, p and the interval's half by SciPy 1.17.1's t.sf and t.isf.
func TestTwoWayKnownAnswers(t *testing.T) {
	d := [][]float64{{3, 1, 4, 1}, {5, 9, 2, 6}, {5, 3, 5, 8}, {9, 7, 9, 3}, {2, 3, 8, 4}}
	got, err := TwoWay(Crossed{d, zeroRows(5, 4)})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", got.MeanDifference, 4.85)
	near(t, "standard error", got.StandardError, 0.8278989471346528)
	near(t, "degrees", got.DF, 4.866552457404946)
	near(t, "t", got.T, 5.8582028842841085)
	within(t, "p", got.P, 0.002249112751049854, 1e-12)
	within(t, "low", got.Interval(0.95).Low, 4.85-2.145855017455629, 1e-9)

	family, err := TestCrossed([]Crossed{{d, zeroRows(5, 4)}, {zeroRows(5, 4), zeroRows(5, 4)}}, LowerIsBetter, 0)
	if err != nil || family.Method != HolmTwoWay {
		t.Fatalf("%+v, %v", family, err)
	}
	first, second := family.Cells[0], family.Cells[1]
	near(t, "Holm's p", first.P, 2*got.P)
	if first.Decision != Worse || first.Interval != got.Interval(1-0.05/2) || second.P != 1 || second.Decision != NotShown || !errors.Is(second.Err, ErrNoSpread) {
		t.Errorf("%+v", family)
	}
}

func TestTwoWayErrors(t *testing.T) {
	for _, c := range []struct {
		tunings, seeds int
		want           error
	}{{2, 9, ErrTooFewPairs}, {10, 3, ErrTooFewSeeds}, {5, 4, ErrNoSpread}} {
		cell := Crossed{zeroRows(c.tunings, c.seeds), zeroRows(c.tunings, c.seeds)}
		if _, err := TwoWay(cell); !errors.Is(err, c.want) {
			t.Errorf("%d x %d: %v, want %v", c.tunings, c.seeds, err, c.want)
		}
		family, err := TestCrossed([]Crossed{cell}, LowerIsBetter, 0)
		if got := family.Cells[0]; err != nil || !errors.Is(got.Err, c.want) || (got.Decision == NoVerdict) != (c.want != ErrNoSpread) {
			t.Errorf("%d x %d: %+v, %v", c.tunings, c.seeds, got, err)
		}
	}
	mustPanic(t, "ragged", func() { _, _ = TwoWay(Crossed{[][]float64{{1, 2}, {1}, {1}}, zeroRows(3, 2)}) })
}
