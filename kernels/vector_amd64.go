//go:build goexperiment.simd

package kernels

import (
	"math"
	"simd/archsimd"
	"unsafe"
)

// A kernel's vector method does the first whole vectors of its Go body's
// channels or elements with AVX2, and returns how many those are; the body's
// scalar loop does the rest. Both are the same operations in the same order,
// each rounded on its own, a lane an element: their bits are equal, infinities
// and denormals included. A result that is not a number is not one in both, but
// which of two NaNs it inherits is the compiler's choice.
//
// What the compiler asks for:
//   - it moves nothing out of loops, so constants are made before them, and has
//     15 registers, so not many;
//   - it never clears the upper halves of the registers, without which scalar
//     code is several times slower: each method ends with ClearAVXUpperBits;
//   - scalar float32 (a spilled one, too) is SSE code, which is slower still
//     while the upper halves are in use: a loop holds vectors and integers only.

// lanes is the number of float32 in a vector.
const lanes = 8

// hasAVX2 changes in tests only.
var hasAVX2 = archsimd.X86.AVX2()

// whole returns how many of n elements are in whole groups of a size, 0 where the
// processor has no AVX2.
func whole(n, size int) int {
	if !hasAVX2 {
		return 0
	}
	return n / size * size
}

// load and store do not check i: their callers cut the slices to the length
// that they walk.
func load(s []float32, i int) archsimd.Float32x8 {
	return archsimd.LoadFloat32x8((*[lanes]float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*i)))
}

func store(v archsimd.Float32x8, s []float32, i int) {
	v.Store((*[lanes]float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*i)))
}

// loadBytes widens eight bytes.
func loadBytes(s []uint8, i int) archsimd.Int32x8 {
	var bytes archsimd.Uint64x2
	bytes = bytes.SetElem(0, *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i)))
	return bytes.AsUint8x16().ExtendLo8ToUint32().AsInt32x8()
}

