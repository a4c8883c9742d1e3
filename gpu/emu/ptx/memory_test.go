package ptx

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// lanewise runs a snippet in one warp of the given size and gives the 64 bits that each lane left in the result register.
func lanewise(t *testing.T, code, result string, threads int) []uint64 {
	t.Helper()
	m, err := Parse("test.ptx", []byte(snippet(code, result)))
	if err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	memory := NewMemory()
	out, _ := memory.Allocate("out", 8*threads, false)
	run(t, m.kernels[0], memory, Launch{Block: [3]int{threads}, Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}})
	values := make([]uint64, threads)
	for i := range values {
		values[i] = binary.LittleEndian.Uint64(out.Data[8*i:])
	}
	return values
}

// TestExchange: shuffles, votes and their kin against their definitions, lane by lane.
func TestExchange(t *testing.T) {
	pick := func(lane int, inside bool, source int) uint64 {
		if inside {
			return uint64(source) * 10
		}
		return uint64(lane) * 10
	}
	const own = "mov.u32 %r1, %laneid; mul.lo.u32 %r2, %r1, 10; "
	for _, c := range []struct {
		code, result string
		want         func(lane int) uint64
	}{
		{own + "shfl.sync.up.b32 %r3, %r2, 3, 0, -1;", "%r3", func(l int) uint64 { return pick(l, l-3 >= 0, l-3) }},
		{own + "shfl.sync.up.b32 %r3|%p1, %r2, 3, 0, -1;", "%p1", func(l int) uint64 { return bit(l-3 >= 0) }},
		{own + "shfl.sync.down.b32 %r3, %r2, 5, 31, -1;", "%r3", func(l int) uint64 { return pick(l, l+5 <= 31, l+5) }},
		{own + "shfl.sync.down.b32 %r3|%p1, %r2, 5, 31, -1;", "%p1", func(l int) uint64 { return bit(l+5 <= 31) }},
		{own + "shfl.sync.bfly.b32 %r3, %r2, 17, 31, -1;", "%r3", func(l int) uint64 { return pick(l, true, l^17) }},
		{own + "shfl.sync.idx.b32 %r3, %r2, 7, 31, -1;", "%r3", func(l int) uint64 { return 70 }},
		// width 8: segment mask 24 in bits 8 to 12, clamp 7 for down and idx, 0 for up
		{own + "shfl.sync.down.b32 %r3, %r2, 3, 0x1807, -1;", "%r3", func(l int) uint64 { return pick(l, l%8+3 < 8, l+3) }},
		{own + "shfl.sync.up.b32 %r3, %r2, 3, 0x1800, -1;", "%r3", func(l int) uint64 { return pick(l, l%8-3 >= 0, l-3) }},
		{own + "shfl.sync.idx.b32 %r3, %r2, 9, 0x1807, -1;", "%r3", func(l int) uint64 { return pick(l, true, l/8*8+1) }},
		{own + "shfl.sync.bfly.b32 %r3, %r2, 12, 0x1807, -1;", "%r3", func(l int) uint64 { return pick(l, l^12 <= l/8*8+7, l^12) }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.ballot.b32 %r3, %p1, -1;", "%r3", func(int) uint64 { return 31 }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.ballot.b32 %r3, !%p1, -1;", "%r3", func(int) uint64 { return 0xffffffe0 }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.any.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 1 }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.all.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 0 }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.uni.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 0 }},
		{own + "setp.lt.u32 %p1, %r1, 99; vote.sync.uni.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 1 }},
		{own + "setp.lt.u32 %p1, %r1, 5; mov.u32 %r3, 0; @%p1 vote.sync.all.pred %p2, %p1, 31; @%p1 activemask.b32 %r3;", "%r3", func(l int) uint64 { return 31 * bit(l < 5) }},
		{own + "and.b32 %r3, %r1, 3; match.any.sync.b32 %r4, %r3, -1;", "%r4", func(l int) uint64 { return 0x11111111 << (l & 3) }},
		{own + "match.all.sync.b32 %r4|%p1, %r1, -1;", "%p1", func(int) uint64 { return 0 }},
		{own + "mov.u64 %d1, 5; match.all.sync.b64 %r4|%p1, %d1, -1;", "%r4", func(int) uint64 { return 0xffffffff }},
		{own + "redux.sync.add.u32 %r3, %r2, -1;", "%r3", func(int) uint64 { return 4960 }},
		{own + "redux.sync.max.s32 %r3, %r2, -1;", "%r3", func(int) uint64 { return 310 }},
		{"mov.u32 %r1, %lanemask_lt;", "%r1", func(l int) uint64 { return 1<<l - 1 }},
		{"mov.u32 %r1, %lanemask_le;", "%r1", func(l int) uint64 { return 2<<l - 1 }},
		{"mov.u32 %r1, %lanemask_eq;", "%r1", func(l int) uint64 { return 1 << l }},
		{"mov.u32 %r1, %lanemask_gt;", "%r1", func(l int) uint64 { return uint64(^uint32(2<<l - 1)) }},
		{"mov.u32 %r1, %lanemask_ge;", "%r1", func(l int) uint64 { return uint64(^uint32(1<<l - 1)) }},
	} {
		for lane, got := range lanewise(t, c.code, c.result, lanes) {
			if got != c.want(lane) {
				t.Errorf("%s %s = %#x in lane %d, want %#x", c.code, c.result, got, lane, c.want(lane))
				break
			}
		}
	}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// TestSpaces writes and reads every state space, by its own and by generic addresses, in every width.
