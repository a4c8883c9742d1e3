package record

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"diaghess/nearest"
	"diaghess/train/atomicfile"
)

// PlannedTest is the test that a study's verdict rests on, and formerTest that of the plans of
// versions before.
const (
	PlannedTest = "step-down maxT over sign flips of the seeds' paired differences, 5 %, all rivals and data sets together; Holm's paired t-tests with 5 to 7 seeds"
	formerTest  = "paired t-test over the seeds, two-tailed, 5 %, p adjusted by Holm over all metrics, data sets and rivals"
)

// DefaultMetric is the primary metric of a study that has chosen no other.
const DefaultMetric = "val_acc"

// PresetPilotMLP is the name of the preset that is the pilot's study of perceptrons.
const PresetPilotMLP = "pilot-mlp"

// Metrics returns the metrics that a plan or a tuning can go by, the default first. Training time is
// none: it depends on what else the machine does.
func Metrics() []string { return []string{DefaultMetric, "val_loss", "f1"} }

// Plan says what a study is to be. It is written before the first run, and made once.
type Plan struct {
	Schema int `json:"schema,omitempty" in:"0.."`
	// Written was in the plans of schemas below 3. Now the ledger's first line says when: the same
	// study has the same plan, wherever and whenever it begins.
	Written    *time.Time `json:"written,omitempty"`
	Build      Build      `json:"build" since:"3"` // the program that is to make the runs
	Datasets   []string   `json:"datasets"`
	Optimizers []string   `json:"optimizers"` // names of the arms; the first is the baseline
	// Seeds are those of the first tuning, then of the second, and so on.
	Seeds   []int `json:"seeds" in:"0.."`
	Tunings int   `json:"tunings,omitempty" in:"2.."` // of each arm; absent for one or none
	// Tuned is the digest of tuned.json, which has the arms' settings; absent without a tuning.
	Tuned    string            `json:"tuned,omitempty"`
	Settings map[string]string `json:"settings"` // of every run, by their names in config.json
	// Metric is the primary one, which the verdict is about. Metrics were in the plans of
	// schemas below 3, where the first of them, or the accuracy, was primary.
	Metric  string   `json:"metric" since:"3"`
	Metrics []string `json:"metrics,omitempty"`
	Test    string   `json:"test"` // PlannedTest, or that of an earlier version
	// Looks are the numbers of units, seeds or tunings, at which the study may decide and stop;
	// the last is all of them. Without looks it decides at its end.
	Looks   []int              `json:"looks,omitempty"`
	Margins map[string]float64 `json:"margins,omitempty"` // by metric: what is too small a difference to matter, in its unit
	Notes   []string           `json:"notes,omitempty"`   // by the authors, for the report
	// Preset is the name of the flags that the study was made with, see diaghess study --help, and
	// PresetChanged are those that were given beside it.
	Preset        string   `json:"preset,omitempty"`
	PresetChanged []string `json:"preset_changed,omitempty"`
}

// Units returns the numbers of the units in the order in which they are run: of the tunings
// if there are several, and else the seeds.
func (p *Plan) Units() (units []int) {
	if p.Tunings < 2 {
		return p.Seeds
	}
	for tuning := range p.Tunings {
		units = append(units, tuning+1)
	}
	return units
}

// SeedsOf returns the seeds of a unit.
func (p *Plan) SeedsOf(unit int) []int {
	if p.Tunings < 2 {
		return []int{unit}
	}
	n := len(p.Seeds) / p.Tunings
	return p.Seeds[(unit-1)*n : unit*n]
}

// Validate says what is wrong with the plan.
func (p *Plan) Validate() error {
	switch {
	case len(p.Datasets) == 0 || len(p.Optimizers) < 2 || len(p.Seeds) == 0:
		return errors.New("a plan names at least one data set, two optimizers and one seed")
	case p.Tunings > 1 && p.Tuned == "":
		return fmt.Errorf("it has %d tunings and no digest of their file, tuned", p.Tunings)
	case p.Tunings > 1 && len(p.Seeds)%p.Tunings > 0:
		return fmt.Errorf("%d seeds cannot be those of %d tunings, which have equally many", len(p.Seeds), p.Tunings)
	case p.Test != PlannedTest && p.Test != formerTest:
		return fmt.Errorf("the test %q is not the one that is made: %q", p.Test, PlannedTest)
	}
	for _, name := range slices.Concat([]string{p.Metric}, slices.Sorted(maps.Keys(p.Margins))) {
		if !slices.Contains(Metrics(), name) {
			return nearest.Unknown("metric", name, Metrics())
		}
	}
	for name, margin := range p.Margins {
		if !(margin > 0) || math.IsInf(margin, 0) {
			return fmt.Errorf("margin %g of %s: give a number above 0, in the metric's unit", margin, name)
		}
		if name != "val_loss" && margin >= 1 {
			return fmt.Errorf("margin %g of %s: give a share below 1, such as 0.005 for half a point", margin, name)
		}
	}
	for _, twice := range []error{repeated("data set", p.Datasets), repeated("optimizer", p.Optimizers), repeated("seed", p.Seeds)} {
		if twice != nil {
			return twice
		}
	}
	for i, units := range p.Looks {
		if i > 0 && units <= p.Looks[i-1] {
			return fmt.Errorf("a look at %d units follows one at %d: their numbers rise", units, p.Looks[i-1])
		}
	}
	if n := len(p.Looks); n > 0 && p.Looks[n-1] != len(p.Units()) {
		return fmt.Errorf("the last look is at %d units, and the study has %d: the last look is at its end", p.Looks[n-1], len(p.Units()))
	}
	return p.validateSettings()
}

