package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/devices"
)

// checkGPU runs gpu-check on a small network and returns its JSON and what it prints.
func checkGPU(t *testing.T, arguments ...string) (r gpuReport, printed string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "check.json")
	var out bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &bytes.Buffer{}
	err = app.RunContext(t.Context(), append([]string{"diaghess", "gpu-check", "--out", file, "--model", "mlp", "--batch", "4",
		"--block", "1", "--blocks", "1", "--time", "1ms", "--epoch-runs", "4", "--epoch-pictures", "10"}, arguments...))
	text, readErr := os.ReadFile(file)
	if readErr != nil {
		return r, out.String(), err
	}
	if jsonErr := json.Unmarshal(text, &r); jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return r, out.String(), err
}

// statuses are those of a check's parts, "steps passed".
func statuses(r gpuReport) string {
	var all []string
	for _, p := range r.Parts {
		all = append(all, p.Name+" "+p.Status)
	}
	return strings.Join(all, ", ")
}

// The emulator is measured as a GPU is.
func TestGPUCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	r, printed, err := checkGPU(t, "--device", "emu", "--only", "memcheck,golden,bandwidth,steps,throughput,limits,epoch", "--copy-mb", "1", "--runs", "1,2", "--streams", "1,2",
		"--optimizers", "adamw,diaghess:curvature=gnb,every=10")
	if err != nil {
		t.Fatal(err)
	}
	want := "memcheck skipped, golden skipped, bandwidth passed, steps passed, throughput passed, limits passed, epoch passed"
	if got := statuses(r); got != want {
		t.Errorf("parts %s, want %s", got, want)
	}
	if r.Device != "emu" || r.Description == "" || r.Bandwidth <= 0 || len(r.Steps) != 2 || len(r.Throughput) != 2 || len(r.Limits) != 2 || r.Epoch == nil {
		t.Fatalf("report %+v", r)
	}
	for i, s := range r.Steps {
		if s.Optimizer != []string{"adamw", "diaghess:curvature=gnb,every=10"}[i] || s.Step <= 0 || s.Evaluate <= 0 || len(s.Families) < 5 {
			t.Errorf("step %+v", s)
		}
	}
	for i, p := range r.Throughput {
		if p.Runs != i+1 || p.Steps < 4*p.Runs || p.Memory <= 0 || p.ImagesPerSecond != 4*p.StepsPerSecond {
			t.Errorf("throughput %+v of %d runs", p, i+1)
		}
	}
	for i, l := range r.Limits {
		if l.Streams != i+1 || l.Step <= 0 || l.Convolutions <= 0 || l.Kernels <= 0 || l.Empty <= 0 {
			t.Errorf("limits %+v of %d streams", l, i+1)
		}
	}
	if e := *r.Epoch; e.Runs != 4 || e.Pictures != 10 || e.Dataset != "random pictures" || e.Start <= 0 || e.Epoch <= 0 {
		t.Errorf("epoch %+v", e)
	}
	for _, words := range []string{"golden      SKIPPED", "a step of diaghess", "floor/time", "runs at once", "streams at once", "2 streams: ", "on 10 random pictures"} {
		if !strings.Contains(printed, words) {
			t.Errorf("%q is not in\n%s", words, printed)
		}
	}
}

// A part that fails is reported, the next ones have their turn, and the check fails.
func TestGPUCheckFails(t *testing.T) {
	r, printed, err := checkGPU(t, "--device", "emu", "--only", "steps,limits,bandwidth", "--copy-mb", "1", "--optimizers", "adamw:warmup=1000")
	if !errors.Is(err, errGPUCheck) || statuses(r) != "bandwidth passed, steps failed, limits failed" {
		t.Errorf("error %v, parts %s", err, statuses(r))
	}
	if !strings.Contains(printed, "steps       FAILED") || !strings.Contains(r.Parts[1].Note, "warm-up") {
		t.Errorf("printed\n%s\nnote %q", printed, r.Parts[0].Note)
	}
	for _, arguments := range [][]string{{"--optimizers", "unheard-of"}, {"--only", "steps,nothing"}, {"--runs", "0"}, {"--streams", "1,x"}, {"--epoch-runs", "0"}, {"--epoch-pictures", "50001"}, {"--copy-mb", "0"}, {"--device", "cuda:999"}} {
		if r, _, err := checkGPU(t, arguments...); err == nil || errors.Is(err, errGPUCheck) || len(r.Parts) > 0 {
			t.Errorf("%v: error %v, parts %s", arguments, err, statuses(r))
		}
	}
}

