package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/train/record"
)

// runApp runs diaghess with arguments.
func runApp(t *testing.T, arguments ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log strings.Builder
	app := newApp()
	app.Writer, app.ErrWriter = &out, &log
	err = app.RunContext(t.Context(), append([]string{"diaghess"}, arguments...))
	return out.String(), log.String(), err
}

func TestTuneThenStudy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	dir := t.TempDir()
	tuned := filepath.Join(dir, "tune", "tuned.json")
	small := []string{"--model", "mlp", "--epochs", "1", "--device", "cpu", "--library", "gonum"}
	stdout, stderr, err := runApp(t, append([]string{"tune", "--dataset", "digits", "--optimizers", "adamw,sgd", "--trials", "2", "--repeats", "2",
		"--space", "sgd: lr=0.001..0.1 log, momentum=0.5..0.99", "--out", filepath.Join(dir, "tune")}, small...)...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, "│ sgd, all 2 tunings   │ 2: lr, momentum     │      4 │") || !strings.Contains(stderr, "--optimizers @"+tuned) {
		t.Errorf("output\n%s\n%s", stdout, stderr)
	}
	plan := filepath.Join(dir, "plan.json")
	study := append([]string{"study", "--datasets", "digits", "--optimizers", "@" + tuned, "--protocol", "holdout", "--seeds", "0,1",
		"--plan", plan, "--margins", "val_acc=0.02", "--out", filepath.Join(dir, "study")}, small...)
	stdout, stderr, err = runApp(t, study...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, "The plan was followed") || strings.Contains(stderr, "note:") {
		t.Errorf("output\n%s\n%s", stdout, stderr)
	}
	// By default tuning and study have the endpoint of the holdout protocol, and the plan has it too.
	for _, file := range []string{tuned, plan} {
		content, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(content), `"endpoint": "mean-last-5"`) {
			t.Errorf("%v, or no endpoint mean-last-5 in %s:\n%s", err, file, content)
		}
	}
}

// Under halving, near the best are trials of the first stage, and the table says so.
func TestTunedTableOfHalving(t *testing.T) {
	score := &record.TrialScore{ValAcc: 0.5}
	tuned := &record.Tuned{Optimizers: []record.TunedOptimizer{{Optimizer: "sgd", BestTrial: 1, Trials: []record.Trial{{LR: 0.1, Score: score, First: score}}}}}
	const words = "Within .01 of the best val_acc"
	for want, rungs := range map[string][]record.Rung{words + " │": nil, words + " after the first stage, 1 epoch │": {{Epochs: 1}, {Epochs: 3}}} {
		if tuned.Rungs = rungs; !strings.Contains(tunedTable(tuned), want) {
			t.Errorf("no %q in\n%s", want, tunedTable(tuned))
		}
	}
}

func TestTuneAndStudyRefuse(t *testing.T) {
	for want, arguments := range map[string][]string{
		"tuning seeds begin at 1000000":    {"tune", "--dataset", "digits", "--seeds", "0"},
		"space: \"lr\" is not of the form": {"tune", "--space", "lr"},
		"diaghess tune writes it":          {"study", "--optimizers", "@nowhere.json"},
		"margin \"val_acc\": give":         {"study", "--margins", "val_acc"},
		"unexpected argument":              {"tune", "digits"},
		"--average \"swa\" is unknown":     {"study", "--average", "swa"},
		"endpoint \"mean-last-0\" is":      {"tune", "--dataset", "digits", "--endpoint", "mean-last-0"},
		"choose --protocol holdout":        {"study", "--datasets", "digits", "--endpoint", "best-val"},
		"statistics recomputed on 1024 pictures (16 batches, the default): the run trains on 100 of digits": {"train", "--dataset", "digits", "--model", "digitcnn", "--average", "ema=0.9", "--limit", "100"},
		"give at least a batch, 64": {"train", "--dataset", "digits", "--model", "digitcnn", "--recalibrate", "63"},
	} {
		arguments = slices.Insert(arguments, 1, "--device", "cpu")
		if _, _, err := runApp(t, arguments...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want an error with %q, got %v", arguments, want, err)
		}
	}
}
