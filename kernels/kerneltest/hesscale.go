package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func hesScaleCases() []Case {
	var cases []Case
	add := func(name string, build func(p *placer) gpu.Kernel) { cases = append(cases, Case{name, build}) }
	for _, size := range [][2]int{{1, 1}, {3, 2}, {1, 3}, {7, 31}, {9, 33}, {33, 10}, {31, 257}} {
		add(fmt.Sprintf("hesscale_logits/rows=%d,classes=%d", size[0], size[1]), func(p *placer) gpu.Kernel { return hesScaleLogits(p, size[0], size[1]) })
		add(fmt.Sprintf("ggn_column/rows=%d,classes=%d", size[0], size[1]), func(p *placer) gpu.Kernel { return ggnColumn(p, size[0], size[1]) })
	}
	for _, size := range matrices {
		rows, channels := size[0], size[1]
		name := fmt.Sprintf("rows=%d,channels=%d", rows, channels)
		add("channel_mean/"+name, func(p *placer) gpu.Kernel { return channelMean(p, rows, channels) })
		add("centered_square/"+name, func(p *placer) gpu.Kernel { return centeredSquare(p, rows, channels) })
		add("hesscale_finish/"+name, func(p *placer) gpu.Kernel { return hesScaleFinish(p, rows, channels, true) })
		add("hesscale_finish/bias,"+name, func(p *placer) gpu.Kernel { return hesScaleFinish(p, rows, channels, false) })
		add("hesscale_backward/"+name, func(p *placer) gpu.Kernel { return hesScaleBackward(p, rows, channels) })
		eachEpilogueOption(func(o epilogueOptions, options string) {
			add("hesscale_slope/"+name+","+options, func(p *placer) gpu.Kernel { return hesScaleSlope(p, rows, 1, 1, channels, o, false, true) })
		})
		add("hesscale_slope/sums,"+name, func(p *placer) gpu.Kernel {
			return hesScaleSlope(p, rows, 1, 1, channels, epilogueOptions{slope: 1}, false, false)
		})
	}
	for _, size := range [][4]int{{1, 1, 1, 1}, {2, 2, 2, 3}, {3, 5, 3, 4}, {2, 7, 9, 33}, {3, 8, 8, 12}, {1, 31, 33, 64}} {
		for _, mask := range []bool{false, true} {
			add(fmt.Sprintf("hesscale_slope/pooled=%v,mask=%t", size, mask), func(p *placer) gpu.Kernel {
				return hesScaleSlope(p, size[0], size[1], size[2], size[3], epilogueOptions{slope: 0.01, mask: mask}, true, true)
			})
		}
	}
	for _, sizes := range tensorSizes() {
		name := fmt.Sprintf("tensors=%v", sizes)
		for _, sum := range []bool{false, true} {
			add(fmt.Sprintf("calibrate_average/sum=%t,%s", sum, name), func(p *placer) gpu.Kernel { return calibrateAverage(drawTensors(p, sizes), sum) })
		}
		add("calibrate_weights/"+name, func(p *placer) gpu.Kernel { return calibrateWeights(p, sizes) })
		add("calibrate_blend/"+name, func(p *placer) gpu.Kernel { return calibrateBlend(drawTensors(p, sizes)) })
	}
	return cases
}

// probabilities are the softmax of rows of logits.
func probabilities(logits []float32, classes int) []number {
	p := make([]number, len(logits))
	for row := 0; row < len(logits); row += classes {
		x := logits[row:][:classes]
		best := 0
		for c, v := range x {
			if v > x[best] {
				best = c
			}
		}
		exponentials := make([]number, classes)
		for c, v := range x {
			exponentials[c] = exactly(v).minus(exactly(x[best])).exponential()
		}
		sum := total(exponentials)
		for c := range x {
			p[row+c] = exponentials[c].over(sum)
		}
	}
	return p
}

func hesScaleLogits(p *placer, rows, classes int) gpu.Kernel {
	logits := coarse(p.random, rows*classes)
	q := probabilities(logits, classes)
	for i, v := range q {
		q[i] = v.times(exactly(1).minus(v)).over(exactly(float32(rows)))
	}
	return &kernels.HesScaleLogits{Logits: input(p, "Logits", logits), Q: output(p, "Q", q), Rows: int32(rows), Classes: int32(classes)}
}

