package train

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train/atomicfile"
	"diaghess/train/report"
)

// Config is config.json: all that decides a run's bits.
type Config struct {
	Job
	OptimizerSettings map[string]string `json:"optimizer_settings"` // every key with its value
	TrainPictures     int               `json:"train_pictures"`
	ValPictures       int               `json:"val_pictures"`
	TestPictures      int               `json:"test_pictures"` // 0 where the test set is the validation set, or is left alone
	Parameters        int               `json:"parameters"`    // trainable
	Steps             int               `json:"steps"`
	Device            string            `json:"device"`
	Algorithms        map[string]string `json:"algorithms"` // of each direction of each linear layer
	Build             Build             `json:"build"`
	// TuningTrials is how many trials the optimizer's settings were chosen from;
	// 0 where that is not known.
	TuningTrials int `json:"tuning_trials,omitempty"`
	// Machine describes the device; it may change between a run's parts.
	Machine string `json:"machine"`
}

// Epoch is a line of epochs.jsonl.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TrainAcc  float64 `json:"train_acc"`
	ValLoss   float64 `json:"val_loss"`
	ValAcc    float64 `json:"val_acc"`
	F1        float64 `json:"f1"`
	Seconds   float64 `json:"seconds"` // training and validation of this epoch
	// Parts is where the time of one of the epoch's steps went; nil where none was
	// timed.
	Parts *report.StepParts `json:"step_parts,omitempty"`
	// Curvature is of the epoch's last step, where the optimizer has one.
	Curvature *optim.Observation `json:"curvature,omitempty"`
}

// Final is final.json: how a run ended.
type Final struct {
	Dataset   string        `json:"dataset"`
	Optimizer string        `json:"optimizer"`
	Seed      int           `json:"seed"`
	Status    report.Status `json:"status"`
	Epochs    int           `json:"epochs"` // trained
	Limit     int           `json:"limit,omitempty"`
	Protocol  string        `json:"protocol"`
	Augment   string        `json:"augment"`
	Build     Build         `json:"build"`
	// Score is taken after the last epoch, of the validation set.
	ValLoss float64 `json:"val_loss"`
	ValAcc  float64 `json:"val_acc"`
	F1      float64 `json:"f1"`
	// Test is taken once, where the test set is not the validation set and not
	// left alone, as it is in tuning.
	Test *TestScore `json:"test,omitempty"`
	// TrainTime is the wall time in seconds of all epochs, validation included.
	TrainTime float64 `json:"train_time"`
	// DivergedAt is the step, from 1, whose loss was not finite; 0 for none.
	DivergedAt int    `json:"diverged_at,omitempty"`
	Note       string `json:"note,omitempty"`
}

// TestScore is the outcome on the test set.
type TestScore struct {
	Loss float64 `json:"loss"`
	Acc  float64 `json:"acc"`
	F1   float64 `json:"f1"`
}

// row is the run as a line of the tables: of the test set where it was kept
// for the end.
func (f Final) row(source string) report.Row {
	r := report.Row{
		Dataset: f.Dataset, Seed: f.Seed, Optimizer: f.Optimizer, Status: f.Status, Note: f.Note,
		ValLoss: f.ValLoss, ValAcc: f.ValAcc, F1: f.F1, TrainTime: f.TrainTime,
		Epochs: f.Epochs, Limit: f.Limit, Source: source, Build: f.Build.String(),
		Protocol: report.ValidatedOnTest,
	}
	switch {
	case f.Test != nil:
		r.Protocol = "Measured on the test set once, after the last epoch"
		r.ValLoss, r.ValAcc, r.F1 = f.Test.Loss, f.Test.Acc, f.Test.F1
	case f.Protocol == ProtocolHoldout && f.Status == report.Finished:
		r.Protocol = "Measured on training pictures kept aside, after the last epoch; the test set was not looked at"
	}
	if augment := augmentOf(f.Augment); augment != AugmentNone {
		r.Protocol += "; trained on pictures augmented by " + augment
	}
	return r
}

// mathOf reads the arithmetic of a record; those that were written before there was
// another name none.
func mathOf(recorded string) string { return cmp.Or(recorded, gpu.MathFP32) }

// augmentOf reads the augmentation of a record; those that were written before
// there was any name none.
func augmentOf(recorded string) string { return cmp.Or(recorded, AugmentNone) }

// record is a run's folder.
type record struct{ folder string }

// recordOf returns the folder of a job in a study. Characters of a spec that
// some file system does not take become underscores.
func recordOf(study string, j Job) record {
	arm := strings.NewReplacer(":", "_", ",", "_").Replace(j.Optimizer)
	return record{filepath.Join(study, j.Dataset, arm, fmt.Sprintf("seed-%02d", j.Seed))}
}

