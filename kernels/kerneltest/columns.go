package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// columns are the sizes of [rows, channels] with up to 128 rows.
var columns = [][2]int{{1, 1}, {2, 257}, {3, 31}, {31, 3}, {33, 33}, {64, 12}, {127, 64}, {128, 33}, {5, 1000}}

func columnsCases() []Case {
	var cases []Case
	for _, size := range columns {
		eachEpilogueOption(func(o epilogueOptions, name string) {
			rows, channels := size[0], size[1]
			name = fmt.Sprintf("rows=%d,channels=%d,%s", rows, channels, name)
			cases = append(cases,
				Case{"columns_forward/" + name, func(p *placer) gpu.Kernel { return columnsForward(p, rows, channels, o) }},
				Case{"columns_backward/" + name, func(p *placer) gpu.Kernel { return columnsBackward(p, rows, channels, o, true, true) }},
				Case{"columns_backward/bias," + name, func(p *placer) gpu.Kernel { return columnsBackward(p, rows, channels, o, false, true) }})
			if o == (epilogueOptions{slope: 1}) {
				cases = append(cases, Case{"columns_backward/sums," + name, func(p *placer) gpu.Kernel { return columnsBackward(p, rows, channels, o, false, false) }})
			}
		})
	}
	return cases
}

func columnsForward(p *placer, rows, channels int, o epilogueOptions) gpu.Kernel {
	y, beta := normal(p.random, rows*channels, 50, 0.5), normal(p.random, channels, 0, 1)
	var mask gpu.Slice[uint8]
	var bits []uint8
	if o.mask {
		bits = flags(p.random, len(y))
		mask = input(p, "Mask", bits)
	}
	n := drawNormalization(p, rows, channels)
	mean, variance := make([]number, channels), make([]number, channels)
	for c := range channels {
		var m, squares float64
		for row := range rows {
			m += float64(y[row*channels+c]) / float64(rows)
		}
		for row := range rows {
			squares += math.Pow(float64(y[row*channels+c])-m, 2)
		}
		mean[c] = double(m, math.Abs(m))
		variance[c] = double(squares/float64(rows), squares/float64(rows))
	}
	n.finish(p, mean, variance)
	a := make([]number, len(y))
	for i := range a {
		c := i % channels
		z := exactly(y[i]).minus(mean[c]).times(n.scale[c]).plus(exactly(beta[c]))
		switch {
		case o.mask && bits[i] == 0:
			continue
		case !z.positive():
			z = z.times(exactly(o.slope))
		}
		if a[i] = z; o.mask {
			a[i] = z.times(exactly(keepFactor))
		}
	}
	return &kernels.ColumnsForward{
		Y: input(p, "Y", y), Gamma: n.Gamma, Beta: input(p, "Beta", beta), Mask: mask,
		MovingMean: n.MovingMean, MovingVariance: n.MovingVariance, Mean: n.Mean, InvStd: n.InvStd, Scale: n.Scale, A: output(p, "A", a),
		Rows: int32(rows), Channels: int32(channels),
		Epsilon: n.epsilon, Momentum: n.momentum, Correction: n.correction, Slope: o.slope, Keep: keepFactor,
	}
}

// columnsBackward is the kernel behind a normalization or a bias; without
// writing, of a bias whose layer wants no more than its gradient.
func columnsBackward(p *placer, rows, channels int, o epilogueOptions, norm, writes bool) gpu.Kernel {
	e := drawEpilogue(p, rows, rows, channels, o)
	e.drawGradients(p)
	invStd := uniform(p.random, channels, 0.5, 2)
	dGamma, dBeta, dy := make([]number, channels), make([]number, channels), make([]number, len(e.y))
	for c := range channels {
		var sum, moment number
		absoluteSum, absoluteMoment := 0.0, 0.0
		for row := range rows {
			i := row*channels + c
			dz, d := e.dz(i, i), e.d(i)
			sum.value, sum.bound, absoluteSum = sum.value+dz.value, sum.bound+dz.bound, absoluteSum+math.Abs(dz.value)
			product := dz.value * d.value // d is exact
			moment.value, moment.bound, absoluteMoment = moment.value+product, moment.bound+dz.bound*math.Abs(d.value), absoluteMoment+math.Abs(product)
		}
		inDouble := func(n number, absolute float64) number { return rounded(n.value, n.bound+absolute/(1<<33)) }
		dBeta[c] = inDouble(sum, absoluteSum)
		var slope, offset number
		if norm {
			dGamma[c] = inDouble(moment, absoluteMoment).times(exactly(invStd[c]))
			perRow := exactly(-e.scale[c]).over(exactly(float32(rows)))
			slope, offset = perRow.times(exactly(invStd[c])).times(dGamma[c]), perRow.times(dBeta[c])
		}
		for row := range rows {
			i := row*channels + c
			dy[i] = e.dz(i, i).times(exactly(e.scale[c])).plus(e.d(i).times(slope)).plus(offset)
		}
	}
	k := &kernels.ColumnsBackward{
		DA: e.DA, Y: e.Y, Mean: e.Mean, InvStd: input(p, "InvStd", invStd), Scale: e.Scale, Beta: e.Beta, Mask: e.Mask,
		DBeta: output(p, "DBeta", dBeta), Rows: int32(rows), Channels: int32(channels), Slope: o.slope, Keep: keepFactor,
	}
	if norm {
		k.DGamma = output(p, "DGamma", dGamma)
	}
	if writes {
		k.DY = output(p, "DY", dy)
	}
	return k
}
