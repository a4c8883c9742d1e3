package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func units(n int) []int {
	u := make([]int, n)
	for i := range u {
		u[i] = i + 1
	}
	return u
}

// cellOf has differences as the rival's results, beside a baseline of zeros.
func cellOf(d ...float64) Cell {
	return Cell{Units: units(len(d)), Rival: d, Baseline: zeros(len(d))}
}

// bruteForce is step-down maxT by its definition: the statistic of all cells for each of the 2^N
// patterns, and for each cell the share of patterns in which the largest of its own and of
// all that are not above it reaches the observed one.
func bruteForce(cells []Cell, statistic func(d []float64) float64) []float64 {
	var numbers []int
	for _, c := range cells {
		numbers = append(numbers, c.Units...)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	all := make([][]float64, 1<<len(numbers)) // [pattern][cell]
	for pattern := range all {
		for _, c := range cells {
			d := make([]float64, len(c.Units))
			for i, u := range c.Units {
				d[i] = c.Rival[i] - c.Baseline[i]
				if pattern>>slices.Index(numbers, u)&1 == 1 {
					d[i] = -d[i]
				}
			}
			all[pattern] = append(all[pattern], statistic(d))
		}
	}
	reaches := func(a, b float64) bool { return a >= b || math.Abs(a-b) <= 1e-9*b }
	observed := all[0]
	p := make([]float64, len(cells))
	for c := range cells {
		for _, flipped := range all {
			top := 0.0
			for other, v := range flipped {
				if reaches(observed[c], observed[other]) {
					top = max(top, v)
				}
			}
			if reaches(top, observed[c]) {
				p[c] += 1 / float64(len(all))
			}
		}
	}
	adjusted := slices.Clone(p) // running maximum
	for c := range cells {
		for other := range cells {
			if observed[other] > observed[c] {
				adjusted[c] = max(adjusted[c], p[other])
			}
		}
	}
	return adjusted
}

func absT(d []float64) float64 {
	s, _ := Describe(d)
	switch {
	case s.Mean == 0:
		return 0
	case s.SD == 0:
		return math.Inf(1)
	}
	return math.Abs(s.Mean) / s.SD * math.Sqrt(float64(s.N))
}

func absU(d []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range d {
		sum += v
		squares += v * v
	}
	if squares == 0 {
		return 0
	}
	return math.Abs(sum) / math.Sqrt(squares)
}

// Whole numbers from −2 to 4 have many ties and zeros.
func TestMaxTCountsAllSigns(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, 0))
	for trial := range 12 {
		n := 8 + trial%3
		cells := make([]Cell, 1+trial%4)
		for c := range cells {
			d := zeros(n)
			for i := range d {
				d[i] = float64(r.IntN(7) - 2)
			}
			cells[c] = cellOf(d...)
		}
		statistic := absT
		if trial >= 6 { // cells that lack units, of a family with a unit more
			statistic = absU
			for c := range cells {
				cells[c] = cells[c].only(slices.Delete(units(n), c, c+min(1, n-8)))
			}
		}
		got, err := Family{Cells: cells}.Test()
		if err != nil || got.Method != MaxT || got.Sampled != 0 {
			t.Fatalf("seed %d, trial %d: %+v, %v", seed, trial, got, err)
		}
		for c, want := range bruteForce(cells, statistic) {
			within(t, "p", got.Cells[c].P, want, 1e-12)
		}
	}
}

// One cell is the sign-flip test, whose exact p SciPy has (TestSignFlipKnownAnswers).
func TestMaxTOfOneCell(t *testing.T) {
	got, err := Family{Cells: []Cell{{units(10), sleepX, sleepY}}, Direction: HigherIsBetter}.Test()
	if err != nil {
		t.Fatal(err)
	}
	c := got.Cells[0]
	if c.P != 4.0/1024 || c.Decision != Worse || c.N != 10 || got.Alpha != 0.05 {
		t.Errorf("%+v", got)
	}
	test, _ := PairedT(sleepX, sleepY)
	near(t, "Holm's p", c.HolmP, test.P)
	if want := test.Interval(0.95); math.Abs(c.Interval.Low-want.Low)+math.Abs(c.Interval.High-want.High) > 1e-12 {
		t.Errorf("interval %v, want %v", c.Interval, want)
	}
	if lower, _ := (Family{Cells: []Cell{{units(10), sleepX, sleepY}}}).Test(); lower.Cells[0].Decision != Better {
		t.Errorf("where lower is better: %+v", lower.Cells[0])
	}
}