func ggnColumn(p *placer, rows, classes int) gpu.Kernel {
	logits, class := coarse(p.random, rows*classes), classes/2
	softmax := probabilities(logits, classes)
	d := make([]number, len(logits))
	for i, v := range softmax {
		root := softmax[i/classes*classes+class].over(exactly(float32(rows))).squareRoot()
		target := exactly(0)
		if i%classes == class {
			target = exactly(1)
		}
		d[i] = root.times(target.minus(v))
	}
	return &kernels.GGNColumn{
		Logits: input(p, "Logits", logits), D: output(p, "D", d), Rows: int32(rows), Classes: int32(classes), Column: int32(class),
	}
}

func channelMean(p *placer, rows, channels int) gpu.Kernel {
	var partial []float32
	chunks := chunksOf(rows, channels)
	for range chunks {
		partial = append(partial, normal(p.random, channels, 3, 1)...)
		partial = append(partial, normal(p.random, channels, 0, 1)...) // not read
	}
	mean := make([]number, channels)
	for c := range mean {
		sum, absolute := 0.0, 0.0
		for i, chunk := range chunks {
			term := float64(chunk[1]-chunk[0]) * float64(partial[2*i*channels+c]) / float64(rows)
			sum, absolute = sum+term, absolute+math.Abs(term)
		}
		mean[c] = double(sum, absolute)
	}
	return &kernels.ChannelMean{Partial: input(p, "Partial", partial), Mean: output(p, "Mean", mean), Rows: int32(rows), Channels: int32(channels)}
}

func centeredSquare(p *placer, rows, channels int) gpu.Kernel {
	x, mean := normal(p.random, rows*channels, 0, 1), normal(p.random, channels, 0, 1)
	out := make([]number, len(x))
	for i, v := range x {
		d := exactly(v).minus(exactly(mean[i%channels]))
		out[i] = d.times(d)
	}
	return &kernels.CenteredSquare{
		X: input(p, "X", x), Mean: input(p, "Mean", mean), Out: output(p, "Out", out), Rows: int32(rows), Channels: int32(channels),
	}
}

// hesScaleSlope is of pictures that are pooled, or of rows that are not.
func hesScaleSlope(p *placer, pictures, height, width, channels int, o epilogueOptions, pooled, writes bool) gpu.Kernel {
	rows := pictures * height * width
	outputRows := rows
	if pooled {
		outputRows = pictures * ((height + 1) / 2) * ((width + 1) / 2)
	}
	e := drawEpilogue(p, rows, outputRows, channels, o)
	qa := uniform(p.random, e.outputSize, 0, 1)
	k := &kernels.HesScaleSlope{
		QA: input(p, "QA", qa), Y: e.Y, Mean: e.Mean, Scale: e.Scale, Beta: e.Beta, Mask: e.Mask,
		Rows: int32(rows), Height: int32(height), Width: int32(width), Channels: int32(channels), Slope: o.slope, Keep: keepFactor,
	}
	// source names the element of y that an output element came from.
	source := func(i int) int { return i }
	if pooled {
		index := make([]uint8, e.outputSize)
		sources := make([]int, e.outputSize)
		for i := range index {
			row, c := i/channels, i%channels
			pooledHeight, pooledWidth := (height+1)/2, (width+1)/2
			picture, h, w := row/(pooledHeight*pooledWidth), 2*(row/pooledWidth%pooledHeight), 2*(row%pooledWidth)
			down, right := 0, 0
			if h+1 < height {
				down = p.random.IntN(2)
			}
			if w+1 < width {
				right = p.random.IntN(2)
			}
			index[i] = uint8(2*down + right)
			sources[i] = ((picture*height+h+down)*width+w+right)*channels + c
		}
		k.Index = input(p, "Index", index)
		source = func(i int) int { return sources[i] }
	}
	qz := make([]number, len(e.y))
	for i, v := range qa {
		at := source(i)
		slope := exactly(1)
		if !e.z(at).positive() {
			slope = exactly(o.slope).times(exactly(o.slope))
		}
		q := exactly(v).times(slope)
		if o.mask && e.maskBits[i] == 0 {
			q = number{}
		} else if o.mask {
			q = q.times(exactly(keepFactor).times(exactly(keepFactor)))
		}
		qz[at] = q
	}
	var partial []number
	for _, chunk := range chunksOf(rows, channels) {
		var sums [3][]number
		for c := range channels {
			var terms [3][]number
			for row := chunk[0]; row < chunk[1]; row++ {
				at := row*channels + c
				d := e.d(at)
				for i, factor := range []number{exactly(1), d, d.times(d)} {
					terms[i] = append(terms[i], qz[at].times(factor))
				}
			}
			for i := range sums {
				sums[i] = append(sums[i], total(terms[i]))
			}
		}
		for _, s := range sums {
			partial = append(partial, s...)
		}
	}
	k.Partial = output(p, "Partial", partial)
	if writes {
		k.QZ = output(p, "QZ", qz)
	}
	return k
}

