package main

// The bodies of hesscale.go, tangent.go and tangent_backward.go of package kernels.

// The bits of a variant of these bodies.
const (
	withMask  = 1
	withIndex = 2
	withQZ    = 4
	// hesScaleSlopePair always has an index.
	withQZOfPair = 2
)

// passes is all ones where a byte of index is the position, which is a scalar.
func (w *walk) passes(index stream, position value) value { return w.equal(w.load(index), position) }

// A pair is two pixels of a pooling window that lie side by side, in a row of a walk
// whose name ends in Pair. What is of both pixels is the left one's first, and so are
// sums.
type pair [2]value

// loadPair reads two rows of a tensor.
func (w *walk) loadPair(s stream) pair { return pair{w.load(s), w.loadRight(s)} }

// each is what f makes of a pair's values.
func (p pair) each(f func(v value) value) pair { return pair{f(p[0]), f(p[1])} }

// passing tells which of a pair's pixels, at a position that is a scalar and at the
// next, is the window's largest.
type passing pair

func (w *walk) passesPair(index stream, position, next value) passing {
	i := w.load(index)
	return passing{w.equal(i, position), w.equal(i, next)}
}

// chosen is the value of the right pixel where that is the window's largest, else of
// the left one.
func (w *walk) chosen(at passing, p pair) value { return w.choose(at[1], p[1], p[0]) }

// through is v at the pixel that is the window's largest, and 0 at others.
func (w *walk) through(at passing, v value) pair { return pair{w.and(v, at[0]), w.and(v, at[1])} }

func hesScaleSlope() *walk {
	w := newWalk("hesScaleSlope")
	y, qa, qz, index, mask := w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	s0, s1, s2 := w.sum(), w.sum(), w.sum()
	slope, keep, position := w.scalar(), w.scalar(), w.scalar()
	for variant := range 8 {
		w.variant()
		d := w.sub(w.load(y), mean)
		z := w.add(w.mul(d, scale), beta)
		q := w.mul(w.load(qa), w.leaky(z, slope))
		if variant&withMask != 0 {
			q = w.mul(q, w.kept(mask, keep))
		}
		if variant&withIndex != 0 {
			q = w.and(q, w.passes(index, position))
		}
		if variant&withQZ != 0 {
			w.store(qz, q)
		}
		w.accumulate("VADDPS", s0, q)
		w.accumulate("VADDPS", s1, w.mul(q, d))
		w.accumulate("VADDPS", s2, w.mul(q, w.mul(d, d)))
	}
	return w
}

func hesScaleSlopePair() *walk {
	w := newWalk("hesScaleSlopePair")
	y, qa, qz, index, mask := w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	s0, s1, s2 := w.sum(), w.sum(), w.sum()
	slope, keep, position, next := w.scalar(), w.scalar(), w.scalar(), w.scalar()
	for variant := range 4 {
		w.variant()
		d := w.loadPair(y).each(func(y value) value { return w.sub(y, mean) })
		z := d.each(func(d value) value { return w.add(w.mul(d, scale), beta) })
		at := w.passesPair(index, position, next)
		v := w.mul(w.load(qa), w.leaky(w.chosen(at, z), slope))
		if variant&withMask != 0 {
			v = w.mul(v, w.kept(mask, keep))
		}
		q := w.through(at, v)
		if variant&withQZOfPair != 0 {
			w.store(qz, q[0])
			w.storeRight(qz, q[1])
		}
		for n, q := range q {
			w.accumulate("VADDPS", s0, q)
			w.accumulate("VADDPS", s1, w.mul(q, d[n]))
			w.accumulate("VADDPS", s2, w.mul(q, w.mul(d[n], d[n])))
		}
	}
	return w
}

