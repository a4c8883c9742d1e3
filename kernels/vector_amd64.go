package kernels

import (
	"math"
	"unsafe"

	"diaghess/gpu/vector"
)

//go:generate go run ./gen

// A kernel's vector method does the first whole vectors of its Go body's channels
// or elements with AVX2, and returns how many those are; the body's scalar loop does
// the rest. Both are the same operations in the same order, each rounded on its
// own, a lane an element: the results are bit-identical, infinities and denormals
// included. A result that is not a number is not one in both, but which of two NaNs
// it inherits is open. The assembly comes from package gen, which describes a walk.

// lanes is the number of float32 in a vector.
const lanes = 8

// hasVectors changes in tests only.
var hasVectors = func() bool {
	level, _ := vector.Supported() // opening the device returns the error
	return level >= vector.AVX2
}()

// whole returns how many of n elements are in whole groups of a size, 0 where there
// are no vectors.
func whole(n, size int) int {
	if !hasVectors {
		return 0
	}
	return n / size * size
}

// walk is the argument of the assembly, which knows the fields' offsets. The order of
// the operands is that of their description in package gen.
type walk struct {
	rows, tile int // the rows are walked tile by tile
	elements   int // channels in whole vectors
	right      int // bytes from a pixel to its neighbour, of pooling
	variant    int
	streams    [7]walkStream
	channels   [8]unsafe.Pointer // one number a channel: operands, then sums
	scalars    [24]float32
}

// walkStream is where a tensor's first row is and the bytes to the next.
type walkStream struct {
	at   unsafe.Pointer
	step int
}

// from is a stream that begins at element i of a tensor, with so many elements from
// a row to the next; the zero stream of a tensor that is missing.
func from[T float32 | uint8](s []T, i, step int) walkStream {
	if s == nil {
		return walkStream{}
	}
	return walkStream{unsafe.Pointer(&s[i]), step * int(unsafe.Sizeof(s[0]))}
}

