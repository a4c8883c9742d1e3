package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Records is what lies in result folders beside the rows: how the runs went, with
// which settings, and which runs were planned. CSV files have nothing of it.
type Records struct {
	Runs    []Record  // one for each row of a result folder
	Folders []string  // the studies, sorted
	Missing []Missing // runs of the study's last command that have no end, in its order
	Plan    *Plan     // written before the first run; nil for none, or where there are several folders
	Tuning  *Tuning   // that the optimizers come from; nil likewise
}

// Record is what a result folder holds of one run.
type Record struct {
	Row    Row
	Epochs []Epoch // in order; empty where there is no epochs.jsonl
	// Settings is config.json with its nested keys joined by dots, such as
	// "optimizer_settings.lr"; empty where there is no such file. All of them are
	// shown, so that whatever a record names is in the report. Three have a meaning
	// here: "steps", the number of steps of a whole run; "protocol"; and "tuning_trials",
	// the number of runs that the optimizer's settings were chosen from. A record has the
	// last one only if the specification of the optimizer says so.
	Settings map[string]string
}

// Epoch is a line of epochs.jsonl.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TrainAcc  float64 `json:"train_acc"`
	ValLoss   float64 `json:"val_loss"`
	ValAcc    float64 `json:"val_acc"`
	Seconds   float64 `json:"seconds"` // of this epoch, validation included
	// Parts is where the time of one of the epoch's steps went, or nil.
	Parts *StepParts `json:"step_parts"`
}

// StepParts is where the time of a training step goes, in milliseconds.
type StepParts struct {
	Forward  float64 `json:"forward_ms"`
	Backward float64 `json:"backward_ms"`
	// Curvature is what an estimate takes, over the steps from one to the next.
	Curvature float64 `json:"curvature_ms"`
	Update    float64 `json:"update_ms"`
	Rest      float64 `json:"rest_ms"` // pictures, dropout masks, loss and counts
}

// Missing is a run that was planned and has no end.
type Missing struct {
	Dataset   string `json:"dataset"`
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
}

// AddRecords reads what lies beside those rows of the analysis that come from
// STUDY/DATASET/OPTIMIZER/SEED/final.json, and sets a.Records. A file that is not
// there is left out; one that cannot be read is an error that names it.
func (a *Analysis) AddRecords() error {
	a.Records = Records{}
	for _, row := range a.Rows {
		if filepath.Base(row.Source) != "final.json" {
			continue
		}
		folder := filepath.Dir(row.Source)
		record := Record{Row: row}
		var err error
		if record.Epochs, err = readEpochs(filepath.Join(folder, "epochs.jsonl")); err != nil {
			return err
		}
		if record.Settings, err = readSettings(filepath.Join(folder, "config.json")); err != nil {
			return err
		}
		a.Records.Runs = append(a.Records.Runs, record)
		a.Records.Folders = append(a.Records.Folders, filepath.Join(folder, "..", "..", ".."))
	}
	a.Records.Folders = distinct(a.Records.Folders)
	for _, folder := range a.Records.Folders {
		missing, err := a.missing(folder)
		if err != nil {
			return err
		}
		a.Records.Missing = append(a.Records.Missing, missing...)
	}
	if len(a.Records.Folders) != 1 {
		return nil
	}
	var err error
	if a.Records.Plan, err = readPlan(a.Records.Folders[0]); err != nil {
		return err
	}
	a.Records.Tuning, err = readTuning(a.Records.Folders[0])
	return err
}

// missing returns the runs of a study's plan that are not among the rows.
func (a *Analysis) missing(folder string) ([]Missing, error) {
	path := filepath.Join(folder, "study.json")
	content, err := readIfThere(path)
	if content == nil || err != nil {
		return nil, err
	}
	var plan struct {
		Jobs []Missing `json:"jobs"`
	}
	if err := json.Unmarshal(content, &plan); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	ended := make(map[runKey]bool)
	for _, r := range a.Rows {
		ended[keyOf(r)] = true
	}
	return slices.DeleteFunc(plan.Jobs, func(m Missing) bool { return ended[runKey{m.Dataset, m.Seed, m.Optimizer}] }), nil
}

func readEpochs(path string) ([]Epoch, error) {
	content, err := readIfThere(path)
	if err != nil {
		return nil, err
	}
	var epochs []Epoch
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		var e Epoch
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d is damaged: %w", path, number, err)
		}
		if e.Epoch != number {
			return nil, fmt.Errorf("%s:%d is of epoch %d: a line for every epoch is expected, in order", path, number, e.Epoch)
		}
		epochs = append(epochs, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return epochs, nil
}

func readSettings(path string) (map[string]string, error) {
	content, err := readIfThere(path)
	if content == nil || err != nil {
		return nil, err
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // keeps the digits as they are written
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	settings := make(map[string]string)
	flatten("", tree, settings)
	return settings, nil
}

// flatten puts the leaves of a tree of JSON into settings, under the names of the
// branches joined by dots.
func flatten(prefix string, tree map[string]any, settings map[string]string) {
	for name, v := range tree {
		switch v := v.(type) {
		case map[string]any:
			flatten(prefix+name+".", v, settings)
		case []any:
			settings[prefix+name] = strings.Trim(fmt.Sprint(v), "[]")
		default:
			settings[prefix+name] = fmt.Sprint(v)
		}
	}
}

// readIfThere returns nil where there is no such file.
func readIfThere(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}
