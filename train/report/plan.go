package report

import (
	"diaghess/train/record"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// deviations says in what the runs and the comparison are not what was planned.
func deviations(p *record.Plan, a *Analysis) []string {
	var list []string
	if a.Optimizers[0] != p.Optimizers[0] {
		list = append(list, fmt.Sprintf("the baseline was to be %s and is %s", printable(p.Optimizers[0]), printable(a.Optimizers[0])))
	}
	for _, dataset := range distinct(slices.Concat(p.Datasets, a.Datasets)) {
		for _, optimizer := range distinct(slices.Concat(p.Optimizers, a.Optimizers)) {
			planned := map[int]bool{}
			if slices.Contains(p.Datasets, dataset) && slices.Contains(p.Optimizers, optimizer) {
				for _, seed := range p.Seeds {
					planned[seed] = true
				}
			}
			var added []int
			for _, r := range a.Rows {
				if r.Dataset != dataset || r.Optimizer != optimizer {
					continue
				}
				if !planned[r.Seed] {
					added = append(added, r.Seed)
				}
				delete(planned, r.Seed)
			}
			who := printable(dataset) + ", " + printable(optimizer) + ", "
			if len(planned) > 0 {
				list = append(list, who+namedSeeds(slices.Sorted(maps.Keys(planned)))+": planned, and not there")
			}
			if len(added) > 0 {
				list = append(list, who+namedSeeds(distinct(added))+": there, and not planned")
			}
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
