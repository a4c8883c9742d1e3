package kernels

import "diaghess/gpu"

// HesScale carries a diagonal of the Gauss-Newton matrix, q, from the logits
// down through the network, as a backward pass carries the gradient: each factor
// of the chain rule is squared, and what is beside the diagonal is dropped. See
// package optim/curvature, hesscale.go, for the formulas and what that costs in
// accuracy; the names of an epilogue's parts are those of epilogue.go.

// HesScaleLogits computes q at the logits. With p the softmax of a row,
//
//	Q = (p - p^2) / Rows
//
// the diagonal of the curvature of the mean cross-entropy by the logits, whatever
// the labels are.
type HesScaleLogits struct {
	Logits  gpu.Slice[float32] // [Rows, Classes]
	Q       gpu.Slice[float32] // [Rows, Classes], written
	Rows    int32
	Classes int32
}

func (k *HesScaleLogits) Entry() string { return "hesscale_logits" }
func (k *HesScaleLogits) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Rows), rowsPerSoftmaxBlock), Threads: threads}
}
func (k *HesScaleLogits) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 8 * int64(k.Logits.Len()), Flops: 7 * int64(k.Logits.Len())}
}

// Host does the rows of blocks lo to hi-1.
func (k *HesScaleLogits) Host(lo, hi int) {
	logits, q := k.Logits.Host(), k.Q.Host()
	classes := int(k.Classes)
	first, last := span(lo, hi, rowsPerSoftmaxBlock, int(k.Rows))
	for row := first; row < last; row++ {
		x, out := logits[row*classes:][:classes], q[row*classes:][:classes]
		largest, sum := softmaxOf(x)
		for c, v := range x {
			p := exp(v-largest) / sum
			out[c] = float32(p*(1-p)) / float32(k.Rows)
		}
	}
}

// GGNColumn computes one column, that of class Column, of a square root of the curvature of
// the mean cross-entropy by the logits: with p the softmax of a row,
//
//	D[row, c] = sqrt(p[Column] / Rows) ((1 where c is Column, else 0) - p[c])
//
// The sum over classes of D D^T is (diag(p) - p p^T) / Rows for each row.
type GGNColumn struct {
	Logits  gpu.Slice[float32] // [Rows, Classes]
	D       gpu.Slice[float32] // [Rows, Classes], written
	Rows    int32
	Classes int32
	Column  int32
}

func (k *GGNColumn) Entry() string { return "ggn_column" }
func (k *GGNColumn) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Rows), rowsPerSoftmaxBlock), Threads: threads}
}
func (k *GGNColumn) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 8 * int64(k.Logits.Len()), Flops: 7 * int64(k.Logits.Len())}
}

// Host does the rows of blocks lo to hi-1.
func (k *GGNColumn) Host(lo, hi int) {
	logits, d := k.Logits.Host(), k.D.Host()
	classes, column := int(k.Classes), int(k.Column)
	first, last := span(lo, hi, rowsPerSoftmaxBlock, int(k.Rows))
	for row := first; row < last; row++ {
		x, out := logits[row*classes:][:classes], d[row*classes:][:classes]
		largest, sum := softmaxOf(x)
		root := squareRoot(exp(x[column]-largest) / sum / float32(k.Rows))
		for c, v := range x {
			target := float32(0)
			if c == column {
				target = 1
			}
			out[c] = root * (target - exp(v-largest)/sum)
		}
	}
}

// ChannelMean finishes the mean of each channel that BatchNormStats began, in double
// precision.
type ChannelMean struct {
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels]
	Mean     gpu.Slice[float32] // [Channels], written
	Rows     int32
	Channels int32
}

func (k *ChannelMean) Entry() string  { return "channel_mean" }
func (k *ChannelMean) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *ChannelMean) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()/2+int(k.Channels)), Flops: int64(k.Partial.Len())}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *ChannelMean) Host(lo, hi int) {
	partial, mean := k.Partial.Host(), k.Mean.Host()
	channels, perChunk := int(k.Channels), rowsPerChunk(k.Channels)
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		var warps [threads / 32]float64
		for chunk := range Chunks(k.Rows, k.Channels) {
			rows := float64(min(perChunk, int(k.Rows)-chunk*perChunk))
			warps[chunk%len(warps)] += rows * float64(partial[chunk*2*channels+c])
		}
		sum := warps[0]
		for _, w := range warps[1:] {
			sum += w
		}
		mean[c] = float32(sum / float64(k.Rows))
	}
}

