package ptx_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"diaghess/gpu/emu/ptx"
)

// A kernel without a tail guard doubles 40 words: with 40 threads it is right, with 64 it is caught.
func Example() {
	module, err := ptx.Parse("double.ptx", []byte(`.version 7.0
.target sm_75
.address_size 64
.visible .entry double(.param .u64 data) {
	.reg .b32 %r<3>;
	.reg .b64 %rd<3>;
	ld.param.u64 %rd1, [data];
	mov.u32 %r1, %tid.x;
	mad.wide.u32 %rd2, %r1, 4, %rd1;
	ld.global.u32 %r2, [%rd2];
	shl.b32 %r2, %r2, 1;
	st.global.u32 [%rd2], %r2;
	ret;
}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	kernel, err := module.Kernel("double")
	if err != nil {
		fmt.Println(err)
		return
	}
	memory := ptx.NewMemory()
	data, err := memory.Allocate("data", 4*40, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	binary.LittleEndian.PutUint32(data.Data[4*39:], 21)
	launch := ptx.Launch{
		Threads:   40,
		Arguments: [][]byte{binary.LittleEndian.AppendUint64(nil, data.Address)},
		Options:   ptx.Options{Check: ptx.CheckFull},
	}
	counters, err := kernel.Run(context.Background(), memory, launch)
	fmt.Println(binary.LittleEndian.Uint32(data.Data[4*39:]), counters.ThreadInstructions, counters.GlobalSectors, err)

	launch.Threads = 64
	_, err = kernel.Run(context.Background(), memory, launch)
	var fault *ptx.Fault
	if errors.As(err, &fault) {
		fmt.Println(fault.Kind, "line", fault.Line, "thread", fault.Thread)
	}
	// Output:
	// 42 280 10 <nil>
	// access out of bounds line 10 thread 40
}
