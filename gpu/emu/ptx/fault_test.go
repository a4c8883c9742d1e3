package ptx

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// planted is a kernel with one fault, on the line marked "here".
type planted struct {
	name   string
	body   string
	want   FaultKind
	thread int // that is blamed, in natural order
	launch Launch
	check  Check // the least that finds it
}

// kernelOf makes a kernel of a body; its parameters are two buffers of 64 words, "raw" never written and "full" initialized, and the
// register %own holds the address of the thread's word in "full".
func kernelOf(body string) string {
	return header + `.visible .entry planted(.param .u64 raw, .param .u64 full) {
	.shared .align 16 .b8 tile[512];
	.reg .pred %p<10>;
	.reg .b32 %r<20>, %tid;
	.reg .b64 %d<10>, %raw, %full, %own;
	.reg .f32 %f<10>;
	ld.param.u64 %raw, [raw];
	ld.param.u64 %full, [full];
	mov.u32 %tid, %tid.x;
	mad.wide.u32 %own, %tid, 4, %full;
` + body + "\n}\n"
}

var plantedFaults = []planted{
	{name: "write out of bounds", body: `
	st.global.u32 [%own+128], %tid; // threads 32 and up are past the end; here
	ret;`, want: FaultOutOfBounds, thread: 32, launch: Launch{Threads: 40}},
	{name: "read before the start", body: `
	ld.global.u32 %r1, [%own+-4]; // here
	ret;`, want: FaultOutOfBounds, launch: Launch{Threads: 32}},
	{name: "read across the end", body: `
	ld.global.v2.u32 {%r1, %r2}, [%full+248];
	ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%full+256]; // here
	ret;`, want: FaultOutOfBounds},
	{name: "address of nothing", body: `
	mov.u64 %d1, 64;
	ld.global.u32 %r1, [%d1]; // here
	ret;`, want: FaultOutOfBounds},
	{name: "shared out of bounds", body: `
	mov.u32 %r1, tile;
	mad.lo.u32 %r1, %tid, 32, %r1;
	st.shared.u32 [%r1], %tid; // here
	ret;`, want: FaultOutOfBounds, thread: 16, launch: Launch{Threads: 32}},
	{name: "misaligned vector", body: `
	ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%full+8]; // here
	ret;`, want: FaultMisaligned},
	{name: "misaligned word", body: `
	mad.wide.u32 %d1, %tid, 3, %full;
	ld.global.u32 %r1, [%d1]; // here
	ret;`, want: FaultMisaligned, thread: 1, launch: Launch{Threads: 4}},
	{name: "uninitialized global memory", body: `
	st.global.u32 [%raw], 1;
	ld.global.u32 %r1, [%raw];
	ld.global.u32 %r1, [%raw+4]; // here
	ret;`, want: FaultUninitializedMemory, check: CheckMemory},
	{name: "half a word uninitialized", body: `
	st.global.u16 [%raw], 1;
	ld.global.u32 %r1, [%raw]; // here
	ret;`, want: FaultUninitializedMemory, check: CheckMemory},
	{name: "uninitialized shared memory", body: `
	ld.shared.u32 %r1, [tile+16]; // here
	ret;`, want: FaultUninitializedMemory, check: CheckMemory},
	{name: "uninitialized register", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 mov.u32 %r1, 5;
	add.u32 %r2, %r1, 1; // here
	ret;`, want: FaultUninitializedRegister, thread: 7, launch: Launch{Threads: 32}, check: CheckMemory},
	{name: "uninitialized guard", body: `
	@%p1 mov.u32 %r1, 5; // here
	ret;`, want: FaultUninitializedRegister, check: CheckMemory},
	{name: "barrier on one side of a branch", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 bra SKIP;
	bar.sync 0; // here
SKIP:
	ret;`, want: FaultDivergentBarrier, thread: 7, launch: Launch{Threads: 32}},
	{name: "barrier under a guard", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 bar.sync 0; // here
	ret;`, want: FaultDivergentBarrier, launch: Launch{Threads: 32}},
	{name: "barrier after lanes have left", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 ret;
	bar.sync 0; // here
	ret;`, want: FaultExitedBarrier, thread: 7, launch: Launch{Threads: 32}, check: CheckMemory},
	{name: "barrier after a warp has left", body: `
	setp.lt.u32 %p1, %tid, 32;
	@%p1 bra DONE;
	bar.sync 0; // here
DONE:
	ret;`, want: FaultExitedBarrier, thread: 32, launch: Launch{Threads: 64}, check: CheckMemory},
	{name: "shuffle in a branch with a full mask", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 bra SKIP;
	shfl.sync.bfly.b32 %r1, %tid, 1, 31, -1; // here
SKIP:
	ret;`, want: FaultWarpMask, thread: 7, launch: Launch{Threads: 32}},
	{name: "shuffle with a mask without oneself", body: `
	shfl.sync.idx.b32 %r1, %tid, 0, 31, 0xffff; // here
	ret;`, want: FaultWarpMask, thread: 16, launch: Launch{Threads: 32}},
	{name: "shuffle from a lane that does not exist", body: `
	shfl.sync.down.b32 %r1, %tid, 4, 31, -1; // here
	ret;`, want: FaultWarpMask, thread: 6, launch: Launch{Threads: 10}},
	{name: "vote in a branch with a full mask", body: `
	setp.lt.u32 %p1, %tid, 7;
	@%p1 vote.sync.ballot.b32 %r1, %p1, -1; // here
	ret;`, want: FaultWarpMask, launch: Launch{Threads: 32}},
	{name: "missing barrier", body: `
	shl.b32 %r1, %tid, 2;
	xor.b32 %r2, %r1, 128;
	mov.u32 %r3, tile;
	add.u32 %r1, %r3, %r1;
	add.u32 %r2, %r3, %r2;
	st.shared.u32 [%r1], 0;
	bar.sync 0;
	st.shared.u32 [%r1], %tid; // here: the first warp has read it
	ld.shared.u32 %r4, [%r2];
	ret;`, want: FaultSharedRace, thread: 32, launch: Launch{Threads: 64}, check: CheckFull},
	{name: "shared read, then write by another warp", body: `
	st.shared.u32 [tile], 1; // here: by two threads
	ret;`, want: FaultSharedRace, thread: 1, launch: Launch{Threads: 2}, check: CheckFull},
	{name: "shared bytes", body: `
	mov.u32 %r1, tile;
	add.u32 %r1, %r1, %tid;
	st.shared.u8 [%r1], %tid;
	setp.ne.u32 %p1, %tid, 3;
	@%p1 ret;
	ld.shared.u32 %r2, [tile]; // here
	ret;`, want: FaultSharedRace, thread: 3, launch: Launch{Threads: 4}, check: CheckFull},
	{name: "lanes of a warp without bar.warp.sync", body: `
	mov.u32 %r1, tile;
	mad.lo.u32 %r2, %tid, 4, %r1;
	st.shared.u32 [%r2], %tid;
	bar.warp.sync -1;
	xor.b32 %r3, %tid, 1;
	mad.lo.u32 %r3, %r3, 4, %r1;
	ld.shared.u32 %r4, [%r3];
	st.shared.u32 [%r2], %r4; // here
	ret;`, want: FaultSharedRace, launch: Launch{Threads: 32}, check: CheckFull},
	{name: "blocks write one word", body: `
	mov.u32 %r1, %ctaid.x;
	st.global.u32 [%full], %r1; // here
	ret;`, want: FaultGlobalRace, launch: Launch{Blocks: 2}, check: CheckFull},
	{name: "block reads what another wrote", body: `
	mov.u32 %r1, %ctaid.x;
	setp.eq.u32 %p1, %r1, 0;
	@%p1 st.global.u32 [%full], %r1;
	bar.sync 0;
	@!%p1 ld.global.u32 %r2, [%full]; // here
	ret;`, want: FaultGlobalRace, launch: Launch{Blocks: 2, Options: Options{Workers: 1}}, check: CheckFull},
	{name: "threads of a block write one global word", body: `
	st.global.u32 [%full], 1; // here
	ret;`, want: FaultGlobalRace, thread: 1, launch: Launch{Threads: 2}, check: CheckFull},
	{name: "atomic against a plain write", body: `
	setp.eq.u32 %p1, %tid, 0;
	@%p1 atom.global.add.u32 %r2, [%full], 1;
	@!%p1 st.global.u32 [%full], 1; // here
	ret;`, want: FaultGlobalRace, thread: 1, launch: Launch{Threads: 2}, check: CheckFull},
	{name: "endless loop", body: `
AGAIN:
	bra AGAIN; // here
	ret;`, want: FaultBudget, launch: Launch{Options: Options{Budget: 100_000}}},
}

// start launches a planted kernel.
func (p planted) start(t *testing.T, o Options) (*Fault, error) {
	t.Helper()
	m, err := Parse("planted.ptx", []byte(kernelOf(p.body)))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw := output(t, memory, "raw", 64)
	full := floats(t, memory, "full", make([]float32, 64))
	launch := p.launch
	launch.Arguments = [][]byte{at(raw), at(full)}
	launch.Options.Check = o.Check
	launch.Options.Order = o.Order
	_, err = m.kernels[0].Run(context.Background(), memory, launch)
	var fault *Fault
	errors.As(err, &fault)
	return fault, err
}

func TestPlantedFaults(t *testing.T) {
	for _, p := range plantedFaults {
		t.Run(p.name, func(t *testing.T) {
			line := 0
			for i, text := range strings.Split(kernelOf(p.body), "\n") {
				if strings.Contains(text, "here") {
					line = i + 1
				}
			}
			for check := CheckNone; check <= CheckFull; check++ {
				fault, err := p.start(t, Options{Check: check})
				switch {
				case check < p.check:
					if err != nil {
						t.Errorf("check %v: %v, though it is not looked for", check, err)
					}
				case fault == nil || fault.Kind != p.want || fault.Line != line || fault.Thread != p.thread:
					t.Errorf("check %v: %v; want %v at line %d, thread %d", check, err, p.want, line, p.thread)
				}
			}
			for order := uint64(1); order <= 5; order++ { // a race is found in every order
				if fault, err := p.start(t, Options{Check: CheckFull, Order: order}); fault == nil || fault.Kind != p.want {
					t.Errorf("order %d: %v, want %v", order, err, p.want)
				}
			}
		})
	}
}

func TestFaultMessage(t *testing.T) {
	fault, _ := plantedFaults[0].start(t, Options{})
	const want = "kernel planted: planted.ptx:15: st.global.u32: access out of bounds: 4 bytes of global memory at 0x400100200 " +
		"(0 bytes past the end of full, which has 256): block 0 thread 32"
	if fault == nil || fault.Error() != want {
		t.Errorf("message %q\nwant    %q", fault, want)
	}
}

func TestUseAfterFree(t *testing.T) {
	m, err := Parse("planted.ptx", []byte(kernelOf("ld.global.u32 %r1, [%full];\nret;")))
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemory()
	raw, full := output(t, memory, "raw", 64), output(t, memory, "full", 64)
	if err := memory.Free(full.Address); err != nil {
		t.Fatal(err)
	}
	if err := memory.Free(full.Address); err == nil {
		t.Error("freed twice")
	}
	_, err = m.kernels[0].Run(context.Background(), memory, Launch{Arguments: [][]byte{at(raw), at(full)}})
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != FaultUseAfterFree || !strings.Contains(fault.Allocation, "full") {
		t.Errorf("%v", err)
	}
}

// TestOrderedAccesses has kernels that look like races and are none.
func TestOrderedAccesses(t *testing.T) {
	for name, p := range map[string]planted{
		"barrier between": {body: `
	shl.b32 %r1, %tid, 2;
	xor.b32 %r2, %r1, 128;
	mov.u32 %r3, tile;
	add.u32 %r1, %r3, %r1;
	add.u32 %r2, %r3, %r2;
	st.shared.u32 [%r1], %tid;
	bar.sync 0;
	ld.shared.u32 %r4, [%r2];
	bar.sync 0;
	st.shared.u32 [%r1], %r4;
	ret;`, launch: Launch{Threads: 64, Blocks: 3}},
		"bar.warp.sync between lanes": {body: `
	mov.u32 %r1, tile;
	mad.lo.u32 %r2, %tid, 4, %r1;
	st.shared.u32 [%r2], %tid;
	bar.warp.sync -1;
	xor.b32 %r3, %tid, 1;
	mad.lo.u32 %r3, %r3, 4, %r1;
	ld.shared.u32 %r4, [%r3];
	bar.warp.sync -1;
	st.shared.u32 [%r2], %r4;
	ret;`, launch: Launch{Threads: 32}},
		"neighbouring bytes": {body: `
	mov.u32 %r1, tile;
	add.u32 %r1, %r1, %tid;
	st.shared.u8 [%r1], %tid;
	cvt.u64.u32 %d1, %tid;
	add.u64 %d1, %d1, %full;
	st.global.u8 [%d1], %tid;
	ret;`, launch: Launch{Threads: 64}},
		"atomics on one word": {body: `
	atom.global.add.u32 %r2, [%full], 1;
	atom.shared.exch.b32 %r1, [tile], 1;
	ret;`, launch: Launch{Threads: 64, Blocks: 3}, check: CheckNone},
	} {
		if name == "atomics on one word" {
			p.body = "\tsetp.ne.u32 %p1, %tid, 0;\n\t@!%p1 st.shared.u32 [tile], 0;\n\tbar.sync 0;\n" + p.body
		}
		for order := range uint64(4) {
			if _, err := p.start(t, Options{Check: CheckFull, Order: order}); err != nil {
				t.Errorf("%s, order %d: %v", name, order, err)
			}
		}
	}
}

func TestLaunchErrors(t *testing.T) {
	m, err := Parse("planted.ptx", []byte(strings.Replace(kernelOf("ret;"), "u64 full) {", "u64 full)\n.maxntid 256, 1, 1\n{", 1)))
	if err != nil {
		t.Fatal(err)
	}
	k := m.kernels[0]
	fit := [][]byte{u64(0), u64(0)}
	for name, l := range map[string]Launch{
		"more than .maxntid":       {Threads: 257, Arguments: fit},
		"negative":                 {Threads: -1, Arguments: fit},
		"too many blocks":          {Blocks: 1 << 31, Arguments: fit},
		"too few arguments":        {Arguments: fit[:1]},
		"argument of another size": {Arguments: [][]byte{u64(0), u32(0)}},
		"too many arguments":       {Arguments: append(fit, u64(0))},
	} {
		_, err := k.Run(context.Background(), NewMemory(), l)
		var refused *LaunchError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Run(context.Background(), NewMemory(), Launch{Threads: 256, Arguments: fit}); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	m, err := Parse("planted.ptx", []byte(kernelOf("AGAIN: bra AGAIN;")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.kernels[0].Run(ctx, NewMemory(), Launch{Arguments: [][]byte{u64(0), u64(0)}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
