package kernels_test

import (
	"fmt"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
)

// The benchmarks run the Go bodies on one thread, at the shapes of the pilot's
// network on a batch of 64. They report the bytes that a kernel must move, each
// once, as its throughput.

func benchmark(b *testing.B, name string, k gpu.Kernel) {
	b.Run(name, func(b *testing.B) {
		blocks := k.Grid().Blocks
		b.SetBytes(k.Cost().Bytes)
		for b.Loop() {
			k.Host(0, blocks)
		}
	})
}

// memory makes the operands of benchmarks.
type memory struct {
	b      *testing.B
	stream gpu.Stream
}

func newMemory(b *testing.B) memory {
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	s, err := d.NewStream()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return memory{b, s}
}

func alloc[T gpu.Element](m memory, n int) gpu.Slice[T] {
	s, err := gpu.Alloc[T](m.stream, n)
	if err != nil {
		m.b.Fatal(err)
	}
	return s
}

// floats draws n numbers from [lo, hi).
func (m memory) floats(n int, lo, hi float32) gpu.Slice[float32] {
	s := alloc[float32](m, n)
	for i := range s.Host() {
		word := kernels.Random(1, 2, 3, uint64(i/4))[i%4]
		s.Host()[i] = lo + (hi-lo)*kernels.Uniform(word)
	}
	return s
}

// bytes draws n numbers below limit, a power of two.
func (m memory) bytes(n int, limit uint32) gpu.Slice[uint8] {
	s := alloc[uint8](m, n)
	for i := range s.Host() {
		s.Host()[i] = uint8(kernels.Random(4, 5, 6, uint64(i/4))[i%4] % limit)
	}
	return s
}

func (m memory) words(values []uint32) gpu.Slice[uint32] {
	s := alloc[uint32](m, len(values))
	copy(s.Host(), values)
	return s
}

const (
	slope = 0.01
	keep  = 1 / 0.6
)

// BenchmarkEpilogue has the outputs of the convolutions, and of a dense layer
// as pictures of one pixel.
func BenchmarkEpilogue(b *testing.B) {
	const pictures = 64
	for _, shape := range []struct{ extent, channels int32 }{{32, 32}, {16, 64}, {8, 128}, {1, 512}} {
		b.Run(fmt.Sprintf("%dx%dx%d", shape.extent, shape.extent, shape.channels), func(b *testing.B) {
			m := newMemory(b)
			channels, extent := shape.channels, shape.extent
			rows := pictures * extent * extent
			pooledRows := kernels.PooledRows(pictures, extent, extent)
			elements, pooled := int(rows*channels), int(pooledRows*channels)
			y, a := m.floats(elements, -1, 1), alloc[float32](m, elements)
			da, dy := m.floats(elements, -1, 1), alloc[float32](m, elements)
			mean, scale, beta := m.floats(int(channels), -.1, .1), m.floats(int(channels), .5, 2), m.floats(int(channels), -.5, .5)
			dSlope, dOffset := m.floats(int(channels), -.1, .1), m.floats(int(channels), -.1, .1)
			partial := alloc[float32](m, 2*int(channels)*kernels.Chunks(rows, channels))

			benchmark(b, "BatchNormStats", &kernels.BatchNormStats{Y: y, Partial: partial, Rows: rows, Channels: channels})
			var none gpu.Slice[uint8]
			for _, mask := range []gpu.Slice[uint8]{none, m.bytes(elements, 2)} {
				name := ""
				if !mask.IsNull() {
					name = "Masked"
				}
				benchmark(b, name+"EpilogueForward", &kernels.EpilogueForward{
					Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, A: a,
					Rows: rows, Channels: channels, Slope: slope, Keep: keep,
				})
				benchmark(b, name+"EpilogueReduce", &kernels.EpilogueReduce{
					DA: da, Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, Partial: partial,
					Rows: rows, Channels: channels, Slope: slope, Keep: keep,
				})
				benchmark(b, name+"EpilogueBackward", &kernels.EpilogueBackward{
					DA: da, Y: y, Mean: mean, Scale: scale, Beta: beta, DSlope: dSlope, DOffset: dOffset, Mask: mask, DY: dy,
					Rows: rows, Channels: channels, Slope: slope, Keep: keep,
				})
			}
			if extent == 1 {
				return
			}
			mask, index := m.bytes(pooled, 2), m.bytes(pooled, 4)
			benchmark(b, "EpiloguePoolBackward", &kernels.EpiloguePoolBackward{
				DA: da.Sub(0, pooled), Y: y, Index: index, Mean: mean, Scale: scale, Beta: beta, DSlope: dSlope, DOffset: dOffset, Mask: mask, DY: dy,
				Pictures: pictures, Height: extent, Width: extent, Channels: channels, Slope: slope, Keep: keep,
			})
			benchmark(b, "EpiloguePoolForward", &kernels.EpiloguePoolForward{
				Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, A: a.Sub(0, pooled), Index: index, Winner: da.Sub(0, pooled),
				Pictures: pictures, Height: extent, Width: extent, Channels: channels, Slope: slope, Keep: keep,
			})
		})
	}
}

