package layers_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// unit is float32's unit roundoff.
const unit = 1.0 / (1 << 24)

// maskSeed is the seed of the dropout masks that the tests draw.
const maskSeed = 20

// trainer is a network bound to a batch, with its programs.
type trainer struct {
	testing.TB
	network *layers.Network
	batch   *layers.Batch
	state   gpu.Slice[uint32]
	masks   gpu.Program // draws the dropout masks
	step    gpu.Program // forward in training, loss, backward
	eval    gpu.Program // forward in inference, loss
}

func openStream(t testing.TB, o cpu.Options) gpu.Stream {
	t.Helper()
	device, err := cpu.New(o)
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, stream.Close()) })
	return stream
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTrainer(t testing.TB, o cpu.Options, input layers.Shape, chain []layers.Layer, size int, smoothing float32) *trainer {
	t.Helper()
	network, err := layers.New(openStream(t, o), input, chain, 1)
	check(t, err)
	return bindTrainer(t, network, size, smoothing)
}

func bindTrainer(t testing.TB, network *layers.Network, size int, smoothing float32) *trainer {
	t.Helper()
	batch, err := network.Bind(size)
	check(t, err)
	state, err := gpu.Alloc[uint32](network.Stream, kernels.StateWords)
	check(t, err)
	tr := &trainer{TB: t, network: network, batch: batch, state: state}
	tr.masks = tr.compile(func(r *gpu.Recorder) { batch.DrawMasks(r, maskSeed, state) })
	tr.step = tr.compile(func(r *gpu.Recorder) {
		batch.Forward(r, true)
		batch.Loss(r, smoothing, true)
		batch.Backward(r, network.Gradients)
	})
	tr.eval = tr.compile(func(r *gpu.Recorder) {
		batch.Forward(r, false)
		batch.Loss(r, smoothing, false)
	})
	return tr
}

func (tr *trainer) compile(record func(*gpu.Recorder)) gpu.Program {
	tr.Helper()
	var r gpu.Recorder
	record(&r)
	p, err := tr.network.Stream.Compile(r.Ops())
	check(tr, err)
	return p
}

func (tr *trainer) run(p gpu.Program) {
	tr.Helper()
	check(tr, p.Run())
}

func download[T gpu.Element](tr *trainer, s gpu.Slice[T]) []T {
	tr.Helper()
	host := make([]T, s.Len())
	check(tr, gpu.Download(tr.network.Stream, host, s))
	return host
}

func upload[T gpu.Element](tr *trainer, s gpu.Slice[T], host []T) {
	tr.Helper()
	check(tr, gpu.Upload(tr.network.Stream, s, host))
}

// poison fills a slice with NaN, so that what is read before it is written
// shows.
func poison(tr *trainer, s gpu.Slice[float32]) {
	host := make([]float32, s.Len())
	for i := range host {
		host[i] = float32(math.NaN())
	}
	upload(tr, s, host)
}

// loss is the mean of the rows' losses.
func (tr *trainer) loss() float64 {
	sum := 0.0
	for _, v := range download(tr, tr.batch.RowLoss) {
		sum += float64(v)
	}
	return sum / float64(tr.batch.Size)
}

// reference is a network in float64 with a batch: what the recorded programs are
// held against.
type reference struct {
	*exact.Network
	batch exact.Batch
}

func (m *reference) forward() *exact.Pass { return m.Forward(m.batch) }

// draw fills input, labels and parameters with random values of moderate size
// and copies them, and the masks, into a reference of the same network.
func (tr *trainer) draw(seed uint64, chain []layers.Layer, smoothing float32) *reference {
	tr.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, tr.batch.X.Len())
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	upload(tr, tr.batch.X, x)
	labels := make([]int32, tr.batch.Size)
	for i := range labels {
		labels[i] = random.Int32N(int32(tr.network.Classes))
	}
	upload(tr, tr.batch.Labels, labels)
	for _, p := range tr.network.Parameters {
		values := make([]float32, p.Elements())
		for i := range values {
			switch {
			case len(p.Shape) > 1: // keeps the size of what passes through
				fanIn := p.Elements() / p.Shape[len(p.Shape)-1]
				values[i] = float32(random.NormFloat64() / math.Sqrt(float64(fanIn)))
			case p.Name[len(p.Name)-5:] == "gamma":
				values[i] = 0.5 + random.Float32()
			default:
				values[i] = random.Float32() - 0.5
			}
		}
		upload(tr, p.Value, values)
	}
	for _, s := range tr.network.Statistics {
		values := make([]float32, s.Value.Len())
		for i := range values {
			values[i] = 0.5 + random.Float32()
		}
		upload(tr, s.Value, values)
	}
	twin, err := exact.New(tr.network.Input, chain)
	check(tr, err)
	check(tr, twin.Load(tr.network))
	return &reference{twin, exact.Batch{
		X: exact.Widen(x), Labels: labels, Smoothing: float64(smoothing), Training: true,
		Masks: tr.cutMasks(chain),
	}}
}

// cutMasks cuts the batch's masks by layer.
func (tr *trainer) cutMasks(chain []layers.Layer) [][]uint8 {
	tr.Helper()
	twin, err := exact.New(tr.network.Input, chain)
	check(tr, err)
	return twin.Masks(download(tr, tr.batch.Mask), tr.batch.Size)
}

func largest(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		most = max(most, math.Abs(v))
	}
	return most
}

// compare fails where got differs from want by more than the tolerance, or is
// NaN, and names the worst element.
func compare(t testing.TB, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: element %d is %.9g, want %.9g: off by %.2g, tolerance %.2g", what, at, got[at], want[at], worst, tolerance)
	}
}

// equalBits fails unless all elements have the same bits.
func equalBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%s: element %d is %v, want the bits of %v", what, i, got[i], want[i])
			return
		}
	}
}

// eachLibrary runs a test with each convolution library that is built in.
func eachLibrary(t *testing.T, test func(t *testing.T, library string)) {
	for _, library := range cpu.Libraries() {
		t.Run(library, func(t *testing.T) { test(t, library) })
	}
}
