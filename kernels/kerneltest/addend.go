package kerneltest

import (
	"fmt"

	"diaghess/gpu"
)

// Addend adds a number to each of 32 words. It is for tests of devices: a kernel with PTX of its
// own, which has the number, and so one of several that share entry and name.
type Addend struct {
	X      gpu.Slice[uint32] // [32]
	Number int
	More   []any // arguments that the PTX does not take
}

func (Addend) Entry() string   { return "addend" }
func (Addend) Cost() gpu.Cost  { return gpu.Cost{} }
func (Addend) Grid() gpu.Grid  { return gpu.Grid{Blocks: 1, Threads: 32} }
func (Addend) Host(lo, hi int) { panic("the Go body") }

func (k Addend) Arguments() [][]byte { return gpu.Pack(append([]any{k.X}, k.More...)...) }
func (k Addend) Module() (name, text string) {
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
`, k.Number)
}
