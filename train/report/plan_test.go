package report

import (
	"diaghess/train/record"
	"slices"
	"strings"
	"testing"
)

func TestPlanDeviations(t *testing.T) {
	plan := func(change func(*record.Plan)) *record.Plan {
		p := &record.Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{0, 1, 2},
			Settings: map[string]string{"epochs": "5"}, Metrics: []string{"val_acc"}, Test: record.PlannedTest}
		change(p)
		return p
	}
	var rows []Row
	for _, optimizer := range []string{"a", "b"} {
		for seed := range 3 {
			rows = append(rows, run("digits", optimizer, seed, float64(1+seed*seed+len(rows))))
		}
	}
	a := mustCompare(t, rows, "a")
	for _, r := range rows {
		a.Records.Runs = append(a.Records.Runs, Record{Row: r, Settings: map[string]string{"epochs": "5", "batch": "64"}})
	}
	for name, test := range map[string]struct {
		plan *record.Plan
		want []string
	}{
		"followed":     {plan(func(*record.Plan) {}), nil},
		"seed left":    {plan(func(p *record.Plan) { p.Seeds = []int{0, 1, 2, 3} }), []string{"digits, a, seed 3: planned, and not there", "digits, b, seed 3: planned, and not there"}},
		"seed added":   {plan(func(p *record.Plan) { p.Seeds = []int{0, 1} }), []string{"digits, a, seed 2: there, and not planned", "digits, b, seed 2: there, and not planned"}},
		"arm left":     {plan(func(p *record.Plan) { p.Optimizers = []string{"a", "b", "c"} }), []string{"digits, c, seeds 0–2: planned, and not there"}},
		"arm added":    {plan(func(p *record.Plan) { p.Optimizers = []string{"a"} }), []string{"digits, b, seeds 0–2: there, and not planned"}},
		"dataset left": {plan(func(p *record.Plan) { p.Datasets = []string{"digits", "mnist"} }), []string{"mnist, a, seeds 0–2: planned, and not there", "mnist, b, seeds 0–2: planned, and not there"}},
		"baseline":     {plan(func(p *record.Plan) { p.Optimizers = []string{"b", "a"} }), []string{"the baseline was to be b and is a"}},
		"setting":      {plan(func(p *record.Plan) { p.Settings = map[string]string{"epochs": "6", "batch": "64"} }), []string{"epochs was to be 6 and is 5 in 6 runs"}},
	} {
		if got := deviations(test.plan, a); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestPlanSection(t *testing.T) {
	rows := []Row{run("digits", "a", 0, 1), run("digits", "b", 0, 1.001), run("digits", "a", 1, 2), run("digits", "b", 1, 2.003), run("digits", "a", 2, 3), run("digits", "b", 2, 3.002)}
	a := mustCompare(t, rows, "a")
	if s := a.planSection(); len(s.paragraphs) > 0 {
		t.Errorf("a study without a plan has the section %v", s)
	}
	a.Records.Plan = &record.Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{0, 1, 2},
		Metrics: []string{"val_loss", "val_acc"}, Test: record.PlannedTest, Margins: map[string]float64{"val_loss": 0.01}}
	s := a.planSection()
	text := strings.Join(s.paragraphs, "\n")
	for _, want := range []string{"The plan was followed", "exploratory whatever their p: f1 and train_time"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	// Differences 0.001, 0.003, 0.002: mean 0.002, sd 0.001, so b is worse by less
	// than the margin with t = (0.01 - 0.002) / (0.001 / sqrt 3) = 13.8564, and with
	// 2 degrees of freedom p = 1/2 - t / (2 sqrt(2 + t^2)) = 0.00258.
	if len(s.tables) != 1 || len(s.tables[0].rows) != 1 {
		t.Fatalf("tables %v", s.tables)
	}
	if row := s.tables[0].rows[0]; !slices.Equal(row, []string{"val_loss", "0.01", "0.00258", "0.00258"}) {
		t.Errorf("row %q", row)
	}
}
