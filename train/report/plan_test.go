package report

import (
	"diaghess/train/record"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPlanDeviations(t *testing.T) {
	plan := func(change func(*record.Plan)) *record.Plan {
		p := &record.Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{0, 1, 2},
			Settings: map[string]string{"epochs": "5"}, Metric: "val_acc", Test: record.PlannedTest}
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
	a.Records.Planned = &record.Event{}
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
		"baseline of looks": {plan(func(p *record.Plan) { p.Optimizers, p.Looks, p.Seeds = []string{"b", "a"}, []int{4}, []int{0, 1, 2, 3} }), []string{
			"the baseline was to be b and is a", "its looks were against that baseline, and p does not allow for them",
			"digits, a, seed 3: planned, and not there, or not needed after a look", "digits, b, seed 3: planned, and not there, or not needed after a look"}},
		"tunings": {plan(func(p *record.Plan) { p.Tunings = 3 }), []string{"digits, a, seeds 0–2: of another tuning than planned", "digits, b, seeds 0–2: of another tuning than planned"}},
		"setting": {plan(func(p *record.Plan) { p.Settings = map[string]string{"epochs": "6", "batch": "64"} }), []string{"epochs was to be 6 and is 5 in 6 runs"}},
	} {
		if got := deviations(test.plan, a); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// With a plan, one of its metrics is primary, its cells are the family, and its margin is
// compared with the interval.
func TestPlannedVerdict(t *testing.T) {
	var rows []Row
	for seed := range 8 {
		r := run("digits", "b", seed, 1+0.001*float64(seed%3-1))
		r.run = &record.Ended{Settings: map[string]string{}, Event: &record.Event{Event: record.RunEnded}}
		b := run("digits", "a", seed, 1)
		b.run = r.run
		rows = append(rows, b, r)
	}
	content := &record.Content{Planned: &record.Event{Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Plan: "0123456789abcdef"}, Plan: &record.Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{0, 1, 2, 3, 4, 5, 6, 7},
		Metric: "val_loss", Test: record.PlannedTest, Margins: map[string]float64{"val_loss": 0.01, "val_acc": 0.00005}}}
	for i := range rows {
		rows[i].study = content
	}
	a := mustCompare(t, rows, "a")
	if a.Primary != ValLoss || a.Comparisons[0].Claim() != Equivalent || !strings.HasPrefix(a.Answer(), "No difference that matters: b") {
		t.Errorf("primary %v, %s: %s", a.Primary, a.Comparisons[0].Claim(), a.Answer())
	}
	expectParts(t, strings.Join(a.planSection().paragraphs, "\n"), "The plan was followed", "digits, b against a: the whole interval is within the planned margin of 0.0100.",
		"digits, b against a: the whole interval of accuracy is not within the planned margin of 0.005 points.")
	standing := func(wantPlanned bool, want string) {
		t.Helper()
		if planned, words := a.standing(); planned != wantPlanned || words != want {
			t.Errorf("standing %v, %s", planned, words)
		}
	}
	standing(true, "planned on 31 January 2026, digest 0123456789ab")
	alone := mustCompare(t, slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Optimizer == "b" }), "a")
	if q, answer := alone.question(), alone.Answer(); q != "Does b reach a lower loss than a on digits?" || answer != "Not yet: on no data set have runs of two optimizers ended." {
		t.Errorf("without a run of b: %s %s", q, answer)
	}

	// What shows when the plan was made is the ledger: without it, or where it does not fit, or
	// does not know a run, nothing is planned.
	for want, change := range map[string]func(r *Records){
		"the study does not fit its ledger, see the cautions": func(r *Records) { r.Ledger = record.Problems{{Place: "plan.json", Sentence: "was changed"}} },
		"no ledger shows that it was made before the runs":    func(r *Records) { r.Planned = nil },
		"by its ledger, 1 run came from elsewhere":            func(*Records) { rows[3].run = &record.Ended{Settings: map[string]string{}} },
		"digits, b, seed 7: there, and not planned":           func(r *Records) { r.Plan.Seeds = r.Plan.Seeds[:7] },
		"the settings are not those of the planned tuning":    func(r *Records) { r.TunedDigest = "other" },
	} {
		kept, plan := rows[3].run, *content.Plan
		a = mustCompare(t, rows, "a")
		change(&a.Records)
		standing(false, "exploratory: the plan was not followed")
		expectParts(t, strings.Join(a.planSection().paragraphs, "\n"), "The plan was not followed: "+want)
		rows[3].run, *content.Plan = kept, plan
	}
	a = mustCompare(t, rows, "a")
	a.Records.Plan.Seeds = append(a.Records.Plan.Seeds, 8)
	standing(false, "exploratory: the plan was not followed to its end")
	a.Records.Plan.Seeds = a.Records.Plan.Seeds[:8]
	written := time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC)
	a.Records.Planned, a.Records.Plan.Written = nil, &written // before there were ledgers
	standing(true, "planned on 31 January 2025 by its own date")
	expectParts(t, a.planSection().paragraphs[0], "written on 31 January 2025 by its own date; there is no ledger")
	a.Records.Plan.Written = nil
	a.Records.Plan, a.Records.Folders = nil, []string{"one", "other"}
	a.Records.Runs = make([]Record, 16)
	standing(false, "exploratory: several studies together, and a plan is of one")
	a = mustCompare(t, rows, "a")
	low, high := a.Comparisons[0].Evidence.Interval.Low, a.Comparisons[0].Evidence.Interval.High
	content.Plan.Optimizers = append(content.Plan.Optimizers, "c")
	content.Plan.Margins["val_loss"] = 0.0001
	a = mustCompare(t, rows, "a")
	if e := a.Comparisons[0].Evidence; a.Cells != 2 || !(e.Interval.Low < low && e.Interval.High > high) || e.Claim != NotShown {
		t.Errorf("of 2 planned cells: %d cells, %+v", a.Cells, e)
	}
	if planned, words := a.standing(); planned || !strings.Contains(words, "not followed") {
		t.Errorf("standing %v, %s", planned, words)
	}
}
