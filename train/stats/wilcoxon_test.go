package stats

import (
	"math"
	"testing"
)

func TestWilcoxonKnownAnswers(t *testing.T) {
	signed := func(n int, positive func(i int) bool) []float64 {
		d := make([]float64, n)
		for i := range d {
			d[i] = float64(i + 1)
			if !positive(i + 1) {
				d[i] = -d[i]
			}
		}
		return d
	}
	notThirds := func(i int) bool { return i%3 != 0 }
	tied := make([]float64, 60)
	for k := range tied {
		tied[k] = float64((7*k)%23 - 9)
	}
	for _, c := range []struct {
		name string
		x, y []float64
		want WilcoxonResult
	}{
		// R's example(wilcox.test) prints V = 40, and p-value = 0.01953 for one side.
		{"depression", depressionX, depressionY, WilcoxonResult{N: 9, W: 40, Exact: true, P: 20.0 / 512}},
		// SciPy 1.17.1: wilcoxon(d), statistic of alternative="greater".
		{"maize", maize, zeros(15), WilcoxonResult{N: 15, W: 96, Exact: true, P: 0.041259765625}},
		// SciPy: wilcoxon(d, zero_method="pratt", method=PermutationMethod(n_resamples=inf)), which
		// counts all signs; of sleep with d rounded to one decimal.
		{"sleep", sleepX, sleepY, WilcoxonResult{N: 10, Zeros: 1, W: 0, Exact: true, P: 0.00390625}},
		{"ties", []float64{1, 1, -1, 2, 2, 3, -3, 3, 4, 5}, zeros(10), WilcoxonResult{N: 10, W: 46, Exact: true, P: 0.0703125}},
		{"zeros", []float64{0, 0, 0, 1, 2, 2, 3, -4, 5, 6}, zeros(10), WilcoxonResult{N: 10, Zeros: 3, W: 41, Exact: true, P: 0.09375}},
		{"zeros and ties", []float64{0, 0, -1, 1, 1, 1, -2, 2, 2, 3, 0, 4}, zeros(12), WilcoxonResult{N: 12, Zeros: 3, W: 57.5, Exact: true, P: 0.109375}},
		{"one magnitude", []float64{1, 1, 1, 1, 1, 1}, zeros(6), WilcoxonResult{N: 6, W: 21, Exact: true, P: 0.03125}},
		// By hand: one sign pattern is all there is.
		{"all zero", zeros(4), zeros(4), WilcoxonResult{N: 4, Zeros: 4, Exact: true, P: 1}},
		// SciPy: wilcoxon(d, method="exact").
		{"25", signed(25, notThirds), zeros(25), WilcoxonResult{N: 25, W: 217, Exact: true, P: 0.14847958087921143}},
		{"30", signed(30, notThirds), zeros(30), WilcoxonResult{N: 30, W: 300, Exact: true, P: 0.17059839516878128}},
		{"largest exact", signed(49, notThirds), zeros(49), WilcoxonResult{N: 49, W: 817, Exact: true, P: 0.04170385423242351}},
		// SciPy: wilcoxon(d, method="approx", correction=True).
		{"approximate", signed(50, notThirds), zeros(50), WilcoxonResult{N: 50, W: 867, P: 0.027063492176047897}},
		// SciPy: wilcoxon(d, zero_method="pratt", method="approx", correction=True), d = (7k mod 23) − 9, k = 0 … 59.
		{"approximate with ties", tied, zeros(60), WilcoxonResult{N: 60, Zeros: 2, W: 1197.5, P: 0.03673483773876264}},
		// By hand: W = 1 + … + 37 − 14 is its mean, 52·53/4.
		{"approximate, no effect", signed(52, func(i int) bool { return i <= 37 && i != 14 }), zeros(52), WilcoxonResult{N: 52, W: 689, P: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Wilcoxon(c.x, c.y)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "p", got.P, c.want.P)
			got.P = c.want.P
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// Zeros and ties of decimals, which float64 tears apart: the case "zeros and
// ties" in tenths, on top of other tenths.
func TestWilcoxonOfDecimals(t *testing.T) {
	d := []float64{0, 0, -1, 1, 1, 1, -2, 2, 2, 3, 0, 4}
	x, y := zeros(12), zeros(12)
	torn := false
	for i, v := range d {
		y[i] = float64(i+1) / 10
		x[i] = (float64(i+1) + v) / 10
		torn = torn || x[i]-y[i] != v/10
	}
	x[0], y[0] = y[0]+y[1], y[2] // 0.1 + 0.2 and 0.3
	if !torn || x[0] == y[0] {
		t.Fatal("these decimals are exact")
	}
	got, err := Wilcoxon(x, y)
	if want := (WilcoxonResult{N: 12, Zeros: 3, W: 57.5, Exact: true, P: 0.109375}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	flips, _ := flipsOf(t, x, y, Draws{})
	if whole, _ := flipsOf(t, d, zeros(12), Draws{}); flips != whole {
		t.Errorf("p of sign flips is %g, of whole numbers %g", flips, whole)
	}
}

// The count of sums against the sign patterns themselves, one by one.
func TestWilcoxonCountsAllSigns(t *testing.T) {
	ranks := []float64{3, 4.5, 4.5, 6, 8, 8, 8, 10, 11} // as after two zeros
	for w := 0.0; w <= 63; w += 0.5 {
		far := 0
		for signs := range 1 << len(ranks) {
			sum := 0.0
			for i, rank := range ranks {
				if signs>>i&1 == 1 {
					sum += rank
				}
			}
			if math.Abs(sum-31.5) >= math.Abs(w-31.5) {
				far++
			}
		}
		if got, want := exactRankP(ranks, w), float64(far)/512; got != want {
			t.Errorf("W = %g: p = %g, want %g", w, got, want)
		}
	}
}
