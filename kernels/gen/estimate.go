package main

// The bodies of the estimators of the curvature, elementwise: curvature.go,
// calibrate.go, hutchinson.go, and the squares of hesscale.go, of package kernels.

// The bits of a variant of these bodies.
const (
	withSquare   = 1 // curvatureSum and curvatureAverage: of the sample
	withSum      = 2 // there is a sum before
	withAverage  = 4
	withAbsolute = 1 // hutchinsonSample
)

// sample is factor times x, or times its square.
func (w *walk) sample(x, factor value, squared bool) value {
	if squared {
		x = w.mul(x, x)
	}
	return w.mul(factor, x)
}

// averaged is decay average + oneMinusDecay v.
func (w *walk) averaged(average, v, decay, oneMinusDecay value) value {
	return w.add(w.mul(decay, average), w.mul(oneMinusDecay, v))
}

func curvatureSum() *walk {
	w := newWalk("curvatureSum")
	x, sum := w.floats(), w.floats()
	factor := w.scalar()
	for variant := range 4 {
		w.variant()
		s := w.sample(w.load(x), factor, variant&withSquare != 0)
		if variant&withSum != 0 {
			s = w.add(s, w.load(sum))
		}
		w.store(sum, s)
	}
	return w
}

func curvatureAverage() *walk {
	w := newWalk("curvatureAverage")
	x, sum, average, diagonal := w.floats(), w.floats(), w.floats(), w.floats()
	factor, decay, oneMinusDecay, correction := w.scalar(), w.scalar(), w.scalar(), w.scalar()
	for variant := range 8 {
		w.variant()
		s := w.sample(w.load(x), factor, variant&withSquare != 0)
		if variant&withSum != 0 {
			s = w.add(s, w.load(sum))
		}
		if variant&withAverage != 0 {
			s = w.averaged(w.load(average), s, decay, oneMinusDecay)
			w.store(average, s)
			s = w.mul(s, correction)
		}
		w.store(diagonal, s)
	}
	return w
}

func square() *walk {
	w := newWalk("square")
	x, out := w.floats(), w.floats()
	w.variant()
	v := w.load(x)
	w.store(out, w.mul(v, v))
	return w
}

func centeredSquare() *walk {
	w := newWalk("centeredSquare")
	x, out := w.floats(), w.floats()
	mean := w.channel()
	w.variant()
	d := w.sub(w.load(x), mean)
	w.store(out, w.mul(d, d))
	return w
}

// calibrateAverage adds element by element, in the scalar body's order: one half of
// its total has the sums of drawn, swept, drawn^2 and drawn swept, the other that of
// swept^2 and, in three lanes, numbers that nothing reads. It has sum in variant 2.
func calibrateAverage() *walk {
	w := newWalk("calibrateAverage")
	g, sum, r, drawn, swept := w.floats(), w.floats(), w.floats(), w.floats(), w.floats()
	total := w.total()
	factor, decay, oneMinusDecay := w.scalar(), w.scalar(), w.scalar()
	for variant := range 2 {
		w.variant()
		v := w.sample(w.load(g), factor, true)
		if variant == 1 {
			v = w.add(v, w.load(sum))
		}
		d := w.averaged(w.load(drawn), v, decay, oneMinusDecay)
		s := w.averaged(w.load(swept), w.load(r), decay, oneMinusDecay)
		w.store(drawn, d)
		w.store(swept, s)
		ds, ss := w.wide(d), w.wide(s)
		for half := range ds {
			d, s := ds[half], ss[half]
			for _, element := range w.transpose(d, s, w.op("VMULPD", "", d, d), w.op("VMULPD", "", d, s)) {
				w.accumulate("VADDPD", total[0], element)
			}
			square := w.op("VMULPD", "", s, s)
			behind := w.op("VPERM2F128", "$1", square, square)
			for _, v := range []value{square, w.swap(square), behind, w.swap(behind)} {
				w.accumulate("VADDPD", total[1], v)
			}
		}
	}
	return w
}

// swap exchanges the float64 of each pair.
func (w *walk) swap(v value) value { return w.op("VPERMILPD", "$5", v) }

// transpose returns the columns of a matrix of four rows of float64.
func (w *walk) transpose(a, b, c, d value) [4]value {
	even, odd := w.op("VUNPCKLPD", "", a, b), w.op("VUNPCKHPD", "", a, b)
	evenBelow, oddBelow := w.op("VUNPCKLPD", "", c, d), w.op("VUNPCKHPD", "", c, d)
	half := func(immediate string, above, below value) value { return w.op("VPERM2F128", immediate, above, below) }
	return [4]value{
		half("$0x20", even, evenBelow), half("$0x20", odd, oddBelow), half("$0x31", even, evenBelow), half("$0x31", odd, oddBelow),
	}
}

func calibrateBlend() *walk {
	w := newWalk("calibrateBlend")
	drawn, swept, diagonal := w.floats(), w.floats(), w.floats()
	ofDrawn, ofSwept := w.scalar(), w.scalar()
	w.variant()
	w.store(diagonal, w.add(w.mul(ofDrawn, w.load(drawn)), w.mul(ofSwept, w.load(swept))))
	return w
}

// rademacher makes a byte's bits the signs of eight ones, the lowest bit first. Its
// channels are the distances of the bits to the byte's highest.
func rademacher() *walk {
	w := newWalk("rademacher")
	bits, z := w.bytesStream(), w.floats()
	distance := w.channel()
	w.variant()
	sign := w.and(w.op("VPSLLVD", "", w.loadRepeated(bits), distance), w.literal(signBit))
	w.store(z, w.or(sign, w.literal(one)))
	return w
}

// hutchinsonSample: a value's absolute value is the larger of it and its negative.
func hutchinsonSample() *walk {
	w := newWalk("hutchinsonSample")
	z, product, sum := w.floats(), w.floats(), w.floats()
	factor := w.scalar()
	for variant := range 4 {
		w.variant()
		s := w.mul(w.mul(factor, w.load(z)), w.load(product))
		if variant&withSum != 0 {
			s = w.add(s, w.load(sum))
		}
		if variant&withAbsolute != 0 {
			s = w.andNot(s, w.literal(signBit))
		}
		w.store(sum, s)
	}
	return w
}
