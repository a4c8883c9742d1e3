package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"diaghess/gpu"
)

// SelfTest checks the parts of a network on a device. It runs every kernel at every size of
// its table. It runs two convolutions in their three directions, twice each; both results
// must be bit-identical. It returns the number of checks; the error lists all failures.
func SelfTest(ctx context.Context, device gpu.Device) (checks int, err error) {
	var failed []error
	note := func(err error) {
		checks++
		if err != nil {
			failed = append(failed, err)
		}
	}
	// Few cases a stream, whose end gives their memory back.
	for some := range slices.Chunk(Cases(), 16) {
		if err := ctx.Err(); err != nil {
			return checks, err
		}
		err := gpu.WithStream(device, func(stream gpu.Stream) error {
			for _, c := range some {
				note(c.Run(stream))
			}
			return nil
		})
		if err != nil {
			return checks, errors.Join(append(failed, err)...)
		}
	}
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		for _, shape := range []gpu.ConvolutionShape{
			{Batch: 4, Height: 9, Width: 8, In: 16, Out: 32, Kernel: 3}, {Batch: 64, Height: 1, Width: 1, In: 128, Out: 10, Kernel: 1},
		} {
			for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
				note(testConvolution(stream, shape, d))
			}
		}
		return nil
	})
	return checks, errors.Join(append(failed, err)...)
}

// testConvolution compares a direction on random tensors with float64. The coarsest
// arithmetic, tf32, rounds each factor by at most 2^-11 of it, so a product is off by
// 2^-10 of it, and the roundings of the sum are far below that.
func testConvolution(stream gpu.Stream, shape gpu.ConvolutionShape, d gpu.Direction) error {
	const seed, tolerance = 1, 1.0/(1<<10) + 1.0/(1<<16)
	convolution, err := stream.Convolution(shape)
	if err != nil {
		return err
	}
	fail := func(format string, a ...any) error {
		return fmt.Errorf("convolution %v %v by %s, seed %d: %w", shape, d, convolution.Algorithm(d), seed, fmt.Errorf(format, a...))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	layout := stream.Device().FilterLayout()
	var host [3][]float32
	var tensors [3]gpu.Slice[float32]
	for i, n := range []int{shape.Input(), shape.Filter(), shape.Output()} {
		host[i] = make([]float32, n)
		for j := range host[i] {
			host[i][j] = float32(random.NormFloat64())
		}
		if tensors[i], err = gpu.Alloc[float32](stream, n); err != nil {
			return fail("%w", err)
		}
		raw := slices.Clone(host[i])
		if i == 1 {
			layout.FromHWIO(raw, host[i], shape.Out)
		}
		if err := gpu.Upload(stream, tensors[i], raw); err != nil {
			return fail("%w", err)
		}
	}
	written := d.Written()
	var got [2][]float32
	for i := range got {
		if err := runOp(stream, gpu.NewConvolutionPass(convolution, d, tensors[0], tensors[1], tensors[2])); err != nil {
			return fail("%w", err)
		}
		raw := make([]float32, tensors[written].Len())
		if err := gpu.Download(stream, raw, tensors[written]); err != nil {
			return fail("%w", err)
		}
		got[i] = slices.Clone(raw)
		if written == 1 {
			layout.ToHWIO(got[i], raw, shape.Out)
		}
	}
	if !slices.Equal(got[0], got[1]) {
		return fail("two runs differ")
	}
	want, magnitude := shape.Direct(d, host[0], host[1], host[2])
	for i, v := range got[0] {
		if difference := math.Abs(float64(v) - want[i]); !(difference <= tolerance*magnitude[i]) {
			return fail("element %d is %v, want %v", i, v, want[i])
		}
	}
	return nil
}
