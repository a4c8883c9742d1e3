package cpu_test

import (
	"math"

	"diaghess/gpu"
	"diaghess/gpu/cpu/native/nativetest"
)

// winogradTolerance bounds the error of each element that Winograd's algorithm
// computes of these data. The bound is rigorous. An output square is
//
//	y = A^T [sum over k of U_k . V_k] A,  U_k = G g_k G^T,  V_k = B^T d_k B,
//
// where k runs over the input channels and g are filters, or, for the filter's gradient,
// k runs over the tiles of the batch and g are squares of the output's gradient.
//
// Each term of a computed U is rounded as often as G's code rounds, so U is off by at
// most u = gamma(roundings of G) |G| |g| |G^T|; V by v, likewise. A sum of n products
// in any order, by fused multiply-adds, rounds a term at most n times. So the computed
// sum differs from M, the sum of the exact U . V, by at most
//
//	m = sum over k of (1 + gamma(n)) (|U| + u) (|V| + v) - |U| |V|
//
// and the computed y from y by |A^T| (m + gamma(roundings of A) (|M| + m)) |A|. All this
// is computed in float64, whose own roundings are negligible here.
//
// Measured on largeShapes: the largest error is .02 of its tolerance forward and
// backward, .09 for the filter's gradient. With any constant of a transform off by 1e-4
// it is at least 1.4 tolerances.
func winogradTolerance(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) []float64 {
	if d == gpu.BackwardFilter {
		return winogradFilterTolerance(s, x, y)
	}
	filter := func(i, o, tap int) float32 { return w[(tap*s.In+i)*s.Out+o] }
	back := s
	if d == gpu.BackwardData { // of the filter turned, channels swapped
		filter = func(i, o, tap int) float32 { return w[((8-tap)*s.In+o)*s.Out+i] }
		back.In, back.Out, x = s.Out, s.In, y
	}
	u := make([][]bounded, back.In)
	for i := range u {
		for o := range back.Out {
			g := make([]float64, 9)
			for tap := range g {
				g[tap] = float64(filter(i, o, tap))
			}
			u[i] = append(u[i], newBounded(nativetest.Filter, g))
		}
	}
	tolerance := make([]float64, back.Output())
	eachTile(back, func(picture, row, column int) {
		v := squares(back, x, back.In, picture, row-1, column-1, nativetest.Input)
		for o := range back.Out {
			var m boundedSum
			for i := range v {
				m.add(&u[i][o], &v[i], back.In)
			}
			for k, bound := range m.bound(nativetest.Output) {
				if r, c := row+k/4, column+k%4; r < s.Height && c < s.Width {
					tolerance[((picture*s.Height+r)*s.Width+c)*back.Out+o] = bound
				}
			}
		}
	})
	return tolerance
}

func winogradFilterTolerance(s gpu.ConvolutionShape, x, dy []float32) []float64 {
	tiles := 0
	eachTile(s, func(picture, row, column int) { tiles++ })
	sums := make([]boundedSum, s.In*s.Out)
	eachTile(s, func(picture, row, column int) {
		v := squares(s, x, s.In, picture, row-1, column-1, nativetest.Input)
		u := squares(s, dy, s.Out, picture, row, column, nativetest.OutputGradient)
		for k := range sums {
			sums[k].add(&u[k%s.Out], &v[k/s.Out], tiles)
		}
	})
	tolerance := make([]float64, s.Filter())
	for k := range sums {
		for tap, bound := range sums[k].bound(nativetest.FilterGradient) {
			tolerance[tap*len(sums)+k] = bound
		}
	}
	return tolerance
}

func eachTile(s gpu.ConvolutionShape, do func(picture, row, column int)) {
	for picture := range s.Batch {
		for row := 0; row < s.Height; row += 4 {
			for column := 0; column < s.Width; column += 4 {
				do(picture, row, column)
			}
		}
	}
}

// squares transforms the squares of all channels at a place, zeros over the edge.
func squares(s gpu.ConvolutionShape, tensor []float32, channels, picture, top, left int, t nativetest.Transform) []bounded {
	var result []bounded
	for channel := range channels {
		square := make([]float64, t.From()*t.From())
		for k := range square {
			if r, c := top+k/t.From(), left+k%t.From(); r >= 0 && r < s.Height && c >= 0 && c < s.Width {
				square[k] = float64(tensor[((picture*s.Height+r)*s.Width+c)*channels+channel])
			}
		}
		result = append(result, newBounded(t, square))
	}
	return result
}

// bounded is a transformed square and a bound of the computed one's absolute value.
type bounded struct{ exact, computed []float64 }

func newBounded(t nativetest.Transform, square []float64) bounded {
	b := bounded{t.Of(square), t.Absolute(square)}
	for k, v := range b.exact {
		b.computed[k] = math.Abs(v) + nativetest.Gamma(t.Roundings)*b.computed[k]
	}
	return b
}

// boundedSum is the sum of products of squares and a bound of the computed one's error.
type boundedSum struct{ exact, off [36]float64 }

// add adds a product to a sum of n.
func (m *boundedSum) add(u, v *bounded, n int) {
	gamma := 1 + nativetest.Gamma(n)
	for k, exact := range u.exact {
		product := exact * v.exact[k]
		m.exact[k] += product
		m.off[k] += gamma*u.computed[k]*v.computed[k] - math.Abs(product)
	}
}

// bound bounds the error of the sum's transform.
func (m *boundedSum) bound(t nativetest.Transform) []float64 {
	var bound [36]float64
	for k, off := range m.off {
		bound[k] = off + nativetest.Gamma(t.Roundings)*(math.Abs(m.exact[k])+off)
	}
	return t.Absolute(bound[:])
}
