package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	// VerdictFrom is the number of units from which on a cell can have a verdict.
	VerdictFrom = 5
	// FlipsFrom is the number of units from which on sign flips decide.
	FlipsFrom = 8
	// DefaultAlpha is the chance of a false verdict that a family is planned with.
	DefaultAlpha = 0.05
)

// ErrUnit is returned, wrapped with its place, for units that do not fit the design.
var ErrUnit = errors.New("units do not fit")

// Cell is a rival on a data set: its results and the baseline's, in pairs, one for each
// unit. A unit is what was repeated independently: a seed or, where arms were tuned several
// times, a tuning ([ByTuning]).
type Cell struct {
	Units           []int // the number of each pair's unit, in any order, none twice
	Rival, Baseline []float64
}

// Family holds all cells that one plan asks about, with one metric.
type Family struct {
	Cells     []Cell
	Direction Direction
	Alpha     float64 // the largest chance of a false verdict; 0 stands for DefaultAlpha
	Planned   int     // number of cells that the intervals cover together; 0 stands for all of Cells
	Draws     Draws   // of sign patterns, for more than 20 units
}

// Decision is the verdict on a cell.
type Decision int

const (
	NoVerdict Decision = iota // fewer than VerdictFrom units, too few seeds, or no spread for a t-test
	NotShown                  // no difference was shown, which is not to say that there is none
	Better                    // the rival is better
	Worse                     // the rival is worse
)

func (d Decision) String() string {
	return [...]string{"no verdict", "not shown", "better", "worse"}[d]
}

// Method is the test that a family's verdicts go by.
type Method int

const (
	IntervalsOnly Method = iota // there is no verdict
	HolmT                       // paired t-tests, adjusted by Holm
	MaxT                        // step-down maxT over sign flips
	HolmTwoWay                  // two-way t-tests of crossed tunings and seeds, adjusted by Holm
)

// Note says in a sentence what the method's p rests on.
func (m Method) Note() string {
	return [...]string{
		fmt.Sprintf("With fewer than %d units there are intervals and no verdict.", VerdictFrom),
		"The verdict goes by Holm's p of the paired t-test, which rests on nearly normal differences.",
		"The verdict goes by the step-down p of the largest |t| over sign flips, which rests on differences that are symmetric about 0 where there is no effect.",
		"The verdict goes by Holm's p of the two-way t-test, which rests on nearly normal effects of tunings and seeds.",
	}[m]
}

// CellResult is the verdict on a cell.
type CellResult struct {
	N              int     // number of units
	MeanDifference float64 // mean of rival − baseline; NaN without units
	SD             float64 // of the differences; NaN below 2 units
	// P is the adjusted p that the decision goes by: at most α for a verdict.
	// It is NaN where Decision is NoVerdict.
	P        float64
	HolmP    float64  // Holm's p of the paired t-test, for comparison; NaN as P
	Interval Interval // of the mean difference, at level 1 − α/m: it holds for all m cells together
	Decision Decision
	Err      error // why there is no interval: ErrTooFewPairs or ErrNoSpread; nil where there is one
	constant bool  // all differences are equal, and not 0
}

// FamilyResult is the verdict on each cell of a family.
type FamilyResult struct {
	Method  Method
	Alpha   float64
	Sampled int // number of random sign patterns; 0 where all were counted, or none
	Cells   []CellResult
}

