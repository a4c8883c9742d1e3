package kerneltest

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// pictures are sizes [pictures, height, width, channels]: odd and even extents,
// a single row or column, several chunks, rows longer than a block and a chunk,
// channels of whole 16-byte accesses.
var pictures = [][4]int{
	{1, 1, 1, 1}, {3, 1, 3, 3}, {2, 3, 1, 31}, {3, 5, 3, 33}, {2, 6, 10, 7}, {1, 31, 33, 3}, {33, 2, 2, 9}, {5, 9, 7, 257}, {1, 2, 3, 5000}, {2, 3, 2, 8193},
	{3, 5, 4, 12}, {5, 6, 7, 64},
}

func poolCases() []Case {
	var cases []Case
	for _, size := range pictures {
		eachEpilogueOption(func(o epilogueOptions, name string) {
			name = fmt.Sprintf("%dx%dx%dx%d,%s", size[0], size[1], size[2], size[3], name)
			cases = append(cases,
				Case{"epilogue_pool_forward/" + name, func(p *placer) gpu.Kernel { return poolForward(p, size, o, true) }},
				Case{"epilogue_pool_forward/" + name + ",inference", func(p *placer) gpu.Kernel { return poolForward(p, size, o, false) }},
				Case{"epilogue_pool_backward/" + name, func(p *placer) gpu.Kernel { return poolBackward(p, size, o) }})
		})
	}
	return cases
}

// pooled is an epilogue with the windows of its pooling.
type pooled struct {
	*epilogue
	size [4]int
	// windows holds, for each output element, the elements of y in its window by
	// their place in it, 0 to 3; -1 for one beyond the edge.
	windows [][4]int
}

func drawPooled(p *placer, size [4]int, o epilogueOptions) *pooled {
	n, height, width, channels := size[0], size[1], size[2], size[3]
	outHeight, outWidth := (height+1)/2, (width+1)/2
	w := &pooled{epilogue: drawEpilogue(p, n*height*width, n*outHeight*outWidth, channels, o), size: size}
	for picture := range n {
		for h := range outHeight {
			for v := range outWidth {
				for c := range channels {
					window := [4]int{-1, -1, -1, -1}
					for k := range 4 {
						if ih, iw := 2*h+k/2, 2*v+k%2; ih < height && iw < width {
							window[k] = ((picture*height+ih)*width+iw)*channels + c
						}
					}
					w.windows = append(w.windows, window)
				}
			}
		}
	}
	return w
}

func poolForward(p *placer, size [4]int, o epilogueOptions, training bool) gpu.Kernel {
	w := drawPooled(p, size, o)
	a, index, winner := make([]number, w.outputSize), make([]uint8, w.outputSize), make([]float32, w.outputSize)
	for i, window := range w.windows {
		best := w.active(window[0])
		for k, at := range window {
			if at >= 0 && w.active(at).value > best.value {
				best, index[i] = w.active(at), uint8(k)
			}
		}
		a[i], winner[i] = w.dropped(best, i), w.y[window[index[i]]]
	}
	k := &kernels.EpiloguePoolForward{
		Y: w.Y, Mean: w.Mean, Scale: w.Scale, Beta: w.Beta, Mask: w.Mask, A: output(p, "A", a),
		Pictures: int32(size[0]), Height: int32(size[1]), Width: int32(size[2]), Channels: int32(size[3]), Slope: o.slope, Keep: keepFactor,
	}
	if training {
		k.Index, k.Winner = outputExact(p, "Index", index), outputExact(p, "Winner", winner)
	}
	return k
}

// drawIndex draws any element of each window as the winner: the backward kernels
// must believe the index.
func (w *pooled) drawIndex(p *placer) []uint8 {
	index := make([]uint8, len(w.windows))
	for i, window := range w.windows {
		index[i] = uint8(p.random.IntN(4))
		for window[index[i]] < 0 {
			index[i] = uint8(p.random.IntN(4))
		}
	}
	return index
}

func poolBackward(p *placer, size [4]int, o epilogueOptions) gpu.Kernel {
	w := drawPooled(p, size, o)
	w.drawGradients(p)
	index := w.drawIndex(p)
	dy := make([]number, len(w.y))
	for i, window := range w.windows {
		for k, at := range window {
			switch {
			case at < 0:
			case k == int(index[i]):
				dy[at] = w.dy(w.dz(i, at), at)
			default:
				dy[at] = w.dy(number{}, at)
			}
		}
	}
	return &kernels.EpiloguePoolBackward{
		DA: w.DA, Y: w.Y, Index: input(p, "Index", index), Mean: w.Mean, Scale: w.Scale, Beta: w.Beta,
		DSlope: input(p, "DSlope", w.dSlope), DOffset: input(p, "DOffset", w.dOffset), Mask: w.Mask, DY: output(p, "DY", dy),
		Pictures: int32(size[0]), Height: int32(size[1]), Width: int32(size[2]), Channels: int32(size[3]), Slope: o.slope, Keep: keepFactor,
	}
}
