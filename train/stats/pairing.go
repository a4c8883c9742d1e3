package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

var (
	// ErrConstant is returned, wrapped with the arm, when all values of an arm are equal.
	ErrConstant = errors.New("all values of an arm are equal: they have no correlation and no variance to compare")

	// ErrCollinear is returned when the pairs lie on a straight line.
	ErrCollinear = errors.New("the pairs lie on a straight line: their correlation is 1 or −1 and its t is not defined")
)

// PairingResult says how similar the results of the two arms are for the same seed.
type PairingResult struct {
	N           int      // number of pairs
	Correlation float64  // Pearson's r of x and y
	T           float64  // r·√((N−2)/(1−r²))
	DF          float64  // degrees of freedom, N−2
	P           float64  // probability of a |t| at least as large when x and y are independent
	Interval    Interval // of the true correlation
	// VarianceRatio is (var(x) + var(y)) / var(x − y): how many times the variance of
	// the mean difference would be as large if the arms had other seeds each. Below 1
	// pairing has cost something.
	VarianceRatio float64
	// UnpairedSeeds is N·VarianceRatio: how many seeds an arm, each with its own, would
	// have estimated the mean difference as well.
	UnpairedSeeds float64
}

// Pairing returns the correlation of x and y over the pairs, with its interval at a level,
// such as 0.95, and how much pairing by seed reduces the variance.
//
// The interval is Fisher's, tanh(atanh r ± z/√(n−3)) with the normal quantile z ("On the
// 'probable error' of a coefficient of correlation deduced from a small sample", Metron 1,
// 1921). It is approximate, for normal pairs. For 3 pairs it is all of [−1, 1]. r, P and the
// interval are those of SciPy's pearsonr.
//
// It returns ErrTooFewPairs, ErrNotFinite, ErrConstant, ErrNoSpread or ErrCollinear.
// It panics when x and y differ in length and for a level outside (0, 1).
func Pairing(x, y []float64, level float64) (PairingResult, error) {
	mustBeFraction("Pairing", "level", level)
	p, err := newPairs("Pairing", x, y)
	if err != nil {
		return PairingResult{}, err
	}
	m, err := p.moments()
	if err != nil {
		return PairingResult{}, err
	}
	n := float64(len(x))
	r := PairingResult{N: len(x), Correlation: m.correlation, DF: n - 2, Interval: Interval{Level: level, Low: -1, High: 1}}
	r.T = m.correlation * math.Sqrt(r.DF/m.unexplained())
	r.P = 2 * studentTail(math.Abs(r.T), r.DF)
	if n > 3 {
		z, half := math.Atanh(m.correlation), -distuv.UnitNormal.Quantile((1-level)/2)/math.Sqrt(n-3)
		r.Interval.Low, r.Interval.High = math.Tanh(z-half), math.Tanh(z+half)
	}
	r.VarianceRatio = math.Pow(m.sdX/m.sdDifference, 2) + math.Pow(m.sdY/m.sdDifference, 2)
	r.UnpairedSeeds = n * r.VarianceRatio
	return r, nil
}

// moments are the second moments of pairs of which none degenerates.
type moments struct{ sdX, sdY, sdDifference, correlation float64 }

// unexplained returns 1 − r².
func (m moments) unexplained() float64 { return (1 - m.correlation) * (1 + m.correlation) }

func (p pairs) moments() (moments, error) {
	var m moments
	var err error
	if m.sdX, err = p.armSD("x", p.x); err != nil {
		return moments{}, err
	}
	if m.sdY, err = p.armSD("y", p.y); err != nil {
		return moments{}, err
	}
	d, err := p.describe()
	if err != nil {
		return moments{}, err
	}
	m.sdDifference = d.SD
	// In standard deviations, lest a product of two sums of squares leave the range of a float64.
	x, y := slices.Clone(p.x), slices.Clone(p.y)
	floats.Scale(1/m.sdX, x)
	floats.Scale(1/m.sdY, y)
	m.correlation = stat.Correlation(x, y, nil)
	// The rounding of r is some nε: 1e-12 has room for a thousand seeds.
	if m.unexplained() <= 1e-12 {
		return moments{}, ErrCollinear
	}
	return m, nil
}

func (p pairs) armSD(name string, values []float64) (float64, error) {
	s, err := Describe(values)
	if err == nil && s.SD <= p.rounding { // values are off by a quarter of that, see describe
		err = ErrConstant
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return s.SD, nil
}
