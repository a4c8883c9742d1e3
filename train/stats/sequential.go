package stats

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// Look is a time at which a study may decide and stop.
type Look struct {
	Units int     `json:"units"` // number of units that are there
	Level float64 `json:"level"` // a cell is decided here if its p is at most this
}

// ErrLooks is returned, wrapped with the reason, for numbers of units at which no looks can be planned.
var ErrLooks = errors.New("bad plan of looks")

// smallestLevel is the smallest level of a look: below it no p is computed reliably.
const smallestLevel = 1e-12

// PlanLooks returns the level of each look of a plan, such as at 10, 15 and 20 units, of
// which the last number is the most that will be run. By the time that a share of them is there,
// a true null hypothesis has been rejected with probability
//
//	4 − 4Φ(z(1 − α/4) / √share)
//
// two-sided: little early, α at the end, as with O'Brien and Fleming's bounds (Lan and DeMets,
// "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983). The levels are
// those of a normal statistic with independent increments. They come from the recursion of
// Armitage, McPherson and Rowe ("Repeated significance tests on accumulating data", JRSS A 132, 1969).
//
// The levels are those of one cell. With several cells the error is a little larger, since the
// largest statistic is less alike from look to look. Of normal statistics of 28 cells it is 5.3 % at
// 10, 15 and 20 units, and 6.1 % with a look at each of 15 to 60 units. It is never above the sum of
// the levels. A look whose level is below SmallestP decides nothing.
//
// It returns ErrLooks for numbers that do not rise or begin below VerdictFrom, and for a first look
// so early that its level is below 1e-12. It panics for an α outside (0, 1).
func PlanLooks(at []int, alpha float64) ([]Look, error) {
	mustBeFraction("PlanLooks", "α", alpha)
	if len(at) == 0 || at[0] < VerdictFrom {
		return nil, fmt.Errorf("%w: looks at %s units, the first needs at least %d", ErrLooks, listed(at), VerdictFrom)
	}
	times := make([]float64, len(at))
	spent := make([]float64, len(at))
	for i, n := range at {
		if i > 0 && n <= at[i-1] {
			return nil, fmt.Errorf("%w: looks at %s units: numbers must rise", ErrLooks, listed(at))
		}
		times[i] = float64(n) / float64(at[len(at)-1])
		spent[i] = 4 * distuv.UnitNormal.CDF(distuv.UnitNormal.Quantile(alpha/4)/math.Sqrt(times[i]))
	}
	looks := make([]Look, len(at))
	for i, level := range nominalLevels(times, spent) {
		looks[i] = Look{Units: at[i], Level: level}
		if level < smallestLevel {
			return nil, fmt.Errorf("%w: looks at %s units: at %d the level is %.2g, so nothing can be decided; leave that look out", ErrLooks, listed(at), at[i], level)
		}
	}
	return looks, nil
}

// listed is numbers with commas between them.
func listed(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ", "), "[]")
}

// SmallestP returns the smallest p that sign flips of so many units can have: 2^(1−n) where all
// patterns are counted, and 1/10,000 where 9,999 are sampled.
func SmallestP(units int) float64 {
	if units > signFlipExact {
		return 1.0 / (defaultDraws + 1)
	}
	return math.Ldexp(1, 1-units)
}

