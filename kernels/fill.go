package kernels

import "diaghess/gpu"

// Fill sets all words to one value.
//
//	X[i] = Value
type Fill struct {
	X        gpu.Slice[uint32] // [Elements], written
	Elements int32
	Value    uint32
}

func (k *Fill) Entry() string  { return "fill" }
func (k *Fill) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *Fill) Cost() gpu.Cost { return gpu.Cost{Bytes: 4 * int64(k.Elements)} }

// Host fills the elements of blocks lo to hi-1.
func (k *Fill) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	x := k.X.Host()[first:last]
	for i := range x {
		x[i] = k.Value
	}
}
