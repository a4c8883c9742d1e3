//go:build goexperiment.simd

package kernels

import "simd/archsimd"

func (k *TangentStats) vector(first, last int, sum, moment []float32) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, yDot, mean := k.Y.Host()[:n], k.YDot.Host()[:n], k.Mean.Host()[:channels]
	sum, moment = sum[:channels], moment[:channels]
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, total, totalMoment := load(mean, c), load(sum, c), load(moment, c)
			for i := from + c; i < to; i += channels {
				dot := load(yDot, i)
				total = total.Add(dot)
				totalMoment = totalMoment.Add(load(y, i).Sub(m).Mul(dot))
			}
			store(total, sum, c)
			store(totalMoment, moment, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *TangentForward) vector(first, last int, t *tangentChannels) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, yDot, aDot, mask := k.Y.Host()[:n], k.YDot.Host()[:n], k.ADot.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, s, b := load(t.mean, c), load(t.scale, c), load(t.beta, c)
			mDot, sDot, bDot := load(t.meanDot, c), load(t.scaleDot, c), load(t.betaDot, c)
			for i := from + c; i < to; i += channels {
				d := load(y, i).Sub(m)
				z := d.Mul(s).Add(b)
				v := load(yDot, i).Sub(mDot).Mul(s).Add(d.Mul(sDot)).Add(bDot).Mul(leaky(z, slope, one, zero))
				if mask != nil {
					v = v.Mul(kept(mask, i, keep, bit))
				}
				store(v, aDot, i)
			}
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *TangentPoolForward) vector(first, last int, t *tangentChannels) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, yDot, aDot, index, mask := k.Y.Host(), k.YDot.Host(), k.ADot.Host()[:n], k.Index.Host()[:n], k.Mask.Host()
	if mask != nil {
		mask = mask[:n]
	}
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
			d := lower.Merge(upper, isDown).Sub(load(t.mean, c))
			upper = load(yDot, p1+c).Merge(load(yDot, p0+c), isRight)
			lower = load(yDot, p3+c).Merge(load(yDot, p2+c), isRight)
			dot := lower.Merge(upper, isDown)
			s := load(t.scale, c)
			z := d.Mul(s).Add(load(t.beta, c))
			v := dot.Sub(load(t.meanDot, c)).Mul(s).Add(d.Mul(load(t.scaleDot, c))).Add(load(t.betaDot, c)).Mul(leaky(z, slope, one, zero))
			if mask != nil {
				v = v.Mul(kept(mask, at, keep, right))
			}
			store(v, aDot, at)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// In the two kernels of the way back a row of y goes to a row of da that pooling
// names, so they walk row by row, and what is of a channel comes from the first
// cache.

func (k *TangentReduce) vector(first, last int, sum, moment []float32, g *tangentGradients) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	y, yDot := k.Y.Host()[:last*channels], k.YDot.Host()[:last*channels]
	mean, scale, beta, meanDot := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels], k.MeanDot.Host()[:channels]
	sum, moment = sum[:channels], moment[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	for row := first; row < last; row++ {
		source, position := g.row(row)
		da, daDot := g.da[source:][:channels], g.daDot[source:][:channels]
		place := archsimd.BroadcastInt32x8(int32(position))
		for c := 0; c < done; c += lanes {
			at := row*channels + c
			d, dDot := load(y, at).Sub(load(mean, c)), load(yDot, at).Sub(load(meanDot, c))
			z := d.Mul(load(scale, c)).Add(load(beta, c))
			factor := leaky(z, slope, one, zero)
			if g.mask != nil {
				factor = factor.Mul(kept(g.mask, source+c, keep, bit))
			}
			dz, dzDot := load(da, c).Mul(factor), load(daDot, c).Mul(factor)
			if g.index != nil {
				passes := loadBytes(g.index, source+c).Equal(place)
				dz, dzDot = dz.Masked(passes), dzDot.Masked(passes)
			}
			store(load(sum, c).Add(dzDot), sum, c)
			store(load(moment, c).Add(dzDot.Mul(d).Add(dz.Mul(dDot))), moment, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *TangentBackward) vector(first, last int, g *tangentGradients) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, yDot, dyDot := k.Y.Host()[:n], k.YDot.Host()[:n], k.DYDot.Host()[:n]
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	meanDot, scaleDot := k.MeanDot.Host()[:channels], k.ScaleDot.Host()[:channels]
	coefficients := k.Coefficients.Host()
	c1, c1Dot, c0Dot := coefficients[:channels], coefficients[channels:2*channels], coefficients[2*channels:][:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope), archsimd.BroadcastFloat32x8(k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	for row := first; row < last; row++ {
		source, position := g.row(row)
		da, daDot := g.da[source:][:channels], g.daDot[source:][:channels]
		place := archsimd.BroadcastInt32x8(int32(position))
		for c := 0; c < done; c += lanes {
			at := row*channels + c
			s := load(scale, c)
			d, dDot := load(y, at).Sub(load(mean, c)), load(yDot, at).Sub(load(meanDot, c))
			z := d.Mul(s).Add(load(beta, c))
			factor := leaky(z, slope, one, zero)
			if g.mask != nil {
				factor = factor.Mul(kept(g.mask, source+c, keep, bit))
			}
			dz, dzDot := load(da, c).Mul(factor), load(daDot, c).Mul(factor)
			if g.index != nil {
				passes := loadBytes(g.index, source+c).Equal(place)
				dz, dzDot = dz.Masked(passes), dzDot.Masked(passes)
			}
			v := dz.Mul(load(scaleDot, c)).Add(dzDot.Mul(s)).Add(d.Mul(load(c1Dot, c)))
			store(v.Add(dDot.Mul(load(c1, c))).Add(load(c0Dot, c)), dyDot, at)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}
