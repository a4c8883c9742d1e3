package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// tunedOf is the result of a tuning of two trials.
func tunedOf() Tuned {
	c := configOf("adam", 0)
	trial := func(n int, spec string) Trial {
		return Trial{Trial: n, Spec: spec, LR: 1, Status: Finished, Epochs: 2, Score: &TrialScore{ValLoss: 1, ValAcc: 0.5, F1: 0.5}}
	}
	return Tuned{
		Schema: Schema, Settings: c.Settings, Dataset: "digits", Seeds: []int{1000000}, Metric: "val_acc", Trials: 2, Device: "cpu", Build: c.Build,
		Optimizers: []TunedOptimizer{{Optimizer: "adam", Best: "adam:lr=1", BestTrial: 2, Space: []Dimension{{Key: "lr", Low: 1, High: 2}}, Trials: []Trial{trial(1, "adam:lr=2"), trial(2, "adam:lr=1")}}},
	}
}

func TestParseTunedRefuses(t *testing.T) {
	if _, err := ReadTuned(filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a file that is not there: %v", err)
	}
	whole, err := json.Marshal(tunedOf())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTuned("tuned.json", whole); err != nil {
		t.Errorf("a whole result: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{string(whole), "{", "tuned.json is damaged: it ends in the middle"},
		{string(whole), "{}", "tuned.json has no field model, epochs"},
		{`"schema":4`, `"schema":5`, "schema 5 and this program knows 4"},
		{`"seeds":[1000000]`, `"seeds":[]`, "not the result of a tuning"},
		{`"trials":2,`, `"trials":3,`, "not equal"},
		{`"metric":"val_acc"`, `"metric":"luck"`, "val_acc or val_loss or f1 is expected"},
		{`"val_acc":0.5`, `"val_acc":0.6`, "has trial 2, which finished, as the best of adam, but by val_acc it is trial 1"},
		{`"val_loss":1`, `"val_loss":0.9`, "but by val_acc it is trial 1"}, // of equal accuracies the loss decides
		{`"status":"finished"`, `"status":"diverged"`, "has a score of trial 1 of adam, with the status diverged"},
		{`,"score":{"val_loss":1,"val_acc":0.5,"f1":0.5}`, ``, "has no score of trial 1 of adam, with the status finished"},
		{`"trial":1`, `"trial":2`, "has number 2 in place 1 of the trials of adam"},
		{`"optimizer":"adam"`, `"tuning":1,"optimizer":"adam"`, "has adam, tuning 1 in place 1"},
		{`"best_trial":2`, `"best_trial":3`, "number 3 as the best of the 2 trials of adam"},
		{`"best_trial":2`, `"best_trial":0`, "best_trial = 0: a whole number of at least 1"},
		{`"best_trial":2`, `"best_trial":1`, "has adam:lr=1 as the best of adam, and its trial 1 is adam:lr=2"},
		{`"val_acc":0.5`, `"val_acc":50`, "optimizers[0].trials[0].score.val_acc = 50: a number of at least 0 and at most 1"},
	} {
		content := strings.Replace(string(whole), c.old, c.new, 1)
		if _, err := ParseTuned("tuned.json", []byte(content)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want an error with %q, got %v", c.new, c.want, err)
		}
	}
}

// twoTunings is the result of two tunings of two optimizers, adam and sgd.
func twoTunings() Tuned {
	tuned := tunedOf()
	tuned.Repeats, tuned.Seeds, tuned.Optimizers = 2, AllSeeds(tuned.Seeds, 2), nil
	for _, name := range []string{"adam", "sgd"} {
		for tuning := 1; tuning <= 2; tuning++ {
			o := tunedOf().Optimizers[0]
			o.Optimizer, o.Tuning, o.Best = name, tuning, fmt.Sprintf("%s:lr=%d", name, tuning)
			o.Trials[1].Spec = o.Best
			tuned.Optimizers = append(tuned.Optimizers, o)
		}
	}
	return tuned
}

func TestParseTunedRefusesTunings(t *testing.T) {
	content, err := json.Marshal(twoTunings())
	if err != nil {
		t.Fatal(err)
	}
	whole := string(content)
	if _, err := ParseTuned("tuned.json", content); err != nil {
		t.Errorf("a whole result: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"repeats":2,`, ``, "has adam, tuning 1 in place 1: every optimizer has its 1 tunings in order, and once"},
		{`"repeats":2`, `"repeats":3`, "has 4 results for optimizers in 3 tunings"},
		{`"repeats":2`, `"repeats":1`, "repeats = 1: a whole number of at least 2 and at most 1000"},
		{`[1000000,1001000]`, `[1000000,1000000]`, "has the seeds [1000000 1000000]: 2 tunings have equally many, each 1000 above"},
		{`[1000000,1001000]`, `[1000000]`, "has the seeds [1000000]: 2 tunings"},
		{`"tuning":2`, `"tuning":1`, "has adam, tuning 1 in place 2"},
		{`"optimizer":"sgd"`, `"optimizer":"adam"`, "has adam, tuning 1 in place 3"},
		{`"adam:lr=2","best_trial"`, `"adam:lr=1","best_trial"`, "has adam:lr=1 as the best of adam, tuning 2, and its trial 2 is adam:lr=2"},
		{`"val_acc":0.5`, `"val_acc":0.6`, "as the best of adam, tuning 1, but by val_acc it is trial 1"},
	} {
		if _, err := ParseTuned("tuned.json", []byte(strings.Replace(whole, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want an error with %q, got %v", c.new, c.want, err)
		}
	}
	copied := twoTunings()
	copied.Optimizers[1].Best, copied.Optimizers[1].Trials = copied.Optimizers[0].Best, copied.Optimizers[0].Trials
	if content, err = json.Marshal(copied); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTuned("tuned.json", content); err == nil || !strings.Contains(err.Error(), "adam, tuning 1 and adam, tuning 2: two tunings never give the same") {
		t.Errorf("a tuning that was copied: %v", err)
	}
}

// What a study's runs say of their tunings is compared with the tunings.
func TestCheckTunings(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "study")
	var jobs []Job
	tuned := twoTunings()
	for _, o := range tuned.Optimizers {
		for _, seed := range TuningSeeds([]int{0, 1}, o.Tuning) {
			config := configOf(o.Best, seed)
			config.Arm, config.Tuning = o.Optimizer, o.Tuning
			config.OptimizerSettings["lr"] = o.Best[len(o.Best)-1:]
			writeRun(t, folder, config)
			jobs = append(jobs, config.Job)
		}
	}
	if err := errors.Join(WriteStudy(folder, jobs), tuned.Write(filepath.Join(folder, TunedFile))); err != nil {
		t.Fatal(err)
	}
	whole := inMemory(t, folder)
	if wrong := CheckStudy(whole, "study"); wrong != nil {
		t.Fatal(wrong)
	}
	const run = "digits/adam_lr=2/seed-1001/config.json"
	for _, c := range []struct{ file, old, new, want string }{
		{run, `"tuning": 2`, `"tuning": 1`, "is of tuning 1, and its seed 1001 is not one of that tuning"},
		{run, `"tuning": 2`, `"tuning": 0`, "tuning = 0: a whole number of at least 1"},
		{run, `"tuning": 2,`, ``, `has arm = "adam" and tuning = 0: both are there or neither`},
		{run, `"arm": "adam"`, `"arm": "sgd"`, "is of sgd, tuning 2, which is adam:lr=2, but by tuned.json it is sgd:lr=2"},
		{run, `"arm": "adam"`, `"arm": "x"`, "but by tuned.json it is not there"},
		{run, `"arm": "adam"`, `"arm": "sgd"`, "study.json has arm = adam, but by"},
		{TunedFile, ``, ``, "tuned.json is missing, and runs are of several tunings"},
	} {
		if wrong := CheckStudy(edited(t, whole, c.file, c.old, c.new), "study"); !strings.Contains(wrong.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", c.new, c.want, wrong)
		}
	}
}
