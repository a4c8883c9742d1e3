//go:build cuda

package cuda_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
)

// fileText is a rule with every kind of kernel and argument.
const fileText = `rule everything "all that a kernel can get"
key lr = 0.01 in (0, inf) "rate"
key bold = false "take longer steps"
slot m, v = 1
m = 0.9 * m + 0.1 * g * min(loss, 1) if rank > 1 or t > 1
v = max(v, g^2)
length = where(bold, 2, 1) * tensor.norm(w) / (all.norm(m) + 1)
w -= lr * length * m / (sqrt(v) + numel)
eval w + lr0 * m
`

// fileRun trains the rule's weights on random gradients and returns w, slots and the weights
// for evaluation.
func fileRun(t *testing.T, stream gpu.Stream, booleans map[string]bool) []float32 {
	rule, err := rulefile.Parse("everything.rule", fileText)
	check(t, err)
	p, err := rulefile.Compile(rule, booleans, rulefile.NoDiagonal)
	check(t, err)
	run := rulefile.Run{Rates: []float64{0.1, 0.2, 0.1}, StepsPerEpoch: 2, Tensors: []rulefile.Shape{{Elements: 4133, Rank: 2}, {Elements: 7, Rank: 1}}}
	numbers, err := p.Coefficients(run)
	check(t, err)
	k, err := fused.New(p)
	check(t, err)

	const second, n = 4144, 4160
	chunks, first := kernels.ChunkTable([]int{0, second}, []int{4133, 7})
	random := rand.New(rand.NewPCG(2, 0))
	some := func() []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	a := gpu.NewArena(stream)
	b := fused.Buffers{
		Values: gpu.ReserveCopy(a, some()), Gradients: gpu.Reserve[float32](a, n), Evaluation: gpu.Reserve[float32](a, n),
		Slots:   []gpu.Slice[float32]{gpu.Reserve[float32](a, n), gpu.ReserveCopy(a, slices.Repeat([]float32{1}, n))},
		Lengths: []int{4133, 7}, Chunks: gpu.ReserveCopy(a, chunks), First: gpu.ReserveCopy(a, first),
		State: gpu.Reserve[uint32](a, kernels.StateWords), Loss: gpu.ReserveCopy(a, []float32{2, 1, 0.5}),
	}
	update := k.Bind(a, b, numbers)
	check(t, a.Allocate())
	var r gpu.Recorder
	update.Record(&r)
	r.Record(&kernels.Advance{State: b.State, Rows: 1})
	update.RecordEvaluation(&r)
	program, err := stream.Compile(r.Ops())
	check(t, err)
	for range run.Rates {
		check(t, gpu.Upload(stream, b.Gradients, some()))
		check(t, program.Run())
	}
	var all []float32
	for _, from := range append(b.Slots, b.Values, b.Evaluation) {
		x := make([]float32, n)
		check(t, gpu.Download(stream, x, from))
		all = append(all, x...)
	}
	return all
}

// A rule file's kernels give the bits of the emulator through a captured graph. Both programs of
// the rule have the same entries, and are on the card at once.
func TestRuleFile(t *testing.T) {
	emulator, err := emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckFull, Library: "gonum"})
	check(t, err)
	device, _ := open(t, standin.Options{Check: ptx.CheckMemory}, cuda.Options{})
	var all [][]float32
	for _, bold := range []bool{false, true} {
		booleans := map[string]bool{"bold": bold}
		want, got := fileRun(t, newStream(t, emulator), booleans), fileRun(t, newStream(t, device), booleans)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("bold=%t: element %d is %g, by the emulator %g", bold, i, got[i], want[i])
			}
		}
		all = append(all, got)
	}
	if slices.Equal(all[0], all[1]) {
		t.Error("both programs give the same")
	}
}
