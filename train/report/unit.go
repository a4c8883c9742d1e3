package report

import (
	"fmt"
	"slices"
)

// tuned says whether the unit of the study is a tuning.
func (a *Analysis) tuned() bool { return a.Rows[0].Tuning > 0 }

// unit is what the unit of the study is called.
func (a *Analysis) unit() string {
	if a.tuned() {
		return "tuning"
	}
	return "seed"
}

// units returns the numbers of the comparison's units, ascending.
func (c Comparison) units() []int {
	if c.Tunings == nil {
		return c.Seeds
	}
	var units []int
	for _, t := range c.Tunings {
		units = append(units, t.Number)
	}
	return units
}

// unitName names a unit by its place: "seed 3", "tuning 2, mean of 10 seeds".
func (c Comparison) unitName(i int) string {
	if c.Tunings == nil {
		return fmt.Sprintf("seed %d", c.Seeds[i])
	}
	return fmt.Sprintf("tuning %d, mean of %s", c.Tunings[i].Number, plural(c.Tunings[i].Seeds, "seed"))
}

// unitCounts is how many units comparisons have: "20 seeds", "8 to 10 tunings of 10 seeds
// each".
func (a *Analysis) unitCounts(list ...Comparison) string {
	var units, seeds []int
	for _, c := range list {
		units = append(units, len(c.units()))
		for _, t := range c.Tunings {
			seeds = append(seeds, t.Seeds)
		}
	}
	words := span(units, a.unit())
	if len(seeds) > 0 {
		words += " of " + span(seeds, "seed") + " each"
	}
	return words
}

// span is a range of counts: "8 to 10 seeds".
func span(counts []int, noun string) string {
	if low, high := slices.Min(counts), slices.Max(counts); low < high {
		return fmt.Sprintf("%d to %s", low, plural(high, noun))
	}
	return plural(counts[0], noun)
}
