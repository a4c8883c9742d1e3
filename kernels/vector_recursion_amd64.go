//go:build goexperiment.simd

package kernels

import "simd/archsimd"

func (k *RecursionSlope) vector(first, last int, s0, s1, s2 []float32) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	y, qz, qa, index, mask := k.Y.Host()[:n], k.QZ.Host(), k.QA.Host(), k.Index.Host(), k.Mask.Host()
	if qz != nil {
		qz = qz[:n]
	}
	mean, scale, beta := k.Mean.Host()[:channels], k.Scale.Host()[:channels], k.Beta.Host()[:channels]
	s0, s1, s2 = s0[:channels], s1[:channels], s2[:channels]
	slope, keep := archsimd.BroadcastFloat32x8(k.Slope*k.Slope), archsimd.BroadcastFloat32x8(k.Keep*k.Keep)
	var zero archsimd.Float32x8
	one, bit := archsimd.BroadcastFloat32x8(1), archsimd.BroadcastInt32x8(1)
	for row := first; row < last; row++ {
		from, position := row, uint8(0)
		if index != nil {
			from, position = pooledRow(row, int(k.Height), int(k.Width))
		}
		winner := archsimd.BroadcastInt32x8(int32(position))
		for c := 0; c < done; c += lanes {
			at, source := row*channels+c, from*channels+c
			d := load(y, at).Sub(load(mean, c))
			z := d.Mul(load(scale, c)).Add(load(beta, c))
			q := load(qa, source).Mul(leaky(z, slope, one, zero))
			if mask != nil {
				q = q.Mul(kept(mask, source, keep, bit))
			}
			if index != nil {
				q = q.Masked(loadBytes(index, source).Equal(winner))
			}
			if qz != nil {
				store(q, qz, at)
			}
			store(load(s0, c).Add(q), s0, c)
			store(load(s1, c).Add(q.Mul(d)), s1, c)
			store(load(s2, c).Add(q.Mul(d.Mul(d))), s2, c)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func (k *RecursionBackward) vector(first, last int) int {
	channels := int(k.Channels)
	done := whole(channels, lanes)
	if done == 0 {
		return 0
	}
	n := last * channels
	q, y, mean, coefficients := k.Q.Host()[:n], k.Y.Host()[:n], k.Mean.Host()[:channels], k.Coefficients.Host()[:5*channels]
	var zero archsimd.Float32x8
	step := rowsPerTile(channels) * channels
	for from := first * channels; from < n; from += step {
		to := min(from+step, n)
		for c := 0; c < done; c += lanes {
			m, p0, p2 := load(mean, c), load(coefficients, c), load(coefficients, channels+c)
			r0, r1, r2 := load(coefficients, 2*channels+c), load(coefficients, 3*channels+c), load(coefficients, 4*channels+c)
			for i := from + c; i < to; i += channels {
				d := load(y, i).Sub(m)
				square := d.Mul(d)
				v := load(q, i).Mul(p0.Add(p2.Mul(square))).Add(r0)
				v = v.Add(r1.Mul(d).Add(r2.Mul(square)))
				store(zero.Merge(v, v.Less(zero)), q, i)
			}
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}
