//go:build cuda

package cuda_test

import (
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/kernels/kerneltest"
)

// Kernels with PTX of their own may share entry and name; all are unloaded at the end.
func TestSourced(t *testing.T) {
	device, _ := open(t, standin.Options{}, cuda.Options{})
	stream := newStream(t, device)
	x, err := gpu.Alloc[uint32](stream, 32)
	check(t, err)
	for range 2 {
		check(t, compile(t, stream, kerneltest.Addend{X: x, Number: 5}, kerneltest.Addend{X: x, Number: 70}, advance(t, stream), kerneltest.Addend{X: x, Number: 5}).Run())
	}
	got := make([]uint32, 32)
	check(t, gpu.Download(stream, got, x))
	if want := slices.Repeat([]uint32{160}, 32); !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	var r gpu.Recorder
	r.Record(kerneltest.Addend{X: x, More: []any{uint32(1)}})
	_, err = stream.Compile(r.Ops())
	mentions(t, err, "addend.ptx", "entry addend has 1 parameters, it is called with 2")
}
