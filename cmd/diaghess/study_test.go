package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/gpu/devices"
)

// A study refuses, before it trains, a folder with any file that it would replace and did
// not make, and takes it with --force.
func TestStudyReplacesNothing(t *testing.T) {
	small := []string{"--model", "mlp", "--epochs", "1", "--limit", "100", "--device", "cpu"}
	study := append([]string{"study", "--datasets", "digits", "--optimizers", "adamw,sgd,adam", "--seeds", "0,1,2"}, small...)
	own := t.TempDir()
	for range 2 {
		if _, _, err := runApp(t, append(study, "--out", own)...); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(own)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"tuned.json", "plan.json", "ttest.csv"}
	for _, entry := range entries {
		if entry.Type().IsRegular() && entry.Name() != ".lock" {
			names = append(names, entry.Name())
		}
	}
	if len(names) < 10 {
		t.Errorf("a study has the files %q", names)
	}
	for _, name := range names {
		foreign := t.TempDir()
		path := filepath.Join(foreign, name)
		if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := runApp(t, append(study, "--out", foreign)...)
		if err == nil || !strings.Contains(err.Error(), "("+name+")") || !strings.Contains(err.Error(), "--force") {
			t.Errorf("a folder with %s: %v", name, err)
		}
		content, err := os.ReadFile(path)
		if entries, listErr := os.ReadDir(foreign); string(content) != "mine" || len(entries) != 1 || errors.Join(err, listErr) != nil {
			t.Errorf("%s is %q now, beside %v", name, content, entries)
		}
		if name == "index.html" {
			if _, _, err := runApp(t, append(study, "--out", foreign, "--force")...); err != nil {
				t.Error(err)
			}
		}
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "tuned.json"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	tune := append([]string{"tune", "--dataset", "digits", "--optimizers", "sgd", "--trials", "1", "--out", foreign}, small...)
	if _, _, err := runApp(t, tune...); err == nil || !strings.Contains(err.Error(), "(tuned.json)") {
		t.Errorf("tune in a folder with another's tuned.json: %v", err)
	}
	for range 2 { // the second finds its own
		if _, _, err := runApp(t, append(tune, "--force")...); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := runApp(t, tune...); err != nil {
		t.Errorf("tune in its own folder: %v", err)
	}
	if _, _, err := runApp(t, append(study, "--out", foreign)...); err == nil || !strings.Contains(err.Error(), "holds another study, "+filepath.Join(foreign, "trials")) {
		t.Errorf("a study around a tuning: %v", err)
	}
}

// The folder of a study may be a link; the report finds its runs.
func TestStudyInALink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Skip(err)
	}
	small := []string{"--model", "mlp", "--epochs", "1", "--limit", "100", "--device", "cpu", "--out", link}
	stdout, _, err := runApp(t, append([]string{"study", "--datasets", "digits", "--optimizers", "adamw,sgd", "--seeds", "0-2"}, small...)...)
	if err != nil || !strings.Contains(stdout, "n = 3 pairs") {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if stdout, _, err = runApp(t, "report", link); err != nil || !strings.Contains(stdout, "n = 3 pairs") {
		t.Errorf("report: %v\n%s", err, stdout)
	}
	// Runs that a list of runs would lack, without a word, are refused.
	listed, err := os.ReadFile(filepath.Join(link, "study.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range [][]string{{"train", "--dataset", "digits", "--optimizer", "adamw"}, {"study", "--datasets", "digits", "--optimizers", "adamw", "--seeds", "0"}} {
		if _, _, err := runApp(t, append(one, small...)...); err == nil || !strings.Contains(err.Error(), "choose another folder with --out") {
			t.Errorf("%s: %v", one[0], err)
		}
	}
	if now, err := os.ReadFile(filepath.Join(link, "study.json")); err != nil || string(now) != string(listed) {
		t.Errorf("study.json is %s, %v, want %s", now, err, listed)
	}
	small[len(small)-1] = filepath.Join(t.TempDir(), "single")
	for _, optimizer := range []string{"adam", "sgd"} {
		if _, _, err := runApp(t, append([]string{"train", "--dataset", "digits", "--optimizer", optimizer}, small...)...); err != nil {
			t.Errorf("train, of several into a folder: %v", err)
		}
	}
}

// What this machine has no device for leaves no plan, which would bind the next command.
func TestStudyRefusesDevices(t *testing.T) {
	if _, err := devices.GPUs(); err == nil {
		t.Skip("there is a GPU")
	}
	for _, device := range []string{"cuda", "cuda:0,cuda:1", "auto"} {
		out := t.TempDir()
		_, _, err := runApp(t, "study", "--datasets", "digits", "--seeds", "0-1", "--math", "tf32", "--device", device, "--out", out)
		if _, noPlan := os.Stat(filepath.Join(out, "plan.json")); err == nil || !errors.Is(noPlan, fs.ErrNotExist) {
			t.Errorf("%s: %v, and of a plan %v", device, err, noPlan)
		}
	}
}
