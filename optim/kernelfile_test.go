package optim_test

import (
	"math"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim"
)

const heavyball = "ptx:testdata/heavyball.ptx"

// A kernel of one's own gives the bits of the rule file with the same formulas.
func TestKernelFile(t *testing.T) {
	const text = `rule heavyball "the formulas of the kernel"
key lr = 0.05 in (0, inf) log "learning rate"
key momentum = 0.9 in [0, 1) "decay of the velocity"
slot v
v = momentum * v - g * lr
w += v
`
	device, err := emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckFull, Library: "gonum"})
	check(t, err)
	const settings = ":momentum=0.75,schedule=cosine,warmup=1"
	got := byHand{Spec: heavyball + settings, H: "none"}.run(t, device)
	want := byHand{Spec: "rule:" + write(t, "heavyball.rule", text) + settings, H: "none"}.run(t, device)
	if len(got) != 2 || len(want) != 2 {
		t.Fatalf("%d and %d arrays, want w and v", len(got), len(want))
	}
	for name, x := range want {
		for i, v := range x {
			if math.Float32bits(got[name][i]) != math.Float32bits(v) {
				t.Fatalf("%s, element %d: %v, by the formulas %v", name, i, got[name][i], v)
			}
		}
	}
}

func TestKernelFileErrors(t *testing.T) {
	rule := parse(t, heavyball)
	if optim.CheckDevice(rule, "emu") != nil || optim.CheckDevice(rule, "cuda:0") != nil || optim.CheckDevice(parse(t, "lion"), "cpu") != nil {
		t.Error("a device that has kernels is refused")
	}
	p := newProblem(t)
	_, err := optim.New(p.stream, rule, p.tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, gpu.Slice[float32]{}, false)
	if err == nil || !strings.Contains(err.Error(), "a kernel in PTX does not run on the device cpu: choose --device emu") {
		t.Errorf("on the cpu: %v", err)
	}
	text := optim.Source(rule)
	name := "heavyball@" + digest(text)
	again, err := optim.Texts{name: text}.Parse(name + ":momentum=0.5")
	check(t, err)
	if optim.Spec(again) != name+":momentum=0.5" {
		t.Errorf("from its text it is %s", optim.Spec(again))
	}
	run := optim.Length{Steps: 10, StepsPerEpoch: 10}
	check(t, optim.Check(rule, nil, run))
	for old, c := range map[string]struct{ now, want string }{
		"setp.ge.u32 %done":        {"setp.gt.u32 %done", "tried in the emulator with the parameters w, g, v, chunks, state, steps, momentum: emu: update: kernel rule_heavyball: "},
		"  .param .f32 momentum\n": {"  .param .f32 momentum, .param .f32 more\n", "entry rule_heavyball has 8 parameters, it is called with 7"},
		"st.global.f32 [%pv]":      {"st.global.f32 [%pg]", "step 1, emu: element 0 of 37 of g is "},
		"@%done bra END":           {"@%done bra LOOP", "instruction budget spent: endless loop"},
		"ld.global.f32 %x, [%pg]":  {"ld.global.f32 %x, [%pg+-4]", "(4 bytes before the start of the buffer made after "},
		"entry rule_heavyball":     {"entry heavyball", "the PTX has no entry rule_heavyball"},
	} {
		changed := strings.Replace(text, old, c.now, 1)
		if changed == text {
			t.Fatalf("%q is not in the kernel", old)
		}
		wrong := parse(t, "ptx:"+write(t, "my.ptx", changed))
		if err := optim.Check(wrong, nil, run); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in place of %q: %v, want %q", c.now, old, err, c.want)
		}
	}
	// It is tried with its keys: this one reads as far behind g as its momentum says.
	far := write(t, "far.ptx", strings.NewReplacer("0.9 in [0, 1)", "0 in [0, inf)",
		"add.u32 %at, %offset, %i;", "cvt.rzi.u32.f32 %at, %momentum;\nadd.u32 %at, %at, %offset;\nadd.u32 %at, %at, %i;").Replace(text))
	check(t, optim.Check(parse(t, "ptx:"+far), nil, run))
	if err := optim.Check(parse(t, "ptx:"+far+":momentum=1e6"), nil, run); err == nil || !strings.Contains(err.Error(), "access out of bounds") {
		t.Errorf("far behind g: %v", err)
	}
	for spec, want := range map[string]string{
		"ptx:my.rule": "give a file whose name ends in .ptx",
		"ptx:" + write(t, "my.ptx", ".version 7.0\n"): `my.ptx:1:1: no line begins with "//!"`,
		"rule:" + write(t, "kernel.rule", text):       "kernel.rule:1:3: unexpected",
		"ptx:" + write(t, "rule.ptx", plain):          `rule.ptx:1:1: no line begins with "//!"`,
	} {
		if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
