//go:build cuda

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"diaghess/gpu/cuda/standin"
)

// A check of a card with little memory: bandwidth has not enough for its buffers and fails,
// throughput goes as far as memory does, and the rest is measured.
func TestStandInGPUCheck(t *testing.T) {
	standin.Start(t, standin.Options{Cards: []standin.Card{{Name: "Little Card", Memory: 20 << 20}}})
	r, printed, err := checkGPU(t, "--only", "bandwidth,steps,throughput,limits,epoch", "--copy-mb", "20", "--runs", "1,8", "--streams", "1,8")
	if !errors.Is(err, errGPUCheck) {
		t.Errorf("error %v", err)
	}
	if got := statuses(r); got != "bandwidth failed, steps passed, throughput passed, limits passed, epoch passed" {
		t.Errorf("parts %s in\n%s", got, printed)
	}
	if len(r.Throughput) != 1 || !strings.Contains(printed, "8 runs are too many: out of memory") || !strings.Contains(printed, "Little Card") {
		t.Errorf("printed\n%s", printed)
	}
	if len(r.Limits) != 1 || !strings.Contains(printed, "more streams do not fit") {
		t.Errorf("limits %+v, printed\n%s", r.Limits, printed)
	}
	if len(r.Steps) != 2 || r.Steps[0].Nodes < 10 {
		t.Errorf("steps %+v", r.Steps)
	}
}

// The golden cases are computed on the card that is checked.
func TestStandInGPUCheckGolden(t *testing.T) {
	standin.Start(t, standin.Options{})
	r, printed, err := checkGPU(t, "--only", "golden", "--golden", goldenCases(t, false))
	if err != nil || statuses(r) != "golden passed" || r.Parts[0].Note != "2 trajectories passed, 0 failed" {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
}

// A card that is too old is listed with the reason, and is no failure.
func TestStandInDevices(t *testing.T) {
	standin.Start(t, standin.Options{Cards: []standin.Card{{Name: "Old Card", Capability: [2]int{6, 1}}}})
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	err := app.RunContext(t.Context(), []string{"diaghess", "devices", "--list"})
	if err != nil || !strings.Contains(out.String(), "Old Card") || !strings.Contains(out.String(), "cannot be used: open cuda:0: load state.ptx") {
		t.Errorf("error %v, printed\n%s", err, out.String())
	}
}

// onStandIn runs a command on a machine with a card and returns what it printed.
func onStandIn(t *testing.T, arguments []string) (m *standin.Machine, printed string, err error) {
	m = standin.Start(t, standin.Options{})
	var out bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &bytes.Buffer{}
	err = app.RunContext(t.Context(), append([]string{"diaghess"}, arguments...))
	return m, out.String(), err
}

// A profiler records steps after the measurement, once.
func TestStandInBenchIsProfiled(t *testing.T) {
	m, out, err := onStandIn(t, strings.Fields("bench --device cuda --model mlp --batch 4 --repeats 1 --profile"))
	recorded := 0
	for _, call := range m.Calls() {
		if call == "cuProfilerStart" {
			recorded++
		}
	}
	if err != nil || recorded != 1 || !strings.Contains(out, "graph nodes") {
		t.Errorf("error %v, recorded %d times, want once; printed\n%s", err, recorded, out)
	}
}
