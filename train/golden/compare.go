package golden

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// epsilon is the largest relative error of a rounding to float32, half a unit
// in the last place.
const epsilon = 1.0 / (1 << 24)

// ulp is the distance from a float32 to the next larger one in magnitude.
func ulp[T float32 | float64](v T) float64 {
	a := float32(math.Abs(float64(v)))
	return float64(math.Nextafter32(a, float32(math.Inf(1))) - a)
}

// results are the arrays that a run computed, by the names that the case has
// for them.
type results map[string][]float32

// comparison holds the results of a case against the case's arrays.
type comparison struct {
	c     *Case
	r     results
	used  map[string]float64 // the largest share of the tolerance, by group
	wrong []error
	notes []string
	// edge is the step, from 1, at which the trajectory at hand came so close to
	// a decision that rounding may take it otherwise; 0 for none. lenient says
	// that what is compared comes after it, and parted what is wrong there.
	edge    int
	lenient bool
	parted  []string
}

// at compares what is of a step.
func (k *comparison) at(step int, compare func()) {
	k.lenient = k.edge > 0 && k.edge <= step
	compare()
	k.lenient = false
}

// stayed ends a trajectory and says whether it did not part.
func (k *comparison) stayed() bool {
	parted := k.parted
	k.parted = nil
	if len(parted) > 0 {
		k.notes = append(k.notes, fmt.Sprintf("at step %d a decision is within rounding, and the trajectory parts: %s", k.edge, parted[0]))
	}
	return len(parted) == 0
}

// errorf says what is wrong.
func (k *comparison) errorf(format string, arguments ...any) {
	if k.lenient {
		k.parted = append(k.parted, fmt.Sprintf(format, arguments...))
		return
	}
	k.wrong = append(k.wrong, fmt.Errorf(format, arguments...))
}

// shares says how much of the tolerance was used.
func (k *comparison) shares() string {
	var shares []string
	for group, share := range k.used {
		shares = append(shares, fmt.Sprintf("%s %.2g", group, share))
	}
	slices.Sort(shares)
	return "used of the tolerance: " + strings.Join(shares, ", ")
}

// constant is the same tolerance for all elements.
func constant(tolerance float64) func(int) float64 {
	return func(int) float64 { return tolerance }
}

// float32s and float64s hold the result of a name against the case's array of
// a name, element by element: |got - want| <= tolerance(i), and the same NaN and
// infinities. group is what the share of the tolerance is logged under.
func (k *comparison) float32s(group, result, array string, tolerance func(i int) float64) {
	compare(k, group, result, array, must(Read[float32](k.c, array)).Values, tolerance)
}

func (k *comparison) float64s(group, result, array string, tolerance func(i int) float64) {
	compare(k, group, result, array, must(Read[float64](k.c, array)).Values, tolerance)
}

func compare[T float32 | float64](k *comparison, group, result, array string, want []T, tolerance func(i int) float64) {
	got, ok := k.r[result]
	if !ok {
		demand(fmt.Errorf("the run has no result %s", result))
	}
	if len(got) != len(want) {
		demand(fmt.Errorf("%s has %d elements, want %d", result, len(got), len(want)))
	}
	worst, largest := 0, 0.0
	for i, w := range want {
		if share := shareOf(float64(got[i]), float64(w), tolerance(i)); share > largest {
			worst, largest = i, share
		}
	}
	k.used[group] = max(k.used[group], largest)
	if largest > 1 {
		k.errorf("%s: %s against %s: element %d of %d: got %.9g, want %.9g, off by %.3g, tolerance %.3g",
			k.c.Name, result, array, worst, len(want), got[worst], want[worst],
			math.Abs(float64(got[worst])-float64(want[worst])), tolerance(worst))
	}
}

// shareOf is the share of the tolerance that a difference uses: 0 for equal
// values, two NaN included, and infinite where nothing, or anything, would be
// tolerated.
func shareOf(got, want, tolerance float64) float64 {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want):
		return 0
	case math.IsInf(tolerance, 0) || !(tolerance > 0) || math.IsNaN(got-want):
		return math.Inf(1)
	}
	return math.Abs(got-want) / tolerance
}

// bits demands equal bits, NaN of any payload being one value.
func (k *comparison) bits(group, result, array string) {
	k.float32s(group, result, array, constant(0))
	for i, want := range must(Read[float32](k.c, array)).Values {
		if got := k.r[result][i]; got == 0 && math.Signbit(float64(got)) != math.Signbit(float64(want)) {
			k.errorf("%s: %s against %s: element %d: got %g, want %g: signs of zero differ", k.c.Name, result, array, i, got, want)
		}
	}
}

// sameBits demands that two runs have the same results, bit for bit.
func sameBits(what string, a, b results) {
	if len(a) != len(b) {
		demand(fmt.Errorf("%s: %d results and %d", what, len(a), len(b)))
	}
	for name, x := range a {
		y := b[name]
		if len(x) != len(y) {
			demand(fmt.Errorf("%s: %s has %d elements and %d", what, name, len(x), len(y)))
		}
		for i := range x {
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				demand(fmt.Errorf("%s: %s: element %d of %d: %g (bits %08x) and %g (bits %08x)", what, name, i, len(x),
					x[i], math.Float32bits(x[i]), y[i], math.Float32bits(y[i])))
			}
		}
	}
}

func largestOf[T float32 | float64](values []T) float64 {
	largest := 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(float64(v)))
	}
	return largest
}
