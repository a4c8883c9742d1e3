package kernels

import "diaghess/gpu"

// Gather makes a batch from pictures that are resident on the device: row r is
// picture Order[State.sample + r], each value divided by Divisor.
//
//	X[r, i] = float32(Images[Order[sample + r], i]) / Divisor
//	Y[r]    = Labels[Order[sample + r]]
type Gather struct {
	Images  gpu.Slice[uint8]   // [pictures, Values]
	Labels  gpu.Slice[uint8]   // [pictures]
	Order   gpu.Slice[uint32]  // [samples of a pass]
	State   gpu.Slice[uint32]  // [StateWords]
	X       gpu.Slice[float32] // [Rows, Values], written
	Y       gpu.Slice[int32]   // [Rows], written
	Rows    int32
	Values  int32 // of a picture: height x width x channels
	Divisor float32
}

func (k *Gather) Entry() string  { return "gather" }
func (k *Gather) Grid() gpu.Grid { return gpu.Grid{Blocks: int(k.Rows), Threads: threads} }
func (k *Gather) Cost() gpu.Cost {
	n := int64(k.Rows) * int64(k.Values)
	return gpu.Cost{Bytes: 5*n + 9*int64(k.Rows), Flops: n}
}

// Host gathers rows lo to hi-1.
func (k *Gather) Host(lo, hi int) {
	var quotient [256]float32
	for i := range quotient {
		quotient[i] = float32(i) / k.Divisor
	}
	order := k.Order.Host()[k.State.Host()[StateSample]:]
	images, labels, x, y := k.Images.Host(), k.Labels.Host(), k.X.Host(), k.Y.Host()
	n := int(k.Values)
	for r := lo; r < hi; r++ {
		picture := int(order[r])
		y[r] = int32(labels[picture])
		from, to := images[picture*n:][:n], x[r*n:][:n]
		for i := k.vector(from, to); i < n; i++ {
			to[i] = quotient[from[i]]
		}
	}
}
