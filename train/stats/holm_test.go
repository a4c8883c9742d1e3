package stats

import (
	"errors"
	"math"
	"testing"
)

func TestHolmKnownAnswers(t *testing.T) {
	// statsmodels 0.15.0: multipletests(p, method="holm")[1], which is R's p.adjust(p, "holm").
	for _, c := range []struct {
		name    string
		p, want []float64
	}{
		{"no tests", nil, nil},
		{"one", []float64{0.03}, []float64{0.03}},
		{"sorted", []float64{0.01, 0.02, 0.03, 0.04}, []float64{0.04, 0.06, 0.06, 0.06}},
		{"ties and ones", []float64{0.04, 0.001, 0.03, 0.03, 0.2, 0.8, 0.6}, []float64{0.18, 0.007, 0.18, 0.18, 0.6, 1, 1}},
		// The p values of loss, accuracy and F1 that a study published without adjustment:
		// 0.01695 is called significant there, and three of the six are not.
		{
			"published",
			[]float64{0.01878, 0.00601, 0.01668, 0.01695, 0.00181, 0.00103},
			[]float64{0.05004, 0.02404, 0.05004, 0.05004, 0.00905, 0.00618},
		},
	} {
		got, err := Holm(c.p)
		if err != nil || len(got) != len(c.want) {
			t.Fatalf("%s: %v, %v", c.name, got, err)
		}
		for i := range got {
			near(t, c.name, got[i], c.want[i])
		}
	}
}

func TestHolmErrors(t *testing.T) {
	for _, p := range []float64{math.NaN(), -0.1, 1.1, math.Inf(1)} {
		if got, err := Holm([]float64{0.5, p}); !errors.Is(err, ErrNotProbability) {
			t.Errorf("p = %g: %v, %v", p, got, err)
		}
	}
}
