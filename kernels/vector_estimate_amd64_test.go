package kernels

import (
	"fmt"
	"testing"

	"diaghess/gpu"
)

func TestVectorEstimate(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		// The last two cross a block and end in part of a vector.
		for _, n := range append(channelCounts, elementsPerBlock+13, 3*elementsPerBlock+1) {
			o := operands()
			x, sum, average, diagonal := o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, 7, 8)
			corrections, state := hostSlice([]float32{1, 1.25, 1.5}), hostSlice([]uint32{StateStep: 2, StateWords - 1: 0})
			for flags := range uint32(8) {
				squared, second, third := flags&1, flags>>1&1, flags>>2&1
				name := func(kernel string) string { return fmt.Sprintf("%s, %d elements, flags %03b", kernel, n, flags) }
				o.compare(t, name("CurvatureSum"), &CurvatureSum{
					X: x, Sum: sum, Elements: int32(n), First: second, Squared: squared, Factor: .3,
				})
				o.compare(t, name("HutchinsonSample"), &HutchinsonSample{
					Z: x, Product: average, Sum: sum, Elements: int32(n), First: second, Absolute: squared, Factor: .3,
				})
				mean := CurvatureAverage{
					X: x, Sum: sum, Average: average, Diagonal: diagonal, Corrections: corrections, State: state,
					Elements: int32(n), Every: 2, Squared: squared, Factor: .3, Decay: .9, OneMinusDecay: .1,
				}
				if second == 0 {
					mean.Sum = gpu.Slice[float32]{}
				}
				if third == 0 {
					mean.Average = gpu.Slice[float32]{}
				}
				o.compare(t, name("CurvatureAverage"), &mean)
			}
			o.compare(t, fmt.Sprintf("Square, %d elements", n), &Square{X: x, Out: diagonal, Elements: int32(n)})
		}
	})
}

func TestVectorCalibrate(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		for _, n := range append(channelCounts, chunkElements+13) {
			o := operands()
			// Two tensors, and a gap between them.
			second := (n + TensorAlignment) / TensorAlignment * TensorAlignment
			words, _ := ChunkTable([]int{0, second}, []int{n, n})
			chunks, all := hostSlice(words), second+n
			g, r, drawn, swept := o.float(all, -1, 1), o.float(all, 0, 1), o.float(all, 0, 1), o.float(all, 0, 1)
			partial, diagonal := o.float(CalibrateSums*len(words)/ChunkWords, 7, 8), o.float(all, 7, 8)
			for _, sum := range []gpu.Slice[float32]{{}, o.float(all, 0, 1)} {
				o.compare(t, fmt.Sprintf("CalibrateAverage, %d elements, sum %v", n, !sum.IsNull()), &CalibrateAverage{
					G: g, Sum: sum, R: r, Drawn: drawn, Swept: swept, Chunks: chunks, Partial: partial, Factor: 64, Decay: .9, OneMinusDecay: .1,
				})
			}
			o.compare(t, fmt.Sprintf("CalibrateBlend, %d elements", n), &CalibrateBlend{
				Drawn: drawn, Swept: swept, Diagonal: diagonal, Chunks: chunks, Weights: o.float(4, 0, 1),
			})
		}
	})
}

// A partial sum is rounded to float32, which hides most of what a change of the order
// of its terms changes. This one compares the sums in double precision.
func TestVectorCalibrateOrder(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		const n = chunkElements
		o := operands()
		g, r, drawn, swept := o.float(n, -1, 1).Host(), o.float(n, 0, 1).Host(), o.float(n, 0, 1).Host(), o.float(n, 0, 1).Host()
		k := &CalibrateAverage{Factor: 64, Decay: .9, OneMinusDecay: .1}
		done, got := k.vector(g, nil, r, drawn, swept)
		if done != n {
			t.Fatalf("did %d elements of %d", done, n)
		}
		var want [CalibrateSums]float64
		for i := range n {
			d, s := float64(drawn[i]), float64(swept[i])
			for j, v := range [CalibrateSums]float64{d, s, d * d, d * s, s * s} {
				want[j] += v
			}
		}
		for j := range want {
			if got[j] != want[j] && (got[j] == got[j] || want[j] == want[j]) {
				t.Errorf("(seed %d): sum %d is %v with vectors, %v without", vectorSeed, j, got[j], want[j])
			}
		}
	})
}

func TestVectorCenteredSquare(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		for _, channels := range channelCounts {
			// The last crosses tiles and, with many channels, blocks.
			for _, rows := range []int{1, 2, 5, 1111} {
				o := operands()
				o.compare(t, fmt.Sprintf("CenteredSquare, %d rows, %d channels", rows, channels), &CenteredSquare{
					X: o.float(rows*channels, -1, 1), Mean: o.shift(channels), Out: o.float(rows*channels, 7, 8),
					Rows: int32(rows), Channels: int32(channels),
				})
			}
		}
	})
}

func TestVectorRademacher(t *testing.T) {
	needVectors(t)
	// Offsets that are and are not where a call's signs begin, and one that is not a
	// tensor's; the last counts need more calls than a chunk's elements.
	for _, offset := range []int{0, TensorAlignment, 3 * TensorAlignment, signsPerCall, 7*signsPerCall + 5*TensorAlignment, 3} {
		for _, n := range append(channelCounts, signsPerCall-1, signsPerCall, signsPerCall+1, chunkElements, chunkElements+13) {
			for _, draw := range []uint32{0, 5} {
				o := newOperands(nil)
				words, _ := ChunkTable([]int{offset}, []int{n})
				o.compare(t, fmt.Sprintf("Rademacher, %d elements from %d, draw %d", n, offset, draw), &Rademacher{
					Z: o.float(offset+n+lanes, 7, 8), Chunks: hostSlice(words), State: hostSlice([]uint32{StateStep: 1<<31 + 3, StateWords - 1: 0}),
					Seed: 0x123456789abcdef0, Stream: 1<<31 + 5, Draw: draw,
				})
			}
		}
	}
}