// each is the address of numbers of the channels.
func each(s []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// rowWalk walks the whole vectors of channels of rows first to last-1 of tensors
// [rows, channels]. A tile has enough rows that loading the channels' numbers costs
// little, and few enough that what the first vector's walk fetched is still in the
// first cache when the next vector needs the rest of it.
func rowWalk(first, last, channels int) walk {
	return walk{rows: last - first, tile: max(4, 192/channels), elements: whole(channels, lanes)}
}

// streamTile is the rows of a tile of a walk that reads what has left the caches since
// it was written: few, so that memory is read almost in order and the processor
// fetches it ahead.
func streamTile(channels int) int { return max(1, 128/channels) }

// elementWalk walks the whole vectors of n elements.
func elementWalk(n int) walk {
	rows := whole(n, lanes) / lanes
	return walk{rows: rows, tile: rows, elements: lanes}
}

// The variants of a body.
const (
	withMask  = 1
	withIndex = 2
	withQZ    = 4
	// hesScaleSlopePair always has an index.
	withQZOfPair = 2
)

// having is the bit of a tensor's variant, 0 if the tensor is missing.
func having[T float32 | uint8](s []T, bit int) int {
	if s == nil {
		return 0
	}
	return bit
}

//go:noescape
func adamUpdate(p *walk)

//go:noescape
func diagHessUpdate(p *walk)

//go:noescape
func diagHessMinimum(p *walk)

//go:noescape
func scaleBytes(p *walk)

//go:noescape
func dropoutMask(p *walk)

//go:noescape
func batchNormStats(p *walk)

//go:noescape
func epilogueForward(p *walk)

//go:noescape
func epilogueReduce(p *walk)

//go:noescape
func epilogueBackward(p *walk)

//go:noescape
func epiloguePoolForward(p *walk)

//go:noescape
func epiloguePoolBackward(p *walk)

//go:noescape
func hesScaleSlope(p *walk)

//go:noescape
func hesScaleSlopePair(p *walk)

//go:noescape
func hesScaleBackward(p *walk)

//go:noescape
func tangentStats(p *walk)

//go:noescape
func tangentForward(p *walk)

//go:noescape
func tangentPoolForward(p *walk)

//go:noescape
func tangentReduce(p *walk)

//go:noescape
func tangentReducePair(p *walk)

//go:noescape
func tangentBackward(p *walk)

//go:noescape
func tangentBackwardPair(p *walk)

func (k *AdamUpdate) vector(w, g, m, v []float32, coefficients [CoefficientWords]float32) int {
	p := elementWalk(len(w))
	if p.rows == 0 {
		return 0
	}
	p.streams = [7]walkStream{from(w, 0, lanes), from(g, 0, lanes), from(m, 0, lanes), from(v, 0, lanes)}
	p.scalars = [24]float32{coefficients[0], coefficients[1], k.OneMinusBeta1, k.OneMinusBeta2, k.Epsilon, k.WeightDecay}
	adamUpdate(&p)
	return p.rows * lanes
}

func (k *DiagHessUpdate) vector(w, g, h, m, v []float32, lambda float32, coefficients [CoefficientWords]float32) int {
	p := elementWalk(len(w))
	if p.rows == 0 {
		return 0
	}
	p.variant = having(h, 1)
	p.streams = [7]walkStream{from(w, 0, lanes), from(g, 0, lanes), from(h, 0, lanes), from(m, 0, lanes), from(v, 0, lanes)}
	p.scalars = [24]float32{
		coefficients[0], coefficients[1], k.C1, k.C2, lambda,
		k.Beta1, k.OneMinusBeta1, k.Beta2, k.OneMinusBeta2, k.Epsilon,
	}
	diagHessUpdate(&p)
	return p.rows * lanes
}

// vector also returns the minimum so far.
func (k *DiagHessMinimum) vector(g, h []float32) (done int, least float32) {
	least = float32(math.Inf(1))
	p := elementWalk(len(g))
	if p.rows == 0 {
		return 0, least
	}
	var leasts [lanes]float32
	for i := range leasts {
		leasts[i] = least
	}
	p.streams = [7]walkStream{from(g, 0, lanes), from(h, 0, lanes)}
	p.channels = [8]unsafe.Pointer{unsafe.Pointer(&leasts)}
	p.scalars = [24]float32{k.C1, k.C2}
	diagHessMinimum(&p)
	for _, v := range leasts {
		least = min(least, v)
	}
	return p.rows * lanes, least
}

func (s *scaling) vector(bytes []uint8, to []float32) int {
	p := elementWalk(len(bytes))
	if p.rows == 0 {
		return 0
	}
	p.streams = [7]walkStream{from(bytes, 0, lanes), from(to, 0, lanes)}
	p.scalars = [24]float32{s.divisor}
	scaleBytes(&p)
	return p.rows * lanes
}

func (k *DropoutMask) vector(out []uint8, index, stream, step, threshold uint32) int {
	const counters, words = 8, 4
	done := whole(len(out), counters*words)
	if done == 0 {
		return 0
	}
	rows := done / (counters * words)
	// The even counters, each in the lower half of its 64-bit lane; bits, as in the
	// scalars.
	of := math.Float32frombits
	even := [lanes]float32{of(index), 0, of(index + 2), 0, of(index + 4), 0, of(index + 6)}
	p := walk{rows: rows, tile: rows, elements: lanes}
	p.streams[0] = from(out, 0, counters*words)
	p.channels[0] = unsafe.Pointer(&even)
	key0, key1 := uint32(k.Seed), uint32(k.Seed>>32)
	for round := range rounds {
		p.scalars[2*round], p.scalars[2*round+1] = of(key0), of(key1)
		key0, key1 = key0+weyl0, key1+weyl1
	}
	const signedHalf = 1 << 23 // what the upper 24 bits lose as a signed number with its sign flipped
	p.scalars[2*rounds], p.scalars[2*rounds+1], p.scalars[2*rounds+2] = of(step), of(stream), of(threshold-1-signedHalf)
	dropoutMask(&p)
	return done
}

func (k *BatchNormStats) vector(first, last int, sum, squares []float32) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y := k.Y.Host()[:last*channels]
	p.streams[0] = from(y, first*channels, channels)
	p.channels = [8]unsafe.Pointer{unsafe.Pointer(&y[first*channels]), each(sum), each(squares)}
	batchNormStats(&p)
	return p.elements
}

