package layers

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Tangent computes the product of the loss's Hessian with a direction in the space of the
// parameters. It computes the derivatives along the direction of all results of forward
// pass, loss and backward pass. The last of them is the product. This is Pearlmutter's
// R-operator, see package kernels, tangent.go.
//
// The product is exact, also through the batch's own statistics. LeakyReLU and pooling
// make the loss piecewise smooth; the Hessian is that of the piece.
type Tangent struct {
	batch  *Batch
	stages []tangentStage
	// logitsDot and dLogitsDot are the tangents of the logits and of the loss's
	// gradient by them.
	logitsDot, dLogitsDot gpu.Slice[float32]
	// addend holds the second of two products that are added, partials the first
	// stage of every reduction.
	addend, partials gpu.Slice[float32]
}

// tangentStage is a layer of a tangent.
type tangentStage interface {
	forward(r *gpu.Recorder, z gpu.Slice[float32])
	backward(r *gpu.Recorder, z, product gpu.Slice[float32])
	label() string
}

// BindTangent allocates the memory of a batch's tangents. It is as much as all activations
// take, twice, and once the largest activation or filter. The error is that of an
// allocation. It panics unless the batch was bound with Network.Retain.
func (b *Batch) BindTangent() (*Tangent, error) {
	if !b.retained {
		panic("layers: the tangent of a batch that was bound without Network.Retain")
	}
	t := &Tangent{batch: b}
	m := &tangentBinder{Tangent: t, largest: b.Logits.Len(), addends: 1, sums: 1}
	var dot gpu.Slice[float32] // of a layer's output; of the batch's input it is zero, and null
	for _, u := range b.units {
		switch u := u.(type) {
		case *linearUnit:
			dot = m.linear(u, dot)
		case *epilogueUnit:
			dot = m.epilogue(u, dot)
		default:
			panic(fmt.Sprintf("layers: no tangent of %T", u))
		}
	}
	t.logitsDot = dot
	t.dLogitsDot = m.alloc(b.Logits.Len())
	t.addend, t.partials = m.alloc(m.addends), m.alloc(m.sums)
	m.scratch = [2]gpu.Slice[float32]{m.alloc(m.largest), m.alloc(m.largest)}
	if m.err != nil {
		return nil, fmt.Errorf("tangents of batches of %d: %w", b.Size, m.err)
	}
	gradientDot := t.dLogitsDot
	for i := len(t.stages) - 1; i >= 0; i-- {
		switch s := t.stages[i].(type) {
		case *linearTangent:
			gradientDot = m.linearGradient(s, gradientDot, i > 0)
		case *epilogueTangent:
			gradientDot = m.epilogueGradient(s, gradientDot, i > 0)
		}
	}
	return t, nil
}

// tangentBinder allocates a tangent's memory. The first failure is kept in err.
type tangentBinder struct {
	*Tangent
	largest int // of the gradients by activations
	addends int // elements of the largest addend
	sums    int // of the largest reduction
	scratch [2]gpu.Slice[float32]
	turn    int
	err     error
}

func (m *tangentBinder) alloc(n int) gpu.Slice[float32] {
	if m.err != nil {
		return gpu.Slice[float32]{}
	}
	s, err := gpu.Alloc[float32](m.batch.network.Stream, n)
	m.err = err
	return s
}

// gradient returns room for n elements that does not overlap the last one it
// returned.
func (m *tangentBinder) gradient(n int) gpu.Slice[float32] {
	m.turn = 1 - m.turn
	return m.scratch[m.turn].Sub(0, n)
}

func (m *tangentBinder) linear(u *linearUnit, xDot gpu.Slice[float32]) gpu.Slice[float32] {
	s := &linearTangent{linearUnit: u, tangent: m.Tangent, xDot: xDot, yDot: m.alloc(u.y.Len())}
	m.stages = append(m.stages, s)
	m.largest = max(m.largest, u.x.Len())
	m.addends = max(m.addends, u.x.Len(), u.y.Len(), u.kernel.Elements())
	return s.yDot
}

func (m *tangentBinder) linearGradient(s *linearTangent, dyDot gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	s.dyDot = dyDot
	if wanted {
		s.dxDot = m.gradient(s.x.Len())
	}
	return s.dxDot
}

func (m *tangentBinder) epilogue(u *epilogueUnit, yDot gpu.Slice[float32]) gpu.Slice[float32] {
	channels := u.in.Channels
	if yDot.IsNull() {
		yDot = m.alloc(u.y.Len())
	}
	s := &epilogueTangent{
		epilogueUnit: u, tangent: m.Tangent, yDot: yDot, aDot: m.alloc(u.a.Len()),
		meanDot: m.alloc(channels), invStdDot: m.alloc(channels), scaleDot: m.alloc(channels), coefficients: m.alloc(3 * channels),
	}
	m.stages = append(m.stages, s)
	m.largest = max(m.largest, u.y.Len())
	m.sums = max(m.sums, s.partialSize())
	return s.aDot
}

func (m *tangentBinder) epilogueGradient(s *epilogueTangent, daDot gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	s.daDot = daDot
	switch {
	case s.identity():
		s.dyDot = daDot
	case wanted:
		s.dyDot = m.gradient(s.y.Len())
	}
	return s.dyDot
}

