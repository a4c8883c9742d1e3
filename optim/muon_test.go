package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"diaghess/gpu"
	"diaghess/gpu/devices"
	"diaghess/layers"
	"diaghess/optim"
)

// orthogonalized returns what Muon's iterations make of a matrix [rows, columns], by its
// singular value decomposition in float64: each singular value goes through the polynomial.
func orthogonalized(x []float32, rows, columns, iterations int) []float64 {
	m := mat.NewDense(rows, columns, nil)
	for i, v := range x {
		m.Set(i/columns, i%columns, float64(v))
	}
	var d mat.SVD
	if !d.Factorize(m, mat.SVDThin) {
		panic("no singular value decomposition")
	}
	norm := mat.Norm(m, 2) + 1e-7 // Frobenius
	values := d.Values(nil)
	for i, s := range values {
		s /= norm
		for range iterations {
			s = 3.4445*s - 4.7750*s*s*s + 2.0315*s*s*s*s*s
		}
		values[i] = s
	}
	var u, v mat.Dense
	d.UTo(&u)
	d.VTo(&v)
	var result mat.Dense
	result.Product(&u, mat.NewDiagDense(len(values), values), v.T())
	return result.RawMatrix().Data
}

// apart returns the distance of two matrices, and the norm of the second: Frobenius.
func apart(got []float32, want []float64) (distance, norm float64) {
	for i, w := range want {
		distance += (float64(got[i]) - w) * (float64(got[i]) - w)
		norm += w * w
	}
	return math.Sqrt(distance), math.Sqrt(norm)
}

// A first step from zero weights without momentum is the orthogonalized gradient. An iteration
// rounds three terms, |a| + |b| + |c| = 10 times a matrix of norm 1 at most; those of sums average
// out in the Frobenius norm. It makes errors from before up to 3.9 times larger, which is the
// largest derivative of the polynomial up to 1.21. So n iterations are off by 10 (1 + 3.9 + ...
// + 3.9^(n-1)) units of 2^-24 at most. The sides are those that native products take, multiples
// of 16, and others. The emulator is bit-identical with the cpu that has its products.
func TestMuonOrthogonalizes(t *testing.T) {
	shapes := [][]int{
		{1, 1}, {1, 50}, {50, 1}, {2, 3}, {64, 64}, {61, 61}, {97, 61}, {61, 97}, {128, 48}, {48, 128}, {300, 17}, {3, 3, 7, 11}, {3, 3, 2, 29}, {3, 3, 16, 32}, {1, 1, 5, 40},
	}
	onCPU := map[int][][]float32{} // with the emulator's products, by iterations
	for _, o := range []devices.Options{{Name: "cpu", Threads: 2}, {Name: "cpu", Threads: 2, Library: "gonum"}, {Name: "emu", Threads: 2, Library: "gonum"}} {
		for _, iterations := range []int{1, 5} {
			random := rand.New(rand.NewPCG(1, 0))
			var gradients [][]float32
			for _, shape := range shapes {
				g := make([]float32, elements(shape))
				for i := range g {
					g[i] = float32(random.NormFloat64() * math.Pow(10, -4*random.Float64()))
				}
				gradients = append(gradients, g)
			}
			spec := fmt.Sprintf("muon:lr=1,momentum=0,hidden-only=false,scale=original,newton-schulz=%d", iterations)
			steps := firstSteps(t, o, spec, shapes, gradients)
			switch {
			case o.Name == "emu" && !slices.EqualFunc(steps, onCPU[iterations], slices.Equal[[]float32]):
				t.Errorf("%d iterations: the emulator's results are not the cpu's", iterations)
			case o.Library == "gonum":
				onCPU[iterations] = slices.Clone(steps)
				for i, step := range steps {
					onCPU[iterations][i] = slices.Clone(step)
				}
			}
			for i, shape := range shapes {
				out := shape[len(shape)-1]
				in := len(steps[i]) / out
				scale := math.Sqrt(max(1, float64(out)/float64(in)))
				want := orthogonalized(gradients[i], in, out, iterations)
				for j := range steps[i] {
					steps[i][j] = -steps[i][j] / float32(scale)
				}
				units := 10 * (math.Pow(3.9, float64(iterations)) - 1) / 2.9
				if off, norm := apart(steps[i], want); !(off <= units/(1<<24)*norm) {
					t.Errorf("%s %s, %v, %d iterations, seed 1: off by %.3g of %.3g", o.Name, o.Library, shape, iterations, off, norm)
				}
			}
		}
	}
}

func elements(shape []int) int {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	return n
}

