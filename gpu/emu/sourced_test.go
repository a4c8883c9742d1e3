package emu_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu"
)

// addend adds a number to each of 32 words, with PTX of its own.
type addend struct {
	x      gpu.Slice[uint32]
	number int
}

func (addend) Entry() string   { return "addend" }
func (addend) Cost() gpu.Cost  { return gpu.Cost{} }
func (addend) Grid() gpu.Grid  { return gpu.Grid{Blocks: 1, Threads: 32} }
func (addend) Host(lo, hi int) { panic("the Go body") }

func (k addend) Arguments() [][]byte { return gpu.Pack(k.x) }
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

// Kernels with PTX of their own may share entry and name.
func TestSourced(t *testing.T) {
	stream := openStream(t, emu.Options{})
	x, err := gpu.Alloc[uint32](stream, 32)
	if err != nil {
		t.Fatal(err)
	}
	var r gpu.Recorder
	for _, number := range []int{5, 70, 5} {
		r.Record(addend{x, number})
	}
	program, err := stream.Compile(r.Ops())
	if err == nil {
		err = program.Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]uint32{80}, 32); !slices.Equal(x.Host(), want) {
		t.Errorf("got %d, want %d", x.Host(), want)
	}
}

// other calls a kernel with too many arguments.
type other struct{ addend }

func (k other) Arguments() [][]byte { return gpu.Pack(k.x, uint32(1)) }

func TestSourcedMistaken(t *testing.T) {
	stream := openStream(t, emu.Options{})
	var r gpu.Recorder
	r.Record(other{})
	if _, err := stream.Compile(r.Ops()); err == nil || !strings.Contains(err.Error(), "entry addend has 1 parameters, it is called with 2") {
		t.Errorf("error %v", err)
	}
}
