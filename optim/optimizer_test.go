package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim"
)

func openStream(t testing.TB) gpu.Stream {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 2})
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, stream.Close()) })
	return stream
}

// bowl is the gradient of a convex quadratic, sum of Curvature (W - Target)^2 /
// 2, as a kernel.
type bowl struct {
	W, G, Target, Curvature gpu.Slice[float32]
}

func (k *bowl) Entry() string  { return "bowl" }
func (k *bowl) Cost() gpu.Cost { return gpu.Cost{} }
func (k *bowl) Grid() gpu.Grid { return gpu.Grid{Blocks: 1, Threads: 1} }
func (k *bowl) Host(_, _ int) {
	w, g, target, curvature := k.W.Host(), k.G.Host(), k.Target.Host(), k.Curvature.Host()
	for i := range w {
		g[i] = curvature[i] * (w[i] - target[i])
	}
}

// values places host values on the stream's device.
func values(t testing.TB, stream gpu.Stream, host []float32) gpu.Slice[float32] {
	t.Helper()
	s, err := gpu.Alloc[float32](stream, len(host))
	check(t, err)
	check(t, gpu.Upload(stream, s, host))
	return s
}

// problem is a quadratic of two tensors with a gap between them.
type problem struct {
	stream  gpu.Stream
	bowl    *bowl
	tensors optim.Tensors
}

func newProblem(t testing.TB) *problem {
	t.Helper()
	const n = 48
	random := rand.New(rand.NewPCG(1, 0))
	w, target, curvature := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		w[i], target[i], curvature[i] = float32(random.NormFloat64()), float32(random.NormFloat64()), 0.5+random.Float32()
	}
	stream := openStream(t)
	p := &problem{stream: stream, bowl: &bowl{
		W: values(t, stream, w), G: values(t, stream, make([]float32, n)),
		Target: values(t, stream, target), Curvature: values(t, stream, curvature),
	}}
	p.tensors = optim.Tensors{Values: p.bowl.W, Gradients: p.bowl.G, Offsets: []int{0, 32}, Lengths: []int{23, 16}}
	return p
}

// loss is the quadratic over the tensors, without the gap.
func (p *problem) loss() float64 {
	sum := 0.0
	for tensor, offset := range p.tensors.Offsets {
		for i := offset; i < offset+p.tensors.Lengths[tensor]; i++ {
			d := float64(p.bowl.W.Host()[i] - p.bowl.Target.Host()[i])
			sum += float64(p.bowl.Curvature.Host()[i]) * d * d / 2
		}
	}
	return sum
}

// train runs a rule for a number of steps, each the gradient and the update.
func (p *problem) train(t testing.TB, rule optim.Rule, steps int, curvature gpu.Slice[float32], nonNegative bool) *optim.Optimizer {
	t.Helper()
	length := optim.Length{Steps: steps, StepsPerEpoch: 10}
	optimizer, err := optim.New(p.stream, rule, p.tensors, length, curvature, nonNegative)
	check(t, err)
	var r gpu.Recorder
	r.Record(p.bowl)
	check(t, optimizer.Record(&r))
	r.Record(&kernels.Advance{State: optimizer.State})
	program, err := p.stream.Compile(r.Ops())
	check(t, err)
	for range steps {
		check(t, program.Run())
	}
	return optimizer
}

// Every rule finds the minimum of a convex quadratic and leaves the gap between
// the tensors alone. The rates are such that 400 steps suffice; with a cosine
// schedule the sign-like steps die away.
func TestRulesTrain(t *testing.T) {
	for _, spec := range []string{
		"sgd:lr=0.1", "sgd:lr=0.1,nesterov=false", "sgd:lr=0.5,momentum=0",
		"adam:lr=0.1,schedule=cosine", "adamw:lr=0.1,schedule=cosine,weight-decay=0",
		"rmsprop:lr=0.05,schedule=cosine", "rmsprop:lr=0.05,schedule=cosine,legacy=true",
		"adabelief:lr=0.1,schedule=cosine,weight-decay=0,warmup=2",
		"muon:adamw-lr=0.1,schedule=cosine",
		"diaghess:lr=0.4,square=2,diff=50,lambda=20,eps=20",
		"sgd:lr=0.1,schedule=step,step-every=20,step-factor=0.5",
	} {
		t.Run(spec, func(t *testing.T) {
			p := newProblem(t)
			before, gap := p.loss(), append([]float32(nil), p.bowl.W.Host()[23:32]...)
			optimizer := p.train(t, parse(t, spec), 400, gpu.Slice[float32]{}, false)
			if after := p.loss(); !(after < 1e-3*before) {
				t.Errorf("the loss goes from %g to %g in 400 steps", before, after)
			}
			if step := optimizer.State.Host()[kernels.StateStep]; step != 400 {
				t.Errorf("%d steps counted", step)
			}
			for i, v := range p.bowl.W.Host()[23:32] {
				if v != gap[i] {
					t.Errorf("element %d of the gap is %v, was %v", i, v, gap[i])
				}
			}
		})
	}
}

