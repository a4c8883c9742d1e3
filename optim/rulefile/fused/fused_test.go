package fused_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu/ptx"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
)

// A tensor of one element, some with a tail, and two chunks that are full.
var sizes = []int{37, 5917, 693, 1, 8192}

// variants are the programs of a rule: with what may be known of h, and boolean keys the other
// way round.
func variants(t testing.TB, text string, each func(name string, p *rulefile.Program, h rulefile.Diagonal)) {
	rule := compiled(t, text, nil, rulefile.NoDiagonal).Rule
	diagonals := map[string]rulefile.Diagonal{"": rulefile.NoDiagonal}
	if rule.Curvature != nil {
		diagonals[" h"], diagonals[" h>=0"] = rulefile.AnyDiagonal, rulefile.NonNegativeDiagonal
	}
	booleans := []map[string]bool{nil}
	for _, key := range rule.Keys {
		if key.Boolean {
			booleans = append(booleans, map[string]bool{key.Name: key.Default == 0})
		}
	}
	for name, h := range diagonals {
		for _, values := range booleans {
			if values != nil {
				each(fmt.Sprint(rule.Name, name, " ", values), compiled(t, text, values, h), h)
			} else {
				each(rule.Name+name, compiled(t, text, nil, h), h)
			}
		}
	}
}

// Each rule gives the same bits by the interpreter, by the Go body however its blocks are
// divided, and by PTX, in which the emulator finds no fault, races included.
func TestBits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	cpu := openCPU(t)
	for _, text := range ruleFiles(t) {
		variants(t, text, func(name string, p *rulefile.Program, h rulefile.Diagonal) {
			for _, special := range []bool{false, true} {
				c := newTrial(p, 4, sizes...)
				if c.special = special; special {
					name += " special"
					if testing.Short() {
						return
					}
				}
				t.Run(name, func(t *testing.T) { compare(t, c, h, cpuAndEmulator(t, c, h, cpu)) })
			}
		})
	}
}

// runner does a step, with the inputs in place.
type runner struct {
	name string
	*bound
	run func() error
}

// cpuAndEmulator are a trial by all devices of this machine.
func cpuAndEmulator(t testing.TB, c *trial, h rulefile.Diagonal, cpu gpu.Stream) []runner {
	k := kernelsOf(t, c.program)
	divided, whole := c.bind(t, cpu, k, h), c.bind(t, cpu, k, h)
	emulated := c.bind(t, openEmulator(t, ptx.CheckFull, 0), k, h)
	r := rand.New(rand.NewPCG(c.seed, 99))
	runners := []runner{
		{"Go body, divided", divided, func() error { divided.splits(r); return nil }},
		{"cpu", whole, whole.program.Run},
		{"emu", emulated, emulated.program.Run},
	}
	if !testing.Short() {
		reordered := c.bind(t, openEmulator(t, ptx.CheckMemory, 5), k, h)
		runners = append(runners, runner{"emu in another order", reordered, reordered.program.Run})
	}
	return runners
}

// compare does all steps of a trial and compares with the interpreter.
func compare(t testing.TB, c *trial, h rulefile.Diagonal, runners []runner) {
	t.Helper()
	want := c.reference(t)
	for step := range c.run.Rates {
		want.step(step, h)
		arrays := want.arrays()
		for _, r := range runners {
			r.inputs(step, h)
			if err := r.run(); err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			if err := differences(r.arrays(), arrays); err != nil {
				t.Fatalf("step %d, %s: %v", step+1, r.name, err)
			}
		}
	}
}

