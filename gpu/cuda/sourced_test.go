//go:build cuda

package cuda_test

import (
	"fmt"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
)

// addend adds a number to each of 32 words, with PTX of its own.
type addend struct {
	x      gpu.Slice[uint32]
	number int
	more   []any // arguments that the PTX does not take
}

func (addend) Entry() string   { return "addend" }
func (addend) Cost() gpu.Cost  { return gpu.Cost{} }
func (addend) Grid() gpu.Grid  { return gpu.Grid{Blocks: 1, Threads: 32} }
func (addend) Host(lo, hi int) { panic("the Go body") }

func (k addend) Arguments() [][]byte { return gpu.Pack(append([]any{k.x}, k.more...)...) }
func (k addend) Module() (name, text string) {
	return "addend.ptx", fmt.Sprintf(`.version 7.0
.target sm_75
.address_size 64
.visible .entry addend(.param .u64 x)
{
  .reg .b32 %%i, %%v;
  .reg .b64 %%x;
  mov.u32 %%i, %%tid.x;
  ld.param.u64 %%x, [x];
  cvta.to.global.u64 %%x, %%x;
  mad.wide.u32 %%x, %%i, 4, %%x;
  ld.global.u32 %%v, [%%x];
  add.u32 %%v, %%v, %d;
  st.global.u32 [%%x], %%v;
  ret;
}
`, k.number)
}

// Kernels with PTX of their own may share entry and name; all are unloaded at the end.
func TestSourced(t *testing.T) {
	device, _ := open(t, standin.Options{}, cuda.Options{})
	stream := newStream(t, device)
	x, err := gpu.Alloc[uint32](stream, 32)
	check(t, err)
	for range 2 {
		check(t, compile(t, stream, addend{x: x, number: 5}, addend{x: x, number: 70}, advance(t, stream), addend{x: x, number: 5}).Run())
	}
	got := make([]uint32, 32)
	check(t, gpu.Download(stream, got, x))
	if want := slices.Repeat([]uint32{160}, 32); !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	var r gpu.Recorder
	r.Record(addend{x: x, more: []any{uint32(1)}})
	_, err = stream.Compile(r.Ops())
	mentions(t, err, "addend.ptx", "entry addend has 1 parameters, it is called with 2")
}
