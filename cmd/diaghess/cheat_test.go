package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ways to make a study look better than it is: each is an error, or the report says what was
// done, or it says that files cannot show it. The list is that of docs/audit.md.
func TestWaysToCheat(t *testing.T) {
	base := t.TempDir()
	honest := filepath.Join(base, "honest")
	study := func(out, seeds string, more ...string) []string {
		return append([]string{"study", "--datasets", "digits", "--model", "mlp", "--epochs", "2", "--limit", "100", "--device", "cpu", "--seeds", seeds, "--out", out}, more...)
	}
	arms := []string{"--optimizers", "adamw,sgd,sgd:lr=1e30"}
	if _, stderr, err := runApp(t, study(honest, "0-4", arms...)...); err != nil {
		t.Fatal(err, stderr)
	}
	copied := func(t *testing.T) string {
		t.Helper()
		folder := filepath.Join(t.TempDir(), "study")
		if err := os.CopyFS(folder, os.DirFS(honest)); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	edit := func(t *testing.T, old, now string, path ...string) {
		t.Helper()
		name := filepath.Join(path...)
		content, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(content, []byte(old)) {
			t.Fatalf("no %q in %s, %v", old, name, err)
		}
		if err := os.WriteFile(name, bytes.Replace(content, []byte(old), []byte(now), 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path ...string) {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(path...)); err != nil {
			t.Fatal(err)
		}
	}
	// said returns what a command says, with its error.
	said := func(t *testing.T, arguments ...string) string {
		t.Helper()
		stdout, stderr, err := runApp(t, arguments...)
		if err != nil {
			stderr += err.Error()
		}
		return strings.ToLower(strings.Join(strings.Fields(stdout+"\n"+stderr), " "))
	}
	const unfollowed = "exploratory: the plan was not followed"
	for name, c := range map[string]struct {
		cheat func(t *testing.T, folder string) string
		want  []string
	}{
		"failed runs deleted, and the study run again with fewer": {func(t *testing.T, folder string) string {
			for _, seed := range []string{"seed-03", "seed-04"} {
				for _, arm := range []string{"adamw", "sgd", "sgd_lr=1e+30"} {
					remove(t, folder, "digits", arm, seed)
				}
			}
			said(t, study(folder, "0-2", arms...)...)
			return said(t, "report", "--format", "markdown", folder)
		}, []string{unfollowed, "sgd_lr=1e+30/seed-03 had diverged and was removed", "seeds 3, 4: planned, and not there", "the list of runs was changed"}},
		"only the study's metrics.csv reported": {func(t *testing.T, folder string) string {
			return said(t, "report", "--format", "markdown", filepath.Join(folder, "metrics.csv"))
		}, []string{"files without a plan", "CSV files list finished runs only"}},
		"the plan edited": {func(t *testing.T, folder string) string {
			edit(t, `"metric": "val_acc"`, `"metric": "f1"`, folder, "plan.json")
			return said(t, "report", "--format", "markdown", folder)
		}, []string{"plan.json is not of any plan in the ledger: it was changed", unfollowed, "the study does not fit its ledger"}},
		"the plan edited, and the command given again": {func(t *testing.T, folder string) string {
			edit(t, `"metric": "val_acc"`, `"metric": "f1"`, folder, "plan.json")
			said(t, study(folder, "0-4", arms...)...)
			return said(t, "report", "--format", "markdown", folder) + said(t, "audit", "--runs", "0", folder)
		}, []string{"plan.json is not the plan that the first run was made under", unfollowed, "when it was made is not known", "1 fault in its files"}},
		"a plan made for runs that are there": {func(t *testing.T, folder string) string {
			remove(t, folder, "ledger")
			edit(t, `"metric": "val_acc"`, `"metric": "f1"`, folder, "plan.json")
			before := said(t, "report", "--format", "markdown", folder)
			said(t, study(folder, "0-4", arms...)...)
			return before + "; then: " + said(t, "report", "--format", "markdown", folder)
		}, []string{unfollowed, "the study does not fit its ledger, see the cautions", "then: ", "by its ledger, 15 runs came from elsewhere"}},
		"a plan after the runs": {func(t *testing.T, folder string) string {
			folder = strings.TrimSuffix(folder, "study") + "[s]*"
			if err := os.CopyFS(folder, os.DirFS(honest)); err != nil {
				t.Fatal(err)
			}
			remove(t, folder, "plan.json")
			return said(t, append(study(folder, "0-4", arms...), "--plan", filepath.Join(t.TempDir(), "plan.json"))...)
		}, []string{"has runs already: a plan is made before the first"}},
		"the plan deleted": {func(t *testing.T, folder string) string {
			remove(t, folder, "plan.json")
			said(t, study(folder, "0-4", arms...)...)
			return said(t, "report", "--format", "markdown", folder)
		}, []string{"exploratory: no plan", "the plan was changed"}},
		"another metric or margin later": {func(t *testing.T, folder string) string {
			return said(t, append(study(folder, "0-4", arms...), "--metric", "f1")...) +
				said(t, append(study(folder, "0-4", arms...), "--margins", "val_acc=0.5")...)
		}, []string{"has the metric val_acc, not f1", "has the margins none"}},
		"a new study with chosen seeds": {func(t *testing.T, folder string) string {
			return said(t, "report", "--format", "markdown", folder)
		}, []string{"Not known: Whether this study was one of several, run elsewhere with other seeds, arms or tunings"}},
		"an end that is not the run's": {func(t *testing.T, folder string) string {
			edit(t, `"val_acc": 0.`, `"val_acc": 0.9`, folder, "digits", "sgd", "seed-00", "final.json")
			return said(t, "report", "--format", "markdown", folder)
		}, []string{"sgd/seed-00/final.json has val_acc"}},
		"seeds copied under new numbers": {func(t *testing.T, folder string) string {
			for _, arm := range []string{"adamw", "sgd"} {
				from, to := filepath.Join(folder, "digits", arm, "seed-04"), filepath.Join(folder, "digits", arm, "seed-05")
				if err := os.CopyFS(to, os.DirFS(from)); err != nil {
					t.Fatal(err)
				}
				edit(t, `"seed": 4`, `"seed": 5`, to, "config.json")
				edit(t, `"seed": 4`, `"seed": 5`, to, "final.json")
			}
			return said(t, "report", "--format", "markdown", folder)
		}, []string{"its epochs equal those of seed 4"}},
		"seeds added until p is small": {func(t *testing.T, folder string) string {
			return said(t, study(folder, "0-5", arms...)...)
		}, []string{"the plan has the seeds 0-4 and the study has 0-5", unfollowed, "seed 5: there, and not planned"}},
		"an arm added": {func(t *testing.T, folder string) string {
			return said(t, study(folder, "0-4", "--optimizers", "adamw,sgd,sgd:lr=1e30,adam")...)
		}, []string{unfollowed, "adam, seeds 0–4: there, and not planned"}},
		"another baseline": {func(t *testing.T, folder string) string {
			return said(t, "report", "--format", "markdown", "--baseline", "sgd", folder)
		}, []string{unfollowed, "the baseline was to be adamw and is sgd"}},
		"a part of the study reported": {func(t *testing.T, folder string) string {
			remove(t, folder, "digits", "sgd_lr=1e+30")
			return said(t, "report", "--format", "markdown", folder)
		}, []string{unfollowed, "sgd:lr=1e+30, seeds 0–4: planned, and not there", "diverged, by the ledger of"}},
		"the test set for tuning": {func(t *testing.T, folder string) string {
			return said(t, "report", "--format", "markdown", folder) + said(t, append(study(filepath.Join(folder, "..", "holdout"), "0-4", arms...), "--protocol", "holdout")...)
		}, []string{"Not known: Whether settings were chosen on the test set", "Measured on the test set once"}},
		"the best trial of a tuning changed": {func(t *testing.T, folder string) string {
			tuned := filepath.Join(folder, "..", "tune")
			said(t, "tune", "--dataset", "digits", "--model", "mlp", "--epochs", "2", "--limit", "100", "--device", "cpu", "--optimizers", "adamw,sgd", "--trials", "2", "--repeats", "1", "--out", tuned)
			edit(t, `"best_trial": `, `"best_trial": 1`, tuned, "tuned.json")
			return said(t, study(folder+"2", "0-4", "--optimizers", "@"+filepath.Join(tuned, "tuned.json"))...)
		}, []string{"tuned.json has"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.cheat(t, copied(t))
			for _, want := range c.want {
				if !strings.Contains(got, strings.ToLower(want)) {
					t.Errorf("no %q in %s", want, got)
				}
			}
		})
	}
}
