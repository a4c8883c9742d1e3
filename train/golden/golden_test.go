package golden

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim"
)

// environment names the folder of the cases; it must be absolute, since a test
// runs in its package's folder.
const environment = "DIAGHESS_GOLDEN"

// tested are the kinds of case that have a test, and untested those that are
// known and have none: mlp_orig is of a rule that this project does not have.
var (
	tested   = []string{"optim", "optim_baselines", "cnn", "cnn_full", "cnn_curv", "mlp", "mlp_hsolve"}
	untested = []string{"mlp_orig"}
)

func openSet(t *testing.T) *Set {
	t.Helper()
	folder := os.Getenv(environment)
	if folder == "" {
		folder = "testdata"
	}
	set, err := Open(folder)
	if err != nil {
		t.Fatalf("%v (the folder is %q; %s must be absolute)", err, folder, environment)
	}
	return set
}

func TestGoldenKinds(t *testing.T) {
	for _, kind := range openSet(t).Kinds() {
		switch {
		case slices.Contains(untested, kind):
			t.Logf("kind %s has no test yet", kind)
		case !slices.Contains(tested, kind):
			t.Errorf("kind %s is not known: test it, or name it in untested", kind)
		}
	}
}

// eachCase runs body on all cases of a kind.
func eachCase(t *testing.T, kind string, body func(t *testing.T, c *Case)) {
	cases := must(openSet(t).Cases(kind))(t)
	if len(cases) == 0 {
		t.Skipf("the folder has no case of kind %s", kind)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { body(t, c) })
	}
}

// machine is a way to compute a case.
type machine struct {
	name string
	open func(t *testing.T, threads int) (gpu.Device, error)
}

// cpus are the cpu device with every convolution library that is built in.
func cpus() []machine {
	var all []machine
	for _, library := range cpu.Libraries() {
		all = append(all, machine{library, func(_ *testing.T, threads int) (gpu.Device, error) {
			return cpu.New(cpu.Options{Threads: threads, Library: library})
		}})
	}
	return all
}

// deviceEnvironment names a GPU that the cases are computed on too, cuda:0. Other devices
// than it and the cpus then have no turn.
const deviceEnvironment = "DIAGHESS_GOLDEN_DEVICE"

// machines are the cpus, the emulator, which runs the kernels' PTX and checks it, and
// where they are built in the gpus.
func machines() []machine {
	if os.Getenv(deviceEnvironment) != "" {
		return fast()
	}
	emulator := machine{"emu", func(_ *testing.T, threads int) (gpu.Device, error) {
		return emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckMemory, Threads: threads, Library: "gonum"})
	}}
	return append(append(cpus(), emulator), standIns()...)
}

// fast are the cpus and the GPU of deviceEnvironment: the machines that are fast enough
// for the whole network.
func fast() []machine {
	name := os.Getenv(deviceEnvironment)
	if name == "" {
		return cpus()
	}
	return append(cpus(), machine{"cuda", func(*testing.T, int) (gpu.Device, error) {
		return devices.Open(devices.Options{Name: name})
	}})
}

// each computes results on every machine, with one thread and with two, demands
// the same bits of both, and hands them to check.
func each(t *testing.T, machines []machine, compute func(t *testing.T, stream gpu.Stream) results, check func(t *testing.T, r results)) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			run := func(threads int) results {
				device := must(m.open(t, threads))(t)
				defer device.Close()
				stream := must(device.NewStream())(t)
				defer stream.Close()
				return compute(t, stream)
			}
			r := run(1)
			sameBits(t, "1 and 2 threads", r, run(2))
			check(t, r)
		})
	}
}

// hyper holds a rule's constants under the names of a case.
type hyper map[string]any

// keys are the names that a spec has for those of a case, where they differ.
var keys = map[string]string{"weight_decay": "weight-decay", "lam0": "lambda"}

// rule makes an optimizer of a case: custom is the pilot's rule, NAME_legacy
// Keras's legacy one, and NAME_anything else NAME with other constants.
func (h hyper) rule(t *testing.T, name string) optim.Rule {
	t.Helper()
	base, variant, _ := strings.Cut(name, "_")
	if base == "custom" {
		base = "diaghess"
	}
	var settings []string
	for key, value := range h {
		if k, ok := keys[key]; ok {
			key = k
		}
		settings = append(settings, fmt.Sprintf("%s=%v", key, value))
	}
	if variant == "legacy" {
		settings = append(settings, "legacy=true")
	}
	return must(optim.Parse(base + ":" + strings.Join(settings, ",")))(t)
}

func (h hyper) number(t *testing.T, key string) float64 {
	t.Helper()
	v, ok := h[key].(float64)
	if !ok {
		t.Fatalf("the case's hyper-parameters %v have no number %s", h, key)
	}
	return v
}

// download returns the elements of device memory.
func download[E gpu.Element](t *testing.T, s gpu.Stream, from gpu.Slice[E]) []E {
	t.Helper()
	to := make([]E, from.Len())
	if err := gpu.Download(s, to, from); err != nil {
		t.Fatal(err)
	}
	return to
}

func upload[E gpu.Element](t *testing.T, s gpu.Stream, to gpu.Slice[E], from []E) {
	t.Helper()
	if to.Len() != len(from) {
		t.Fatalf("the case has %d elements for a tensor of %d", len(from), to.Len())
	}
	if err := gpu.Upload(s, to, from); err != nil {
		t.Fatal(err)
	}
}

// uploadParameter and downloadParameter copy a parameter, its gradient or a slot of it:
// to is Value, Gradient or a part of an arena.
func uploadParameter(t *testing.T, s gpu.Stream, p *layers.Parameter, to gpu.Slice[float32], from []float32) {
	t.Helper()
	if to.Len() != len(from) {
		t.Fatalf("the case has %d elements for %s with %d", len(from), p.Name, to.Len())
	}
	if err := p.Upload(s, to, from); err != nil {
		t.Fatal(err)
	}
}

func downloadParameter(t *testing.T, s gpu.Stream, p *layers.Parameter, from gpu.Slice[float32]) []float32 {
	t.Helper()
	to := make([]float32, from.Len())
	if err := p.Download(s, to, from); err != nil {
		t.Fatal(err)
	}
	return to
}

// compile compiles what record records.
func compile(t *testing.T, s gpu.Stream, record func(r *gpu.Recorder)) gpu.Program {
	t.Helper()
	var r gpu.Recorder
	record(&r)
	return must(s.Compile(r.Ops()))(t)
}

func runProgram(t *testing.T, s gpu.Stream, p gpu.Program) {
	t.Helper()
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Fatal(err)
	}
}
