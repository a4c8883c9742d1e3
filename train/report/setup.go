package report

import (
	"diaghess/train/record"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// setting is a key of the records with the values that it has in a study.
type setting struct {
	key    string
	values map[string][]*Record // value -> the runs that have it
}

// settings returns all settings but those that name a run, by key.
func (r Records) settings() []setting {
	byKey := make(map[string]map[string][]*Record)
	for i := range r.Runs {
		run := &r.Runs[i]
		for key, value := range run.Settings {
			if byKey[key] == nil {
				byKey[key] = make(map[string][]*Record)
			}
			byKey[key][value] = append(byKey[key][value], run)
		}
	}
	for _, key := range []string{"dataset", "optimizer", "seed", "schema", "arm", "tuning"} {
		delete(byKey, key)
	}
	var settings []setting
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		settings = append(settings, setting{key, byKey[key]})
	}
	return settings
}

// within says whether the setting has one value in each of the groups that a
// function sorts runs into.
func (s setting) within(group func(Row) string) bool {
	seen := make(map[string]string)
	for value, runs := range s.values {
		for _, run := range runs {
			g := group(run.Row)
			if other, ok := seen[g]; ok && other != value {
				return false
			}
			seen[g] = value
		}
	}
	return true
}

// The ways to sort runs.
func byDataset(r Row) string { return r.Dataset }
func byArm(r Row) string     { return r.Optimizer }
func byBoth(r Row) string    { return r.Dataset + " " + r.Optimizer }

// armOnly says whether a setting is one of the optimizer's own.
func armOnly(key string) bool {
	return strings.HasPrefix(key, "optimizer_settings.") || key == ruleKey
}

// words lists the values, each with who has it where there are several.
func (s setting) words() string {
	if len(s.values) == 1 {
		for value := range s.values {
			return printable(value)
		}
	}
	var parts []string
	for _, value := range slices.Sorted(maps.Keys(s.values)) {
		parts = append(parts, fmt.Sprintf("%s: %s", printable(value), s.who(s.values[value])))
	}
	return strings.Join(parts, "; ")
}

// who names the runs that share a value by what tells them from the others.
func (s setting) who(runs []*Record) string {
	var name func(Row) string
	switch {
	case s.within(byDataset):
		name = byDataset
	case s.within(byArm):
		name = byArm
	case s.within(byBoth):
		name = byBoth
	default:
		return plural(len(runs), "run")
	}
	var names []string
	for _, run := range runs {
		names = append(names, printable(name(run.Row)))
	}
	return strings.Join(distinct(names), ", ")
}

// setupTables says how the study was made: what all runs share, what the optimizers
// were set to, and how the products were computed.
func (a *Analysis) setupTables() []table {
	general := table{title: "All runs", header: []string{"Setting", "Value"}, words: true}
	arms := table{title: "Arms", header: []string{"Arm", "Specification", "All settings", "Tuning trials"}, words: true}
	algorithms := table{title: "Algorithms", header: []string{"Algorithm", "Operations"}, words: true}
	operations := make(map[string][]string) // by algorithm
	for _, s := range a.Records.settings() {
		operation, isAlgorithm := strings.CutPrefix(s.key, "algorithms.")
		switch {
		case isAlgorithm:
			operations[s.words()] = append(operations[s.words()], printable(operation))
		case s.key == "test_pictures" && slices.Equal(slices.Collect(maps.Keys(s.values)), []string{"0"}): // none of their own
		case !armOnly(s.key) && s.key != trialsKey:
			general.rows = append(general.rows, []string{printable(strings.ReplaceAll(s.key, "_", " ")), s.words()})
		}
	}
	for _, algorithm := range slices.Sorted(maps.Keys(operations)) {
		algorithms.rows = append(algorithms.rows, []string{algorithm, fmt.Sprintf("%d: %s", len(operations[algorithm]), strings.Join(operations[algorithm], ", "))})
	}
	for _, optimizer := range a.Optimizers {
		arms.rows = append(arms.rows, []string{a.name(optimizer), printable(optimizer), a.armSettings(optimizer), a.trials(optimizer)})
	}
	return append([]table{general, arms, algorithms}, a.ruleTables()...)
}

// ruleKey is the setting with the text of an optimizer's rule file.
const ruleKey = "rule"

