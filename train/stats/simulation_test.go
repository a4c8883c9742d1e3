package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"diaghess/kernels"
)

// The simulation behind docs/statistics.md, by the functions of this package: how often does a
// study without any difference get a verdict, and how often does an interval hold the
// truth? What is expected was simulated in NumPy, independently of this code.

const simulationSeed = 11

// null draws results of arms that do not differ.
type null struct{ *rand.Rand }

func newNull(seed uint64) null { return null{rand.New(rand.NewPCG(simulationSeed, seed))} }

// A distribution has mean 0 (t2: centre 0).
type distribution struct {
	name string
	draw func(r null) float64
}

var (
	nullNormal    = distribution{"normal", func(r null) float64 { return r.NormFloat64() }}
	nullLognormal = distribution{"lognormal", func(r null) float64 {
		return (math.Exp(r.NormFloat64()) - math.Exp(0.5)) / math.Sqrt(math.E*math.Expm1(1))
	}}
	nullT2   = distribution{"t2", func(r null) float64 { return r.NormFloat64() / math.Sqrt(r.ExpFloat64()) }}
	nullTies = distribution{"ties", func(r null) float64 { // an accuracy over 360 examples
		return math.Round(360*(0.95+0.006*r.NormFloat64()))/360 - 0.95
	}}
	nullCollapse = distribution{"collapse", func(r null) float64 { // a tenth of the runs falls by 30 SDs
		if r.Float64() < 0.1 {
			return r.NormFloat64() - 27
		}
		return r.NormFloat64() + 3
	}}
	nulls = []distribution{nullNormal, nullLognormal, nullT2, nullTies, nullCollapse}
)

// A model has two arms with equal means.
type model struct {
	name            string
	baseline, rival distribution
}

func alike(d distribution) model { return model{d.name, d, d} }

var (
	rivalsLognormal = model{"rivals lognormal", nullNormal, nullLognormal}
	models          = []model{
		alike(nullNormal), alike(nullLognormal), alike(nullT2), alike(nullTies), alike(nullCollapse),
		{"baseline lognormal", nullLognormal, nullNormal},
		rivalsLognormal,
		{"baseline collapses", nullCollapse, nullNormal},
		{"rivals collapse", nullNormal, nullCollapse},
	}
)

// A size of a family is a number of rivals on a number of data sets.
type size struct{ rivals, sets int }

var (
	one, seven, twentyEight = size{1, 1}, size{7, 1}, size{7, 4}
	sizes                   = []size{one, seven, twentyEight}
)

func (s size) cells() int { return s.rivals * s.sets }

func (r null) sample(d distribution, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = d.draw(r)
	}
	return x
}

// family has rivals that share the baseline's runs on a data set.
func (r null) family(m model, n int, s size) Family {
	var f Family
	for range s.sets {
		baseline := r.sample(m.baseline, n)
		for range s.rivals {
			f.Cells = append(f.Cells, Cell{units(n), r.sample(m.rival, n), baseline})
		}
	}
	return f
}

// tuned is family of so many tunings with seeds of their own each. The SD over tunings is a multiple
// of that over seeds; with collapses, the tunings are normal.
func (r null) tuned(t *testing.T, m model, tuningSD float64, tunings, seeds int, s size) Family {
	arm := func(d distribution) []TunedPair {
		over := d
		if d.name == nullCollapse.name {
			over = nullNormal
		}
		pairs := make([]TunedPair, 0, tunings*seeds)
		for tuning := range tunings {
			effect := tuningSD * over.draw(r)
			for range seeds {
				pairs = append(pairs, TunedPair{Tuning: tuning, Seed: len(pairs), Rival: effect + d.draw(r)})
			}
		}
		return pairs
	}
	var f Family
	for range s.sets {
		baseline := arm(m.baseline)
		for range s.rivals {
			pairs := arm(m.rival)
			for i := range pairs {
				pairs[i].Baseline = baseline[i].Rival
			}
			cell, err := ByTuning(pairs)
			if err != nil {
				t.Fatal(err)
			}
			f.Cells = append(f.Cells, cell)
		}
	}
	return f
}

// crossed is a cell whose tunings share their seeds. Half of the variance over seeds is common.
func (r null) crossed(tunings, seeds int, tuningSD float64) Crossed {
	common := r.sample(nullNormal, seeds)
	c := Crossed{Baseline: zeroRows(tunings, seeds), Rival: zeroRows(tunings, seeds)}
	for _, row := range c.Rival {
		effect := tuningSD * r.NormFloat64()
		for j := range row {
			row[j] = effect + math.Sqrt(0.5)*(common[j]+r.NormFloat64())
		}
	}
	return c
}