func hesScaleBackward() *walk {
	w := newWalk("hesScaleBackward")
	curvatures, y := w.floats(), w.floats()
	mean, p0, p2, r0, r1, r2 := w.channel(), w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	w.variant()
	d := w.sub(w.load(y), mean)
	square := w.mul(d, d)
	v := w.add(w.mul(w.load(curvatures), w.add(p0, w.mul(p2, square))), r0)
	v = w.add(v, w.add(w.mul(r1, d), w.mul(r2, square)))
	w.store(curvatures, w.andNot(v, w.less(v, w.literal(zero))))
	return w
}

func tangentStats() *walk {
	w := newWalk("tangentStats")
	y, yDot := w.floats(), w.floats()
	mean := w.channel()
	sum, moment := w.sum(), w.sum()
	w.variant()
	dot := w.load(yDot)
	w.accumulate("VADDPS", sum, dot)
	w.accumulate("VADDPS", moment, w.mul(w.sub(w.load(y), mean), dot))
	return w
}

// tangentForward and tangentPoolForward differ in where y and yDot come from.
func tangentForward() *walk {
	w := newWalk("tangentForward")
	y, yDot, aDot, mask := w.floats(), w.floats(), w.floats(), w.bytesStream()
	activated := w.tangentActivated(aDot, mask)
	for variant := range masked {
		w.variant()
		activated(variant == 1, w.load(y), w.load(yDot))
	}
	return w
}

func tangentPoolForward() *walk {
	w := newWalk("tangentPoolForward")
	upper, lower, upperDot, lowerDot, aDot, index, mask := w.floats(), w.floats(), w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	activated := w.tangentActivated(aDot, mask)
	for variant := range masked {
		w.variant()
		right, down := w.places(index)
		y := w.winner(right, down, w.load(upper), w.loadRight(upper), w.load(lower), w.loadRight(lower))
		yDot := w.winner(right, down, w.load(upperDot), w.loadRight(upperDot), w.load(lowerDot), w.loadRight(lowerDot))
		activated(variant == 1, y, yDot)
	}
	return w
}

func (w *walk) tangentActivated(aDot, mask stream) func(masked bool, y, yDot value) {
	mean, scale, beta, meanDot, scaleDot, betaDot := w.channel(), w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	slope, keep := w.scalar(), w.scalar()
	return func(masked bool, y, yDot value) {
		d := w.sub(y, mean)
		z := w.add(w.mul(d, scale), beta)
		v := w.add(w.add(w.mul(w.sub(yDot, meanDot), scale), w.mul(d, scaleDot)), betaDot)
		v = w.mul(v, w.leaky(z, slope))
		if masked {
			v = w.mul(v, w.kept(mask, keep))
		}
		w.store(aDot, v)
	}
}

// tangentGradient is dz and dzDot of a row.
func (w *walk) tangentGradient(variant int, z value, da, daDot, index, mask stream, slope, keep, position value) (dz, dzDot value) {
	factor := w.leaky(z, slope)
	if variant&withMask != 0 {
		factor = w.mul(factor, w.kept(mask, keep))
	}
	dz, dzDot = w.mul(w.load(da), factor), w.mul(w.load(daDot), factor)
	if variant&withIndex != 0 {
		passes := w.passes(index, position)
		dz, dzDot = w.and(dz, passes), w.and(dzDot, passes)
	}
	return dz, dzDot
}

func tangentReduce() *walk {
	w := newWalk("tangentReduce")
	y, yDot, da, daDot, index, mask := w.floats(), w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta, meanDot := w.channel(), w.channel(), w.channel(), w.channel()
	sum, moment := w.sum(), w.sum()
	slope, keep, position := w.scalar(), w.scalar(), w.scalar()
	for variant := range 4 {
		w.variant()
		d, dDot := w.sub(w.load(y), mean), w.sub(w.load(yDot), meanDot)
		z := w.add(w.mul(d, scale), beta)
		dz, dzDot := w.tangentGradient(variant, z, da, daDot, index, mask, slope, keep, position)
		w.accumulate("VADDPS", sum, dzDot)
		w.accumulate("VADDPS", moment, w.add(w.mul(dzDot, d), w.mul(dz, dDot)))
	}
	return w
}