// ruleTables has the text of each rule file of the arms.
func (a *Analysis) ruleTables() (tables []table) {
	var known []string
	for _, run := range a.Records.Runs {
		text := run.Settings[ruleKey]
		if text == "" || slices.Contains(known, text) {
			continue
		}
		known = append(known, text)
		t := table{title: "Rule file " + printable(rule(run.Row.Optimizer)), header: []string{"Line", "Text"}, words: true}
		for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			t.rows = append(t.rows, []string{fmt.Sprint(i + 1), printable(strings.ReplaceAll(line, "\t", " "))})
		}
		tables = append(tables, t)
	}
	return tables
}

// trialsKey is the setting that tells how many runs an optimizer's settings were
// chosen from.
const trialsKey = "tuning_trials"

// trials returns the numbers of tuning trials of an arm.
func (a *Analysis) trials(optimizer string) string {
	var counts []string
	for _, run := range a.Records.Runs {
		if count, ok := run.Settings[trialsKey]; ok && run.Row.Optimizer == optimizer {
			counts = append(counts, printable(count))
		}
	}
	if len(counts) == 0 {
		return "not recorded"
	}
	return strings.Join(distinct(counts), ", ")
}

// armSettings lists an arm's settings: "lr 0.001, weight-decay 0.0005".
func (a *Analysis) armSettings(optimizer string) string {
	settings := make(map[string][]string)
	for _, run := range a.Records.Runs {
		for key, value := range run.Settings {
			if name, ok := strings.CutPrefix(key, "optimizer_settings."); ok && run.Row.Optimizer == optimizer {
				settings[name] = append(settings[name], printable(value))
			}
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		parts = append(parts, printable(name)+" "+strings.Join(distinct(settings[name]), " or "))
	}
	return strings.Join(parts, ", ")
}

// Cautions says what makes the runs less than one study: settings in which runs on
// one data set differ though they should not, and runs of several studies.
func (a *Analysis) Cautions() []string {
	var cautions []string
	for _, c := range a.Comparisons {
		for _, caution := range cautionsOf(c) {
			cautions = append(cautions, fmt.Sprintf("%s, %s: %s", printable(c.Dataset), a.arms(c), caution))
		}
	}
	if n := len(a.Records.Missing); n > 0 {
		cautions = append(cautions, fmt.Sprintf("The study is not complete: its records show no end of %s of its last command.", plural(n, "run")))
	}
	cautions = append(cautions, a.divergences()...)
	if a.Records.Tuning != nil {
		if differ := a.Records.Tuning.NotTunedFor; len(differ) > 0 {
			cautions = append(cautions, fmt.Sprintf("The optimizers were not tuned for this study, which has %s. How well each was tuned counts in the comparison.", joinStrings(differ)))
		}
		cautions = append(cautions, TuningCautions(a.Records.Tuning)...)
	}
	for _, problem := range a.Records.Ledger {
		cautions = append(cautions, printable(problem.String())+".")
	}
	if len(a.Records.Folders) > 1 {
		cautions = append(cautions, fmt.Sprintf("The runs are from %d studies: %s.", len(a.Records.Folders), joinStrings(a.Records.Folders)))
	}
	if read := len(a.Records.Runs); read > 0 && read < len(a.Rows) {
		cautions = append(cautions, fmt.Sprintf("The settings of %d of %s are not known: CSV files do not have them.", len(a.Rows)-read, plural(len(a.Rows), "run")))
	}
	for _, s := range a.Records.settings() {
		if !armOnly(s.key) && !strings.HasPrefix(s.key, "algorithms.") && !inRows(s.key) && !s.within(byDataset) {
			cautions = append(cautions, fmt.Sprintf("The runs differ in %s: %s.", printable(strings.ReplaceAll(s.key, "_", " ")), s.words()))
		}
	}
	return cautions
}

// divergences says which optimizers diverged: the means forgive that.
func (a *Analysis) divergences() []string {
	var lines []string
	for _, dataset := range a.Datasets {
		for _, optimizer := range a.armsOf(dataset) {
			var seeds []int
			for _, r := range a.Rows {
				if r.Dataset == dataset && r.Optimizer == optimizer && r.Status == record.Diverged {
					seeds = append(seeds, r.Seed)
				}
			}
			if len(seeds) > 0 {
				lines = append(lines, fmt.Sprintf("%s: %s diverged in %d of %s (%s), which are in no mean.",
					printable(dataset), a.name(optimizer), len(seeds), plural(len(a.seedsOf(dataset, optimizer)), "run"), namedSeeds(distinct(seeds))))
			}
		}
	}
	return lines
}

// inRows says whether a setting is held against others by cautionsOf.
func inRows(key string) bool {
	return slices.Contains([]string{"epochs", "limit", "protocol", "augment"}, key) || strings.HasPrefix(key, "build.")
}
