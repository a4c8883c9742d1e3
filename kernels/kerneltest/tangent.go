package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// tangentOptions are some of an epilogue's.
var tangentOptions = []epilogueOptions{{slope: 1}, {slope: 0.01, mask: true}, {slope: 0}}

func tangentCases() []Case {
	var cases []Case
	add := func(name string, build func(p *placer) gpu.Kernel) { cases = append(cases, Case{name, build}) }
	for _, size := range matrices {
		rows, channels := size[0], size[1]
		name := fmt.Sprintf("rows=%d,channels=%d", rows, channels)
		add("tangent_stats/"+name, func(p *placer) gpu.Kernel { return tangentStats(p, rows, channels) })
		add("tangent_finish/"+name, func(p *placer) gpu.Kernel { return tangentFinish(p, rows, channels) })
		add("tangent_gradient/"+name, func(p *placer) gpu.Kernel { return tangentGradient(p, rows, channels, true) })
		add("tangent_gradient/bias,"+name, func(p *placer) gpu.Kernel { return tangentGradient(p, rows, channels, false) })
		for _, o := range tangentOptions {
			name := fmt.Sprintf("%s,slope=%g,mask=%t", name, o.slope, o.mask)
			add("tangent_forward/"+name, func(p *placer) gpu.Kernel { return tangentForward(drawTangent(p, rows, channels, o)) })
			add("tangent_reduce/"+name, func(p *placer) gpu.Kernel { return tangentReduce(drawTangent(p, rows, channels, o)) })
			add("tangent_backward/"+name, func(p *placer) gpu.Kernel { return tangentBackward(drawTangent(p, rows, channels, o)) })
		}
	}
	for _, size := range pictures {
		for _, o := range tangentOptions {
			name := fmt.Sprintf("%dx%dx%dx%d,slope=%g,mask=%t", size[0], size[1], size[2], size[3], o.slope, o.mask)
			add("tangent_pool_forward/"+name, func(p *placer) gpu.Kernel { return tangentPoolForward(drawPooledTangent(p, size, o)) })
			add("tangent_reduce/"+name, func(p *placer) gpu.Kernel { return tangentReduce(drawPooledTangent(p, size, o)) })
			add("tangent_backward/"+name, func(p *placer) gpu.Kernel { return tangentBackward(drawPooledTangent(p, size, o)) })
		}
	}
	for _, size := range [][2]int{{1, 1}, {3, 2}, {1, 3}, {7, 31}, {9, 33}, {33, 10}, {257, 100}, {31, 257}} {
		add(fmt.Sprintf("tangent_loss/rows=%d,classes=%d", size[0], size[1]), func(p *placer) gpu.Kernel { return tangentLoss(p, size[0], size[1]) })
	}
	return cases
}

// tangent is an epilogue with the tangents of what it reads.
type tangent struct {
	*placer
	*epilogue
	size                                    [4]int // of the pictures, zero without pooling
	index                                   []uint8
	source                                  []int // of each element of y: that of the output, -1 for none
	yDot, daDot, meanDot, scaleDot, betaDot []float32
	YDot, DADot, MeanDot, ScaleDot, BetaDot gpu.Slice[float32]
	Index                                   gpu.Slice[uint8]
}

func drawTangent(p *placer, rows, channels int, o epilogueOptions) *tangent {
	t := &tangent{placer: p, epilogue: drawEpilogue(p, rows, rows, channels, o)}
	for i := range t.y {
		t.source = append(t.source, i)
	}
	return t.drawDots()
}

func drawPooledTangent(p *placer, size [4]int, o epilogueOptions) *tangent {
	w := drawPooled(p, size, o)
	t := &tangent{placer: p, epilogue: w.epilogue, size: size, index: w.drawIndex(p), source: make([]int, len(w.y))}
	t.Index = input(p, "Index", t.index)
	for i := range t.source {
		t.source[i] = -1
	}
	for i, window := range w.windows {
		t.source[window[t.index[i]]] = i
	}
	return t.drawDots()
}