func TestSpaces(t *testing.T) {
	for _, c := range []opcodeCase{
		{"st.shared.u32 [tile+4], 0x12345678; ld.shared.u8 %r1, [tile+5];", "%r1", 0x56},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s8 %r1, [tile+1];", "%r1", 0xffffff86},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s16 %r1, [tile];", "%r1", 0xffff8678},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s8 %h1, [tile+1];", "%h1", 0xff86},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s16 %d1, [tile];", "%d1", 0xffffffffffff8678},
		{"mov.u32 %r1, tile; st.shared.u64 [%r1+8], -2; ld.shared.s32 %d1, [%r1+8];", "%d1", 0xfffffffffffffffe},
		{"mov.u64 %d1, tile; cvta.shared.u64 %d1, %d1; st.u32 [%d1], 77; ld.shared.u32 %r1, [tile];", "%r1", 77},
		{"cvta.shared.u64 %d1, tile; st.u32 [%d1+4], 78; cvta.to.shared.u64 %d2, %d1; ld.shared.u32 %r1, [%d2+4];", "%r1", 78},
		{"st.shared.v4.u32 [tile], {1, 2, 3, 4}; ld.shared.v2.u32 {%r1, %r2}, [tile+8];", "%r2", 4},
		{"st.shared.v2.f64 [tile], {0d3ff0000000000000, 0d4000000000000000}; ld.shared.f64 %g1, [tile+8];", "%g1", 0x4000000000000000},
		{"st.shared.v4.u8 [tile], {1, 2, 3, 4}; ld.shared.u32 %r1, [tile];", "%r1", 0x04030201},
		{"mov.u64 %d1, array; st.local.u32 [%d1+4], %laneid; ld.local.u32 %r1, [array+4]; sub.u32 %r1, %r1, %laneid;", "%r1", 0},
		{"mov.u64 %d1, array; cvta.local.u64 %d1, %d1; st.u32 [%d1+4], %laneid; ld.local.u32 %r1, [array+4]; sub.u32 %r1, %r1, %laneid;", "%r1", 0},
		{"cvta.shared.u64 %d1, tile; isspacep.shared %p1, %d1;", "%p1", 1},
		{"cvta.shared.u64 %d1, tile; isspacep.global %p1, %d1;", "%p1", 0},
		{"cvta.local.u64 %d1, array; isspacep.local %p1, %d1;", "%p1", 1},
		{"ld.param.u64 %d1, [out]; isspacep.global %p1, %d1;", "%p1", 1},
		{"mov.b64 %d1, out; ld.param.u64 %d2, [%d1]; ld.param.u64 %d3, [out]; sub.u64 %d1, %d2, %d3;", "%d1", 0},
		{"mov.b64 %d1, out; cvta.param.u64 %d1, %d1; ld.u64 %d2, [%d1]; ld.param.u64 %d3, [out]; sub.u64 %d1, %d2, %d3;", "%d1", 0},
		{"st.volatile.shared.u32 [tile], 5; ld.relaxed.cta.shared.u32 %r1, [tile];", "%r1", 5},
		{"{ .reg .b32 %inner; mov.u32 %inner, 9; mov.u32 %r1, %inner; }", "%r1", 9},
	} {
		c.code = ".shared .align 16 .b8 tile[64]; .local .align 16 .b8 array[64]; " + c.code
		for _, got := range lanewise(t, c.code, c.result, 1) {
			if got != c.want {
				t.Errorf("%s %s = %#x, want %#x", c.code, c.result, got, c.want)
			}
		}
	}
}