func (k *AdamUpdate) vector(w, g, m, v []float32, coefficients [CoefficientWords]float32) int {
	done := whole(len(w), lanes)
	if done == 0 {
		return 0
	}
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	rate, alpha := archsimd.BroadcastFloat32x8(coefficients[0]), archsimd.BroadcastFloat32x8(coefficients[1])
	oneMinusBeta1, oneMinusBeta2 := archsimd.BroadcastFloat32x8(k.OneMinusBeta1), archsimd.BroadcastFloat32x8(k.OneMinusBeta2)
	epsilon, decay := archsimd.BroadcastFloat32x8(k.Epsilon), archsimd.BroadcastFloat32x8(k.WeightDecay)
	for i := 0; i < done; i += lanes {
		gi, mi, vi, wi := load(g, i), load(m, i), load(v, i), load(w, i)
		mi = mi.Add(gi.Sub(mi).Mul(oneMinusBeta1))
		vi = vi.Add(gi.Mul(gi).Sub(vi).Mul(oneMinusBeta2))
		store(mi, m, i)
		store(vi, v, i)
		wi = wi.Sub(wi.Mul(decay).Mul(rate))
		store(wi.Sub(mi.Mul(alpha).Div(vi.Sqrt().Add(epsilon))), w, i)
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *DiagHessUpdate) vector(w, g, h, m, v []float32, lam float32, coefficients [CoefficientWords]float32) int {
	done := whole(len(w), lanes)
	if done == 0 {
		return 0
	}
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	if h != nil {
		h = h[:len(w)]
	}
	alpha, beta := archsimd.BroadcastFloat32x8(coefficients[0]), archsimd.BroadcastFloat32x8(coefficients[1])
	c1, c2, infinity := archsimd.BroadcastFloat32x8(k.C1), archsimd.BroadcastFloat32x8(k.C2), archsimd.BroadcastInt32x8(infinityBits)
	beta1, oneMinusBeta1 := archsimd.BroadcastFloat32x8(k.Beta1), archsimd.BroadcastFloat32x8(k.OneMinusBeta1)
	beta2, oneMinusBeta2 := archsimd.BroadcastFloat32x8(k.Beta2), archsimd.BroadcastFloat32x8(k.OneMinusBeta2)
	lambda, epsilon := archsimd.BroadcastFloat32x8(lam), archsimd.BroadcastFloat32x8(k.Epsilon)
	for i := 0; i < done; i += lanes {
		var hi archsimd.Float32x8
		if h != nil {
			hi = load(h, i)
		}
		gi := load(g, i)
		n := curvatures(gi, hi, c1, c2, infinity)
		d := gi.Mul(c1).Div(n.Add(lambda))
		mi := beta1.Mul(load(m, i)).Add(oneMinusBeta1.Mul(d))
		vi := beta2.Mul(load(v, i)).Add(oneMinusBeta2.Mul(n.Mul(n)))
		store(mi, m, i)
		store(vi, v, i)
		store(load(w, i).Sub(alpha.Mul(mi).Div(beta.Mul(vi.Sqrt()).Add(epsilon))), w, i)
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// vector also returns the minimum so far. A minimum takes no order but among
// zeros of both signs, and n is never -0: C2 g^2 is not, for C2 is not negative.
func (k *DiagHessMinimum) vector(g, h []float32) (done int, least float32) {
	least = float32(math.Inf(1))
	done = whole(len(g), lanes)
	if done == 0 {
		return 0, least
	}
	h = h[:len(g)]
	c1, c2, infinity := archsimd.BroadcastFloat32x8(k.C1), archsimd.BroadcastFloat32x8(k.C2), archsimd.BroadcastInt32x8(infinityBits)
	leasts := archsimd.BroadcastFloat32x8(least)
	for i := 0; i < done; i += lanes {
		leasts = leasts.Min(curvatures(load(g, i), load(h, i), c1, c2, infinity))
	}
	var values [lanes]float32
	leasts.Store(&values)
	archsimd.ClearAVXUpperBits()
	for _, v := range values[:] {
		least = min(least, v)
	}
	return done, least
}

const infinityBits = 0x7f800000

// curvatures is curvature in lanes.
func curvatures(g, h, c1, c2 archsimd.Float32x8, infinity archsimd.Int32x8) archsimd.Float32x8 {
	n := c2.Mul(g.Mul(g)).Add(c1.Mul(h)).AsInt32x8()
	return n.AndNot(n.And(infinity).Equal(infinity).ToInt32x8()).AsFloat32x8()
}

func (s *scaling) vector(from []uint8, to []float32) int {
	done := whole(len(from), lanes)
	if done == 0 {
		return 0
	}
	to = to[:len(from)]
	divisor := archsimd.BroadcastFloat32x8(s.divisor)
	for i := 0; i < done; i += lanes {
		store(loadBytes(from, i).ConvertToFloat32().Div(divisor), to, i)
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// vector draws words of eight counters at a time, those of the even counters in
// a, of the odd ones in b. A word is the lower half of a 64-bit lane, where a
// multiplication finds it and leaves it; nothing reads what is in the upper
// half.
func (k *DropoutMask) vector(out []uint8, index, stream, step, threshold uint32) int {
	const counters, words = 8, 4
	done := whole(len(out), counters*words)
	if done == 0 {
		return 0
	}
	var keys [rounds][2][lanes]uint32
	key0, key1 := archsimd.BroadcastUint32x8(uint32(k.Seed)), archsimd.BroadcastUint32x8(uint32(k.Seed>>32))
	for round := range keys {
		key0.Store(&keys[round][0])
		key1.Store(&keys[round][1])
		key0, key1 = key0.Add(archsimd.BroadcastUint32x8(weyl0)), key1.Add(archsimd.BroadcastUint32x8(weyl1))
	}
	multipliers0, multipliers1 := archsimd.BroadcastUint32x8(multiplier0), archsimd.BroadcastUint32x8(multiplier1)
	for i := 0; i < done; i += counters * words {
		var a1, b1 archsimd.Uint32x8
		a0 := archsimd.BroadcastUint32x8(index).Add(archsimd.LoadUint32x8(&evenCounters))
		b0 := a0.Add(archsimd.BroadcastUint32x8(1))
		a2, a3 := archsimd.BroadcastUint32x8(step), archsimd.BroadcastUint32x8(stream)
		b2, b3 := a2, a3
		for round := range rounds {
			key0, key1 := archsimd.LoadUint32x8(&keys[round][0]), archsimd.LoadUint32x8(&keys[round][1])
			product0, product1 := a0.MulEvenWiden(multipliers0).AsUint32x8(), a2.MulEvenWiden(multipliers1).AsUint32x8()
			a0, a1 = upper(product1).Xor(a1).Xor(key0), product1
			a2, a3 = upper(product0).Xor(a3).Xor(key1), product0
			product0, product1 = b0.MulEvenWiden(multipliers0).AsUint32x8(), b2.MulEvenWiden(multipliers1).AsUint32x8()
			b0, b1 = upper(product1).Xor(b1).Xor(key0), product1
			b2, b3 = upper(product0).Xor(b3).Xor(key1), product0
		}
		lastDropped := archsimd.BroadcastInt32x8(int32(threshold-1) - signedHalf)
		kept := keptWords(a0, b0, lastDropped).
			Or(keptWords(a1, b1, lastDropped).ShiftAllLeft(8)).
			Or(keptWords(a2, b2, lastDropped).ShiftAllLeft(16)).
			Or(keptWords(a3, b3, lastDropped).ShiftAllLeft(24))
		kept.Store((*[counters]int32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(out)), i)))
		index += counters
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// evenCounters are the even counters less the first, each in the lower half of
// its 64-bit lane. It is never written.
var evenCounters = [lanes]uint32{0, 0, 2, 0, 4, 0, 6, 0}

// upper moves the upper half of each 64-bit lane to the lower half.
func upper(v archsimd.Uint32x8) archsimd.Uint32x8 { return v.PermuteScalarsGrouped(1, 0, 3, 2) }

// signedHalf is what the upper 24 bits of a word lose when the word is taken as
// a signed number with its upper bit flipped.
const signedHalf = 1 << 23

// keptWords is atLeast of the words of even and odd counters, in their order.
// AVX2 compares signed numbers only.
func keptWords(even, odd archsimd.Uint32x8, lastDropped archsimd.Int32x8) archsimd.Int32x8 {
	words := odd.AsUint64x4().ShiftAllLeft(32).AsUint32x8()
	words = words.Or(even.And(archsimd.BroadcastUint64x4(1<<32 - 1).AsUint32x8()))
	signed := words.Xor(archsimd.BroadcastUint32x8(1 << 31)).AsInt32x8().ShiftAllRight(8)
	return signed.Greater(lastDropped).ToInt32x8().And(archsimd.BroadcastInt32x8(1))
}
