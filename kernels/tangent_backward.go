package kernels

import "diaghess/gpu"

// The way back of tangent.go: the tangents of what an epilogue's backward pass
// computes, of the gradients by gamma and beta and by y. That pass, see
// batchnorm.go, is
//
//	dz     = da D
//	dBeta  = sum of dz, M = sum of dz d, dGamma = r M
//	dy     = s dz + c1 d + c0 with c1 = -s r dGamma / N, c0 = -s dBeta / N
//
// and has left dBeta and dGamma. With dDot = yDot - meanDot,
//
//	dzDot  = daDot D
//	dBetaDot  = sum of dzDot, MDot = sum of (dzDot d + dz dDot)
//	dGammaDot = rDot M + r MDot
//	c1Dot  = -(sDot r dGamma + s rDot dGamma + s r dGammaDot) / N
//	c0Dot  = -(sDot dBeta + s dBetaDot) / N
//	dyDot  = sDot dz + s dzDot + c1Dot d + c1 dDot + c0Dot
//
// Behind pooling dz and dzDot are zero but at the winner of each window.

// TangentReduce is the first stage:
//
//	Partial[chunk, 0, c] = sum of dzDot over the rows of the chunk
//	Partial[chunk, 1, c] = sum of (dzDot d + dz dDot) there
type TangentReduce struct {
	DA       gpu.Slice[float32] // [Rows, Channels], or with Index [pooled rows, Channels]
	DADot    gpu.Slice[float32] // of the shape of DA
	Y        gpu.Slice[float32] // [Rows, Channels]
	YDot     gpu.Slice[float32] // [Rows, Channels]
	Index    gpu.Slice[uint8]   // [pooled rows, Channels], or null: no pooling
	Mean     gpu.Slice[float32] // [Channels]
	Scale    gpu.Slice[float32] // [Channels]
	Beta     gpu.Slice[float32] // [Channels]
	MeanDot  gpu.Slice[float32] // [Channels]
	Mask     gpu.Slice[uint8]   // of the shape of DA, or null: keep all
	Partial  gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels], written
	Rows     int32              // of Y
	Height   int32              // of its pictures; without Index not used
	Width    int32
	Channels int32
	Slope    float32
	Keep     float32
}

func (k *TangentReduce) Entry() string  { return "tangent_reduce" }
func (k *TangentReduce) Grid() gpu.Grid { return chunkGrid(k.Rows, k.Channels) }
func (k *TangentReduce) Cost() gpu.Cost {
	n, out := int64(k.Y.Len()), int64(k.DA.Len())
	return gpu.Cost{
		Bytes: 8*n + 8*out + int64(k.Index.Len()+k.Mask.Len()) + 4*int64(k.Partial.Len()+4*int(k.Channels)),
		Flops: 6*n + 6*out,
	}
}

// Host reduces chunks lo to hi-1.
func (k *TangentReduce) Host(lo, hi int) {
	channels := int(k.Channels)
	y, yDot, partial := k.Y.Host(), k.YDot.Host(), k.Partial.Host()
	mean, scale, beta, meanDot := k.Mean.Host(), k.Scale.Host(), k.Beta.Host(), k.MeanDot.Host()
	from := tangentGradients{
		da: k.DA.Host(), daDot: k.DADot.Host(), index: k.Index.Host(), mask: k.Mask.Host(),
		height: int(k.Height), width: int(k.Width), channels: channels, slopes: slopeTable(k.Slope), keeps: [2]float32{0, k.Keep},
	}
	for chunk := lo; chunk < hi; chunk++ {
		sum := partial[chunk*2*channels:][:channels]
		moment := partial[(chunk*2+1)*channels:][:channels]
		clear(sum)
		clear(moment)
		first, last := span(chunk, chunk+1, rowsPerChunk(k.Channels), int(k.Rows))
		done := k.vector(first, last, sum, moment, &from)
		for row := first; row < last && done < channels; row++ {
			source, position := from.row(row)
			for c := done; c < channels; c++ {
				at := row*channels + c
				d, dDot := y[at]-mean[c], yDot[at]-meanDot[c]
				dz, dzDot := from.dz(source+c, position, float32(d*scale[c])+beta[c])
				sum[c] += dzDot
				moment[c] += float32(dzDot*d) + float32(dz*dDot)
			}
		}
	}
}

// tangentGradients takes da and daDot through dropout, pooling and LeakyReLU.
type tangentGradients struct {
	da, daDot               []float32
	index, mask             []uint8 // nil for none
	height, width, channels int
	slopes, keeps           [2]float32
}

// row returns the first element of da that a row of y goes to, and the row's place
// in its window.
func (g *tangentGradients) row(row int) (source int, position uint8) {
	if g.index == nil {
		return row * g.channels, 0
	}
	row, position = pooledRow(row, g.height, g.width)
	return row * g.channels, position
}

// dz returns dz and dzDot at an element of z that goes to element source of da.
func (g *tangentGradients) dz(source int, position uint8, z float32) (dz, dzDot float32) {
	if g.index != nil && g.index[source] != position {
		return 0, 0
	}
	factor := g.slopes[positive(z)]
	if g.mask != nil {
		factor *= g.keeps[g.mask[source]&1]
	}
	return g.da[source] * factor, g.daDot[source] * factor
}

