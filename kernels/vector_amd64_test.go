package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu"
)

// The vector methods against the scalar loops, bit for bit.

const vectorSeed = 1

// channelCounts are around and between whole vectors.
var channelCounts = []int{1, 3, 7, 8, 9, 31, 32, 33, 512}

// operands are a kernel's buffers, with values that are hard on one in sixteen
// places.
type operands struct {
	random *rand.Rand
	hard   []float32
	floats []gpu.Slice[float32]
	bytes  []gpu.Slice[uint8]
}

func newOperands(hard []float32) *operands {
	return &operands{random: rand.New(rand.NewPCG(vectorSeed, 0)), hard: hard}
}

func hostSlice[T gpu.Element](values []T) gpu.Slice[T] {
	const size = 4 // enough for every element
	s := gpu.View[T](&gpu.Buffer{Host: make([]byte, size*len(values)), Size: size * len(values)}).Sub(0, len(values))
	copy(s.Host(), values)
	return s
}

func (o *operands) float(n int, lo, hi float32) gpu.Slice[float32] {
	values := make([]float32, n)
	for i := range values {
		values[i] = lo + (hi-lo)*o.random.Float32()
		if len(o.hard) > 0 && o.random.IntN(16) == 0 {
			values[i] = o.hard[o.random.IntN(len(o.hard))]
		}
	}
	s := hostSlice(values)
	o.floats = append(o.floats, s)
	return s
}

// shift draws means or offsets of channels, one in four of them 0: with a y of 0
// there, z is 0.
func (o *operands) shift(channels int) gpu.Slice[float32] {
	s := o.float(channels, -.5, .5)
	for c := 1; c < channels; c += 4 {
		s.Host()[c] = 0
	}
	return s
}

// byte draws numbers below limit.
func (o *operands) byte(n, limit int) gpu.Slice[uint8] {
	values := make([]uint8, n)
	for i := range values {
		values[i] = uint8(o.random.IntN(limit))
	}
	s := hostSlice(values)
	o.bytes = append(o.bytes, s)
	return s
}

// contents copies all operands.
func (o *operands) contents() (floats [][]float32, bytes [][]uint8) {
	for _, s := range o.floats {
		floats = append(floats, slices.Clone(s.Host()))
	}
	for _, s := range o.bytes {
		bytes = append(bytes, slices.Clone(s.Host()))
	}
	return floats, bytes
}

// compare runs a kernel with vectors and without on the same operands.
func (o *operands) compare(t *testing.T, name string, k gpu.Kernel) {
	t.Helper()
	floatsBefore, bytesBefore := o.contents()
	k.Host(0, k.Grid().Blocks)
	floats, bytes := o.contents()
	for i, s := range o.floats {
		copy(s.Host(), floatsBefore[i])
	}
	for i, s := range o.bytes {
		copy(s.Host(), bytesBefore[i])
	}
	withoutVectors(func() { k.Host(0, k.Grid().Blocks) })
	for i, s := range o.floats {
		for j, want := range s.Host() {
			got := floats[i][j]
			if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
				t.Fatalf("%s (seed %d): float operand %d, element %d of %d is %v (%#x) with vectors, %v (%#x) without",
					name, vectorSeed, i, j, s.Len(), got, math.Float32bits(got), want, math.Float32bits(want))
			}
		}
	}
	for i, s := range o.bytes {
		for j, want := range s.Host() {
			if got := bytes[i][j]; got != want {
				t.Fatalf("%s (seed %d): byte operand %d, element %d of %d is %d with vectors, %d without", name, vectorSeed, i, j, s.Len(), got, want)
			}
		}
	}
}

func withoutVectors(run func()) {
	hasVectors = false
	run()
	hasVectors = true
}

func needVectors(t *testing.T) {
	if !hasVectors {
		t.Skip("there are no vectors here: nothing to compare")
	}
}

// eachValues calls a test with operands of ordinary values, and with zeros,
// denormals, infinities and NaNs among them.
func eachValues(t *testing.T, test func(t *testing.T, operands func() *operands)) {
	needVectors(t)
	infinity, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, hard := range map[string][]float32{
		"ordinary": nil,
		"zeros":    {0, float32(math.Copysign(0, -1)), 1e-42, -1e-42, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 1e-38},
		"infinite": {infinity, -infinity, math.MaxFloat32, -math.MaxFloat32},
		"nan":      {nan, -nan, infinity, 0},
	} {
		t.Run(name, func(t *testing.T) { test(t, func() *operands { return newOperands(hard) }) })
	}
}

