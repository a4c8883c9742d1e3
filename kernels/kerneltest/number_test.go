package kerneltest

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The bounds hold for float32 arithmetic on values of all sizes, and are not
// much too wide.
func TestNumberBoundsFloat32(t *testing.T) {
	random := rand.New(rand.NewPCG(seed, 0))
	draw := func() float32 { return float32(random.NormFloat64() * math.Exp(5*random.NormFloat64())) }
	for range 10000 {
		a, b, c := draw(), draw(), draw()
		x, y, z := exactly(a), exactly(b), exactly(c)
		for what, pair := range map[string]struct {
			got  float32
			want number
		}{
			"a b + c":       {float32(a*b) + c, x.times(y).plus(z)},
			"a / b - c":     {a/b - c, x.over(y).minus(z)},
			"(a + b)^2 / c": {float32((a+b)*(a+b)) / c, x.plus(y).times(x.plus(y)).over(z)},
			"sqrt(a^2 + b^2)": {
				float32(math.Sqrt(float64(float32(a*a) + float32(b*b)))), x.times(x).plus(y.times(y)).squareRoot(),
			},
			"a + b + c": {a + b + c, total([]number{x, y, z})},
		} {
			if err := pair.want.holds(pair.got); err != nil {
				t.Errorf("%s of %v, %v, %v: %v", what, a, b, c, err)
			}
			size := math.Abs(pair.want.value) + math.Abs(float64(a*b)) + math.Abs(float64(a/b)) + math.Abs(float64(a)) + math.Abs(float64(b)) + math.Abs(float64(c)) +
				math.Pow(math.Abs(float64(a))+math.Abs(float64(b)), 2)/math.Abs(float64(c))
			if pair.want.bound > 8*unit*size+smallest*8 {
				t.Errorf("%s of %v, %v, %v: a bound of %g for %g", what, a, b, c, pair.want.bound, pair.want.value)
			}
		}
	}
}

// Sums of coarse terms are exact, others bounded.
func TestTotal(t *testing.T) {
	random := rand.New(rand.NewPCG(seed, 0))
	if sum := total(exactlyAll(coarse(random, 8192))); sum.bound != 0 {
		t.Errorf("a sum of multiples of 1/16 with a bound of %g", sum.bound)
	}
	values := normal(random, 8192, 0, 1)
	var forward, backward float32
	for i := range values {
		forward += values[i]
		backward += values[len(values)-1-i]
	}
	sum := total(exactlyAll(values))
	for _, got := range []float32{forward, backward} {
		if err := sum.holds(got); err != nil {
			t.Error(err)
		}
	}
	if err := sum.holds(forward - values[77]); err == nil {
		t.Error("a sum that lacks a term passes")
	}
}

func exactlyAll(values []float32) []number {
	all := make([]number, len(values))
	for i, v := range values {
		all[i] = exactly(v)
	}
	return all
}
