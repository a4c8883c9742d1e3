package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/train/record"
)

// Every preset is a study that can be run, of as many runs as the pilot's.
func TestPresets(t *testing.T) {
	runs := map[string]int{"pilot-mlp": 2 * 7 * 4, "pilot-cnn": 20 * 2, "pilot-cnn-100": 20 * 2}
	for _, p := range presets() {
		command := studyCommand()
		command.Action = func(c *cli.Context) error {
			name, changed, err := usePreset(c)
			if err != nil || name != p.name || changed != nil {
				t.Errorf("%s: %q with other %q, %v", p.name, name, changed, err)
			}
			rules, _, err := optimizers(c, c.String("optimizers"), c.String("out"))
			if err != nil {
				return err
			}
			s, err := studyOf(c, c.String("protocol"), rules)
			if err != nil {
				return err
			}
			s.Datasets, s.Optimizers = names(c.String("datasets")), rules
			if s.Seeds, err = seeds(c.String("seeds")); err != nil {
				return err
			}
			jobs, err := s.Jobs()
			if len(jobs) != runs[p.name] {
				t.Errorf("%s has %d runs, want %d", p.name, len(jobs), runs[p.name])
			}
			return err
		}
		app := &cli.App{Commands: []*cli.Command{command}}
		if err := app.Run([]string{"diaghess", "study", "--preset", p.name}); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// What is given beside a preset overrides it, before and after it, and the plan says so. The
// same study without the preset goes on under that plan, and another preset does not.
func TestPresetAndFlags(t *testing.T) {
	out := t.TempDir()
	small := []string{"--datasets", "digits", "--epochs", "1", "--evaluate-train=false", "--seeds", "0-2", "--limit", "200", "--device", "cpu", "--out", out}
	preset := append(append([]string{"study"}, small...), "--preset", "pilot-mlp", "--optimizers", "adamw,sgd")
	stdout, _, err := runApp(t, preset...)
	if err != nil {
		t.Fatal(err)
	}
	if want := "It is the preset pilot-mlp, except for datasets, optimizers, seeds, epochs, limit and evaluate-train."; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	plan, err := record.ReadPlan(filepath.Join(out, record.PlanFile))
	if err != nil {
		t.Fatal(err)
	}
	if plan.Preset != record.PresetPilotMLP || plan.Settings["batch"] != "128" || plan.Settings["label_smoothing"] != "0.025" || plan.Settings["epochs"] != "1" ||
		plan.Settings["evaluate_train"] != "false" || !slices.Equal(plan.Seeds, []int{0, 1, 2}) || len(plan.Notes) != 1 {
		t.Errorf("%+v", plan)
	}
	plain := append([]string{"study", "--model", "mlp", "--batch", "128", "--label-smoothing", "0.025", "--optimizers", "adamw,sgd"}, small...)
	if _, _, err := runApp(t, plain...); err != nil {
		t.Errorf("without the preset: %v", err)
	}
	other := append(slices.Clone(plain), "--preset", "pilot-cnn")
	if _, _, err := runApp(t, other...); err == nil || !strings.Contains(err.Error(), "has the preset pilot-mlp, not pilot-cnn") {
		t.Errorf("another preset: %v", err)
	}
	if _, _, err := runApp(t, "study", "--preset", "pilot"); err == nil || !strings.Contains(err.Error(), `unknown preset "pilot"`) {
		t.Errorf("no preset: %v", err)
	}
}
