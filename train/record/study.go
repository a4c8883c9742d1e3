package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of a study.
const (
	StudyFile = "study.json"
	PlanFile  = "plan.json"
	TunedFile = "tuned.json"
)

// Study is study.json: the runs of the study's last command.
type Study struct {
	Schema int   `json:"schema"`
	Jobs   []Job `json:"jobs"`
}

// WriteStudy writes study.json into a study's folder.
func WriteStudy(folder string, jobs []Job) error {
	return write(filepath.Join(folder, StudyFile), Study{Schema, jobs})
}

// PlannedTest is the test that a study's claims rest on.
const PlannedTest = "paired t-test over the seeds, two-tailed, 5 %, p adjusted by Holm over all metrics, data sets and rivals"

// Metrics returns the names of the numbers that a run ends with, in the order of the tables.
func Metrics() []string { return []string{"val_loss", "val_acc", "f1", "train_time"} }

// Plan is a pre-registration: what a study was to be, written before its first
// run.
type Plan struct {
	Schema     int                `json:"schema"`
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
		if !slices.Contains(Metrics(), name) {
			return fmt.Errorf("unknown metric %q (known: %s)", name, strings.Join(Metrics(), " "))
		}
	}
	for name, margin := range p.Margins {
		if !(margin > 0) || math.IsInf(margin, 0) {
			return fmt.Errorf("margin %g of %s: give a number above 0, in the metric's unit", margin, name)
		}
	}
	return nil
}

// ReadPlan reads a plan; it returns nil where there is no such file.
func ReadPlan(path string) (*Plan, error) {
	return readPlan(os.DirFS(filepath.Dir(path)), filepath.Dir(path), filepath.Base(path))
}

func readPlan(fsys fs.FS, root, name string) (*Plan, error) {
	source := filepath.Join(root, filepath.FromSlash(name))
	content, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if err := decode(source, content, &versioned{}); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	plan := &Plan{}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // a misspelt key would plan nothing
	if err := decoder.Decode(plan); err != nil {
		return nil, fmt.Errorf("plan %s: %w", source, err)
	}
	for _, key := range []string{"protocol", "model"} {
		if name, ok := plan.Settings[key]; ok {
			plan.Settings[key] = current(name)
		}
	}
	if err := plan.Validate(); err != nil {
		return nil, fmt.Errorf("plan %s: %w", source, err)
	}
	return plan, nil
}

// Write writes the plan.
func (p Plan) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return write(path, p)
}

// Begun says whether a study's folder holds a run.
func Begun(study string) (bool, error) {
	configs, err := fs.Glob(os.DirFS(study), "*/*/*/"+configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(configs) > 0, err
}