// One step of each rule from zero slots, by its formula in float64.
func TestFirstStep(t *testing.T) {
	const w, g = 0.5, -0.25
	for spec, want := range map[string]float64{
		"sgd:nesterov=false":            w - 0.01*g,
		"sgd":                           w - 0.01*g*1.9,
		"sgd:momentum=0,weight-decay=1": w - 0.01*w - 0.01*g,
		"adam":                          w - 0.001*math.Sqrt(0.001)/0.1*0.1*g/(math.Sqrt(0.001*g*g)+1e-7),
		"adamw:weight-decay=0.5":        w - 0.001*0.5*w - 0.001*math.Sqrt(0.001)/0.1*0.1*g/(math.Sqrt(0.001*g*g)+1e-7),
		"rmsprop":                       w - 0.001*g/math.Sqrt(0.1*g*g+1e-7),
		"rmsprop:legacy=true":           w - 0.001*g/(math.Sqrt(0.1*g*g)+1e-7),
		// Fewer than five gradients in the average: no denominator.
		"adabelief": w - 0.001*(g+1e-4*w),
		// The belief of a first gradient is g - .1 g.
		"adabelief:rectify=false,weight-decay=0": w - 0.001*g/math.Sqrt(0.81*g*g),
		// A vector has AdamW with a rate of its own.
		"muon:weight-decay=0.5": w - 3e-4*0.5*w - 3e-4*g/(math.Abs(g)+1e-10),
		// n = c2 g^2, mhat = c1 g / (n + lambda), vhat = n^2.
		"diaghess": w - 1e-6*(1.373291015625e-4*g/(4.39453125e-3*g*g+1e-3))/(4.39453125e-3*g*g+1e-7),
	} {
		stream := openStream(t)
		tensors := optim.Tensors{
			Values: values(t, stream, []float32{w}), Gradients: values(t, stream, []float32{g}), Offsets: []int{0}, Lengths: []int{1},
		}
		optimizer, err := optim.New(stream, parse(t, spec), tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, gpu.Slice[float32]{}, false)
		check(t, err)
		var r gpu.Recorder
		check(t, optimizer.Record(&r))
		program, err := stream.Compile(r.Ops())
		check(t, err)
		check(t, program.Run())
		// The step's relative error is that of 1 - .999 in float32, 1.3e-5, then
		// a rounding of w.
		got := float64(tensors.Values.Host()[0])
		if off := math.Abs(got - want); off > 2e-5*math.Abs(want-w)+ulp {
			t.Errorf("%s: %.9g, want %.9g", spec, got, want)
		}
	}
}