// TestAtomics applies each operation once, by one thread, to global and shared memory.
func TestAtomics(t *testing.T) {
	for _, c := range []struct {
		operation, operands string
		before, after       uint64
		wide                bool
	}{
		{"add.u32", "5", 0xfffffffe, 3, false},
		{"add.u64", "5", 0xfffffffe, 0x100000003, true},
		{"min.s32", "-1", 1, 0xffffffff, false},
		{"min.u32", "-1", 1, 1, false},
		{"max.s32", "-1", 1, 1, false},
		{"max.u64", "-1", 1, 0xffffffffffffffff, true},
		{"and.b32", "0xf0", 0xff, 0xf0, false},
		{"or.b32", "0xf0", 0x0f, 0xff, false},
		{"xor.b64", "0xff", 0x0f, 0xf0, true},
		{"exch.b32", "9", 7, 9, false},
		{"cas.b32", "7, 9", 7, 9, false},
		{"cas.b32", "8, 9", 7, 7, false},
		{"cas.b64", "7, 9", 7, 9, true},
		{"inc.u32", "7", 6, 7, false},
		{"inc.u32", "7", 7, 0, false},
		{"inc.u32", "7", 9, 0, false},
		{"dec.u32", "7", 6, 5, false},
		{"dec.u32", "7", 0, 7, false},
		{"dec.u32", "7", 9, 7, false},
	} {
		register, width := "%r", "32"
		if c.wide {
			register, width = "%d", "64"
		}
		const declare = ".shared .align 8 .b8 cell[8]; ld.param.u64 %d9, [out]; "
		for _, where := range []string{"shared", "global", ""} {
			dot, address := "."+where, "[cell]"
			if where != "shared" {
				address = "[%d9]"
			}
			if where == "" {
				dot = ""
			}
			set := "mov.b" + width + " " + register + "1, " + fmt.Sprintf("%#x", c.before) + "; st" + dot + ".b" + width + " " + address + ", " + register + "1; "
			old := set + "atom" + dot + "." + c.operation + " " + register + "2, " + address + ", " + c.operands + ";"
			if got := lanewise(t, declare+old, register+"2", 1)[0]; got != c.before {
				t.Errorf("atom%s.%s: old value %#x, want %#x", dot, c.operation, got, c.before)
			}
			now := set + "red" + dot + "." + c.operation + " " + address + ", " + c.operands + "; ld" + dot + ".b" + width + " " + register + "2, " + address + ";"
			if got := lanewise(t, declare+now, register+"2", 1)[0]; got != c.after {
				t.Errorf("red%s.%s of %#x: %#x, want %#x", dot, c.operation, c.before, got, c.after)
			}
		}
	}
}