// Arrays that take each other's values, or a value while the old one is still needed.
func TestArraysThatDepend(t *testing.T) {
	cpu := openCPU(t)
	for _, formulas := range []string{
		"old = s\ns = 0.9 * s + g\nu += old\nw -= lr * s",                     // the old one is needed by the next operation
		"old = s\ns = 0.9 * s + g\nu = s / old\nx = u + old\nw -= lr * x * s", // and by one after that
		"old = s\ns = u\nu = old\nw -= lr * g",                                // a swap
		"old = s\ns = u\nu = w\nw = old",                                      // a swap of three
		"old = s\ns = u + g\nu = old\nw -= lr * s",
		"s = g * u\nu = s\nw = s",           // one value in three arrays
		"s = u\nw = u\nu = 2 * u",           // an old one
		"s = w\nu = w\nw -= lr * g",         // w as it was
		"s = lr\nu = numel + loss\nw = 0.5", // no value for each element
		"s = tensor.sum(s)\nu = u + s\nw -= lr * g",
		"s += g\nu = tensor.max(s) - s\nw -= lr * (s + tensor.mean(u))",
	} {
		p := compiled(t, "rule aliases \"arrays\"\nkey lr = 1 in (0, inf) \"rate\"\nslot s = 0.5\nslot u = w\n"+formulas, nil, rulefile.NoDiagonal)
		c := newTrial(p, 3, 37, 5000)
		t.Run(formulas, func(t *testing.T) { compare(t, c, 0, cpuAndEmulator(t, c, 0, cpu)) })
	}
}

// What a program needs and does not get is a mistake of the caller.
func TestMissingBuffers(t *testing.T) {
	p := compiled(t, "rule all \"all\"\nkey lr = 1 in (0, inf) \"rate\"\ncurvature gnb\nslot m\nm += h * loss\nw -= lr * (m + g)\neval w + m", nil, rulefile.AnyDiagonal)
	k := kernelsOf(t, p)
	for missing, leave := range map[string]func(b *fused.Buffers){
		"w":        func(b *fused.Buffers) { b.Values = gpu.Slice[float32]{} },
		"g":        func(b *fused.Buffers) { b.Gradients = gpu.Slice[float32]{} },
		"h":        func(b *fused.Buffers) { b.Curvature = gpu.Slice[float32]{} },
		"m":        func(b *fused.Buffers) { b.Slots = nil },
		"eval":     func(b *fused.Buffers) { b.Evaluation = gpu.Slice[float32]{} },
		"the loss": func(b *fused.Buffers) { b.Loss = gpu.Slice[float32]{} },
	} {
		b := newTrial(p, 1, 5).bind(t, openCPU(t), k, rulefile.AnyDiagonal)
		leave(&b.buffers)
		func() {
			defer func() {
				want := "fused: Bind without the buffer of " + missing + ", which rule all needs"
				if got := recover(); got != want {
					t.Errorf("without the buffer of %s: panic %v, want %s", missing, got, want)
				}
			}()
			k.Bind(gpu.NewArena(b.stream), b.buffers, &rulefile.Coefficients{})
		}()
	}
	update := kernelsOf(t, compiled(t, ruleFiles(t)["sgd"], nil, 0)).Bind(nil, fused.Buffers{
		Values: gpu.View[float32](&gpu.Buffer{}), Gradients: gpu.View[float32](&gpu.Buffer{}), Slots: []gpu.Slice[float32]{gpu.View[float32](&gpu.Buffer{})},
	}, &rulefile.Coefficients{})
	defer func() {
		if got, want := recover(), "fused: rule sgd has no weights for evaluation"; got != want {
			t.Errorf("panic %v, want %s", got, want)
		}
	}()
	update.RecordEvaluation(&gpu.Recorder{})
}

// A kernel takes 4096 bytes of parameters.
func TestMostConstants(t *testing.T) {
	text := "rule many \"constants\"\nkey lr = 1 in (0, inf) \"rate\"\n"
	for i := range 901 {
		text += fmt.Sprintf("w -= g * (lr0 * 1.%03d1)\n", i)
	}
	_, err := fused.New(compiled(t, text, nil, rulefile.NoDiagonal))
	if err == nil || !strings.Contains(err.Error(), "rule many has 901 different constants, a kernel takes at most 900") {
		t.Errorf("error %v", err)
	}
}
