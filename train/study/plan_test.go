package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/train/report"
)

// reportOf returns a study's report.
func reportOf(t *testing.T, s *Study) string {
	t.Helper()
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	analysis, err := report.Compare(rows, s.Optimizers[0])
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Render(&text, analysis, report.Markdown); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestPlanIsFollowed(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Epochs = 1
	path := filepath.Join(t.TempDir(), "plans", "plan.json")
	margins := map[string]float64{"val_acc": 0.01}
	for range 2 { // the second finds what the first has written
		if differences, err := s.Register(path, margins); err != nil || len(differences) > 0 {
			t.Fatal(differences, err)
		}
	}
	runStudy(t, s)
	text := reportOf(t, s)
	for _, want := range []string{"The plan was followed", "within the planned margins"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the report:\n%s", want, text)
		}
	}
	// One more seed than planned: whoever adds seeds until p is small must say so.
	s.Seeds = []int{0, 1, 2}
	differences, err := s.Register(path, nil)
	if err != nil || len(differences) != 1 || !strings.Contains(differences[0], "seeds [0 1] and the study has [0 1 2]") {
		t.Errorf("a study of another seed: %q, %v", differences, err)
	}
	runStudy(t, s)
	if text := reportOf(t, s); !strings.Contains(text, "seed 2: there, and not planned") {
		t.Errorf("the report does not name the seed that was not planned:\n%s", text)
	}
}

func TestPlanIsMadeOnceAndBefore(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds, s.Epochs = []int{0}, 1
	folder := t.TempDir()
	path := filepath.Join(folder, "plan.json")
	register := func(name, want string, margins map[string]float64) {
		t.Helper()
		if _, err := s.Register(filepath.Join(folder, name), margins); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", name, want, err)
		}
	}
	register("plan.json", "margin -1 of val_acc", map[string]float64{"val_acc": -1})
	register("plan.json", "unknown metric", map[string]float64{"x": 1})
	if err := os.WriteFile(filepath.Join(folder, "misspelt.json"), []byte(`{"seed": [1]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	register("misspelt.json", "unknown field", nil)
	if _, err := os.Stat(path); err == nil {
		t.Error("a plan that was refused has been written")
	}
	if _, err := s.Register(path, nil); err != nil {
		t.Fatal(err)
	}
	register("plan.json", "chosen once", map[string]float64{"val_acc": 1})
	register("other.json", "a plan is made once", map[string]float64{"val_acc": 1})

	late := smallStudy(t.TempDir())
	late.Seeds, late.Epochs = []int{0}, 1
	runStudy(t, late)
	if _, err := late.Register(path, nil); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("a plan after the first run: %v", err)
	}
}
