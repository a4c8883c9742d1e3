package optim_test

import (
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

// arm is a rule on a device, with the tensors of byHand and their weights.
type arm struct {
	stream  gpu.Stream
	tensors optim.Tensors
	step    gpu.Program
}

func newArm(t *testing.T, stream gpu.Stream, spec string, run optim.Length) arm {
	t.Helper()
	a := arm{stream: stream, tensors: byHandTensors}
	a.tensors.Values, a.tensors.Gradients = values(t, stream, given(0, 0)), values(t, stream, given(1, 0))
	o, err := optim.New(stream, parse(t, spec), a.tensors, run, gpu.Slice[float32]{}, false)
	check(t, err)
	var r gpu.Recorder
	check(t, o.Record(&r))
	r.Record(&kernels.Advance{State: o.State})
	a.step, err = stream.Compile(r.Ops())
	check(t, err)
	return a
}

// run takes a step with a gradient and returns the weights behind it.
func (a arm) run(t *testing.T, g []float32) []float32 {
	t.Helper()
	check(t, gpu.Upload(a.stream, a.tensors.Gradients, g))
	check(t, a.step.Run())
	w := make([]float32, byHandElements)
	check(t, gpu.Download(a.stream, w, a.tensors.Values))
	return w
}

// each calls body for every element of a tensor.
func each(body func(i int)) {
	for tensor, offset := range byHandTensors.Offsets {
		for i := range byHandTensors.Lengths[tensor] {
			body(offset + i)
		}
	}
}

// eachBeforeDevice calls body with a stream of the cpu and of the emulator.
func eachBeforeDevice(t *testing.T, body func(t *testing.T, stream gpu.Stream)) {
	processor, err := cpu.New(cpu.Options{Threads: 2})
	check(t, err)
	emulator, err := emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckFull, Library: "gonum"})
	check(t, err)
	for _, device := range []gpu.Device{processor, emulator} {
		t.Run(device.Name(), func(t *testing.T) {
			check(t, gpu.WithStream(device, func(s gpu.Stream) error { body(t, s); return nil }))
		})
	}
}

// A rule with clip and weight-decay moves as the plain one does whose gradients and weights are
// scaled in float64 before each step, at the rate of the schedule. Noise between the tensors counts
// for nothing.
//
// The factor of the gradient has 4 roundings, the product 1, and no rule here enlarges a share by
// more than the 8 roundings that it has itself: 64 units of the largest step. Each of the two
// sums of a step that end in a weight may be rounded the other way: 4 units of the weight.
func TestBefore(t *testing.T) {
	const unit = 1.0 / (1 << 24)
	run := optim.Length{Steps: 8, StepsPerEpoch: 4}
	const schedule = "schedule=cosine,warmup=0.5"
	eachBeforeDevice(t, func(t *testing.T, stream gpu.Stream) {
		for _, c := range []struct {
			spec        string
			clip, decay float64
		}{
			{"diaghess:lr=1e-3,", 3, 20}, {"adam:lr=0.1,", 3, 0.5}, {"july:lr=0.1,", 0, 0.5}, {"sgd:", 3, 0}, {"adamw:", 0.5, 0},
			{"lamb:", 3, 0}, {"muon:", 3, 0}, {"heavyball", 3, 0.5},
		} {
			spec := c.spec
			if spec == "heavyball" {
				if stream.Device().Name() == "cpu" {
					continue
				}
				spec = heavyball + ":"
			}
			spec += schedule
			with := spec
			if c.clip > 0 {
				with += fmt.Sprintf(",clip=%g", c.clip)
			}
			if c.decay > 0 {
				with += fmt.Sprintf(",weight-decay=%g", c.decay)
			}
			rates, err := parse(t, spec).(interface {
				Rates(optim.Length) ([]float64, error)
			}).Rates(run)
			check(t, err)
			got, want := newArm(t, stream, with, run), newArm(t, stream, spec, run)
			w, tolerance, clipped := given(0, 0), 0.0, 0
			for step := range run.Steps {
				g := given(1, step)
				scaled := given(1, step)
				norm := 0.0
				each(func(i int) { norm += float64(g[i]) * float64(g[i]) })
				factor := 1.0
				if limit := c.clip / (math.Sqrt(norm) + 1e-6); c.clip > 0 && limit < 1 {
					factor = limit
					clipped++
				}
				each(func(i int) {
					scaled[i] = float32(factor * float64(g[i]))
					w[i] = float32(float64(w[i]) * (1 - rates[step]*c.decay))
				})
				check(t, gpu.Upload(stream, want.tensors.Values, w))
				after, ours := want.run(t, scaled), got.run(t, g)
				weight, moved := 0.0, 0.0
				each(func(i int) {
					weight, moved = max(weight, math.Abs(float64(w[i]))), max(moved, math.Abs(float64(after[i])-float64(w[i])))
				})
				tolerance += unit * (4*weight + 64*moved)
				worst := 0.0
				each(func(i int) { worst = max(worst, math.Abs(float64(ours[i])-float64(after[i]))) })
				if !(worst <= tolerance) {
					t.Errorf("%s: step %d is off by %.3g, tolerance %.3g", with, step+1, worst, tolerance)
				}
				w = after
			}
			if c.clip > 0 && clipped == 0 {
				t.Errorf("%s: no gradient is as long as that", with)
			}
		}
	})
}

