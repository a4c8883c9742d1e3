//go:build cuda

package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu/ptx"
	"diaghess/train"
)

// tinyStudy is two runs of a few steps on a GPU: a second or so on a stand-in.
func tinyStudy(out string) *Study {
	s := smallStudy(out)
	s.Device, s.Parallel = "cuda", 1
	s.Epochs, s.Limit, s.Batch, s.Seeds = 1, 64, 64, []int{0}
	return s
}

// onStandIn runs a study on a stand-in machine.
func onStandIn(t *testing.T, machine standin.Options, s *Study) map[string]string {
	t.Helper()
	var files map[string]string
	t.Run("run", func(t *testing.T) { // whose end looks for what is left
		standin.Start(t, machine)
		files = runStudy(t, s)
	})
	return files
}

// withoutMachine drops what a record says of its device.
func withoutMachine(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	for name, text := range files {
		if filepath.Base(name) != "config.json" {
			continue
		}
		var config map[string]any
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
		delete(config, "device")
		delete(config, "card")
		delete(config, "algorithms")
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// TestStandInStudyLeavesTheEmulatorsRecord trains on the production code for GPUs and on
// the emulator. Both interpret the same PTX, and add their products up in the same order,
// so that every bit of the records must be the same.
func TestStandInStudyLeavesTheEmulatorsRecord(t *testing.T) {
	for _, c := range []struct {
		model                string
		epochs, limit, batch int
		optimizers           string
		parallel             []int
	}{
		{"mlp", 2, 100, 32, "adamw,diaghess", []int{1, 2}},
		{"pilotcnn", 1, 32, 64, "diaghess", []int{1}},
	} {
		t.Run(c.model, func(t *testing.T) {
			study := func(device string) *Study {
				s := smallStudy(t.TempDir())
				s.Model, s.Epochs, s.Limit, s.Batch, s.Optimizers, s.Seeds = c.model, c.epochs, c.limit, c.batch, rules(c.optimizers), []int{0}
				s.Device = device
				return s
			}
			want := withoutMachine(t, runStudy(t, study("emu")))
			for order, parallel := range c.parallel {
				s := study("cuda")
				s.Parallel = parallel
				got := onStandIn(t, standin.Options{Check: ptx.CheckMemory, Seed: uint64(order)}, s)
				compareStudies(t, withoutMachine(t, got), want)
			}
		})
	}
}

// An interrupted study goes on with the same bits, through the host's order of filters
// in checkpoints.
func TestStandInStudyGoesOn(t *testing.T) {
	study := func() *Study {
		s := tinyStudy(t.TempDir())
		s.Limit = 5 * 64
		return s
	}
	want := onStandIn(t, standin.Options{}, study())
	s := study()
	t.Run("interrupted", func(t *testing.T) {
		standin.Start(t, standin.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := s.Run(ctx, &stopper{steps: 7, stop: cancel}); !errors.Is(err, ErrStopped) {
			t.Fatalf("an interrupted study returned %v", err)
		}
	})
	compareStudies(t, onStandIn(t, standin.Options{}, s), want)
}

// A profiler is shown a few steps once a run is warm, also where an epoch ends then; a
// run too short for that is said to be.
func TestStandInStudyIsProfiled(t *testing.T) {
	for _, c := range []struct {
		pictures, epochs int
		traces           int
	}{
		{(train.ProfileAfter + 1) * 8, 1, 1}, {(train.ProfileAfter/2 + 1) * 8, 2, 1}, {train.ProfileAfter * 8, 1, 0},
	} {
		m := standin.Start(t, standin.Options{})
		s := tinyStudy(t.TempDir())
		s.Batch, s.Limit, s.Epochs, s.Profile = 8, c.pictures, c.epochs, true
		s.Optimizers = s.Optimizers[:1]
		err := s.Run(t.Context(), nil)
		traces := 0
		for _, call := range m.Calls() {
			if call == "cuProfilerStart" {
				traces++
			}
		}
		if traces != c.traces || (err == nil) != (c.traces > 0) {
			t.Errorf("%d pictures, %d epochs: recorded %d times, want %d; error %v", c.pictures, c.epochs, traces, c.traces, err)
		}
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "nothing for a profiler") {
			t.Errorf("a run that has ended is profiled: error %v", err)
		}
	}
}

// faults picks calls of a study: of each function one in the middle and the last, so that
// both runs and everything around them are met.
func faults(calls []string) []int {
	places := map[string][]int{}
	for i, name := range calls {
		places[name] = append(places[name], i+1)
	}
	picked := map[int]bool{}
	for _, p := range places {
		picked[p[len(p)/2]], picked[p[len(p)-1]] = true, true
	}
	return slices.Sorted(maps.Keys(picked))
}

// TestStandInStudyFails makes calls of a study of two runs fail, each in a study of its
// own. The study must end with an error, in time, with nothing left over; a run that has
// ended keeps its record, and the same study goes on from there, without the fault, to
// the record of one that was not disturbed.
func TestStandInStudyFails(t *testing.T) {
	// As long as a hundred of them take.
	const patience = 60 * time.Second
	var calls []string
	var want map[string]string
	reference := tinyStudy(t.TempDir())
	t.Run("none", func(t *testing.T) {
		m := standin.Start(t, standin.Options{})
		want = runStudy(t, reference)
		calls = m.Calls()
	})
	picked := faults(calls)
	t.Logf("%d of %d calls", len(picked), len(calls))
	for i, call := range picked {
		name := calls[call-1]
		t.Run(fmt.Sprintf("%d %s", call, name), func(t *testing.T) {
			s := tinyStudy(t.TempDir())
			t.Run("fault", func(t *testing.T) {
				fault := standin.Fault{Call: call}
				if i%4 == 0 && !strings.HasPrefix(name, "cudnn") {
					fault.Status = 700 // the context is broken from then on
				}
				m := standin.Start(t, standin.Options{Fault: fault})
				ended := make(chan error, 1)
				go func() { ended <- s.Run(t.Context(), nil) }()
				select {
				case err := <-ended:
					if err == nil && name != "cuDriverGetVersion" && name != "cuGraphDestroy" {
						t.Error("the study ended well")
					}
				case <-time.After(patience):
					t.Fatal("hangs")
				}
				for words, kind := range map[string]string{"SetTensor": "tensor descriptor", "SetFilter": "filter descriptor", "SetConvolution": "convolution descriptor"} {
					if strings.HasPrefix(name, "cudnn"+words) && m.Live()[kind] == 1 {
						m.Abandon(kind) // lost in cu/dnn
					}
				}
			})
			// What has ended is as it should be, and the rest has no end.
			for path, text := range readStudy(t, s.Out) {
				if base := filepath.Base(path); base == "final.json" && text != want[path] {
					t.Errorf("%s is\n%s\nwant\n%s", path, text, want[path])
				}
			}
			if i%8 == 0 {
				compareStudies(t, onStandIn(t, standin.Options{}, s), want)
			}
		})
	}
}

// What a user can do about is in the error.
func TestStandInStudyErrors(t *testing.T) {
	for name, c := range map[string]struct {
		machine  standin.Options
		parallel int
		words    []string
	}{
		"driver too old":  {standin.Options{PTX: "6.4"}, 1, []string{"error 222", "update the driver"}},
		"another cuDNN":   {standin.Options{CuDNN: 7605}, 1, []string{"7605", "cuDNN"}},
		"out of memory":   {standin.Options{Cards: []standin.Card{{Memory: 1 << 20}}}, 1, []string{"out of memory", "--batch"}},
		"no driver there": {standin.Options{Fault: standin.Fault{Name: "cuInit", Call: 1, Status: 100}}, 1, []string{"no CUDA-capable device"}},
	} {
		t.Run(name, func(t *testing.T) {
			standin.Start(t, c.machine)
			s := tinyStudy(t.TempDir())
			s.Parallel = c.parallel
			err := s.Run(t.Context(), nil)
			for _, w := range c.words {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v, want one with %q", err, w)
				}
			}
		})
	}
}

// Where only one of two runs has room, the error says so: that run is worth its memory.
func TestStandInStudyRoom(t *testing.T) {
	var most uint64
	programs := func(m *standin.Machine) (n int) {
		for _, call := range m.Calls() {
			if call == "cuGraphInstantiateWithFlags" {
				n++
			}
		}
		return n
	}
	want := 0
	t.Run("alone", func(t *testing.T) {
		m := standin.Start(t, standin.Options{})
		runStudy(t, tinyStudy(t.TempDir()))
		_, most = m.Used(0)
		want = programs(m)
	})
	t.Run("two", func(t *testing.T) {
		standin.Start(t, standin.Options{Cards: []standin.Card{{Memory: most}}})
		s := tinyStudy(t.TempDir())
		s.Parallel = 2
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "--parallel 1") {
			t.Errorf("error %v, want one with --parallel 1", err)
		}
		s.Parallel = 1
		runStudy(t, s)
	})
	t.Run("chosen", func(t *testing.T) {
		standin.Start(t, standin.Options{Cards: []standin.Card{{Memory: most + most/4}}})
		s := tinyStudy(t.TempDir())
		s.Parallel = 0
		runStudy(t, s)
	})
	t.Run("roomy", func(t *testing.T) {
		m := standin.Start(t, standin.Options{})
		s := tinyStudy(t.TempDir())
		s.Parallel = 0
		runStudy(t, s)
		if got := programs(m); got != want {
			t.Errorf("%d programs, want %d: what was made to measure memory was not trained", got, want)
		}
	})
}
