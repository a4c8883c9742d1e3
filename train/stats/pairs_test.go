package stats

import (
	"errors"
	"math"
	"testing"
)

// near fails unless got agrees with want to a relative 1e-12. The sums here run
// over at most 20 terms, whose order differs between programs: that moves a
// mean, a deviation and t by some 20·2⁻⁵² ≈ 5e-15, and p by (df+1) times as much
// (d ln p / d ln t is at most df+1 in size), 1e-13 at df = 19. The tail
// functions themselves are good to a few 1e-14.
func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*math.Abs(want) || math.IsNaN(got) {
		t.Errorf("%s = %.17g, want %.17g", name, got, want)
	}
}

// within fails unless got agrees with want to an absolute tolerance.
func within(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance || math.IsNaN(got) {
		t.Errorf("%s = %.17g, want %.17g ± %g", name, got, want, tolerance)
	}
}

// Samples of known answers.
var (
	// R's data set sleep ("Student", Biometrika 6, 1908): one pair without a
	// difference, and two differences of 1.3 that are not equal in float64.
	sleepX = []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	sleepY = []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}

	// Darwin's maize, crossed minus self-fertilised, in eighths of an inch (Fisher,
	// The Design of Experiments, 1935, section 17).
	maize = []float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48}

	// Hamilton's depression scale before and after a tranquillizer (Hollander and Wolfe,
	// Nonparametric Statistical Methods, 1973, p. 29; R's example(wilcox.test)).
	depressionX = []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	depressionY = []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
)

// zeros returns n zeros: differences with them are the other sample.
func zeros(n int) []float64 { return make([]float64, n) }

// everyTest calls all that takes pairs.
var everyTest = map[string]func(x, y []float64) error{
	"PairedT":        func(x, y []float64) error { _, err := PairedT(x, y); return err },
	"Wilcoxon":       func(x, y []float64) error { _, err := Wilcoxon(x, y); return err },
	"CohenDz":        func(x, y []float64) error { _, err := CohenDz(x, y, 0.95); return err },
	"Pairing":        func(x, y []float64) error { _, err := Pairing(x, y); return err },
	"Equivalence":    func(x, y []float64) error { _, err := Equivalence(x, y, 1, 0.05); return err },
	"NonInferiority": func(x, y []float64) error { _, err := NonInferiority(x, y, HigherIsBetter, 1, 0.05); return err },
}

func TestNoTestTakesBadPairs(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want error
	}{
		{"no pairs", nil, nil, ErrTooFewPairs},
		{"two pairs", []float64{1, 2}, []float64{2, 5}, ErrTooFewPairs},
		{"NaN in x", []float64{1, math.NaN(), 2}, []float64{2, 3, 4}, ErrNotFinite},
		{"infinity in y", []float64{1, 2, 3}, []float64{2, math.Inf(1), 0}, ErrNotFinite},
		{"difference overflows", []float64{1e308, 1, 2}, []float64{-1e308, 2, 4}, ErrNotFinite},
	} {
		for name, test := range everyTest {
			if err := test(c.x, c.y); !errors.Is(err, c.want) {
				t.Errorf("%s: %s: error %v, want %v", c.name, name, err, c.want)
			}
		}
	}
}

// Signs and ranks need no spread; everything else does.
func TestEqualDifferences(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		p    float64 // of signs and ranks
	}{
		{"identical arms", []float64{1, 2, 3}, []float64{1, 2, 3}, 1},
		{"identical decimals", []float64{0.30000000000000004, 0.7000000000000001, 0.9000000000000001}, []float64{0.3, 0.7, 0.9}, 1},
		{"equal differences", []float64{2, 3, 4}, []float64{1, 2, 3}, 0.25},
		// 0.1 up to rounding: these differ in float64 although they are equal as decimals.
		{"equal decimal differences", []float64{0.4, 0.5, 0.8}, []float64{0.3, 0.4, 0.7}, 0.25},
	} {
		for name, test := range everyTest {
			var want error
			if name != "Wilcoxon" {
				want = ErrNoSpread
			}
			if err := test(c.x, c.y); !errors.Is(err, want) {
				t.Errorf("%s: %s: error %v, want %v", c.name, name, err, want)
			}
		}
		flip, _ := flipsOf(t, c.x, c.y, Draws{})
		ranks, _ := Wilcoxon(c.x, c.y)
		if flip != c.p || ranks.P != c.p {
			t.Errorf("%s: p of sign flips and Wilcoxon are %g and %g, want %g", c.name, flip, ranks.P, c.p)
		}
	}
}

func TestDegenerateMoments(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want error
	}{
		{"constant x", []float64{0.7, 0.7, 0.7}, []float64{0.3, 0.4, 0.7}, ErrConstant},
		{"constant y up to rounding", []float64{0.3, 0.4, 0.7}, []float64{0.3, 0.30000000000000004, 0.3}, ErrConstant},
		{"variance overflows", []float64{1e200, -1e200, 0}, []float64{1, 2, 4}, ErrNotFinite},
	} {
		if err := everyTest["Pairing"](c.x, c.y); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// No result depends on the unit, however extreme: squares, cubes and products of
// them stay within a float64. Powers of two scale without rounding.
func TestUnitsDoNotMatter(t *testing.T) {
	for _, exponent := range []int{-490, -260, 260, 490} {
		x, y := zeros(10), zeros(10)
		for i := range x {
			x[i], y[i] = math.Ldexp(sleepX[i], exponent), math.Ldexp(sleepY[i], exponent)
		}
		p, _ := Pairing(sleepX, sleepY)
		scaled, err := Pairing(x, y)
		if err != nil {
			t.Fatalf("2^%d: %v", exponent, err)
		}
		near(t, "correlation", scaled.Correlation, p.Correlation)
		near(t, "variance ratio", scaled.VarianceRatio, p.VarianceRatio)
	}
}

// mustPanic fails unless f panics with the package's name in front.
func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if message, _ := recover().(string); len(message) < 7 || message[:7] != "stats: " {
			t.Errorf("%s: recovered %q, want a panic of this package", name, message)
		}
	}()
	f()
}

func TestMistakesPanic(t *testing.T) {
	for name, test := range everyTest {
		mustPanic(t, name+" with different lengths", func() { _ = test([]float64{1, 2, 4, 7}, []float64{1, 3, 3}) })
	}
	x, y := sleepX, sleepY
	for _, level := range []float64{0, 1, -0.5, 95, math.NaN()} {
		mustPanic(t, "PairedTResult.Interval", func() { PairedTResult{N: 3, SDDifference: 1, DF: 2}.Interval(level) })
		mustPanic(t, "CohenDz", func() { _, _ = CohenDz(x, y, level) })
		mustPanic(t, "Equivalence", func() { _, _ = Equivalence(x, y, 1, level) })
		mustPanic(t, "NonInferiority", func() { _, _ = NonInferiority(x, y, LowerIsBetter, 1, level) })
		mustPanic(t, "Detectable at α", func() { _, _ = Detectable(5, 1, 1, level, 0.8) })
		mustPanic(t, "Detectable at power", func() { _, _ = Detectable(5, 1, 1, 0.05, level) })
	}
	mustPanic(t, "power below α", func() { _, _ = Detectable(5, 1, 1, 0.05, 0.05) })
	mustPanic(t, "negative sd", func() { _, _ = Detectable(5, 1, -1, 0.05, 0.8) })
	mustPanic(t, "unknown direction", func() { _, _ = NonInferiority(x, y, 2, 1, 0.05) })
	mustPanic(t, "negative draws", func() { Draws{N: -1}.number() })
}
