package stats

import (
	"errors"
	"fmt"
	"math"
)

// MinPairs is the smallest number of pairs that is tested.
const MinPairs = 3

var (
	// ErrTooFewPairs is returned for fewer than MinPairs pairs.
	ErrTooFewPairs = fmt.Errorf("a paired test needs at least %d pairs", MinPairs)

	// ErrNoSpread is returned when all differences are equal, so that their
	// standard deviation is zero and t is not defined.
	ErrNoSpread = errors.New("all differences are equal: their standard deviation is zero and t is not defined")
)

// Interval is a confidence interval.
type Interval struct {
	Level     float64 // its confidence, such as 0.95
	Low, High float64
}

// defaultDraws makes (draws + 1) times the usual levels a whole number.
const defaultDraws = 9999

// Draws says how random draws are made.
type Draws struct {
	N    int    // how many; 0 stands for 9,999
	Seed uint64 // the key of the random numbers
}

// number returns how many draws there are. It panics for a negative number.
func (d Draws) number() int {
	if d.N < 0 {
		panic(fmt.Sprintf("stats: %d draws", d.N))
	}
	if d.N == 0 {
		return defaultDraws
	}
	return d.N
}

// epsilon is the distance from 1 to the next float64.
const epsilon = 0x1p-52

// pairs are two samples that were found fit for a test.
type pairs struct {
	x, y       []float64
	difference []float64 // x − y
	// rounding is how far a difference may be from that of the decimals that were
	// meant: two decimals and their difference are each off by at most half an ε of
	// at most M, M and 2M, where M is the largest magnitude, so 2εM.
	rounding float64
}

// newPairs checks two samples and pairs them. It panics in the name of a
// function when they differ in length.
func newPairs(function string, x, y []float64) (pairs, error) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("stats: %s: x has length %d, y has length %d", function, len(x), len(y)))
	}
	if len(x) < MinPairs {
		return pairs{}, fmt.Errorf("%w, got %d", ErrTooFewPairs, len(x))
	}
	return checkPairs(x, y)
}

// checkPairs pairs two samples of one length, of any size.
func checkPairs(x, y []float64) (pairs, error) {
	if err := checkFinite("x", x); err != nil {
		return pairs{}, err
	}
	if err := checkFinite("y", y); err != nil {
		return pairs{}, err
	}
	p := pairs{x: x, y: y, difference: make([]float64, len(x))}
	largest := 0.0
	for i := range x {
		p.difference[i] = x[i] - y[i]
		largest = max(largest, math.Abs(x[i]), math.Abs(y[i]))
	}
	if err := checkFinite("difference", p.difference); err != nil {
		return pairs{}, err
	}
	p.rounding = 2 * epsilon * largest
	return p, nil
}

// describe describes the differences. It returns ErrNoSpread when they are
// equal up to rounding: n values within ±r have a sample standard deviation of
// at most r·√(n/(n−1)) < 2r. (Differences below 1e-160 count as equal as
// well, because their squares underflow.)
func (p pairs) describe() (Summary, error) {
	d, err := Describe(p.difference)
	if err != nil {
		return Summary{}, fmt.Errorf("differences x − y: %w", err)
	}
	if d.SD <= 2*p.rounding {
		return Summary{}, ErrNoSpread
	}
	return d, nil
}

// constant says of differences without a spread that they are not 0, given their mean.
func (p pairs) constant(mean float64) bool { return math.Abs(mean) > p.rounding }

// sumRounding bounds by how much two sums of n differences, each with either
// sign, can differ when they are equal as decimals: the n terms are off by
// 2εM each, and n−1 additions of sums below 2nM by half an ε of that each, which
// is less than (n+1)·n·εM, and twice that for two sums.
func (p pairs) sumRounding() float64 {
	n := float64(len(p.difference))
	return n * (n + 1) * p.rounding
}

// mustBeFraction panics in the name of a function unless 0 < value < 1.
func mustBeFraction(function, name string, value float64) {
	if !(0 < value && value < 1) {
		panic(fmt.Sprintf("stats: %s: %s %g is not between 0 and 1", function, name, value))
	}
}
