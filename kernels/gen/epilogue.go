package main

// The bodies of epilogue.go, epilogue_pool.go and batchnorm.go of package kernels.

// The bits of float32 1 and 0.
const one, zero = 0x3f800000, 0

// leaky is the derivative of LeakyReLU at z.
func (w *walk) leaky(z, slope value) value {
	return w.choose(w.less(w.literal(zero), z), w.literal(one), slope)
}

// kept is keep where the lowest bit of a mask's byte is set, else 0.
func (w *walk) kept(mask stream, keep value) value {
	return w.and(w.shiftRight(w.shiftLeft(w.load(mask), 31), 31), keep)
}

// keptIf is kept, or none without a mask.
func (w *walk) keptIf(masked bool, mask stream, keep value) value {
	if !masked {
		return none
	}
	return w.kept(mask, keep)
}

// Without a mask there is variant 0, with one variant 1.
const masked = 2

func batchNormStats() *walk {
	w := newWalk("batchNormStats")
	y := w.floats()
	shift := w.channel()
	sum, squares := w.sum(), w.sum()
	w.variant()
	d := w.sub(w.load(y), shift)
	w.accumulate("VADDPS", sum, d)
	w.accumulate("VADDPS", squares, w.mul(d, d))
	return w
}

func epilogueForward() *walk {
	w := newWalk("epilogueForward")
	y, a, mask := w.floats(), w.floats(), w.bytesStream()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	slope, keep := w.scalar(), w.scalar()
	for variant := range masked {
		w.variant()
		z := w.add(w.mul(w.sub(w.load(y), mean), scale), beta)
		v := w.mul(z, w.leaky(z, slope))
		if variant == 1 {
			v = w.mul(v, w.kept(mask, keep))
		}
		w.store(a, v)
	}
	return w
}

// gradient is dz of a row, and d = y - mean.
func (w *walk) gradient(y, da, kept, mean, scale, beta, slope value) (dz, d value) {
	d = w.sub(y, mean)
	leaky := w.leaky(w.add(w.mul(d, scale), beta), slope)
	if kept != none {
		da = w.mul(da, kept)
	}
	return w.mul(da, leaky), d
}

func epilogueReduce() *walk {
	w := newWalk("epilogueReduce")
	y, da, mask := w.floats(), w.floats(), w.bytesStream()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	sum, moment := w.sum(), w.sum()
	slope, keep := w.scalar(), w.scalar()
	for variant := range masked {
		w.variant()
		dz, d := w.gradient(w.load(y), w.load(da), w.keptIf(variant == 1, mask, keep), mean, scale, beta, slope)
		w.accumulate("VADDPS", sum, dz)
		w.accumulate("VADDPS", moment, w.mul(dz, d))
	}
	return w
}

func epilogueBackward() *walk {
	w := newWalk("epilogueBackward")
	y, da, mask, dy := w.floats(), w.floats(), w.bytesStream(), w.floats()
	mean, scale, beta, dSlope, dOffset := w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	slope, keep := w.scalar(), w.scalar()
	for variant := range masked {
		w.variant()
		dz, d := w.gradient(w.load(y), w.load(da), w.keptIf(variant == 1, mask, keep), mean, scale, beta, slope)
		w.store(dy, w.add(w.add(w.mul(dz, scale), w.mul(d, dSlope)), dOffset))
	}
	return w
}

// A pooled row is made of two rows of y, upper and lower, of which the walk sees
// the left pixel, and the right one through its distance.

func epiloguePoolForward() *walk {
	w := newWalk("epiloguePoolForward")
	upper, lower, a, index, mask, winner := w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream(), w.floats()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	slope, keep := w.scalar(), w.scalar()
	for variant := range 4 {
		w.variant()
		activated := func(y value) value {
			z := w.add(w.mul(w.sub(y, mean), scale), beta)
			return w.mul(z, w.leaky(z, slope))
		}
		won := w.load(upper)
		best, chosen := activated(won), w.literal(0)
		rival := func(place uint32, y value) {
			v := activated(y)
			take := w.less(best, v)
			best = w.choose(take, v, best)
			if variant&withIndex != 0 {
				won = w.choose(take, y, won)
				chosen = w.choose(take, w.literal(place), chosen)
			}
		}
		rival(1, w.loadRight(upper))
		rival(2, w.load(lower))
		rival(3, w.loadRight(lower))
		if variant&withMask != 0 {
			best = w.mul(best, w.kept(mask, keep))
		}
		w.store(a, best)
		if variant&withIndex != 0 {
			w.store(index, chosen)
			w.store(winner, won)
		}
	}
	return w
}

// winner chooses among the pixels of a window by the bits of index, which right and
// down are moved to the sign of.
func (w *walk) winner(right, down, p0, p1, p2, p3 value) value {
	return w.choose(down, w.choose(right, p3, p2), w.choose(right, p1, p0))
}

// places are the two bits of an index, each as the sign of a word.
func (w *walk) places(index stream) (right, down value) {
	i := w.load(index)
	return w.shiftLeft(i, 31), w.shiftLeft(i, 30)
}

func epiloguePoolBackward() *walk {
	w := newWalk("epiloguePoolBackward")
	upper, lower, da, index, mask, dUpper, dLower := w.floats(), w.floats(), w.floats(), w.bytesStream(), w.bytesStream(), w.floats(), w.floats()
	mean, scale, beta, dSlope, dOffset := w.channel(), w.channel(), w.channel(), w.channel(), w.channel()
	slope, keep := w.scalar(), w.scalar()
	for variant := range masked {
		w.variant()
		right, down := w.places(index)
		y := []value{w.load(upper), w.loadRight(upper), w.load(lower), w.loadRight(lower)}
		dz, _ := w.gradient(w.winner(right, down, y[0], y[1], y[2], y[3]), w.load(da), w.keptIf(variant == 1, mask, keep), mean, scale, beta, slope)
		share := w.mul(dz, scale)
		// The last pixel first: one that is missing repeats one before it, which
		// may be the winner.
		stores := []func(v value){
			func(v value) { w.store(dUpper, v) }, func(v value) { w.storeRight(dUpper, v) },
			func(v value) { w.store(dLower, v) }, func(v value) { w.storeRight(dLower, v) },
		}
		for _, n := range []int{3, 2, 1, 0} {
			x := w.mul(w.sub(y[n], mean), dSlope)
			won := w.add(share, x)
			// Where the index is n, won, else x.
			yes, no := won, x
			if n&1 == 0 {
				yes, no = x, won
			}
			v := w.choose(right, yes, no)
			if n&2 == 0 {
				v = w.choose(down, x, v)
			} else {
				v = w.choose(down, v, x)
			}
			stores[n](w.add(v, dOffset))
		}
	}
	return w
}
