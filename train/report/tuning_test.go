package report

import (
	"cmp"
	"diaghess/train/record"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// writeTuned writes the result of a tuning into a study's folder, with what its JSON leaves out.
func writeTuned(t *testing.T, folder, text string) {
	t.Helper()
	config := configOf("adamw", 0, 3)
	tuned := record.Tuned{Settings: config.Settings, Device: "cpu", Build: config.Build}
	if err := json.Unmarshal([]byte(text), &tuned); err != nil {
		t.Fatal(err)
	}
	for i := range tuned.Optimizers {
		o := &tuned.Optimizers[i]
		o.Space = []record.Dimension{{Key: "lr", Low: 1e-4, High: 1}}
		for i := range o.Trials {
			trial := &o.Trials[i]
			trial.Trial = i + 1
			if trial.Spec = cmp.Or(trial.Spec, "another"); trial.Trial == o.BestTrial {
				trial.Spec = o.Best
			}
			if trial.Score == nil {
				trial.Status = record.Diverged
			}
			trial.Status = cmp.Or(trial.Status, record.Finished)
		}
	}
	if err := tuned.Write(filepath.Join(folder, record.TunedFile)); err != nil {
		t.Fatal(err)
	}
}

func TestTuningSection(t *testing.T) {
	folder := t.TempDir()
	writeTuned(t, folder, `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":4,"optimizers":[
		{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":2,"trials":[
			{"lr":0.1,"score":{"val_acc":0.5}},{"spec":"adamw:lr=0.01","lr":0.01,"score":{"val_acc":0.95}},{"lr":1},{"lr":0.001,"score":{"val_acc":0.945}}]}]}`)
	rows := writeRuns(t, folder, study("0.001"))
	a := mustCompareFolders(t, rows)
	s := a.tuningSection()
	if len(s.tables) != 1 || len(s.figures) != 1 {
		t.Fatalf("section %+v", s)
	}
	want := []string{"adamw:lr=0.01", "1: lr", "4", "1", "95.00", "94.50", "0.001 to 0.01 (2 trials)", "2 of 4 (50 %)"}
	if got := s.tables[0].rows; len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	// Ascending in the rate, without the trial that diverged.
	if c := sensitivity(a.Records.Tuning.Optimizers[0]); !slices.Equal(c.X, []float64{0.001, 0.01, 0.1}) || !slices.Equal(c.Y, []float64{0.945, 0.95, 0.5}) {
		t.Errorf("curve %v", c)
	}
	if len(s.panels) != 0 { // the tuned optimizer is no arm of the study
		t.Errorf("panels %+v", s.panels)
	}
	if a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("0.001"))); len(a.tuningSection().tables) > 0 {
		t.Error("a study that was not tuned has a section on it")
	}
	write(t, filepath.Join(folder, record.TunedFile), "{")
	if _, err := ReadFolder(folder); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestRateEnd(t *testing.T) {
	for _, c := range []struct {
		best  float64
		rates []float64
		want  string
	}{
		{0.01, []float64{0.1, 0.01, 0.001}, ""},
		{0.1, []float64{0.1, 0.01, 0.001}, "largest"},
		{0.001, []float64{0.1, 0.01, 0.001}, "smallest"},
		{0.1, []float64{0.1, 0.1, 0.1}, ""},  // the rate was not sampled
		{0.1, []float64{0.01, 0.1, 0.1}, ""}, // one of two is always at an end
		{0.1, nil, ""},
	} {
		if got := rateEnd(c.best, c.rates); got != c.want {
			t.Errorf("best %g of %v: %q, want %q", c.best, c.rates, got, c.want)
		}
	}
}

// The page warns of a best trial that is at the end of what was tried.
func TestTuningAtAnEndIsACaution(t *testing.T) {
	folder := t.TempDir()
	writeTuned(t, folder, `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":3,"optimizers":[
		{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":2,"trials":[{"spec":"adamw:lr=0.001","lr":0.001},{"spec":"adamw:lr=0.01","lr":0.01,"score":{"val_acc":0.9}},{"lr":0.002}]}]}`)
	a := mustCompareFolders(t, writeRuns(t, folder, study("0.001")))
	if want := "adamw:lr=0.01: its learning rate is the largest that was tried; a better one may lie beyond."; !slices.Contains(a.Cautions(), want) {
		t.Errorf("cautions %q, want %q", a.Cautions(), want)
	}
}

