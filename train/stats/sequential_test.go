package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// SciPy 1.17.1: brentq of multivariate_normal.cdf (Genz's integration, to 1e-9) over boxes. The
// z of the first four are those published for α = 0.05 and four equal looks: 4.333, 2.963, 2.359, 2.014.
func TestPlanLooksKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		at   []int
		want []float64
	}{
		{[]int{5, 10, 15, 20}, []float64{1.4733616861077e-05, 0.0030452634973, 0.0183220691492, 0.0440000666339}},
		{[]int{10, 15, 20}, []float64{0.0030506455160, 0.0183233814223, 0.0440007468965}},
		{[]int{8, 20}, []float64{0.0007883035284, 0.0497312677338}},
		{[]int{20}, []float64{0.05}},
	} {
		looks, err := PlanLooks(c.at, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		for i, look := range looks {
			within(t, "level", look.Level, c.want[i], 1e-7) // 1e-9 over the density at the bound
			if look.Units != c.at[i] {
				t.Errorf("look at %d, want %d", look.Units, c.at[i])
			}
		}
	}
	looks, _ := PlanLooks([]int{5, 10, 15, 20}, 0.05)
	for i, z := range []float64{4.333, 2.963, 2.359, 2.014} {
		within(t, "z", -distuv.UnitNormal.Quantile(looks[i].Level/2), z, 0.0005)
	}
	// Five equal looks: the table in the vignette of R's ldbounds 2.0.2. By SciPy the second z is
	// 3.35701: ldbounds integrates on a grid, and is off by 1e-4 there.
	looks, _ = PlanLooks([]int{12, 24, 36, 48, 60}, 0.05)
	for i, z := range []float64{4.8769, 3.3569, 2.6803, 2.2898, 2.0310} {
		within(t, "z", -distuv.UnitNormal.Quantile(looks[i].Level/2), z, 0.0002)
	}
	// A look right after another that spends nothing changes nothing: it needs many nodes.
	want := nominalLevels([]float64{0.5, 1}, []float64{0.01, 0.05})
	if got := nominalLevels([]float64{0.5, 0.5001, 1}, []float64{0.01, 0.01 + 1e-12, 0.05}); math.Abs(got[2]-want[1]) > 1e-10 {
		t.Errorf("level %.12g, without the look %.12g", got[2], want[1])
	}
	// Another spending, α·share, at 8, 12, 16 and 20.
	for i, level := range nominalLevels([]float64{0.4, 0.6, 0.8, 1}, []float64{0.02, 0.03, 0.04, 0.05}) {
		within(t, "level", level, []float64{0.02, 0.0173449089582, 0.0200975442073, 0.0234144711519}[i], 1e-7)
	}
}

// What is spent, by simulating the motion: of one cell it is α, of 28 cells what NumPy 2.4.6 found
// in 160,000 simulations of the same motion.
func TestPlanLooksSpend(t *testing.T) {
	const paths, of, seed = 20_000, 160_000, 4
	var many []int
	for n := 15; n <= 60; n++ {
		many = append(many, n)
	}
	for _, c := range []struct {
		at   []int
		s    size
		want float64
	}{
		{[]int{10, 15, 20}, one, 0.05},
		{many, one, 0.05},
		{[]int{10, 15, 20}, twentyEight, 0.0534},
		{many, twentyEight, 0.0612},
	} {
		if testing.Short() && c.s != one {
			continue
		}
		looks, err := PlanLooks(c.at, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		// The largest |z| of each path at each look, of rivals that share the baseline.
		r, largest, all := newNull(seed), make([][]float64, paths), []float64(nil)
		for path := range largest {
			z, before := zeros(c.s.cells()), 0
			for _, n := range c.at {
				step, top := math.Sqrt(float64(n-before)/2), 0.0
				for set := range c.s.sets {
					baseline := r.NormFloat64()
					for rival := range c.s.rivals {
						cell := &z[set*c.s.rivals+rival]
						*cell += step * (r.NormFloat64() - baseline)
						top = max(top, math.Abs(*cell)/math.Sqrt(float64(n)))
					}
				}
				largest[path], before = append(largest[path], top), n
			}
			all = append(all, largest[path]...)
		}
		slices.Sort(all)
		passed := 0
		for _, path := range largest {
			for i, look := range looks { // its p is the share of all that are at least as large
				if path[i] >= all[len(all)-1-int(look.Level*float64(len(all)))] {
					passed++
					break
				}
			}
		}
		// The quantiles of all are better known than the share, as they come of all looks.
		bound := 4 * math.Sqrt(c.want*(1-c.want)*(1.0/paths+1.0/of))
		within(t, fmt.Sprintf("error of %d cells at %d looks", c.s.cells(), len(looks)), float64(passed)/paths, c.want, bound)
	}
}

func TestPlanLooksErrors(t *testing.T) {
	for _, at := range [][]int{nil, {4, 10}, {10, 10}, {10, 8}, {5, 200}} {
		if _, err := PlanLooks(at, 0.05); !errors.Is(err, ErrLooks) {
			t.Errorf("looks at %d: %v", at, err)
		}
	}
	mustPanic(t, "α", func() { _, _ = PlanLooks([]int{10}, 0) })
}

// The first cell is decided at 10 units, and its later runs, which say the reverse, are
// not looked at. The second is open to the end, then alone in the family.
func TestAtLooks(t *testing.T) {
	order := []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 1, 2, 3, 4, 5}
	first, second := Cell{Units: order}, Cell{Units: order}
	for i := range order {
		d := 5 + math.Sin(float64(i))
		if i >= 10 {
			d = -1000
		}
		first.Rival, first.Baseline = append(first.Rival, d), append(first.Baseline, 0)
		second.Rival, second.Baseline = append(second.Rival, math.Sin(float64(i*i))), append(second.Baseline, 0)
	}
	looks := []Look{{10, 0.003}, {15, 0.049}}
	got, err := Family{Cells: []Cell{first, second}, Direction: HigherIsBetter}.TestAtLooks(order, looks)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Look != looks[0] || got[0].Decision != Better || got[0].N != 10 || got[0].Method != MaxT || got[1].Look != looks[1] || got[1].Decision != NotShown {
		t.Errorf("%+v", got)
	}
	test, _ := PairedT(first.Rival[:10], first.Baseline[:10])
	within(t, "repeated interval", got[0].Interval.Low, test.Interval(1-0.003/2).Low, 1e-9)
	alone, _ := Family{Cells: []Cell{second}, Alpha: 0.049, Planned: 2}.Test()
	if got[1].P != alone.Cells[0].P || got[1].Interval != alone.Cells[0].Interval {
		t.Errorf("%+v, want %+v", got[1], alone.Cells[0])
	}
	mustPanic(t, "more units than planned", func() { _, _ = Family{Cells: []Cell{first}}.TestAtLooks(order[:12], looks) })
	mustPanic(t, "looks that do not rise", func() { _, _ = Family{Cells: []Cell{first}}.TestAtLooks(order, []Look{looks[1], looks[0]}) })
	mustPanic(t, "no looks", func() { _, _ = Family{Cells: []Cell{first}}.TestAtLooks(order, nil) })
	mustPanic(t, "a look without a level", func() { _, _ = Family{Cells: []Cell{first}}.TestAtLooks(order, []Look{{Units: 10}}) })
}