func (t *tangent) drawDots() *tangent {
	p := t.placer
	t.drawGradients(p)
	t.yDot, t.daDot = normal(p.random, len(t.y), 0.3, 1), normal(p.random, t.outputSize, 0, 1)
	t.meanDot, t.scaleDot, t.betaDot = normal(p.random, t.channels, 0.3, 1), normal(p.random, t.channels, 0, 1), normal(p.random, t.channels, 0, 1)
	t.YDot, t.DADot = input(p, "YDot", t.yDot), input(p, "DADot", t.daDot)
	t.MeanDot, t.ScaleDot, t.BetaDot = input(p, "MeanDot", t.meanDot), input(p, "ScaleDot", t.scaleDot), input(p, "BetaDot", t.betaDot)
	return t
}

// dDot is the tangent of d at element i of y.
func (t *tangent) dDot(i int) number {
	return exactly(t.yDot[i]).minus(exactly(t.meanDot[i%t.channels]))
}

// aDot is the tangent of output element i, which comes from element at of y.
func (t *tangent) aDot(i, at int) number {
	c := at % t.channels
	zDot := t.dDot(at).times(exactly(t.scale[c])).plus(t.d(at).times(exactly(t.scaleDot[c]))).plus(exactly(t.betaDot[c]))
	return t.dropped(zDot.times(t.derivative(at)), i)
}

// through takes a gradient by the output, or its tangent, to element at of z.
func (t *tangent) through(gradient []float32, at int) number {
	i := t.source[at]
	if i < 0 {
		return number{}
	}
	return exactly(gradient[i]).times(t.dropped(t.derivative(at), i))
}

func tangentStats(p *placer, rows, channels int) gpu.Kernel {
	y, yDot, mean := coarse(p.random, rows*channels), normal(p.random, rows*channels, 0.3, 1), coarse(p.random, channels)
	partial := columnTotals(rows, channels, func(i int) (first, second number) {
		dot := exactly(yDot[i])
		return dot, exactly(y[i]).minus(exactly(mean[i%channels])).times(dot)
	})
	return &kernels.TangentStats{
		Y: input(p, "Y", y), YDot: input(p, "YDot", yDot), Mean: input(p, "Mean", mean), Partial: output(p, "Partial", partial),
		Rows: int32(rows), Channels: int32(channels),
	}
}

// columnTotals are partial sums [chunks, 2, channels] of two terms of each element.
func columnTotals(rows, channels int, terms func(i int) (first, second number)) []number {
	var partial []number
	for _, chunk := range chunksOf(rows, channels) {
		sums := make([]number, 2*channels)
		for c := range channels {
			var first, second []number
			for row := chunk[0]; row < chunk[1]; row++ {
				a, b := terms(row*channels + c)
				first, second = append(first, a), append(second, b)
			}
			sums[c], sums[channels+c] = total(first), total(second)
		}
		partial = append(partial, sums...)
	}
	return partial
}

// term is a product in double precision, with the absolute size of what it is of.
type term struct{ value, absolute float64 }

func of(factors ...float64) term {
	t := term{1, 1}
	for _, f := range factors {
		t.value, t.absolute = t.value*f, t.absolute*math.Abs(f)
	}
	return t
}

func (t term) plus(other term) term { return term{t.value + other.value, t.absolute + other.absolute} }
func (t term) times(factor float64) term {
	return term{t.value * factor, t.absolute * math.Abs(factor)}
}
func (t term) number() number { return double(t.value, t.absolute) }

// drawPartial draws partial sums, and returns the two sums of each channel.
func drawPartial(p *placer, rows, channels int) (partial []float32, first, second []term) {
	first, second = make([]term, channels), make([]term, channels)
	for range chunksOf(rows, channels) {
		for _, sums := range [][]term{first, second} {
			for c, v := range normal(p.random, channels, 0, 1) {
				partial = append(partial, v)
				sums[c] = sums[c].plus(of(float64(v)))
			}
		}
	}
	return partial, first, second
}

