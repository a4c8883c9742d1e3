package rulefile_test

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/optim"
	"diaghess/optim/rulefile"
)

// The files in testdata are the rules that package optim has by hand: they have the same keys
// with the same defaults, and 20 steps give the same numbers, bit for bit.
func TestHandwritten(t *testing.T) {
	const none, signed, nonNegative = rulefile.NoDiagonal, rulefile.AnyDiagonal, rulefile.NonNegativeDiagonal
	for _, c := range []struct {
		file, spec string
		booleans   map[string]bool
		h          rulefile.Diagonal
	}{
		{"adamw", "adamw", nil, none},
		{"sgd", "sgd", nil, none},
		{"sgd", "sgd:nesterov=false", map[string]bool{"nesterov": false}, none},
		{"pilot", "diaghess", nil, none},
		{"pilot", "diaghess:curvature=gnb", nil, nonNegative},
		{"pilot", "diaghess:curvature=hutchinson", nil, signed},
	} {
		t.Run(c.spec, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + c.file + ".rule")
			check(t, err)
			file, err := rulefile.Parse(c.file+".rule", string(text))
			check(t, err)
			program, err := rulefile.Compile(file, c.booleans, c.h)
			check(t, err)
			rule, err := optim.Parse(c.spec)
			check(t, err)
			sameDefaults(t, file, c.booleans, rule)
			compare(t, program, rule, c.h)
		})
	}
}

func sameDefaults(t *testing.T, file *rulefile.Rule, booleans map[string]bool, rule optim.Rule) {
	known := optim.Settings(rule)
	for _, k := range file.Keys {
		want := strconv.FormatFloat(k.Default, 'g', -1, 64)
		if k.Boolean {
			truth, given := booleans[k.Name]
			want = strconv.FormatBool(given && truth || !given && k.Default != 0)
		}
		if got := known[k.Flag()]; got != want {
			t.Errorf("key %s is %s, by hand %q", k.Flag(), want, got)
		}
	}
}

// The tensors lie apart, as in a network: one of several chunks, one with a rest beside
// vectors, one element.
var (
	offsets = []int{0, 4224, 4288}
	shapes  = []rulefile.Shape{{Elements: 4200, Rank: 2}, {Elements: 37, Rank: 1}, {Elements: 1, Rank: 1}}
)

const elements, steps = 4304, 20

// compare runs both, on gradients over four decades with zeros among them.
func compare(t *testing.T, program *rulefile.Program, rule optim.Rule, h rulefile.Diagonal) {
	length := optim.Length{Steps: steps, StepsPerEpoch: 10}
	rates, err := rule.(interface {
		Rates(optim.Length) ([]float64, error)
	}).Rates(length)
	check(t, err)
	run := rulefile.Run{Rates: rates, StepsPerEpoch: length.StepsPerEpoch, Tensors: shapes}
	coefficients, err := program.Coefficients(run)
	check(t, err)

	device, err := cpu.New(cpu.Options{Threads: 1})
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	defer func() { check(t, stream.Close()) }()
	buffer := func(x []float32) gpu.Slice[float32] {
		s, err := gpu.Alloc[float32](stream, elements)
		check(t, err)
		check(t, gpu.Upload(stream, s, x))
		return s
	}
	random := rand.New(rand.NewPCG(7, 0))
	some := func() []float32 {
		x := make([]float32, elements)
		for i := range x {
			if random.IntN(50) > 0 {
				x[i] = float32(random.NormFloat64() * math.Pow(10, -4*random.Float64()))
			}
		}
		return x
	}
	tensors := optim.Tensors{Values: buffer(some()), Gradients: buffer(some()), Offsets: offsets}
	for _, s := range shapes {
		tensors.Lengths = append(tensors.Lengths, s.Elements)
	}
	var curvature gpu.Slice[float32]
	if h != rulefile.NoDiagonal {
		curvature = buffer(some())
	}
	optimizer, err := optim.New(stream, rule, tensors, length, curvature, h != rulefile.AnyDiagonal)
	check(t, err)
	var r gpu.Recorder
	check(t, optimizer.Record(&r))
	r.Record(&kernels.Advance{State: optimizer.State})
	update, err := stream.Compile(r.Ops())
	check(t, err)

	state := program.Rule.Start(split(tensors.Values.Host()))
	for step := range steps {
		g, d := some(), some()
		check(t, gpu.Upload(stream, tensors.Gradients, g))
		if h != rulefile.NoDiagonal {
			for i := range d {
				if h == rulefile.NonNegativeDiagonal {
					d[i] = float32(math.Abs(float64(d[i])))
				}
			}
			check(t, gpu.Upload(stream, curvature, d))
		}
		check(t, update.Run())
		program.Interpret(coefficients, step, state, split(g), split(d), 0)
	}
	equal(t, "w", state.Weights, split(tensors.Values.Host()))
	for i, slot := range program.Rule.Slots {
		equal(t, slot.Name, state.Slots[i], split(optimizer.Slot(slot.Name).Host()))
	}
}

// split returns the tensors of a buffer.
func split(buffer []float32) (tensors [][]float32) {
	for i, s := range shapes {
		tensors = append(tensors, buffer[offsets[i]:][:s.Elements])
	}
	return tensors
}

func equal(t *testing.T, array string, got, want [][]float32) {
	t.Helper()
	for tensor := range want {
		for i, w := range want[tensor] {
			if x := got[tensor][i]; math.Float32bits(x) != math.Float32bits(w) {
				t.Fatalf("%s, tensor %d, element %d: %g, by hand %g", array, tensor, i, x, w)
			}
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
