package report

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// test decides the family's cells, which are those of the comparisons: at the end or, where the
// plan has looks, at each of those that the study has reached. A cell that was looked at is then of
// the units of its last look.
func (a *Analysis) test(family stats.Family, members []*Comparison) ([]stats.SequentialResult, error) {
	plan := a.Records.Plan
	if plan == nil || len(plan.Looks) == 0 || plan.Optimizers[0] != a.Optimizers[0] || (plan.Tunings > 1) != a.tuned() {
		return atEnd(family)
	}
	looks, err := stats.PlanLooks(plan.Looks, stats.DefaultAlpha)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; restore it from a copy", filepath.Join(a.Records.Folders[0], record.PlanFile), err)
	}
	a.Looks = looks
	family.Alpha = looks[0].Level
	results, err := atEnd(family)
	for i := range results { // before the first look nothing is decided
		r := &results[i]
		r.Decision, r.P, r.HolmP, r.Look, r.Method, r.Sampled = stats.NoVerdict, math.NaN(), math.NaN(), looks[0], stats.IntervalsOnly, 0
	}
	for err == nil && a.Reached < len(looks) && slices.ContainsFunc(results, undecided) && a.complete(members, results, looks[a.Reached].Units) {
		err = a.look(family, results, looks[a.Reached])
		a.Reached++
	}
	if a.Reached > 0 {
		a.keepLooked(members, results)
	}
	return results, err
}

// look tests the cells that are undecided at a look.
func (a *Analysis) look(family stats.Family, results []stats.SequentialResult, look stats.Look) error {
	var open []int
	cells := family.Cells
	family.Cells, family.Planned = nil, a.Cells
	for i, result := range results {
		if undecided(result) {
			open, family.Cells = append(open, i), append(family.Cells, cells[i])
		}
	}
	looked, err := family.TestAtLooks(a.Records.Plan.Units(), []stats.Look{look})
	for i, result := range looked {
		results[open[i]] = result
	}
	return err
}

// keepLooked leaves in each comparison the units that its last look was at: later runs wait for
// the next look, or are of a decided cell.
func (a *Analysis) keepLooked(members []*Comparison, results []stats.SequentialResult) {
	plan, runs := a.Records.Plan, make(map[runKey]Row)
	for _, r := range a.Rows {
		runs[keyOf(r)] = r
	}
	for i, c := range members {
		looked := make(map[int]bool)
		for _, unit := range plan.Units()[:results[i].Look.Units] {
			for _, seed := range plan.SeedsOf(unit) {
				looked[seed] = true
			}
		}
		seeds := slices.DeleteFunc(a.seedsOf(c.Dataset, c.Baseline, c.Rival), func(seed int) bool { return !looked[seed] })
		*c = newComparison(runs, seeds, c.Dataset, c.Baseline, c.Rival)
	}
}

// atEnd is the result of a family without looks.
func atEnd(family stats.Family) (results []stats.SequentialResult, err error) {
	tested, err := family.Test()
	for _, cell := range tested.Cells {
		results = append(results, stats.SequentialResult{CellResult: cell, Look: stats.Look{Units: cell.N, Level: tested.Alpha}, Method: tested.Method, Sampled: tested.Sampled})
	}
	return results, err
}

func undecided(r stats.SequentialResult) bool {
	return r.Decision != stats.Better && r.Decision != stats.Worse
}

// complete says whether all runs of the first units have ended, of each planned cell that is
// undecided. A planned rival without any run is one, too: without it the family would be smaller.
func (a *Analysis) complete(members []*Comparison, results []stats.SequentialResult, units int) bool {
	ended := make(map[runKey]bool)
	for _, r := range a.Rows {
		ended[keyOf(r)] = true
	}
	plan := a.Records.Plan
	baseline, rivals := plan.Optimizers[0], plan.Optimizers[1:]
	for _, dataset := range plan.Datasets {
		for _, rival := range rivals {
			member := slices.IndexFunc(members, func(c *Comparison) bool { return c.Dataset == dataset && c.Rival == rival })
			if member >= 0 && !undecided(results[member]) {
				continue
			}
			for _, unit := range plan.Units()[:units] {
				for _, seed := range plan.SeedsOf(unit) {
					if !ended[runKey{dataset, seed, baseline}] || !ended[runKey{dataset, seed, rival}] {
						return false
					}
				}
			}
		}
	}
	return true
}

// Open says whether a study with looks still needs runs of an arm on a data set: a decided rival
// needs none, and the baseline goes on for the others.
func (a *Analysis) Open(dataset, optimizer string) bool {
	if len(a.Looks) == 0 {
		return true
	}
	known := false
	for _, c := range a.contested() {
		if c.Dataset == dataset && (c.Rival == optimizer || c.Baseline == optimizer) {
			known = true
			if c.Claim() != Better && c.Claim() != Worse {
				return true
			}
		}
	}
	return !known
}

