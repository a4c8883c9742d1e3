package report

import (
	"diaghess/train/record"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTuningSection(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, record.TunedFile), `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":4,"optimizers":[
		{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":2,"trials":[
			{"lr":0.1,"score":{"val_acc":0.5}},{"spec":"adamw:lr=0.01","lr":0.01,"score":{"val_acc":0.95}},{"lr":1},{"lr":0.001,"score":{"val_acc":0.945}}]}]}`)
	rows := writeRuns(t, folder, study("0.001"))
	a := mustCompareFolders(t, rows)
	s := a.tuningSection()
	if len(s.tables) != 1 || len(s.figures) != 1 {
		t.Fatalf("section %+v", s)
	}
	want := []string{"adamw:lr=0.01", "4", "1", "0.9500", "0.9450", "0.001 to 0.01 (2 trials)"}
	if got := s.tables[0].rows; len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	// Ascending in the rate, without the trial that diverged.
	if c := sensitivity(a.Records.Tuning, a.Records.Tuning.Optimizers[0]); !slices.Equal(c.X, []float64{0.001, 0.01, 0.1}) || !slices.Equal(c.Y, []float64{0.945, 0.95, 0.5}) {
		t.Errorf("curve %v", c)
	}
	if svg, err := s.figures[0].SVG(); err != nil || strings.Contains(svg, "NaN") || !strings.Contains(svg, ">1e−3<") {
		t.Errorf("figure: %v\n%s", err, svg)
	}
	if a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("0.001"))); len(a.tuningSection().tables) > 0 {
		t.Error("a study that was not tuned has a section on it")
	}
	write(t, filepath.Join(folder, record.TunedFile), "{")
	if _, err := ReadFolder(folder); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestRateCaution(t *testing.T) {
	for _, c := range []struct {
		best  float64
		rates []float64
		want  string
	}{
		{0.01, []float64{0.1, 0.01, 0.001}, ""},
		{0.1, []float64{0.1, 0.01, 0.001}, "the largest that was tried"},
		{0.001, []float64{0.1, 0.01, 0.001}, "the smallest that was tried"},
		{0.1, []float64{0.1, 0.1}, ""}, // the rate was not drawn
		{0.1, nil, ""},
	} {
		if got := rateCaution("sgd", c.best, c.rates); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("best %g of %v: %q, want %q", c.best, c.rates, got, c.want)
		}
	}
}

// The page warns of a best trial that is at the end of what was tried.
func TestTuningAtAnEndIsACaution(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, record.TunedFile), `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":2,"optimizers":[
		{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":2,"trials":[{"spec":"adamw:lr=0.001","lr":0.001},{"spec":"adamw:lr=0.01","lr":0.01,"score":{"val_acc":0.9}}]}]}`)
	a := mustCompareFolders(t, writeRuns(t, folder, study("0.001")))
	if want := "adamw:lr=0.01: its learning rate is the largest that was tried; a better one may lie beyond."; !slices.Contains(a.Cautions(), want) {
		t.Errorf("cautions %q, want %q", a.Cautions(), want)
	}
}

// With successive halving the curve is of the first stage, where all trials were alike.
func TestHalvingInTheReport(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, record.TunedFile), `{"dataset":"digits","seeds":[1000000],"epochs":4,"metric":"val_acc","trials":3,
		"rungs":[{"epochs":2,"trials":3},{"epochs":4,"trials":2}],"optimizers":[{"optimizer":"adamw","best":"adamw:lr=0.01","best_trial":1,"trials":[
			{"spec":"adamw:lr=0.01","lr":0.01,"status":"finished","score":{"val_acc":0.95},"first_score":{"val_acc":0.8}},
			{"spec":"adamw:lr=0.1","lr":0.1,"status":"diverged","first_score":{"val_acc":0.7}},
			{"spec":"adamw:lr=0.001","lr":0.001,"status":"stopped","score":{"val_acc":0.6},"first_score":{"val_acc":0.6}}]}]}`)
	a := mustCompareFolders(t, writeRuns(t, folder, study("0.001")))
	if c := sensitivity(a.Records.Tuning, a.Records.Tuning.Optimizers[0]); !slices.Equal(c.X, []float64{0.001, 0.01, 0.1}) || !slices.Equal(c.Y, []float64{0.6, 0.8, 0.7}) {
		t.Errorf("curve %v", c)
	}
	if text, want := a.tuningSection().paragraphs[1], "3 trials of 2 epochs, 2 trials of 4 epochs"; !strings.Contains(text, want) {
		t.Errorf("%q does not say %q", text, want)
	}
}
