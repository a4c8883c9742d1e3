package layers

import (
	"errors"
	"fmt"
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
)

// The constants of batch normalization, with Keras's names and the pilot's values.
const (
	BatchNormEpsilon  = 1e-3
	BatchNormMomentum = 0.99
)

// Epilogue is what follows a [Conv] or [Dense], in this order:
//
//	normalization, z = gamma (y - mean) / sqrt(variance + epsilon) + beta,
//	  or with BatchNorm false a bias, z = y + bias
//	LeakyReLU, a = z where z > 0, else Slope z; its derivative at 0 is Slope
//	2x2 max pooling, stride 2, same padding, where Pool is set
//	dropout at rate Dropout, kept values times 1/(1 - rate), in training
type Epilogue struct {
	Name      string
	BatchNorm bool
	Slope     float32 // 1 is the identity, 0 ReLU
	Pool      bool
	Dropout   float32 // in [0, 1)
}

func (l Epilogue) declare(d *declaration, in Shape) (node, Shape, error) {
	switch {
	case l.Dropout < 0 || l.Dropout >= 1:
		return nil, Shape{}, fmt.Errorf("epilogue %s: dropout rate %g is not in [0, 1)", l.Name, l.Dropout)
	case l.Slope < 0 || l.Slope > 1:
		return nil, Shape{}, fmt.Errorf("epilogue %s: slope %g is not in [0, 1]", l.Name, l.Slope)
	case l.Pool && in.Flat:
		return nil, Shape{}, fmt.Errorf("epilogue %s pools after a dense layer", l.Name)
	}
	e := &epilogue{Epilogue: l, in: in}
	if l.BatchNorm {
		e.gamma = d.parameter(l.Name+"/gamma", constant(1), in.Channels)
		e.beta = d.parameter(l.Name+"/beta", constant(0), in.Channels)
		e.movingMean = d.statistic(l.Name+"/moving_mean", 0, in.Channels)
		e.movingVariance = d.statistic(l.Name+"/moving_variance", 1, in.Channels)
	} else {
		e.beta = d.parameter(l.Name+"/bias", constant(0), in.Channels)
	}
	if l.Dropout > 0 {
		d.network.dropouts++
		e.stream = kernels.RandomStream(fmt.Sprintf("dropout/%d", d.network.dropouts))
	}
	out := in
	if l.Pool {
		out.Height, out.Width = (in.Height+1)/2, (in.Width+1)/2
	}
	e.out = out
	return e, out, nil
}

// epilogue is an Epilogue of a network.
type epilogue struct {
	Epilogue
	in, out                    Shape
	gamma, beta                *Parameter // gamma is nil without normalization
	movingMean, movingVariance *Statistic // nil without normalization
	stream                     uint32     // of its dropout mask
}

func (e *epilogue) bind(b *binder, y gpu.Slice[float32]) (unit, gpu.Slice[float32], error) {
	channels := func() gpu.Slice[float32] { return gpu.Reserve[float32](b.arena, e.in.Channels) }
	u := &epilogueUnit{
		epilogue: e,
		batch:    b.batch.Size,
		y:        y,
		a:        gpu.Reserve[float32](b.arena, b.batch.Size*e.out.Elements()),
		mean:     channels(),
		dSlope:   channels(),
		dOffset:  channels(),
	}
	if e.BatchNorm {
		u.invStd, u.scale = channels(), channels()
		u.statistics, u.zeros = gpu.Reserve[float32](b.arena, 2*e.in.Channels), gpu.ReserveCopy(b.arena, make([]float32, 2*e.in.Channels))
	} else { // a bias is a normalization with mean 0 and deviation 1
		ones := slices.Repeat([]float32{1}, e.in.Channels)
		u.invStd, u.scale = gpu.ReserveCopy(b.arena, ones), gpu.ReserveCopy(b.arena, ones)
	}
	if e.Pool {
		u.index, u.winner = gpu.Reserve[uint8](b.arena, u.a.Len()), gpu.Reserve[float32](b.arena, u.a.Len())
	}
	if e.Dropout > 0 {
		u.maskOffset = b.dropout(u.a.Len(), e.stream, e.Dropout)
	}
	u.partials = b.partials.Take(u.partialSize(2, u.rows()))
	return u, u.a, nil
}

