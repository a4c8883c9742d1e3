package stats

import (
	"math"
	"testing"
)

// mpmath 1.4.1 with 30 digits: quad of ∫ f(s) Φ(ts − δ) ds over s > 0, with f the
// density of √(V/ν), which is neither of the two ways taken here.
func TestNoncentralTCDF(t *testing.T) {
	for _, c := range []struct{ t, nu, delta, want float64 }{
		{3, 19, 1, 0.96166263133439479},
		{2, 4, 0.5, 0.87367591997866809},
		{1, 2, 3, 0.028897773687173677},
		{0.5, 5, -1, 0.92769775652309595},
		{-0.7, 5, -1.5, 0.79258917918483119},
		{-2, 4, 0.5, 0.022585944070044757},
		{30, 9, 25, 0.71289834994180502},
		{40, 2, 38, 0.40575818791127567}, // from here on beyond the series
		{76.353, 19, 60, 0.89590275315951924},
		{76.353, 19, 76, 0.46830402229662778},
		{76.353, 19, 100, 0.02711808794666563},
		{-80, 19, -76, 0.42029531833987912},
		{1000, 49, 1000, 0.47313026342365708},
		{44, 199, 45, 0.329605418848339827},
		{44, 50000, 45, 0.160921834458397419}, // the chi distribution is narrower than φ
		// What is beyond reach: P(Z < −37) is 1e-300.
		{0, 9, 40, 0},
		{0, 9, -40, 1},
		{5, 9, -40, 1},
	} {
		within(t, "P", noncentralTCDF(c.t, c.nu, c.delta), c.want, 1e-12)
	}
}

// The series and the integral meet where one takes over from the other.
func TestNoncentralTCDFIsContinuous(t *testing.T) {
	for _, nu := range []float64{2, 4, 9, 19, 99} {
		for _, ratio := range []float64{0.7, 0.9, 1, 1.2, 2} {
			delta := 37.0
			beyond := math.Nextafter(delta, 100)
			// 1e-12 of the series; the step in δ is 7e-15 and the slope below 1.
			within(t, "P", noncentralTCDF(delta*ratio, nu, beyond), noncentralTCDF(delta*ratio, nu, delta), 2e-12)
		}
	}
}

func TestNoncentralityAt(t *testing.T) {
	for _, nu := range []float64{2, 9, 49} {
		for _, at := range []float64{-1e6, -76, -3, 0, 0.1, 3, 40, 1e6} {
			for _, p := range []float64{1e-4, 0.025, 0.5, 0.975, 1 - 1e-4} {
				within(t, "P", noncentralTCDF(at, nu, noncentralityAt(at, nu, p)), p, 2e-12)
			}
		}
	}
}

func TestRoot(t *testing.T) {
	within(t, "root of a cube", root(func(x float64) float64 { return x*x*x - 2 }, 0, 10), math.Cbrt(2), 1e-12)
	within(t, "falling", root(func(x float64) float64 { return 3 - x }, -100, 100), 3, 1e-12)
	within(t, "at the end", root(func(x float64) float64 { return x }, 0, 1), 0, 1e-12)
}
