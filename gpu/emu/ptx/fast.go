package ptx

import (
	"math"
	"math/bits"
)

// The operations that kernels spend their time in, written out: loops with no call in them.

func addFloat32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) + math.Float32frombits(b[lane])))
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) + math.Float32frombits(b[lane])))
	}
}

func subFloat32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) - math.Float32frombits(b[lane])))
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) - math.Float32frombits(b[lane])))
	}
}

func mulFloat32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) * math.Float32frombits(b[lane])))
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = math.Float32bits(canonical(math.Float32frombits(a[lane]) * math.Float32frombits(b[lane])))
	}
}

func fmaFloat32(w *warp, in *instruction) {
	d, a, b, c := &w.words[in.dst], &w.words[in.a], &w.words[in.b], &w.words[in.c]
	if w.mask == allLanes {
		for lane := range d { // fma32 by hand: the compiler does not inline it
			product := float64(math.Float32frombits(a[lane])) * float64(math.Float32frombits(b[lane]))
			addend := float64(math.Float32frombits(c[lane]))
			sum := product + addend
			result := float32(sum)
			if delicate(sum) {
				result = fmaSlow(product, addend, nearest)
			}
			d[lane] = math.Float32bits(result)
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = math.Float32bits(fma32(math.Float32frombits(a[lane]), math.Float32frombits(b[lane]), math.Float32frombits(c[lane])))
	}
}

func addInteger32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane] + b[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane] + b[lane]
	}
}

func addInteger64(w *warp, in *instruction) {
	d, a, b := &w.longs[in.dst], &w.longs[in.a], &w.longs[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane] + b[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane] + b[lane]
	}
}

func mulInteger32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane] * b[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane] * b[lane]
	}
}

func madInteger32(w *warp, in *instruction) {
	d, a, b, c := &w.words[in.dst], &w.words[in.a], &w.words[in.b], &w.words[in.c]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane]*b[lane] + c[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane]*b[lane] + c[lane]
	}
}

func mulWideUnsigned(w *warp, in *instruction) {
	d, a, b := &w.longs[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = uint64(a[lane]) * uint64(b[lane])
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = uint64(a[lane]) * uint64(b[lane])
	}
}

func mulWideSigned(w *warp, in *instruction) {
	d, a, b := &w.longs[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = uint64(int64(int32(a[lane])) * int64(int32(b[lane])))
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = uint64(int64(int32(a[lane])) * int64(int32(b[lane])))
	}
}

func andInteger32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane] & b[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane] & b[lane]
	}
}

func shiftLeft32(w *warp, in *instruction) {
	d, a, b := &w.words[in.dst], &w.words[in.a], &w.words[in.b]
	if w.mask == allLanes {
		for lane := range d {
			d[lane] = a[lane] << b[lane]
		}
		return
	}
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		d[lane] = a[lane] << b[lane]
	}
}
