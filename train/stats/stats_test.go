package stats

import (
	"errors"
	"math"
	"math/rand/v2"
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

func TestDescribe(t *testing.T) {
	cases := []struct {
		name     string
		x        []float64
		mean, sd float64
	}{
		// Sum of squared deviations 32, by hand.
		{"integers", []float64{2, 4, 4, 4, 5, 5, 7, 9}, 5, math.Sqrt(32.0 / 7)},
		// A large offset: a one-pass formula loses every digit of it.
		{"offset", []float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}, 1e9 + 10, math.Sqrt(30)},
		{"equal", []float64{0.25, 0.25, 0.25}, 0.25, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Describe(c.x)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != len(c.x) {
				t.Errorf("N = %d, want %d", got.N, len(c.x))
			}
			near(t, "mean", got.Mean, c.mean)
			near(t, "SD", got.SD, c.sd)
		})
	}
}

func TestDescribeOneValueHasNoDeviation(t *testing.T) {
	got, err := Describe([]float64{3})
	if err != nil || got.N != 1 || got.Mean != 3 || !math.IsNaN(got.SD) {
		t.Errorf("Describe of one value = %+v, %v; want mean 3 and a NaN deviation", got, err)
	}
}

func TestDescribeErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		x    []float64
		want error
	}{
		{"empty", nil, ErrEmpty},
		{"NaN", []float64{1, math.NaN()}, ErrNotFinite},
		{"infinity", []float64{math.Inf(-1), 1}, ErrNotFinite},
		{"mean overflows", []float64{math.MaxFloat64, math.MaxFloat64}, ErrNotFinite},
		{"variance overflows", []float64{1e300, -1e300}, ErrNotFinite},
	} {
		if _, err := Describe(c.x); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestPairedTKnownAnswers(t *testing.T) {
	cases := []struct {
		name string
		x, y []float64
		want PairedTResult
	}{
		{
			// R's data set sleep ("Student", Biometrika 6, 1908). R's manual prints
			// t = -4.0621, df = 9, p-value = 0.002833; the digits are SciPy 1.17.1's ttest_rel.
			"sleep",
			[]float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0},
			[]float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4},
			PairedTResult{10, -1.58, 1.2299954832798732, -4.062127683382037, 9, 0.002832890197384273},
		},
		{
			// Darwin's maize, crossed minus self-fertilised, in eighths of an inch: Fisher,
			// The Design of Experiments (1935), section 17, has t = 2.148. SciPy 1.17.1 gave the rest.
			"maize",
			[]float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48},
			make([]float64, 15),
			PairedTResult{15, 314.0 / 15, 37.7443783262898, 2.1479874613311205, 14, 0.049702944021800866},
		},
		{
			// One degree of freedom: Student's t is Cauchy's, p = 1 − (2/π)·atan|t|.
			"two pairs",
			[]float64{1, 2},
			[]float64{1.5, 4},
			PairedTResult{2, -1.25, math.Sqrt(1.125), -5.0 / 3, 1, 1 - 2/math.Pi*math.Atan(5.0/3)},
		},
		{
			// Two degrees of freedom: p = 1 − |t|/√(2+t²). d = 1, 2, 6 has mean 3 and variance 7.
			"three pairs",
			[]float64{2, 4, 9},
			[]float64{1, 2, 3},
			PairedTResult{3, 3, math.Sqrt(7), 3 * math.Sqrt(3.0/7), 2, 1 - math.Sqrt(27.0/7/(2+27.0/7))},
		},
		{
			"no effect",
			[]float64{2, 1, 3},
			[]float64{1, 2, 3},
			PairedTResult{3, 0, 1, 0, 2, 1},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := PairedT(c.x, c.y)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != c.want.N || got.DF != c.want.DF {
				t.Errorf("N, DF = %d, %g; want %d, %g", got.N, got.DF, c.want.N, c.want.DF)
			}
			near(t, "mean difference", got.MeanDifference, c.want.MeanDifference)
			near(t, "SD of differences", got.SDDifference, c.want.SDDifference)
			near(t, "t", got.T, c.want.T)
			near(t, "p", got.P, c.want.P)
		})
	}
}

func TestPairedTIsAntisymmetric(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	x, y := make([]float64, 7), make([]float64, 7)
	for i := range x {
		x[i], y[i] = random.NormFloat64(), random.NormFloat64()
	}
	a, errA := PairedT(x, y)
	b, errB := PairedT(y, x)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	b.T, b.MeanDifference = -b.T, -b.MeanDifference
	if a != b {
		t.Errorf("seed %d: PairedT(x, y) = %+v, PairedT(y, x) turned round = %+v", seed, a, b)
	}
}

func TestPairedTErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want error
	}{
		{"no pairs", nil, nil, ErrTooFewPairs},
		{"one pair", []float64{1}, []float64{2}, ErrTooFewPairs},
		{"NaN in x", []float64{1, math.NaN()}, []float64{2, 3}, ErrNotFinite},
		{"infinity in y", []float64{1, 2}, []float64{2, math.Inf(1)}, ErrNotFinite},
		{"difference overflows", []float64{1e308, 1}, []float64{-1e308, 2}, ErrNotFinite},
		{"equal samples", []float64{1, 2, 3}, []float64{1, 2, 3}, ErrNoSpread},
		{"equal differences", []float64{2, 3, 4}, []float64{1, 2, 3}, ErrNoSpread},
		// 0.1 up to rounding: these differ in float64 although they are equal as decimals.
		{"equal decimal differences", []float64{0.4, 0.5, 0.8}, []float64{0.3, 0.4, 0.7}, ErrNoSpread},
	} {
		if got, err := PairedT(c.x, c.y); !errors.Is(err, c.want) {
			t.Errorf("%s: result %+v, error %v; want error %v", c.name, got, err, c.want)
		}
	}
}

// The smallest spread that decimals can state is far above the rounding that
// counts as none: it must be tested, not refused.
func TestPairedTSmallSpread(t *testing.T) {
	got, err := PairedT([]float64{0.4, 0.5, 0.8 + 1e-13}, []float64{0.3, 0.4, 0.7})
	if err != nil || got.T < 1e11 {
		t.Errorf("PairedT = %+v, %v; want a t beyond 1e11", got, err)
	}
}

func TestPairedTLengths(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for samples of different length")
		}
	}()
	_, _ = PairedT([]float64{1, 2}, []float64{1})
}
