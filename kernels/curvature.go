package kernels

import "diaghess/gpu"

// The kernels that the estimators of the curvature diagonal share. Their tensors have the
// layout of the parameters, gaps included: the gaps are zero and stay so.

// CurvatureAverage finishes an estimate of the diagonal. It adds the last sample to the
// others, and computes the bias-corrected exponential average over the estimates so far.
//
//	s        = Sum + Factor X             with Squared: Sum + Factor X^2
//	Average  = Decay Average + OneMinusDecay s
//	Diagonal = Average Corrections[State.step / Every]
//
// A null Sum counts as 0. A null Average means no average: Diagonal = s.
type CurvatureAverage struct {
	X             gpu.Slice[float32] // [Elements]
	Sum           gpu.Slice[float32] // [Elements], or null
	Average       gpu.Slice[float32] // [Elements], updated, or null
	Diagonal      gpu.Slice[float32] // [Elements], written
	Corrections   gpu.Slice[float32] // [estimates of a run]: 1/(1 - Decay^k), k from 1
	State         gpu.Slice[uint32]  // [StateWords]
	Elements      int32
	Every         uint32 // steps from one estimate to the next
	Squared       uint32 // 0 or 1
	Factor        float32
	Decay         float32
	OneMinusDecay float32
}

func (k *CurvatureAverage) Entry() string  { return "curvature_average" }
func (k *CurvatureAverage) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *CurvatureAverage) Cost() gpu.Cost {
	buffers := int64(k.X.Len() + k.Sum.Len() + 2*k.Average.Len() + k.Diagonal.Len())
	return gpu.Cost{Bytes: 4 * buffers, Flops: 7 * int64(k.Elements)}
}

// Host does the elements of blocks lo to hi-1.
func (k *CurvatureAverage) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	x, diagonal := k.X.Host()[first:last], k.Diagonal.Host()[first:last]
	var sum, average []float32
	if !k.Sum.IsNull() {
		sum = k.Sum.Host()[first:last]
	}
	correction := float32(1)
	if !k.Average.IsNull() {
		average = k.Average.Host()[first:last]
		correction = k.Corrections.Host()[k.State.Host()[StateStep]/k.Every]
	}
	for i := k.vector(x, sum, average, diagonal, correction); i < len(x); i++ {
		s := sampleOf(x[i], k.Factor, k.Squared)
		if sum != nil {
			s += sum[i]
		}
		if average != nil {
			s = float32(k.Decay*average[i]) + float32(k.OneMinusDecay*s)
			average[i] = s
			s *= correction
		}
		diagonal[i] = s
	}
}

// sampleOf is a sample's part of an estimate.
func sampleOf(x, factor float32, squared uint32) float32 {
	if squared != 0 {
		x *= x
	}
	return float32(factor * x)
}

// CurvatureSum adds a sample to an estimate. CurvatureAverage adds the last one.
//
//	Sum = Sum + Factor X                  with Squared: Sum + Factor X^2
//
// With First set the old Sum counts as 0.
type CurvatureSum struct {
	X        gpu.Slice[float32] // [Elements]
	Sum      gpu.Slice[float32] // [Elements], updated
	Elements int32
	First    uint32 // 0 or 1
	Squared  uint32 // 0 or 1
	Factor   float32
}

func (k *CurvatureSum) Entry() string  { return "curvature_sum" }
func (k *CurvatureSum) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *CurvatureSum) Cost() gpu.Cost {
	return gpu.Cost{Bytes: int64(12-4*k.First) * int64(k.Elements), Flops: 3 * int64(k.Elements)}
}

// Host does the elements of blocks lo to hi-1.
func (k *CurvatureSum) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	x, sum := k.X.Host()[first:last], k.Sum.Host()[first:last]
	for i := k.vector(x, sum); i < len(x); i++ {
		s := sampleOf(x[i], k.Factor, k.Squared)
		if k.First == 0 {
			s += sum[i]
		}
		sum[i] = s
	}
}

// Square computes squares, for the convolutions and matrix products of HesScale.
//
//	Out = X^2
type Square struct {
	X        gpu.Slice[float32] // [Elements]
	Out      gpu.Slice[float32] // [Elements], written
	Elements int32
}

func (k *Square) Entry() string  { return "square" }
func (k *Square) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *Square) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 8 * int64(k.Elements), Flops: int64(k.Elements)}
}

// Host squares the elements of blocks lo to hi-1.
func (k *Square) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	x, out := k.X.Host()[first:last], k.Out.Host()[first:last]
	for i := k.vector(x, out); i < len(x); i++ {
		out[i] = x[i] * x[i]
	}
}