func decided(d Decision) bool { return d == Better || d == Worse }

// A row of the simulation.
type row struct {
	name  string
	want  float64 // per cent of the event
	of    float64 // simulations that it comes of
	share int     // takes one of so many simulations of the others, since it is slow; not in -short above 1
	event func(t *testing.T, r null) bool
}

// shareOf is the share of a row that flips the signs of so many cells and units. With numbers of
// simulations in proportion to 1/√cost, the sum of the rows' variances is the smallest for the time.
func shareOf(cells, units int) int { return max(1, int(math.Sqrt(float64(cells<<units))/128)) }

func rows() []row {
	must := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var all []row
	verdict := func(name string, want, of float64, share int, method Method, draw func(t *testing.T, r null) Family) {
		all = append(all, row{"error, " + name, want, of, share, func(t *testing.T, r null) bool {
			got, err := draw(t, r).Test()
			must(t, err)
			if got.Method != method {
				t.Fatalf("method %v", got.Method)
			}
			return slices.ContainsFunc(got.Cells, func(c CellResult) bool { return decided(c.Decision) })
		}})
	}

	// One tuning: by model, then by size of the family.
	for _, c := range []struct {
		n      int
		method Method
		want   [9][3]float64
	}{
		{5, HolmT, [9][3]float64{{5.6, 4.8, 4.5}, {2.4, 1.4, 1.2}, {3.1, 2.7, 2.5}, {5.0, 4.4, 4.0}, {1.9, 1.6, 1.9},
			{5.4, 4.8, 5.8}, {5.3, 3.5, 4.2}, {56.8, 55.8, 87.9}, {54.7, 84.5, 95.5}}},
		{6, HolmT, [9][3]float64{{5.2, 5.5, 4.4}, {2.5, 1.1, 1.0}, {3.8, 2.1, 2.5}, {5.8, 4.8, 4.0}, {1.6, 1.1, 1.2},
			{4.7, 4.7, 5.9}, {5.9, 3.8, 4.8}, {53.4, 52.6, 92.1}, {52.5, 94.2, 99.5}}},
		{8, MaxT, [9][3]float64{{4.8, 4.7, 5.4}, {4.9, 4.1, 4.5}, {4.6, 4.5, 4.3}, {3.0, 4.2, 4.2}, {5.2, 2.8, 4.4},
			{5.4, 5.2, 6.5}, {5.6, 5.4, 5.7}, {44.0, 43.6, 90.0}, {42.6, 98.0, 100.0}}},
		{10, MaxT, [9][3]float64{{4.7, 5.0, 4.4}, {5.0, 4.5, 4.8}, {5.0, 5.3, 5.0}, {3.6, 4.6, 4.3}, {4.3, 3.0, 4.4},
			{5.5, 6.2, 7.6}, {5.5, 5.2, 6.9}, {34.4, 35.1, 82.6}, {34.6, 95.3, 100.0}}},
		{20, MaxT, [9][3]float64{{5.2, 5.4, 4.7}, {4.7, 4.5, 5.2}, {5.0, 5.0, 4.7}, {4.0, 4.8, 5.3}, {4.9, 4.9, 4.3},
			{5.5, 5.9, 8.6}, {5.3, 7.1, 8.3}, {12.1, 12.3, 41.6}, {12.7, 59.6, 97.6}}},
	} {
		for i, m := range models {
			for j, s := range sizes {
				verdict(fmt.Sprintf("%s, n = %d, m = %d", m.name, c.n, s.cells()), c.want[i][j], 4000, shareOf(s.cells(), c.n), c.method,
					func(_ *testing.T, r null) Family { return r.family(m, c.n, s) })
			}
		}
	}

	// Several tunings with seeds of their own: normal, by SD of the tunings, then the others with an SD of 2.
	ownSeeds := func(m model, tuningSD float64, tunings, seeds int, s size, want float64) {
		method := MaxT
		if tunings < FlipsFrom {
			method = HolmT
		}
		verdict(fmt.Sprintf("%s, %d tunings x %d own seeds, tuning SD %g, m = %d", m.name, tunings, seeds, tuningSD, s.cells()), want, 2000, 1, method,
			func(t *testing.T, r null) Family { return r.tuned(t, m, tuningSD, tunings, seeds, s) })
	}
	for _, c := range []struct {
		tunings, seeds int
		want           []float64 // with a tuning SD of 0, 1, ...
	}{{5, 4, []float64{5.5, 5.3}}, {5, 20, []float64{4.5, 5.4, 5.2}}, {10, 2, []float64{4.2, 4.5}}} {
		for tuningSD, want := range c.want {
			ownSeeds(alike(nullNormal), float64(tuningSD), c.tunings, c.seeds, one, want)
		}
	}
	for _, c := range []struct {
		tunings, seeds int
		want           [5][3]float64
	}{
		{5, 4, [5][3]float64{{4.3, 3.7, 4.9}, {2.9, 1.6, 1.7}, {3.2, 2.5, 2.9}, {4.6, 2.9, 3.4}, {5.3, 4.2, 5.5}}},
		{10, 2, [5][3]float64{{5.0, 4.9, 4.7}, {4.3, 4.2, 4.8}, {5.0, 4.5, 5.3}, {5.4, 4.6, 4.1}, {6.2, 6.3, 5.8}}},
	} {
		for i, m := range []model{alike(nullNormal), alike(nullLognormal), alike(nullT2), alike(nullCollapse), rivalsLognormal} {
			for j, s := range sizes {
				ownSeeds(m, 2, c.tunings, c.seeds, s, c.want[i][j])
			}
		}
	}

	// Tunings that share their seeds.
	for _, c := range []struct {
		tunings, seeds int
		want           [3]float64
	}{{5, 4, [3]float64{4.9, 3.9, 4.5}}, {5, 20, [3]float64{3.8, 5.5, 5.1}}, {8, 5, [3]float64{4.2, 3.7, 4.0}}} {
		for i, want := range c.want {
			all = append(all, row{fmt.Sprintf("error, normal, %d tunings x %d shared seeds, tuning SD %d", c.tunings, c.seeds, i), want, 2000, 1,
				func(t *testing.T, r null) bool {
					got, err := TestCrossed([]Crossed{r.crossed(c.tunings, c.seeds, float64(i))}, LowerIsBetter, 0)
					must(t, err)
					return decided(got.Cells[0].Decision)
				}})
		}
	}

	// Looks.
	looks, err := PlanLooks([]int{10, 15, 20}, 0.05)
	if err != nil {
		panic(err)
	}
	for i, m := range models {
		for j, s := range []size{one, seven, {28, 1}} {
			want := [9][3]float64{{5.2, 5.0, 6.0}, {5.5, 4.5, 4.0}, {5.2, 5.1}, {3.5, 5.5}, {4.8, 4.3, 4.5},
				{5.5, 6.3}, {4.9, 7.1}, {29.6, 31.9}, {30.0, 90.1}}[i][j]
			if want == 0 {
				continue
			}
			all = append(all, row{fmt.Sprintf("error, %s, looks 10-15-20, m = %d", m.name, s.cells()), want, 2000, shareOf(s.cells(), 20),
				func(t *testing.T, r null) bool {
					got, err := r.family(m, 20, s).TestAtLooks(units(20), looks)
					must(t, err)
					return slices.ContainsFunc(got, func(c SequentialResult) bool { return decided(c.Decision) })
				}})
		}
	}

	// Looks at cells of which some differ, and stop at different looks: a decided cell leaves the family.
	for _, c := range []struct {
		name                   string
		s                      size
		effects                map[int]float64 // of a cell, in SDs of the differences
		wrong, apart, coverage float64
	}{
		{"2 of 7 rivals differ", seven, map[int]float64{0: 2.5, 1: 1.2}, 5.2, 72.9, 96.5},
		{"2 of 4 rivals differ on each of 2 sets", size{4, 2}, map[int]float64{0: 2.5, 1: 1.2, 4: 1.8, 5: 0.8}, 4.8, 91, 97},
	} {
		test := func(t *testing.T, r null) []SequentialResult {
			f := r.family(alike(nullNormal), 20, c.s)
			for cell, effect := range c.effects {
				for i := range f.Cells[cell].Rival {
					f.Cells[cell].Rival[i] += effect * math.Sqrt2
				}
			}
			got, err := f.TestAtLooks(units(20), looks)
			must(t, err)
			return got
		}
		share := shareOf(c.s.cells(), 20)
		all = append(all, row{"error, " + c.name + ", looks 10-15-20", c.wrong, 10000, share, func(t *testing.T, r null) bool {
			for i, cell := range test(t, r) {
				if c.effects[i] == 0 && decided(cell.Decision) {
					return true
				}
			}
			return false
		}}, row{"decided at different looks, " + c.name, c.apart, 10000, share, func(t *testing.T, r null) bool {
			at := make(map[int]bool)
			for i, cell := range test(t, r) {
				if c.effects[i] != 0 && decided(cell.Decision) {
					at[cell.Look.Units] = true
				}
			}
			return len(at) > 1
		}}, row{"coverage, " + c.name + ", looks 10-15-20", c.coverage, 10000, share, func(t *testing.T, r null) bool {
			for i, cell := range test(t, r) {
				if !holds(cell.Interval, c.effects[i]*math.Sqrt2) {
					return false
				}
			}
			return true
		}})
	}

	// Intervals: all cells together.
	for i, want := range [5][2]float64{{94.8, 95.9}, {96.6, 99.2}, {96.0, 98.0}, {96.0, 95.5}, {98.5, 99.1}} {
		for j, s := range []size{one, seven} {
			all = append(all, row{fmt.Sprintf("coverage, %s, n = 10, m = %d", models[i].name, s.cells()), want[j], 2000, 1,
				func(t *testing.T, r null) bool {
					got, err := r.family(models[i], 10, s).Test()
					must(t, err)
					return !slices.ContainsFunc(got.Cells, func(c CellResult) bool { return !holds(c.Interval, 0) })
				}})
		}
	}

	// Spread.
	for i, d := range nulls {
		for j, n := range []int{10, 20} {
			want := [5][2]float64{{1.6, 3.5}, {4.0, 5.3}, {2.7, 3.9}, {0.6, 2.1}, {2.9, 4.8}}[i][j]
			all = append(all, row{fmt.Sprintf("error, spread, %s, n = %d", d.name, n), want, 10000, 1,
				func(t *testing.T, r null) bool {
					got, err := Spread(r.sample(d, n), r.sample(d, n), Draws{})
					must(t, err)
					return got.P <= 0.05
				}})
		}
	}

	// Over several sets.
	for _, c := range []struct {
		d              distribution
		sets           int
		iqm, improving float64
	}{{nullNormal, 1, 93.8, 98.7}, {nullLognormal, 1, 94.0, 98.5}, {nullCollapse, 4, 98.6, 97.5}} {
		draw := func(r null) []Cell { return r.family(alike(c.d), 10, size{1, c.sets}).Cells }
		name := fmt.Sprintf("%s, n = 10, %d sets", c.d.name, c.sets)
		all = append(all, row{"coverage, interquartile mean, " + name, c.iqm, 1000, 2, func(t *testing.T, r null) bool {
			got, err := InterquartileDifference(draw(r), 0.95, r.Uint64())
			must(t, err)
			return holds(got.Interval, 0)
		}}, row{"coverage, improvement, " + name, c.improving, 1000, 2, func(t *testing.T, r null) bool {
			got, err := Improvement(draw(r), HigherIsBetter, 0.95, r.Uint64())
			must(t, err)
			return holds(got.Interval, 0.5)
		}})
	}
	return all
}

