package kernels_test

import (
	"fmt"
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
)

// BenchmarkEstimate has the network's parameters in one tensor, and what the estimators
// of the curvature do with vectors of that layout.
func BenchmarkEstimate(b *testing.B) {
	const parameters = 1605376
	m := newMemory(b)
	words, _ := kernels.ChunkTable([]int{0}, []int{parameters})
	chunks, state := m.words(words), alloc[uint32](m, kernels.StateWords)
	x, y, z := m.floats(parameters, -1, 1), m.floats(parameters, -1, 1), m.floats(parameters, 0, 1)
	out, average := alloc[float32](m, parameters), m.floats(parameters, 0, 1)
	corrections := alloc[float32](m, 1)
	corrections.Host()[0] = 10

	benchmark(b, "CurvatureSum", &kernels.CurvatureSum{X: x, Sum: out, Elements: parameters, Factor: 1e-6})
	benchmark(b, "CurvatureAverage", &kernels.CurvatureAverage{
		X: x, Average: average, Diagonal: out, Corrections: corrections, State: state,
		Elements: parameters, Every: 1, Squared: 1, Factor: 64, Decay: .9, OneMinusDecay: .1,
	})
	benchmark(b, "Square", &kernels.Square{X: x, Out: out, Elements: parameters})
	benchmark(b, "CalibrateAverage", &kernels.CalibrateAverage{
		G: x, R: z, Drawn: average, Swept: out, Chunks: chunks, Partial: alloc[float32](m, kernels.CalibrateSums*len(words)/kernels.ChunkWords),
		Factor: 64, Decay: .9, OneMinusDecay: .1,
	})
	benchmark(b, "CalibrateBlend", &kernels.CalibrateBlend{Drawn: x, Swept: y, Diagonal: out, Chunks: chunks, Weights: m.floats(2, 0, 1)})
	benchmark(b, "Rademacher", &kernels.Rademacher{Z: out, Chunks: chunks, State: state, Seed: 1})
	benchmark(b, "HutchinsonSample", &kernels.HutchinsonSample{Z: x, Product: y, Sum: out, Elements: parameters, First: 1, Factor: 1})
}

// BenchmarkHesScale and BenchmarkTangent have the outputs of the convolutions, with
// pooling and without.
func BenchmarkHesScale(b *testing.B) {
	eachPicture(b, func(b *testing.B, m memory, s pictureShape, index, mask gpu.Slice[uint8]) {
		y, mean, scale, beta := m.floats(s.elements, -1, 1), m.floats(s.each, -.1, .1), m.floats(s.each, .5, 2), m.floats(s.each, -.5, .5)
		q := alloc[float32](m, s.elements)
		benchmark(b, "HesScaleSlope", &kernels.HesScaleSlope{
			QA: m.floats(s.outputs, 0, 1), Y: y, Index: index, Mean: mean, Scale: scale, Beta: beta, Mask: mask, QZ: q,
			Partial: alloc[float32](m, 3*s.each*kernels.Chunks(s.rows, s.channels)),
			Rows:    s.rows, Height: s.extent, Width: s.extent, Channels: s.channels, Slope: slope, Keep: keep,
		})
		if !index.IsNull() {
			return
		}
		benchmark(b, "HesScaleBackward", &kernels.HesScaleBackward{
			Q: q, Y: y, Mean: mean, Coefficients: m.floats(5*s.each, -.1, .1), Rows: s.rows, Channels: s.channels,
		})
		benchmark(b, "CenteredSquare", &kernels.CenteredSquare{X: y, Mean: mean, Out: q, Rows: s.rows, Channels: s.channels})
	})
}

func BenchmarkTangent(b *testing.B) {
	eachPicture(b, func(b *testing.B, m memory, s pictureShape, index, mask gpu.Slice[uint8]) {
		y, mean, scale, beta := m.floats(s.elements, -1, 1), m.floats(s.each, -.1, .1), m.floats(s.each, .5, 2), m.floats(s.each, -.5, .5)
		yDot, meanDot, scaleDot := m.floats(s.elements, -1, 1), m.floats(s.each, -.1, .1), m.floats(s.each, -1, 1)
		da, daDot := m.floats(s.outputs, -1, 1), m.floats(s.outputs, -1, 1)
		partial := alloc[float32](m, 2*s.each*kernels.Chunks(s.rows, s.channels))
		benchmark(b, "TangentReduce", &kernels.TangentReduce{
			DA: da, DADot: daDot, Y: y, YDot: yDot, Index: index, Mean: mean, Scale: scale, Beta: beta, MeanDot: meanDot, Mask: mask, Partial: partial,
			Rows: s.rows, Height: s.extent, Width: s.extent, Channels: s.channels, Slope: slope, Keep: keep,
		})
		benchmark(b, "TangentBackward", &kernels.TangentBackward{
			DA: da, DADot: daDot, Y: y, YDot: yDot, Index: index, Mean: mean, Scale: scale, Beta: beta, MeanDot: meanDot, ScaleDot: scaleDot,
			Coefficients: m.floats(3*s.each, -.1, .1), Mask: mask, DYDot: alloc[float32](m, s.elements),
			Rows: s.rows, Height: s.extent, Width: s.extent, Channels: s.channels, Slope: slope, Keep: keep,
		})
		if !index.IsNull() {
			return
		}
		benchmark(b, "TangentStats", &kernels.TangentStats{Y: y, YDot: yDot, Mean: mean, Partial: partial, Rows: s.rows, Channels: s.channels})
	})
}

// pictureShape is a tensor of pictures, and how many elements an epilogue makes of it.
type pictureShape struct {
	extent, channels, rows  int32
	each, elements, outputs int
}

func eachPicture(b *testing.B, run func(b *testing.B, m memory, s pictureShape, index, mask gpu.Slice[uint8])) {
	const pictures = 64
	for _, s := range []pictureShape{{extent: 32, channels: 32}, {extent: 16, channels: 64}, {extent: 8, channels: 128}} {
		for _, pool := range []bool{false, true} {
			name := "alone"
			if pool {
				name = "pooled"
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s.extent, s.extent, s.channels, name), func(b *testing.B) {
				m, s := newMemory(b), s
				s.rows, s.each = pictures*s.extent*s.extent, int(s.channels)
				s.elements = int(s.rows) * s.each
				s.outputs = s.elements
				var index, mask gpu.Slice[uint8]
				if pool {
					s.outputs = int(kernels.PooledRows(pictures, s.extent, s.extent)) * s.each
					index, mask = m.bytes(s.outputs, 4), m.bytes(s.outputs, 2)
				}
				run(b, m, s, index, mask)
			})
		}
	}
}
