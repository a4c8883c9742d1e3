package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"diaghess/train/record"
)

// notThere ends what deviations say of planned runs that have no end.
const notThere = "planned, and not there"

// deviations says in what the runs and the comparison are not what was planned.
func deviations(p *record.Plan, a *Analysis) []string {
	var list []string
	elsewhere := 0
	for _, r := range a.Rows {
		if r.run != nil && r.run.Event == nil {
			elsewhere++
		}
	}
	switch {
	case len(a.Records.Ledger) > 0:
		list = append(list, "the study does not fit its ledger, see the cautions")
	case a.Records.Planned != nil && elsewhere > 0:
		list = append(list, fmt.Sprintf("by its ledger, %s came from elsewhere", plural(elsewhere, "run")))
	case a.Records.Planned == nil && p.Written == nil:
		list = append(list, "no ledger shows that it was made before the runs")
	}
	otherBaseline := a.Optimizers[0] != p.Optimizers[0]
	if otherBaseline {
		list = append(list, fmt.Sprintf("the baseline was to be %s and is %s", printable(p.Optimizers[0]), printable(a.Optimizers[0])))
		if len(p.Looks) > 0 {
			list = append(list, "its looks were against that baseline, and p does not allow for them")
		}
	}
	tunings := make(map[int]int) // by planned seed
	for _, unit := range p.Units() {
		for _, seed := range p.SeedsOf(unit) {
			tunings[seed] = 0
			if p.Tunings > 1 {
				tunings[seed] = unit
			}
		}
	}
	for _, dataset := range distinct(slices.Concat(p.Datasets, a.Datasets)) {
		for _, optimizer := range distinct(slices.Concat(p.Optimizers, a.Optimizers)) {
			planned := map[int]bool{}
			if slices.Contains(p.Datasets, dataset) && slices.Contains(p.Optimizers, optimizer) {
				for _, seed := range p.Seeds {
					planned[seed] = true
				}
			}
			var added, moved []int
			for _, r := range a.Rows {
				if r.Dataset != dataset || r.Optimizer != optimizer {
					continue
				}
				if !planned[r.Seed] {
					added = append(added, r.Seed)
				} else if r.Tuning != tunings[r.Seed] {
					moved = append(moved, r.Seed)
				}
				delete(planned, r.Seed)
			}
			if !a.Open(dataset, optimizer) { // decided before its last look
				planned = nil
			}
			missing := notThere
			if otherBaseline && len(p.Looks) > 0 {
				missing += ", or not needed after a look"
			}
			who := printable(dataset) + ", " + printable(optimizer) + ", "
			if len(planned) > 0 {
				list = append(list, who+namedSeeds(slices.Sorted(maps.Keys(planned)))+": "+missing)
			}
			if len(added) > 0 {
				list = append(list, who+namedSeeds(distinct(added))+": there, and not planned")
			}
			if len(moved) > 0 {
				list = append(list, who+namedSeeds(distinct(moved))+": of another tuning than planned")
			}
		}
	}
	if p.Tuned != a.Records.TunedDigest {
		list = append(list, "the settings are not those of the planned tuning")
	}
	if p.Build != (record.Build{}) {
		var others []string
		for _, r := range a.Rows {
			if r.Build != p.Build.String() {
				others = append(others, printable(cmp.Or(r.Build, "not known")))
			}
		}
		if n := len(others); n > 0 {
			list = append(list, fmt.Sprintf("the program was to be %s and is %s in %s", printable(p.Build.String()), joinWords(distinct(others)), plural(n, "run")))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.Settings)) {
		var others []string
		for _, run := range a.Records.Runs {
			if value, known := run.Settings[key]; known && value != p.Settings[key] {
				others = append(others, printable(value))
			}
		}
		if len(others) > 0 {
			list = append(list, fmt.Sprintf("%s was to be %s and is %s in %s", printable(strings.ReplaceAll(key, "_", " ")),
				printable(p.Settings[key]), strings.Join(distinct(others), " or "), plural(len(others), "run")))
		}
	}
	return list
}
