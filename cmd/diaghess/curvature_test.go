package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/train"
)

// curvature prints a table or JSON and keeps the JSON and a figure.
func TestCurvature(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	curvature := func(arguments ...string) (string, error) {
		var out bytes.Buffer
		app := newApp()
		app.Writer, app.ErrWriter = &out, &bytes.Buffer{}
		err := app.RunContext(t.Context(), append([]string{"diaghess", "curvature", "--device", "cpu", "--model", "mlp", "--batch", "8",
			"--batches", "1", "--repeats", "1"}, arguments...))
		return out.String(), err
	}
	const three = "ggn-exact,gnb:samples=2,hutchinson"
	printed, err := curvature("--json", "--out", dir, "--estimators", three)
	if err != nil {
		t.Fatal(err)
	}
	var r train.CurvatureReport
	if err := json.Unmarshal([]byte(printed), &r); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
	if len(r.Estimators) != 3 || r.Estimators[1].Estimator != "gnb:samples=2" || len(r.Estimators[0].Tensors) != 22 {
		t.Errorf("%+v", r)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, "curvature.json")); err != nil || string(kept) != printed {
		t.Errorf("what is kept is not what is printed; error %v", err)
	}
	figure, err := os.Open(filepath.Join(dir, "curvature.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer figure.Close()
	if _, err := png.Decode(figure); err != nil {
		t.Error(err)
	}
	printed, err = curvature("--steps", "3", "--estimators", three)
	if err != nil || !strings.Contains(printed, "after 3 steps of adamw") || strings.Count(printed, "dense1/kernel") != 3 {
		t.Errorf("error %v, tables\n%s", err, printed)
	}
	if _, err := curvature("--estimators", "gbn"); err == nil || !strings.Contains(err.Error(), "gnb") {
		t.Errorf("a wrong estimator gives error %v", err)
	}
	if _, err := curvature("--estimators", "gnb,hutchinson,gnb:samples=1"); err == nil || !strings.Contains(err.Error(), "gnb is there twice") {
		t.Errorf("an estimator that is there twice gives error %v", err)
	}
	for name, want := range map[string]string{"curvature.json": "curvature.json", "curvature.png": "curvature.png", "study.json": "the folder of a study"} {
		dir := t.TempDir()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := curvature("--estimators", "gnb", "--out", dir)
		if content, _ := os.ReadFile(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--force") || string(content) != "mine" {
			t.Errorf("somebody's %s, now %s, gives error %v", name, content, err)
		}
		for _, flags := range [][]string{{"--estimators", "gnb", "--out", dir, "--force"}, {"--estimators", "gnb", "--out", dir}} { // then it is a comparison's
			if _, err := curvature(flags...); err != nil && name != "study.json" {
				t.Errorf("%s, %q: %v", name, flags, err)
			}
		}
	}
}
