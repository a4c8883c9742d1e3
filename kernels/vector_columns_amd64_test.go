package kernels

import (
	"fmt"
	"testing"

	"diaghess/gpu"
)

func TestVectorColumns(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachValues(t, func(t *testing.T, operands func() *operands) {
		for _, channels := range channelCounts {
			// Fewer rows than warps, as many and more, in whole tiles and not.
			for _, rows := range []int{1, 2, 7, 8, 9, 64, 107, columnRows} {
				for _, masked := range []bool{false, true} {
					o := operands()
					n := rows * channels
					y, da, out := o.float(n, -1, 1), o.float(n, -1, 1), o.float(n, 7, 8)
					mean, invStd, scale, beta := o.shift(channels), o.float(channels, .5, 2), o.float(channels, -1, 2), o.shift(channels)
					movingMean, movingVariance := o.float(channels, -1, 1), o.float(channels, .5, 2)
					gamma, dGamma, dBeta := o.float(channels, .5, 2), o.float(channels, 7, 8), o.float(channels, 7, 8)
					var mask gpu.Slice[uint8]
					if masked {
						mask = o.byte(n, 2)
					}
					name := func(kernel string) string {
						return fmt.Sprintf("%s, %d rows, %d channels, mask %v", kernel, rows, channels, masked)
					}
					backward := ColumnsBackward{
						DA: da, Y: y, Mean: mean, InvStd: invStd, Scale: scale, Beta: beta, Mask: mask, DGamma: dGamma, DBeta: dBeta, DY: out,
						Rows: int32(rows), Channels: int32(channels), Slope: .01, Keep: 1 / .6,
					}
					o.compare(t, name("ColumnsBackward"), &backward)
					bias := backward
					bias.DGamma = gpu.Slice[float32]{}
					o.compare(t, name("ColumnsBackward of a bias"), &bias)
					bias.DY = gpu.Slice[float32]{}
					o.compare(t, name("ColumnsBackward of a bias, sums alone"), &bias)
					backward.DY = gpu.Slice[float32]{}
					o.compare(t, name("ColumnsBackward, sums alone"), &backward)
					o.compare(t, name("ColumnsForward"), &ColumnsForward{
						Y: y, Gamma: gamma, Beta: beta, Mask: mask, MovingMean: movingMean, MovingVariance: movingVariance,
						Mean: mean, InvStd: invStd, Scale: scale, A: out,
						Rows: int32(rows), Channels: int32(channels), Epsilon: 1e-3, Momentum: .99, Correction: 1.01, Slope: .01, Keep: 1 / .6,
					})
				}
			}
		}
	})
}
