package kernels

import "diaghess/gpu"

// Gather makes a batch from pictures that are resident on the device: row r is
// picture Order[State.sample + r], each value divided by Divisor.
//
//	X[r, i] = float32(Images[Order[sample + r], i]) / Divisor
//	Y[r]    = Labels[Order[sample + r]]
type Gather struct {
	Images  gpu.Slice[uint8]   // [pictures, Values]
	Labels  gpu.Slice[int32]   // [pictures]
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
func (k *Gather) Cost() gpu.Cost { return gatherCost(k.Rows, k.Values) }

// gatherCost counts five bytes and a division a value, and twelve bytes a row.
func gatherCost(rows, values int32) gpu.Cost {
	n := int64(rows) * int64(values)
	return gpu.Cost{Bytes: 5*n + 12*int64(rows), Flops: n}
}

// Host gathers rows lo to hi-1.
func (k *Gather) Host(lo, hi int) {
	scale := newScaling(k.Divisor)
	order := k.Order.Host()[k.State.Host()[StateSample]:]
	images, labels, x, y := k.Images.Host(), k.Labels.Host(), k.X.Host(), k.Y.Host()
	n := int(k.Values)
	for r := lo; r < hi; r++ {
		picture := int(order[r])
		y[r] = labels[picture]
		scale.convert(x[r*n:][:n], images[picture*n:][:n])
	}
}

// GatherValues makes a batch from rows of numbers that are resident on the device, and scales
// each input by an offset and a factor of its own.
//
//	X[r, i] = (Table[Order[sample + r], i] - Offset[i]) Factor[i]
//	Y[r]    = Labels[Order[sample + r]]
type GatherValues struct {
	Table  gpu.Slice[float32] // [table rows, Inputs]
	Labels gpu.Slice[int32]   // [table rows]
	Order  gpu.Slice[uint32]  // [samples of a pass]
	State  gpu.Slice[uint32]  // [StateWords]
	Offset gpu.Slice[float32] // [Inputs]
	Factor gpu.Slice[float32] // [Inputs]
	X      gpu.Slice[float32] // [Rows, Inputs], written
	Y      gpu.Slice[int32]   // [Rows], written
	Rows   int32
	Inputs int32
}

func (k *GatherValues) Entry() string  { return "gather_values" }
func (k *GatherValues) Grid() gpu.Grid { return gpu.Grid{Blocks: int(k.Rows), Threads: threads} }

// Cost counts eight bytes a value, eight an input, and twelve a row.
func (k *GatherValues) Cost() gpu.Cost {
	n := int64(k.Rows) * int64(k.Inputs)
	return gpu.Cost{Bytes: 8*n + 8*int64(k.Inputs) + 12*int64(k.Rows), Flops: 2 * n}
}

// Host gathers rows lo to hi-1.
func (k *GatherValues) Host(lo, hi int) {
	order := k.Order.Host()[k.State.Host()[StateSample]:]
	table, labels, x, y := k.Table.Host(), k.Labels.Host(), k.X.Host(), k.Y.Host()
	n := int(k.Inputs)
	offset, factor := k.Offset.Host()[:n], k.Factor.Host()[:n]
	for r := lo; r < hi; r++ {
		row := int(order[r])
		y[r] = labels[row]
		to, from := x[r*n:][:n], table[row*n:][:n]
		for i, v := range from {
			to[i] = (v - offset[i]) * factor[i]
		}
	}
}

// GatherAugment is Gather with a random crop and a random flip of each picture, which
// differ from pass to pass. Padding pixels of zeros are added on each side of the picture,
// and a part of the picture's size is cut out at a random place. Half of the pictures are
// then flipped left to right.
//
//	w0, w1, w2, _ = Random(Seed, Stream, State.pass, sample + r)
//	dh = (w0 (2 Padding + 1) >> 32) - Padding
//	dw = (w1 (2 Padding + 1) >> 32) - Padding
//	v  = Width - 1 - w where Flip and w2 >= 2^31, else w
//	X[r, h, w, c] = float32(Images[Order[sample + r], h + dh, v + dw, c]) / Divisor,
//	                0 beyond the edge
//	Y[r] = Labels[Order[sample + r]]
//
// So the result depends on the seed, the pass and the sample's place in it, not on the
// size of the batches. He, Zhang, Ren and Sun 2016, "Deep
// residual learning", section 4.2, has Padding 4 and the flip for CIFAR-10.
type GatherAugment struct {
	Images   gpu.Slice[uint8]   // [pictures, Height, Width, Channels]
	Labels   gpu.Slice[int32]   // [pictures]
	Order    gpu.Slice[uint32]  // [samples of a pass]
	State    gpu.Slice[uint32]  // [StateWords]
	X        gpu.Slice[float32] // [Rows, Height, Width, Channels], written
	Y        gpu.Slice[int32]   // [Rows], written
	Rows     int32
	Height   int32
	Width    int32
	Channels int32
	Divisor  float32
	Padding  int32 // 0: no crop
	Flip     int32 // 1: flip half of the samples; 0: none
	Stream   uint32
	Seed     uint64
}

func (k *GatherAugment) Entry() string  { return "gather_augment" }
func (k *GatherAugment) Grid() gpu.Grid { return gpu.Grid{Blocks: int(k.Rows), Threads: threads} }
func (k *GatherAugment) Cost() gpu.Cost { return gatherCost(k.Rows, k.Height*k.Width*k.Channels) }

// Host gathers rows lo to hi-1.
func (k *GatherAugment) Host(lo, hi int) {
	scale := newScaling(k.Divisor)
	state := k.State.Host()
	sample, pass := state[StateSample], state[StatePass]
	order := k.Order.Host()[sample:]
	images, labels, x, y := k.Images.Host(), k.Labels.Host(), k.X.Host(), k.Y.Host()
	height, line := int(k.Height), int(k.Width*k.Channels)
	n := height * line
	for r := lo; r < hi; r++ {
		picture := int(order[r])
		y[r] = labels[picture]
		dh, dw, flipped := k.draw(pass, sample+uint32(r))
		from, to := images[picture*n:][:n], x[r*n:][:n]
		for h := range height {
			out := to[h*line:][:line]
			if h+dh < 0 || h+dh >= height {
				clear(out)
				continue
			}
			in := from[(h+dh)*line:][:line]
			if flipped {
				k.flip(out, in, dw, scale)
			} else {
				k.shift(out, in, dw, scale)
			}
		}
	}
}

// draw returns a sample's offsets, and whether it is flipped.
func (k *GatherAugment) draw(pass, sample uint32) (dh, dw int, flipped bool) {
	w0, w1, w2, _ := philox(sample, 0, pass, k.Stream, uint32(k.Seed), uint32(k.Seed>>32))
	places := uint64(2*k.Padding + 1)
	offset := func(word uint32) int { return int(uint64(word)*places>>32) - int(k.Padding) }
	return offset(w0), offset(w1), k.Flip != 0 && w2 >= 1<<31
}

// shift makes a line of a picture that is not flipped: out[w] = in[w + dw].
func (k *GatherAugment) shift(out []float32, in []uint8, dw int, scale *scaling) {
	d := dw * int(k.Channels)
	first := min(max(-d, 0), len(out))
	last := max(min(len(out)-d, len(out)), first)
	clear(out[:first])
	if first < last {
		scale.convert(out[first:last], in[first+d:last+d])
	}
	clear(out[last:])
}

// flip makes a line of a flipped picture: out[w] = in[width - 1 - w + dw].
func (k *GatherAugment) flip(out []float32, in []uint8, dw int, scale *scaling) {
	channels := int(k.Channels)
	from := len(in) - channels + dw*channels
	for ; len(out) > 0; out, from = out[channels:], from-channels {
		pixel := out[:channels]
		if from < 0 || from >= len(in) {
			clear(pixel)
			continue
		}
		for c, v := range in[from:][:channels] {
			pixel[c] = scale.quotient[v]
		}
	}
}

// scaling turns bytes into float32 and divides them.
type scaling struct {
	divisor  float32
	quotient [256]float32 // of each byte
}

func newScaling(divisor float32) *scaling {
	s := &scaling{divisor: divisor}
	for i := range s.quotient {
		s.quotient[i] = float32(i) / divisor
	}
	return s
}

// convert writes each of from, divided, to the same place of to.
func (s *scaling) convert(to []float32, from []uint8) {
	for i := s.vector(from, to); i < len(from); i++ {
		to[i] = s.quotient[from[i]]
	}
}
