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
	run(t, m.kernels[0], memory, Launch{Threads: threads, Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}})
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
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.any.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 1 }},
		{own + "setp.lt.u32 %p1, %r1, 5; vote.sync.all.pred %p2, %p1, -1;", "%p2", func(int) uint64 { return 0 }},
		{own + "setp.lt.u32 %p1, %r1, 5; mov.u32 %r3, 0; @%p1 vote.sync.all.pred %p2, %p1, 31; @%p1 activemask.b32 %r3;", "%r3", func(l int) uint64 { return 31 * bit(l < 5) }},
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

// TestShared writes and reads shared memory in every width, and a register of a nested block.
func TestShared(t *testing.T) {
	for _, c := range []opcodeCase{
		{"st.shared.u32 [tile+4], 0x12345678; ld.shared.u8 %r1, [tile+5];", "%r1", 0x56},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s8 %r1, [tile+1];", "%r1", 0xffffff86},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s16 %r1, [tile];", "%r1", 0xffff8678},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s8 %h1, [tile+1];", "%h1", 0xff86},
		{"st.shared.u32 [tile], 0x12348678; ld.shared.s16 %d1, [tile];", "%d1", 0xffffffffffff8678},
		{"mov.u32 %r1, tile; st.shared.u64 [%r1+8], -2; ld.shared.s32 %d1, [%r1+8];", "%d1", 0xfffffffffffffffe},
		{"st.shared.v4.u32 [tile], {1, 2, 3, 4}; ld.shared.v2.u32 {%r1, %r2}, [tile+8];", "%r2", 4},
		{"st.shared.v2.f64 [tile], {0d3ff0000000000000, 0d4000000000000000}; ld.shared.f64 %g1, [tile+8];", "%g1", 0x4000000000000000},
		{"st.shared.v4.u8 [tile], {1, 2, 3, 4}; ld.shared.u32 %r1, [tile];", "%r1", 0x04030201},
		{"mov.u32 %r1, 4; { .reg .b32 %r1; mov.u32 %r1, 9; mov.u32 %r2, %r1; } add.u32 %r1, %r1, %r2;", "%r1", 13},
	} {
		c.code = ".shared .align 16 .b8 tile[64]; " + c.code
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
	}{
		{"add.u32", "5", 0xfffffffe, 3},
		{"min.s32", "-1", 1, 0xffffffff},
		{"min.u32", "-1", 1, 1},
		{"max.s32", "-1", 1, 1},
		{"max.u32", "-1", 1, 0xffffffff},
		{"exch.b32", "9", 7, 9},
		{"cas.b32", "7, 9", 7, 9},
		{"cas.b32", "8, 9", 7, 7},
	} {
		for space, address := range map[string]string{"shared": "[cell]", "global": "[%d9]"} {
			code := fmt.Sprintf(".shared .align 8 .b8 cell[8]; ld.param.u64 %%d9, [out]; st.%[1]s.b32 %[2]s, %[3]d; atom.%[1]s.%[4]s %%r2, %[2]s, %[5]s; ld.%[1]s.b32 %%r3, %[2]s;",
				space, address, c.before, c.operation, c.operands)
			for register, want := range map[string]uint64{"%r2": c.before, "%r3": c.after} {
				if got := lanewise(t, code, register, 1)[0]; got != want {
					t.Errorf("atom.%s.%s of %#x: %s is %#x, want %#x", space, c.operation, c.before, register, got, want)
				}
			}
		}
	}
}

// TestAtomicSum has every thread of several blocks and workers add to one word.
func TestAtomicSum(t *testing.T) {
	m, err := Parse("test.ptx", []byte(kernelOf("atom.global.add.u32 %r1, [%full], 2;\natom.global.add.u32 %r1, [%full+4], 1;\nret;")))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw, full := output(t, memory, "raw", 1), floats(t, memory, "full", make([]float32, 2))
	run(t, m.kernels[0], memory, Launch{Blocks: 20, Threads: 100, Arguments: [][]byte{at(raw), at(full)}, Options: Options{Check: CheckFull, Workers: 4}})
	if wordAt(full, 0) != 4000 || wordAt(full, 1) != 2000 {
		t.Errorf("%d and %d, want 4000 and 2000", wordAt(full, 0), wordAt(full, 1))
	}
}

