package stats

import (
	"errors"
	"math"
	"testing"
)

func TestSpreadKnownAnswers(t *testing.T) {
	// By hand. Odd: medians 0 and 0, z = 9, 1, 0, 1, 9 without the ones: all 16 patterns of
	// the four that are not 0, of which 2 reach 20.
	got, err := Spread([]float64{-10, -2, 0, 2, 10}, []float64{-1, -1, 0, 1, 1}, Draws{})
	if err != nil || got != (SpreadResult{N: 5, Ratio: 6, P: 2.0 / 16}) {
		t.Errorf("odd: %+v, %v", got, err)
	}
	// Even. Lower medians −1 and 0: z = 8, 0, 2, 10 less 0, 0, 0, 1; upper medians 1 and 0:
	// 10, 2, 0, 8 less the same. Of 2^3 patterns of either, 2 reach the sum, 19.
	got, err = Spread([]float64{-9, -1, 1, 9}, []float64{0, 0, 0, 1}, Draws{})
	if err != nil || got != (SpreadResult{N: 4, Ratio: 20, P: 2.0 / 8}) {
		t.Errorf("even: %+v, %v", got, err)
	}
	// The larger p. Medians −2 and 0: z = 1, 0, 2, 1, where 2 of 8 patterns reach 4. Medians 0
	// and 0: z = 3, 2, 0, −1, where 4 of 8 do.
	got, err = Spread([]float64{-3, -2, 0, 0}, []float64{0, 0, 0, 1}, Draws{})
	if err != nil || got != (SpreadResult{N: 4, Ratio: 5, P: 4.0 / 8}) {
		t.Errorf("larger p: %+v, %v", got, err)
	}
	// Mirrored, the lower medians have it.
	if got, _ := Spread([]float64{3, 2, 0, 0}, []float64{0, 0, 0, -1}, Draws{}); got.P != 4.0/8 {
		t.Errorf("larger p, mirrored: %+v", got)
	}
}

func TestSpreadBeyondTwenty(t *testing.T) {
	x, y := zeros(30), zeros(30)
	for i := range x {
		x[i], y[i] = 10*math.Sin(float64(i*i)), math.Cos(float64(i*i))
	}
	got, err := Spread(x, y, Draws{N: 999})
	if err != nil || got.P != 1.0/1000 || got.Sampled != 999 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Spread(zeros(5), sleepY[:5], Draws{}); !errors.Is(err, ErrConstant) {
		t.Errorf("constant x: %v", err)
	}
}

// Of six pairs the run at x's median has z ≤ 0 and the one at y's has z ≥ 0. If they are one
// pair, 5 are left, and P is 2/32 at least; if not, two signs differ, and it is more.
func TestSpreadOfSixPairs(t *testing.T) {
	least := 1.0
	x, y := []float64{100, 200, 300, 400, 500, 600}, []float64{1, 2, 3, 4, 5, 6}
	var permute func(k int)
	permute = func(k int) {
		if k == len(y) {
			got, err := Spread(x, y, Draws{})
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, got.P)
		}
		for i := k; i < len(y); i++ {
			y[k], y[i] = y[i], y[k]
			permute(k + 1)
			y[k], y[i] = y[i], y[k]
		}
	}
	permute(0)
	if least != 2./32 {
		t.Errorf("the least P is %g, want 1/16", least)
	}
}