// tangentPair has the operands of the way back for a pair.
type tangentPair struct {
	y, yDot, da, daDot, index, mask stream
	mean, scale, beta, meanDot      value
	slope, keep, position, next     value
}

// gradients is d, dDot, dz and dzDot of a row.
func (t *tangentPair) gradients(w *walk, masked bool) (d, dDot, dz, dzDot pair) {
	d = w.loadPair(t.y).each(func(y value) value { return w.sub(y, t.mean) })
	z := d.each(func(d value) value { return w.add(w.mul(d, t.scale), t.beta) })
	at := w.passesPair(t.index, t.position, t.next)
	factor := w.leaky(w.chosen(at, z), t.slope)
	if masked {
		factor = w.mul(factor, w.kept(t.mask, t.keep))
	}
	dz, dzDot = w.through(at, w.mul(w.load(t.da), factor)), w.through(at, w.mul(w.load(t.daDot), factor))
	dDot = w.loadPair(t.yDot).each(func(yDot value) value { return w.sub(yDot, t.meanDot) })
	return d, dDot, dz, dzDot
}

func tangentReducePair() *walk {
	w := newWalk("tangentReducePair")
	y, yDot, da, daDot, index, mask := w.floats(), w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta, meanDot := w.channel(), w.channel(), w.channel(), w.channel()
	sum, moment := w.sum(), w.sum()
	slope, keep, position, next := w.scalar(), w.scalar(), w.scalar(), w.scalar()
	t := tangentPair{y, yDot, da, daDot, index, mask, mean, scale, beta, meanDot, slope, keep, position, next}
	for variant := range masked {
		w.variant()
		d, dDot, dz, dzDot := t.gradients(w, variant == 1)
		for n := range dz {
			w.accumulate("VADDPS", sum, dzDot[n])
			w.accumulate("VADDPS", moment, w.add(w.mul(dzDot[n], d[n]), w.mul(dz[n], dDot[n])))
		}
	}
	return w
}

func tangentBackward() *walk {
	w := newWalk("tangentBackward")
	y, yDot, da, daDot, dyDot, index, mask := w.floats(), w.floats(), w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta, meanDot, scaleDot := w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	c1, c1Dot, c0Dot := w.channel(), w.channel(), w.channel()
	slope, keep, position := w.scalar(), w.scalar(), w.scalar()
	for variant := range 4 {
		w.variant()
		d, dDot := w.sub(w.load(y), mean), w.sub(w.load(yDot), meanDot)
		z := w.add(w.mul(d, scale), beta)
		dz, dzDot := w.tangentGradient(variant, z, da, daDot, index, mask, slope, keep, position)
		v := w.add(w.add(w.mul(dz, scaleDot), w.mul(dzDot, scale)), w.mul(d, c1Dot))
		w.store(dyDot, w.add(w.add(v, w.mul(dDot, c1)), c0Dot))
	}
	return w
}

func tangentBackwardPair() *walk {
	w := newWalk("tangentBackwardPair")
	y, yDot, da, daDot, dyDot, index, mask := w.floats(), w.floats(), w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream()
	mean, scale, beta, meanDot, scaleDot := w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	c1, c1Dot, c0Dot := w.channel(), w.channel(), w.channel()
	slope, keep, position, next := w.scalar(), w.scalar(), w.scalar(), w.scalar()
	t := tangentPair{y, yDot, da, daDot, index, mask, mean, scale, beta, meanDot, slope, keep, position, next}
	for variant := range masked {
		w.variant()
		d, dDot, dz, dzDot := t.gradients(w, variant == 1)
		var out pair
		for n := range out {
			v := w.add(w.add(w.mul(dz[n], scaleDot), w.mul(dzDot[n], scale)), w.mul(d[n], c1Dot))
			out[n] = w.add(w.add(v, w.mul(dDot[n], c1)), c0Dot)
		}
		w.store(dyDot, out[0])
		w.storeRight(dyDot, out[1])
	}
	return w
}