var (
	_ tangentUnit  = (*epilogueUnit)(nil)
	_ hesScaleUnit = (*epilogueUnit)(nil)
	_ columnUnit   = (*epilogueUnit)(nil)
)

// epilogueUnit is an epilogue bound to a batch.
type epilogueUnit struct {
	*epilogue
	batch               int
	y, a, da, dy        gpu.Slice[float32]
	mean, invStd, scale gpu.Slice[float32] // [channels]
	dSlope, dOffset     gpu.Slice[float32] // [channels]
	statistics, zeros   gpu.Slice[float32] // [2, channels]: a batch's mean and variance, for calibrate; null without normalization
	index               gpu.Slice[uint8]   // null without pooling, as winner
	winner              gpu.Slice[float32] // y at each window's maximum
	mask                gpu.Slice[uint8]   // null without dropout
	partials            gpu.Slice[float32] // the first stage of reductions
	maskOffset          int
}

func (u *epilogueUnit) label() string { return u.Name }

// rows and outRows are the rows, of a channel each, before and after pooling.
func (u *epilogueUnit) rows() int    { return u.batch * u.in.Height * u.in.Width }
func (u *epilogueUnit) outRows() int { return u.batch * u.out.Height * u.out.Width }

// partialSize is the length of the first stage of a reduction of rows to a number of
// sums for each channel.
func (u *epilogueUnit) partialSize(sums, rows int) int {
	return sums * kernels.Chunks(int32(rows), int32(u.in.Channels)) * u.in.Channels
}

// columns says that a block of a kernel can do whole columns.
func (u *epilogueUnit) columns() bool { return u.in.Flat && kernels.FitsColumns(u.rows()) }

// identity says that nothing but a bias is added.
func (u *epilogueUnit) identity() bool {
	return !u.BatchNorm && u.Slope == 1 && !u.Pool && u.Dropout == 0
}

func (u *epilogueUnit) bindGradient(b *binder, output gpu.Slice[float32], _ bool) gpu.Slice[float32] {
	if u.Dropout > 0 {
		u.mask = b.batch.Mask.Sub(u.maskOffset, u.maskOffset+u.a.Len())
	}
	u.da, u.dy = output, output
	if !u.identity() {
		u.dy = b.gradient(u.y.Len())
	}
	return u.dy
}

// keep is the factor of what dropout keeps.
func (u *epilogueUnit) keep() float32 { return float32(1 / (1 - float64(u.Dropout))) }

// correction makes the moving variance unbiased where Keras's is.
func (u *epilogueUnit) correction() float32 {
	if n := u.rows(); !u.in.Flat && n > 1 {
		return float32(float64(n) / float64(n-1))
	}
	return 1
}

func (u *epilogueUnit) forward(r *gpu.Recorder, training bool) {
	channels := int32(u.in.Channels)
	switch {
	case u.BatchNorm && training && u.columns():
		r.Record(&kernels.ColumnsForward{
			Y: u.y, Gamma: u.gamma.Value, Beta: u.beta.Value, Mask: u.mask,
			MovingMean: u.movingMean.Value, MovingVariance: u.movingVariance.Value,
			Mean: u.mean, InvStd: u.invStd, Scale: u.scale, A: u.a, Rows: int32(u.rows()), Channels: channels,
			Epsilon: BatchNormEpsilon, Momentum: BatchNormMomentum, Correction: u.correction(), Slope: u.Slope, Keep: u.keep(),
		})
		return
	case u.BatchNorm && training:
		u.normalize(r, u.movingMean.Value, u.movingVariance.Value, BatchNormMomentum, u.correction())
	case u.BatchNorm:
		r.Record(&kernels.BatchNormInference{
			MovingMean: u.movingMean.Value, MovingVariance: u.movingVariance.Value, Gamma: u.gamma.Value,
			Mean: u.mean, InvStd: u.invStd, Scale: u.scale, Channels: channels, Epsilon: BatchNormEpsilon,
		})
	}
	u.apply(r, training)
}

