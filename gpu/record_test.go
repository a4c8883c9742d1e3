package gpu_test

import (
	"slices"
	"testing"

	"diaghess/gpu"
)

// named is an op that does nothing.
type named string

func (n named) Entry() string { return string(n) }
func (named) Cost() gpu.Cost  { return gpu.Cost{} }

func TestRecorderLabels(t *testing.T) {
	var r gpu.Recorder
	r.Record(named("a"))
	r.Group("forward", func() {
		r.Record(named("b"))
		r.Group("conv1", func() { r.Record(named("c")) })
		r.Group("conv2", func() { r.Record(named("d")) })
		r.Record(named("e"))
	})
	r.Record(named("f"))
	want := []gpu.RecordedOp{
		{Label: "", Op: named("a")}, {Label: "forward", Op: named("b")}, {Label: "forward/conv1", Op: named("c")},
		{Label: "forward/conv2", Op: named("d")}, {Label: "forward", Op: named("e")}, {Label: "", Op: named("f")},
	}
	if !slices.Equal(r.Ops(), want) {
		t.Errorf("recorded %v, want %v", r.Ops(), want)
	}
}

// bound is a convolution of a shape alone.
type bound gpu.ConvolutionShape

func (b bound) Shape() gpu.ConvolutionShape  { return gpu.ConvolutionShape(b) }
func (bound) Algorithm(gpu.Direction) string { return "none" }

func TestConvolutionPass(t *testing.T) {
	floats := func(n int) gpu.Slice[float32] { return gpu.View[float32](host(4 * n)) }
	for _, c := range []struct {
		shape        gpu.ConvolutionShape
		name, entry  string
		x, w, y      int
		bytes, flops int64
	}{
		// 2*5*3*7 values out, each of 9*4 products.
		{gpu.ConvolutionShape{Batch: 2, Height: 5, Width: 3, In: 4, Out: 7, Kernel: 3}, "2x5x3x4 3x3 7", "conv3x3 backward-filter",
			2 * 5 * 3 * 4, 9 * 4 * 7, 2 * 5 * 3 * 7, 4 * (120 + 252 + 210), 2 * 210 * 36},
		{gpu.ConvolutionShape{Batch: 6, Height: 1, Width: 1, In: 4, Out: 3, Kernel: 1}, "6x1x1x4 1x1 3", "dense backward-filter",
			24, 12, 18, 4 * (24 + 12 + 18), 2 * 18 * 4},
		{gpu.ConvolutionShape{Batch: 1, Height: 2, Width: 1, In: 1, Out: 1, Kernel: 1}, "1x2x1x1 1x1 1", "conv1x1 backward-filter",
			2, 1, 2, 4 * 5, 2 * 2},
	} {
		if c.shape.String() != c.name {
			t.Errorf("shape %q, want %q", c.shape, c.name)
		}
		p := gpu.NewConvolutionPass(bound(c.shape), gpu.BackwardFilter, floats(c.x), floats(c.w), floats(c.y))
		if p.Entry() != c.entry {
			t.Errorf("%v: entry %q, want %q", c.shape, p.Entry(), c.entry)
		}
		if want := (gpu.Cost{Bytes: c.bytes, Flops: c.flops}); p.Cost() != want {
			t.Errorf("%v: cost %+v, want %+v", c.shape, p.Cost(), want)
		}
		for i := range 3 {
			n := [3]int{c.x, c.w, c.y}
			n[i]++
			panics(t, c.name, func() {
				gpu.NewConvolutionPass(bound(c.shape), gpu.Forward, floats(n[0]), floats(n[1]), floats(n[2]))
			})
		}
	}
}