func (r record) path(name string) string { return filepath.Join(r.folder, name) }

// final reads final.json; ok is false where there is none.
func (r record) final() (f Final, ok bool, err error) {
	ok, err = readJSON(r.path("final.json"), &f)
	return f, ok, err
}

// claim writes config.json, or compares it with the one that is there: the
// settings must be equal and, to go on from a checkpoint, all that decides the
// bits.
func (r record) claim(c Config) error {
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	var old Config
	there, err := readJSON(r.path("config.json"), &old)
	if err != nil {
		return err
	}
	if there {
		if err := r.compare(old, c, true); err != nil {
			return err
		}
	}
	return writeJSON(r.path("config.json"), c)
}

// compare says in what two configs of the record differ. With bits unset only
// what the user chose counts.
func (r record) compare(old, now Config, bits bool) error {
	a, b := fields(old, bits), fields(now, bits)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] != b[key] {
			differ = append(differ, fmt.Sprintf("%s was %s and is %s", key, a[key], b[key]))
		}
	}
	if differ == nil {
		return nil
	}
	return fmt.Errorf("%s holds a run of other settings (%s): write to another folder with --out, go on with the program and settings that began it, or delete it to start over",
		r.folder, strings.Join(differ, "; "))
}

// fields flattens what counts of a config.
func fields(c Config, bits bool) map[string]string {
	show := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic("train: " + err.Error())
		}
		return string(text)
	}
	f := map[string]string{
		"model": show(c.Model), "epochs": show(c.Epochs), "batch": show(c.Batch), "protocol": show(c.Protocol),
		"augment": show(augmentOf(c.Augment)), "limit": show(c.Limit), "label smoothing": show(c.LabelSmoothing), "dataset": show(c.Dataset), "seed": show(c.Seed),
		"optimizer": show(c.OptimizerSettings), "device": show(c.Device), "math": show(mathOf(c.Math)),
	}
	if bits {
		f["algorithms"], f["build"] = show(c.Algorithms), show(c.Build)
	}
	return f
}

// epochs reads epochs.jsonl; without one there are none.
func (r record) epochs() ([]Epoch, error) {
	content, err := os.ReadFile(r.path("epochs.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var epochs []Epoch
	decoder := json.NewDecoder(bytes.NewReader(content))
	for decoder.More() {
		var e Epoch
		if err := decoder.Decode(&e); err != nil {
			return nil, fmt.Errorf("%s is damaged (%w): delete the run's folder to start it over", r.path("epochs.jsonl"), err)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

func (r record) writeEpochs(epochs []Epoch) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range epochs {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("epoch %d of %s: %w", e.Epoch, r.folder, err)
		}
	}
	return atomicfile.WriteBytes(r.path("epochs.jsonl"), lines.Bytes())
}

// finish writes final.json and drops the checkpoint.
func (r record) finish(f Final) error {
	if err := writeJSON(r.path("final.json"), f); err != nil {
		return err
	}
	return r.forget()
}

// forget drops the checkpoint of a run that will not be trained on.
func (r record) forget() error {
	if err := os.Remove(r.path("checkpoint")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// studyFile names, in a study's folder, the runs of its last command.
const studyFile = "study.json"

// plan is study.json.
type plan struct {
	Jobs []Job `json:"jobs"`
}

// ReadRows reads the ended runs of a study's folder, or of any folder above the
// runs. They come in the order of their paths, those of a study's baseline
// first.
func ReadRows(folder string) ([]report.Row, error) {
	var rows []report.Row
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "final.json" {
			return err
		}
		var f Final
		if _, err := readJSON(path, &f); err != nil {
			return err
		}
		rows = append(rows, f.row(path))
		return nil
	})
	if err != nil {
		return nil, err
	}
	var p plan
	if _, err := readJSON(filepath.Join(folder, studyFile), &p); err != nil {
		return nil, err
	}
	if len(p.Jobs) > 0 {
		slices.SortStableFunc(rows, func(a, b report.Row) int { return place(p.Jobs, a) - place(p.Jobs, b) })
	}
	return rows, nil
}

// place is where a run's dataset and arm first come in a plan.
func place(jobs []Job, r report.Row) int {
	i := slices.IndexFunc(jobs, func(j Job) bool { return j.Dataset == r.Dataset && j.Optimizer == r.Optimizer })
	if i < 0 {
		return len(jobs)
	}
	return i
}

// readJSON reads a file into v; it returns false where there is no such file.
func readJSON(path string, v any) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return false, fmt.Errorf("%s is damaged (%w): delete the run's folder to start it over", path, err)
	}
	return true, nil
}

func writeJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, append(content, '\n'))
}
