package stats

import "testing"

func TestPairingKnownAnswers(t *testing.T) {
	// SciPy 1.17.1: pearsonr(x, y); the ratio of variances in NumPy.
	for _, c := range []struct {
		name string
		x, y []float64
		want PairingResult
	}{
		{"sleep", sleepX, sleepY, PairingResult{10, 0.7951702058335779, 4.765423031727379}},
		{"depression", depressionX, depressionY, PairingResult{9, 0.8478765191153642, 6.343459662938785}},
		// By hand: sums of squares 2, 2 and products 1; d = 0, −1, 1 has variance 1.
		{"three pairs", []float64{1, 2, 3}, []float64{1, 3, 2}, PairingResult{3, 0.5, 2}},
		// Without correlation pairing neither buys nor costs: by hand.
		{"no correlation", []float64{1, 1, -1, -1}, []float64{1, -1, 1, -1}, PairingResult{4, 0, 1}},
		// Of a straight line x = −y the differences have twice the SD: by hand.
		{"falling line", []float64{1, 2, 3}, []float64{-1, -2, -3}, PairingResult{3, -1, 0.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Pairing(c.x, c.y)
			if err != nil || got.N != c.want.N {
				t.Fatalf("%+v, %v; want %+v", got, err, c.want)
			}
			near(t, "correlation", got.Correlation, c.want.Correlation)
			near(t, "variance ratio", got.VarianceRatio, c.want.VarianceRatio)
		})
	}
}
