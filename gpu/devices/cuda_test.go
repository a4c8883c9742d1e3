//go:build cuda

package devices

import (
	"fmt"
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
		"card in exclusive use":    {standin.Options{Cards: []standin.Card{{Fault: fault("cuDevicePrimaryCtxRetain", 46)}, good}}, "0", "cuda:1", "cuda:0: another process", ""},
		"lost card":                {standin.Options{Cards: []standin.Card{{Fault: fault("cuModuleLoadDataEx", 214)}, good}}, "0", "cuda:1", "cuda:0: the card is lost", ""},
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

// The cards are those of CUDA_VISIBLE_DEVICES, in its order, as the driver reads it; cuda:N counts
// them. Where it hides all, the error says so.
func TestStandInVisibleCards(t *testing.T) {
	machine := standin.Options{Obey: true, Cards: []standin.Card{
		{Name: "A", UUID: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"},
		{Name: "B", UUID: "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6"},
		{Name: "C", UUID: "GPU-11112222-3333-4444-5555-666677778888"},
		{Name: "D MIG 1g.10gb", UUID: "MIG-9f3b2c1d-0000-5000-8000-000000000001"},
	}}
	for list, want := range map[string]string{
		"0,1,2": "ABC", "2,0": "CA", "1": "B", "0,2,-1,1": "AC", "0,9,1": "A", "1,none": "B",
		"GPU-1111": "C", "GPU-8932f,GPU-1": "AC", "GPU-8932": "", "GPU-1,GPU-8932,0": "C", "GPU-1111,x,0": "C",
		"MIG-9f3b2c1d-0000-5000-8000-000000000001": "D", "": "", "-1": "", "9": "", "none": "", "0,0": "", " 1, 0": "BA",
	} {
		t.Run(list, func(t *testing.T) {
			t.Setenv("CUDA_VISIBLE_DEVICES", list)
			standin.Start(t, machine)
			cards, err := GPUs()
			names, allErr := All("cuda")
			seen := ""
			for _, card := range cards {
				seen += card.Description[:1]
			}
			if seen != want || len(names) != len(want) {
				t.Errorf("cards %q, %v; want %q", seen, names, want)
			}
			if want != "" {
				device, err := Open(Options{Name: names[len(names)-1]})
				if err != nil {
					t.Fatal(err)
				}
				if last := want[len(want)-1:]; !strings.HasPrefix(device.Description(), last) {
					t.Errorf("%s is %s, want %s", device.Name(), device.Description(), last)
				}
				if err := device.Close(); err != nil {
					t.Error(err)
				}
				if _, err := All("cuda:0,cuda:9"); err == nil || !strings.Contains(err.Error(), "see diaghess devices") {
					t.Errorf("a card too many: error %v", err)
				}
				return
			}
			for _, err := range []error{err, allErr} {
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("there is no card with CUDA_VISIBLE_DEVICES=%q", list)) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

// OfKind finds a card of a kind wherever it is.
func TestStandInOfKind(t *testing.T) {
	standin.Start(t, standin.Options{Cards: []standin.Card{{Name: "A"}, {Name: "B"}, {Name: "B"}}})
	const kind = "B, compute capability 9.0, 132 multiprocessors"
	for name, want := range map[string]string{"cuda:0": "cuda:1", "cuda:2": "cuda:2", "cuda:7": "cuda:1"} {
		if got := OfKind(name, kind); got != want {
			t.Errorf("for %s: %s, want %s", name, got, want)
		}
	}
	if got := OfKind("cuda:7", "C"); got != "cuda:7" {
		t.Errorf("where there is none: %s, want the name", got)
	}
}
