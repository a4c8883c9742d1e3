package main

// The bodies of columns.go of package kernels that sum in double precision. A walk
// goes down the rows of one warp of the CUDA block; the rest of those kernels are
// walks of epilogue.go.

// withMoment is a bit of columnsReduce's variants, beside withMask.
const withMoment = 2

func columnsSum() *walk {
	w := newWalk("columnsSum")
	y := w.floats()
	sum := w.total()
	w.variant()
	w.addTo(sum, w.wide(w.load(y)))
	return w
}

func columnsSquares() *walk {
	w := newWalk("columnsSquares")
	y := w.floats()
	mean := w.wideChannel()
	squares := w.total()
	w.variant()
	d := w.wide(w.load(y))
	for half, v := range d {
		d[half] = w.op("VSUBPD", "", v, mean[half])
	}
	w.addTo(squares, w.product(d, d))
	return w
}

// columnsReduce leaves out the moment where nothing wants it.
func columnsReduce() *walk {
	w := newWalk("columnsReduce")
	y, da, mask := w.floats(), w.floats(), w.bytesStream()
	mean, scale, beta := w.channel(), w.channel(), w.channel()
	sum, moment := w.total(), w.total()
	slope, keep := w.scalar(), w.scalar()
	for variant := range 4 {
		w.variant()
		dz, d := w.gradient(w.load(y), w.load(da), w.keptIf(variant&withMask != 0, mask, keep), mean, scale, beta, slope)
		v := w.wide(dz)
		w.addTo(sum, v)
		if variant&withMoment != 0 {
			w.addTo(moment, w.product(v, w.wide(d)))
		}
	}
	return w
}
