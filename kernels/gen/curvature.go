package main

// The bodies of recursion.go, tangent.go and tangent_backward.go of package kernels.

// The bits of a variant of these bodies.
const (
	withMask  = 1
	withIndex = 2
	withQZ    = 4
)

// passes is all ones where a byte of index is the position, which is a scalar.
func (w *walk) passes(index stream, position value) value { return w.equal(w.load(index), position) }

func recursionSlope() *walk {
	w := newWalk("recursionSlope")
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

func recursionBackward() *walk {
	w := newWalk("recursionBackward")
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
