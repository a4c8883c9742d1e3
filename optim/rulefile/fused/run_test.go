package fused_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
)

// ruleFiles returns the texts of all rule files, by name.
func ruleFiles(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, folder := range []string{"rules", "testdata"} {
		files, err := filepath.Glob("../" + folder + "/*.rule")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimSuffix(filepath.Base(file), ".rule")] = string(text)
		}
	}
	if len(texts) < 20 {
		t.Fatalf("%d rule files, want at least 20", len(texts))
	}
	return texts
}

func compiled(t testing.TB, text string, booleans map[string]bool, h rulefile.Diagonal) *rulefile.Program {
	t.Helper()
	rule, err := rulefile.Parse("test.rule", text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := rulefile.Compile(rule, booleans, h)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func kernelsOf(t testing.TB, p *rulefile.Program) *fused.Kernels {
	t.Helper()
	k, err := fused.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// openCPU and openEmulator return streams that the test's end closes.
func openCPU(t testing.TB) gpu.Stream {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 2})
	return opened(t, device, err)
}

func openEmulator(t testing.TB, check ptx.Check, order uint64) gpu.Stream {
	t.Helper()
	device, err := emu.New(emu.Options{Source: kernels.Module, Check: check, Order: order, Library: "gonum"})
	return opened(t, device, err)
}

func opened(t testing.TB, device gpu.Device, err error) gpu.Stream {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
	return stream
}

// trial is a rule's run on random numbers.
type trial struct {
	program *rulefile.Program
	run     rulefile.Run
	special bool // NaN, infinities and subnormals among all numbers
	seed    uint64
	// gradients are those of all steps, in place of random ones, unless nil.
	gradients [][]float32
}

// newTrial has tensors of the given sizes, whose ranks go round.
func newTrial(p *rulefile.Program, steps int, sizes ...int) *trial {
	c := &trial{program: p, run: rulefile.Run{StepsPerEpoch: 2}, seed: 1}
	for i, n := range sizes {
		c.run.Tensors = append(c.run.Tensors, rulefile.Shape{Elements: n, Rank: []int{1, 2, 4}[i%3]})
	}
	for i := range steps { // a warm-up and a decay
		c.run.Rates = append(c.run.Rates, 0.01*min(1, float64(i+1)/2)/float64(1+i/3))
	}
	return c
}

// Purposes of random numbers.
const (
	ofWeights = iota
	ofGradients
	ofCurvature
	ofLoss
)

// random returns tensors of numbers over four decades, of which 2 percent are 0.
func (c *trial) random(purpose, step int, h rulefile.Diagonal) (tensors [][]float32) {
	if c.gradients != nil && purpose == ofGradients {
		return c.gradients
	}
	r := rand.New(rand.NewPCG(c.seed, uint64(8*step+purpose)))
	for i, shape := range c.run.Tensors {
		x := make([]float32, shape.Elements)
		for j := range x {
			x[j] = float32(r.NormFloat64() * math.Pow(10, -4*r.Float64()))
			if r.IntN(50) == 0 {
				x[j] = 0
			}
			if h == rulefile.NonNegativeDiagonal {
				x[j] = float32(math.Abs(float64(x[j])))
			}
		}
		if c.special && i%2 == step%2 {
			for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-42, math.Copysign(0, -1)} {
				if h == rulefile.NonNegativeDiagonal {
					v = math.Abs(v)
				}
				x[r.IntN(len(x))] = float32(v)
			}
		}
		tensors = append(tensors, x)
	}
	return tensors
}

func (c *trial) loss(step int) float32 {
	return float32(rand.New(rand.NewPCG(c.seed, uint64(8*step+ofLoss))).ExpFloat64())
}

// between is what lies between tensors. No kernel may change it.
var between = math.Float32frombits(0x7fabcdef)

// bound is a trial in the memory of a stream.
type bound struct {
	*trial
	t       testing.TB
	stream  gpu.Stream
	buffers fused.Buffers
	offsets []int
	ops     []gpu.RecordedOp // a step
	program gpu.Program      // of ops
	eval    gpu.Program
}

// bind places a trial on a stream, at its start.
func (c *trial) bind(t testing.TB, stream gpu.Stream, k *fused.Kernels, h rulefile.Diagonal) *bound {
	t.Helper()
	b := &bound{trial: c, t: t, stream: stream}
	n := 0
	for _, shape := range c.run.Tensors {
		b.offsets = append(b.offsets, n)
		b.buffers.Lengths = append(b.buffers.Lengths, shape.Elements)
		n += (shape.Elements + kernels.TensorAlignment) &^ (kernels.TensorAlignment - 1)
	}
	chunks, first := kernels.ChunkTable(b.offsets, b.buffers.Lengths)
	coefficients, err := c.program.Coefficients(c.run)
	b.check(err)
	a := gpu.NewArena(stream)
	u := &b.buffers
	u.Values, u.Gradients = gpu.Reserve[float32](a, n), gpu.Reserve[float32](a, n)
	if h != rulefile.NoDiagonal {
		u.Curvature = gpu.Reserve[float32](a, n)
	}
	rule := c.program.Rule
	for range rule.Slots {
		u.Slots = append(u.Slots, gpu.Reserve[float32](a, n))
	}
	if rule.Evaluates {
		u.Evaluation = gpu.Reserve[float32](a, n)
	}
	u.Chunks, u.First = gpu.ReserveCopy(a, chunks), gpu.ReserveCopy(a, first)
	u.State = gpu.Reserve[uint32](a, kernels.StateWords)
	var losses []float32
	for step := range c.run.Rates {
		losses = append(losses, c.loss(step))
	}
	u.Loss = gpu.ReserveCopy(a, losses)
	update := k.Bind(a, *u, coefficients)
	b.check(a.Allocate())

	start := rule.Start(c.random(ofWeights, 0, 0))
	b.upload(u.Values, start.Weights)
	for i, slot := range u.Slots {
		b.upload(slot, start.Slots[i])
	}
	if rule.Evaluates {
		b.upload(u.Evaluation, start.Weights)
	}
	var r gpu.Recorder
	r.Group("update", func() { update.Record(&r) })
	r.Record(&kernels.Advance{State: u.State, Rows: 1})
	b.ops = r.Ops()
	b.program, err = stream.Compile(b.ops)
	b.check(err)
	if rule.Evaluates {
		var r gpu.Recorder
		r.Group("evaluation", func() { update.RecordEvaluation(&r) })
		b.eval, err = stream.Compile(r.Ops())
		b.check(err)
	}
	return b
}

