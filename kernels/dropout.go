package kernels

import (
	"math"

	"diaghess/gpu"
)

// DropoutMask draws the masks of all dropout layers of a network: 1 keeps an
// element, 0 drops it. Element i of a segment is kept where
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

// DropoutSegmentWords is the number of words that describe a block's work:
// offset in Mask, length, index of its first element in its layer, stream,
// bits of the rate, and three words of padding.
const DropoutSegmentWords = 8

// DropoutLayer is a layer's part of the mask.
type DropoutLayer struct {
	Offset, Elements int // in the mask; Offset is a multiple of 16
	Stream           uint32
	Rate             float32
}

// DropoutSegments cuts the layers into the blocks of a DropoutMask.
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

// Host draws the masks of segments lo to hi-1.
func (k *DropoutMask) Host(lo, hi int) {
	mask, segments, step := k.Mask.Host(), k.Segments.Host(), k.State.Host()[StateStep]
	for block := lo; block < hi; block++ {
		s := segments[block*DropoutSegmentWords:][:DropoutSegmentWords]
		out := mask[s[0]:][:s[1]]
		index, stream, rate := uint64(s[2])/4, s[3], math.Float32frombits(s[4])
		for len(out) > 0 {
			words := Random(k.Seed, stream, step, index)
			n := min(4, len(out))
			for i := range n {
				keep := uint8(0)
				if Uniform(words[i]) >= rate {
					keep = 1
				}
				out[i] = keep
			}
			out = out[n:]
			index++
		}
	}
}
