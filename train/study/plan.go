package study

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"diaghess/optim"
	"diaghess/train/record"
)

// Plan returns the study's plan, for the metrics of the report, as of now.
func (s *Study) Plan(margins map[string]float64) (*record.Plan, error) {
	if _, err := s.Jobs(); err != nil {
		return nil, err
	}
	plan := &record.Plan{
		Schema:  record.Schema,
		Written: time.Now().UTC().Truncate(time.Second), Datasets: s.Datasets, Seeds: s.Seeds,
		Settings: map[string]string{}, Test: record.PlannedTest, Metrics: record.Metrics(), Margins: margins,
	}
	for _, spec := range s.Optimizers {
		rule, err := optim.Parse(spec)
		if err != nil {
			return nil, err
		}
		plan.Optimizers = append(plan.Optimizers, optim.Spec(rule))
	}
	content, err := json.Marshal(s.Settings)
	if err != nil {
		return nil, err
	}
	var settings map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // keeps the digits as config.json has them
	if err := decoder.Decode(&settings); err != nil {
		return nil, err
	}
	for key, value := range settings {
		plan.Settings[key] = fmt.Sprint(value)
	}
	return plan, plan.Validate()
}

// Register puts the plan of a file into the study's folder, where the report
// finds it; where there is no such file, it writes the study's plan there first.
// A study that has begun without a plan takes none, and one that has a plan keeps
// it. What is returned says in what the study is not what is planned: it may run
// all the same, and the report says so too.
func (s *Study) Register(path string, margins map[string]float64) (differences []string, err error) {
	own, err := s.Plan(margins)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	written, err := record.ReadPlan(path)
	if err != nil {
		return nil, err
	}
	plan := cmp.Or(written, own)
	if len(margins) > 0 && !maps.Equal(margins, plan.Margins) {
		return nil, fmt.Errorf("plan %s has the margins %v: they are chosen once, before the first run", path, plan.Margins)
	}
	copied := filepath.Join(s.Out, record.PlanFile)
	kept, err := record.ReadPlan(copied)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		if !reflect.DeepEqual(plan, kept) {
			return nil, fmt.Errorf("plan %s is not the one that the study %s began with, which is %s: a plan is made once", path, s.Out, copied)
		}
		return differ(plan, own), nil
	}
	begun, err := record.Begun(s.Out)
	if err != nil {
		return nil, err
	}
	if begun {
		return nil, fmt.Errorf("the study %s has runs already: a plan is made before the first, so choose another folder with --out", s.Out)
	}
	if written == nil {
		if err := plan.Write(path); err != nil {
			return nil, err
		}
	}
	return differ(plan, own), plan.Write(copied)
}

// differ says in what a study that is about to run is not what is planned.
func differ(plan, now *record.Plan) []string {
	var list []string
	for _, d := range []struct {
		what         string
		planned, now any
	}{
		{"datasets", plan.Datasets, now.Datasets}, {"optimizers", plan.Optimizers, now.Optimizers}, {"seeds", plan.Seeds, now.Seeds},
	} {
		if !reflect.DeepEqual(d.planned, d.now) {
			list = append(list, fmt.Sprintf("the plan has the %s %v and the study has %v", d.what, d.planned, d.now))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(plan.Settings)) {
		if planned := plan.Settings[key]; planned != now.Settings[key] {
			list = append(list, fmt.Sprintf("the plan has the %s %s and the study has %s", key, planned, now.Settings[key]))
		}
	}
	return list
}