func TestVerdictRule(t *testing.T) {
	d := []float64{5, 6, 7, 6, 5, 7, 6.5, 5.5, 6, 7}
	noise := []float64{1, -1, 2, -2, 1, -1, 0.5, -0.5, 1, -1}
	for _, c := range []struct {
		n, second int // units of two cells
		method    Method
		decision  Decision // on the first
	}{
		{10, 10, MaxT, Better},
		{8, 8, MaxT, Better}, // p = 2/2^8, whatever the number of cells
		{7, 7, HolmT, Better},
		{5, 10, HolmT, Better}, // the smallest N decides
		{10, 4, MaxT, Better},  // of the cells that have a verdict
		{4, 4, IntervalsOnly, NoVerdict},
		{2, 0, IntervalsOnly, NoVerdict},
	} {
		got, err := Family{Cells: []Cell{cellOf(d[:c.n]...), cellOf(noise[:c.second]...)}, Direction: HigherIsBetter}.Test()
		if err != nil {
			t.Fatal(err)
		}
		first := got.Cells[0]
		if got.Method != c.method || first.Decision != c.decision || got.Method.Note() == "" {
			t.Errorf("%d and %d units: %v, %v", c.n, c.second, got.Method, first.Decision)
		}
		if math.IsNaN(first.P) != (c.decision == NoVerdict) {
			t.Errorf("%d units: p = %g", c.n, first.P)
		}
		if (first.Err == nil) != (c.n >= MinPairs) {
			t.Errorf("%d units: error %v", c.n, first.Err)
		}
		if c.method == MaxT && c.n == 8 {
			near(t, "smallest p", first.P, 2.0/256)
		}
		if c.n == 8 { // at most α is enough
			f := Family{Cells: []Cell{cellOf(d[:8]...)}, Alpha: 2.0 / 256}
			if got, _ := f.Test(); got.Cells[0].Decision != Worse {
				t.Errorf("p = α: %+v", got)
			}
		}
		if c.method == HolmT {
			test, _ := PairedT(d[:c.n], zeros(c.n))
			near(t, "p", first.P, 2*test.P)
			near(t, "end", first.Interval.High, test.Interval(1-0.05/2).High)
		}
	}
}

func TestDegenerateCells(t *testing.T) {
	zero := Cell{Units: units(8)} // equal as decimals: as numbers, all differences have one sign
	for range 8 {
		zero.Rival, zero.Baseline = append(zero.Rival, 0.30000000000000004), append(zero.Baseline, 0.3)
	}
	got, err := Family{Cells: []Cell{zero, cellOf(1, 1, 1, 1, 1, 1, 1, 1), cellOf(1e-200, 2e-200, 3e-200, 1e-200, 2e-200, 1e-200, 1e-200, 4e-200)}, Direction: HigherIsBetter}.Test()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		p        float64
		decision Decision
	}{{1, NotShown}, {2.0 / 256, Better}, {2.0 / 256, Better}} {
		if c := got.Cells[i]; c.P != want.p || c.Decision != want.decision || !errors.Is(c.Err, ErrNoSpread) {
			t.Errorf("cell %d: %+v, want %+v", i, c, want)
		}
	}
	// By t, equal differences decide nothing, unless there is none.
	five := Cell{units(5), zero.Rival[:5], zero.Baseline[:5]}
	got, _ = Family{Cells: []Cell{five, cellOf(1, 1, 1, 1, 1)}}.Test()
	if c := got.Cells[0]; c.P != 1 || c.Decision != NotShown {
		t.Errorf("%+v", c)
	}
	if c := got.Cells[1]; !math.IsNaN(c.P) || c.Decision != NoVerdict || c.MeanDifference != 1 || !errors.Is(c.Err, ErrNoSpread) {
		t.Errorf("%+v", c)
	}
	once := Crossed{Rival: slices.Repeat([][]float64{{1, 1, 1, 1}}, 5), Baseline: slices.Repeat([][]float64{{0, 0, 0, 0}}, 5)}
	got, err = TestCrossed([]Crossed{once}, HigherIsBetter, 0)
	if c := got.Cells[0]; err != nil || c.Decision != NoVerdict || c.MeanDifference != 1 || !errors.Is(c.Err, ErrNoSpread) {
		t.Errorf("%+v, %v", c, err)
	}
}

