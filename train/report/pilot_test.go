package report

import (
	"html/template"
	"reflect"
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
	if got, want := a.Answer(), "Yes: Pilot's rule is better than AdamW on cifar10 (+0.59 points) and on cifar100 (+0.63 points)."; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	// The study that speaks against it is the strongest objection.
	if got, want := a.objection(), "But an earlier study, against SGD, rule of 28 July 2025, showed no advantage: +0.51 points on cifar10 and −0.48 points on cifar100."; got != want {
		t.Errorf("objection %q, want %q", got, want)
	}
	// Of the page's design, made by another program.
	want := [][]string{
		{"cifar10: against Adam, rule of 5 August 2025", "20", "+0.62", "−0.04 to +1.27", "0.028", "15 of 20", "▲ better"},
		{"cifar10: against Adam, rule of 28 July 2025", "10", "−0.07", "−0.87 to +0.73", "0.82", "3 of 10", "○ not shown"},
		{"cifar10: against SGD, rule of 28 July 2025", "20", "+0.51", "−0.36 to +1.39", "0.17", "13 of 20", "○ not shown"},
		{"cifar100: against Adam, rule of 5 August 2025", "20", "+0.86", "+0.04 to +1.68", "0.028", "13 of 20", "▲ better"},
		{"cifar100: against Adam, rule of 28 July 2025", "10", "+1.47", "+0.45 to +2.49", "0.020", "8 of 10", "▲ better"},
		{"cifar100: against SGD, rule of 28 July 2025", "20", "−0.48", "−1.09 to +0.13", "0.13", "9 of 20", "○ not shown"},
	}
	tables := a.answerSection().tables
	if got := tables[len(tables)-1].rows; !reflect.DeepEqual(got, want) {
		t.Errorf("earlier studies %q, want %q", got, want)
	}
	if text := page(t, a); !strings.Contains(text, template.HTMLEscapeString(pilotIntroduction)) || !strings.Contains(text, "20 pairs, seeds 0–19, 60 epochs") {
		t.Error("the page does not say what was run")
	}
}

// Means of accuracies 0.1, 0.2, 0.3 and of 0.4, 0.6, 0.8 are 20 and 60 %. Three pairs are too few for
// a verdict.
func TestRenderAnswer(t *testing.T) {
	var rows []Row
	for seed := range 3 {
		rows = append(rows, run("digits", "adamw", seed, float64(1+seed)), run("digits", "sgd", seed, float64(4+2*seed)))
	}
	var b strings.Builder
	if err := RenderAnswer(&b, mustCompare(t, rows, "")); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(b.String(), "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	expectLines(t, strings.Join(lines, "\n"), "Does sgd reach a higher accuracy than adamw on digits?", "Too few seeds to say: a verdict needs 5 that both arms finished. They finished 3 seeds.",
		"sgd 60.0 +40.0 +15.2 to +64.8 n/a 3 of 3 n/a · too few", "adamw 20.0 n/a baseline")
}
