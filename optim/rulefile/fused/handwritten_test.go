package fused_test

import (
	"fmt"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim"
	"diaghess/optim/rulefile"
)

// The kernels of package kernels and those of the rule file that says the same give the same
// bits over 50 steps, with a schedule.
func TestHandwritten(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const none, signed, nonNegative = rulefile.NoDiagonal, rulefile.AnyDiagonal, rulefile.NonNegativeDiagonal
	texts := ruleFiles(t)
	for _, c := range []struct {
		file, name, settings string
		booleans             map[string]bool
		h                    rulefile.Diagonal
	}{
		{"adamw", "adamw", "", nil, none},
		{"sgd", "sgd", "", nil, none},
		{"sgd", "sgd", ",nesterov=false", map[string]bool{"nesterov": false}, none},
		{"pilot", "diaghess", "", nil, none},
		{"pilot", "diaghess", "", nil, nonNegative},
		{"pilot", "diaghess", "", nil, signed},
	} {
		t.Run(fmt.Sprint(c.name, c.settings, c.h), func(t *testing.T) {
			rule, err := optim.Parse(c.name + ":lr=0.01,schedule=cosine,warmup=1" + c.settings)
			if err != nil {
				t.Fatal(err)
			}
			p := compiled(t, texts[c.file], c.booleans, c.h)
			t.Run("cpu", func(t *testing.T) { byHand(t, openCPU(t), rule, p, c.h) })
			t.Run("emu", func(t *testing.T) { byHand(t, openEmulator(t, ptx.CheckNone, 0), rule, p, c.h) })
		})
	}
}

func byHand(t *testing.T, stream gpu.Stream, rule optim.Rule, p *rulefile.Program, h rulefile.Diagonal) {
	c := newTrial(p, 0, sizes...)
	length := optim.Length{Steps: 50, StepsPerEpoch: 10}
	rates, err := rule.(interface {
		Rates(optim.Length) ([]float64, error)
	}).Rates(length)
	if err != nil {
		t.Fatal(err)
	}
	c.run.Rates, c.run.StepsPerEpoch = rates, length.StepsPerEpoch
	b := c.bind(t, stream, kernelsOf(t, p), h)

	// The same tensors in memory of their own.
	n := b.buffers.Values.Len()
	buffer := func() gpu.Slice[float32] {
		s, err := gpu.Alloc[float32](stream, n)
		b.check(err)
		return s
	}
	tensors := optim.Tensors{Values: buffer(), Gradients: b.buffers.Gradients, Offsets: b.offsets, Lengths: b.buffers.Lengths}
	b.upload(tensors.Values, c.random(ofWeights, 0, 0))
	o, err := optim.New(stream, rule, tensors, length, b.buffers.Curvature, h != rulefile.AnyDiagonal)
	b.check(err)
	var r gpu.Recorder
	b.check(o.Record(&r))
	r.Record(&kernels.Advance{State: o.State})
	program, err := stream.Compile(r.Ops())
	b.check(err)
	for i, slot := range p.Rule.Start(c.random(ofWeights, 0, 0)).Slots {
		b.upload(o.Slot(p.Rule.Slots[i].Name), slot)
	}

	for step := range c.run.Rates {
		b.inputs(step, h)
		b.check(b.program.Run())
		b.check(program.Run())
	}
	want := map[string][][]float32{"w": b.download("w", tensors.Values)}
	for _, slot := range p.Rule.Slots {
		want[slot.Name] = b.download(slot.Name, o.Slot(slot.Name))
	}
	if err := differences(b.arrays(), want); err != nil {
		t.Error(err)
	}
}
