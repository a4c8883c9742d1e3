package rulefile

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Over random floats of all binades, exp and log are math.Exp and math.Log rounded to float32:
// the error of the polynomials is so far below float64's unit that a float32 in four million
// is not rounded to its neighbour.
func TestExpLog(t *testing.T) {
	check := func(name string, x, got float32, want float64) {
		if w := float32(want); math.Float32bits(got) != math.Float32bits(w) && (got == got || w == w) {
			t.Errorf("%s(%g) = %g, want %g", name, x, got, w)
		}
	}
	both := func(x float32) {
		check("exp", x, Exp32(x), math.Exp(float64(x)))
		check("log", x, Log32(x), math.Log(float64(x)))
	}
	n := 4_000_000
	if testing.Short() {
		n = 400_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		bits := random.Uint32()
		both(math.Float32frombits(bits))              // any float32
		both(math.Float32frombits(bits & 0x807fffff)) // a subnormal
		both(float32(random.NormFloat64() * 40))      // where exp is neither 0 nor infinite
		both(float32(1 + random.NormFloat64()*1e-3))  // where log is near 0
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat32, -math.MaxFloat32, 0x1p-149, -0x1p-149, 0x1p-126, 88.72283, 88.72284, -87.33655, -103.97208, -103.97209, -110, -111, 90, 91, 0.5, 2, 0x1p100} {
		both(float32(x))
	}
}

func TestCoefficientsOfExpLog(t *testing.T) {
	factorial := 1.0
	for i := range ExpCoefficients {
		if c := ExpCoefficients[len(ExpCoefficients)-1-i]; c != 1/factorial {
			t.Errorf("the coefficient of x^%d is %g, want %g", i, c, 1/factorial)
		}
		factorial *= float64(i + 1)
	}
	for i := range LogCoefficients {
		if c := LogCoefficients[len(LogCoefficients)-1-i]; c != 1/float64(2*i+1) {
			t.Errorf("the coefficient of x^%d is %g, want %g", i, c, 1/float64(2*i+1))
		}
	}
}
