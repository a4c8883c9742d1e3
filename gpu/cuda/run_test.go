//go:build cuda

package cuda_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim"
)

// smallRun trains a small network of the pilot's kind on drawn pictures, on a stream of
// its own, and returns its parameters; then it replays the step once more to time it
// and once for a profiler. It stops at the first error, and closes the stream.
func smallRun(device gpu.Device, seed uint64, steps int) (values []float32, err error) {
	stream, err := device.NewStream()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	const size, classes = 4, 3
	input := layers.Shape{Height: 4, Width: 3, Channels: 2}
	model := layers.PilotCNN()
	model.Filters, model.Dense = []int{3}, 5
	network, err := layers.New(stream, input, model.Layers(classes), seed)
	if err != nil {
		return nil, err
	}
	batch, err := network.Bind(size)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	pictures, labels := make([]float32, batch.X.Len()), make([]int32, size)
	for i := range pictures {
		pictures[i] = random.Float32()
	}
	for i := range labels {
		labels[i] = int32(random.IntN(classes))
	}
	if err := errors.Join(gpu.Upload(stream, batch.X, pictures), gpu.Upload(stream, batch.Labels, labels)); err != nil {
		return nil, err
	}
	rule, err := optim.Parse("adamw")
	if err != nil {
		return nil, err
	}
	length := optim.Length{Steps: steps + 2, StepsPerEpoch: steps + 2}
	optimizer, err := optim.New(stream, rule, optim.TensorsOf(network), length, gpu.Slice[float32]{}, false)
	if err != nil {
		return nil, err
	}
	var r gpu.Recorder
	batch.DrawMasks(&r, seed, optimizer.State)
	batch.Forward(&r, true)
	batch.Loss(&r, 0, true)
	batch.Backward(&r, network.Gradients)
	if err := optimizer.Record(&r); err != nil {
		return nil, err
	}
	r.Record(&kernels.Advance{State: optimizer.State, Rows: size})
	step, err := stream.Compile(r.Ops())
	if err != nil {
		return nil, err
	}
	for range steps {
		if err := step.Run(); err != nil {
			return nil, err
		}
	}
	values = make([]float32, network.Values.Len())
	if err := network.Download(values, network.Values); err != nil {
		return nil, err
	}
	if _, err := step.Profile(1); err != nil {
		return nil, err
	}
	if tracer, ok := stream.(gpu.Tracer); ok {
		err = tracer.Trace(step.Run)
	}
	return values, err
}

// TestSmallRun holds a small run against the emulator, which runs the same PTX and adds
// its convolutions up in the same order: the bits must be the same.
func TestSmallRun(t *testing.T) {
	const seed, steps = 7, 3
	emulator, err := emu.New(emu.Options{Source: kernels.Module, Library: "gonum"})
	check(t, err)
	want, err := smallRun(emulator, seed, steps)
	check(t, err)
	device, _ := open(t, standin.Options{Check: ptx.CheckMemory}, cuda.Options{})
	got, err := smallRun(device, seed, steps)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("seed %d: the parameters are %v, the emulator's %v", seed, got, want)
	}
}

// TestRunsSideBySide has several runs at once on one card, each on its own stream: the
// bits are those of each alone, whatever the order in which the card serves them.
func TestRunsSideBySide(t *testing.T) {
	const runs = 4
	var want [runs][]float32
	t.Run("alone", func(t *testing.T) {
		device, _ := open(t, standin.Options{}, cuda.Options{})
		for i := range want {
			var err error
			want[i], err = smallRun(device, uint64(i), 3)
			check(t, err)
		}
	})
	for order := uint64(1); order <= 3; order++ {
		t.Run(fmt.Sprint("order", order), func(t *testing.T) {
			device, _ := open(t, standin.Options{Seed: order, Check: ptx.CheckMemory}, cuda.Options{})
			type result struct {
				seed   int
				values []float32
				err    error
			}
			results := make(chan result)
			for i := range runs {
				go func() {
					values, err := smallRun(device, uint64(i), 3)
					results <- result{i, values, err}
				}()
			}
			for range runs {
				r := <-results
				if r.err != nil {
					t.Error(r.err)
				} else if !slices.Equal(r.values, want[r.seed]) {
					t.Errorf("run %d: other bits than alone", r.seed)
				}
			}
			if held := device.Allocated(); held != 0 {
				t.Errorf("the device holds %d bytes after all streams are closed", held)
			}
		})
	}
}
