package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPairedTKnownAnswers(t *testing.T) {
	cases := []struct {
		name string
		x, y []float64
		want PairedTResult
	}{
		{
			// R's manual prints t = -4.0621, df = 9, p-value = 0.002833; the digits are
			// SciPy 1.17.1's ttest_rel.
			"sleep", sleepX, sleepY,
			PairedTResult{10, -1.58, 1.2299954832798732, -4.062127683382037, 9, 0.002832890197384273},
		},
		{
			// Fisher, section 17, has t = 2.148. SciPy 1.17.1 gave the rest.
			"maize", maize, zeros(15),
			PairedTResult{15, 314.0 / 15, 37.7443783262898, 2.1479874613311205, 14, 0.049702944021800866},
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

// The smallest spread that decimals can state is far above the rounding that
// counts as none: it must be tested, not refused.
func TestPairedTSmallSpread(t *testing.T) {
	got, err := PairedT([]float64{0.4, 0.5, 0.8 + 1e-13}, []float64{0.3, 0.4, 0.7})
	if err != nil || got.T < 1e11 {
		t.Errorf("PairedT = %+v, %v; want a t beyond 1e11", got, err)
	}
}

func TestPairedTInterval(t *testing.T) {
	// SciPy 1.17.1: ttest_rel(x, y).confidence_interval(level). R's manual prints
	// -2.4598858 and -0.7001142 for sleep at 0.95.
	for _, c := range []struct {
		name string
		x, y []float64
		want Interval
	}{
		{"sleep", sleepX, sleepY, Interval{0.9, -2.293005267029284, -0.8669947329707163}},
		{"sleep", sleepX, sleepY, Interval{0.95, -2.459885763276983, -0.7001142367230175}},
		{"sleep", sleepX, sleepY, Interval{0.99, -2.8440518851048253, -0.31594811489517505}},
		{"maize", maize, zeros(15), Interval{0.95, 0.031193318392979563, 41.83547334827369}},
	} {
		r, err := PairedT(c.x, c.y)
		if err != nil {
			t.Fatal(err)
		}
		got := r.Interval(c.want.Level)
		// Of the half width, 5e-12: quantiles are found to some 1e-13, and an end near zero keeps the error of the terms.
		tolerance := 5e-12 * (c.want.High - c.want.Low) / 2
		if got.Level != c.want.Level {
			t.Errorf("%s: level %g, want %g", c.name, got.Level, c.want.Level)
		}
		within(t, c.name+" low", got.Low, c.want.Low, tolerance)
		within(t, c.name+" high", got.High, c.want.High, tolerance)
	}
}