// fewestSimulations is the least that says anything about a rate.
const fewestSimulations = 80

// DIAGHESS_SIMULATIONS sets the number of simulations of a row. A slow row takes a share of it.
func TestSimulation(t *testing.T) {
	simulations := 2000
	if testing.Short() {
		simulations = 500
	}
	if s := os.Getenv("DIAGHESS_SIMULATIONS"); s != "" {
		var err error
		if simulations, err = strconv.Atoi(s); err != nil || simulations < fewestSimulations {
			t.Fatalf("DIAGHESS_SIMULATIONS=%s: want a number from %d", s, fewestSimulations)
		}
	}
	all := rows()
	lines := make([]string, len(all))
	t.Run("rows", func(t *testing.T) {
		for i, c := range all {
			t.Run(c.name, func(t *testing.T) {
				n, events := simulations/c.share, 0
				switch {
				case testing.Short() && c.share > 1:
					t.Skip("takes long")
				case n < fewestSimulations:
					t.Skipf("takes long: set DIAGHESS_SIMULATIONS to %d or more", fewestSimulations*c.share)
				}
				t.Parallel()
				r := newNull(uint64(kernels.RandomStream(c.name)))
				for range n {
					if c.event(t, r) {
						events++
					}
				}
				// The binomial variance of one simulation. Two events of either kind are added, lest it be 0
				// of what always happened (Agresti and Coull, The American Statistician 52, 1998).
				rate, want := float64(events)/float64(n), c.want/100
				p := (want*c.of + 2) / (c.of + 4)
				here, there := math.Sqrt(p*(1-p)/float64(n)), math.Sqrt(p*(1-p)/c.of)
				lines[i] = fmt.Sprintf("| %s | %d | %.1f ± %.1f | %.1f ± %.1f |\n", c.name, n, 100*rate, 200*here, c.want, 200*there)
				if math.Abs(rate-want) > 4*math.Hypot(here, there) {
					t.Errorf("seed %d: %s", simulationSeed, lines[i])
				}
			})
		}
	})
	t.Log("per cent, ± two standard errors:\n| row | simulations | measured | expected |\n|---|---|---|---|\n" + strings.Join(lines, ""))
}