// hesScaleFinish is behind a normalization, or without norm a bias.
func hesScaleFinish(p *placer, rows, channels int, norm bool) gpu.Kernel {
	chunks := len(chunksOf(rows, channels))
	partial := uniform(p.random, chunks*3*channels, 0, 1)
	invStd, scale := uniform(p.random, channels, 0.5, 2), normal(p.random, channels, 0, 1)
	hBeta, hGamma, coefficients := make([]number, channels), make([]number, channels), make([]number, 5*channels)
	for c := range channels {
		var s [3]float64
		for chunk := range chunks {
			for i := range s {
				s[i] += float64(partial[(3*chunk+i)*channels+c])
			}
		}
		n, r, g := float64(rows), float64(invStd[c]), float64(scale[c])
		exact := func(v float64) number { return double(v, math.Abs(v)) } // sums of positive terms
		hBeta[c], hGamma[c] = exact(s[0]), exact(r*r*s[2])
		for i, v := range []float64{g * g * (1 - 2/n), -2 * g * g * r * r / n, g * g * s[0] / n / n, 2 * g * g * r * r * s[1] / n / n, g * g * r * r * r * r * s[2] / n / n} {
			coefficients[i*channels+c] = double(v, math.Abs(v)+g*g)
		}
	}
	k := &kernels.HesScaleFinish{
		Partial: input(p, "Partial", partial), InvStd: input(p, "InvStd", invStd), Scale: input(p, "Scale", scale),
		HBeta: output(p, "HBeta", hBeta), Rows: int32(rows), Channels: int32(channels),
	}
	if norm {
		k.HGamma, k.Coefficients = output(p, "HGamma", hGamma), output(p, "Coefficients", coefficients)
	}
	return k
}

func hesScaleBackward(p *placer, rows, channels int) gpu.Kernel {
	q, y, mean := uniform(p.random, rows*channels, 0, 1), coarse(p.random, rows*channels), coarse(p.random, channels)
	coefficients := normal(p.random, 5*channels, 0, 1) // some results are below 0
	want := make([]number, len(q))
	for i := range want {
		c := i % channels
		of := func(j int) number { return exactly(coefficients[j*channels+c]) }
		d := exactly(y[i]).minus(exactly(mean[c]))
		square := d.times(d)
		v := exactly(q[i]).times(of(0).plus(of(1).times(square))).plus(of(2)).plus(of(3).times(d).plus(of(4).times(square)))
		v.value = max(0, v.value)
		want[i] = v
	}
	return &kernels.HesScaleBackward{
		Q: update(p, "Q", q, want), Y: input(p, "Y", y), Mean: input(p, "Mean", mean), Coefficients: input(p, "Coefficients", coefficients),
		Rows: int32(rows), Channels: int32(channels),
	}
}