// normalize finds the coefficients of a normalization with the batch's own statistics, and
// updates the moving ones.
func (u *epilogueUnit) normalize(r *gpu.Recorder, movingMean, movingVariance gpu.Slice[float32], momentum, correction float32) {
	rows, channels := int32(u.rows()), int32(u.in.Channels)
	partial := u.partials.Sub(0, u.partialSize(2, u.rows()))
	r.Record(&kernels.BatchNormStats{Y: u.y, Partial: partial, Rows: rows, Channels: channels})
	r.Record(&kernels.BatchNormFinish{
		Partial: partial, Gamma: u.gamma.Value, MovingMean: movingMean, MovingVariance: movingVariance,
		Mean: u.mean, InvStd: u.invStd, Scale: u.scale, Rows: rows, Channels: channels,
		Epsilon: BatchNormEpsilon, Momentum: momentum, Correction: correction,
	})
}

// calibrate normalizes with the batch's own statistics, and merges them into those of the
// pass.
func (u *epilogueUnit) calibrate(r *gpu.Recorder, state gpu.Slice[uint32]) {
	if !u.BatchNorm {
		u.forward(r, false)
		return
	}
	// From zero and with momentum 0 the moving statistics become the batch's, without rounding.
	channels := u.in.Channels
	mean, variance := u.statistics.Sub(0, channels), u.statistics.Sub(channels, 2*channels)
	r.Record(&kernels.Copy{To: u.statistics, From: u.zeros, Elements: int32(2 * channels)})
	u.normalize(r, mean, variance, 0, 1)
	r.Record(&kernels.StatisticsMerge{
		BatchMean: mean, BatchVariance: variance, Mean: u.movingMean.Value, Variance: u.movingVariance.Value,
		State: state, Samples: uint32(u.batch), Channels: int32(channels),
	})
	u.apply(r, false)
}