// The pilot's study has 10 times the runs, 50 times the epochs and 5 times the pictures of this one.
func TestProjectEpoch(t *testing.T) {
	r := epochReport{Runs: 4, Pictures: 10_000, Start: 3, Epoch: 2}
	r.project()
	if want := 3 + 2.0*10*50*5; math.Abs(r.Study-want) > 1e-9*want {
		t.Errorf("projected %v s, want %v", r.Study, want)
	}
}

// CIFAR-10 is taken where its files are there, and random pictures elsewhere.
func TestEpochPictures(t *testing.T) {
	for pictures, want := range map[int]string{pilotPictures: "cifar10", 20: "random pictures"} {
		folder := t.TempDir()
		on := shelf(folder)
		sizes := map[string]int64{"test_batch.bin": 30_730_000}
		for i := range 5 {
			sizes[fmt.Sprintf("data_batch_%d.bin", i+1)] = 30_730_000
		}
		for file, size := range sizes {
			path := filepath.Join(folder, "cifar10", file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644), os.Truncate(path, size)); err != nil {
				t.Fatal(err)
			}
		}
		e := epochCheck{runs: 1, pictures: pictures, data: on}
		name, on, err := e.pictureSet(t.Context())
		if name != want || err != nil {
			t.Errorf("%d pictures: %q, want %q; error %v", pictures, name, want, err)
		}
		if status, err := on.Describe(name); err != nil || status.Train != pictures || status.Test != pictures/5 || status.Classes != 10 {
			t.Errorf("%d pictures: %+v, error %v", pictures, status, err)
		}
	}
}

// script writes an executable shell script.
func script(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// What a sanitizer says becomes the part's outcome.
func TestGPUCheckSanitizer(t *testing.T) {
	const memcheck, racecheck = "========= ERROR SUMMARY: ", "========= RACECHECK SUMMARY: "
	for name, c := range map[string]struct {
		sanitizer string // script
		note      string // of the part
		fails     bool
	}{
		"memcheck is clean":  {sanitizer: "echo '" + memcheck + "0 errors'", note: "ERROR SUMMARY: 0 errors"},
		"racecheck is clean": {sanitizer: "echo '" + racecheck + "0 hazards displayed (0 errors, 0 warnings)'", note: "RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"},
		"memcheck finds":     {sanitizer: "echo '" + memcheck + "10 errors'", note: "ERROR SUMMARY: 10 errors", fails: true},
		"racecheck finds":    {sanitizer: "echo '" + racecheck + "1 hazard displayed (0 errors, 1 warning)'", note: "RACECHECK SUMMARY: 1 hazard displayed (0 errors, 1 warning)", fails: true},
		"the program fails":  {sanitizer: "echo '" + memcheck + "0 errors'; exit 1", note: "ERROR SUMMARY: 0 errors", fails: true},
		"no summary":         {sanitizer: "true", fails: true},
		"the command":        {sanitizer: `echo "========= SUMMARY: $*"`, note: "SUMMARY: --tool memcheck --error-exitcode 1 --report-api-errors no PROGRAM devices --device cuda:1 --math fp32"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			g := &gpuCheck{options: devices.Options{Name: "cuda:1"}, program: filepath.Join(folder, "diaghess")}
			g.report.Device, g.workload.Math = "cuda:1", gpu.MathFP32
			g.sanitizer = filepath.Join(folder, "compute-sanitizer")
			script(t, g.sanitizer, c.sanitizer)
			note, err := g.sanitize(t.Context(), "memcheck")
			if want := strings.ReplaceAll(c.note, "PROGRAM", g.program); note != want || (err != nil) != c.fails {
				t.Errorf("note %q, error %v; want %q, an error: %t", note, err, want, c.fails)
			}
		})
	}
	g := &gpuCheck{options: devices.Options{Name: "cuda:1"}, program: filepath.Join(t.TempDir(), "diaghess")}
	var skip skipped
	t.Setenv("PATH", "")
	t.Setenv("CUDA_HOME", "")
	if _, err := g.sanitize(t.Context(), "memcheck"); !errors.As(err, &skip) {
		t.Errorf("without compute-sanitizer: %v", err)
	}
}