// firstSteps returns the weights of tensors after a step from zero.
func firstSteps(t *testing.T, o devices.Options, spec string, shapes [][]int, gradients [][]float32) [][]float32 {
	t.Helper()
	device, err := devices.Open(o)
	check(t, err)
	defer device.Close()
	var steps [][]float32
	check(t, gpu.WithStream(device, func(stream gpu.Stream) error {
		tensors := optim.Tensors{Shapes: shapes}
		size := 0
		for _, shape := range shapes {
			tensors.Offsets, tensors.Lengths = append(tensors.Offsets, size), append(tensors.Lengths, elements(shape))
			size += (elements(shape) + 15) / 16 * 16
		}
		g := make([]float32, size)
		for i, offset := range tensors.Offsets {
			copy(g[offset:], gradients[i])
		}
		tensors.Values, tensors.Gradients = values(t, stream, make([]float32, size)), values(t, stream, g)
		optimizer, err := optim.New(stream, parse(t, spec), tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, gpu.Slice[float32]{}, false)
		check(t, err)
		var r gpu.Recorder
		check(t, optimizer.Record(&r))
		program, err := stream.Compile(r.Ops())
		check(t, err)
		check(t, program.Run())
		for i, offset := range tensors.Offsets {
			steps = append(steps, slices.Clone(tensors.Values.Host()[offset:][:tensors.Lengths[i]]))
		}
		return nil
	}))
	return steps
}

// The three scales, of a gradient with one element that is not zero: its first iteration is
// a + b + c at that element.
func TestMuonScales(t *testing.T) {
	shapes := [][]int{{4, 9}, {9, 4}, {3, 3, 2, 72}, {5, 1, 2, 30}}
	var gradients [][]float32
	for _, shape := range shapes {
		g := make([]float32, elements(shape))
		g[len(g)/2] = -100
		gradients = append(gradients, g)
	}
	for scale, want := range map[string][]float64{
		"author": {1.5, 1, 1, math.Sqrt(5)}, "original": {1.5, 1, 2, math.Sqrt(3)},
		"match-rms-adamw": {0.6, 0.6, 0.2 * math.Sqrt(72), 0.2 * math.Sqrt(30)},
	} {
		spec := "muon:lr=0.5,momentum=0,newton-schulz=1,hidden-only=false,scale=" + scale
		for i, w := range firstSteps(t, devices.Options{Name: "cpu", Threads: 1}, spec, shapes, gradients) {
			for j, got := range w {
				step := 0.0
				if j == len(w)/2 {
					step = 0.5 * (3.4445 - 4.7750 + 2.0315) * want[i]
				}
				if off := math.Abs(float64(got) - step); off > 16*ulp*math.Abs(step) {
					t.Errorf("scale %s, %v: element %d is %v, want %v", scale, shapes[i], j, got, step)
				}
			}
		}
	}
}

// AdamW's first step is lr for any gradient. With hidden-only the first and the last matrix
// have it, as vectors do.
func TestMuonHiddenOnly(t *testing.T) {
	shapes := [][]int{{5}, {2, 4}, {4}, {4, 4}, {4, 4}, {4, 3}, {3}}
	var gradients [][]float32
	for _, shape := range shapes {
		g := make([]float32, elements(shape))
		for i := range g {
			g[i] = float32(i + 1)
		}
		gradients = append(gradients, g)
	}
	for spec, want := range map[string]string{
		"muon:adamw-lr=0.25":                   "aaammaa",
		"muon:adamw-lr=0.25,hidden-only=false": "amammma",
	} {
		got := ""
		for _, w := range firstSteps(t, devices.Options{Name: "cpu", Threads: 1}, spec, shapes, gradients) {
			if slices.ContainsFunc(w, func(v float32) bool { return math.Abs(float64(v)+0.25) > 16*ulp }) {
				got += "m"
			} else {
				got += "a"
			}
		}
		if got != want {
			t.Errorf("%s: the tensors are updated by %s, want %s (Muon or AdamW)", spec, got, want)
		}
	}
	chain := []layers.Layer{layers.Dense{Name: "dense", Units: 5}, layers.Dense{Name: "out", Units: 3}}
	n, err := layers.New(openStream(t), layers.Shape{Height: 1, Width: 1, Channels: 3}, chain, 0)
	check(t, err)
	run := optim.Length{Steps: 1, StepsPerEpoch: 1}
	if _, err := optim.ForNetwork(n, parse(t, "muon"), run, 0); err == nil || !strings.Contains(err.Error(), "hidden-only=false") {
		t.Errorf("a network without hidden layers: %v", err)
	}
	if _, err := optim.ForNetwork(n, parse(t, "muon:hidden-only=false"), run, 0); err != nil {
		t.Error(err)
	}
}

// A record names the algorithm of each product.
func TestMuonAlgorithms(t *testing.T) {
	chain, err := layers.Model("digitcnn", 10)
	check(t, err)
	n, err := layers.New(openStream(t), layers.Shape{Height: 8, Width: 8, Channels: 1}, chain, 0)
	check(t, err)
	optimizer, err := optim.ForNetwork(n, parse(t, "muon"), optim.Length{Steps: 1, StepsPerEpoch: 1}, 0)
	check(t, err)
	algorithms := optimizer.Algorithms()
	for _, product := range []string{"144x16x16 backward-filter", "16x16x16 forward", "144x16x16 forward", "64x64x64 backward-data", "64x64x64 forward"} {
		if algorithms["update "+product] == "" {
			t.Errorf("no algorithm of %s in %v", product, algorithms)
		}
	}
	// Of 144x16, 144x32, 288x32 and 128x64 two each, of 64x64 one more, and squares of 3 sizes,
	// of which the largest is the forward product of 64x64 too.
	if want := 4*2 + 1 + 3; len(algorithms) != want {
		t.Errorf("%d algorithms, want %d: %v", len(algorithms), want, algorithms)
	}
}
