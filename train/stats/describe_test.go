package stats

import (
	"errors"
	"math"
	"testing"
)

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
