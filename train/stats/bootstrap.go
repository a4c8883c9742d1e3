package stats

import (
	"fmt"
	"math"
	"slices"

	"diaghess/kernels"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// BCaResult is a bootstrap interval of the mean of x − y.
type BCaResult struct {
	N              int      // number of pairs
	MeanDifference float64  // mean of x − y
	Draws          int      // number of resamples
	Interval       Interval // as Efron defines it: too short for few pairs
	Expanded       Interval // corrected for few pairs: the one to show
}

// BCa returns the bias-corrected and accelerated bootstrap interval of the mean
// difference at a level, such as 0.95 (Efron, "Better bootstrap confidence
// intervals", JASA 82, 1987). It resamples the differences. Its ends are the quantiles
//
//	Φ(z0 + (z0 ± z) / (1 − a(z0 ± z))),   z = Φ⁻¹(1 − (1−level)/2)
//
// of the resampled means, where Φ(z0) is the share of them below the mean
// (half of those equal to it are counted) and a = Σ(d−mean)³ / 6(Σ(d−mean)²)^(3/2) is the
// jackknife's acceleration. It is SciPy's bootstrap(method="BCa").
//
// For few pairs that interval is too short. Resamples spread by √((n−1)/n) less than
// samples, and z ignores that the deviation is uncertain. At level 0.95, with thousands of
// draws, it covers 84, 91 and 92 % of the time for 5, 10 and 20 normal differences.
//
// Expanded has √(n/(n−1)) times Student's t(n−1) in place of z, and covers 92, 94 and
// 95 %. The source is Hesterberg, "What teachers should know about the bootstrap", The
// American Statistician 69, 2015; it is the default of CI.bca in R's package resample.
//
// For symmetric differences PairedTResult.Interval is as good or better. For skewed ones
// neither is reliable below some 40 pairs.
//
// It returns ErrTooFewPairs, ErrNotFinite, ErrNoSpread or, for a level so close
// to 1 that the formula has no value, an error that says so. It panics when x
// and y differ in length, for a level outside (0, 1) and for a negative number of draws.
func BCa(x, y []float64, level float64, draws Draws) (BCaResult, error) {
	mustBeFraction("BCa", "level", level)
	p, err := newPairs("BCa", x, y)
	if err != nil {
		return BCaResult{}, err
	}
	d, err := p.describe()
	if err != nil {
		return BCaResult{}, err
	}
	b := p.newBootstrap(d, draws)
	r := BCaResult{N: d.N, MeanDifference: d.Mean, Draws: draws.number()}
	if r.Interval, err = b.interval(level, -distuv.UnitNormal.Quantile((1-level)/2)); err != nil {
		return BCaResult{}, err
	}
	n := float64(d.N)
	r.Expanded, err = b.interval(level, math.Sqrt(n/(n-1))*studentUpper((1-level)/2, n-1))
	if err != nil {
		return BCaResult{}, err
	}
	return r, nil
}

// bootstrap is a bootstrap distribution of a mean.
type bootstrap struct {
	mean         float64
	deviations   []float64 // of the resampled means from the mean, ascending
	bias         float64   // z0
	acceleration float64   // a
}

func (p pairs) newBootstrap(d Summary, draws Draws) bootstrap {
	n := d.N
	centred := make([]float64, n)
	cubes := 0.0 // in standard deviations, of which n−1 squares are Σ(d−mean)²
	for i, v := range p.difference {
		centred[i] = v - d.Mean
		cubes += math.Pow(centred[i]/d.SD, 3)
	}
	b := bootstrap{
		mean:         d.Mean,
		deviations:   make([]float64, draws.number()),
		acceleration: cubes / (6 * math.Pow(float64(n-1), 1.5)),
	}

	stream := kernels.RandomStream("stats/bootstrap")
	for draw := range b.deviations {
		sum := 0.0
		for i := 0; i < n; i += 4 {
			words := kernels.Random(draws.Seed, stream, uint32(i/4), uint64(draw))
			for _, word := range words[:min(4, n-i)] {
				// The high half of the product picks fairly, to n/2^32.
				sum += centred[uint64(word)*uint64(n)>>32]
			}
		}
		b.deviations[draw] = sum / float64(n)
	}
	slices.Sort(b.deviations)

	// A resample that is the sample again in another order has deviation 0 up to rounding.
	tie := p.sumRounding() / float64(n)
	below, _ := slices.BinarySearch(b.deviations, -tie)
	notAbove, _ := slices.BinarySearch(b.deviations, tie)
	b.bias = distuv.UnitNormal.Quantile(float64(below+notAbove) / 2 / float64(len(b.deviations)))
	return b
}

// interval returns the BCa interval whose normal quantile is z.
func (b bootstrap) interval(level, z float64) (Interval, error) {
	low, high := b.quantileAt(-z), b.quantileAt(z)
	if math.IsNaN(low) || math.IsNaN(high) {
		return Interval{}, fmt.Errorf("the BCa interval at level %g is not defined for these differences (bias %.3g, acceleration %.3g)", level, b.bias, b.acceleration)
	}
	return Interval{Level: level, Low: low, High: high}, nil
}

// quantileAt returns the end of an interval for a normal quantile, NaN where the
// bias is infinite or the acceleration carries z over its pole.
func (b bootstrap) quantileAt(z float64) float64 {
	shifted := b.bias + z
	pole := 1 - b.acceleration*shifted
	if math.IsInf(b.bias, 0) || pole <= 0 {
		return math.NaN()
	}
	p := distuv.UnitNormal.CDF(b.bias + shifted/pole)
	return b.mean + stat.Quantile(p, stat.LinInterp, b.deviations, nil)
}
