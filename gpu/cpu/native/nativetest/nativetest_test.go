package nativetest

import (
	"math/big"
	"testing"
)

// The matrices make correlations, in exact arithmetic: for all pairs of unit vectors,
// which is enough, as both sides are bilinear.
func TestMatricesMakeCorrelations(t *testing.T) {
	for _, m := range []matrices{three, four} {
		taps := len(m.g[0])
		for i := range m.bt {
			for j := range taps {
				for k, row := range m.at {
					sum := new(big.Rat)
					for place, a := range row {
						term := new(big.Rat).Mul(m.g[place][j], m.bt[place][i])
						sum.Add(sum, term.Mul(term, a))
					}
					want := int64(0)
					if i == k+j {
						want = 1
					}
					if sum.Cmp(big.NewRat(want, 1)) != 0 {
						t.Errorf("%d taps: the product of d[%d] and v[%d] is %v times in y[%d], want %d", taps, i, j, sum, k, want)
					}
				}
			}
		}
	}
}