func tangentFinish(p *placer, rows, channels int) gpu.Kernel {
	partial, sums, moments := drawPartial(p, rows, channels)
	gamma, gammaDot, invStd := normal(p.random, channels, 1, 0.5), normal(p.random, channels, 0, 1), uniform(p.random, channels, 0.5, 2)
	meanDot, invStdDot, scaleDot := make([]number, channels), make([]number, channels), make([]number, channels)
	for c := range channels {
		r := float64(invStd[c])
		rDot := moments[c].times(-r * r * r / float64(rows))
		meanDot[c] = sums[c].times(1 / float64(rows)).number()
		invStdDot[c] = rDot.number()
		scaleDot[c] = of(float64(gammaDot[c]), r).plus(rDot.times(float64(gamma[c]))).number()
	}
	return &kernels.TangentFinish{
		Partial: input(p, "Partial", partial), Gamma: input(p, "Gamma", gamma), GammaDot: input(p, "GammaDot", gammaDot),
		InvStd: input(p, "InvStd", invStd), MeanDot: output(p, "MeanDot", meanDot), InvStdDot: output(p, "InvStdDot", invStdDot),
		ScaleDot: output(p, "ScaleDot", scaleDot), Rows: int32(rows), Channels: int32(channels),
	}
}

func tangentForward(t *tangent) gpu.Kernel {
	a := make([]number, t.outputSize)
	for i := range a {
		a[i] = t.aDot(i, i)
	}
	return &kernels.TangentForward{
		Y: t.Y, YDot: t.YDot, Mean: t.Mean, Scale: t.Scale, Beta: t.Beta, MeanDot: t.MeanDot, ScaleDot: t.ScaleDot, BetaDot: t.BetaDot,
		Mask: t.Mask, ADot: output(t.placer, "ADot", a), Rows: int32(t.outputRows), Channels: int32(t.channels), Slope: t.slope, Keep: keepFactor,
	}
}

func tangentPoolForward(t *tangent) gpu.Kernel {
	a := make([]number, t.outputSize)
	for at, i := range t.source {
		if i >= 0 {
			a[i] = t.aDot(i, at)
		}
	}
	return &kernels.TangentPoolForward{
		Y: t.Y, YDot: t.YDot, Index: t.Index, Mean: t.Mean, Scale: t.Scale, Beta: t.Beta,
		MeanDot: t.MeanDot, ScaleDot: t.ScaleDot, BetaDot: t.BetaDot, Mask: t.Mask, ADot: output(t.placer, "ADot", a),
		Pictures: int32(t.size[0]), Height: int32(t.size[1]), Width: int32(t.size[2]), Channels: int32(t.channels), Slope: t.slope, Keep: keepFactor,
	}
}

func tangentReduce(t *tangent) gpu.Kernel {
	rows := len(t.y) / t.channels
	partial := columnTotals(rows, t.channels, func(i int) (first, second number) {
		dz, dzDot := t.through(t.da, i), t.through(t.daDot, i)
		return dzDot, dzDot.times(t.d(i)).plus(dz.times(t.dDot(i)))
	})
	return &kernels.TangentReduce{
		DA: t.DA, DADot: t.DADot, Y: t.Y, YDot: t.YDot, Index: t.Index, Mean: t.Mean, Scale: t.Scale, Beta: t.Beta, MeanDot: t.MeanDot,
		Mask: t.Mask, Partial: output(t.placer, "Partial", partial),
		Rows: int32(rows), Height: int32(t.size[1]), Width: int32(t.size[2]), Channels: int32(t.channels), Slope: t.slope, Keep: keepFactor,
	}
}