// CenteredSquare computes the squares of an input minus its mean:
//
//	Out = (X - Mean)^2
type CenteredSquare struct {
	X        gpu.Slice[float32] // [Rows, Channels]
	Mean     gpu.Slice[float32] // [Channels]
	Out      gpu.Slice[float32] // [Rows, Channels], written
	Rows     int32
	Channels int32
}

func (k *CenteredSquare) Entry() string  { return "centered_square" }
func (k *CenteredSquare) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *CenteredSquare) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 8*int64(k.X.Len()) + 4*int64(k.Channels), Flops: 2 * int64(k.X.Len())}
}

// Host squares the rows of blocks lo to hi-1.
func (k *CenteredSquare) Host(lo, hi int) {
	channels := int(k.Channels)
	x, mean, out := k.X.Host(), k.Mean.Host(), k.Out.Host()
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		from, to := x[row*channels:][:channels], out[row*channels:][:channels]
		for c := done; c < channels; c++ {
			d := from[c] - mean[c]
			to[c] = d * d
		}
	}
}

// HesScaleSlope takes q from an epilogue's output to its z, at every row before
// pooling, and begins the sums over rows: with d = y - Mean,
//
//	QZ = QA (Keep^2 where Mask, else 0) (1 where z > 0, else Slope^2)
//	Partial[chunk, 0, c] = sum QZ, [chunk, 1, c] = sum QZ d, [chunk, 2, c] = sum QZ d^2
//
// With Index an element that is not its window's largest has QZ = 0.
type HesScaleSlope struct {
	QA       gpu.Slice[float32] // [Rows, Channels], or with Index [pooled rows, Channels]
	Y        gpu.Slice[float32] // [Rows, Channels]
	Index    gpu.Slice[uint8]   // [pooled rows, Channels], or null: no pooling
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // of the shape of QA, or null
	QZ       gpu.Slice[float32] // [Rows, Channels], written, or null: sums alone
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 3, Channels], written
	Rows     int32              // pictures x Height x Width
	Height   int32
	Width    int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *HesScaleSlope) Entry() string  { return "hesscale_slope" }
func (k *HesScaleSlope) Grid() gpu.Grid { return chunkGrid(k.Rows, k.Channels) }
func (k *HesScaleSlope) Cost() gpu.Cost {
	floats := k.QA.Len() + k.Y.Len() + k.QZ.Len() + k.Partial.Len() + 3*int(k.Channels)
	return gpu.Cost{Bytes: 4*int64(floats) + int64(k.Mask.Len()+k.Index.Len()), Flops: 11 * int64(k.Y.Len())}
}

// Host does chunks lo to hi-1.
func (k *HesScaleSlope) Host(lo, hi int) {
	channels := int(k.Channels)
	qa, y, index, mask, partial := k.QA.Host(), k.Y.Host(), k.Index.Host(), k.Mask.Host(), k.Partial.Host()
	mean, scale, beta, qz := k.Mean.Host(), k.Scale.Host(), k.Beta.Host(), k.QZ.Host()
	slopes, keeps := slopeTable(k.Slope*k.Slope), [2]float32{0, k.Keep * k.Keep}
	for chunk := lo; chunk < hi; chunk++ {
		sums := partial[chunk*3*channels:][:3*channels]
		clear(sums)
		s0, s1, s2 := sums[:channels], sums[channels:2*channels], sums[2*channels:]
		first, last := span(chunk, chunk+1, rowsPerChunk(k.Channels), int(k.Rows))
		done := k.vector(first, last, s0, s1, s2)
		for row := first; row < last && done < channels; row++ {
			from, position := row, uint8(0)
			if index != nil {
				from, position = pooledRow(row, int(k.Height), int(k.Width))
			}
			for c := done; c < channels; c++ {
				at, source := row*channels+c, from*channels+c
				d := y[at] - mean[c]
				q := qa[source] * slopes[positive(float32(d*scale[c])+beta[c])]
				if mask != nil {
					q *= keeps[mask[source]&1]
				}
				if index != nil && index[source] != position {
					q = 0
				}
				if qz != nil {
					qz[at] = q
				}
				s0[c] += q
				s1[c] += float32(q * d)
				s2[c] += float32(q * float32(d*d))
			}
		}
	}
}

// pooledRow returns the row of the 2x2 window that a row is in, and its place
// there, 0 to 3.
func pooledRow(row, height, width int) (pooled int, position uint8) {
	picture, pixel := row/(height*width), row%(height*width)
	h, w := pixel/width, pixel%width
	return (picture*((height+1)/2)+h/2)*((width+1)/2) + w/2, uint8(h%2*2 + w%2)
}

