package kernels

import (
	"math"

	"diaghess/gpu"
)

// DropoutMask samples the masks of all dropout layers of a network: 1 keeps an
// element, 0 drops it. Element i of a segment is kept if
//
//	Uniform(Random(Seed, segment's stream, State.step, i / 4)[i % 4]) >= segment's rate
//
// so a mask depends on the seed, the layer, the step and the place alone.
type DropoutMask struct {
	Mask     gpu.Slice[uint8]  // the layers' masks one after the other, written
	Segments gpu.Slice[uint32] // [blocks, DropoutSegmentWords], see DropoutSegments
	State    gpu.Slice[uint32] // [StateWords]
	Seed     uint64
}

// DropoutSegmentWords is the number of words that describe the segment of one block.
// They are its offset in Mask, its length, the index of its first element in its layer,
// the random stream, the rate as float32, and three words of padding.
const DropoutSegmentWords = 8

// DropoutLayer describes the part of the mask that belongs to one layer.
type DropoutLayer struct {
	Offset, Elements int     // in the mask; Offset is a multiple of 16
	Stream           uint32  // of random numbers, see RandomStream
	Rate             float32 // probability that an element is dropped, in [0, 1)
}

// DropoutSegments divides the layers into segments, one for each block of a DropoutMask:
// [blocks, DropoutSegmentWords].
func DropoutSegments(layers []DropoutLayer) []uint32 {
	var words []uint32
	for _, l := range layers {
		for first := 0; first < l.Elements; first += elementsPerBlock {
			n := min(elementsPerBlock, l.Elements-first)
			words = append(words, uint32(l.Offset+first), uint32(n), uint32(first), l.Stream, math.Float32bits(l.Rate), 0, 0, 0)
		}
	}
	return words
}

func (k *DropoutMask) Entry() string { return "dropout_mask" }
func (k *DropoutMask) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.Segments.Len() / DropoutSegmentWords, Threads: threads}
}
func (k *DropoutMask) Cost() gpu.Cost {
	return gpu.Cost{Bytes: int64(k.Mask.Len()) + 4*int64(k.Segments.Len()), Flops: int64(k.Mask.Len())}
}

// Host samples the masks of segments lo to hi-1.
func (k *DropoutMask) Host(lo, hi int) {
	mask, segments, step := k.Mask.Host(), k.Segments.Host(), k.State.Host()[StateStep]
	seed0, seed1 := uint32(k.Seed), uint32(k.Seed>>32)
	for block := lo; block < hi; block++ {
		s := segments[block*DropoutSegmentWords:][:DropoutSegmentWords]
		out := mask[s[0]:][:s[1]]
		index, stream := s[2]/4, s[3]
		// Uniform is k / 2^24 with k the word's upper 24 bits, and a float32
		// rate times 2^24 is exact, so this compares the same without a branch.
		threshold := uint32(math.Ceil(float64(math.Float32frombits(s[4])) * (1 << 24)))
		done := k.vector(out, index, stream, step, threshold)
		index += uint32(done / 4)
		out = out[done:]
		for len(out) > 0 {
			w0, w1, w2, w3 := philox(index, 0, step, stream, seed0, seed1)
			keep := [4]uint8{atLeast(w0, threshold), atLeast(w1, threshold), atLeast(w2, threshold), atLeast(w3, threshold)}
			out = out[copy(out, keep[:]):]
			index++
		}
	}
}

// atLeast is 1 where the upper 24 bits of a word are at least the threshold,
// else 0.
func atLeast(word, threshold uint32) uint8 { return uint8(1 ^ (word>>8-threshold)>>31) }
