package report

import (
	"html/template"
	"strings"
	"testing"
)

// The program's copy of the pilot is the published one under other names: its
// statistics follow from its runs, and its claims are those of the published tables.
func TestPilot(t *testing.T) {
	a, err := Pilot()
	if err != nil {
		t.Fatal(err)
	}
	numbers := 0
	for _, check := range a.Checks {
		numbers += check.Numbers
		if len(check.Problems) > 0 {
			t.Errorf("%+v", check)
		}
	}
	if want := 2 * (4*2*2 + 4*2); numbers != want {
		t.Errorf("%d published numbers checked, want %d", numbers, want)
	}
	expectLines(t, strings.Join(a.Headlines(), "\n"),
		"cifar10, Pilot's rule against AdamW, 20 seeds: better: accuracy; worse: training time; not settled: loss and macro F1",
		"cifar100, Pilot's rule against AdamW, 20 seeds: better: accuracy and macro F1; worse: training time; not settled: loss")
	if text := page(t, a); !strings.Contains(text, template.HTMLEscapeString(pilotIntroduction)) || !strings.Contains(text, "20 pairs, seeds 0–19, 60 epochs") {
		t.Error("the page does not say what was run")
	}
}

// Means and deviations of 1, 2, 3 and of 4, 6, 8 are 2 ± 1 and 6 ± 2. Three pairs are too
// few for a claim.
func TestRenderVerdicts(t *testing.T) {
	var rows []Row
	for seed := range 3 {
		rows = append(rows, run("digits", "adamw", seed, float64(1+seed)), run("digits", "sgd", seed, float64(4+2*seed)))
	}
	var b strings.Builder
	if err := RenderVerdicts(&b, mustCompare(t, rows, "")); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{"digits val_loss val_acc f1 train_time", "", "adamw 2.0000 ± 1.0000", "sgd 6.0000 ± 2.0000", "exploratory exploratory"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}