// TestSharedVariablesDoNotOverlap: a kernel's own shared variables come after those of module scope that stand before it, aligned. Each is given a value of its own and read back when all have theirs.
func TestSharedVariablesDoNotOverlap(t *testing.T) {
	entry := func(name, declare, write, read string) string {
		return `.visible .entry ` + name + `(.param .u64 out) {
	.reg .b32 %r<5>; .reg .b64 %d<2>;
	` + declare + `
	ld.param.u64 %d1, [out];
	st.shared.u32 [common], 0x11111111;
	st.shared.u16 [common+4], 0x2222;
	` + write + `
	ld.shared.u32 %r1, [common];
	ld.shared.u16 %r2, [common+4];
	` + read + `
	st.global.u32 [%d1], %r1;
	st.global.u32 [%d1+4], %r2;
	st.global.u32 [%d1+8], %r3;
	st.global.u32 [%d1+12], %r4;
	ret;
}
`
	}
	m, err := Parse("test.ptx", []byte(header+`
.shared .align 4 .b8 common[6];
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
		out := output(t, memory, "out", 4)
		run(t, k, memory, Launch{Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}})
		for i, want := range []uint32{0x11111111, 0x2222, 0x33333333, 0x44444444} {
			if got := wordAt(out, i); got != want {
				t.Errorf("kernel %s: word %d is %#x, want %#x: shared variables overlap", name, i, got, want)
			}
		}
		if k.sharedBytes != bytes {
			t.Errorf("kernel %s has %d bytes of static shared memory, want %d", name, k.sharedBytes, bytes)
		}
	}
}

func TestCounters(t *testing.T) {
	for _, c := range []struct {
		name, body string
		block      int
		want       Counters
	}{
		{"coalesced load", "ld.global.f32 %f1, [%own];", 32, Counters{GlobalBytes: 128, GlobalSectors: 4}},
		{"strided store", "mad.wide.u32 %d1, %tid, 32, %full; st.global.f32 [%d1], 0f00000000;", 8, Counters{GlobalBytes: 32, GlobalSectors: 8}},
		{"one word for all", "ld.global.f32 %f1, [%full];", 32, Counters{GlobalBytes: 128, GlobalSectors: 1}},
		{"reversed", "mul.wide.u32 %d1, %tid, 4; sub.u64 %d1, %full, %d1; ld.global.v2.f32 {%f1, %f2}, [%full+248]; ld.global.f32 %f1, [%d1+124];", 32,
			Counters{GlobalBytes: 128 + 256, GlobalSectors: 5}},
		{"shared, no conflict", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 4, %r1; st.shared.u32 [%r1], 0;", 32, Counters{}},
		{"shared, two-way conflict", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 8, %r1; st.shared.u32 [%r1], 0;", 32, Counters{SharedBankConflicts: 1}},
		{"shared, 128 bits", "mov.u32 %r1, tile; mad.lo.u32 %r1, %tid, 16, %r1; st.shared.v4.u32 [%r1], {0, 0, 0, 0};", 32, Counters{}},
		{"shared, broadcast", "bar.sync 0; setp.ne.u32 %p1, %tid, 0; @!%p1 st.shared.u32 [tile], 0; bar.sync 0; ld.shared.u32 %r1, [tile];", 32, Counters{}},
		{"divergent branch", "setp.lt.u32 %p1, %tid, 3; @%p1 bra L; mov.u32 %r1, 1; L: bra.uni M; M:", 32, Counters{DivergentBranches: 1}},
		{"uniform branch", "setp.lt.u32 %p1, %tid, 32; @%p1 bra L; mov.u32 %r1, 1; L:", 32, Counters{}},
	} {
		m, err := Parse("test.ptx", []byte(kernelOf(c.body+" ret;")))
		if err != nil {
			t.Fatal(err)
		}
		memory := NewMemory()
		raw, full := output(t, memory, "raw", 1), floats(t, memory, "full", make([]float32, 64))
		got := run(t, m.kernels[0], memory, Launch{Threads: c.block, Arguments: [][]byte{at(raw), at(full)}, Options: Options{Check: CheckFull}})
		got.ThreadInstructions = 0
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	m, err := Parse("test.ptx", []byte(kernelOf("setp.lt.u32 %p1, %tid, 3; @%p1 mov.u32 %r1, 1; ret;")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.kernels[0].Run(context.Background(), NewMemory(), Launch{Threads: 40, Arguments: [][]byte{u64(0), u64(0)}})
	// kernelOf begins with 4 instructions; of the guarded one 3 lanes count.
	if err != nil || got.ThreadInstructions != 40*6+3 {
		t.Errorf("%d thread instructions (%v), want 243", got.ThreadInstructions, err)
	}
}

func TestParseErrors(t *testing.T) {
	for code, want := range map[string]string{
		"frobnicate.u32 %r1, %r2;":                      "test.ptx:12: frobnicate.u32: is not emulated: write the CUDA source without it, or add it to gpu/emu/ptx/operations.go",
		"add.f32 %f1, %f2;":                             "needs 3 operands, has 2",
		"add.u32 %r1, %r2, [%d1];":                      "an address or a list where a register",
		"add.s32 %r1, %d1, 1;":                          "register %d1 is b64, the instruction needs b32",
		"add.f32 %f1, %f2, 1;":                          "the number does not suit the type f32",
		"add.frob.f32 %f1, %f2, %f2;":                   "add.frob.f32: is not emulated",
		"add.rm.f64 %g1, %g1, %g1;":                     "add.rm.f64: is not emulated",
		"bra NOWHERE;":                                  "unknown label NOWHERE",
		"mov.u32 %r1, %tid.y;":                          "those of one dimension, %tid.x",
		"atom.global.add.f32 %f1, [%d1], %f2;":          "atomics are add, min, max, exch and cas of 32-bit integers",
		"call (%r1), f, (%r2);":                         "let nvcc inline the function",
		"@%r1 ret;":                                     "guard %r1 is not a predicate",
		".local .align 4 .b8 a[4];":                     "index the array by constants",
		"ld.u32 %r1, [%d1];":                            "a load needs .global, .shared or .param",
		"ld.volatile.global.u32 %r1, [%d1];":            "not volatile",
		"st.param.u32 [%d1], 0;":                        "a store needs .global or .shared",
		"membar.gl;":                                    "let a second kernel read what other blocks wrote",
		"bar.sync 1;":                                   "barriers are __syncthreads and __syncwarp",
		"brx.idx %r1, targets;":                         "write if and else in place of switch",
		"cvt.rz.f32.f64 %f1, %g1;":                      "conversions round to nearest",
		".shared .b8 big[50000];":                       "larger than the limit of 49152",
		"ld.global.v4.f64 {%g1, %g1, %g1, %g1}, [%d1];": "too wide",
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
		"":                                  "no .version directive",
		"hello":                             "hello: is not emulated",
		".version 7.0 .address_size 32":     "only 64-bit addresses",
		header + ".file 1 \"open":           "string has no end",
		header + "#":                        "unexpected character",
		header + ".func f() { }":            "let nvcc inline them",
		header + ".extern .shared .b8 x[];": "give shared arrays a size",
		header + ".global .u32 x;":          "pass a buffer",
		header + ".shared .u32 x; .shared .u32 x;":            "declared twice",
		header + ".entry k() { ret;":                          "kernel k has no end",
		header + ".entry k() { } .entry k() { }":              "declared twice",
		header + ".entry k(.param .u32 a[2000]) { }":          "the limit is 4352",
		header + ".entry k(.reg .u32 a) { }":                  "expected \".param\"",
		header + ".entry k() .reqntid 3 { }":                  "use __launch_bounds__",
		header + ".entry k() { L: L: ret; }":                  "label L is defined twice",
		header + ".entry k() { .reg .b32 %r; .reg .u32 %r; }": "declared twice",
		header + ".entry k() { .reg .b8 %r; }":                "unknown register type",
		header + ".entry k() { ret }":                         "expected a number",
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
