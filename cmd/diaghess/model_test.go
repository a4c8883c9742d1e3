package main

import (
	"strings"
	"testing"

	"diaghess/train/record"
)

// A study has the shortest spec of its network in its records, so another spelling goes on with it,
// and another network is refused. Keys that all rules have can be tuned.
func TestModelOptions(t *testing.T) {
	out := t.TempDir()
	study := func(model string) error {
		_, _, err := runApp(t, "study", "--datasets", "digits", "--epochs", "1", "--limit", "100", "--device", "cpu", "--out", out,
			"--optimizers", "diaghess:clip=1,july", "--model", model, "--seeds", "0,1")
		return err
	}
	for spec, want := range map[string]string{"mlp:layer=1": "did you mean layers?", "mpl": "did you mean mlp?", "seedcnn": "is called pilotcnn now"} {
		if err := study(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	for _, spec := range []string{"mlp:bn=after,layers=2,width=8", "mlp:width=8,layers=02,bn=after,init=he"} {
		if err := study(spec); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := record.BegunRuns(t.Context(), out)
	if err != nil || len(runs) != 4 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for _, run := range runs {
		if run.Model != "mlp:layers=2,width=8,bn=after" {
			t.Errorf("%s has model %s", run.Optimizer, run.Model)
		}
	}
	if err := study("mlp:layers=2,width=9,bn=after"); err == nil || !strings.Contains(err.Error(), "width=8") {
		t.Errorf("another network in the same folder: %v", err)
	}
	if _, _, err := runApp(t, "tune", "--dataset", "digits", "--model", "mlp:layers=1", "--epochs", "1", "--limit", "100", "--device", "cpu", "--out", t.TempDir(),
		"--optimizers", "diaghess", "--trials", "2", "--repeats", "1", "--space", "clip=0.1..10 log, weight-decay=0.1..1"); err != nil {
		t.Error(err)
	}
}
