//go:build goexperiment.simd

package kernels

import (
	"simd/archsimd"
	"unsafe"
)

// rowsPerTile returns how many rows are walked, a vector of channels after the
// other, before the next rows: enough that loading the channels' coefficients
// costs little, few enough that what the first vector's walk fetched is still in
// the first cache when the next vector needs the rest of it.
func rowsPerTile(channels int) int { return max(4, 256/channels) }

// leaky is the derivative of LeakyReLU at z.
func leaky(z, slope, one, zero archsimd.Float32x8) archsimd.Float32x8 {
	return one.Merge(slope, z.Greater(zero))
}

// kept is keep where a mask's bit is set, else 0.
func kept(mask []uint8, i int, keep archsimd.Float32x8, bit archsimd.Int32x8) archsimd.Float32x8 {
	return keep.Masked(loadBytes(mask, i).And(bit).Equal(bit))
}

func (k *BatchNormStats) vector(first, last int, sum, squares []float32) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	y := k.Y.Host()[first*channels : last*channels]
	sum, squares = sum[:channels], squares[:channels]
	step := rowsPerTile(channels) * channels
	for from := 0; from < len(y); from += step {
		to := min(from+step, len(y))
		for c := 0; c < done; c += lanes {
			shift, s, q := load(y, c), load(sum, c), load(squares, c)
			for i := from + c; i < to; i += channels {
				d := load(y, i).Sub(shift)
				s = s.Add(d)
				q = q.Add(d.Mul(d))
			}
			store(s, sum, c)
			store(q, squares, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *EpilogueForward) vector(first, last int) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, a, mask := k.Y.Host()[:n], k.A.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, s, b := load(mean, c), load(scale, c), load(beta, c)
			for i := from + c; i < to; i += channels {
				z := load(y, i).Sub(m).Mul(s).Add(b)
				v := z.Mul(leaky(z, slope, one, zero))
				if mask != nil {
					v = v.Mul(kept(mask, i, keep, bit))
				}
				store(v, a, i)
			}
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *EpilogueReduce) vector(first, last int, sum, moment []float32) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, da, mask := k.Y.Host()[:n], k.DA.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	sum, moment = sum[:channels], moment[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, s, b := load(mean, c), load(scale, c), load(beta, c)
			total, totalMoment := load(sum, c), load(moment, c)
			for i := from + c; i < to; i += channels {
				d := load(y, i).Sub(m)
				z := d.Mul(s).Add(b)
				dz := load(da, i)
				if mask != nil {
					dz = dz.Mul(kept(mask, i, keep, bit))
				}
				dz = dz.Mul(leaky(z, slope, one, zero))
				total = total.Add(dz)
				totalMoment = totalMoment.Add(dz.Mul(d))
			}
			store(total, sum, c)
			store(totalMoment, moment, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *EpilogueBackward) vector(first, last int) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, da, dy, mask := k.Y.Host()[:n], k.DA.Host()[:n], k.DY.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	dSlope, dOffset := k.DSlope.Host()[:channels], k.DOffset.Host()[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, s, b, ds, do := load(mean, c), load(scale, c), load(beta, c), load(dSlope, c), load(dOffset, c)
			for i := from + c; i < to; i += channels {
				d := load(y, i).Sub(m)
				z := d.Mul(s).Add(b)
				dz := load(da, i)
				if mask != nil {
					dz = dz.Mul(kept(mask, i, keep, bit))
				}
				dz = dz.Mul(leaky(z, slope, one, zero))
				store(dz.Mul(s).Add(d.Mul(ds)).Add(do), dy, i)
			}
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *EpiloguePoolForward) vector(first, last int) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, a, index, mask := k.Y.Host(), k.A.Host()[:n], k.Index.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one := archsimd.BroadcastFloat32x8(1)
	i1, i2, i3 := archsimd.BroadcastInt32x8(1), archsimd.BroadcastInt32x8(2), archsimd.BroadcastInt32x8(3)
	for row := first; row < last; row++ {
		p0, p1, p2, p3 := windowOf(row, int(k.Height), int(k.Width)).elements(channels)
		for c := 0; c < done; c += lanes {
			m, s, b := load(mean, c), load(scale, c), load(beta, c)
			z := load(y, p0+c).Sub(m).Mul(s).Add(b)
			best := z.Mul(leaky(z, slope, one, zero))

			z = load(y, p1+c).Sub(m).Mul(s).Add(b)
			v := z.Mul(leaky(z, slope, one, zero))
			take := v.Greater(best)
			best = v.Merge(best, take)
			chosen := i1.Masked(take)

			z = load(y, p2+c).Sub(m).Mul(s).Add(b)
			v = z.Mul(leaky(z, slope, one, zero))
			take = v.Greater(best)
			best = v.Merge(best, take)
			chosen = i2.Merge(chosen, take)

			z = load(y, p3+c).Sub(m).Mul(s).Add(b)
			v = z.Mul(leaky(z, slope, one, zero))
			take = v.Greater(best)
			best = v.Merge(best, take)
			chosen = i3.Merge(chosen, take)

			at := row*channels + c
			if mask != nil {
				best = best.Mul(kept(mask, at, keep, i1))
			}
			store(best, a, at)
			storeBytes(chosen, index, at)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// elements are the first elements in y of the four pixels.
func (w window) elements(channels int) (p0, p1, p2, p3 int) {
	p0, right, down := w.first*channels, w.right*channels, w.down*channels
	return p0, p0 + right, p0 + down, p0 + right + down
}

// storeBytes stores numbers below 256 as bytes.
func storeBytes(v archsimd.Int32x8, s []uint8, i int) {
	halves := v.GetLo().SaturateToUint16Concat(v.GetHi()).AsUint8x16()
	bytes := halves.PermuteOrZero(archsimd.LoadInt8x16(&evenBytes)).AsUint64x2()
	*(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i)) = bytes.GetElem(0)
}

var evenBytes = [16]int8{0, 2, 4, 6, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1, -1, -1}

func (k *EpiloguePoolReduce) vector(first, last int, sum, moment []float32) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, da, index, mask := k.Y.Host(), k.DA.Host()[:n], k.Index.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	sum, moment = sum[:channels], moment[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one := archsimd.BroadcastFloat32x8(1)
	right, down := archsimd.BroadcastInt32x8(1), archsimd.BroadcastInt32x8(2)
	for row := first; row < last; row++ {
		p0, p1, p2, p3 := windowOf(row, int(k.Height), int(k.Width)).elements(channels)
		for c := 0; c < done; c += lanes {
			at := row*channels + c
			winner := loadBytes(index, at)
			isRight, isDown := winner.And(right).Equal(right), winner.And(down).Equal(down)
			upper := load(y, p1+c).Merge(load(y, p0+c), isRight)
			lower := load(y, p3+c).Merge(load(y, p2+c), isRight)
			d := lower.Merge(upper, isDown).Sub(load(mean, c))
			z := d.Mul(load(scale, c)).Add(load(beta, c))
			dz := load(da, at).Mul(leaky(z, slope, one, zero))
			if mask != nil {
				dz = dz.Mul(kept(mask, at, keep, right))
			}
			store(load(sum, c).Add(dz), sum, c)
			store(load(moment, c).Add(dz.Mul(d)), moment, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *EpiloguePoolBackward) vector(first, last int) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, dy, da, index, mask := k.Y.Host(), k.DY.Host(), k.DA.Host()[:n], k.Index.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	dSlope, dOffset := k.DSlope.Host()[:channels], k.DOffset.Host()[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one := archsimd.BroadcastFloat32x8(1)
	right, down := archsimd.BroadcastInt32x8(1), archsimd.BroadcastInt32x8(2)
	for row := first; row < last; row++ {
		p0, p1, p2, p3 := windowOf(row, int(k.Height), int(k.Width)).elements(channels)
		for c := 0; c < done; c += lanes {
			at := row*channels + c
			winner := loadBytes(index, at)
			isRight, isDown := winner.And(right).Equal(right), winner.And(down).Equal(down)
			m, s := load(mean, c), load(scale, c)
			d0, d1 := load(y, p0+c).Sub(m), load(y, p1+c).Sub(m)
			d2, d3 := load(y, p2+c).Sub(m), load(y, p3+c).Sub(m)
			d := d3.Merge(d2, isRight).Merge(d1.Merge(d0, isRight), isDown)
			z := d.Mul(s).Add(load(beta, c))
			dz := load(da, at).Mul(leaky(z, slope, one, zero))
			if mask != nil {
				dz = dz.Mul(kept(mask, at, keep, right))
			}
			share := dz.Mul(s)
			// The last pixel first: one that is missing repeats one before it,
			// which may be the winner.
			ds, do := load(dSlope, c), load(dOffset, c)
			x := d3.Mul(ds)
			store(share.Add(x).Merge(x, isRight.And(isDown)).Add(do), dy, p3+c)
			x = d2.Mul(ds)
			store(x.Merge(share.Add(x), isRight).Merge(x, isDown).Add(do), dy, p2+c)
			x = d1.Mul(ds)
			store(x.Merge(share.Add(x).Merge(x, isRight), isDown).Add(do), dy, p1+c)
			x = d0.Mul(ds)
			store(x.Merge(share.Add(x), isRight.Or(isDown)).Add(do), dy, p0+c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}