// tangentGradient differentiates dGamma = r M and the two coefficients of dy.
func tangentGradient(p *placer, rows, channels int, norm bool) gpu.Kernel {
	partial, sums, moments := drawPartial(p, rows, channels)
	invStd, invStdDot := uniform(p.random, channels, 0.5, 2), normal(p.random, channels, 0, 1)
	scale, scaleDot := normal(p.random, channels, 0, 1), normal(p.random, channels, 0, 1)
	dGamma, dBeta := normal(p.random, channels, 0, 1), normal(p.random, channels, 0, 1)
	dGammaDot, dBetaDot, coefficients := make([]number, channels), make([]number, channels), make([]number, 3*channels)
	for c := range channels {
		n, r, rDot, s, sDot := float64(rows), float64(invStd[c]), float64(invStdDot[c]), float64(scale[c]), float64(scaleDot[c])
		m, mDot := float64(dGamma[c])/r, moments[c]
		dGammaDot[c] = of(rDot, m).plus(mDot.times(r)).number()
		dBetaDot[c] = sums[c].number()
		coefficients[c] = of(-1/n, s, r, r, m).number()
		coefficients[channels+c] = of(sDot, r, r, m).plus(of(2, s, r, rDot, m)).plus(mDot.times(s * r * r)).times(-1 / n).number()
		coefficients[2*channels+c] = of(sDot, float64(dBeta[c])).plus(sums[c].times(s)).times(-1 / n).number()
	}
	k := &kernels.TangentGradient{
		Partial: input(p, "Partial", partial), InvStd: input(p, "InvStd", invStd), InvStdDot: input(p, "InvStdDot", invStdDot),
		Scale: input(p, "Scale", scale), ScaleDot: input(p, "ScaleDot", scaleDot), DBeta: input(p, "DBeta", dBeta),
		DBetaDot: output(p, "DBetaDot", dBetaDot), Rows: int32(rows), Channels: int32(channels),
	}
	if norm {
		k.DGamma, k.DGammaDot = input(p, "DGamma", dGamma), output(p, "DGammaDot", dGammaDot)
		k.Coefficients = output(p, "Coefficients", coefficients)
	} else {
		k.Coefficients = input(p, "Coefficients", make([]float32, 3*channels))
	}
	return k
}

func tangentBackward(t *tangent) gpu.Kernel {
	rows := len(t.y) / t.channels
	coefficients := normal(t.random, 3*t.channels, 0, 1)
	dyDot := make([]number, len(t.y))
	for i := range dyDot {
		c := i % t.channels
		c1, c1Dot, c0Dot := coefficients[c], coefficients[t.channels+c], coefficients[2*t.channels+c]
		through := t.through(t.da, i).times(exactly(t.scaleDot[c])).plus(t.through(t.daDot, i).times(exactly(t.scale[c])))
		dyDot[i] = through.plus(t.d(i).times(exactly(c1Dot))).plus(t.dDot(i).times(exactly(c1))).plus(exactly(c0Dot))
	}
	return &kernels.TangentBackward{
		DA: t.DA, DADot: t.DADot, Y: t.Y, YDot: t.YDot, Index: t.Index, Mean: t.Mean, Scale: t.Scale, Beta: t.Beta,
		MeanDot: t.MeanDot, ScaleDot: t.ScaleDot, Coefficients: input(t.placer, "Coefficients", coefficients),
		Mask: t.Mask, DYDot: output(t.placer, "DYDot", dyDot),
		Rows: int32(rows), Height: int32(t.size[1]), Width: int32(t.size[2]), Channels: int32(t.channels), Slope: t.slope, Keep: keepFactor,
	}
}

func tangentLoss(p *placer, rows, classes int) gpu.Kernel {
	logits, logitsDot, want := coarse(p.random, rows*classes), normal(p.random, rows*classes, 0.3, 1), make([]number, rows*classes)
	for row := range rows {
		x, dot := logits[row*classes:][:classes], logitsDot[row*classes:][:classes]
		largest := x[0]
		for _, v := range x {
			largest = max(largest, v)
		}
		exponentials, products := make([]number, classes), make([]number, classes)
		for c, v := range x {
			exponentials[c] = exactly(v).minus(exactly(largest)).exponential()
			products[c] = exponentials[c].times(exactly(dot[c]))
		}
		sum := total(exponentials)
		mean := total(products).over(sum)
		for c := range x {
			want[row*classes+c] = exponentials[c].over(sum).times(exactly(dot[c]).minus(mean)).over(exactly(float32(rows)))
		}
	}
	return &kernels.TangentLoss{
		Logits: input(p, "Logits", logits), LogitsDot: input(p, "LogitsDot", logitsDot), DLogitsDot: output(p, "DLogitsDot", want),
		Rows: int32(rows), Classes: int32(classes),
	}
}
