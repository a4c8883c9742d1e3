//go:build cuda

package devices

import (
	"strings"
	"testing"

	"diaghess/gpu/cuda/standin"
	"diaghess/kernels/kerneltest"
)

// The self-test passes on the stand-in, and auto chooses it.
func TestStandInSelfTest(t *testing.T) {
	standin.Start(t, standin.Options{})
	name, why, err := Choose(Options{})
	if name != "cuda:0" || !strings.Contains(why, "Stand-in") || err != nil {
		t.Fatalf("auto is %s (%s), error %v", name, why, err)
	}
	device, err := Open(Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	checks, err := kerneltest.SelfTest(t.Context(), device)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d checks", checks)
}

// auto is the first card that works, else the cpu, and says what is wrong with the first;
// the card itself is refused, with more words.
func TestStandInAuto(t *testing.T) {
	old, good := standin.Card{Capability: [2]int{6, 1}}, standin.Card{}
	fault := func(name string, status int32) standin.Fault {
		return standin.Fault{Name: name, Call: 1, Status: status}
	}
	for name, c := range map[string]struct {
		machine        standin.Options
		override       string // NVIDIA_TF32_OVERRIDE
		auto, why, err string
	}{
		"old card":                 {standin.Options{Cards: []standin.Card{old}}, "0", "cpu", "cuda:0: older than compute capability 7.5", "error 209"},
		"old card and another":     {standin.Options{Cards: []standin.Card{old, old, good}}, "0", "cuda:2", "cuda:0: older than compute capability 7.5", "error 209"},
		"old driver":               {standin.Options{PTX: "6.5"}, "0", "cpu", "cuda:0: the PTX is newer than this driver", "error 222"},
		"card in exclusive use":    {standin.Options{Cards: make([]standin.Card, 2), Fault: fault("cuDevicePrimaryCtxRetain", 46)}, "0", "cuda:1", "cuda:0: another process", ""},
		"no cuDNN":                 {standin.Options{NoCuDNN: true}, "0", "cpu", "cuda:0: no usable cuDNN", "CUDNN_LIB"},
		"cuDNN fails":              {standin.Options{Fault: fault("cudnnCreate", 0)}, "0", "cpu", "cuda:0: make a stream: cudnnCreate", ""},
		"no engine":                {standin.Options{Fault: fault("cudnnBackendFinalize", 0)}, "0", "cpu", "cudnnBackendFinalize", ""},
		"no card":                  {standin.Options{Cards: []standin.Card{}}, "0", "cpu", "there is no card", "no card of this number"},
		"stub":                     {standin.Options{Fault: fault("cuInit", 34)}, "0", "cpu", "no usable CUDA driver: a stub library", ""},
		"arithmetic by the system": {standin.Options{}, "1", "cpu", "cuda:0: NVIDIA_TF32_OVERRIDE=1 contradicts", "--math fp32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NVIDIA_TF32_OVERRIDE", c.override)
			standin.Start(t, c.machine)
			chosen, why, err := Choose(Options{})
			if chosen != c.auto || !strings.Contains(why, c.why) || err != nil {
				t.Errorf("auto is %s (%s), error %v; want %s (%s)", chosen, why, err, c.auto, c.why)
			}
			if c.err == "" {
				return // the fault is past
			}
			if _, err = Open(Options{Name: "cuda"}); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("cuda: error %v, want one with %q", err, c.err)
			}
		})
	}
}
