package curvature_test

import (
	"context"
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/optim/curvature"
)

// network is a chain with an input and the rows of a batch.
type network struct {
	name  string
	input layers.Shape
	chain []layers.Layer
	rows  int
}

func perceptron(hidden, units int, dropout float64) layers.MLP {
	m := layers.PilotMLP()
	m.Hidden, m.Units, m.Dropout = hidden, units, dropout
	return m
}

// networks are a convolutional one with normalization by the batch's own
// statistics, which pools and drops, the same with biases, a perceptron, one with
// layers of ReLU before a normalization and behind a bias, and a perceptron that normalizes
// behind the activation.
func networks() []network {
	picture := layers.Shape{Height: 5, Width: 4, Channels: 2}
	conv := func(norm bool) []layers.Layer {
		return []layers.Layer{
			layers.Conv{Name: "conv1", Filters: 3, Kernel: 3},
			layers.Epilogue{Name: "norm1", BatchNorm: norm, Slope: 0.01},
			layers.Conv{Name: "conv2", Filters: 4, Kernel: 3},
			layers.Epilogue{Name: "norm2", BatchNorm: norm, Slope: 0.01, Pool: true, Dropout: 0.4},
			layers.Dense{Name: "dense1", Units: 6},
			layers.Epilogue{Name: "norm3", BatchNorm: norm, Slope: 0.01, Dropout: 0.5},
			layers.Dense{Name: "out", Units: 3},
			layers.Epilogue{Name: "out", Slope: 1},
		}
	}
	normAfter := perceptron(2, 6, 0.1)
	normAfter.Norm = layers.NormAfter
	return []network{
		{"normalization", picture, conv(true), 8},
		{"biases", picture, conv(false), 8},
		{"perceptron", layers.Shape{Height: 1, Width: 1, Channels: 5, Flat: true}, perceptron(3, 6, 0.1).Layers(4), 8},
		{"ReLU", picture, []layers.Layer{
			layers.Conv{Name: "conv1", Filters: 3, Kernel: 3},
			layers.ReLU{Name: "relu1"},
			layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 1},
			layers.Conv{Name: "conv2", Filters: 2, Kernel: 3},
			layers.Epilogue{Name: "conv2", Slope: 1},
			layers.ReLU{Name: "relu2"},
			layers.Dense{Name: "out", Units: 3},
			layers.Epilogue{Name: "out", Slope: 1},
		}, 8},
		{"normalization behind the activation", layers.Shape{Height: 1, Width: 1, Channels: 5, Flat: true}, normAfter.Layers(4), 8},
	}
}

// bench is a network on the cpu device with a batch, an estimator, and the
// float64 twin at the same point.
type bench struct {
	testing.TB
	stream    gpu.Stream
	network   *layers.Network
	batch     *layers.Batch
	state     gpu.Slice[uint32]
	estimator curvature.Estimator
	step      gpu.Program // forward, loss, backward, estimate; the step is counted
	twin      *exact.Pass
	tensors   []*exact.Tensor
}

// seed of weights, masks and whatever an estimator draws.
const seed = 5

func newBench(t testing.TB, n network, o curvature.Options, steps int) *bench {
	t.Helper()
	return newBenchOn(t, openStream(t), n, o, steps)
}

func openStream(t testing.TB) gpu.Stream {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 2, Library: "gonum"})
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