// TestAtomicSum has every thread of several blocks and workers add to one word.
func TestAtomicSum(t *testing.T) {
	m, err := Parse("test.ptx", []byte(kernelOf("atom.global.add.u32 %r1, [%full], 2;\nred.global.inc.u32 [%full+4], 0xffffff;\nret;")))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw, full := output(t, memory, "raw", 1), floats(t, memory, "full", make([]float32, 2))
	counters := run(t, m.kernels[0], memory, Launch{Grid: [3]int{20}, Block: [3]int{100}, Arguments: [][]byte{at(raw), at(full)}, Options: Options{Check: CheckFull, Workers: 4}})
	if wordAt(full, 0) != 4000 || wordAt(full, 1) != 2000 || counters.Atomics != 4000 {
		t.Errorf("%d, %d, %d atomics", wordAt(full, 0), wordAt(full, 1), counters.Atomics)
	}
}

// TestVariables: module variables keep their values between launches; dynamic shared memory follows the static.
func TestVariables(t *testing.T) {
	m, err := Parse("test.ptx", []byte(header+`
.global .align 4 .u32 counter;
.const .align 4 .f32 weights[3] = {1.5, 0f40000000, -2};
.global .align 8 .b8 bytes[4] = {1, 2, 0xff, 4};
.extern .shared .align 16 .b8 dynamic[];
.visible .entry test(.param .u64 out) {
	.shared .align 4 .b8 fixed[5];
	.reg .b32 %r<10>; .reg .b64 %d<10>; .reg .f32 %f<4>;
	ld.param.u64 %d1, [out];
	ld.global.u32 %r1, [counter];
	add.u32 %r1, %r1, 1;
	st.global.u32 [counter], %r1;
	mov.u64 %d2, weights;
	cvta.const.u64 %d3, %d2;
	ld.f32 %f1, [%d3+4];
	ld.const.f32 %f2, [%d2+8];
	add.f32 %f1, %f1, %f2;
	ld.const.f32 %f2, [weights];
	add.f32 %f1, %f1, %f2;
	st.global.f32 [%d1], %f1;
	mov.u32 %r2, dynamic;
	st.global.u32 [%d1+4], %r2;
	mov.u32 %r3, %dynamic_smem_size;
	st.global.u32 [%d1+8], %r3;
	st.shared.u32 [%r2+28], %r3;
	ld.global.u32 %r4, [bytes];
	st.global.u32 [%d1+12], %r4;
	ret;
}`))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	out := output(t, memory, "out", 4)
	for range 3 {
		run(t, m.kernels[0], memory, Launch{Shared: 32, Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}})
	}
	counter, err := memory.Global(m, "counter")
	if err != nil || wordAt(counter, 0) != 3 {
		t.Errorf("counter is %d after 3 launches (%v)", wordAt(counter, 0), err)
	}
	if _, err := memory.Global(m, "nothing"); err == nil {
		t.Error("found a variable that is not there")
	}
	if floatAt(out, 0) != 1.5 || wordAt(out, 1) != 16 || wordAt(out, 2) != 32 || wordAt(out, 3) != 0x04ff0201 {
		t.Errorf("weights sum to %v, dynamic memory is %d bytes at %d, bytes are %#x", floatAt(out, 0), wordAt(out, 2), wordAt(out, 1), wordAt(out, 3))
	}
}