func TestVectorEpilogue(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachValues(t, func(t *testing.T, operands func() *operands) {
		for _, channels := range channelCounts {
			// The last crosses tiles and, with many channels, chunks.
			for _, rows := range []int{1, 2, 3, 4, 5, 1111} {
				for _, masked := range []bool{false, true} {
					o := operands()
					n := rows * channels
					y, da := o.float(n, -1, 1), o.float(n, -1, 1)
					mean, scale, beta := o.shift(channels), o.float(channels, -1, 2), o.shift(channels)
					dSlope, dOffset := o.float(channels, -1, 1), o.float(channels, -1, 1)
					out := o.float(n, 7, 8)
					partial := o.float(2*channels*Chunks(int32(rows), int32(channels)), 7, 8)
					var mask gpu.Slice[uint8]
					if masked {
						mask = o.byte(n, 2)
					}
					name := func(kernel string) string {
						return fmt.Sprintf("%s, %d rows, %d channels, mask %v", kernel, rows, channels, masked)
					}
					o.compare(t, name("BatchNormStats"), &BatchNormStats{Y: y, Partial: partial, Rows: int32(rows), Channels: int32(channels)})
					o.compare(t, name("EpilogueForward"), &EpilogueForward{
						Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, A: out,
						Rows: int32(rows), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					})
					o.compare(t, name("EpilogueReduce"), &EpilogueReduce{
						DA: da, Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, Partial: partial,
						Rows: int32(rows), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					})
					o.compare(t, name("EpilogueBackward"), &EpilogueBackward{
						DA: da, Y: y, Mean: mean, Scale: scale, Beta: beta, DSlope: dSlope, DOffset: dOffset, Mask: mask, DY: out,
						Rows: int32(rows), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					})
					sums := o.float(3*channels*Chunks(int32(rows), int32(channels)), 7, 8)
					for _, qz := range []gpu.Slice[float32]{out, {}} {
						o.compare(t, name("HesScaleSlope"), &HesScaleSlope{
							QA: da, Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, QZ: qz, Partial: sums,
							Rows: int32(rows), Height: 1, Width: 1, Channels: int32(channels), Slope: .01, Keep: 1 / .6,
						})
					}
					coefficients := o.float(5*channels, -1, 1)
					o.compare(t, name("HesScaleBackward"), &HesScaleBackward{
						Q: out, Y: y, Mean: mean, Coefficients: coefficients, Rows: int32(rows), Channels: int32(channels),
					})
				}
			}
		}
	})
}

func TestVectorEpiloguePool(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		const pictures = 3
		for _, channels := range channelCounts {
			for _, size := range [][2]int{{1, 1}, {1, 4}, {2, 2}, {3, 2}, {4, 5}, {5, 3}, {12, 12}} {
				for _, masked := range []bool{false, true} {
					o := operands()
					height, width := size[0], size[1]
					n := pictures * height * width * channels
					rows := int(PooledRows(pictures, int32(height), int32(width)))
					y, da := o.float(n, -1, 1), o.float(rows*channels, -1, 1)
					// Ties, with neighbours to the right.
					for i := channels; i < n; i += 3 {
						y.Host()[i] = y.Host()[i-channels]
					}
					mean, scale, beta := o.shift(channels), o.float(channels, -1, 2), o.shift(channels)
					dSlope, dOffset := o.float(channels, -1, 1), o.float(channels, -1, 1)
					a, dy := o.float(rows*channels, 7, 8), o.float(n, 7, 8)
					index, winner := o.byte(rows*channels, 4), o.float(rows*channels, 7, 8)
					var mask gpu.Slice[uint8]
					if masked {
						mask = o.byte(rows*channels, 2)
					}
					name := func(kernel string) string {
						return fmt.Sprintf("%s, %dx%d, %d channels, mask %v", kernel, height, width, channels, masked)
					}
					// Forward first: the others want its index.
					forward := EpiloguePoolForward{
						Y: y, Mean: mean, Scale: scale, Beta: beta, Mask: mask, A: a,
						Pictures: pictures, Height: int32(height), Width: int32(width), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					}
					o.compare(t, name("EpiloguePoolForward in inference"), &forward)
					forward.Index, forward.Winner = index, winner
					o.compare(t, name("EpiloguePoolForward"), &forward)
					o.compare(t, name("EpiloguePoolBackward"), &EpiloguePoolBackward{
						DA: da, Y: y, Index: index, Mean: mean, Scale: scale, Beta: beta, DSlope: dSlope, DOffset: dOffset, Mask: mask, DY: dy,
						Pictures: pictures, Height: int32(height), Width: int32(width), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					})
					all := int32(pictures * height * width)
					o.compare(t, name("HesScaleSlope"), &HesScaleSlope{
						QA: da, Y: y, Index: index, Mean: mean, Scale: scale, Beta: beta, Mask: mask, QZ: dy,
						Partial: o.float(3*channels*Chunks(all, int32(channels)), 7, 8),
						Rows:    all, Height: int32(height), Width: int32(width), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					})
				}
			}
		}
	})
}

