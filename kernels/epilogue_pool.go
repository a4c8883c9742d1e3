package kernels

import (
	"math"

	"diaghess/gpu"
)

// The epilogue that ends in 2x2 max pooling with stride 2 and same padding: a
// as in epilogue.go without its mask, then the largest of each window, then
// dropout of the pooled elements. A window at an odd end has its missing row or
// column padded at the end, which never wins; the pooled extents are (Height +
// 1)/2 and (Width + 1)/2. Ties go to the first element in row-major order.
//
// Back through the pooling dz is zero but at the maximum of each window. So its
// sums are those of EpilogueReduce over the pooled rows, with Winner for Y.

// window is where a pooled row's elements are in y.
type window struct {
	first       int // row of y of its top left pixel
	right, down int // distance in rows to the neighbours; 0 where there is none
}

// windowOf finds the window of a pooled row of a picture of the given size.
func windowOf(pooledRow, height, width int) window {
	pooledHeight, pooledWidth := (height+1)/2, (width+1)/2
	picture, pixel := pooledRow/(pooledHeight*pooledWidth), pooledRow%(pooledHeight*pooledWidth)
	h, w := pixel/pooledWidth*2, pixel%pooledWidth*2
	win := window{first: (picture*height+h)*width + w}
	if w+1 < width {
		win.right = 1
	}
	if h+1 < height {
		win.down = width
	}
	return win
}

// rows are the rows of y of the four pixels. One that is missing repeats a
// neighbour that comes before it, which a tie never prefers.
func (w window) rows() [4]int {
	return [4]int{w.first, w.first + w.right, w.first + w.down, w.first + w.right + w.down}
}

// PooledRows returns the rows of the pooled tensor of pictures of height x
// width.
func PooledRows(pictures, height, width int32) int32 {
	return pictures * ((height + 1) / 2) * ((width + 1) / 2)
}

// EpiloguePoolForward writes the pooled a and, for the backward pass, which element
// of y each maximum came from. Inference passes null for Index and Winner.
type EpiloguePoolForward struct {
	Y        gpu.Slice[float32] // [Pictures, Height, Width, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [pooled rows, Channels], or null: keep all
	A        gpu.Slice[float32] // [pooled rows, Channels], written
	Index    gpu.Slice[uint8]   // [pooled rows, Channels], written, or null: the place in the window, 0 to 3
	Winner   gpu.Slice[float32] // [pooled rows, Channels], written, or null with Index: y there
	Pictures int32
	Height   int32
	Width    int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *EpiloguePoolForward) Entry() string { return "epilogue_pool_forward" }
func (k *EpiloguePoolForward) Grid() gpu.Grid {
	return rowGrid(PooledRows(k.Pictures, k.Height, k.Width), k.Channels)
}
func (k *EpiloguePoolForward) Cost() gpu.Cost {
	return gpu.Cost{
		Bytes: 4*int64(k.Y.Len()+3*int(k.Channels)+k.A.Len()+k.Winner.Len()) + int64(k.Index.Len()+k.Mask.Len()),
		Flops: 5 * int64(k.Y.Len()),
	}
}

// Host writes the pooled rows of blocks lo to hi-1.
func (k *EpiloguePoolForward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, a, index, winner, mask := k.Y.Host(), k.A.Host(), k.Index.Host(), k.Winner.Host(), k.Mask.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	slopes := slopeTable(k.Slope)
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(PooledRows(k.Pictures, k.Height, k.Width)))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		r := windowOf(row, int(k.Height), int(k.Width)).rows()
		at, end := row*channels+done, (row+1)*channels
		pool(y[r[0]*channels+done:], y[r[1]*channels+done:], y[r[2]*channels+done:], y[r[3]*channels+done:],
			mean[done:], scale[done:], beta[done:], a[at:end], at, index, winner, &slopes)
		if mask != nil {
			drop(a[at:end], mask[at:end], k.Keep)
		}
	}
}