// A gradient within the norm gives the bits of a run without clipping, and one whose norm is
// not finite makes every weight NaN.
func TestClipLimits(t *testing.T) {
	run := optim.Length{Steps: 3, StepsPerEpoch: 3}
	eachBeforeDevice(t, func(t *testing.T, stream gpu.Stream) {
		plain, within := newArm(t, stream, "diaghess", run), newArm(t, stream, "diaghess:clip=1e6", run)
		for step := range 2 {
			a, b := plain.run(t, given(1, step)), within.run(t, given(1, step))
			each(func(i int) {
				if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
					t.Fatalf("element %d is %v, without clip %v", i, b[i], a[i])
				}
			})
		}
		for _, bad := range []float32{float32(math.Inf(1)), float32(math.NaN()), math.MaxFloat32} {
			a := newArm(t, stream, "sgd:clip=1", run)
			g := given(1, 0)
			g[3], g[4] = bad, bad
			for i, v := range a.run(t, g)[:30] {
				if v == v {
					t.Errorf("with a gradient of %g, weight %d is %g", bad, i, v)
				}
			}
		}
	})
}

// The keys are those of every rule. A rule's own weight decay has the place of the common one.
func TestBeforeKeys(t *testing.T) {
	for spec, want := range map[string]string{
		"diaghess:weight-decay=0.1,clip=1": "diaghess:clip=1,weight-decay=0.1", "adamw:clip=2,weight-decay=0.5": "adamw:weight-decay=0.5,clip=2",
		"original:clip=0": "original", "lamb:weight-decay=0.5": "lamb:weight-decay=0.5",
	} {
		rule := parse(t, spec)
		if got := optim.Spec(rule); got != want {
			t.Errorf("%s is %s, want %s", spec, got, want)
		}
		for _, key := range []string{"clip", "weight-decay"} {
			value, there := optim.Settings(rule)[key]
			if part := key + "=" + value; there != strings.Contains(want, part) {
				t.Errorf("%s: the settings have %s", spec, part)
			}
		}
	}
	if o := parse(t, "adamw:weight-decay=0.5").(*optim.AdamW); o.WeightDecay != 0.5 || o.Decay != 0 {
		t.Errorf("AdamW decays by %g, and before it by %g", o.WeightDecay, o.Decay)
	}
	for spec, want := range map[string]string{"july:clip=-1": "at least 0", "sgd:clop=1": "did you mean clip?"} {
		if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
