package kerneltest

import (
	"fmt"
	"math"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
)

func dropoutCases() []Case {
	var cases []Case
	for _, seed := range []uint64{0, 1, 1<<63 + 12345} {
		for _, step := range []uint32{0, 1, 39099} {
			name := fmt.Sprintf("dropout_mask/seed=%d,step=%d", seed, step)
			cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return dropoutMask(p, seed, step) }})
		}
	}
	return cases
}

// dropoutMask draws the masks of layers of all lengths at once. The gaps that
// align them must be left alone.
func dropoutMask(p *placer, seed uint64, step uint32) gpu.Kernel {
	var layers []kernels.DropoutLayer
	var values, want []uint8
	rates := []float32{0.4, 0.5, 0.004, 0.99, 0, 0.25, 0.3, 0.1, 0.6, 0.75, 0.9}
	lengths := slices.Clone(lengths)
	// A rate that is the number drawn for an element, of each of the four words
	// of a counter, keeps it; the next larger rate drops it.
	for word := range 4 {
		for _, next := range []bool{false, true} {
			stream := kernels.RandomStream(fmt.Sprintf("dropout/%d", len(rates)+1))
			rate := kernels.Uniform(kernels.Random(seed, stream, step, 0)[word])
			if next {
				rate = math.Nextafter32(rate, 1)
			}
			rates, lengths = append(rates, rate), append(lengths, 7)
		}
	}
	for i, n := range lengths {
		l := kernels.DropoutLayer{
			Offset: len(want), Elements: n, Rate: rates[i],
			Stream: kernels.RandomStream(fmt.Sprintf("dropout/%d", i+1)),
		}
		layers = append(layers, l)
		for j := range n {
			keep := uint8(0)
			if kernels.Uniform(kernels.Random(seed, l.Stream, step, uint64(j/4))[j%4]) >= l.Rate {
				keep = 1
			}
			values, want = append(values, 7), append(want, keep)
		}
		for len(want)%16 != 0 {
			values, want = append(values, 7), append(want, 7)
		}
	}
	return &kernels.DropoutMask{
		Mask: updateExact(p, "Mask", values, want), Segments: input(p, "Segments", kernels.DropoutSegments(layers)),
		State: input(p, "State", []uint32{step, 99, 98, 0}), Seed: seed,
	}
}