// Test decides for each cell whether the rival is better or worse than the baseline. The
// probability of even one false verdict in the family is at most about α.
//
// The test goes by the smallest N of the cells with at least VerdictFrom units. From
// FlipsFrom units on it is step-down maxT over sign flips (Westfall and Young,
// Resampling-Based Multiple Testing, 1993; Romano and Wolf, JASA 100, 2005). For a cell's
// differences d and signs s = ±1,
//
//	u = |Σ s·d| / √Σd²
//
// rises with |t|, and the root does not change under flips. Cells are sorted by u. The p of the i-th
// is the share of sign patterns in which the largest u of cells i … m reaches its u, or
// the p before it if that is larger. Up to 20 units all patterns are counted. For more p =
// (1 + count)/(B + 1) of B random patterns (Phipson and Smyth, 2010). Values
// of u that differ by at most 1e-9 are equal. When all differences are zero, u is 0.
//
// A unit has one sign in all cells that have it: seed 7 is flipped on all data sets and for
// all rivals together. A cell that lacks the unit is not changed by it. This keeps the
// error also for cells of unequal N, in which u has variance 1 but is at most √N. How
// the power then divides between the cells was not simulated.
//
// With fewer units, 5 to 7, p is Holm's of the paired t-test. Differences that are all equal
// have no t. They count as p = 1, and have no verdict unless they are all 0: then there is
// no difference. Cells below 5 units have an interval only. They count in m, and take no part
// in the flips.
//
// The interval is mean ± t(1 − α/2m; N−1)·SD/√N, by Bonferroni's inequality.
//
// It returns ErrEmpty for a family without cells, ErrNotFinite, and ErrUnit for a unit that
// a cell has twice. It panics for slices of different length, and for an α outside (0, 1).
func (f Family) Test() (FamilyResult, error) {
	if len(f.Cells) == 0 {
		return FamilyResult{}, fmt.Errorf("family: %w", ErrEmpty)
	}
	r := FamilyResult{Alpha: f.Alpha, Cells: make([]CellResult, len(f.Cells))}
	if r.Alpha == 0 {
		r.Alpha = DefaultAlpha
	}
	mustBeFraction("Family.Test", "α", r.Alpha)

	var flipped []pairs // of the cells with a verdict
	var units [][]int
	quantiles := make(map[int]float64) // of Student's t by N: most cells have the same N
	single, least := make([]float64, len(f.Cells)), 0
	for i, c := range f.Cells {
		p, err := c.pairs()
		if err == nil {
			r.Cells[i], single[i], err = p.cell(r.Alpha/float64(max(f.Planned, len(f.Cells))), quantiles)
		}
		if err != nil {
			return FamilyResult{}, fmt.Errorf("cell %d of %d: %w", i+1, len(f.Cells), err)
		}
		if n := r.Cells[i].N; n >= VerdictFrom {
			flipped, units = append(flipped, p), append(units, c.Units)
			if least == 0 || n < least {
				least = n
			}
		}
	}
	holm, err := Holm(single)
	if err != nil {
		return FamilyResult{}, err
	}
	p := holm
	switch {
	case least == 0:
		r.Method = IntervalsOnly
	case least < FlipsFrom:
		r.Method = HolmT
	default:
		r.Method = MaxT
		var adjusted []float64
		adjusted, r.Sampled = newFlips(flipped, units).adjustedP(f.Draws)
		p = slices.Clone(holm)
		for i, c := range r.Cells {
			if c.N >= VerdictFrom {
				p[i], adjusted = adjusted[0], adjusted[1:]
			}
		}
	}
	r.decide(p, holm, f.Direction)
	return r, nil
}

// decide fills in p and decision of the cells with enough units.
func (r *FamilyResult) decide(p, holm []float64, direction Direction) {
	if direction != LowerIsBetter && direction != HigherIsBetter {
		panic(fmt.Sprintf("stats: direction %d does not exist", int(direction)))
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		switch {
		case c.N < VerdictFrom, errors.Is(c.Err, ErrTooFewSeeds), c.constant && r.Method != MaxT:
			c.P, c.HolmP, c.Decision = math.NaN(), math.NaN(), NoVerdict
			continue
		case p[i] > r.Alpha:
			c.Decision = NotShown
		case (c.MeanDifference > 0) == (direction == HigherIsBetter):
			c.Decision = Better
		default:
			c.Decision = Worse
		}
		c.P, c.HolmP = p[i], holm[i]
	}
}

func (c Cell) pairs() (pairs, error) {
	if len(c.Units) != len(c.Rival) || len(c.Rival) != len(c.Baseline) {
		panic(fmt.Sprintf("stats: a cell has %d units, %d results of the rival, %d of the baseline", len(c.Units), len(c.Rival), len(c.Baseline)))
	}
	seen := make(map[int]bool)
	for _, u := range c.Units {
		if seen[u] {
			return pairs{}, fmt.Errorf("unit %d is there twice: %w", u, ErrUnit)
		}
		seen[u] = true
	}
	return checkPairs(c.Rival, c.Baseline)
}

// cell describes a cell, with the interval at level 1 − α, and returns the p of
// its paired t-test, 1 where it has no t. It keeps the quantiles that it computes, by N.
func (p pairs) cell(alpha float64, quantiles map[int]float64) (CellResult, float64, error) {
	r := CellResult{N: len(p.difference), MeanDifference: math.NaN(), SD: math.NaN()}
	if r.N == 0 {
		r.Err = fmt.Errorf("%w, got 0", ErrTooFewPairs)
		return r, 1, nil
	}
	d, err := Describe(p.difference)
	if err != nil {
		return r, 1, fmt.Errorf("differences: %w", err)
	}
	r.MeanDifference, r.SD = d.Mean, d.SD
	if r.N < MinPairs {
		r.Err = fmt.Errorf("%w, got %d", ErrTooFewPairs, r.N)
		return r, 1, nil
	}
	t, err := p.t()
	if err != nil {
		r.Err, r.constant = err, p.constant(d.Mean)
		return r, 1, nil
	}
	if _, there := quantiles[r.N]; !there {
		quantiles[r.N] = studentUpper(alpha/2, t.DF)
	}
	r.Interval = t.intervalAround(1-alpha, quantiles[r.N])
	return r, t.P, nil
}
