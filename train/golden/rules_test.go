package golden

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim"
)

// The optimizers of this program follow the references. Their steps are the programs' up to
// float32's rounding: each is within the tolerance of [TestReferences] of the formula in float64, so
// the two are within twice the tolerance of each other.
func TestRulesFollowReferences(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	processor := need(cpu.New(cpu.Options{Threads: 1}))(t)
	emulator := need(emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckMemory, Library: "gonum"}))(t)
	for _, r := range readReferences(t) {
		if strings.HasPrefix(r.Name, "muon") {
			continue // no rule of elements
		}
		for _, device := range []gpu.Device{processor, emulator} {
			t.Run(r.Name+"/"+device.Name(), func(t *testing.T) {
				err := gpu.WithStream(device, func(s gpu.Stream) error { return r.follows(t, s) })
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// follows trains with a reference's optimizer on a stream and compares.
func (r *Reference) follows(t *testing.T, s gpu.Stream) error {
	rule, err := optim.Parse(r.Optimizer)
	if err != nil {
		return err
	}
	var tensors optim.Tensors
	elements := 0
	for _, x := range r.Tensors {
		tensors.Offsets = append(tensors.Offsets, elements)
		tensors.Lengths = append(tensors.Lengths, len(x.Initial))
		tensors.Shapes = append(tensors.Shapes, x.Shape)
		elements += (len(x.Initial) + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	}
	place := func(to gpu.Slice[float32], of func(tensor int) []float32) error {
		all := make([]float32, elements)
		for i, offset := range tensors.Offsets {
			copy(all[offset:], of(i))
		}
		return gpu.Upload(s, to, all)
	}
	for _, array := range []*gpu.Slice[float32]{&tensors.Values, &tensors.Gradients} {
		if *array, err = gpu.Alloc[float32](s, elements); err != nil {
			return err
		}
	}
	if err := place(tensors.Values, func(i int) []float32 { return r.Tensors[i].Initial }); err != nil {
		return err
	}
	o, err := optim.New(s, rule, tensors, r.Run, gpu.Slice[float32]{}, false)
	if err != nil {
		return err
	}
	var record, evaluation gpu.Recorder
	if err := o.Record(&record); err != nil {
		return err
	}
	record.Record(&kernels.Advance{State: o.State})
	step, err := s.Compile(record.Ops())
	if err != nil {
		return err
	}
	from := map[string]gpu.Slice[float32]{"w": tensors.Values, "eval": tensors.Values}
	if own := o.RecordEvaluation(&evaluation); !own.IsNull() {
		from["eval"] = own
	}
	enter, err := s.Compile(evaluation.Ops())
	if err != nil {
		return err
	}
	// The weights after each step, by kind.
	got := map[string][][]float32{}
	for n := 1; n <= r.Run.Steps; n++ {
		err := errors.Join(place(tensors.Gradients, func(i int) []float32 { return r.Gradient(i, n) }), step.Run(), enter.Run())
		for kind, array := range from {
			all := make([]float32, elements)
			err = errors.Join(err, gpu.Download(s, all, array))
			got[kind] = append(got[kind], all)
		}
		if err != nil {
			return err
		}
	}
	share, at, tensor := 0.0, "", -1
	follow(t, r, "", func(p point) {
		if p.kind == "w" {
			tensor = tensorOf(r, p.tensor.Name)
		}
		ours := got[p.kind][p.step-1][tensors.Offsets[tensor]:]
		note := func(part float64, element int, wanted float64) {
			if part > share {
				share, at = part, fmt.Sprintf("%s of %s, element %d, step %d: %.9g, want %.9g", p.kind, p.tensor.Name, element, p.step, ours[element], wanted)
			}
		}
		for i, v := range p.got {
			note(math.Abs(float64(ours[i])-v)/p.rounding, i, v)
		}
		for i, element := range p.tensor.Sampled {
			note(math.Abs(float64(ours[element])-float64(p.want[i]))/(2*p.rounding), int(element), float64(p.want[i]))
		}
	})
	t.Logf("used of the tolerance: %.2g, %s", share, at)
	if !(share <= 1) {
		t.Errorf("off by %.3g times the tolerance, %s", share, at)
	}
	return nil
}

// tensorOf returns the number of a reference's tensor.
func tensorOf(r *Reference, name string) int {
	for i, x := range r.Tensors {
		if x.Name == name {
			return i
		}
	}
	panic("golden: no tensor " + name)
}