func (k *EpilogueForward) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return p.elements
	}
	at, n := first*channels, last*channels
	y, a, mask := k.Y.Host()[:n], k.A.Host()[:n], k.Mask.Host()
	p.variant = having(mask, withMask)
	p.streams = [7]walkStream{from(y, at, channels), from(a, at, channels), from(mask, at, channels)}
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host())}
	p.scalars = [24]float32{k.Slope, k.Keep}
	epilogueForward(&p)
	return p.elements
}

func (k *EpilogueReduce) vector(first, last int, sum, moment []float32) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	y, da, mask := k.Y.Host()[:n], k.DA.Host()[:n], k.Mask.Host()
	p.variant = having(mask, withMask)
	p.streams = [7]walkStream{from(y, at, channels), from(da, at, channels), from(mask, at, channels)}
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(sum), each(moment)}
	p.scalars = [24]float32{k.Slope, k.Keep}
	p.tile = streamTile(channels)
	epilogueReduce(&p)
	return p.elements
}

func (k *EpilogueBackward) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	y, da, dy, mask := k.Y.Host()[:n], k.DA.Host()[:n], k.DY.Host()[:n], k.Mask.Host()
	p.variant = having(mask, withMask)
	p.streams = [7]walkStream{from(y, at, channels), from(da, at, channels), from(mask, at, channels), from(dy, at, channels)}
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(k.DSlope.Host()), each(k.DOffset.Host())}
	p.scalars = [24]float32{k.Slope, k.Keep}
	epilogueBackward(&p)
	return p.elements
}

// poolWalks calls walk for runs of pooled rows first to last-1 whose windows lie side
// by side, with the first row of the run and its window; rows, tile and right of p
// are set. Runs end at the end of a line of the picture and before a window at an
// odd right end, which has no right neighbour.
func (p *walk) poolWalks(first, last, height, width, channels int, run func(row int, w window)) {
	pooledWidth := (width + 1) / 2
	for row := first; row < last; row += p.rows {
		w := windowOf(row, height, width)
		p.rows, p.right = 1, 4*w.right*channels
		if w.right > 0 {
			p.rows = min(last-row, width/2-row%pooledWidth)
		}
		p.tile = max(1, streamTile(channels)/2) // of pairs
		run(row, w)
	}
}

func (k *EpiloguePoolForward) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y, a, index, winner, mask := k.Y.Host(), k.A.Host(), k.Index.Host(), k.Winner.Host(), k.Mask.Host()
	p.variant = having(mask, withMask) + having(index, withIndex)
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host())}
	p.scalars = [24]float32{k.Slope, k.Keep}
	p.poolWalks(first, last, int(k.Height), int(k.Width), channels, func(row int, w window) {
		upper, lower, at := w.first*channels, (w.first+w.down)*channels, row*channels
		p.streams = [7]walkStream{
			from(y, upper, 2*channels), from(y, lower, 2*channels), from(a, at, channels), from(index, at, channels), from(mask, at, channels),
			from(winner, at, channels),
		}
		epiloguePoolForward(&p)
	})
	return p.elements
}