// With a curvature that has negative entries the rule takes the minimum of each
// tensor first; where none is negative, a single pass gives the same bits.
func TestDiagHessCurvature(t *testing.T) {
	spec := "diaghess:lr=0.003,square=2,diff=0.5"
	negative := newProblem(t)
	h := append([]float32(nil), negative.bowl.Curvature.Host()...)
	h[3], h[40] = -2, -5
	recorded := func(p *problem, h gpu.Slice[float32], nonNegative bool) (entries []string) {
		optimizer, err := optim.New(p.stream, parse(t, spec), p.tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, h, nonNegative)
		check(t, err)
		var r gpu.Recorder
		check(t, optimizer.Record(&r))
		for _, op := range r.Ops() {
			entries = append(entries, op.Label+" "+op.Op.Entry())
		}
		return entries
	}
	signed := values(t, negative.stream, h)
	if got := fmt.Sprint(recorded(negative, signed, false)); got != "[update diaghess_minimum update diaghess_lambda update diaghess_update]" {
		t.Errorf("with a signed curvature: %s", got)
	}
	if got := fmt.Sprint(recorded(negative, signed, true)); got != "[update diaghess_update]" {
		t.Errorf("with a non-negative curvature: %s", got)
	}

	one, two := newProblem(t), newProblem(t)
	one.train(t, parse(t, spec), 20, one.bowl.Curvature, true)
	two.train(t, parse(t, spec), 20, two.bowl.Curvature, false)
	for i, v := range one.bowl.W.Host() {
		if got := two.bowl.W.Host()[i]; math.Float32bits(got) != math.Float32bits(v) {
			t.Errorf("element %d: %v in a single pass, %v by the minimum", i, v, got)
		}
	}

	// With square=1 the step is Newton's, over the curvature and momentum.
	newton := newProblem(t)
	before := newton.loss()
	newton.train(t, parse(t, "diaghess:lr=0.1,square=1"), 400, newton.bowl.Curvature, true)
	if after := newton.loss(); !(after < 1e-3*before) {
		t.Errorf("Newton's loss goes from %g to %g in 400 steps", before, after)
	}

	// The first step with the signed curvature, by the formula: the minimum is
	// each tensor's own.
	start := append([]float32(nil), negative.bowl.W.Host()...)
	negative.train(t, parse(t, spec), 1, signed, false)
	const c1, c2, lambda = 1.0, 2.0, 1e-3
	for tensor, offset := range negative.tensors.Offsets {
		n := make([]float64, negative.tensors.Lengths[tensor])
		least := math.Inf(1)
		for i := range n {
			g := float64(negative.bowl.G.Host()[offset+i])
			n[i] = c2*g*g + c1*float64(h[offset+i])
			least = min(least, n[i])
		}
		for i, ni := range n {
			g := float64(negative.bowl.G.Host()[offset+i])
			want := -0.003 * (g * c1 / (ni + max(0, -least) + lambda)) / (math.Abs(ni) + 1e-7)
			got := float64(negative.bowl.W.Host()[offset+i]) - float64(start[offset+i])
			// n + lam cancels to lambda at the minimum: n's rounding over lambda.
			if off := math.Abs(got - want); off > (2e-5+8*ulp*math.Abs(least)/lambda)*math.Abs(want)+2*ulp*math.Abs(float64(start[offset+i])) {
				t.Errorf("tensor %d, element %d: step %.9g, want %.9g", tensor, i, got, want)
			}
		}
	}
}

func TestNewErrors(t *testing.T) {
	p := newProblem(t)
	_, err := optim.New(p.stream, parse(t, "sgd:warmup=2"), p.tensors, optim.Length{Steps: 10, StepsPerEpoch: 10}, gpu.Slice[float32]{}, false)
	if err == nil || !strings.Contains(err.Error(), "warm-up") || !strings.Contains(err.Error(), "sgd") {
		t.Errorf("a warm-up longer than the run: %v", err)
	}
}

// Slots are named, of the values' layout, and zero at first.
func TestSlots(t *testing.T) {
	p := newProblem(t)
	for name, slots := range map[string][]string{
		"diaghess": {"m", "v"}, "adamw": {"m", "v"}, "adam": {"m", "v"}, "adabelief": {"m", "v"}, "sgd": {"v"}, "rmsprop": {"v"},
		"sophia": {"m"}, "adahessian": {"m", "v"}, "adahesscale": {"m", "v"}, "muon": {"m", "v"},
	} {
		optimizer, err := optim.New(p.stream, parse(t, name), p.tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, gpu.Slice[float32]{}, false)
		check(t, err)
		if n := optimizer.Slots.Len(); n != len(slots)*p.bowl.W.Len() {
			t.Errorf("%s: %d elements of slots, want %d of %d", name, n, len(slots), p.bowl.W.Len())
		}
		for i, slot := range slots {
			if got := optimizer.Slot(slot); got.Len() != p.bowl.W.Len() || got.Address() != optimizer.Slots.Address()+uint64(4*i*p.bowl.W.Len()) {
				t.Errorf("%s: slot %s has %d elements at %#x", name, slot, got.Len(), got.Address())
			}
		}
		for i, v := range optimizer.Slots.Host() {
			if v != 0 {
				t.Errorf("%s: element %d of the slots is %v at first", name, i, v)
			}
		}
		func() {
			defer func() {
				if message := fmt.Sprint(recover()); !strings.HasPrefix(message, "optim:") {
					t.Errorf("%s: a slot that it does not have: panic %q", name, message)
				}
			}()
			optimizer.Slot("hessian")
		}()
	}
}

func TestTensorsOf(t *testing.T) {
	chain := []layers.Layer{layers.Dense{Name: "dense", Units: 5}, layers.Epilogue{Name: "bias"}}
	n, err := layers.New(openStream(t), layers.Shape{Height: 1, Width: 1, Channels: 3}, chain, 0)
	check(t, err)
	got := optim.TensorsOf(n)
	if fmt.Sprint(got.Offsets, got.Lengths, got.Shapes) != "[0 16] [15 5] [[3 5] [5]]" || got.Values != n.Values || got.Gradients != n.Gradients {
		t.Errorf("tensors at %v of lengths %v and shapes %v", got.Offsets, got.Lengths, got.Shapes)
	}
}