// TestSharedVariablesDoNotOverlap: a kernel's own shared variables come after those of module scope that stand before it, aligned, and dynamic memory after
// both. Each is given a value of its own and read back when all have theirs.
func TestSharedVariablesDoNotOverlap(t *testing.T) {
	entry := func(name, declare, write, read string) string {
		return `.visible .entry ` + name + `(.param .u64 out) {
	.reg .b32 %r<6>; .reg .b64 %d<2>;
	` + declare + `
	ld.param.u64 %d1, [out];
	st.shared.u32 [common], 0x11111111;
	st.shared.u16 [common+4], 0x2222;
	st.shared.u32 [dynamic], 0x55555555;
	` + write + `
	ld.shared.u32 %r1, [common];
	ld.shared.u16 %r2, [common+4];
	` + read + `
	ld.shared.u32 %r5, [dynamic];
	st.global.u32 [%d1], %r1;
	st.global.u32 [%d1+4], %r2;
	st.global.u32 [%d1+8], %r3;
	st.global.u32 [%d1+12], %r4;
	st.global.u32 [%d1+16], %r5;
	ret;
}
`
	}
	m, err := Parse("test.ptx", []byte(header+`
.shared .align 4 .b8 common[6];
.extern .shared .align 16 .b8 dynamic[];
`+entry("first", ".shared .align 8 .u64 own;",
		"st.shared.v2.u32 [own], {0x33333333, 0x44444444};", "ld.shared.v2.u32 {%r3, %r4}, [own];")+`
.shared .align 4 .u32 later;
`+entry("second", ".shared .align 4 .u32 own;",
		"st.shared.u32 [later], 0x33333333; st.shared.u32 [own], 0x44444444;", "ld.shared.u32 %r3, [later]; ld.shared.u32 %r4, [own];")))
	if err != nil {
		t.Fatal(err)
	}
	// first: 6 bytes, 2 to align, 8; second: 6 bytes, 2 to align, 4, 4.
	const bytes = 16
	for _, name := range []string{"first", "second"} {
		k, memory := kernel(t, m, name), NewMemory()
		out := output(t, memory, "out", 5)
		run(t, k, memory, Launch{Shared: 4, Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}})
		for i, want := range []uint32{0x11111111, 0x2222, 0x33333333, 0x44444444, 0x55555555} {
			if got := wordAt(out, i); got != want {
				t.Errorf("kernel %s: word %d is %#x, want %#x: shared variables overlap", name, i, got, want)
			}
		}
		if k.SharedBytes != bytes {
			t.Errorf("kernel %s has %d bytes of static shared memory, want %d", name, k.SharedBytes, bytes)
		}
	}
}

// TestBarrierReduction: bar.red over two warps, named barriers, bar.arrive.
func TestBarrierReduction(t *testing.T) {
	m, err := Parse("test.ptx", []byte(kernelOf(`
	setp.lt.u32 %p1, %tid, 5;
	bar.red.popc.u32 %r1, 0, %p1;
	bar.red.and.pred %p2, 0, %p1;
	bar.red.or.pred %p3, 0, !%p1;
	selp.u32 %r2, 100, 0, %p2;
	selp.u32 %r3, 1000, 0, %p3;
	add.u32 %r1, %r1, %r2;
	add.u32 %r1, %r1, %r3;
	setp.lt.u32 %p4, %tid, 32;
	@%p4 bra FIRST;
	bar.arrive 3, 64;
	bra JOIN;
FIRST:
	barrier.cta.sync.aligned 3, 64;
JOIN:
	barrier.sync 0;
	st.global.u32 [%own], %r1;
	ret;`)))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw, full := output(t, memory, "raw", 1), floats(t, memory, "full", make([]float32, 64))
	run(t, m.kernels[0], memory, Launch{Block: [3]int{64}, Arguments: [][]byte{at(raw), at(full)}, Options: Options{Check: CheckFull}})
	for i := range 64 {
		if wordAt(full, i) != 1005 {
			t.Fatalf("thread %d: %d, want 1005", i, wordAt(full, i))
		}
	}
}

// TestIndexedBranch: brx.idx with lanes at every target.
func TestIndexedBranch(t *testing.T) {
	const code = `mov.u32 %r1, %laneid; rem.u32 %r1, %r1, 3;
targets: .branchtargets A, B, C;
	brx.idx %r1, targets;
A:	mov.u32 %r2, 10; bra DONE;
B:	mov.u32 %r2, 20; bra DONE;
C:	mov.u32 %r2, 30;
DONE:`
	for lane, got := range lanewise(t, code, "%r2", lanes) {
		if want := uint64(lane%3+1) * 10; got != want {
			t.Errorf("lane %d: %d, want %d", lane, got, want)
		}
	}
}

