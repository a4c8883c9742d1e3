package study

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/stats"
)

// Intent is what a plan says beside which runs there are to be.
type Intent struct {
	Metric  string             // the primary one; "" for record.DefaultMetric
	Margins map[string]float64 // see record.Plan, as for the rest
	Looks   []int
	Notes   []string
	// Preset is what the study's flags are of, and PresetChanged which others were given.
	Preset        string
	PresetChanged []string
}

// plan returns the plan of the study as it is.
func (s *Study) plan() (*record.Plan, error) {
	if _, err := s.Jobs(); err != nil {
		return nil, err
	}
	plan := &record.Plan{
		Schema: record.Schema, Build: train.ThisBuild(), Datasets: s.Datasets, Optimizers: s.Arms(),
		Seeds:    record.AllSeeds(s.Seeds, max(1, len(s.Tunings))),
		Settings: map[string]string{}, Test: record.PlannedTest,
		Metric: cmp.Or(s.Intent.Metric, record.DefaultMetric), Margins: s.Intent.Margins, Looks: s.Intent.Looks, Notes: s.Intent.Notes,
		Preset: s.Intent.Preset, PresetChanged: s.Intent.PresetChanged,
	}
	if s.Tunings != nil {
		plan.Tunings = len(s.Tunings)
	}
	content, err := json.Marshal(s.Settings)
	if err != nil {
		return nil, err
	}
	if s.tuned != nil {
		if plan.Tuned, err = s.tuned.Digest(); err != nil {
			return nil, err
		}
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

// checkLooks says why a plan's looks cannot be made.
func checkLooks(plan *record.Plan) error {
	if len(plan.Looks) == 0 {
		return nil
	}
	looks, err := stats.PlanLooks(plan.Looks, stats.DefaultAlpha)
	if err != nil {
		return err
	}
	for _, look := range looks[:len(looks)-1] {
		if !decides(look) {
			return fmt.Errorf("a look at %d units decides nothing: its level is %.2g, and sign flips of so many have no p below %.2g; leave it out, or plan more units", look.Units, look.Level, stats.SmallestP(look.Units))
		}
	}
	return nil
}

// decides says whether the sign flips of an early look's units can reach its level.
func decides(look stats.Look) bool { return stats.SmallestP(look.Units) <= look.Level }

// DefaultLooks are at half, three quarters and all of the units, 10, 15 and 20 of 20, without those
// that decide nothing.
func DefaultLooks(units int) []int {
	at := []int{(units + 1) / 2, (3*units + 3) / 4, units}
	for len(at) > 1 {
		looks, err := stats.PlanLooks(at, stats.DefaultAlpha)
		if err == nil && decides(looks[0]) {
			break
		}
		at = at[1:]
	}
	return at
}

// agrees returns an error if the intent is not the plan's. What it leaves open, the plan says.
func (i Intent) agrees(plan *record.Plan, path string) error {
	for _, d := range []struct {
		what         string
		given        bool
		planned, now string
	}{
		{"metric", i.Metric != "", plan.Metric, i.Metric},
		{"margins", len(i.Margins) > 0, listed(plan.Margins), listed(i.Margins)},
		{"looks", len(i.Looks) > 0, ranges(plan.Looks), ranges(i.Looks)},
		{"preset", i.Preset != "", plan.Preset, i.Preset},
		{"notes", len(i.Notes) > 0, quoted(plan.Notes), quoted(i.Notes)},
	} {
		if d.given && d.planned != d.now {
			return fmt.Errorf("the plan %s has the %s %s, not %s: it is made once, before the first run; leave that out, or choose another folder with --out", path, d.what, cmp.Or(d.planned, "none"), d.now)
		}
	}
	return nil
}

// listed writes margins as a user does.
func listed(margins map[string]float64) string {
	var all []string
	for _, metric := range slices.Sorted(maps.Keys(margins)) {
		all = append(all, fmt.Sprintf("%s=%g", metric, margins[metric]))
	}
	return strings.Join(all, ",")
}

// ranges writes numbers as a user does: "0-9,12".
func ranges(numbers []int) string {
	var all []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		if end < i+2 {
			end = i
			all = append(all, strconv.Itoa(numbers[i]))
		} else {
			all = append(all, fmt.Sprintf("%d-%d", numbers[i], numbers[end]))
		}
		i = end + 1
	}
	return strings.Join(all, ",")
}

// quoted writes notes for a message.
func quoted(notes []string) string {
	var all []string
	for _, note := range notes {
		all = append(all, strconv.Quote(note))
	}
	return strings.Join(all, " ")
}

// Register makes the plan of a study before its first run, in its folder, and reads it later;
// Intent then has what it says. path is "" or the file of a plan that the study is to have,
// which is written where there is none. A study of one optimizer has no plan. Nor has one that
// began without: it goes on without.
//
// What is returned says in what the study is not what is planned. After the first run it may run
// all the same, and the report says so too. Before it, what is not planned is an error: a part of
// the plan may run.
func (s *Study) Register(path string) (differences []string, err error) {
	s.planned = nil
	c, err := s.choosePlan(path)
	if err != nil || c.plan == nil {
		return nil, err
	}
	for _, file := range c.missing {
		if err := c.plan.Write(file); err != nil {
			return nil, err
		}
	}
	plan := c.plan
	s.Intent, s.planned = Intent{plan.Metric, plan.Margins, plan.Looks, plan.Notes, plan.Preset, plan.PresetChanged}, plan
	return c.differences, nil
}

// planChoice is the plan that a study is to have.
type planChoice struct {
	plan        *record.Plan // nil for none
	missing     []string     // files that it is to be written to
	differences []string     // see Register
}

// choosePlan is Register without writing anything.
func (s *Study) choosePlan(path string) (c planChoice, err error) {
	if len(s.Arms()) < 2 {
		if path != "" || !reflect.DeepEqual(s.Intent, Intent{}) {
			return c, errors.New("a plan is for a comparison: name two optimizers or more")
		}
		if kept, err := record.ReadPlan(filepath.Join(s.Out, record.PlanFile)); kept != nil || err != nil {
			return c, cmp.Or(err, fmt.Errorf("%s holds a study with the plan of a comparison: name its optimizers too, or choose another folder with --out", s.Out))
		}
		return c, nil
	}
	own, err := s.plan()
	if err == nil {
		err = checkLooks(own)
	}
	if err != nil {
		return c, fmt.Errorf("plan: %w", err)
	}
	var written *record.Plan
	if path != "" {
		if err := record.CheckPlanFile(path, s.Out); err != nil {
			return c, err
		}
		if written, err = record.ReadPlan(path); err != nil {
			return c, err
		}
	}
	copied := filepath.Join(s.Out, record.PlanFile)
	kept, err := record.ReadPlan(copied)
	if err != nil {
		return c, err
	}
	plan, from := own, ""
	switch {
	case kept != nil:
		plan, from = kept, copied
	case written != nil:
		plan, from = written, path
	}
	if kept != nil && written != nil && !reflect.DeepEqual(written, kept) {
		return c, fmt.Errorf("plan %s is not the one that the study %s began with, which is %s: a plan is made once", path, s.Out, copied)
	}
	if err := s.Intent.agrees(plan, from); err != nil {
		return c, err
	}
	if err := checkLooks(plan); err != nil {
		return c, fmt.Errorf("plan %s: %w", from, err)
	}
	begun, err := record.Begun(s.Out)
	if err != nil {
		return c, err
	}
	differences, anew := differ(plan, own), "remove that file to plan anew"
	if written != nil { // it may be another study's
		anew = "name another file with --plan"
	}
	switch {
	case begun && kept == nil && path == "" && reflect.DeepEqual(s.Intent, Intent{}):
		return c, nil
	case begun && kept == nil:
		return c, fmt.Errorf("the study %s has runs already: a plan is made before the first, so choose another folder with --out", s.Out)
	case !begun && plan.Schema != own.Schema:
		return c, fmt.Errorf("plan %s is of another version of this program: %s", from, anew)
	case !begun && !within(own, plan):
		return c, fmt.Errorf("plan %s is of another study: %s. Give what is planned or, since no run has begun, %s", from, strings.Join(differences, "; "), anew)
	}
	if path != "" && written == nil {
		c.missing = append(c.missing, path)
	}
	if kept == nil {
		c.missing = append(c.missing, copied)
	}
	if !begun && plan.Build != own.Build {
		differences = append(differences, fmt.Sprintf("the plan has the program %s and this is %s", plan.Build, own.Build))
	}
	c.plan, c.differences = plan, differences
	return c, nil
}

// within says whether a study is all, or a part, of what is planned.
func within(now, plan *record.Plan) bool {
	return subset(now.Datasets, plan.Datasets) && subset(now.Optimizers, plan.Optimizers) && now.Optimizers[0] == plan.Optimizers[0] &&
		subset(now.Seeds, plan.Seeds) && now.Tuned == plan.Tuned && maps.Equal(now.Settings, plan.Settings)
}

func subset[T comparable](part, whole []T) bool {
	return !slices.ContainsFunc(part, func(element T) bool { return !slices.Contains(whole, element) })
}

// differ says in what a study that is about to run is not what is planned.
func differ(plan, now *record.Plan) []string {
	type difference struct{ what, planned, now string }
	all := []difference{
		{"datasets", strings.Join(plan.Datasets, ", "), strings.Join(now.Datasets, ", ")},
		{"optimizers", strings.Join(plan.Optimizers, ", "), strings.Join(now.Optimizers, ", ")},
		{"seeds", ranges(plan.Seeds), ranges(now.Seeds)},
		{"tuning", plan.Tuned, now.Tuned},
	}
	for _, key := range slices.Sorted(maps.Keys(plan.Settings)) {
		all = append(all, difference{key, plan.Settings[key], now.Settings[key]})
	}
	var list []string
	for _, d := range all {
		if d.planned != d.now {
			list = append(list, fmt.Sprintf("the plan has the %s %s and the study has %s", d.what, cmp.Or(d.planned, "none"), cmp.Or(d.now, "none")))
		}
	}
	return list
}
