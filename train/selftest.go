package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels/kerneltest"
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
	for some := range slices.Chunk(kerneltest.Cases(), 16) {
		if err := ctx.Err(); err != nil {
			return checks, err
		}
		err := withStream(device, func(stream gpu.Stream) error {
			for _, c := range some {
				note(testKernel(stream, c))
			}
			return nil
		})
		if err != nil {
			return checks, errors.Join(append(failed, err)...)
		}
	}
	err = withStream(device, func(stream gpu.Stream) error {
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

// withStream calls body with a stream that is closed after it.
func withStream(device gpu.Device, body func(gpu.Stream) error) error {
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	return errors.Join(body(stream), stream.Close())
}

// testKernel runs a case of the table.
func testKernel(stream gpu.Stream, c kerneltest.Case) error {
	instance, err := c.Place(stream)
	if err != nil {
		return err
	}
	if err := runOp(stream, instance.Kernel); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return instance.Verify()
}

// runOp compiles one op and runs it.
func runOp(stream gpu.Stream, op gpu.Op) error {
	var r gpu.Recorder
	r.Record(op)
	program, err := stream.Compile(r.Ops())
	if err != nil {
		return err
	}
	return program.Run()
}

// testConvolution holds a direction on drawn tensors against float64. The coarsest
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
	written := map[gpu.Direction]int{gpu.Forward: 2, gpu.BackwardData: 0, gpu.BackwardFilter: 1}[d]
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
	want, magnitude := convolve(shape, d, host[0], host[1], host[2])
	for i, v := range got[0] {
		if difference := math.Abs(float64(v) - want[i]); !(difference <= tolerance*magnitude[i]) {
			return fail("element %d is %v, want %v", i, v, want[i])
		}
	}
	return nil
}

// convolve computes a direction from its definition, and the sums of the terms'
// magnitudes.
func convolve(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) (sum, magnitude []float64) {
	n := map[gpu.Direction]int{gpu.Forward: s.Output(), gpu.BackwardData: s.Input(), gpu.BackwardFilter: s.Filter()}[d]
	sum, magnitude = make([]float64, n), make([]float64, n)
	add := func(at int, a, b float32) {
		product := float64(a) * float64(b)
		sum[at] += product
		magnitude[at] += math.Abs(product)
	}
	for position := range s.Batch * s.Height * s.Width {
		picture, row, column := position/(s.Height*s.Width), position/s.Width%s.Height, position%s.Width
		for tap := range s.Kernel * s.Kernel {
			h, v := row+tap/s.Kernel-s.Kernel/2, column+tap%s.Kernel-s.Kernel/2
			if h < 0 || h >= s.Height || v < 0 || v >= s.Width {
				continue
			}
			for i := range s.In {
				atX := ((picture*s.Height+h)*s.Width+v)*s.In + i
				for o := range s.Out {
					atW, atY := (tap*s.In+i)*s.Out+o, position*s.Out+o
					switch d {
					case gpu.Forward:
						add(atY, x[atX], w[atW])
					case gpu.BackwardData:
						add(atX, y[atY], w[atW])
					case gpu.BackwardFilter:
						add(atW, x[atX], y[atY])
					}
				}
			}
		}
	}
	return sum, magnitude
}
