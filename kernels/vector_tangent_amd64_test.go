package kernels

import (
	"fmt"
	"testing"

	"diaghess/gpu"
)

func TestVectorTangent(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachValues(t, func(t *testing.T, operands func() *operands) {
		const pictures = 3
		for _, channels := range channelCounts {
			// The last crosses tiles and, with many channels, chunks.
			for _, size := range [][2]int{{1, 1}, {1, 2}, {3, 2}, {4, 5}, {12, 12}, {19, 19}} {
				for _, masked := range []bool{false, true} {
					height, width := int32(size[0]), int32(size[1])
					all, pooled := pictures*height*width, PooledRows(pictures, height, width)
					for _, pool := range []bool{false, true} {
						o := operands()
						rows := int(all)
						var index, mask gpu.Slice[uint8]
						if pool {
							rows = int(pooled)
							index = o.byte(rows*channels, 4)
						}
						if masked {
							mask = o.byte(rows*channels, 2)
						}
						y, yDot := o.float(int(all)*channels, -1, 1), o.float(int(all)*channels, -1, 1)
						da, daDot := o.float(rows*channels, -1, 1), o.float(rows*channels, -1, 1)
						mean, scale, beta := o.shift(channels), o.float(channels, -1, 2), o.shift(channels)
						meanDot, scaleDot, betaDot := o.shift(channels), o.float(channels, -1, 1), o.shift(channels)
						aDot, dyDot := o.float(rows*channels, 7, 8), o.float(int(all)*channels, 7, 8)
						partial := o.float(2*channels*Chunks(all, int32(channels)), 7, 8)
						name := func(kernel string) string {
							return fmt.Sprintf("%s, %dx%d, %d channels, pooled %v, mask %v", kernel, height, width, channels, pool, masked)
						}
						if pool {
							o.compare(t, name("TangentPoolForward"), &TangentPoolForward{
								Y: y, YDot: yDot, Index: index, Mean: mean, Scale: scale, Beta: beta,
								MeanDot: meanDot, ScaleDot: scaleDot, BetaDot: betaDot, Mask: mask, ADot: aDot,
								Pictures: pictures, Height: height, Width: width, Channels: int32(channels), Slope: .01, Keep: 1 / .6,
							})
						} else {
							o.compare(t, name("TangentStats"), &TangentStats{Y: y, YDot: yDot, Mean: mean, Partial: partial, Rows: all, Channels: int32(channels)})
							o.compare(t, name("TangentForward"), &TangentForward{
								Y: y, YDot: yDot, Mean: mean, Scale: scale, Beta: beta,
								MeanDot: meanDot, ScaleDot: scaleDot, BetaDot: betaDot, Mask: mask, ADot: aDot,
								Rows: all, Channels: int32(channels), Slope: .01, Keep: 1 / .6,
							})
						}
						o.compare(t, name("TangentReduce"), &TangentReduce{
							DA: da, DADot: daDot, Y: y, YDot: yDot, Index: index, Mean: mean, Scale: scale, Beta: beta, MeanDot: meanDot,
							Mask: mask, Partial: partial,
							Rows: all, Height: height, Width: width, Channels: int32(channels), Slope: .01, Keep: 1 / .6,
						})
						o.compare(t, name("TangentBackward"), &TangentBackward{
							DA: da, DADot: daDot, Y: y, YDot: yDot, Index: index, Mean: mean, Scale: scale, Beta: beta, MeanDot: meanDot,
							ScaleDot: scaleDot, Coefficients: o.float(3*channels, -1, 1), Mask: mask, DYDot: dyDot,
							Rows: all, Height: height, Width: width, Channels: int32(channels), Slope: .01, Keep: 1 / .6,
						})
					}
				}
			}
		}
	})
}