func TestVectorUpdate(t *testing.T) {
	eachValues(t, func(t *testing.T, operands func() *operands) {
		for _, n := range append(channelCounts, chunkElements+13) {
			o := operands()
			words, first := ChunkTable([]int{0}, []int{n})
			chunks, state := hostSlice(words), hostSlice(make([]uint32, StateWords))
			coefficients := hostSlice([]float32{1e-3, 1.1, 0, 0})
			w, g, h, m, v := o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, 0, 1)
			name := func(kernel string) string { return fmt.Sprintf("%s, %d elements", kernel, n) }
			o.compare(t, name("AdamUpdate"), &AdamUpdate{
				W: w, G: g, M: m, V: v, Chunks: chunks, Coefficients: coefficients, State: state,
				OneMinusBeta1: .1, OneMinusBeta2: .001, Epsilon: 1e-7, WeightDecay: .004,
			})
			minimum := o.float(len(words)/ChunkWords, 7, 8)
			o.compare(t, name("DiagHessMinimum"), &DiagHessMinimum{G: g, H: h, Chunks: chunks, Minimum: minimum, C1: .5, C2: .3})
			lambda := o.float(len(first)-1, .1, 2)
			update := DiagHessUpdate{
				W: w, G: g, M: m, V: v, Chunks: chunks, Coefficients: coefficients, State: state,
				C1: .5, C2: .3, Lambda0: 1e-3, Beta1: .9, OneMinusBeta1: .1, Beta2: .999, OneMinusBeta2: .001, Epsilon: 1e-7,
			}
			o.compare(t, name("DiagHessUpdate"), &update)
			update.H, update.Lambda = h, lambda
			o.compare(t, name("DiagHessUpdate with curvature"), &update)
		}
	})
}

func TestVectorDropoutMask(t *testing.T) {
	needVectors(t)
	const seed, stream, step = 0x123456789abcdef0, 1<<31 + 5, 1<<31 + 3
	// The rate that element 6 is just kept at.
	edge := Uniform(Random(seed, stream, step, 1)[2])
	for _, n := range append(channelCounts, elementsPerBlock+77) {
		for _, rate := range []float32{0, .25, .4, edge, 1} {
			o := newOperands(nil)
			layers := []DropoutLayer{{Elements: n, Stream: stream, Rate: rate}, {Offset: (n + 15) &^ 15, Elements: n, Rate: .5}}
			o.compare(t, fmt.Sprintf("DropoutMask, %d elements, rate %v", n, rate), &DropoutMask{
				Mask: o.byte(layers[1].Offset+n, 2), Segments: hostSlice(DropoutSegments(layers)),
				State: hostSlice([]uint32{StateStep: step, StateWords - 1: 0}), Seed: seed,
			})
		}
	}
}

func TestVectorGather(t *testing.T) {
	needVectors(t)
	const pictures, rows = 4, 3
	for _, n := range channelCounts {
		for _, divisor := range []float32{255, 1, 3} {
			o := newOperands(nil)
			o.compare(t, fmt.Sprintf("Gather, %d values, divisor %v", n, divisor), &Gather{
				Images: o.byte(pictures*n, 256), Labels: hostSlice(make([]int32, pictures)),
				Order: hostSlice([]uint32{3, 1, 2, 0}), State: hostSlice([]uint32{StateSample: 1, StateWords - 1: 0}),
				X: o.float(rows*n, 7, 8), Y: hostSlice(make([]int32, rows)), Rows: rows, Values: int32(n), Divisor: divisor,
			})
		}
	}
}

func TestVectorGatherAugment(t *testing.T) {
	needVectors(t)
	const pictures, rows, height = 16, 12, 5
	order := make([]uint32, pictures)
	for i := range order {
		order[i] = uint32(pictures - 1 - i)
	}
	for _, width := range []int{1, 3, 8, 31, 32} {
		for _, channels := range []int{1, 3} {
			for _, padding := range []int32{0, 4} {
				o := newOperands(nil)
				n := height * width * channels
				o.compare(t, fmt.Sprintf("GatherAugment, width %d, %d channels, padding %d", width, channels, padding), &GatherAugment{
					Images: o.byte(pictures*n, 256), Labels: hostSlice(make([]int32, pictures)),
					Order: hostSlice(order), State: hostSlice([]uint32{StateSample: 1, StatePass: 2}),
					X: o.float(rows*n, 7, 8), Y: hostSlice(make([]int32, rows)),
					Rows: rows, Height: height, Width: int32(width), Channels: int32(channels),
					Divisor: 255, Padding: padding, Flip: 1, Stream: 3, Seed: 4,
				})
			}
		}
	}
}