// BenchmarkColumns has the outputs of dense layers, of the pilot's network, of the
// perceptron's and of the logits.
func BenchmarkColumns(b *testing.B) {
	const rows = 64
	for _, channels := range []int32{512, 64, 10} {
		b.Run(fmt.Sprintf("%dx%d", rows, channels), func(b *testing.B) {
			m := newMemory(b)
			elements, each := int(rows*channels), int(channels)
			y, a := m.floats(elements, -1, 1), alloc[float32](m, elements)
			da, dy, mask := m.floats(elements, -1, 1), alloc[float32](m, elements), m.bytes(elements, 2)
			mean, scale, beta := m.floats(each, -.1, .1), m.floats(each, .5, 2), m.floats(each, -.5, .5)
			gamma, invStd := m.floats(each, .5, 2), m.floats(each, .5, 2)
			benchmark(b, "ColumnsForward", &kernels.ColumnsForward{
				Y: y, Gamma: gamma, Beta: beta, Mask: mask,
				MovingMean: alloc[float32](m, each), MovingVariance: alloc[float32](m, each),
				Mean: alloc[float32](m, each), InvStd: alloc[float32](m, each), Scale: alloc[float32](m, each), A: a,
				Rows: rows, Channels: channels, Epsilon: 1e-3, Momentum: .99, Correction: 1, Slope: slope, Keep: keep,
			})
			backward := kernels.ColumnsBackward{
				DA: da, Y: y, Mean: mean, InvStd: invStd, Scale: scale, Beta: beta, Mask: mask,
				DGamma: alloc[float32](m, each), DBeta: alloc[float32](m, each), DY: dy,
				Rows: rows, Channels: channels, Slope: slope, Keep: keep,
			}
			benchmark(b, "ColumnsBackward", &backward)
			bias := backward
			bias.DGamma, bias.Mask = gpu.Slice[float32]{}, gpu.Slice[uint8]{}
			benchmark(b, "ColumnsBackwardBias", &bias)
			bias.DY = gpu.Slice[float32]{}
			benchmark(b, "ColumnsBackwardSums", &bias)
		})
	}
}

// BenchmarkLoss has the logits of a batch.
func BenchmarkLoss(b *testing.B) {
	const rows, classes = 64, 10
	m := newMemory(b)
	benchmark(b, "SoftmaxCrossEntropy", &kernels.SoftmaxCrossEntropy{
		Logits: m.floats(rows*classes, -2, 2), Labels: alloc[int32](m, rows), DLogits: alloc[float32](m, rows*classes),
		RowLoss: alloc[float32](m, rows), Prediction: alloc[int32](m, rows), Rows: rows, Classes: classes,
	})
}

// BenchmarkUpdate has the network's parameters in one tensor.
func BenchmarkUpdate(b *testing.B) {
	const parameters = 1605376
	m := newMemory(b)
	words, _ := kernels.ChunkTable([]int{0}, []int{parameters})
	chunks, state := m.words(words), alloc[uint32](m, kernels.StateWords)
	w, g := m.floats(parameters, -1, 1), m.floats(parameters, -1, 1)
	moment, second, h := alloc[float32](m, parameters), alloc[float32](m, parameters), m.floats(parameters, 0, 1)
	coefficients := alloc[float32](m, kernels.CoefficientWords)
	copy(coefficients.Host(), []float32{1e-6, 1e-6})

	benchmark(b, "AdamUpdate", &kernels.AdamUpdate{
		W: w, G: g, M: moment, V: second, Chunks: chunks, Coefficients: coefficients, State: state,
		OneMinusBeta1: .1, OneMinusBeta2: .001, Epsilon: 1e-7, WeightDecay: .004,
	})
	diagHess := kernels.DiagHessUpdate{
		W: w, G: g, M: moment, V: second, Chunks: chunks, Coefficients: coefficients, State: state,
		C1: 1e-4, C2: 4e-3, Lambda0: 1e-3, Beta1: .9, OneMinusBeta1: .1, Beta2: .999, OneMinusBeta2: .001, Epsilon: 1e-7,
	}
	benchmark(b, "DiagHessUpdate", &diagHess)
	diagHess.H = h
	benchmark(b, "DiagHessUpdateCurvature", &diagHess)
	benchmark(b, "DiagHessMinimum", &kernels.DiagHessMinimum{
		G: g, H: h, Chunks: chunks, Minimum: alloc[float32](m, chunks.Len()/kernels.ChunkWords), C1: 1e-4, C2: 4e-3,
	})
}

// BenchmarkDropoutMask has the masks of the network's five dropout layers.
func BenchmarkDropoutMask(b *testing.B) {
	m := newMemory(b)
	var layers []kernels.DropoutLayer
	offset := 0
	for i, elements := range []int{16 * 16 * 32, 8 * 8 * 64, 4 * 4 * 128, 512, 512} {
		layers = append(layers, kernels.DropoutLayer{Offset: offset, Elements: 64 * elements, Stream: uint32(i), Rate: .4})
		offset += 64 * elements
	}
	benchmark(b, "DropoutMask", &kernels.DropoutMask{
		Mask: alloc[uint8](m, offset), Segments: m.words(kernels.DropoutSegments(layers)), State: alloc[uint32](m, kernels.StateWords), Seed: 1,
	})
}

// BenchmarkGather makes a batch of CIFAR pictures, as they are and augmented.
func BenchmarkGather(b *testing.B) {
	const rows, values = 64, 32 * 32 * 3
	m := newMemory(b)
	order := make([]uint32, rows)
	for i := range order {
		order[i] = uint32(rows - 1 - i)
	}
	images, labels, state := m.bytes(rows*values, 256), alloc[int32](m, rows), alloc[uint32](m, kernels.StateWords)
	x, y := alloc[float32](m, rows*values), alloc[int32](m, rows)
	benchmark(b, "Gather", &kernels.Gather{
		Images: images, Labels: labels, Order: m.words(order), State: state, X: x, Y: y, Rows: rows, Values: values, Divisor: 255,
	})
	benchmark(b, "GatherAugment", &kernels.GatherAugment{
		Images: images, Labels: labels, Order: m.words(order), State: state, X: x, Y: y,
		Rows: rows, Height: 32, Width: 32, Channels: 3, Divisor: 255, Padding: 4, Flip: 1,
	})
}
