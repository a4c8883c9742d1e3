package stats

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
)

func TestPitmanMorganKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: p of pearsonr(x + y, x − y) and t of that r; the interval by brentq of
	// pearsonr(x/θ + y, x/θ − y).pvalue = 0.05, its xtol 1e-14.
	for _, c := range []struct {
		name string
		x, y []float64
		want PitmanMorganResult
	}{
		{"sleep", sleepX, sleepY, PitmanMorganResult{
			10, 0.8935002059308058, -0.5263626751063523, 8, 0.6129128774610848,
			Interval{0.95, 0.5549973915953654, 1.4384619280885633},
		}},
		{"depression", depressionX, depressionY, PitmanMorganResult{
			9, 0.8918912331810367, -0.5721759598144968, 7, 0.5851012684373027,
			Interval{0.95, 0.5643283906746264, 1.4095870152381416},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := PitmanMorgan(c.x, c.y, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != c.want.N || got.DF != c.want.DF || got.Interval.Level != 0.95 {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			near(t, "ratio", got.SDRatio, c.want.SDRatio)
			near(t, "t", got.T, c.want.T)
			near(t, "p", got.P, c.want.P)
			near(t, "low", got.Interval.Low, c.want.Interval.Low)
			near(t, "high", got.Interval.High, c.want.Interval.High)
		})
	}
}

// It is the test of the correlation of sums and differences, and changing the
// arms turns it round.
func TestPitmanMorganIsACorrelation(t *testing.T) {
	x := []float64{3, 1, 4, 1, 5, 9, 2, 6}
	y := []float64{2, 7, 1, 8, 2, 8, 1, 8.5}
	sums, differences := zeros(8), zeros(8)
	for i := range x {
		sums[i], differences[i] = x[i]+y[i], x[i]-y[i]
	}
	r := stat.Correlation(sums, differences, nil)
	got, err := PitmanMorgan(x, y, 0.9)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "t", got.T, r*math.Sqrt(6/(1-r*r)))
	turned, _ := PitmanMorgan(y, x, 0.9)
	near(t, "t turned round", turned.T, -got.T)
	near(t, "p turned round", turned.P, got.P)
	near(t, "low turned round", turned.Interval.Low, 1/got.Interval.High)
}
