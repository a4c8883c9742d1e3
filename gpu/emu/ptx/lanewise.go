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
	var zero T
	if unsafe.Sizeof(zero) == 4 {
		return any(&w.words[index]).(*[lanes]T)
	}
	return any(&w.longs[index]).(*[lanes]T)
}

// ofOne, ofTwo and ofThree make operations of functions of one lane. A full warp, the usual case, has a loop without a mask.

func ofOne[D, A word](f func(A) D) operation {
	return func(w *warp, in *instruction) {
		d, a := registers[D](w, in.dst), registers[A](w, in.a)
		if w.mask == allLanes {
			for lane := range d {
				d[lane] = f(a[lane])
			}
			return
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			d[lane] = f(a[lane])
		}
	}
}

func ofTwo[D, A, B word](f func(A, B) D) operation {
	return func(w *warp, in *instruction) {
		d, a, b := registers[D](w, in.dst), registers[A](w, in.a), registers[B](w, in.b)
		if w.mask == allLanes {
			for lane := range d {
				d[lane] = f(a[lane], b[lane])
			}
			return
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			d[lane] = f(a[lane], b[lane])
		}
	}
}

func ofThree[D, A, B, C word](f func(A, B, C) D) operation {
	return func(w *warp, in *instruction) {
		d, a, b, c := registers[D](w, in.dst), registers[A](w, in.a), registers[B](w, in.b), registers[C](w, in.c)
		if w.mask == allLanes {
			for lane := range d {
				d[lane] = f(a[lane], b[lane], c[lane])
			}
			return
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			d[lane] = f(a[lane], b[lane], c[lane])
		}
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

func ternaryFloat32(f func(a, b, c float32) float32) operation {
	return ofThree(func(a, b, c uint32) uint32 {
		return math.Float32bits(f(math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c)))
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

// compare makes the operation that sets a predicate, in a warp's bit mask, for each lane.
func compare[A word](f func(a, b A) bool) func(w *warp, in *instruction) uint32 {
	return func(w *warp, in *instruction) uint32 {
		a, b := registers[A](w, in.a), registers[A](w, in.b)
		var result uint32
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			if f(a[lane], b[lane]) {
				result |= 1 << lane
			}
		}
		return result
	}
}
