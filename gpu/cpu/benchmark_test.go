package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// BenchmarkConvolution runs the convolutions of the pilot's network on a batch of 64,
// on one stream of all threads, each direction that a step has. GFLOP/s are of the
// direct sum, so Winograd's algorithm may pass what the processor can do.
func BenchmarkConvolution(b *testing.B) {
	for _, layer := range []struct{ extent, in, out int }{
		{32, 3, 32}, {32, 32, 32}, {16, 32, 64}, {16, 64, 64}, {8, 64, 128}, {8, 128, 128}, {1, 2048, 512},
	} {
		s := gpu.ConvolutionShape{Batch: 64, Height: layer.extent, Width: layer.extent, In: layer.in, Out: layer.out, Kernel: 3}
		if layer.extent == 1 {
			s.Kernel = 1
		}
		for _, d := range directions {
			if layer.in == 3 && d == gpu.BackwardData {
				continue // pictures need no gradient
			}
			b.Run(fmt.Sprintf("%dx%dx%d-%d/%v", layer.extent, layer.extent, layer.in, layer.out, d), func(b *testing.B) {
				benchmarkConvolution(b, s, d)
			})
		}
	}
}

// BenchmarkProduct runs the matrix products of Muon's iterations, for the pilot's dense layers
// and its last convolution.
func BenchmarkProduct(b *testing.B) {
	for _, p := range []struct{ batch, in, out int }{{2048, 512, 512}, {512, 512, 512}, {1152, 128, 128}} {
		s := gpu.ConvolutionShape{Batch: p.batch, Height: 1, Width: 1, In: p.in, Out: p.out, Kernel: 1}
		for _, d := range directions {
			b.Run(fmt.Sprintf("%dx%dx%d/%v", p.batch, p.in, p.out, d), func(b *testing.B) { benchmarkConvolution(b, s, d) })
		}
	}
}

func benchmarkConvolution(b *testing.B, s gpu.ConvolutionShape, d gpu.Direction) {
	work := newBench(b, cpu.Options{})
	random := rand.New(rand.NewPCG(1, 0))
	var tensors [3]gpu.Slice[float32]
	for i, n := range []int{s.Input(), s.Filter(), s.Output()} {
		tensors[i] = work.place(n, normals(random, n)).slice
	}
	c, err := work.stream.Convolution(s)
	check(b, err)
	var r gpu.Recorder
	r.Record(gpu.NewConvolutionPass(c, d, tensors[0], tensors[1], tensors[2]))
	program, err := work.stream.Compile(r.Ops())
	check(b, err)
	check(b, program.Run()) // makes the scratch memory
	for b.Loop() {
		check(b, program.Run())
	}
	products := s.Output() * s.Kernel * s.Kernel * s.In
	b.ReportMetric(2*float64(products)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