// nominalLevels returns the two-sided levels at which a Brownian motion, observed at times
// up to 1, has passed a bound by time times[i] with probability spent[i].
func nominalLevels(times, spent []float64) []float64 {
	upper := func(z float64) float64 { return distuv.UnitNormal.CDF(-z) }
	levels := make([]float64, len(times))
	// The density of the motion that has passed no bound yet is known at nodes.
	var nodes, mass []float64 // mass is density times quadrature weight
	timeBefore, spentBefore := 0.0, 0.0
	for k, time := range times {
		step := math.Sqrt(time - timeBefore)
		beyond := func(bound float64) float64 { // probability to pass now
			if k == 0 {
				return 2 * upper(bound/step)
			}
			sum := 0.0
			for i, x := range nodes {
				sum += mass[i] * (upper((bound-x)/step) + upper((bound+x)/step))
			}
			return sum
		}
		low, high := 0.0, 38*math.Sqrt(time) // Φ(−38) is 3e-316
		for middle := high / 2; low < middle && middle < high; middle = (low + high) / 2 {
			if beyond(middle) > spent[k]-spentBefore {
				low = middle
			} else {
				high = middle
			}
		}
		levels[k] = 2 * upper(high/math.Sqrt(time))
		if k == len(times)-1 {
			break
		}

		// Density and kernel vary over steps: 8 nodes for each of the shorter one. φ(9) is 1e-18.
		bound := min(high, 9*math.Sqrt(time))
		next := make([]float64, 40+int(16*bound/min(step, math.Sqrt(times[k+1]-time))))
		weights := make([]float64, len(next))
		quad.Legendre{}.FixedLocations(next, weights, -bound, bound)
		for i, y := range next {
			density := 0.0
			if k == 0 {
				density = distuv.UnitNormal.Prob(y/step) / step
			}
			for j, x := range nodes {
				density += mass[j] * distuv.UnitNormal.Prob((y-x)/step) / step
			}
			weights[i] *= density
		}
		nodes, mass = next, weights
		timeBefore, spentBefore = time, spent[k]
	}
	return levels
}

// SequentialResult is the verdict on a cell of a study with looks.
type SequentialResult struct {
	CellResult      // at the look
	Look       Look // at which the cell was decided, or else the last one
	Method     Method
	Sampled    int // see FamilyResult
}

// TestAtLooks goes through the looks of a plan. It decides each cell at the first look where
// its p is at most the look's level. looks holds those that were reached, and order has the number
// of each planned unit, as they were run. At a look only the first Units of order are used, so that
// later runs of a decided cell change nothing.
//
// A decided cell leaves the family: the cells still open hold all true null hypotheses
// until the first error. Intervals have the level 1 − Level/m with all m planned cells: repeated intervals (Jennison and
// Turnbull, "Interim analyses: the repeated confidence interval approach", JRSS B 51, 1989). They
// hold at every look. The mean after an early stop is too large, on average by up to 0.06 SD.
//
// f.Alpha is not used. Errors and panics are those of Test. It panics without looks, when their
// numbers of units do not rise, and when a look has more units than order.
func (f Family) TestAtLooks(order []int, looks []Look) ([]SequentialResult, error) {
	if len(looks) == 0 {
		panic("stats: TestAtLooks: no looks")
	}
	for i, look := range looks {
		if look.Units > len(order) || i > 0 && look.Units <= looks[i-1].Units {
			panic(fmt.Sprintf("stats: TestAtLooks: look %d of %v with %d planned units", i+1, looks, len(order)))
		}
	}
	f.Planned = max(f.Planned, len(f.Cells))
	results := make([]SequentialResult, len(f.Cells))
	open := make([]int, len(f.Cells))
	for i := range open {
		open[i] = i
	}
	for _, look := range looks {
		mustBeFraction("TestAtLooks", "level", look.Level)
		sub := f
		sub.Alpha, sub.Cells = look.Level, make([]Cell, len(open))
		for i, c := range open {
			sub.Cells[i] = f.Cells[c].only(order[:look.Units])
		}
		tested, err := sub.Test()
		if err != nil {
			return nil, fmt.Errorf("look at %d units: %w", look.Units, err)
		}
		var still []int
		for i, c := range open {
			r := tested.Cells[i]
			results[c] = SequentialResult{CellResult: r, Look: look, Method: tested.Method, Sampled: tested.Sampled}
			if r.Decision != Better && r.Decision != Worse {
				still = append(still, c)
			}
		}
		if open = still; len(open) == 0 {
			break
		}
	}
	return results, nil
}

// only returns the pairs of some units.
func (c Cell) only(units []int) Cell {
	among := make(map[int]bool, len(units))
	for _, u := range units {
		among[u] = true
	}
	var part Cell
	for i, u := range c.Units {
		if among[u] {
			part.Units = append(part.Units, u)
			part.Rival, part.Baseline = append(part.Rival, c.Rival[i]), append(part.Baseline, c.Baseline[i])
		}
	}
	return part
}
