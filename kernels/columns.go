package kernels

import "diaghess/gpu"

// The epilogue of a dense layer with few rows, whole columns at a time: what the
// kernels of batchnorm.go and epilogue.go do in three launches each way takes
// one, because a block sees all rows of its channels. Sums are in double
// precision, in the order of columnSums.

// FitsColumns reports whether ColumnsForward and ColumnsBackward can process a tensor of
// so many rows.
func FitsColumns(rows int) bool { return rows <= columnRows }

// columnSums holds the sums that the warps of a block have taken of 32
// channels. Warp w adds up the rows w, w+8, w+16, ...
type columnSums [warpsPerBlock][channelsPerBlock]float64

// of returns the sums of a row's warp.
func (s *columnSums) of(row int) *[channelsPerBlock]float64 { return &s[row%len(s)] }

// total adds up the warps of a channel.
func (s *columnSums) total(c int) float64 {
	sum := s[0][c]
	for _, warp := range s[1:] {
		sum += warp[c]
	}
	return sum
}

// ColumnsForward normalizes a batch and applies the rest of the epilogue, with the formulas
// of BatchNormStats, BatchNormFinish and EpilogueForward.
type ColumnsForward struct {
	Y              gpu.Slice[float32] // [Rows, Channels]
	Gamma          gpu.Slice[float32] // [Channels]
	Beta           gpu.Slice[float32] // [Channels]
	Mask           gpu.Slice[uint8]   // [Rows, Channels], or null: keep all
	MovingMean     gpu.Slice[float32] // [Channels], updated
	MovingVariance gpu.Slice[float32] // [Channels], updated
	Mean           gpu.Slice[float32] // [Channels], written
	InvStd         gpu.Slice[float32] // [Channels], written
	Scale          gpu.Slice[float32] // [Channels], written
	A              gpu.Slice[float32] // [Rows, Channels], written
	Rows           int32              // at most 128, see FitsColumns
	Channels       int32
	Epsilon        float32
	Momentum       float32
	Correction     float32 // of the variance that goes into the moving one
	Slope          float32
	Keep           float32
}

func (k *ColumnsForward) Entry() string  { return "columns_forward" }
func (k *ColumnsForward) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *ColumnsForward) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{Bytes: 8*n + int64(k.Mask.Len()) + 36*int64(k.Channels), Flops: 8 * n}
}

// Host does the channels of blocks lo to hi-1.
func (k *ColumnsForward) Host(lo, hi int) {
	for block := lo; block < hi; block++ {
		first, last := span(block, block+1, channelsPerBlock, int(k.Channels))
		if first += k.vector(first, last); first < last {
			k.scalar(first, last)
		}
	}
}

// scalar does channels first to last-1, which are of one block.
func (k *ColumnsForward) scalar(first, last int) {
	channels, rows := int(k.Channels), int(k.Rows)
	y, a, mask := k.Y.Host(), k.A.Host(), k.Mask.Host()
	var sums, squares columnSums
	for row := range rows {
		sum := sums.of(row)
		for c, v := range y[row*channels+first : row*channels+last] {
			sum[c] += float64(v)
		}
	}
	var exactMean, total [channelsPerBlock]float64
	for c := range last - first {
		exactMean[c] = sums.total(c) / float64(rows)
	}
	for row := range rows {
		sum := squares.of(row)
		for c, v := range y[row*channels+first : row*channels+last] {
			d := float64(v) - exactMean[c]
			sum[c] += float64(d * d)
		}
	}
	for c := range last - first {
		total[c] = squares.total(c)
	}
	k.finish(first, exactMean[:last-first], total[:])
	slopes := slopeTable(k.Slope)
	mean, scale, beta := k.Mean.Host()[first:], k.Scale.Host()[first:], k.Beta.Host()[first:]
	for row := range rows {
		at, end := row*channels+first, row*channels+last
		activate(y[at:end], mean, scale, beta, a[at:end], &slopes)
		if mask != nil {
			drop(a[at:end], mask[at:end], k.Keep)
		}
	}
}

// finish writes what is of the channels from first on, from their means and sums of
// squared deviations.
func (k *ColumnsForward) finish(first int, exactMean, squares []float64) {
	gamma, movingMean, movingVariance := k.Gamma.Host(), k.MovingMean.Host(), k.MovingVariance.Host()
	mean, invStd, scale := k.Mean.Host(), k.InvStd.Host(), k.Scale.Host()
	for i, m := range exactMean {
		c := first + i
		variance := float32(squares[i] / float64(k.Rows))
		mean[c] = float32(m)
		invStd[c] = inverseSqrt(variance + k.Epsilon)
		scale[c] = gamma[c] * invStd[c]
		movingMean[c] = movingAverage(movingMean[c], mean[c], k.Momentum)
		movingVariance[c] = movingAverage(movingVariance[c], float32(variance*k.Correction), k.Momentum)
	}
}

