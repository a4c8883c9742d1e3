package kernels

import (
	"math"
	"unsafe"
)

//go:noescape
func curvatureSum(p *walk)

//go:noescape
func curvatureAverage(p *walk)

//go:noescape
func square(p *walk)

//go:noescape
func centeredSquare(p *walk)

//go:noescape
func calibrateAverage(p *walk)

//go:noescape
func calibrateBlend(p *walk)

//go:noescape
func rademacher(p *walk)

//go:noescape
func hutchinsonSample(p *walk)

// The bits of a variant of these bodies.
const (
	withSquare   = 1 // curvatureSum and curvatureAverage: of the sample
	withSum      = 2 // there is a sum before
	withAverage  = 4
	withAbsolute = 1 // hutchinsonSample
)

func (k *CurvatureAverage) vector(x, sum, average, diagonal []float32, correction float32) int {
	p := elementWalk(len(x))
	if p.rows == 0 {
		return 0
	}
	p.variant = int(k.Squared)*withSquare + having(sum, withSum) + having(average, withAverage)
	p.streams = [7]walkStream{from(x, 0, lanes), from(sum, 0, lanes), from(average, 0, lanes), from(diagonal, 0, lanes)}
	p.scalars = [24]float32{k.Factor, k.Decay, k.OneMinusDecay, correction}
	curvatureAverage(&p)
	return p.rows * lanes
}

func (k *CurvatureSum) vector(x, sum []float32) int {
	p := elementWalk(len(x))
	if p.rows == 0 {
		return 0
	}
	p.variant = int(k.Squared)*withSquare + int(1-k.First)*withSum
	p.streams = [7]walkStream{from(x, 0, lanes), from(sum, 0, lanes)}
	p.scalars = [24]float32{k.Factor}
	curvatureSum(&p)
	return p.rows * lanes
}

func (k *Square) vector(x, out []float32) int {
	p := elementWalk(len(x))
	if p.rows == 0 {
		return 0
	}
	p.streams = [7]walkStream{from(x, 0, lanes), from(out, 0, lanes)}
	square(&p)
	return p.rows * lanes
}

func (k *CenteredSquare) vector(first, last int) int {
	channels := int(k.Channels)
	p := rowWalk(first, last, channels)
	if p.elements == 0 {
		return 0
	}
	at, n := first*channels, last*channels
	x, out := k.X.Host()[:n], k.Out.Host()[:n]
	p.streams = [7]walkStream{from(x, at, channels), from(out, at, channels)}
	p.channels[0] = each(k.Mean.Host())
	centeredSquare(&p)
	return p.elements
}

// vector also begins the sums, of its elements in order.
func (k *CalibrateAverage) vector(g, sum, r, drawn, swept []float32) (done int, sums [CalibrateSums]float64) {
	p := elementWalk(len(g))
	if p.rows == 0 {
		return 0, sums
	}
	var total [lanes]float64 // the last sums are nothing
	p.variant = having(sum, 1)
	p.streams = [7]walkStream{from(g, 0, lanes), from(sum, 0, lanes), from(r, 0, lanes), from(drawn, 0, lanes), from(swept, 0, lanes)}
	p.channels[0], p.channels[1] = unsafe.Pointer(&total[0]), unsafe.Pointer(&total[lanes/2])
	p.scalars = [24]float32{k.Factor, k.Decay, k.OneMinusDecay}
	calibrateAverage(&p)
	return p.rows * lanes, [CalibrateSums]float64(total[:])
}

func (k *CalibrateBlend) vector(drawn, swept, diagonal []float32, ofDrawn, ofSwept float32) int {
	p := elementWalk(len(drawn))
	if p.rows == 0 {
		return 0
	}
	p.streams = [7]walkStream{from(drawn, 0, lanes), from(swept, 0, lanes), from(diagonal, 0, lanes)}
	p.scalars = [24]float32{ofDrawn, ofSwept}
	calibrateBlend(&p)
	return p.rows * lanes
}

// vector draws the signs of z, a chunk whose first element is number first of the
// buffer. In memory the words of a chunk are bits in the order of its elements.
func (k *Rademacher) vector(z []float32, first int, step uint32) int {
	p := elementWalk(len(z))
	if p.rows == 0 || first%lanes != 0 || len(z) > chunkElements {
		return 0
	}
	var words [chunkElements/signsPerCall + 1][4]uint32 // a chunk may begin and end within a call's signs
	for call := first / signsPerCall; call*signsPerCall < first+len(z); call++ {
		words[call-first/signsPerCall] = Random(k.Seed, k.Stream, step, k.index(call))
	}
	const byteSigns = 8
	bits := unsafe.Slice((*uint8)(unsafe.Pointer(&words)), unsafe.Sizeof(words))
	var distance [lanes]float32 // as bits
	for i := range distance {
		distance[i] = math.Float32frombits(uint32(lanes - 1 - i))
	}
	p.streams = [7]walkStream{from(bits, first%signsPerCall/byteSigns, 1), from(z, 0, lanes)}
	p.channels[0] = each(distance[:])
	rademacher(&p)
	return p.rows * lanes
}

func (k *HutchinsonSample) vector(z, product, sum []float32) int {
	p := elementWalk(len(z))
	if p.rows == 0 {
		return 0
	}
	p.variant = int(1-k.First)*withSum + int(k.Absolute)*withAbsolute
	p.streams = [7]walkStream{from(z, 0, lanes), from(product, 0, lanes), from(sum, 0, lanes)}
	p.scalars = [24]float32{k.Factor}
	hutchinsonSample(&p)
	return p.rows * lanes
}