// HesScaleFinish finishes the sums of HesScaleSlope, S0, S1 and S2, in double
// precision, and makes the curvature of the epilogue's parameters and the
// coefficients of HesScaleBackward. With r = InvStd, s = Scale and N = Rows,
//
//	HBeta = S0, HGamma = r^2 S2
//	P0 = s^2 (1 - 2/N), P2 = -2 s^2 r^2 / N
//	R0 = s^2 S0 / N^2, R1 = 2 s^2 r^2 S1 / N^2, R2 = s^2 r^4 S2 / N^2
//
// A null HGamma means a bias without normalization, and no coefficients.
type HesScaleFinish struct {
	Partial      gpu.Slice[float32] // [Chunks(Rows, Channels), 3, Channels]
	InvStd       gpu.Slice[float32] // [Channels]
	Scale        gpu.Slice[float32] // [Channels]
	HGamma       gpu.Slice[float32] // [Channels], written, or null
	HBeta        gpu.Slice[float32] // [Channels], written
	Coefficients gpu.Slice[float32] // [5, Channels]: P0, P2, R0, R1, R2, written unless HGamma is null
	Rows         int32
	Channels     int32
}

func (k *HesScaleFinish) Entry() string  { return "hesscale_finish" }
func (k *HesScaleFinish) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *HesScaleFinish) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+9*int(k.Channels)), Flops: int64(k.Partial.Len() + 16*int(k.Channels))}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *HesScaleFinish) Host(lo, hi int) {
	partial, invStd, scale := k.Partial.Host(), k.InvStd.Host(), k.Scale.Host()
	hGamma, hBeta, coefficients := k.HGamma.Host(), k.HBeta.Host(), k.Coefficients.Host()
	channels := int(k.Channels)
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		var warps [3][threads / 32]float64
		for chunk := range Chunks(k.Rows, k.Channels) {
			for i := range warps {
				warps[i][chunk%len(warps[i])] += float64(partial[(3*chunk+i)*channels+c])
			}
		}
		var sums [3]float64
		for i := range sums {
			for _, w := range warps[i] {
				sums[i] += w
			}
		}
		hBeta[c] = float32(sums[0])
		if hGamma == nil {
			continue
		}
		n, r2, s2 := float64(k.Rows), float64(invStd[c])*float64(invStd[c]), float64(scale[c])*float64(scale[c])
		perRow := s2 / n
		hGamma[c] = float32(r2 * sums[2])
		for i, v := range [5]float64{
			s2 - 2*perRow, -2 * perRow * r2, perRow * sums[0] / n, 2 * perRow * r2 * sums[1] / n, perRow * r2 * r2 * sums[2] / n,
		} {
			coefficients[i*channels+c] = float32(v)
		}
	}
}

// HesScaleBackward takes q from z through a normalization by the batch's own
// statistics to y, in place: with d = y - Mean,
//
//	Q = max(0, Q (P0 + P2 d^2) + R0 + R1 d + R2 d^2)
//
// which is the squared Jacobian of the normalization times q.
type HesScaleBackward struct {
	Q            gpu.Slice[float32] // [Rows, Channels], updated
	Y            gpu.Slice[float32] // [Rows, Channels]
	Mean         gpu.Slice[float32] // [Channels]
	Coefficients gpu.Slice[float32] // [5, Channels], see HesScaleFinish
	Rows         int32
	Channels     int32
}

func (k *HesScaleBackward) Entry() string  { return "hesscale_backward" }
func (k *HesScaleBackward) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *HesScaleBackward) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 12*int64(k.Y.Len()) + 24*int64(k.Channels), Flops: 11 * int64(k.Y.Len())}
}

// Host does the rows of blocks lo to hi-1.
func (k *HesScaleBackward) Host(lo, hi int) {
	channels := int(k.Channels)
	q, y, mean, coefficients := k.Q.Host(), k.Y.Host(), k.Mean.Host()[:channels], k.Coefficients.Host()
	of := func(i int) []float32 { return coefficients[i*channels:][:channels] }
	p0, p2, r0, r1, r2 := of(0), of(1), of(2), of(3), of(4)
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last)
	for row := first; row < last && done < channels; row++ {
		qi, yi := q[row*channels:][:channels], y[row*channels:][:channels]
		for c := done; c < channels; c++ {
			d := yi[c] - mean[c]
			square := d * d
			v := float32(qi[c]*(p0[c]+float32(p2[c]*square))) + r0[c]
			v += float32(r1[c]*d) + float32(r2[c]*square)
			if v < 0 {
				v = 0
			}
			qi[c] = v
		}
	}
}