// Record records the product of the Hessian of the batch's loss with the direction z. Both
// have the layout of Network.Values. Call it after recording the batch's forward pass in
// training, its loss, and the backward pass into Network.Gradients. No op in between may
// change the results of these. Record does not change them either.
func (t *Tangent) Record(r *gpu.Recorder, z, product gpu.Slice[float32]) {
	b := t.batch
	r.Group("tangent", func() {
		for _, s := range t.stages {
			r.Group(s.label(), func() { s.forward(r, z) })
		}
		r.Record(&kernels.TangentLoss{
			Logits: b.Logits, LogitsDot: t.logitsDot, DLogitsDot: t.dLogitsDot, Rows: int32(b.Size), Classes: int32(b.network.Classes),
		})
		for i := len(t.stages) - 1; i >= 0; i-- {
			s := t.stages[i]
			r.Group(s.label(), func() { s.backward(r, z, product) })
		}
	})
}

// add records a product into the addend, and adds that to the sum.
func (t *Tangent) add(r *gpu.Recorder, sum gpu.Slice[float32], product func(addend gpu.Slice[float32]) gpu.Op) {
	addend := t.addend.Sub(0, sum.Len())
	r.Record(product(addend))
	r.Record(&kernels.CurvatureSum{X: addend, Sum: sum, Elements: int32(sum.Len()), Factor: 1})
}

// linearTangent is a Conv or Dense: yDot = W xDot + WDot x and, for the kernel's
// gradient, WDot the direction's part of the kernel,
//
//	the product's part = filter gradient of (x, dyDot) + that of (xDot, dy)
//	dxDot = W^T dyDot + WDot^T dy
type linearTangent struct {
	*linearUnit
	tangent                  *Tangent
	xDot, yDot, dxDot, dyDot gpu.Slice[float32] // xDot is null for zero, dxDot where it is not wanted
}

// pass is a direction of the layer's convolution.
func (s *linearTangent) pass(d gpu.Direction, x, w, y gpu.Slice[float32]) gpu.Op {
	return gpu.NewConvolutionPass(s.convolution, d, x, w, y)
}

func (s *linearTangent) forward(r *gpu.Recorder, z gpu.Slice[float32]) {
	r.Record(s.pass(gpu.Forward, s.x, s.kernel.In(z), s.yDot))
	if !s.xDot.IsNull() {
		s.tangent.add(r, s.yDot, func(addend gpu.Slice[float32]) gpu.Op {
			return s.pass(gpu.Forward, s.xDot, s.kernel.Value, addend)
		})
	}
}

func (s *linearTangent) backward(r *gpu.Recorder, z, product gpu.Slice[float32]) {
	kernelDot := s.kernel.In(product)
	r.Record(s.pass(gpu.BackwardFilter, s.x, kernelDot, s.dyDot))
	if !s.xDot.IsNull() {
		s.tangent.add(r, kernelDot, func(addend gpu.Slice[float32]) gpu.Op {
			return s.pass(gpu.BackwardFilter, s.xDot, addend, s.dy)
		})
	}
	if !s.dxDot.IsNull() {
		r.Record(s.pass(gpu.BackwardData, s.dxDot, s.kernel.Value, s.dyDot))
		s.tangent.add(r, s.dxDot, func(addend gpu.Slice[float32]) gpu.Op {
			return s.pass(gpu.BackwardData, addend, s.kernel.In(z), s.dy)
		})
	}
}

// epilogueTangent is an Epilogue. Without normalization the tangents of its
// coefficients stay zero.
type epilogueTangent struct {
	*epilogueUnit
	tangent                      *Tangent
	yDot, aDot, daDot, dyDot     gpu.Slice[float32] // dyDot is null where it is not wanted
	meanDot, invStdDot, scaleDot gpu.Slice[float32] // [channels]
	coefficients                 gpu.Slice[float32] // [3, channels], see kernels.TangentGradient
}

func (s *epilogueTangent) partialSize() int {
	return 2 * kernels.Chunks(int32(s.rows()), int32(s.in.Channels)) * s.in.Channels
}

func (s *epilogueTangent) forward(r *gpu.Recorder, z gpu.Slice[float32]) {
	rows, channels := int32(s.rows()), int32(s.in.Channels)
	if s.BatchNorm {
		partial := s.tangent.partials.Sub(0, s.partialSize())
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

func (s *epilogueTangent) backward(r *gpu.Recorder, _, product gpu.Slice[float32]) {
	rows, height, width, channels := int32(s.rows()), int32(s.in.Height), int32(s.in.Width), int32(s.in.Channels)
	partial := s.tangent.partials.Sub(0, s.partialSize())
	r.Record(&kernels.TangentReduce{
		DA: s.da, DADot: s.daDot, Y: s.y, YDot: s.yDot, Index: s.index, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
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
	if s.identity() || s.dyDot.IsNull() {
		return
	}
	r.Record(&kernels.TangentBackward{
		DA: s.da, DADot: s.daDot, Y: s.y, YDot: s.yDot, Index: s.index, Mean: s.mean, Scale: s.scale, Beta: s.beta.Value,
		MeanDot: s.meanDot, ScaleDot: s.scaleDot, Coefficients: s.coefficients, Mask: s.mask, DYDot: s.dyDot,
		Rows: rows, Height: height, Width: width, Channels: channels, Slope: s.Slope, Keep: s.keep(),
	})
}
