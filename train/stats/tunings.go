package stats

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// TunedPair holds the results of both arms with one seed, each arm as a tuning left it.
type TunedPair struct {
	Tuning, Seed    int
	Rival, Baseline float64
}

// ByTuning returns the cell whose units are tunings: the results of an arm are means over
// the tuning's seeds. The means of tunings are independent only when each tuning
// has seeds of its own. ByTuning returns ErrUnit for a seed that occurs twice, in one
// tuning or in two; for tunings that share all seeds there is TwoWay.
func ByTuning(all []TunedPair) (Cell, error) {
	owner := make(map[int]int) // the tuning of each seed
	groups := make(map[int][]TunedPair)
	for _, p := range all {
		if other, there := owner[p.Seed]; there {
			return Cell{}, fmt.Errorf("seed %d is in tuning %d and in tuning %d; each tuning needs seeds of its own: %w", p.Seed, other, p.Tuning, ErrUnit)
		}
		owner[p.Seed] = p.Tuning
		groups[p.Tuning] = append(groups[p.Tuning], p)
	}
	var c Cell
	for _, tuning := range slices.Sorted(maps.Keys(groups)) {
		var rival, baseline []float64
		for _, p := range groups[tuning] {
			rival, baseline = append(rival, p.Rival), append(baseline, p.Baseline)
		}
		c.Units = append(c.Units, tuning)
		c.Rival, c.Baseline = append(c.Rival, stat.Mean(rival, nil)), append(c.Baseline, stat.Mean(baseline, nil))
	}
	return c, nil
}

// minCrossedSeeds is the number of common seeds from which on TwoWay keeps its level.
const minCrossedSeeds = 4

// ErrTooFewSeeds is returned for crossed tunings with too few common seeds.
var ErrTooFewSeeds = fmt.Errorf("tunings that share their seeds need at least %d of them", minCrossedSeeds)

// Crossed is a rival on a data set whose tunings share their seeds: results by
// tuning, then by seed, such as Rival[tuning][seed].
type Crossed struct{ Rival, Baseline [][]float64 }

// TwoWayResult is the outcome of a two-sided test of the mean difference of crossed
// tunings and seeds.
type TwoWayResult struct {
	Tunings, Seeds int
	MeanDifference float64
	StandardError  float64 // √V
	T              float64 // MeanDifference / StandardError
	DF             float64 // Satterthwaite's degrees of freedom
	P              float64 // probability of a |t| at least as large when the mean difference is zero
	constant       bool    // there is no spread, and the mean difference is not 0
}

