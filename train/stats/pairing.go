package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// ErrConstant is returned, wrapped with the arm, when all values of an arm are equal.
var ErrConstant = errors.New("all values of an arm are equal: they have no correlation and no variance to compare")

// PairingResult says how similar the results of the two arms are for the same seed.
type PairingResult struct {
	N           int     // number of pairs
	Correlation float64 // Pearson's r of x and y
	// VarianceRatio is (var(x) + var(y)) / var(x − y): how many times the variance of
	// the mean difference would be as large if the arms had other seeds each. Below 1
	// pairing has cost something. N·VarianceRatio seeds an arm, each with its own, would have
	// estimated the mean difference as well.
	VarianceRatio float64
}

// Pairing returns the correlation of x and y over the pairs, and how much pairing by seed reduces
// the variance. The correlation is SciPy's pearsonr.
//
// It returns ErrTooFewPairs, ErrNotFinite, ErrConstant or ErrNoSpread. It panics when x and y
// differ in length.
func Pairing(x, y []float64) (PairingResult, error) {
	p, err := newPairs("Pairing", x, y)
	if err != nil {
		return PairingResult{}, err
	}
	sdX, err := p.armSD("x", x)
	if err != nil {
		return PairingResult{}, err
	}
	sdY, err := p.armSD("y", y)
	if err != nil {
		return PairingResult{}, err
	}
	d, err := p.describe()
	if err != nil {
		return PairingResult{}, err
	}
	// In standard deviations, lest a product of two sums of squares leave the range of a float64.
	unitX, unitY := slices.Clone(x), slices.Clone(y)
	floats.Scale(1/sdX, unitX)
	floats.Scale(1/sdY, unitY)
	return PairingResult{
		N:             len(x),
		Correlation:   max(-1, min(1, stat.Correlation(unitX, unitY, nil))), // beyond by rounding, of a line
		VarianceRatio: math.Pow(sdX/d.SD, 2) + math.Pow(sdY/d.SD, 2),
	}, nil
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