// pool does the pooled elements a, and those of index and winner from at on.
func pool(y0, y1, y2, y3, mean, scale, beta, a []float32, at int, index []uint8, winner []float32, slopes *[2]float32) {
	n := len(a)
	y0, y1, y2, y3 = y0[:n], y1[:n], y2[:n], y3[:n]
	mean, scale, beta = mean[:n], scale[:n], beta[:n]
	for c := range a {
		m, s, b := mean[c], scale[c], beta[c]
		z0 := float32((y0[c]-m)*s) + b
		z1 := float32((y1[c]-m)*s) + b
		z2 := float32((y2[c]-m)*s) + b
		z3 := float32((y3[c]-m)*s) + b
		best, i := float32(z0*slopes[positive(z0)]), uint32(0)
		best, i = larger(best, i, float32(z1*slopes[positive(z1)]), 1)
		best, i = larger(best, i, float32(z2*slopes[positive(z2)]), 2)
		best, i = larger(best, i, float32(z3*slopes[positive(z3)]), 3)
		a[c] = best
		if index != nil {
			index[at+c] = uint8(i)
			winner[at+c] = [4]float32{y0[c], y1[c], y2[c], y3[c]}[i&3]
		}
	}
}

// larger keeps the first of equals, without a branch. NaN is not larger, nor is
// anything larger than NaN.
func larger(best float32, i uint32, v float32, j uint32) (float32, uint32) {
	take := -positive(v - best) // all ones where v > best
	bits := math.Float32bits(best)&^take | math.Float32bits(v)&take
	return math.Float32frombits(bits), i&^take | j&take
}

// EpiloguePoolBackward is EpilogueBackward through the pooling: it writes all
// elements of DY.
type EpiloguePoolBackward struct {
	DA       gpu.Slice[float32] // [pooled rows, Channels]
	Y        gpu.Slice[float32] // [Pictures, Height, Width, Channels]
	Index    gpu.Slice[uint8]   // [pooled rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	DSlope   gpu.Slice[float32] // [Channels]
	DOffset  gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [pooled rows, Channels], or null
	DY       gpu.Slice[float32] // [Pictures, Height, Width, Channels], written
	Pictures int32
	Height   int32
	Width    int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *EpiloguePoolBackward) Entry() string { return "epilogue_pool_backward" }
func (k *EpiloguePoolBackward) Grid() gpu.Grid {
	return rowGrid(PooledRows(k.Pictures, k.Height, k.Width), k.Channels)
}
func (k *EpiloguePoolBackward) Cost() gpu.Cost {
	return gpu.Cost{
		Bytes: 8*int64(k.Y.Len()) + 5*int64(k.DA.Len()) + int64(k.Mask.Len()) + 20*int64(k.Channels),
		Flops: 3*int64(k.Y.Len()) + 6*int64(k.DA.Len()),
	}
}

// Host writes the windows of blocks lo to hi-1 of pooled rows.
func (k *EpiloguePoolBackward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, da, dy, index, mask := k.Y.Host(), k.DA.Host(), k.DY.Host(), k.Index.Host(), k.Mask.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	dSlope, dOffset := k.DSlope.Host(), k.DOffset.Host()
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(PooledRows(k.Pictures, k.Height, k.Width)))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		rows := windowOf(row, int(k.Height), int(k.Width)).rows()
		at := row * channels
		// First as if no element had won, then the winners' share. A pixel that
		// is missing repeats another, which is then written twice.
		for _, r := range rows {
			affine(y[r*channels+done:(r+1)*channels], mean[done:], dSlope[done:], dOffset[done:], dy[r*channels+done:])
		}
		da, index := da[at:][:channels], index[at:][:channels]
		for c := done; c < channels; c++ {
			winner := rows[index[c]&3]*channels + c
			d := y[winner] - mean[c]
			z := float32(d*scale[c]) + beta[c]
			dz := da[c]
			if mask != nil {
				dz *= keeps[mask[at+c]&1]
			}
			dz *= slopes[positive(z)]
			dy[winner] = float32(dz*scale[c]) + float32(d*dSlope[c]) + dOffset[c]
		}
	}
}

// affine writes slope (y - mean) + offset.
func affine(y, mean, slope, offset, out []float32) {
	n := len(y)
	mean, slope, offset, out = mean[:n], slope[:n], offset[:n], out[:n]
	for c, v := range y {
		out[c] = float32((v-mean[c])*slope[c]) + offset[c]
	}
}
