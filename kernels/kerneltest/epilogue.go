package kerneltest

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// keepFactor is dropout's factor at rate 0.4.
const keepFactor = float32(1 / 0.6)

// epilogueOptions are what an epilogue's kernels can be told to do.
type epilogueOptions struct {
	slope float32
	mask  bool
}

func eachEpilogueOption(each func(o epilogueOptions, name string)) {
	for _, slope := range []float32{1, 0.01, 0} {
		for _, mask := range []bool{false, true} {
			each(epilogueOptions{slope, mask}, fmt.Sprintf("slope=%g,mask=%t", slope, mask))
		}
	}
}

func epilogueCases() []Case {
	var cases []Case
	for _, size := range matrices {
		eachEpilogueOption(func(o epilogueOptions, name string) {
			rows, channels := size[0], size[1]
			name = fmt.Sprintf("rows=%d,channels=%d,%s", rows, channels, name)
			cases = append(cases,
				Case{"epilogue_forward/" + name, func(p *placer) gpu.Kernel { return epilogueForward(p, rows, channels, o) }},
				Case{"epilogue_reduce/" + name, func(p *placer) gpu.Kernel { return epilogueReduce(p, rows, channels, o) }},
				Case{"epilogue_backward/" + name, func(p *placer) gpu.Kernel { return epilogueBackward(p, rows, channels, o) }})
		})
	}
	return cases
}

// epilogue is the inputs that the epilogue's kernels share, with coarse values:
// every z, and so every decision, is exact.
type epilogue struct {
	epilogueOptions
	channels               int
	y, mean, scale, beta   []float32
	maskBits               []uint8 // of the output
	da, dSlope, dOffset    []float32
	Y, Mean, Scale, Beta   gpu.Slice[float32]
	DA                     gpu.Slice[float32]
	Mask                   gpu.Slice[uint8]
	outputRows, outputSize int
}

func drawEpilogue(p *placer, rows, outputRows, channels int, o epilogueOptions) *epilogue {
	e := &epilogue{
		epilogueOptions: o, channels: channels, outputRows: outputRows, outputSize: outputRows * channels,
		y:    coarse(p.random, rows*channels),
		mean: coarse(p.random, channels), scale: coarse(p.random, channels), beta: coarse(p.random, channels),
	}
	e.Y, e.Mean = input(p, "Y", e.y), input(p, "Mean", e.mean)
	e.Scale, e.Beta = input(p, "Scale", e.scale), input(p, "Beta", e.beta)
	if o.mask {
		e.maskBits = flags(p.random, e.outputSize)
		e.Mask = input(p, "Mask", e.maskBits)
	}
	return e
}

// drawGradients draws what the backward kernels read besides.
func (e *epilogue) drawGradients(p *placer) {
	e.da = normal(p.random, e.outputSize, 0, 1)
	e.dSlope, e.dOffset = normal(p.random, e.channels, 0, 1), normal(p.random, e.channels, 0, 1)
	e.DA = input(p, "DA", e.da)
}

// d is y - mean at element i of y, and z what is normalized.
func (e *epilogue) d(i int) number { return exactly(e.y[i]).minus(exactly(e.mean[i%e.channels])) }
func (e *epilogue) z(i int) number {
	c := i % e.channels
	return e.d(i).times(exactly(e.scale[c])).plus(exactly(e.beta[c]))
}

// active is LeakyReLU of z, and derivative its derivative, Slope at 0.
func (e *epilogue) active(i int) number { return e.z(i).times(e.derivative(i)) }
func (e *epilogue) derivative(i int) number {
	if e.z(i).positive() {
		return exactly(1)
	}
	return exactly(e.slope)
}

// dropped applies dropout to a value of output element i.
func (e *epilogue) dropped(v number, i int) number {
	switch {
	case !e.mask:
		return v
	case e.maskBits[i] == 1:
		return v.times(exactly(keepFactor))
	}
	return number{}
}

// dz is the gradient by z at element at of y, from output element i.
func (e *epilogue) dz(i, at int) number {
	return e.dropped(exactly(e.da[i]), i).times(e.derivative(at))
}

// dy is the gradient by element at of y, given that by z.
func (e *epilogue) dy(dz number, at int) number {
	c := at % e.channels
	return dz.times(exactly(e.scale[c])).plus(e.d(at).times(exactly(e.dSlope[c]))).plus(exactly(e.dOffset[c]))
}

// reduced is the partial sums [chunks, 2, channels] of dz and of dz (y - mean)
// over rows.
func (e *epilogue) reduced() []number {
	var partial []number
	for _, chunk := range chunksOf(e.outputRows, e.channels) {
		sums, moments := make([]number, e.channels), make([]number, e.channels)
		for c := range e.channels {
			var terms, products []number
			for row := chunk[0]; row < chunk[1]; row++ {
				i := row*e.channels + c
				dz := e.dz(i, i)
				terms, products = append(terms, dz), append(products, dz.times(e.d(i)))
			}
			sums[c], moments[c] = total(terms), total(products)
		}
		partial = append(append(partial, sums...), moments...)
	}
	return partial
}

func epilogueForward(p *placer, rows, channels int, o epilogueOptions) gpu.Kernel {
	e := drawEpilogue(p, rows, rows, channels, o)
	a := make([]number, e.outputSize)
	for i := range a {
		a[i] = e.dropped(e.active(i), i)
	}
	return &kernels.EpilogueForward{
		Y: e.Y, Mean: e.Mean, Scale: e.Scale, Beta: e.Beta, Mask: e.Mask, A: output(p, "A", a),
		Rows: int32(rows), Channels: int32(channels), Slope: o.slope, Keep: keepFactor,
	}
}

func epilogueReduce(p *placer, rows, channels int, o epilogueOptions) gpu.Kernel {
	e := drawEpilogue(p, rows, rows, channels, o)
	e.drawGradients(p)
	partial := e.reduced()
	return &kernels.EpilogueReduce{
		DA: e.DA, Y: e.Y, Mean: e.Mean, Scale: e.Scale, Beta: e.Beta, Mask: e.Mask, Partial: output(p, "Partial", partial),
		Rows: int32(rows), Channels: int32(channels), Slope: o.slope, Keep: keepFactor,
	}
}

func epilogueBackward(p *placer, rows, channels int, o epilogueOptions) gpu.Kernel {
	e := drawEpilogue(p, rows, rows, channels, o)
	e.drawGradients(p)
	dy := make([]number, len(e.y))
	for i := range dy {
		dy[i] = e.dy(e.dz(i, i), i)
	}
	return &kernels.EpilogueBackward{
		DA: e.DA, Y: e.Y, Mean: e.Mean, Scale: e.Scale, Beta: e.Beta,
		DSlope: input(p, "DSlope", e.dSlope), DOffset: input(p, "DOffset", e.dOffset), Mask: e.Mask, DY: output(p, "DY", dy),
		Rows: int32(rows), Channels: int32(channels), Slope: o.slope, Keep: keepFactor,
	}
}
