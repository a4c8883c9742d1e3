package kernels

import (
	"math"

	"diaghess/gpu"
)

// Initialize sets tensors to their initial values: uniform around a constant or, with
// Limit 0, the constant. Element i of a tensor becomes
//
//	Constant + float32((2 Uniform(Random(Seed, Stream, 0, i / 4)[i % 4]) - 1) * Limit)
//
// so it depends only on the seed, the tensor's stream and the place.
type Initialize struct {
	Values   gpu.Slice[float32] // the tensors, written; gaps between them keep their values
	Segments gpu.Slice[uint32]  // [blocks, InitialSegmentWords], see InitialSegments
	Seed     uint64
}

// InitialSegmentWords is the number of words that describe the segment of one block. They
// are its offset in Values, its length, the index of its first element in its tensor, the
// random stream, the constant and the limit as float32, and two words of padding.
const InitialSegmentWords = 8

// InitialTensor describes the initial values of one tensor: uniform in [Constant - Limit,
// Constant + Limit).
type InitialTensor struct {
	Offset, Elements int    // in the values
	Stream           uint32 // of random numbers, see RandomStream
	Constant, Limit  float32
}

// InitialSegments divides the tensors into segments, one for each block of an Initialize:
// [blocks, InitialSegmentWords].
func InitialSegments(tensors []InitialTensor) []uint32 {
	var words []uint32
	for _, t := range tensors {
		for first := 0; first < t.Elements; first += elementsPerBlock {
			n := min(elementsPerBlock, t.Elements-first)
			words = append(words, uint32(t.Offset+first), uint32(n), uint32(first), t.Stream,
				math.Float32bits(t.Constant), math.Float32bits(t.Limit), 0, 0)
		}
	}
	return words
}

func (k *Initialize) Entry() string { return "initialize" }
func (k *Initialize) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.Segments.Len() / InitialSegmentWords, Threads: threads}
}

// Cost takes the tensors to fill Values.
func (k *Initialize) Cost() gpu.Cost {
	n := int64(k.Values.Len())
	return gpu.Cost{Bytes: 4*n + 4*int64(k.Segments.Len()), Flops: 4 * n}
}

// Host initializes segments lo to hi-1.
func (k *Initialize) Host(lo, hi int) {
	values, segments := k.Values.Host(), k.Segments.Host()
	for block := lo; block < hi; block++ {
		s := segments[block*InitialSegmentWords:][:InitialSegmentWords]
		out, index, stream := values[s[0]:][:s[1]], s[2]/4, s[3]
		constant, limit := math.Float32frombits(s[4]), math.Float32frombits(s[5])
		for len(out) > 0 {
			w0, w1, w2, w3 := philox(index, 0, 0, stream, uint32(k.Seed), uint32(k.Seed>>32))
			var drawn [4]float32
			for i, word := range [4]uint32{w0, w1, w2, w3} {
				drawn[i] = constant + float32((2*Uniform(word)-1)*limit)
			}
			out = out[copy(out, drawn[:]):]
			index++
		}
	}
}
