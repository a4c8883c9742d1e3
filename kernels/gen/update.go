package main

import "math"

// The bodies of the optimizers' updates, of gather.go and of dropout.go.

func adamUpdate() *walk {
	w := newWalk("adamUpdate")
	weights, gradients, first, second := w.floats(), w.floats(), w.floats(), w.floats()
	rate, alpha, oneMinusBeta1, oneMinusBeta2, epsilon, decay := w.scalar(), w.scalar(), w.scalar(), w.scalar(), w.scalar(), w.scalar()
	w.variant()
	g, m, v, x := w.load(gradients), w.load(first), w.load(second), w.load(weights)
	m = w.add(m, w.mul(w.sub(g, m), oneMinusBeta1))
	v = w.add(v, w.mul(w.sub(w.mul(g, g), v), oneMinusBeta2))
	w.store(first, m)
	w.store(second, v)
	x = w.sub(x, w.mul(w.mul(x, decay), rate))
	w.store(weights, w.sub(x, w.div(w.mul(m, alpha), w.add(w.sqrt(v), epsilon))))
	return w
}

// curvature is n = c2 g^2 + c1 h, 0 where that is not finite. It is never -0, for c2
// is not negative: so without h there is nothing to add.
func (w *walk) curvature(g, h, c1, c2 value) value {
	n := w.mul(c2, w.mul(g, g))
	if h != none {
		n = w.add(n, w.mul(c1, h))
	}
	infinity := w.literal(math.Float32bits(float32(math.Inf(1))))
	return w.andNot(n, w.equal(w.and(n, infinity), infinity))
}

// diagHessUpdate has h in variant 1.
func diagHessUpdate() *walk {
	w := newWalk("diagHessUpdate")
	weights, gradients, curvatures, first, second := w.floats(), w.floats(), w.floats(), w.floats(), w.floats()
	alpha, beta, c1, c2, lambda := w.scalar(), w.scalar(), w.scalar(), w.scalar(), w.scalar()
	beta1, oneMinusBeta1, beta2, oneMinusBeta2, epsilon := w.scalar(), w.scalar(), w.scalar(), w.scalar(), w.scalar()
	for variant := range 2 {
		w.variant()
		h := none
		if variant == 1 {
			h = w.load(curvatures)
		}
		g := w.load(gradients)
		n := w.curvature(g, h, c1, c2)
		d := w.div(w.mul(g, c1), w.add(n, lambda))
		m := w.add(w.mul(w.load(first), beta1), w.mul(d, oneMinusBeta1))
		v := w.add(w.mul(w.load(second), beta2), w.mul(w.mul(n, n), oneMinusBeta2))
		w.store(first, m)
		w.store(second, v)
		w.store(weights, w.sub(w.load(weights), w.div(w.mul(m, alpha), w.add(w.mul(w.sqrt(v), beta), epsilon))))
	}
	return w
}

// A minimum has no order but among zeros of both signs, and n is never -0.
func diagHessMinimum() *walk {
	w := newWalk("diagHessMinimum")
	gradients, curvatures := w.floats(), w.floats()
	least := w.sum()
	c1, c2 := w.scalar(), w.scalar()
	w.variant()
	w.accumulate("VMINPS", least, w.curvature(w.load(gradients), w.load(curvatures), c1, c2))
	return w
}

func scaleBytes() *walk {
	w := newWalk("scaleBytes")
	from, to := w.bytesStream(), w.floats()
	divisor := w.scalar()
	w.variant()
	w.store(to, w.div(w.op("VCVTDQ2PS", "", w.load(from)), divisor))
	return w
}

// Philox4x32-10, see philox.go of package kernels.
const (
	philoxRounds                                = 10
	philoxMultiplier0, philoxMultiplier1        = 0xD2511F53, 0xCD9E8D57
	philoxCountersOfRow                         = 8
	signBit                              uint32 = 1 << 31
)

// dropoutMask draws the words of eight counters a row, those of the even counters
// in a, of the odd ones in b, and writes a byte for each. A word is the lower half of
// a 64-bit lane, where a multiplication finds it and leaves it; nothing reads what is
// in the upper half. The scalars are ten pairs of keys, step, stream and the largest
// upper 24 bits of a word that are dropped, less 2^23, for words are compared as
// signed numbers.
func dropoutMask() *walk {
	w := newWalk("dropoutMask")
	out := w.floats() // 32 bytes a row
	counters := w.sum()
	var keys [philoxRounds][2]value
	for round := range keys {
		keys[round] = [2]value{w.scalar(), w.scalar()}
	}
	step, stream, lastDropped := w.scalar(), w.scalar(), w.scalar()
	multiplier0, multiplier1 := w.literal(philoxMultiplier0), w.literal(philoxMultiplier1)
	w.variant()
	upper := func(v value) value { return w.op("VPSHUFD", "$0xb1", v) } // the upper half of a lane in the lower
	draw := func(x0 value) (words [4]value) {
		x1, x2, x3 := none, step, stream
		for _, key := range keys {
			product0, product1 := w.op("VPMULUDQ", "", x0, multiplier0), w.op("VPMULUDQ", "", x2, multiplier1)
			x0 = upper(product1)
			if x1 != none { // 0 in the first round
				x0 = w.xor(x0, x1)
			}
			x0 = w.xor(x0, key[0])
			x2 = w.xor(w.xor(upper(product0), x3), key[1])
			x1, x3 = product1, product0
		}
		return [4]value{x0, x1, x2, x3}
	}
	a := draw(w.op("VPADDD", "", counters, w.literal(0)))
	b := draw(w.op("VPADDD", "", counters, w.literal(1)))
	kept := none
	for n := range a {
		words := w.op("VPBLENDD", "$0xaa", a[n], w.shiftLeft64(b[n], 32))
		signed := w.shiftRight(w.xor(words, w.literal(signBit)), 8)
		v := w.and(w.op("VPCMPGTD", "", signed, lastDropped), w.literal(1<<(8*n)))
		if n > 0 {
			v = w.or(kept, v)
		}
		kept = v
	}
	w.store(out, kept)
	w.accumulate("VPADDD", counters, w.literal(philoxCountersOfRow))
	return w
}