// repeated returns an error for a list in which something is there twice.
func repeated[T comparable](what string, list []T) error {
	seen := map[T]bool{}
	for _, element := range list {
		if seen[element] {
			return fmt.Errorf("the %s %v is there twice", what, element)
		}
		seen[element] = true
	}
	return nil
}

// validateSettings compares the names of the settings with those that there are. Plans of schemas
// below 3 may lack what came later.
func (p *Plan) validateSettings() error {
	if p.Schema < 3 {
		return nil
	}
	known := slices.Sorted(maps.Keys(leaves(Settings{})))
	for _, key := range known {
		if _, there := p.Settings[key]; !there {
			return fmt.Errorf("it lacks the setting %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.Settings)) {
		if !slices.Contains(known, key) {
			return nearest.Unknown("setting", key, known)
		}
	}
	return nil
}

// CheckPlanFile says why a path cannot be that of a plan beside the one in a study's folder. That
// folder's other files are written by the study, and by what merges its shards.
func CheckPlanFile(path, study string) error {
	if info, err := os.Stat(path); err == nil {
		if err := regular(info.Mode()); err != nil {
			return fmt.Errorf("plan: %w: name one", unreadable(path, err))
		}
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if study, err = filepath.Abs(study); err != nil {
		return err
	}
	if _, isShard := shardOf(filepath.Base(study)); isShard {
		study = filepath.Dir(study)
	}
	inner, err := filepath.Rel(resolved(study), resolved(whole))
	if err == nil && filepath.IsLocal(inner) && inner != PlanFile {
		return fmt.Errorf("plan %s is in the study's folder, where its plan is %s: name a file elsewhere, or leave --plan out", path, PlanFile)
	}
	return nil
}

// ReadPlan reads a plan; it returns nil where there is no such file.
func ReadPlan(path string) (*Plan, error) {
	folder := filepath.Dir(path)
	t := &tree{fs: os.DirFS(folder), root: folder}
	plan, wrong := t.plan(filepath.Base(path))
	if wrong != nil {
		return nil, fmt.Errorf("plan: %w", wrong.remedied("Correct "+path+", or restore it from a copy."))
	}
	return plan, nil
}

// plan reads a plan; it returns nil where there is no such file.
func (t *tree) plan(name string) (*Plan, Problems) {
	plan := &Plan{}
	there, wrong := t.readFile(name, plan)
	if !there || wrong != nil {
		return nil, wrong
	}
	plan.update()
	if err := plan.Validate(); err != nil {
		return nil, Problems{{Place: t.source(name), Sentence: fmt.Sprintf("is not a plan: %v", err)}}
	}
	return plan, nil
}

// update says in today's words what a plan of an earlier version meant.
func (p *Plan) update() {
	for _, key := range []string{"protocol", "model"} {
		if name, ok := p.Settings[key]; ok {
			p.Settings[key] = current(name)
		}
	}
	if p.Schema < 2 { // there were no other values
		p.Settings["endpoint"], p.Settings["average"], p.Settings["recalibrate"] = string(EndpointLast), string(AverageNone), "0"
	}
	if p.Schema < 4 {
		p.Settings["evaluate_train"] = "false"
	}
	if p.Schema < 3 && len(p.Metrics) > 0 {
		p.Metric = p.Metrics[0]
		if slices.Contains(p.Metrics, DefaultMetric) {
			p.Metric = DefaultMetric
		}
	}
	if p.Schema < 3 {
		delete(p.Margins, "train_time") // verdicts are not about it any more
	}
	for i, spec := range p.Optimizers {
		p.Optimizers[i] = CurrentSpec(spec)
	}
}

// Write writes the plan.
func (p Plan) Write(path string) error {
	if err := atomicfile.MakeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return write(path, p)
}
