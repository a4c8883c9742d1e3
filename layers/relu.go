package layers

import (
	"slices"

	"diaghess/gpu"
	"diaghess/kernels"
)

// ReLU is a = max(0, y), elementwise, for an input of any shape; its derivative at 0 is
// 0. It has no parameters. Behind a normalization or a bias, [Epilogue] with Slope 0
// computes bit-identical values without a pass over memory of its own.
type ReLU struct {
	Name string
}

func (l ReLU) declare(_ *declaration, in Shape) (node, Shape, error) {
	return &relu{ReLU: l, channels: in.Channels}, in, nil
}

// relu is a ReLU of a network.
type relu struct {
	ReLU
	channels int
}

func (l *relu) bind(b *binder, y gpu.Slice[float32]) (unit, gpu.Slice[float32], error) {
	u := &reluUnit{
		relu: l, y: y, a: gpu.Reserve[float32](b.arena, y.Len()), rows: int32(y.Len() / l.channels),
		zeros: gpu.Reserve[float32](b.arena, l.channels),
		ones:  gpu.ReserveCopy(b.arena, slices.Repeat([]float32{1}, l.channels)),
	}
	return u, u.a, nil
}

var (
	_ tangentUnit  = (*reluUnit)(nil)
	_ hesScaleUnit = (*reluUnit)(nil)
	_ columnUnit   = (*reluUnit)(nil)
)

// reluUnit is a relu bound to a batch: the kernels of an epilogue with bias 0.
type reluUnit struct {
	*relu
	rows         int32 // of a channel each
	y, a, da, dy gpu.Slice[float32]
	zeros, ones  gpu.Slice[float32] // [channels]
}

func (u *reluUnit) label() string { return u.Name }

func (u *reluUnit) bindGradient(b *binder, output gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	u.da = output
	if wanted {
		u.dy = b.gradient(u.y.Len())
	}
	return u.dy
}

func (u *reluUnit) forward(r *gpu.Recorder, _ bool) {
	r.Record(&kernels.EpilogueForward{
		Y: u.y, Mean: u.zeros, Scale: u.ones, Beta: u.zeros, A: u.a, Rows: u.rows, Channels: int32(u.channels), Keep: 1,
	})
}

// jacobian records to = from where y > 0, else 0: the product with the layer's Jacobian,
// which is diagonal, and equals its transpose and its elementwise square. So every
// sweep is this.
func (u *reluUnit) jacobian(r *gpu.Recorder, from, to gpu.Slice[float32]) {
	r.Record(&kernels.EpilogueBackward{
		DA: from, Y: u.y, Mean: u.zeros, Scale: u.ones, Beta: u.zeros, DSlope: u.zeros, DOffset: u.zeros, DY: to,
		Rows: u.rows, Channels: int32(u.channels), Keep: 1,
	})
}

func (u *reluUnit) backward(r *gpu.Recorder, _ gpu.Slice[float32]) {
	if !u.dy.IsNull() {
		u.jacobian(r, u.da, u.dy)
	}
}

// down records the product into scratch memory, if it is wanted.
func (u *reluUnit) down(r *gpu.Recorder, from gpu.Slice[float32], to *gpu.Scratch, wanted bool) gpu.Slice[float32] {
	if !wanted {
		return gpu.Slice[float32]{}
	}
	below := to.Take(u.y.Len())
	u.jacobian(r, from, below)
	return below
}

// reluTangent is the layer's part of a tangent. Both slices are null behind an input
// without one.
type reluTangent struct {
	*reluUnit
	tangent    *Tangent
	yDot, aDot gpu.Slice[float32]
}

func (u *reluUnit) bindTangent(t *Tangent, a *gpu.Arena, yDot gpu.Slice[float32]) (tangentStage, gpu.Slice[float32]) {
	s := &reluTangent{reluUnit: u, tangent: t, yDot: yDot}
	if !yDot.IsNull() {
		s.aDot = gpu.Reserve[float32](a, u.a.Len())
	}
	return s, s.aDot
}

func (s *reluTangent) forward(r *gpu.Recorder, _ gpu.Slice[float32]) {
	if !s.yDot.IsNull() {
		s.jacobian(r, s.yDot, s.aDot)
	}
}

func (s *reluTangent) backward(r *gpu.Recorder, _, _, daDot gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	return s.down(r, daDot, s.tangent.gradients, wanted)
}

func (u *reluUnit) centres() bool { return false }

func (u *reluUnit) hesScale(q *HesScale, r *gpu.Recorder, at, _ gpu.Slice[float32], _, wanted bool) gpu.Slice[float32] {
	return u.down(r, at, q.q, wanted)
}

func (u *reluUnit) perSample() error { return nil }

func (u *reluUnit) column(c *GGNColumns, r *gpu.Recorder, at gpu.Slice[float32], wanted bool) gpu.Slice[float32] {
	return u.down(r, at, c.column, wanted)
}
