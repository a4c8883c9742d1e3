package report

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// run returns a finished row whose metrics are all made from x.
func run(dataset, optimizer string, seed int, x float64) Row {
	return Row{Dataset: dataset, Optimizer: optimizer, Seed: seed, Status: record.Finished,
		ValLoss: x, ValAcc: x / 10, F1: x / 20, TrainTime: 100 * x}
}

func mustCompare(t *testing.T, rows []Row, baseline string) *Analysis {
	t.Helper()
	a, err := Compare(rows, baseline)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Pairs are (1, 3), (2, 3), (4, 5): differences 2, 1, 1 with mean 4/3, variance
// 1/3, t = 4/3 / √(1/9) = 4. Seed order in the rows must not matter.
func TestComparePairsBySeed(t *testing.T) {
	rows := []Row{
		run("digits", "adamw", 7, 1), run("digits", "adamw", 2, 4), run("digits", "adamw", 5, 2),
		run("digits", "diaghess", 2, 5), run("digits", "diaghess", 5, 3), run("digits", "diaghess", 7, 3),
	}
	a := mustCompare(t, rows, "")
	if len(a.Comparisons) != 1 {
		t.Fatalf("%d comparisons, want 1", len(a.Comparisons))
	}
	c := a.Comparisons[0]
	if c.Dataset != "digits" || c.Baseline != "adamw" || c.Rival != "diaghess" {
		t.Errorf("compared %s: %s with %s", c.Dataset, c.Rival, c.Baseline)
	}
	if !slices.Equal(c.Seeds, []int{2, 5, 7}) || len(c.LeftOut) != 0 {
		t.Errorf("seeds %v, left out %v", c.Seeds, c.LeftOut)
	}
	for _, m := range Metrics() {
		l := c.Lines[m]
		if l.Metric != m || l.Untested != nil {
			t.Fatalf("line %d is of %s, untested: %v", m, l.Metric, l.Untested)
		}
		// Three values and a handful of operations: a few units in the last place.
		if math.Abs(l.Test.T-4) > 1e-13 {
			t.Errorf("%s: t = %.17g, want 4", m, l.Test.T)
		}
		if want := 100 * (11.0 - 7) / 7; math.Abs(l.PercentChange-want) > 1e-12 {
			t.Errorf("%s: %.17g %% change, want %.17g", m, l.PercentChange, want)
		}
	}
	if l := c.Lines[ValLoss]; l.Baseline.Mean != 7.0/3 || l.Rival.Mean != 11.0/3 || l.Baseline.N != 3 {
		t.Errorf("val_loss: baseline %+v, rival %+v", l.Baseline, l.Rival)
	}
}

func TestCompareNamesWhatIsLeftOut(t *testing.T) {
	diverged := Row{Dataset: "digits", Optimizer: "diaghess", Seed: 1, Status: record.Diverged, Note: "loss NaN in epoch 2"}
	interrupted := Row{Dataset: "digits", Optimizer: "adamw", Seed: 5, Status: "interrupted"}
	infinite := run("digits", "adamw", 6, 1)
	infinite.ValLoss = math.Inf(1)
	a := mustCompare(t, []Row{
		run("digits", "adamw", 0, 1), run("digits", "adamw", 1, 1), run("digits", "adamw", 2, 2), run("digits", "adamw", 3, 1),
		interrupted, infinite,
		run("digits", "diaghess", 0, 2), diverged, run("digits", "diaghess", 2, 4), run("digits", "diaghess", 4, 2),
		run("digits", "diaghess", 5, 2), run("digits", "diaghess", 6, 2),
	}, "")
	c := a.Comparisons[0]
	if !slices.Equal(c.Seeds, []int{0, 2}) {
		t.Errorf("seeds %v, want 0 and 2", c.Seeds)
	}
	want := []LeftOut{
		{"diaghess", 1, "diverged: loss NaN in epoch 2"},
		{"diaghess", 3, "missing"},
		{"adamw", 4, "missing"},
		{"adamw", 5, "interrupted"},
		{"adamw", 6, "finished with val_loss +Inf"},
	}
	if !slices.Equal(c.LeftOut, want) {
		t.Errorf("left out %v, want %v", c.LeftOut, want)
	}
}

func TestCompareBaseline(t *testing.T) {
	rows := []Row{run("digits", "sgd", 0, 1), run("digits", "adamw", 0, 2), run("digits", "Baseline", 0, 3), run("mnist", "sgd", 0, 1)}
	for _, c := range []struct {
		name, baseline string
		rows           []Row
		optimizers     []string
	}{
		{"one is called Baseline", "", rows, []string{"Baseline", "sgd", "adamw"}},
		{"the first", "", rows[:2], []string{"sgd", "adamw"}},
		{"named", "adamw", rows, []string{"adamw", "sgd", "Baseline"}},
	} {
		a := mustCompare(t, c.rows, c.baseline)
		if !slices.Equal(a.Optimizers, c.optimizers) {
			t.Errorf("%s: optimizers %v, want %v", c.name, a.Optimizers, c.optimizers)
		}
		for i, rival := range c.optimizers[1:] {
			if got := a.Comparisons[i]; got.Baseline != c.optimizers[0] || got.Rival != rival {
				t.Errorf("%s: comparison %d is %s with %s", c.name, i, got.Rival, got.Baseline)
			}
		}
	}
	if a := mustCompare(t, rows, ""); len(a.Comparisons) != 3 || a.Comparisons[2].Baseline != "sgd" || a.Comparisons[2].Rival != "" {
		t.Errorf("a data set of one optimizer gives %+v", a.Comparisons[2])
	}
}

func TestCompareBaselineWithoutRuns(t *testing.T) {
	a := mustCompare(t, []Row{
		run("digits", "adamw", 0, 1), run("digits", "sgd", 0, 2),
		run("mnist", "sgd", 0, 1), run("mnist", "rmsprop", 0, 1),
	}, "")
	for _, c := range a.Comparisons[1:] {
		if c.Dataset != "mnist" || c.Baseline != "adamw" || len(c.Seeds) != 0 || c.LeftOut[0] != (LeftOut{"adamw", 0, "missing"}) {
			t.Errorf("comparison without runs of the baseline: %+v", c)
		}
		for _, l := range c.Lines {
			if l.Untested == nil || !math.IsNaN(l.Difference) || !math.IsNaN(l.PercentChange) {
				t.Errorf("a number without a pair: %+v", l)
			}
		}
	}
}

func TestCompareUntested(t *testing.T) {
	onePair := mustCompare(t, []Row{run("digits", "adamw", 0, 1), run("digits", "sgd", 0, 2)}, "").Comparisons[0].Lines[F1]
	if !errors.Is(onePair.Untested, stats.ErrTooFewPairs) || onePair.Difference != 0.05 {
		t.Errorf("one pair: %+v", onePair)
	}
	same := mustCompare(t, []Row{
		run("digits", "adamw", 0, 1), run("digits", "sgd", 0, 2),
		run("digits", "adamw", 1, 3), run("digits", "sgd", 1, 4),
		run("digits", "adamw", 2, 2), run("digits", "sgd", 2, 3),
	}, "").Comparisons[0].Lines[ValLoss]
	if !errors.Is(same.Untested, stats.ErrNoSpread) || same.PercentChange != 50 {
		t.Errorf("equal differences: %+v", same)
	}
	zero := mustCompare(t, []Row{run("digits", "adamw", 0, 0), run("digits", "sgd", 0, 2)}, "").Comparisons[0].Lines[ValLoss]
	if !math.IsNaN(zero.PercentChange) || zero.Difference != 2 {
		t.Errorf("baseline of zero: %+v", zero)
	}
}

func TestCompareErrors(t *testing.T) {
	a, b := run("digits", "adamw", 0, 1), run("digits", "adamw", 0, 1)
	a.Source, b.Source = "a.csv:2", "b.csv:9"
	noStatus := run("digits", "adamw", 0, 1)
	noStatus.Status, noStatus.Source = "", "folder"
	for _, c := range []struct {
		name     string
		rows     []Row
		baseline string
		want     []string
	}{
		{"no rows", nil, "", []string{"no runs"}},
		{"same run twice", []Row{a, b}, "", []string{"a.csv:2", "b.csv:9", `"digits"`, "seed 0", `"adamw"`}},
		{"unknown baseline", []Row{a, run("digits", "sgd", 0, 1)}, "adam", []string{`"adam"`, `"adamw", "sgd"`}},
		{"no status", []Row{noStatus}, "", []string{"folder", "status"}},
	} {
		_, err := Compare(c.rows, c.baseline)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", c.name, err, want)
			}
		}
	}
}