// goldenCases copies golden cases of little work into a folder. wrong changes a constant
// of the update rule in one of them.
func goldenCases(t *testing.T, wrong bool) string {
	t.Helper()
	const from = "../../train/golden/testdata"
	to := t.TempDir()
	text, err := os.ReadFile(filepath.Join(from, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Cases map[string]map[string]any `json:"cases"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(manifest.Cases, func(name string, _ map[string]any) bool { return name != "optim_h0" && name != "mlp_two" })
	for name := range manifest.Cases {
		if text, err = os.ReadFile(filepath.Join(from, name+".npz")); err == nil {
			err = os.WriteFile(filepath.Join(to, name+".npz"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if wrong {
		manifest.Cases["optim_h0"]["config"].(map[string]any)["hyper"].(map[string]any)["beta1"] = 0.8
	}
	if text, err = json.Marshal(manifest); err == nil {
		err = os.WriteFile(filepath.Join(to, "manifest.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// The golden cases are counted, a wrong one is told, and a folder without any is skipped.
func TestCheckGolden(t *testing.T) {
	card := devices.Options{Name: "emu", Library: "gonum"}
	note, err := checkGolden(t.Context(), goldenCases(t, false), card)
	if note != "2 trajectories passed, 0 failed" || err != nil {
		t.Errorf("note %q, error %v", note, err)
	}
	note, err = checkGolden(t.Context(), goldenCases(t, true), card)
	if note != "1 trajectories passed, 1 failed" || err == nil || !strings.Contains(err.Error(), "optim_h0") {
		t.Errorf("a case with another constant: note %q, error %v", note, err)
	}
	var skip skipped
	if _, err := checkGolden(t.Context(), t.TempDir(), card); !errors.As(err, &skip) {
		t.Errorf("an empty folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := checkGolden(ctx, goldenCases(t, false), card); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// A result that could not be kept is said before the first part, and nothing else is replaced.
func TestGPUCheckOut(t *testing.T) {
	folder := t.TempDir()
	mine := filepath.Join(folder, "mine.json")
	if err := os.WriteFile(mine, []byte(`{"mine": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{mine, folder, filepath.Join(folder, "none", "check.json"), os.DevNull} {
		_, said, err := runApp(t, "gpu-check", "--device", "cpu", "--only", "bandwidth", "--copy-mb", "1", "--out", file)
		if err == nil || !strings.Contains(err.Error(), "--out") || strings.Contains(said, "bandwidth") {
			t.Errorf("%s: error %v, said %q", file, err, said)
		}
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != `{"mine": 1}` {
		t.Errorf("%s %v", text, err)
	}
	last := filepath.Join(folder, "last.json")
	for range 2 { // a check's result makes room for the next one's
		if _, _, err := runApp(t, "gpu-check", "--device", "cpu", "--only", "bandwidth", "--copy-mb", "1", "--out", last); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := runApp(t, "gpu-check", "--device", "cpu", "--only", "epoch", "--epoch-runs", "3"); err == nil || !strings.Contains(err.Error(), "a multiple of 2") {
		t.Error(err)
	}
}

// A study that its device cannot do leaves nothing behind.
func TestRefusedDeviceLeavesNoPlan(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, flags := range [][]string{{"--device", "cpu", "--math", "tf32"}, {"--device", "cuda:1,cpu"}, {"--device", "cuda:-1"}} {
		if _, _, err := runApp(t, append([]string{"study", "--datasets", "digits", "--model", "mlp", "--optimizers", "adamw,sgd", "--out", out}, flags...)...); err == nil {
			t.Errorf("%q is no error", flags)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%q leaves a folder", flags)
		}
	}
}