// TangentGradient is the second stage, in double precision: the tangents of the
// parameters' gradients, and the coefficients of TangentBackward. With DGammaDot
// null there is a bias alone, and no coefficients.
type TangentGradient struct {
	Partial      gpu.Slice[float32] // [Chunks(Rows, Channels), 2, Channels]
	InvStd       gpu.Slice[float32] // [Channels]
	InvStdDot    gpu.Slice[float32] // [Channels]
	Scale        gpu.Slice[float32] // [Channels]
	ScaleDot     gpu.Slice[float32] // [Channels]
	DGamma       gpu.Slice[float32] // [Channels], or null with DGammaDot
	DBeta        gpu.Slice[float32] // [Channels]
	DGammaDot    gpu.Slice[float32] // [Channels], written, or null
	DBetaDot     gpu.Slice[float32] // [Channels], written
	Coefficients gpu.Slice[float32] // [3, Channels]: c1, c1Dot, c0Dot, written unless DGammaDot is null
	Rows         int32
	Channels     int32
}

func (k *TangentGradient) Entry() string  { return "tangent_gradient" }
func (k *TangentGradient) Grid() gpu.Grid { return channelGrid(k.Channels) }
func (k *TangentGradient) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Partial.Len()+11*int(k.Channels)), Flops: int64(k.Partial.Len() + 22*int(k.Channels))}
}

// Host finishes the channels of blocks lo to hi-1.
func (k *TangentGradient) Host(lo, hi int) {
	partial, invStd, invStdDot, scale, scaleDot := k.Partial.Host(), k.InvStd.Host(), k.InvStdDot.Host(), k.Scale.Host(), k.ScaleDot.Host()
	dGamma, dBeta, dGammaDot, dBetaDot := k.DGamma.Host(), k.DBeta.Host(), k.DGammaDot.Host(), k.DBetaDot.Host()
	channels, chunks := int(k.Channels), Chunks(k.Rows, k.Channels)
	coefficients := k.Coefficients.Host()
	first, last := span(lo, hi, channelsPerBlock, channels)
	for c := first; c < last; c++ {
		sum, momentDot := chunkSums(partial, chunks, channels, c)
		dBetaDot[c] = float32(sum)
		if dGammaDot == nil {
			continue
		}
		n, r, rDot, s, sDot := float64(k.Rows), float64(invStd[c]), float64(invStdDot[c]), float64(scale[c]), float64(scaleDot[c])
		g := float64(dGamma[c])
		gDot := float64(rDot*(g/r)) + float64(r*momentDot)
		dGammaDot[c] = float32(gDot)
		for i, v := range [3]float64{
			-(s * r * g) / n,
			-(float64(sDot*r*g) + float64(s*rDot*g) + float64(s*r*gDot)) / n,
			-(float64(sDot*float64(dBeta[c])) + float64(s*sum)) / n,
		} {
			coefficients[i*channels+c] = float32(v)
		}
	}
}

// TangentBackward computes dyDot, the tangent of the gradient by y.
type TangentBackward struct {
	DA           gpu.Slice[float32] // [Rows, Channels], or with Index [pooled rows, Channels]
	DADot        gpu.Slice[float32] // of the shape of DA
	Y            gpu.Slice[float32] // [Rows, Channels]
	YDot         gpu.Slice[float32] // [Rows, Channels]
	Index        gpu.Slice[uint8]   // [pooled rows, Channels], or null: no pooling
	Mean         gpu.Slice[float32] // [Channels]
	Scale        gpu.Slice[float32] // [Channels]
	Beta         gpu.Slice[float32] // [Channels]
	MeanDot      gpu.Slice[float32] // [Channels]
	ScaleDot     gpu.Slice[float32] // [Channels]
	Coefficients gpu.Slice[float32] // [3, Channels], see TangentGradient
	Mask         gpu.Slice[uint8]   // of the shape of DA, or null: keep all
	DYDot        gpu.Slice[float32] // [Rows, Channels], written
	Rows         int32              // of Y
	Height       int32              // of its pictures; without Index not used
	Width        int32
	Channels     int32
	Slope        float32
	Keep         float32
}

func (k *TangentBackward) Entry() string  { return "tangent_backward" }
func (k *TangentBackward) Grid() gpu.Grid { return rowGrid(k.Rows, k.Channels) }
func (k *TangentBackward) Cost() gpu.Cost {
	n, out := int64(k.Y.Len()), int64(k.DA.Len())
	return gpu.Cost{
		Bytes: 12*n + 8*out + int64(k.Index.Len()+k.Mask.Len()) + 32*int64(k.Channels),
		Flops: 9*n + 7*out,
	}
}

// Host writes the rows of blocks lo to hi-1.
func (k *TangentBackward) Host(lo, hi int) {
	channels := int(k.Channels)
	y, yDot, dyDot := k.Y.Host(), k.YDot.Host(), k.DYDot.Host()
	mean, scale, beta, meanDot, scaleDot := k.Mean.Host(), k.Scale.Host(), k.Beta.Host(), k.MeanDot.Host(), k.ScaleDot.Host()
	coefficients := k.Coefficients.Host()
	c1, c1Dot, c0Dot := coefficients[:channels], coefficients[channels:2*channels], coefficients[2*channels:]
	from := tangentGradients{
		da: k.DA.Host(), daDot: k.DADot.Host(), index: k.Index.Host(), mask: k.Mask.Host(),
		height: int(k.Height), width: int(k.Width), channels: channels, slopes: slopeTable(k.Slope), keeps: [2]float32{0, k.Keep},
	}
	first, last := span(lo, hi, rowsPerBlock(k.Channels), int(k.Rows))
	done := k.vector(first, last, &from)
	for row := first; row < last && done < channels; row++ {
		source, position := from.row(row)
		for c := done; c < channels; c++ {
			at := row*channels + c
			d, dDot := y[at]-mean[c], yDot[at]-meanDot[c]
			dz, dzDot := from.dz(source+c, position, float32(d*scale[c])+beta[c])
			through := float32(dz*scaleDot[c]) + float32(dzDot*scale[c])
			dyDot[at] = through + float32(d*c1Dot[c]) + float32(dDot*c1[c]) + c0Dot[c]
		}
	}
}
