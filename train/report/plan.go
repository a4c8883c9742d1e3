package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PlanFile is the name of a study's plan in its folder.
const PlanFile = "plan.json"

// PlannedTest is the test that a study's claims rest on.
const PlannedTest = "paired t-test over the seeds, two-tailed, 5 %, p adjusted by Holm over all metrics, data sets and rivals"

// Plan is a pre-registration: what a study was to be, written before its first
// run.
type Plan struct {
	Written    time.Time          `json:"written"`
	Datasets   []string           `json:"datasets"`
	Optimizers []string           `json:"optimizers"` // the first is the baseline
	Seeds      []int              `json:"seeds"`
	Settings   map[string]string  `json:"settings"` // of every run, by their names in config.json
	Metrics    []string           `json:"metrics"`  // that claims are made of
	Test       string             `json:"test"`     // PlannedTest
	Margins    map[string]float64 `json:"margins"`  // by metric: what is too small a difference to matter, in its unit
}

// Validate says what is wrong with the plan.
func (p *Plan) Validate() error {
	switch {
	case len(p.Datasets) == 0 || len(p.Optimizers) < 2 || len(p.Seeds) == 0 || len(p.Metrics) == 0:
		return fmt.Errorf("a plan names at least one data set, two optimizers, one seed and one metric")
	case p.Test != PlannedTest:
		return fmt.Errorf("the test %q is not the one that is made: %q", p.Test, PlannedTest)
	}
	for _, name := range slices.Concat(p.Metrics, slices.Sorted(maps.Keys(p.Margins))) {
		if !slices.ContainsFunc(Metrics(), func(m Metric) bool { return m.String() == name }) {
			return fmt.Errorf("unknown metric %q (known: %s)", name, strings.Trim(fmt.Sprint(Metrics()), "[]"))
		}
	}
	for name, margin := range p.Margins {
		if !(margin > 0) || math.IsInf(margin, 0) {
			return fmt.Errorf("margin %g of %s: give a number above 0, in the metric's unit", margin, name)
		}
	}
	return nil
}

// readPlan returns nil where a study has no plan.
func readPlan(folder string) (*Plan, error) {
	path := filepath.Join(folder, PlanFile)
	content, err := readIfThere(path)
	if content == nil || err != nil {
		return nil, err
	}
	plan := &Plan{}
	if err := json.Unmarshal(content, plan); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if err := plan.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

// deviations says in what the runs and the comparison are not what was planned.
func (p *Plan) deviations(a *Analysis) []string {
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
