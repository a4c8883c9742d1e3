package ptx

import (
	"math"
	"math/bits"
	"unsafe"
)

// operation executes an instruction for the lanes of w.mask.
type operation = func(w *warp, in *instruction)

// word is what a register holds: uint32 for types up to 32 bits (zero-extended), uint64 for those of 64.
type word interface{ uint32 | uint64 }

// registers gives a register of the file that T belongs to.
func registers[T word](w *warp, index int32) *[lanes]T {
	if unsafe.Sizeof(T(0)) == 4 {
		return (*[lanes]T)(unsafe.Pointer(&w.words[index]))
	}
	return (*[lanes]T)(unsafe.Pointer(&w.longs[index]))
}

// A lane-wise operation computes all lanes, which is faster than a loop over a mask: into the destination of a full warp,
// else into a scratch register, of which merge then keeps the lanes of w.mask.

func target[T word](w *warp, in *instruction) *[lanes]T {
	if w.mask == allLanes {
		return registers[T](w, in.dst)
	}
	return (*[lanes]T)(unsafe.Pointer(&w.scratch))
}

func merge[T word](w *warp, in *instruction, from *[lanes]T) {
	if w.mask == allLanes {
		return
	}
	d := registers[T](w, in.dst)
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = from[lane]
	}
}

func ofOne[D, A word](f func(A) D) operation {
	return func(w *warp, in *instruction) {
		d, a := target[D](w, in), registers[A](w, in.a)
		for lane := range d {
			d[lane] = f(a[lane])
		}
		merge(w, in, d)
	}
}

func ofTwo[D, A, B word](f func(A, B) D) operation {
	return func(w *warp, in *instruction) {
		d, a, b := target[D](w, in), registers[A](w, in.a), registers[B](w, in.b)
		for lane := range d {
			d[lane] = f(a[lane], b[lane])
		}
		merge(w, in, d)
	}
}

func ofThree[D, A, B, C word](f func(A, B, C) D) operation {
	return func(w *warp, in *instruction) {
		d, a, b, c := target[D](w, in), registers[A](w, in.a), registers[B](w, in.b), registers[C](w, in.c)
		for lane := range d {
			d[lane] = f(a[lane], b[lane], c[lane])
		}
		merge(w, in, d)
	}
}

func unaryFloat32(f func(float32) float32) operation {
	return ofOne(func(a uint32) uint32 { return math.Float32bits(f(math.Float32frombits(a))) })
}

func binaryFloat32(f func(a, b float32) float32) operation {
	return ofTwo(func(a, b uint32) uint32 {
		return math.Float32bits(f(math.Float32frombits(a), math.Float32frombits(b)))
	})
}

func unaryFloat64(f func(float64) float64) operation {
	return ofOne(func(a uint64) uint64 { return math.Float64bits(f(math.Float64frombits(a))) })
}

func binaryFloat64(f func(a, b float64) float64) operation {
	return ofTwo(func(a, b uint64) uint64 {
		return math.Float64bits(f(math.Float64frombits(a), math.Float64frombits(b)))
	})
}

// setPredicate makes an operation of one that gives a mask: it sets the destination's bits for the lanes of w.mask.
func setPredicate(f func(w *warp, in *instruction) uint32) operation {
	return func(w *warp, in *instruction) {
		result := f(w, in)
		w.predicates[in.dst] = w.predicates[in.dst]&^w.mask | result&w.mask
	}
}

// compare makes the operation that sets a predicate where f holds.
func compare[A word](f func(a, b A) bool) operation {
	return setPredicate(func(w *warp, in *instruction) (result uint32) {
		a, b := registers[A](w, in.a), registers[A](w, in.b)
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			if f(a[lane], b[lane]) {
				result |= 1 << lane
			}
		}
		return result
	})
}

func moveLanes[T word](w *warp, in *instruction) {
	d := target[T](w, in)
	*d = *registers[T](w, in.a)
	merge(w, in, d)
}

func selectLanes[T word](w *warp, in *instruction) {
	d, a, b, chosen := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b), w.predicates[in.c]
	for lane := range d {
		v := b[lane]
		if chosen>>lane&1 == 1 {
			v = a[lane]
		}
		d[lane] = v
	}
	merge(w, in, d)
}

// The operations that kernels spend their time in, written out: loops with no call in them.

func addFloat32(w *warp, in *instruction) {
	d, a, b := target[uint32](w, in), &w.words[in.a], &w.words[in.b]
	for lane := range d {
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) + math.Float32frombits(b[lane])))
	}
	merge(w, in, d)
}

func subFloat32(w *warp, in *instruction) {
	d, a, b := target[uint32](w, in), &w.words[in.a], &w.words[in.b]
	for lane := range d {
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) - math.Float32frombits(b[lane])))
	}
	merge(w, in, d)
}

func mulFloat32(w *warp, in *instruction) {
	d, a, b := target[uint32](w, in), &w.words[in.a], &w.words[in.b]
	for lane := range d {
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) * math.Float32frombits(b[lane])))
	}
	merge(w, in, d)
}

func fmaFloat32(w *warp, in *instruction) {
	d, a, b, c := target[uint32](w, in), &w.words[in.a], &w.words[in.b], &w.words[in.c]
	for lane := range d {
		product := float64(math.Float32frombits(a[lane])) * float64(math.Float32frombits(b[lane]))
		addend := float64(math.Float32frombits(c[lane]))
		sum := product + addend
		result := float32(sum)
		if delicate(sum) {
			result = fmaSlow(product, addend, nearest)
		}
		d[lane] = math.Float32bits(result)
	}
	merge(w, in, d)
}

func addLanes[T word](w *warp, in *instruction) {
	d, a, b := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b)
	for lane := range d {
		d[lane] = a[lane] + b[lane]
	}
	merge(w, in, d)
}

func subLanes[T word](w *warp, in *instruction) {
	d, a, b := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b)
	for lane := range d {
		d[lane] = a[lane] - b[lane]
	}
	merge(w, in, d)
}

func mulLanes[T word](w *warp, in *instruction) {
	d, a, b := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b)
	for lane := range d {
		d[lane] = a[lane] * b[lane]
	}
	merge(w, in, d)
}

func madLanes[T word](w *warp, in *instruction) {
	d, a, b, c := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b), registers[T](w, in.c)
	for lane := range d {
		d[lane] = a[lane]*b[lane] + c[lane]
	}
	merge(w, in, d)
}

func andLanes[T word](w *warp, in *instruction) {
	d, a, b := target[T](w, in), registers[T](w, in.a), registers[T](w, in.b)
	for lane := range d {
		d[lane] = a[lane] & b[lane]
	}
	merge(w, in, d)
}

func shiftLeft[T word](w *warp, in *instruction) {
	d, a, b := target[T](w, in), registers[T](w, in.a), &w.words[in.b]
	for lane := range d {
		d[lane] = a[lane] << b[lane]
	}
	merge(w, in, d)
}

func mulWideUnsigned(w *warp, in *instruction) {
	d, a, b := target[uint64](w, in), &w.words[in.a], &w.words[in.b]
	for lane := range d {
		d[lane] = uint64(a[lane]) * uint64(b[lane])
	}
	merge(w, in, d)
}

func mulWideSigned(w *warp, in *instruction) {
	d, a, b := target[uint64](w, in), &w.words[in.a], &w.words[in.b]
	for lane := range d {
		d[lane] = uint64(int64(int32(a[lane])) * int64(int32(b[lane])))
	}
	merge(w, in, d)
}
