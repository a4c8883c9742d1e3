package stats

import (
	"math"
	"testing"
)

func TestPairingKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: pearsonr(x, y) and its confidence_interval(0.95); the t of r and the
	// ratio of variances in NumPy.
	for _, c := range []struct {
		name string
		x, y []float64
		want PairingResult
	}{
		{"sleep", sleepX, sleepY, PairingResult{
			N: 10, Correlation: 0.7951702058335779, T: 3.7089904278041086, DF: 8, P: 0.005964995796918454,
			Interval:      Interval{0.95, 0.33152547416433736, 0.9494465336113636},
			VarianceRatio: 4.765423031727379, UnpairedSeeds: 47.65423031727379,
		}},
		{"depression", depressionX, depressionY, PairingResult{
			N: 9, Correlation: 0.8478765191153642, T: 4.231038990658903, DF: 7, P: 0.0038831303761205035,
			Interval:      Interval{0.95, 0.42058125903238175, 0.9673116261532931},
			VarianceRatio: 6.343459662938785, UnpairedSeeds: 9 * 6.343459662938785,
		}},
		// By hand: sums of squares 2, 2 and products 1; p = 1 − (2/π)·atan|t| of one degree of freedom;
		// d = 0, −1, 1 has variance 1.
		{"three pairs", []float64{1, 2, 3}, []float64{1, 3, 2}, PairingResult{
			N: 3, Correlation: 0.5, T: math.Sqrt(1.0 / 3), DF: 1, P: 1 - 2/math.Pi*math.Pi/6,
			Interval: Interval{0.95, -1, 1}, VarianceRatio: 2, UnpairedSeeds: 6,
		}},
		// Without correlation pairing neither buys nor costs: by hand.
		{"no correlation", []float64{1, 1, -1, -1}, []float64{1, -1, 1, -1}, PairingResult{
			N: 4, DF: 2, P: 1, Interval: Interval{0.95, math.Tanh(-1.959963984540054), math.Tanh(1.959963984540054)},
			VarianceRatio: 1, UnpairedSeeds: 4,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Pairing(c.x, c.y, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if got.N != c.want.N || got.DF != c.want.DF || got.Interval.Level != 0.95 {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			near(t, "correlation", got.Correlation, c.want.Correlation)
			near(t, "t", got.T, c.want.T)
			near(t, "p", got.P, c.want.P)
			near(t, "low", got.Interval.Low, c.want.Interval.Low)
			near(t, "high", got.Interval.High, c.want.Interval.High)
			near(t, "variance ratio", got.VarianceRatio, c.want.VarianceRatio)
			near(t, "unpaired seeds", got.UnpairedSeeds, c.want.UnpairedSeeds)
		})
	}
}