func (k *EpiloguePoolBackward) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y, dy, da, index, mask := k.Y.Host(), k.DY.Host(), k.DA.Host(), k.Index.Host(), k.Mask.Host()
	p.variant = having(mask, withMask)
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(k.DSlope.Host()), each(k.DOffset.Host())}
	p.scalars = [24]float32{k.Slope, k.Keep}
	p.poolWalks(first, last, int(k.Height), int(k.Width), channels, func(row int, w window) {
		upper, lower, at := w.first*channels, (w.first+w.down)*channels, row*channels
		p.streams = [7]walkStream{
			from(y, upper, 2*channels), from(y, lower, 2*channels), from(da, at, channels), from(index, at, channels), from(mask, at, channels),
			from(dy, upper, 2*channels), from(dy, lower, 2*channels),
		}
		epiloguePoolBackward(&p)
	})
	return p.elements
}

// pixels are rows of y for one walk, which takes them one by one or in pairs.
type pixels struct {
	at, source, step int     // elements: the first in y and in the pooled tensors, the distance of the walk's rows in y
	position         float32 // of the first in its window, as bits
	next             float32 // of its right neighbour
	pairs            bool
}

// pixelWalks calls run for rows first to last-1 of y: all at once where there is no
// pooling. Else a run is the pairs of pixels of windows that lie side by side in a line
// of the picture, or a pixel that is alone: at a line's odd end, or where first or last
// parts a pair. rows, tile and right of p are set.
func (p *walk) pixelWalks(first, last, height, width, channels int, pooled bool, run func(at pixels)) {
	p.tile = streamTile(channels)
	if !pooled {
		run(pixels{at: first * channels, source: first * channels, step: channels})
		return
	}
	p.right, p.tile = 4*channels, max(1, p.tile/2)
	for row := first; row < last; {
		source, position := pooledRow(row, height, width)
		at := pixels{
			at: row * channels, source: source * channels, step: 2 * channels,
			position: math.Float32frombits(uint32(position)), next: math.Float32frombits(uint32(position) + 1),
		}
		taken := 1
		p.rows = 1
		if pairs := min(last-row, width-row%width) / 2; position%2 == 0 && pairs > 0 {
			at.pairs, taken = true, 2*pairs
			p.rows = pairs
		}
		run(at)
		row += taken
	}
}

func (k *HesScaleSlope) vector(first, last int, s0, s1, s2 []float32) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y, qz, qa, index, mask := k.Y.Host()[:last*channels], k.QZ.Host(), k.QA.Host(), k.Index.Host(), k.Mask.Host()
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(s0), each(s1), each(s2)}
	p.pixelWalks(first, last, int(k.Height), int(k.Width), channels, index != nil, func(at pixels) {
		p.scalars = [24]float32{k.Slope * k.Slope, k.Keep * k.Keep, at.position, at.next}
		p.streams = [7]walkStream{
			from(y, at.at, at.step), from(qa, at.source, channels), from(qz, at.at, at.step), from(index, at.source, channels), from(mask, at.source, channels),
		}
		if at.pairs {
			p.variant = having(mask, withMask) + having(qz, withQZOfPair)
			hesScaleSlopePair(&p)
			return
		}
		p.variant = having(mask, withMask) + having(index, withIndex) + having(qz, withQZ)
		hesScaleSlope(&p)
	})
	return p.elements
}

func (k *HesScaleBackward) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	q, y, coefficients := k.Q.Host()[:n], k.Y.Host()[:n], k.Coefficients.Host()
	p.streams = [7]walkStream{from(q, at, channels), from(y, at, channels)}
	p.channels[0] = each(k.Mean.Host())
	for i := range 5 {
		p.channels[1+i] = each(coefficients[i*channels:][:channels])
	}
	hesScaleBackward(&p)
	return p.elements
}

func (k *TangentStats) vector(first, last int, sum, moment []float32) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	y, yDot := k.Y.Host()[:n], k.YDot.Host()[:n]
	p.streams = [7]walkStream{from(y, at, channels), from(yDot, at, channels)}
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(sum), each(moment)}
	p.tile = streamTile(channels)
	tangentStats(&p)
	return p.elements
}