// With successive halving the curve is of the first stage, where all trials were alike.
func TestHalvingInTheReport(t *testing.T) {
	folder := t.TempDir()
	writeTuned(t, folder, `{"dataset":"digits","seeds":[1000000],"epochs":4,"metric":"val_acc","trials":3,
		"rungs":[{"epochs":2,"trials":3},{"epochs":4,"trials":2}],"optimizers":[{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":1,"trials":[
			{"spec":"adamw:lr=0.01","lr":0.01,"status":"finished","score":{"val_acc":0.95},"first_score":{"val_acc":0.8}},
			{"spec":"adamw:lr=0.1","lr":0.1,"status":"diverged","first_score":{"val_acc":0.7}},
			{"spec":"adamw:lr=0.001","lr":0.001,"status":"stopped","score":{"val_acc":0.6},"first_score":{"val_acc":0.6}}]}]}`)
	a := mustCompareFolders(t, writeRuns(t, folder, study("0.001")))
	if c := sensitivity(a.Records.Tuning.Optimizers[0]); !slices.Equal(c.X, []float64{0.001, 0.01, 0.1}) || !slices.Equal(c.Y, []float64{0.6, 0.8, 0.7}) {
		t.Errorf("curve %v", c)
	}
	if text, want := a.tuningSection().paragraphs[1], "3 trials of 2 epochs, 2 trials of 4 epochs"; !strings.Contains(text, want) {
		t.Errorf("%q does not say %q", text, want)
	}
}

// Of several tunings the table has each and all together, and trials near the best are those
// near the best of their own tuning.
func TestSeveralTuningsInTheReport(t *testing.T) {
	folder := t.TempDir()
	writeTuned(t, folder, `{"dataset":"digits","seeds":[1000000,1001000],"epochs":5,"metric":"val_acc","trials":2,"repeats":2,"optimizers":[
		{"optimizer":"adamw","tuning":1,"best":"adamw:lr=0.01","best_trial":2,"trials":[{"lr":0.001,"score":{"val_acc":0.895}},{"lr":0.01,"score":{"val_acc":0.9}}]},
		{"optimizer":"adamw","tuning":2,"best":"adamw:lr=0.1","best_trial":1,"trials":[{"lr":0.1,"score":{"val_acc":0.8}},{"lr":1}]}]}`)
	runs := []folderRun{}
	for _, optimizer := range []string{"adamw:lr=0.01", "adamw:lr=0.1"} {
		tuning := len(runs) + 1
		runs = append(runs, folderRun{optimizer, 1000 * (tuning - 1), record.Finished, []float64{0.5, 0.6 + 0.1*float64(tuning)}, fmt.Sprintf(`{"arm":"adamw","tuning":%d}`, tuning)})
	}
	writeRuns(t, folder, runs)
	rows, err := ReadFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	a := mustCompare(t, rows, "adamw")
	for i, r := range a.Rows {
		if r.Optimizer != "adamw" || r.Arm != "adamw" || r.Tuning != i+1 {
			t.Errorf("row %+v", r)
		}
	}
	want := [][]string{
		{"adamw, tuning 1", "1: lr", "2", "0", "90.00", "89.75", "0.001 to 0.01 (2 trials)", "2 of 2 (100 %)"},
		{"adamw, tuning 2", "1: lr", "2", "1", "80.00", "80.00", "0.1 (1 trial)", "1 of 2 (50 %)"},
		{"adamw, all 2 tunings", "1: lr", "4", "1", "80.00 to 90.00", "89.50", "0.001 to 0.1 (3 trials)", "3 of 4 (75 %)"},
	}
	if got := a.tuningSection().tables[0].rows; !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if cautions := a.Cautions(); len(cautions) > 0 { // of two rates one is always at an end
		t.Errorf("cautions %q", cautions)
	}
	tuned := a.Records.Tuning
	for i, best := range []float64{2, 0.0001} { // now the best of three is the largest, and the smallest
		o := &tuned.Optimizers[i]
		o.Trials = append(o.Trials, record.Trial{LR: 0.05})
		o.Trials[o.BestTrial-1].LR = best
	}
	if got, want := TuningCautions(tuned), []string{"adamw: in 2 of 2 tunings its learning rate is at an end of those tried (smallest in 1, largest in 1); a better one may lie beyond."}; !slices.Equal(got, want) {
		t.Errorf("cautions %q, want %q", got, want)
	}
}
