package layers_test

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// A dense layer with a bias and LeakyReLU, on one sample: y = leaky(x kernel + bias).
func ExampleDense() {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	device, err := cpu.New(cpu.Options{Threads: 1})
	must(err)
	defer device.Close()
	stream, err := device.NewStream()
	must(err)
	defer stream.Close()

	input := layers.Shape{Height: 1, Width: 1, Channels: 2, Flat: true}
	network, err := layers.New(stream, input, []layers.Layer{
		layers.Dense{Name: "out", Units: 3},
		layers.Epilogue{Name: "out", Slope: 0.5},
	}, 0)
	must(err)
	kernel, bias := network.Parameters[0], network.Parameters[1]
	must(kernel.Upload(stream, kernel.Value, []float32{1, 2, 3, 4, 5, 6}))
	must(bias.Upload(stream, bias.Value, []float32{0, -20, 100}))

	batch, err := network.Bind(1)
	must(err)
	var r gpu.Recorder
	batch.Forward(&r, false)
	forward, err := stream.Compile(r.Ops())
	must(err)
	must(gpu.Upload(stream, batch.X, []float32{1, 2}))
	must(forward.Run())
	logits := make([]float32, 3)
	must(gpu.Download(stream, logits, batch.Logits))

	fmt.Println(kernel.Name, kernel.Shape, bias.Name, bias.Shape)
	fmt.Println(logits)
	// Output:
	// out/kernel [2 3] out/bias [3]
	// [9 -4 115]
}