func TestCounters(t *testing.T) {
	for _, c := range []struct {
		name, body string
		block      int
		want       Counters
	}{
		{"coalesced load", "ld.global.f32 %f1, [%own];", 32, Counters{GlobalLoadBytes: 128, GlobalLoadSectors: 4, GlobalRequests: 1}},
		{"strided store", "mad.wide.u32 %d1, %tid, 32, %full; st.global.f32 [%d1], 0f00000000;", 8, Counters{GlobalStoreBytes: 32, GlobalStoreSectors: 8, GlobalRequests: 1}},
		{"one word for all", "ld.global.f32 %f1, [%full];", 32, Counters{GlobalLoadBytes: 128, GlobalLoadSectors: 1, GlobalRequests: 1}},
		{"reversed", "mul.wide.u32 %d1, %tid, 4; sub.u64 %d1, %full, %d1; ld.global.v2.f32 {%f1, %f2}, [%full+248]; ld.global.f32 %f1, [%d1+124];", 32,
			Counters{GlobalLoadBytes: 128 + 256, GlobalLoadSectors: 5, GlobalRequests: 2}},
		{"shared, no conflict", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 4, %r1; st.shared.u32 [%r1], 0;", 32, Counters{SharedRequests: 1}},
		{"shared, two-way conflict", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 8, %r1; st.shared.u32 [%r1], 0;", 32, Counters{SharedRequests: 1, SharedBankConflicts: 1}},
		{"shared, 128 bits", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 16, %r1; st.shared.v4.u32 [%r1], {0, 0, 0, 0};", 32, Counters{SharedRequests: 1}},
		{"shared, broadcast", "bar.sync 0; setp.ne.u32 %p1, %tid, 0; @!%p1 st.shared.u32 [tile], 0; bar.sync 0; ld.shared.u32 %r1, [tile];", 32, Counters{SharedRequests: 2, Barriers: 2}},
		{"divergent branch", "setp.lt.u32 %p1, %tid, 3; @%p1 bra L; mov.u32 %r1, 1; L: bra.uni M; M:", 32, Counters{Branches: 2, DivergentBranches: 1}},
		{"uniform branch", "setp.lt.u32 %p1, %tid, 32; @%p1 bra L; mov.u32 %r1, 1; L:", 32, Counters{Branches: 1}},
	} {
		m, err := Parse("test.ptx", []byte(kernelOf(c.body+" ret;")))
		if err != nil {
			t.Fatal(err)
		}
		memory := NewMemory()
		raw, full := output(t, memory, "raw", 1), floats(t, memory, "full", make([]float32, 64))
		got := run(t, m.kernels[0], memory, Launch{Block: [3]int{c.block}, Arguments: [][]byte{at(raw), at(full)}, Options: Options{Check: CheckFull}})
		got.ThreadInstructions, got.WarpInstructions = 0, 0
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	m, err := Parse("test.ptx", []byte(kernelOf("setp.lt.u32 %p1, %tid, 3; @%p1 mov.u32 %r1, 1; ret;")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.kernels[0].Run(context.Background(), NewMemory(), Launch{Block: [3]int{40}, Arguments: [][]byte{u64(0), u64(0)}})
	// kernelOf begins with 4 instructions; of the guarded one 3 lanes count.
	if err != nil || got.WarpInstructions != 2*7 || got.ThreadInstructions != 40*6+3 {
		t.Errorf("%d warp and %d thread instructions (%v), want 14 and 243", got.WarpInstructions, got.ThreadInstructions, err)
	}
}

func TestParseErrors(t *testing.T) {
	for code, want := range map[string]string{
		"frobnicate.u32 %r1, %r2;":                                 "test.ptx:12: frobnicate.u32: unknown or unsupported opcode",
		"tex.2d.v4.f32.s32 {%r1, %r1, %r1, %r1}, [a, {%r1, %r1}];": "tex.2d",
		"add.f32 %f1, %f2;":                                        "needs 3 operands",
		"add.u32 %r1, %r2, [%d1];":                                 "an address, vector or pair where a register",
		"add.s32 %r1, %d1, 1;":                                     "register %d1 is b64, the instruction needs s32",
		"add.f32 %f1, %f2, 1;":                                     "an integer is no operand of type f32",
		"add.frob.f32 %f1, %f2, %f2;":                              "unsupported modifier .frob",
		"div.f32 %f1, %f2, %f2;":                                   "needs a rounding",
		"bra NOWHERE;":                                             "unknown label NOWHERE",
		"mov.u32 %r1, %nothing;":                                   "unknown register %nothing",
		"mov.u32 %r1, %clock;":                                     "unknown register %clock",
		"atom.global.add.f32 %f1, [%d1], %f2;":                     "atomics on floats are not supported",
		"call (%r1), f, (%r2);":                                    "function calls are not supported",
		"@%r1 ret;":                                                "guard %r1 is not a predicate",
		".tex .u32 t;":                                             "unknown directive",
		"st.const.u32 [%d1], 0;":                                   "const memory is read-only",
		".shared .b8 big[50000];":                                  "the limit is 49152",
		"ld.global.v4.f64 {%g1, %g1, %g1, %g1}, [%d1];":            "too wide",
		"add.rm.f64 %g1, %g1, %g1;":                                "supported with .rn only",
	} {
		_, err := Parse("test.ptx", []byte(snippet("\n"+code, "%r1")))
		var line string
		if err != nil {
			line = err.Error()
		}
		if !strings.Contains(line, want) {
			t.Errorf("%s: %q, want %q", code, line, want)
		}
	}
}

// TestSyntaxErrors: modules that are wrong outside their instructions.
func TestSyntaxErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                                 "no .version directive",
		"hello":                            "unknown directive",
		".version x":                       "expected a number",
		".version 7.0 .address_size 32":    "only 64-bit addresses",
		header + "/* open":                 "comment has no end",
		header + ".file 1 \"open":          "string has no end",
		header + "#":                       "unexpected character",
		header + ".func f() { }":           "device functions are not supported",
		header + ".extern .global .u32 x;": "nothing is linked",
		header + ".global .u32 x[2] = {1, 2, 3};":             "12 bytes of initial value for 8 bytes",
		header + ".global .u32 x = y;":                        "an address as an initial value",
		header + ".global .u32 x = 1 / 0;":                    "division by zero",
		header + ".global .u32 x[];":                          "without a size",
		header + ".global .u32 x; .global .u32 x;":            "declared twice",
		header + ".global .v4 .f32 x;":                        "vector variables",
		header + ".const .b8 x[70000];":                       "more than the limit of 65536",
		header + ".entry k() { ret;":                          "kernel k has no end",
		header + ".entry k() { } .entry k() { }":              "declared twice",
		header + ".entry k(.param .u32 a[2000]) { }":          "more than 4352 bytes",
		header + ".entry k(.reg .u32 a) { }":                  "expected .param",
		header + ".entry k() .frob 3 { }":                     "unknown directive of a kernel",
		header + ".entry k() { L: L: ret; }":                  "label L is defined twice",
		header + ".entry k() { .reg .b32 %r; .reg .u32 %r; }": "declared twice",
		header + ".entry k() { .reg .b8 %r; }":                "unknown register type",
		header + ".entry k() { ret }":                         "expected a constant",
		header + ".entry k() { 5; }":                          "expected an instruction",
	} {
		_, err := Parse("test.ptx", []byte(source))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

// TestMarks: what the host marks as written may be read, and what it marks as rubbish may not.
func TestMarks(t *testing.T) {
	m, err := Parse("test.ptx", []byte(kernelOf("ld.global.u32 %r1, [%raw+8]; ret;")))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw := output(t, memory, "raw", 4)
	start := func() error {
		_, err := m.kernels[0].Run(context.Background(), memory, Launch{Arguments: [][]byte{at(raw), at(raw)}, Options: Options{Check: CheckMemory}})
		return err
	}
	if start() == nil {
		t.Error("read what nobody wrote")
	}
	raw.MarkInitialized(8, 4)
	if err := start(); err != nil {
		t.Error(err)
	}
	raw.MarkUninitialized()
	if start() == nil {
		t.Error("read what was marked as rubbish")
	}
	if _, err := memory.Allocate("negative", -1, true); err == nil {
		t.Error("allocated a negative number of bytes")
	}
}