// needless drops the runs that need not be there since their cells were decided.
func (a *Analysis) needless() {
	a.Records.Missing = slices.DeleteFunc(a.Records.Missing, func(m Missing) bool { return !a.Open(m.Dataset, m.Optimizer) })
}

// decidedBy says whether a comparison was decided at a look of so many units, or before.
func (c Comparison) decidedBy(units int) bool {
	return (c.Claim() == Better || c.Claim() == Worse) && c.Evidence.Look.Units <= units
}

var errNoLook = errors.New("no planned look was reached")

// unlooked says why there is no look that verdicts were made at.
func (a *Analysis) unlooked() error {
	if a.Reached == 0 {
		return errNoLook
	}
	return nil
}

// methodNote says in a sentence what the verdicts go by.
func (a *Analysis) methodNote() string {
	if len(a.Looks) > 0 && a.Reached == 0 {
		return "Nothing is tested before the first look."
	}
	note := a.Method.Note()
	others := make(map[stats.Method][]string)
	for _, c := range a.contested() {
		if m := c.Evidence.Method; m != a.Method { // at a look, some comparison had too few units, or at a later one
			others[m] = append(others[m], printable(c.Dataset)+", "+a.arms(c))
		}
	}
	for _, m := range slices.Sorted(maps.Keys(others)) {
		note += fmt.Sprintf(" Of another look, for %s: %s", strings.Join(others[m], "; "), m.Note())
	}
	return note
}

// AfterLook says what a planned look, counted from 0, decided, in a sentence.
func (a *Analysis) AfterLook(look int) string {
	if look >= a.Reached {
		return fmt.Sprintf("look %d was not reached: runs of the plan are missing, or are others", look+1)
	}
	units := a.Looks[look].Units
	words := fmt.Sprintf("look at %s, level %.3g: ", plural(units, a.unit()), a.Looks[look].Level)
	var decided []string
	open := 0
	for _, c := range a.contested() {
		switch {
		case !c.decidedBy(units):
			open++
		case c.Evidence.Look.Units == units:
			decided = append(decided, fmt.Sprintf("%s, %s is %s (p = %.3g)", printable(c.Dataset), a.arms(c), c.Claim(), c.Evidence.P))
		}
	}
	if len(decided) == 0 {
		return words + fmt.Sprintf("nothing new is decided, %d open", open)
	}
	return words + joinWords(decided) + fmt.Sprintf("; %d open", open)
}

// looksFact says what planned looks did, for a reader of the verdict.
func (a *Analysis) looksFact() string {
	var all []string
	for _, look := range a.Looks {
		all = append(all, fmt.Sprintf("%d (level %.3g)", look.Units, look.Level))
	}
	words := fmt.Sprintf("Planned at %s %ss; %d of %d reached. A cell is decided where its p is at most the level, and then leaves the family.", joinWords(all), a.unit(), a.Reached, len(a.Looks))
	last := a.Looks[len(a.Looks)-1].Units
	early, open := false, false
	for _, c := range a.contested() {
		early = early || c.decidedBy(last-1)
		open = open || !c.decidedBy(last)
	}
	if early {
		words += " An early stop overstates the mean, by up to 0.06 of the differences' SD on average."
	}
	switch {
	case a.Reached == 0:
		return words + " Until the first there is no p, and intervals have its level."
	case a.Reached < len(a.Looks) && open:
		words += " Runs beyond a look are not compared before the next."
	case a.Reached < len(a.Looks):
		words += " All are decided: no other look is needed."
	}
	return words + " Intervals are repeated intervals, of the level at which the cell was last looked at."
}

// lookTable shows at which look each cell was decided.
func (a *Analysis) lookTable() table {
	t := table{title: "Looks", header: []string{"Data set", "Rival", "Look", "p", "Level", "Verdict"}}
	for _, c := range a.contested() {
		p := pValue(c.Evidence.P)
		if !math.IsNaN(c.Evidence.P) {
			p = fmt.Sprintf("%.3g", c.Evidence.P) // as many digits as the level
		}
		t.rows = append(t.rows, []string{printable(c.Dataset), a.name(c.Rival), plural(c.Evidence.Look.Units, a.unit()), p, fmt.Sprintf("%.3g", c.Evidence.Look.Level), c.Claim().sign() + string(c.Claim())})
	}
	return t
}

// digits writes numbers out.
func digits(numbers []int) (words []string) {
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	return words
}

// planDigest is the digest that the ledger has of the plan, in short, or "".
func planDigest(planned *record.Event) string {
	if planned == nil {
		return ""
	}
	return planned.Plan[:min(12, len(planned.Plan))]
}