// ColumnsBackward is the backward pass of an epilogue, with the formulas of
// EpilogueReduce, BatchNormGradient and EpilogueBackward:
//
//	dz     = DA (Keep where Mask, else 0) (1 where z > 0, else Slope)
//	DBeta  = sum dz, DGamma = InvStd sum dz (y - Mean)
//	DY     = Scale dz + slope (y - Mean) + offset
//	slope  = -Scale InvStd DGamma / Rows, offset = -Scale DBeta / Rows
//
// A null DGamma means a bias without normalization: slope and offset are zero. With a null
// DY only the gradients of the parameters are computed.
type ColumnsBackward struct {
	DA       gpu.Slice[float32] // [Rows, Channels]
	Y        gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	InvStd   gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // [Rows, Channels], or null
	DGamma   gpu.Slice[float32] // [Channels], written, or null
	DBeta    gpu.Slice[float32] // [Channels], written
	DY       gpu.Slice[float32] // [Rows, Channels], written, or null
	Rows     int32              // at most 128, see FitsColumns
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *ColumnsBackward) Entry() string  { return "columns_backward" }
func (k *ColumnsBackward) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *ColumnsBackward) Cost() gpu.Cost {
	n := int64(k.Y.Len())
	return gpu.Cost{
		Bytes: 8*n + int64(k.Mask.Len()) + 4*int64(k.DY.Len()+k.DGamma.Len()) + 20*int64(k.Channels),
		Flops: 11 * n,
	}
}

// Host does the channels of blocks lo to hi-1.
func (k *ColumnsBackward) Host(lo, hi int) {
	for block := lo; block < hi; block++ {
		first, last := span(block, block+1, channelsPerBlock, int(k.Channels))
		if first += k.vector(first, last); first < last {
			k.scalar(first, last)
		}
	}
}

// scalar does channels first to last-1, which are of one block.
func (k *ColumnsBackward) scalar(first, last int) {
	channels, rows := int(k.Channels), int(k.Rows)
	da, y, dy, mask := k.DA.Host(), k.Y.Host(), k.DY.Host(), k.Mask.Host()
	mean, scale, beta := k.Mean.Host(), k.Scale.Host(), k.Beta.Host()
	slopes, keeps := slopeTable(k.Slope), [2]float32{0, k.Keep}
	var gradients [columnRows * channelsPerBlock]float32 // dz
	var sums, moments columnSums
	for row := range rows {
		dz, sum, moment := gradients[row*channelsPerBlock:][:last-first], sums.of(row), moments.of(row)
		for i := range dz {
			c := first + i
			at := row*channels + c
			d := y[at] - mean[c]
			v := da[at]
			if mask != nil {
				v *= keeps[mask[at]&1]
			}
			v *= slopes[positive(float32(d*scale[c])+beta[c])]
			dz[i] = v
			sum[i] += float64(v)
			moment[i] += float64(v) * float64(d)
		}
	}
	var sum, moment [channelsPerBlock]float64
	for i := range last - first {
		sum[i], moment[i] = sums.total(i), moments.total(i)
	}
	slope, offset := k.finish(first, sum[:last-first], moment[:])
	if dy == nil {
		return
	}
	for row := range rows {
		for i, dz := range gradients[row*channelsPerBlock:][:last-first] {
			c := first + i
			at := row*channels + c
			dy[at] = float32(dz*scale[c]) + float32((y[at]-mean[c])*slope[i]) + offset[i]
		}
	}
}

// finish writes the gradients of the channels from first on, from their sums, and
// returns slope and offset.
func (k *ColumnsBackward) finish(first int, sum, moment []float64) (slope, offset [channelsPerBlock]float32) {
	invStd, scale, dGamma, dBeta := k.InvStd.Host(), k.Scale.Host(), k.DGamma.Host(), k.DBeta.Host()
	for i, s := range sum {
		c := first + i
		dBeta[c] = float32(s)
		if dGamma == nil {
			continue
		}
		dGamma[c] = float32(moment[i]) * invStd[c]
		perRow := -scale[c] / float32(k.Rows)
		slope[i] = perRow * invStd[c] * dGamma[c]
		offset[i] = perRow * dBeta[c]
	}
	return slope, offset
}