func newBenchOn(t testing.TB, stream gpu.Stream, n network, o curvature.Options, steps int) *bench {
	t.Helper()
	b := &bench{TB: t, stream: stream}
	var err error
	b.network, err = layers.New(b.stream, n.input, n.chain, seed)
	b.check(err)
	b.network.Retain = o.Retains()
	b.estimator, err = curvature.New(b.network, o, steps, seed)
	b.check(err)
	b.batch, err = b.network.Bind(n.rows)
	b.check(err)
	b.state, err = gpu.Alloc[uint32](b.stream, kernels.StateWords)
	b.check(err)

	x, labels := make([]float32, b.batch.X.Len()), make([]int32, n.rows)
	for i := range x {
		x[i] = 2*kernels.Uniform(kernels.Random(seed, kernels.RandomStream("x"), 0, uint64(i))[0]) - 1
	}
	for i := range labels {
		labels[i] = int32(i % b.network.Classes)
	}
	b.check(gpu.Upload(b.stream, b.batch.X, x))
	b.check(gpu.Upload(b.stream, b.batch.Labels, labels))
	b.run(func(r *gpu.Recorder) { b.batch.DrawMasks(r, seed, b.state) })
	b.step = b.compile(func(r *gpu.Recorder) {
		b.batch.Forward(r, true)
		b.batch.Loss(r, 0, true)
		b.batch.Backward(r, b.network.Gradients)
		b.check(b.estimator.Record(r, b.batch, b.state))
		r.Record(&kernels.Advance{State: b.state, Rows: uint32(n.rows)})
	})

	twin, err := exact.New(n.input, n.chain)
	b.check(err)
	b.check(twin.Load(b.network))
	mask := make([]uint8, b.batch.Mask.Len())
	b.check(gpu.Download(b.stream, mask, b.batch.Mask))
	b.twin = twin.Forward(exact.Batch{X: exact.Widen(x), Labels: labels, Training: true, Masks: twin.Masks(mask, n.rows)})
	for _, p := range b.network.Parameters {
		b.tensors = append(b.tensors, twin.Tensor(p.Name))
	}
	return b
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) compile(record func(r *gpu.Recorder)) gpu.Program {
	b.Helper()
	var r gpu.Recorder
	record(&r)
	p, err := b.stream.Compile(r.Ops())
	b.check(err)
	return p
}

func (b *bench) run(record func(r *gpu.Recorder)) {
	b.Helper()
	b.check(b.compile(record).Run())
}

// estimate runs a step and returns the estimate of every parameter, tensor after
// tensor.
func (b *bench) estimate() []float64 {
	b.Helper()
	b.check(b.step.Run())
	return b.parameters(b.estimator.Diagonal())
}

// parameters reads a vector of the network's layout, without its gaps.
func (b *bench) parameters(vector gpu.Slice[float32]) []float64 {
	b.Helper()
	all := make([]float32, vector.Len())
	b.check(b.network.Download(all, vector))
	var values []float64
	for _, p := range b.network.Parameters {
		values = append(values, exact.Widen(all[p.Offset:][:p.Elements()])...)
	}
	return values
}

// ofTwin reads a vector of the twin in the same order.
func (b *bench) ofTwin(vector []float64) []float64 {
	var values []float64
	for _, t := range b.tensors {
		values = append(values, t.Of(vector)...)
	}
	return values
}

// gaussNewton is the exact diagonal of the Gauss-Newton matrix.
func (b *bench) gaussNewton() []float64 {
	b.Helper()
	d, err := b.twin.GaussNewtonDiagonal(context.Background())
	b.check(err)
	return b.ofTwin(d)
}

// mean runs n estimates and returns mean and standard error of each entry and of
// their sum.
func (b *bench) mean(n int) (mean, standardError []float64) {
	b.Helper()
	var sums, squares []float64
	for range n {
		e := b.estimate()
		total := 0.0
		for _, v := range e {
			total += v
		}
		e = append(e, total)
		if sums == nil {
			sums, squares = make([]float64, len(e)), make([]float64, len(e))
		}
		for i, v := range e {
			sums[i] += v
			squares[i] += v * v
		}
	}
	mean, standardError = make([]float64, len(sums)), make([]float64, len(sums))
	for i := range sums {
		mean[i] = sums[i] / float64(n)
		variance := (squares[i] - float64(n)*mean[i]*mean[i]) / float64(n-1)
		standardError[i] = math.Sqrt(max(0, variance) / float64(n))
	}
	return mean, standardError
}

// unbiased demands that the mean of n estimates is the exact diagonal within 4
// standard errors, each entry and their sum. slack is the error of float32
// arithmetic as a share of the largest entry.
func (b *bench) unbiased(n int, want []float64, slack float64) {
	b.Helper()
	mean, standardError := b.mean(n)
	largest, total := 0.0, 0.0
	for _, w := range want {
		largest, total = max(largest, math.Abs(w)), total+w
	}
	worst := 0.0
	for i, w := range append(want, total) {
		off := max(0, math.Abs(mean[i]-w)-slack*largest)
		if off == 0 {
			continue
		}
		z := off / standardError[i]
		worst = max(worst, z)
		if z > 4 {
			b.Errorf("entry %d of %d: mean %.6g +- %.2g, want %.6g", i, len(mean), mean[i], standardError[i], w)
		}
	}
	b.Logf("%d entries, %d estimates: furthest from the exact diagonal by %.2f standard errors", len(want), n, worst)
}