// Ties of decimals on top of large numbers, as losses are: the p of whole numbers.
func TestMaxTOfDecimals(t *testing.T) {
	d := []float64{1, 1, -1, 2, 2, 3, -3, 3, 4, 5}
	x, y := zeros(10), zeros(10)
	for i, v := range d {
		y[i] = 1e9 + float64(i+1)/10
		x[i] = (1e10 + float64(i+1) + v) / 10
	}
	got, err := Family{Cells: []Cell{{units(10), x, y}}}.Test()
	want, _ := Family{Cells: []Cell{cellOf(d...)}}.Test()
	if err != nil || got.Cells[0].P != want.Cells[0].P {
		t.Errorf("p = %g, %v; want %g", got.Cells[0].P, err, want.Cells[0].P)
	}
}

// At 20 units the sums are off by half a million roundings. flipP adds otherwise.
func TestMaxTKeepsTies(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	for range 5 {
		d := zeros(20)
		for i := range d {
			d[i] = float64(r.IntN(19)-8) / 10
		}
		got, _ := Family{Cells: []Cell{cellOf(d...)}}.Test()
		if want, _ := flipsOf(t, d, zeros(20), Draws{}); got.Cells[0].P != want {
			t.Errorf("%v: p = %.17g, want %.17g", d, got.Cells[0].P, want)
		}
	}
}

// Beyond 20 units. The last 4 of 24 have differences of 0, so the exact p is that of the
// first 20, and the sampled one is within four binomial standard errors of it.
func TestMaxTSamples(t *testing.T) {
	const draws = 20_000
	r := rand.New(rand.NewPCG(6, 0))
	var exact, sampled []Cell
	for range 3 {
		d := zeros(24)
		for i := range 20 {
			d[i] = r.NormFloat64() + 0.5
		}
		exact, sampled = append(exact, cellOf(d[:20]...)), append(sampled, cellOf(d...))
	}
	want, _ := Family{Cells: exact}.Test()
	f := Family{Cells: sampled, Draws: Draws{N: draws, Seed: 3}}
	got, err := f.Test()
	if err != nil || got.Sampled != draws || want.Sampled != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, c := range got.Cells {
		p := want.Cells[i].P
		within(t, "p", c.P, p, 4*math.Sqrt(p*(1-p)/draws)+1.0/draws)
	}
	// Another order of the pairs, and of the cells, changes no bit.
	f.Cells = slices.Clone(f.Cells)
	for i, c := range f.Cells {
		c.Units, c.Rival = slices.Clone(c.Units), slices.Clone(c.Rival)
		slices.Reverse(c.Units)
		slices.Reverse(c.Rival)
		f.Cells[i] = c
	}
	slices.Reverse(f.Cells)
	again, _ := f.Test()
	f.Draws.Seed++
	other, _ := f.Test()
	if again.Cells[0].P != got.Cells[2].P || other.Cells[0].P == again.Cells[0].P {
		t.Errorf("p = %g, in another order %g, with another seed %g", got.Cells[2].P, again.Cells[0].P, other.Cells[0].P)
	}
	// A difference that only the observed signs reach.
	ones := make([]float64, 150)
	for i := range ones {
		ones[i] = 1
	}
	if least, _ := (Family{Cells: []Cell{cellOf(ones...)}, Draws: Draws{N: 499}}).Test(); least.Cells[0].P != 1.0/500 {
		t.Errorf("p = %g, want 1/500", least.Cells[0].P)
	}
}

func TestFamilyErrors(t *testing.T) {
	for name, c := range map[string]struct {
		cells []Cell
		want  error
	}{
		"empty":        {nil, ErrEmpty},
		"unit twice":   {[]Cell{{[]int{1, 2, 1}, zeros(3), zeros(3)}}, ErrUnit},
		"not a number": {[]Cell{cellOf(1, math.NaN(), 3)}, ErrNotFinite},
		"overflow":     {[]Cell{cellOf(1e308, -1e308, 1e308, 1)}, ErrNotFinite},
	} {
		if _, err := (Family{Cells: c.cells}).Test(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	mustPanic(t, "lengths", func() { _, _ = Family{Cells: []Cell{{units(3), zeros(3), zeros(4)}}}.Test() })
	mustPanic(t, "α", func() { _, _ = Family{Cells: []Cell{cellOf(1, 2, 3)}, Alpha: 5}.Test() })
	mustPanic(t, "direction", func() { _, _ = Family{Cells: []Cell{cellOf(1, 2, 3)}, Direction: 2}.Test() })
}

func BenchmarkFamily(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	f := Family{Cells: make([]Cell, 28)}
	for c := range f.Cells {
		d := zeros(20)
		for i := range d {
			d[i] = r.NormFloat64()
		}
		f.Cells[c] = cellOf(d...)
	}
	for b.Loop() {
		if _, err := f.Test(); err != nil {
			b.Fatal(err)
		}
	}
}
