package layers_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// manyRows have dense layers whose batches are too large for kernels that do whole
// columns.
func manyRows() []network {
	var all []network
	for _, norm := range []bool{false, true} {
		name := map[bool]string{false: "biases, 130 rows", true: "normalization, 130 rows"}[norm]
		all = append(all, network{name: name, input: layers.Shape{Height: 1, Width: 1, Channels: 6, Flat: true}, batch: 130,
			chain: []layers.Layer{
				layers.Dense{Name: "dense1", Units: 5}, layers.Epilogue{Name: "norm1", BatchNorm: norm, Slope: 0.01, Dropout: 0.3},
				layers.Dense{Name: "dense2", Units: 4}, layers.Epilogue{Name: "norm2", BatchNorm: norm, Slope: 0.01},
				layers.Dense{Name: "out", Units: 3}, layers.Epilogue{Name: "out", Slope: 1},
			}})
	}
	return all
}

// The product of the Hessian with a random direction is the float64 twin's.
func TestHessianProduct(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, n := range append(append(grid(), corners()...), manyRows()...) {
		t.Run(n.name, func(t *testing.T) {
			eachLibrary(t, func(t *testing.T, library string) {
				network, err := layers.New(openStream(t, cpu.Options{Threads: 2, Library: library}), n.input, n.chain, 1)
				check(t, err)
				network.Retain = true
				tr := bindTrainer(t, network, n.batch, n.smoothing)
				m, base := n.fill(t, tr)
				n.compareProduct(t, tr, m, base)
			})
		})
	}
}

func (n network) compareProduct(t *testing.T, tr *trainer, m *reference, base *exact.Pass) {
	t.Helper()
	network := tr.network
	tangent, err := tr.batch.BindTangent()
	check(t, err)
	z, product := tr.vector(), tr.vector()
	direction := make([]float64, len(m.Values))
	random := rand.New(rand.NewPCG(2, 0))
	for i, p := range network.Parameters {
		part := make([]float32, p.Elements())
		for j := range part {
			part[j] = float32(random.NormFloat64())
		}
		check(t, p.Upload(network.Stream, p.In(z), part))
		copy(m.Parameters[i].Of(direction), exact.Widen(part))
	}
	poison(tr, product)
	tr.run(tr.step)
	gradients, logits := download(tr, network.Gradients), download(tr, tr.batch.Logits)
	tr.run(tr.compile(func(r *gpu.Recorder) { tangent.Record(r, z, product) }))
	equalBits(t, "gradients behind the product", download(tr, network.Gradients), gradients)
	equalBits(t, "logits behind the product", download(tr, tr.batch.Logits), logits)
	want := base.HessianVector(direction)
	// The tangents pass each stage once more each way than what they belong to. A
	// normalization enlarges the rounding of its input, to the error of its output.
	tolerance := 2 * n.tolerance() * enlargement(base)
	for i, p := range network.Parameters {
		got := make([]float32, p.Elements())
		check(t, p.Download(network.Stream, got, p.In(product)))
		part := m.Parameters[i].Of(want)
		compare(t, "product's part of "+p.Name, got, part, tolerance*max(largest(part), largest(want)/16))
	}
}

// enlargement is how much larger, in units of the output, the rounding of a
// normalization's input is than of its output, at most: the root of the input's mean
// square over its deviation.
func enlargement(p *exact.Pass) float64 {
	most := 1.0
	for _, s := range p.Normalizations {
		for c, variance := range s.Variance {
			most = max(most, math.Sqrt((s.Mean[c]*s.Mean[c]+variance)/(variance+layers.BatchNormEpsilon)))
		}
	}
	return most
}

// A batch without the gradients that the tangents need has none.
func TestTangentNeedsRetain(t *testing.T) {
	n := corners()[0]
	tr := newTrainer(t, cpu.Options{}, n.input, n.chain, n.batch, 0)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = tr.batch.BindTangent()
}

func (tr *trainer) vector() gpu.Slice[float32] {
	tr.Helper()
	s, err := gpu.Alloc[float32](tr.network.Stream, tr.network.Values.Len())
	check(tr, err)
	return s
}
