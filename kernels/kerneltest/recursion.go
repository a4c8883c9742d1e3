package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func recursionCases() []Case {
	var cases []Case
	add := func(name string, build func(p *placer) gpu.Kernel) { cases = append(cases, Case{name, build}) }
	for _, size := range [][2]int{{1, 1}, {3, 2}, {1, 3}, {7, 31}, {9, 33}, {33, 10}, {31, 257}} {
		add(fmt.Sprintf("recursion_logits/rows=%d,classes=%d", size[0], size[1]), func(p *placer) gpu.Kernel { return recursionLogits(p, size[0], size[1]) })
		add(fmt.Sprintf("ggn_column/rows=%d,classes=%d", size[0], size[1]), func(p *placer) gpu.Kernel { return ggnColumn(p, size[0], size[1]) })
	}
	for _, size := range matrices {
		rows, channels := size[0], size[1]
		name := fmt.Sprintf("rows=%d,channels=%d", rows, channels)
		add("channel_mean/"+name, func(p *placer) gpu.Kernel { return channelMean(p, rows, channels) })
		add("centered_square/"+name, func(p *placer) gpu.Kernel { return centeredSquare(p, rows, channels) })
		add("recursion_finish/"+name, func(p *placer) gpu.Kernel { return recursionFinish(p, rows, channels, true) })
		add("recursion_finish/bias,"+name, func(p *placer) gpu.Kernel { return recursionFinish(p, rows, channels, false) })
		add("recursion_backward/"+name, func(p *placer) gpu.Kernel { return recursionBackward(p, rows, channels) })
		eachEpilogueOption(func(o epilogueOptions, options string) {
			add("recursion_slope/"+name+","+options, func(p *placer) gpu.Kernel { return recursionSlope(p, rows, 1, 1, channels, o, false, true) })
		})
		add("recursion_slope/sums,"+name, func(p *placer) gpu.Kernel {
			return recursionSlope(p, rows, 1, 1, channels, epilogueOptions{slope: 1}, false, false)
		})
	}
	for _, size := range [][4]int{{1, 1, 1, 1}, {2, 2, 2, 3}, {3, 5, 3, 4}, {2, 7, 9, 33}, {3, 8, 8, 12}, {1, 31, 33, 64}} {
		for _, mask := range []bool{false, true} {
			add(fmt.Sprintf("recursion_slope/pooled=%v,mask=%t", size, mask), func(p *placer) gpu.Kernel {
				return recursionSlope(p, size[0], size[1], size[2], size[3], epilogueOptions{slope: 0.01, mask: mask}, true, true)
			})
		}
	}
	for _, sizes := range tensorSizes() {
		name := fmt.Sprintf("tensors=%v", sizes)
		add("calibrate_sums/"+name, func(p *placer) gpu.Kernel { return calibrateSums(drawTensors(p, sizes)) })
		add("calibrate_ratio/"+name, func(p *placer) gpu.Kernel { return calibrateRatio(p, sizes) })
		add("calibrate_apply/"+name, func(p *placer) gpu.Kernel { return calibrateApply(drawTensors(p, sizes)) })
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

func recursionLogits(p *placer, rows, classes int) gpu.Kernel {
	logits := coarse(p.random, rows*classes)
	q := probabilities(logits, classes)
	for i, v := range q {
		q[i] = v.times(exactly(1).minus(v)).over(exactly(float32(rows)))
	}
	return &kernels.RecursionLogits{Logits: input(p, "Logits", logits), Q: output(p, "Q", q), Rows: int32(rows), Classes: int32(classes)}
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

// recursionSlope is of pictures that are pooled, or of rows that are not.
func recursionSlope(p *placer, pictures, height, width, channels int, o epilogueOptions, pooled, writes bool) gpu.Kernel {
	rows := pictures * height * width
	outputRows := rows
	if pooled {
		outputRows = pictures * ((height + 1) / 2) * ((width + 1) / 2)
	}
	e := drawEpilogue(p, rows, outputRows, channels, o)
	qa := uniform(p.random, e.outputSize, 0, 1)
	k := &kernels.RecursionSlope{
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

// recursionFinish is behind a normalization, or without norm a bias.
func recursionFinish(p *placer, rows, channels int, norm bool) gpu.Kernel {
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
	k := &kernels.RecursionFinish{
		Partial: input(p, "Partial", partial), InvStd: input(p, "InvStd", invStd), Scale: input(p, "Scale", scale),
		HBeta: output(p, "HBeta", hBeta), Rows: int32(rows), Channels: int32(channels),
	}
	if norm {
		k.HGamma, k.Coefficients = output(p, "HGamma", hGamma), output(p, "Coefficients", coefficients)
	}
	return k
}

func recursionBackward(p *placer, rows, channels int) gpu.Kernel {
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
	return &kernels.RecursionBackward{
		Q: update(p, "Q", q, want), Y: input(p, "Y", y), Mean: input(p, "Mean", mean), Coefficients: input(p, "Coefficients", coefficients),
		Rows: int32(rows), Channels: int32(channels),
	}
}

func calibrateSums(t *tensors) gpu.Kernel {
	const factor = float32(64)
	var partial []number
	for tensor, offset := range t.offsets {
		end := offset + t.sizes[tensor]
		for ; offset < end; offset += 4096 {
			var squares, sum float64
			for i := offset; i < min(offset+4096, end); i++ {
				squares += float64(t.g[i]) * float64(t.g[i])
				sum += float64(t.v[i])
			}
			partial = append(partial, double(squares, squares).times(exactly(factor)), double(sum, sum))
		}
	}
	return &kernels.CalibrateSums{
		G: input(t.placer, "G", t.g), R: input(t.placer, "R", t.v), Chunks: t.Chunks, Partial: output(t.placer, "Partial", partial), Factor: factor,
	}
}

// calibrateRatio has a tensor, the last but one, whose sums are zero.
func calibrateRatio(p *placer, sizes []int) gpu.Kernel {
	const decay, oneMinusDecay = float32(0.9), float32(0.1)
	_, first := kernels.ChunkTable(make([]int, len(sizes)), sizes)
	partial := uniform(p.random, 2*int(first[len(first)-1]), 0, 1)
	average := uniform(p.random, 2*len(sizes), 0.5, 1)
	want, ratio := make([]number, 2*len(sizes)), make([]number, len(sizes))
	for tensor := range sizes {
		none := tensor == len(sizes)-2
		for i := range 2 {
			sum := 0.0
			for chunk := first[tensor]; chunk < first[tensor+1]; chunk++ {
				if none {
					partial[2*chunk+uint32(i)] = 0
				}
				sum += float64(partial[2*chunk+uint32(i)])
			}
			if none {
				average[2*tensor+i] = 0
			}
			want[2*tensor+i] = blend(decay, exactly(average[2*tensor+i]), oneMinusDecay, double(sum, sum))
		}
		if !none {
			ratio[tensor] = want[2*tensor].over(want[2*tensor+1])
		}
	}
	return &kernels.CalibrateRatio{
		Partial: input(p, "Partial", partial), First: input(p, "First", first),
		Average: update(p, "Average", average, want), Ratio: output(p, "Ratio", ratio), Decay: decay, OneMinusDecay: oneMinusDecay,
	}
}

func calibrateApply(t *tensors) gpu.Kernel {
	ratio := uniform(t.random, len(t.sizes), 0.5, 2)
	want := t.wanted(1, func(tensor, i int) []number { return []number{exactly(t.v[i]).times(exactly(ratio[tensor]))} })
	return &kernels.CalibrateApply{R: update(t.placer, "R", t.v, want[0]), Chunks: t.Chunks, Ratio: input(t.placer, "Ratio", ratio)}
}