// TwoWay tests whether the mean difference of R tunings with the same n seeds each is zero.
// A seed's effect is in the means of all tunings at once, so these means are not
// independent. With MS_t = n·(variance of the tunings' means) and MS_s = R·(variance of
// the seeds' means),
//
//	V = (MS_t + MS_s) / Rn,   DF = (MS_t + MS_s)² / (MS_t²/(R−1) + MS_s²/(n−1))
//
// (Satterthwaite, "An approximate distribution of estimates of variance components",
// Biometrics Bulletin 2, 1946). The residual mean square is not subtracted, which keeps V
// positive. In simulations the test keeps its level from 4 seeds on.
//
// It returns ErrTooFewPairs below MinPairs tunings, ErrTooFewSeeds, ErrNotFinite or, with the mean
// difference, ErrNoSpread. It panics when the tunings differ in the number of their seeds.
func TwoWay(c Crossed) (TwoWayResult, error) {
	tunings := len(c.Rival)
	if len(c.Baseline) != tunings {
		panic(fmt.Sprintf("stats: TwoWay: the rival has %d tunings, the baseline %d", tunings, len(c.Baseline)))
	}
	if tunings < MinPairs {
		return TwoWayResult{}, fmt.Errorf("%w, got %d tunings", ErrTooFewPairs, tunings)
	}
	seeds := len(c.Rival[0])
	for i := range tunings {
		if len(c.Rival[i]) != seeds || len(c.Baseline[i]) != seeds {
			panic("stats: TwoWay: tunings differ in the number of their seeds")
		}
	}
	if seeds < minCrossedSeeds {
		return TwoWayResult{}, fmt.Errorf("%w, got %d", ErrTooFewSeeds, seeds)
	}
	p, err := newPairs("TwoWay", slices.Concat(c.Rival...), slices.Concat(c.Baseline...))
	if err != nil {
		return TwoWayResult{}, err
	}
	r := TwoWayResult{Tunings: tunings, Seeds: seeds, MeanDifference: stat.Mean(p.difference, nil)}
	if _, err := p.describe(); err != nil {
		r.constant = p.constant(r.MeanDifference)
		return r, err
	}
	byTuning, bySeed := make([]float64, tunings), make([]float64, seeds)
	for i, d := range p.difference {
		byTuning[i/seeds] += d / float64(seeds)
		bySeed[i%seeds] += d / float64(tunings)
	}
	t, s := float64(seeds)*stat.Variance(byTuning, nil), float64(tunings)*stat.Variance(bySeed, nil)
	r.StandardError = math.Sqrt((t + s) / float64(tunings*seeds))
	if r.StandardError <= 2*p.rounding {
		r.StandardError, r.constant = 0, p.constant(r.MeanDifference)
		return r, ErrNoSpread
	}
	share := t / (t + s) // lest squares leave the range of a float64
	r.DF = 1 / (share*share/float64(tunings-1) + (1-share)*(1-share)/float64(seeds-1))
	r.T = r.MeanDifference / r.StandardError
	r.P = 2 * studentTail(math.Abs(r.T), r.DF)
	return r, nil
}

// Interval returns the confidence interval of the mean difference at a level.
func (r TwoWayResult) Interval(level float64) Interval {
	mustBeFraction("TwoWayResult.Interval", "level", level)
	half := studentUpper((1-level)/2, r.DF) * r.StandardError
	return Interval{Level: level, Low: r.MeanDifference - half, High: r.MeanDifference + half}
}

// TestCrossed is Family.Test for tunings that share their seeds: p is Holm's of TwoWay, and
// N of a cell is its number of tunings. Cells without a TwoWay have its error in Err.
// SD is √V·√N, so that SD/√N is the standard error. An α of 0 stands for DefaultAlpha.
// It returns ErrEmpty or ErrNotFinite.
func TestCrossed(cells []Crossed, direction Direction, alpha float64) (FamilyResult, error) {
	if len(cells) == 0 {
		return FamilyResult{}, fmt.Errorf("family: %w", ErrEmpty)
	}
	if alpha == 0 {
		alpha = DefaultAlpha
	}
	mustBeFraction("TestCrossed", "α", alpha)
	r := FamilyResult{Alpha: alpha, Cells: make([]CellResult, len(cells))}
	single := make([]float64, len(cells))
	for i, c := range cells {
		t, err := TwoWay(c)
		if errors.Is(err, ErrNotFinite) {
			return FamilyResult{}, fmt.Errorf("cell %d of %d: %w", i+1, len(cells), err)
		}
		cell := CellResult{N: len(c.Rival), MeanDifference: math.NaN(), SD: math.NaN(), Err: err}
		single[i] = 1
		if errors.Is(err, ErrNoSpread) {
			cell.MeanDifference, cell.SD, cell.constant = t.MeanDifference, 0, t.constant
		}
		if err == nil {
			single[i], cell.MeanDifference, cell.SD = t.P, t.MeanDifference, t.StandardError*math.Sqrt(float64(t.Tunings))
			cell.Interval = t.Interval(1 - alpha/float64(len(cells)))
		}
		if cell.N >= VerdictFrom && !errors.Is(err, ErrTooFewSeeds) {
			r.Method = HolmTwoWay
		}
		r.Cells[i] = cell
	}
	holm, err := Holm(single)
	if err != nil {
		return FamilyResult{}, err
	}
	r.decide(holm, holm, direction)
	return r, nil
}
