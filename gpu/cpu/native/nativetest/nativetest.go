// Package nativetest has what the tests of package native and of device cpu share: the
// transforms of Winograd's algorithm, made from their points, independently of package
// native's generator.
package nativetest

import (
	"math"
	"math/big"
)

// Gamma bounds the relative error of a term that float32 rounds n times (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1).
func Gamma(n int) float64 {
	const unit = 1.0 / (1 << 24)
	return float64(n) * unit / (1 - float64(n)*unit)
}

// points are the finite points of the transforms. Infinity is the last one.
var points = []*big.Rat{big.NewRat(0, 1), big.NewRat(11, 16), big.NewRat(-11, 16), big.NewRat(3, 2), big.NewRat(-3, 2)}

// matrices are those of which at [(g v) . (bt d)] is the correlation y[k] = sum over j
// of d[k+j] v[j] of 6 values d with 3 or 4 values v: A^T, G and B^T of Lavin and Gray
// (2016).
type matrices struct{ at, g, bt [][]*big.Rat }

// toomCook makes the matrices for so many values v. Of a point a, A^T has the column
// [1, a, a^2 ...]. G has the row [1, a, a^2 ...] / N(a), N(a) the product of a - b over
// the other points b, and B^T the coefficients of the product of x - b. Of infinity
// they are the highest power alone and the product over all points.
func toomCook(taps int) matrices {
	places := len(points) + 1
	m := matrices{at: make([][]*big.Rat, places-taps+1)}
	for k := range places {
		product, n := []*big.Rat{big.NewRat(1, 1)}, big.NewRat(1, 1)
		for j, b := range points {
			if j != k {
				product = times(product, b)
				if k < len(points) {
					n.Mul(n, new(big.Rat).Sub(points[k], b))
				}
			}
		}
		for len(product) < places {
			product = append(product, new(big.Rat))
		}
		m.bt = append(m.bt, product)
		m.g = append(m.g, powers(k, taps))
		for _, v := range m.g[k] {
			v.Quo(v, n)
		}
		for i, v := range powers(k, len(m.at)) {
			m.at[i] = append(m.at[i], v)
		}
	}
	return m
}

// times is polynomial times x - b.
func times(polynomial []*big.Rat, b *big.Rat) []*big.Rat {
	result := []*big.Rat{new(big.Rat)}
	for k, v := range polynomial {
		result[k].Sub(result[k], new(big.Rat).Mul(b, v))
		result = append(result, new(big.Rat).Set(v))
	}
	return result
}

// powers are the powers 0 to n-1 of a point.
func powers(k, n int) []*big.Rat {
	result := make([]*big.Rat, n)
	for i := range result {
		switch {
		case k == len(points):
			result[i] = big.NewRat(int64((i+1)/n), 1)
		case i == 0:
			result[i] = big.NewRat(1, 1)
		default:
			result[i] = new(big.Rat).Mul(result[i-1], points[k])
		}
	}
	return result
}

// Transform takes squares X to T X T^T.
type Transform struct {
	matrix [][]float64
	// Roundings is the most roundings between an element of X and one of the result.
	Roundings int
}

// The transforms. Their roundings are those of a line of the generator's code, twice.
// An input enters an output of a line along one path. The longest path has 3 roundings
// in Input: the difference with a square times d1, the point's product, even + odd. It
// has 4 in Output and FilterGradient: the sum or difference of two inputs, the product
// with a power, two sums. It has 4 in Filter and OutputGradient: the constant itself,
// its product, a fused multiply-add, even + odd. The other constants are exact in
// float32.
var (
	Input          = newTransform(three.bt, 3)
	Filter         = newTransform(three.g, 4)
	Output         = newTransform(three.at, 4)
	OutputGradient = newTransform(four.g, 4)
	FilterGradient = newTransform(four.at, 4)

	three, four = toomCook(3), toomCook(4)
)

func newTransform(m [][]*big.Rat, roundings int) Transform {
	t := Transform{Roundings: 2 * roundings}
	for _, row := range m {
		var floats []float64
		for _, v := range row {
			f, _ := v.Float64()
			floats = append(floats, f)
		}
		t.matrix = append(t.matrix, floats)
	}
	return t
}

// From returns the extent of the square that is transformed.
func (t Transform) From() int { return len(t.matrix[0]) }

// To returns the extent of the transformed square.
func (t Transform) To() int { return len(t.matrix) }

// Of is T X T^T.
func (t Transform) Of(x []float64) []float64 {
	return t.sandwich(x, func(v float64) float64 { return v })
}

// Absolute is |T| |X| |T|^T.
func (t Transform) Absolute(x []float64) []float64 { return t.sandwich(x, math.Abs) }

func (t Transform) sandwich(x []float64, f func(float64) float64) []float64 {
	from, to := t.From(), t.To()
	half, result := make([]float64, to*from), make([]float64, to*to)
	for r := range to {
		for c := range from {
			for k := range from {
				half[r*from+c] += f(t.matrix[r][k]) * f(x[k*from+c])
			}
		}
		for c := range to {
			for k := range from {
				result[r*to+c] += half[r*from+k] * f(t.matrix[c][k])
			}
		}
	}
	return result
}