// calibrateAverage does the third estimate of a run.
func calibrateAverage(t *tensors, sum bool) gpu.Kernel {
	const factor, decay, oneMinusDecay = float32(64), float32(0.9), float32(0.1)
	drawn, swept := uniform(t.random, len(t.g), 0, 1), uniform(t.random, len(t.g), 0, 1)
	before := uniform(t.random, len(t.g), 0, 1)
	want := t.wanted(2, func(tensor, i int) []number {
		sample := sampleOf(t.g[i], factor, 1)
		if sum {
			sample = sample.plus(exactly(before[i]))
		}
		return []number{
			blend(decay, exactly(drawn[i]), oneMinusDecay, sample),
			blend(decay, exactly(swept[i]), oneMinusDecay, exactly(t.v[i])),
		}
	})
	var partial []number
	for tensor, offset := range t.offsets {
		end := offset + t.sizes[tensor]
		for ; offset < end; offset += 4096 {
			var sums, bounds [5]float64
			for i := offset; i < min(offset+4096, end); i++ {
				d, s := want[0][i], want[1][i]
				for j, pair := range [5][2]number{{d, exactly(1)}, {s, exactly(1)}, {d, d}, {d, s}, {s, s}} {
					a, b := pair[0], pair[1]
					sums[j] += a.value * b.value
					bounds[j] += a.value*b.bound + b.value*a.bound + a.bound*b.bound
				}
			}
			for j, s := range sums {
				partial = append(partial, rounded(s, bounds[j]+double(s, s).bound))
			}
		}
	}
	k := &kernels.CalibrateAverage{
		G: input(t.placer, "G", t.g), R: input(t.placer, "R", t.v), Drawn: update(t.placer, "Drawn", drawn, want[0]),
		Swept: update(t.placer, "Swept", swept, want[1]), Chunks: t.Chunks, Partial: output(t.placer, "Partial", partial),
		Factor: factor, Decay: decay, OneMinusDecay: oneMinusDecay,
	}
	if sum {
		k.Sum = input(t.placer, "Sum", before)
	}
	return k
}

// calibrateWeights does the third estimate, at step 11 of one in every 4, with one
// tensor whose sweep is zero, one that is drawn and swept alike but for a factor, one
// where they have nothing in common, and one in between.
func calibrateWeights(p *placer, sizes []int) gpu.Kernel {
	const every, step, draws, correction = 4, 11, float32(7), float32(3.7)
	_, first := kernels.ChunkTable(make([]int, len(sizes)), sizes)
	partial := make([]float32, 5*first[len(first)-1])
	weights := make([]number, 2*len(sizes))
	for tensor := range sizes {
		var sums [5]number
		for chunk := first[tensor]; chunk < first[tensor+1]; chunk++ {
			d := uniform(p.random, 8, 0.5, 1)
			s := uniform(p.random, 8, 0.5, 1)
			switch (len(sizes) - tensor) % 4 {
			case 0:
				clear(s)
			case 1:
				for i := range s {
					s[i] = d[i] * 2
				}
			case 2:
				clear(d[:4])
				clear(s[4:])
			}
			at := partial[5*chunk:][:5]
			for i := range d {
				at[0] += d[i]
				at[1] += s[i]
				at[2] += d[i] * d[i]
				at[3] += d[i] * s[i]
				at[4] += s[i] * s[i]
			}
			for i, v := range at {
				sums[i] = double(sums[i].value+float64(v), sums[i].value+float64(v))
			}
		}
		ratio, ofDrawn := number{}, exactly(1)
		if sums[1].value != 0 {
			ratio = sums[0].over(sums[1])
			apart := sums[2].minus(exactly(2).times(ratio).times(sums[3])).plus(ratio.times(ratio).times(sums[4]))
			noise := exactly(2).times(sums[2]).over(exactly(draws + 2))
			ofDrawn = number{}
			if apart.minus(noise).positive() {
				ofDrawn = exactly(1).minus(noise.over(apart))
			}
		}
		weights[2*tensor] = exactly(correction).times(ofDrawn)
		weights[2*tensor+1] = exactly(correction).times(exactly(1).minus(ofDrawn)).times(ratio)
	}
	return &kernels.CalibrateWeights{
		Partial: input(p, "Partial", partial), First: input(p, "First", first),
		Corrections: input(p, "Corrections", []float32{10, 5, correction, 2}), Draws: input(p, "Draws", []float32{1, 3, draws, 9}),
		State: input(p, "State", []uint32{step, 99, 98, 0}), Weights: output(p, "Weights", weights), Every: every,
	}
}

func calibrateBlend(t *tensors) gpu.Kernel {
	weights := uniform(t.random, 2*len(t.sizes), 0.5, 2)
	want := t.wanted(1, func(tensor, i int) []number {
		return []number{blend(weights[2*tensor], exactly(t.v[i]), weights[2*tensor+1], exactly(t.g[i]))}
	})
	return &kernels.CalibrateBlend{
		Drawn: input(t.placer, "Drawn", t.v), Swept: input(t.placer, "Swept", t.g), Diagonal: update(t.placer, "Diagonal", t.w, want[0]),
		Chunks: t.Chunks, Weights: input(t.placer, "Weights", weights),
	}
}