func (b *bound) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bound) upload(to gpu.Slice[float32], tensors [][]float32) {
	b.t.Helper()
	all := slices.Repeat([]float32{between}, to.Len())
	for i, x := range tensors {
		copy(all[b.offsets[i]:], x)
	}
	b.check(gpu.Upload(b.stream, to, all))
}

// inputs uploads what a step reads.
func (b *bound) inputs(step int, h rulefile.Diagonal) {
	b.t.Helper()
	b.upload(b.buffers.Gradients, b.random(ofGradients, step, 0))
	if h != rulefile.NoDiagonal {
		b.upload(b.buffers.Curvature, b.random(ofCurvature, step, h))
	}
}

// download returns the tensors of a buffer, between which nothing may have changed.
func (b *bound) download(name string, from gpu.Slice[float32]) (tensors [][]float32) {
	b.t.Helper()
	all := make([]float32, from.Len())
	b.check(gpu.Download(b.stream, all, from))
	for i, offset := range b.offsets {
		end := offset + b.buffers.Lengths[i]
		tensors = append(tensors, all[offset:end])
		next := len(all)
		if i+1 < len(b.offsets) {
			next = b.offsets[i+1]
		}
		for j, v := range all[end:next] {
			if math.Float32bits(v) != math.Float32bits(between) {
				b.t.Fatalf("%s: element %d behind tensor %d has become %g", name, j, i, v)
			}
		}
	}
	return tensors
}

// arrays returns all that the kernels write, after the evaluation's weights were made.
func (b *bound) arrays() map[string][][]float32 {
	b.t.Helper()
	arrays := map[string][][]float32{"w": b.download("w", b.buffers.Values)}
	for i, slot := range b.trial.program.Rule.Slots {
		arrays[slot.Name] = b.download(slot.Name, b.buffers.Slots[i])
	}
	if b.eval != nil {
		b.check(b.eval.Run())
		arrays["eval"] = b.download("eval", b.buffers.Evaluation)
	}
	return arrays
}

// splits runs the ops by their Go bodies, divided at random.
func (b *bound) splits(r *rand.Rand) {
	for _, op := range b.ops {
		k := op.Op.(gpu.Kernel)
		for _, at := range shuffledParts(r, k.Grid().Blocks) {
			k.Host(at[0], at[1])
		}
	}
}

// shuffledParts divides 0 to n-1 into parts, in any order.
func shuffledParts(r *rand.Rand, n int) (parts [][2]int) {
	for lo := 0; lo < n; {
		hi := min(n, lo+1+r.IntN(3))
		parts = append(parts, [2]int{lo, hi})
		lo = hi
	}
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return parts
}

// reference is a trial of the interpreter.
type reference struct {
	*trial
	coefficients *rulefile.Coefficients
	state        *rulefile.State
}

func (c *trial) reference(t testing.TB) *reference {
	t.Helper()
	coefficients, err := c.program.Coefficients(c.run)
	if err != nil {
		t.Fatal(err)
	}
	return &reference{c, coefficients, c.program.Rule.Start(c.random(ofWeights, 0, 0))}
}

func (r *reference) step(step int, h rulefile.Diagonal) {
	r.program.Interpret(r.coefficients, step, r.state, r.random(ofGradients, step, 0), r.random(ofCurvature, step, h), r.loss(step))
}

func (r *reference) arrays() map[string][][]float32 {
	arrays := map[string][][]float32{"w": r.state.Weights}
	for i, slot := range r.program.Rule.Slots {
		arrays[slot.Name] = r.state.Slots[i]
	}
	if r.program.Rule.Evaluates {
		arrays["eval"] = r.program.InterpretEvaluation(r.coefficients, r.state)
	}
	return arrays
}

// differences describes where arrays differ in bits, NaN for NaN.
func differences(got, want map[string][][]float32) error {
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		return fmt.Errorf("arrays %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name := range want {
		for i := range want[name] {
			wrong, first := 0, -1
			for j, v := range want[name][i] {
				u := got[name][i][j]
				if math.Float32bits(u) != math.Float32bits(v) && (u == u || v == v) {
					if wrong++; first < 0 {
						first = j
					}
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%s: %d of %d elements of tensor %d differ, the first is %d: %g, want %g",
					name, wrong, len(want[name][i]), i, first, got[name][i][first], want[name][i][first])
			}
		}
	}
	return nil
}
