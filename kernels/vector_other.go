//go:build !amd64

package kernels

import "math"

// Other processors leave all to the scalar loops.

func (*AdamUpdate) vector(_, _, _, _ []float32, _ [CoefficientWords]float32) int { return 0 }

func (*DiagHessUpdate) vector(_, _, _, _, _ []float32, _ float32, _ [CoefficientWords]float32) int {
	return 0
}
func (*DiagHessMinimum) vector(_, _ []float32) (done int, least float32) {
	return 0, float32(math.Inf(1))
}
func (*CalibrateAverage) vector(_, _, _, _, _ []float32) (done int, sums [CalibrateSums]float64) {
	return 0, sums
}
func (*scaling) vector(_ []uint8, _ []float32) int                              { return 0 }
func (*DropoutMask) vector(_ []uint8, _, _, _, _ uint32) int                    { return 0 }
func (*BatchNormStats) vector(_, _ int, _, _ []float32) int                     { return 0 }
func (*ColumnsForward) vector(_, _ int) int                                     { return 0 }
func (*ColumnsBackward) vector(_, _ int) int                                    { return 0 }
func (*EpilogueForward) vector(_, _ int) int                                    { return 0 }
func (*EpilogueReduce) vector(_, _ int, _, _ []float32) int                     { return 0 }
func (*EpilogueBackward) vector(_, _ int) int                                   { return 0 }
func (*EpiloguePoolForward) vector(_, _ int) int                                { return 0 }
func (*EpiloguePoolBackward) vector(_, _ int) int                               { return 0 }
func (*CurvatureAverage) vector(_, _, _, _ []float32, _ float32) int            { return 0 }
func (*CurvatureSum) vector(_, _ []float32) int                                 { return 0 }
func (*Square) vector(_, _ []float32) int                                       { return 0 }
func (*CenteredSquare) vector(_, _ int) int                                     { return 0 }
func (*CalibrateBlend) vector(_, _, _ []float32, _, _ float32) int              { return 0 }
func (*Rademacher) vector(_ []float32, _ int, _ uint32) int                     { return 0 }
func (*HutchinsonSample) vector(_, _, _ []float32) int                          { return 0 }
func (*HesScaleSlope) vector(_, _ int, _, _, _ []float32) int                   { return 0 }
func (*HesScaleBackward) vector(_, _ int) int                                   { return 0 }
func (*TangentStats) vector(_, _ int, _, _ []float32) int                       { return 0 }
func (*TangentForward) vector(_, _ int, _ *tangentChannels) int                 { return 0 }
func (*TangentPoolForward) vector(_, _ int, _ *tangentChannels) int             { return 0 }
func (*TangentReduce) vector(_, _ int, _, _ []float32, _ *tangentGradients) int { return 0 }
func (*TangentBackward) vector(_, _ int, _ *tangentGradients) int               { return 0 }