// apply applies the coefficients and what follows them, in training with dropout.
func (u *epilogueUnit) apply(r *gpu.Recorder, training bool) {
	channels := int32(u.in.Channels)
	var mask gpu.Slice[uint8]
	if training {
		mask = u.mask
	}
	if u.Pool {
		k := &kernels.EpiloguePoolForward{
			Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: mask, A: u.a,
			Pictures: int32(u.batch), Height: int32(u.in.Height), Width: int32(u.in.Width), Channels: channels,
			Slope: u.Slope, Keep: u.keep(),
		}
		if training {
			k.Index, k.Winner = u.index, u.winner
		}
		r.Record(k)
		return
	}
	r.Record(&kernels.EpilogueForward{
		Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: mask, A: u.a,
		Rows: int32(u.rows()), Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
}

func (u *epilogueUnit) backward(r *gpu.Recorder, gradients gpu.Slice[float32]) {
	channels := int32(u.in.Channels)
	if u.columns() {
		k := &kernels.ColumnsBackward{
			DA: u.da, Y: u.y, Mean: u.mean, InvStd: u.invStd, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask,
			DBeta: u.beta.In(gradients), Rows: int32(u.rows()), Channels: channels, Slope: u.Slope, Keep: u.keep(),
		}
		if u.BatchNorm {
			k.DGamma = u.gamma.In(gradients)
		}
		if !u.identity() {
			k.DY = u.dy
		}
		r.Record(k)
		return
	}
	chunks := kernels.Chunks(int32(u.outRows()), channels)
	partial := u.partials.Sub(0, u.partialSize(2, u.outRows()))
	y := u.y
	if u.Pool {
		y = u.winner
	}
	r.Record(&kernels.EpilogueReduce{
		DA: u.da, Y: y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask, Partial: partial,
		Rows: int32(u.outRows()), Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
	gradient := &kernels.BatchNormGradient{
		Partial: partial, InvStd: u.invStd, Scale: u.scale, DBeta: u.beta.In(gradients), Slope: u.dSlope, Offset: u.dOffset,
		Rows: int32(u.rows()), Channels: channels, Chunks: int32(chunks),
	}
	if u.BatchNorm {
		gradient.DGamma = u.gamma.In(gradients)
	}
	r.Record(gradient)
	switch {
	case u.identity():
	case u.Pool:
		r.Record(&kernels.EpiloguePoolBackward{
			DA: u.da, Y: u.y, Index: u.index, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value,
			DSlope: u.dSlope, DOffset: u.dOffset, Mask: u.mask, DY: u.dy,
			Pictures: int32(u.batch), Height: int32(u.in.Height), Width: int32(u.in.Width), Channels: channels,
			Slope: u.Slope, Keep: u.keep(),
		})
	default:
		r.Record(&kernels.EpilogueBackward{
			DA: u.da, Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value,
			DSlope: u.dSlope, DOffset: u.dOffset, Mask: u.mask, DY: u.dy,
			Rows: int32(u.rows()), Channels: channels, Slope: u.Slope, Keep: u.keep(),
		})
	}
}

// epilogueTangent is the layer's part of a tangent. Without normalization the tangents
// of its coefficients stay zero.
type epilogueTangent struct {
	*epilogueUnit
	tangent                      *Tangent
	yDot, aDot                   gpu.Slice[float32]
	meanDot, invStdDot, scaleDot gpu.Slice[float32] // [channels]
	coefficients                 gpu.Slice[float32] // [3, channels], see kernels.TangentGradient
}

func (u *epilogueUnit) bindTangent(t *Tangent, a *gpu.Arena, yDot gpu.Slice[float32]) (tangentStage, gpu.Slice[float32]) {
	floats := func(n int) gpu.Slice[float32] { return gpu.Reserve[float32](a, n) }
	if yDot.IsNull() {
		yDot = floats(u.y.Len())
	}
	channels := u.in.Channels
	s := &epilogueTangent{
		epilogueUnit: u, tangent: t, yDot: yDot, aDot: floats(u.a.Len()),
		meanDot: floats(channels), invStdDot: floats(channels), scaleDot: floats(channels), coefficients: floats(3 * channels),
	}
	return s, s.aDot
}

func (s *epilogueTangent) forward(r *gpu.Recorder, z gpu.Slice[float32]) {
	rows, channels := int32(s.rows()), int32(s.in.Channels)
	if s.BatchNorm {
		partial := s.tangent.partials.Take(s.partialSize(2, s.rows()))
		r.Record(&kernels.TangentStats{Y: s.y, YDot: s.yDot, Mean: s.mean, Partial: partial, Rows: rows, Channels: channels})
		r.Record(&kernels.TangentFinish{
			Partial: partial, Gamma: s.gamma.Value, GammaDot: s.gamma.In(z), InvStd: s.invStd,
			MeanDot: s.meanDot, InvStdDot: s.invStdDot, ScaleDot: s.scaleDot, Rows: rows, Channels: channels,
		})
	}
	if s.Pool {
		r.Record(&kernels.TangentPoolForward{
			Y: s.y, YDot: s.yDot, Index: s.index, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
			MeanDot: s.meanDot, ScaleDot: s.scaleDot, BetaDot: s.beta.In(z), Mask: s.mask, ADot: s.aDot,
			Pictures: int32(s.batch), Height: int32(s.in.Height), Width: int32(s.in.Width), Channels: channels,
			Slope: s.Slope, Keep: s.keep(),
		})
		return
	}
	r.Record(&kernels.TangentForward{
		Y: s.y, YDot: s.yDot, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
		MeanDot: s.meanDot, ScaleDot: s.scaleDot, BetaDot: s.beta.In(z), Mask: s.mask, ADot: s.aDot,
		Rows: rows, Channels: channels, Slope: s.Slope, Keep: s.keep(),
	})
}

func (s *epilogueTangent) backward(r *gpu.Recorder, _, product, daDot gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	rows, height, width, channels := int32(s.rows()), int32(s.in.Height), int32(s.in.Width), int32(s.in.Channels)
	partial := s.tangent.partials.Take(s.partialSize(2, s.rows()))
	r.Record(&kernels.TangentReduce{
		DA: s.da, DADot: daDot, Y: s.y, YDot: s.yDot, Index: s.index, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
		MeanDot: s.meanDot, Mask: s.mask, Partial: partial,
		Rows: rows, Height: height, Width: width, Channels: channels, Slope: s.Slope, Keep: s.keep(),
	})
	gradient := &kernels.TangentGradient{
		Partial: partial, InvStd: s.invStd, InvStdDot: s.invStdDot, Scale: s.scale, ScaleDot: s.scaleDot,
		DBeta: s.beta.Gradient, DBetaDot: s.beta.In(product), Coefficients: s.coefficients, Rows: rows, Channels: channels,
	}
	if s.BatchNorm {
		gradient.DGamma, gradient.DGammaDot = s.gamma.Gradient, s.gamma.In(product)
	}
	r.Record(gradient)
	if s.identity() || !wanted {
		return daDot
	}
	dyDot := s.tangent.gradients.Take(s.y.Len())
	r.Record(&kernels.TangentBackward{
		DA: s.da, DADot: daDot, Y: s.y, YDot: s.yDot, Index: s.index, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
		MeanDot: s.meanDot, ScaleDot: s.scaleDot, Coefficients: s.coefficients, Mask: s.mask, DYDot: dyDot,
		Rows: rows, Height: height, Width: width, Channels: channels, Slope: s.Slope, Keep: s.keep(),
	})
	return dyDot
}

// centres says whether a normalization takes the mean out of the input.
func (u *epilogueUnit) centres() bool { return u.BatchNorm }

func (u *epilogueUnit) hesScale(q *HesScale, r *gpu.Recorder, at, diagonal gpu.Slice[float32], _, _ bool) gpu.Slice[float32] {
	rows, channels := int32(u.rows()), int32(u.in.Channels)
	partial := q.partials.Take(u.partialSize(3, u.rows()))
	slope := &kernels.HesScaleSlope{
		QA: at, Y: u.y, Index: u.index, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask, Partial: partial,
		Rows: rows, Height: int32(u.in.Height), Width: int32(u.in.Width), Channels: channels, Slope: u.Slope, Keep: u.keep(),
	}
	below := at
	if !u.identity() {
		below = q.q.Take(u.y.Len())
		slope.QZ = below
	}
	r.Record(slope)
	finish := &kernels.HesScaleFinish{
		Partial: partial, InvStd: u.invStd, Scale: u.scale, HBeta: u.beta.In(diagonal), Rows: rows, Channels: channels,
	}
	if u.BatchNorm {
		finish.HGamma, finish.Coefficients = u.gamma.In(diagonal), q.coefficients.Take(5*u.in.Channels)
	}
	r.Record(finish)
	if u.BatchNorm {
		r.Record(&kernels.HesScaleBackward{
			Q: below, Y: u.y, Mean: u.mean, Coefficients: finish.Coefficients, Rows: rows, Channels: channels,
		})
	}
	return below
}

func (u *epilogueUnit) perSample() error {
	switch {
	case u.BatchNorm:
		return errors.New("batch normalization couples the samples")
	case u.in.Height*u.in.Width > 1:
		return errors.New("a bias of pictures sums over positions before it is squared")
	}
	return nil
}

// column goes through a bias and what follows it.
func (u *epilogueUnit) column(c *GGNColumns, r *gpu.Recorder, at gpu.Slice[float32], _ bool) gpu.Slice[float32] {
	rows, channels := int32(u.rows()), int32(u.in.Channels)
	partial := c.partials.Take(u.partialSize(3, u.rows()))
	r.Record(&kernels.HesScaleSlope{
		QA: c.square(r, at), Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, Mask: u.mask, Partial: partial,
		Rows: rows, Height: 1, Width: 1, Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
	r.Record(&kernels.HesScaleFinish{
		Partial: partial, InvStd: u.invStd, Scale: u.scale, HBeta: u.beta.In(c.sample), Rows: rows, Channels: channels,
	})
	if u.identity() {
		return at
	}
	below := c.column.Take(u.y.Len())
	r.Record(&kernels.EpilogueBackward{
		DA: at, Y: u.y, Mean: u.mean, Scale: u.scale, Beta: u.beta.Value, DSlope: u.dSlope, DOffset: u.dOffset, Mask: u.mask, DY: below,
		Rows: rows, Channels: channels, Slope: u.Slope, Keep: u.keep(),
	})
	return below
}