// each is what the assembly gets of the channels.
func (t *tangentChannels) each() [8]unsafe.Pointer {
	return [8]unsafe.Pointer{each(t.mean), each(t.scale), each(t.beta), each(t.meanDot), each(t.scaleDot), each(t.betaDot)}
}

func (k *TangentForward) vector(first, last int, t *tangentChannels) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	y, yDot, aDot, mask := k.Y.Host()[:n], k.YDot.Host()[:n], k.ADot.Host()[:n], k.Mask.Host()
	p.variant = having(mask, withMask)
	p.streams = [7]walkStream{from(y, at, channels), from(yDot, at, channels), from(aDot, at, channels), from(mask, at, channels)}
	p.channels = t.each()
	p.scalars = [24]float32{k.Slope, k.Keep}
	tangentForward(&p)
	return p.elements
}

func (k *TangentPoolForward) vector(first, last int, t *tangentChannels) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y, yDot, aDot, index, mask := k.Y.Host(), k.YDot.Host(), k.ADot.Host(), k.Index.Host(), k.Mask.Host()
	p.variant = having(mask, withMask)
	p.channels = t.each()
	p.scalars = [24]float32{k.Slope, k.Keep}
	p.poolWalks(first, last, int(k.Height), int(k.Width), channels, func(row int, w window) {
		upper, lower, at := w.first*channels, (w.first+w.down)*channels, row*channels
		p.streams = [7]walkStream{
			from(y, upper, 2*channels), from(y, lower, 2*channels), from(yDot, upper, 2*channels), from(yDot, lower, 2*channels),
			from(aDot, at, channels), from(index, at, channels), from(mask, at, channels),
		}
		tangentPoolForward(&p)
	})
	return p.elements
}

func (k *TangentReduce) vector(first, last int, sum, moment []float32, g *tangentGradients) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	y, yDot := k.Y.Host()[:last*channels], k.YDot.Host()[:last*channels]
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(k.MeanDot.Host()), each(sum), each(moment)}
	p.pixelWalks(first, last, g.height, g.width, channels, g.index != nil, func(at pixels) {
		p.scalars = [24]float32{k.Slope, k.Keep, at.position, at.next}
		p.streams = [7]walkStream{
			from(y, at.at, at.step), from(yDot, at.at, at.step), from(g.da, at.source, channels), from(g.daDot, at.source, channels),
			from(g.index, at.source, channels), from(g.mask, at.source, channels),
		}
		if at.pairs {
			p.variant = having(g.mask, withMask)
			tangentReducePair(&p)
			return
		}
		p.variant = having(g.mask, withMask) + having(g.index, withIndex)
		tangentReduce(&p)
	})
	return p.elements
}

func (k *TangentBackward) vector(first, last int, g *tangentGradients) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	n := last * channels
	y, yDot, dyDot := k.Y.Host()[:n], k.YDot.Host()[:n], k.DYDot.Host()[:n]
	p.channels = [8]unsafe.Pointer{each(k.Mean.Host()), each(k.Scale.Host()), each(k.Beta.Host()), each(k.MeanDot.Host()), each(k.ScaleDot.Host())}
	for i := range 3 {
		p.channels[5+i] = each(k.Coefficients.Host()[i*channels:][:channels])
	}
	p.pixelWalks(first, last, g.height, g.width, channels, g.index != nil, func(at pixels) {
		p.scalars = [24]float32{k.Slope, k.Keep, at.position, at.next}
		p.streams = [7]walkStream{
			from(y, at.at, at.step), from(yDot, at.at, at.step), from(g.da, at.source, channels), from(g.daDot, at.source, channels),
			from(dyDot, at.at, at.step), from(g.index, at.source, channels), from(g.mask, at.source, channels),
		}
		if at.pairs {
			p.variant = having(g.mask, withMask)
			tangentBackwardPair(&p)
			return
		}
		p.variant = having(g.mask, withMask) + having(g.index, withIndex)
		tangentBackward(&p)
	})
	return p.elements
}
