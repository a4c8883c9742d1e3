package ptx

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// opcodeCase is a few instructions and the bits that the ISA's definition of them leaves in a register. The first letter of the
// register tells its type: p predicate, h 16 bits, r 32, d 64, f float32, g float64.
type opcodeCase struct {
	code   string
	result string
	want   uint64
}

const header = `.version 7.0
.target sm_75
.address_size 64
`

// snippet makes a kernel of instructions that stores a register for each thread.
func snippet(code, result string) string {
	store := map[byte]string{
		'h': "cvt.u64.u16 %out, " + result + ";", 'r': "cvt.u64.u32 %out, " + result + ";", 'd': "mov.b64 %out, " + result + ";",
		'f': "mov.b32 %bits, " + result + "; cvt.u64.u32 %out, %bits;", 'g': "mov.b64 %out, " + result + ";",
		'p': "selp.u64 %out, 1, 0, " + result + ";",
	}[result[1]]
	return header + `.visible .entry test(.param .u64 out) {
	.reg .pred %p<10>;
	.reg .b16 %h<10>;
	.reg .b32 %r<10>, %bits, %thread;
	.reg .b64 %d<10>, %out, %address;
	.reg .f32 %f<10>;
	.reg .f64 %g<10>;
	` + code + `
	` + store + `
	ld.param.u64 %address, [out];
	mov.u32 %thread, %tid.x;
	mad.wide.u32 %address, %thread, 8, %address;
	st.global.u64 [%address], %out;
	ret;
}
`
}

func (c opcodeCase) run(t *testing.T) {
	t.Helper()
	m, err := Parse("test.ptx", []byte(snippet(c.code, c.result)))
	if err != nil {
		t.Errorf("%s: %v", c.code, err)
		return
	}
	for _, threads := range []int{lanes, 5} { // a full warp and a partial one take different loops
		memory := NewMemory()
		out, _ := memory.Allocate("out", 8*lanes, false)
		if _, err := m.kernels[0].Run(context.Background(), memory, Launch{Threads: threads, Arguments: [][]byte{at(out)}, Options: Options{Check: CheckFull}}); err != nil {
			t.Errorf("%s: %v", c.code, err)
			return
		}
		for lane := range threads {
			if got := binary.LittleEndian.Uint64(out.Data[8*lane:]); got != c.want {
				t.Errorf("%s\n%s = %#x in lane %d of %d, want %#x", c.code, c.result, got, lane, threads, c.want)
				return
			}
		}
	}
}

// table reads lines "instruction ... => bits"; the destination is the result. Operands that are not registers stay as they are.
func table(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		code, value, ok := strings.Cut(line, "=>")
		var c opcodeCase
		if _, err := fmt.Sscanf(strings.TrimSpace(value), "%v", &c.want); !ok || err != nil {
			t.Fatalf("bad line %q", line)
		}
		c.code = strings.TrimSpace(code) + ";"
		instruction := c.code
		if i := strings.LastIndex(strings.TrimSuffix(c.code, ";"), ";"); i >= 0 {
			instruction = c.code[i+1:]
		}
		c.result = strings.TrimRight(strings.Fields(instruction)[1], ",")
		c.run(t)
	}
}

func TestFloat32Arithmetic(t *testing.T) {
	// 1.0 = 3f800000, smallest subnormal 1, largest 7f7fffff, infinity 7f800000, canonical NaN 7fffffff.
	table(t, `
add.f32 %f0, 0f3f800000, 0f33800000 => 0x3f800000
# 1 + 2^-24 is a tie, to even; 1 + 3*2^-25 rounds up
add.f32 %f0, 0f3f800000, 0f33c00000 => 0x3f800001
add.rz.f32 %f0, 0f3f800000, 0f33c00000 => 0x3f800000
add.rm.f32 %f0, 0f3f800000, 0f33800000 => 0x3f800000
add.rm.f32 %f0, 0f3f800000, 0f80000001 => 0x3f7fffff
add.rz.f32 %f0, 0fbf800000, 0f00000001 => 0xbf7fffff
add.rz.f32 %f0, 0f7f7fffff, 0f7f7fffff => 0x7f7fffff
add.rm.f32 %f0, 0f7f7fffff, 0f7f7fffff => 0x7f7fffff
add.rm.f32 %f0, 0f3f800000, 0fbf800000 => 0x80000000
fma.rz.f32 %f0, 0f3f800000, 0f3f800000, 0f80000001 => 0x3f7fffff
add.f32 %f0, 0f7f7fffff, 0f7f7fffff => 0x7f800000
add.f32 %f0, 0f7f800000, 0fff800000 => 0x7fffffff
add.f32 %f0, 0fffc12345, 0f3f800000 => 0x7fffffff
add.f32 %f0, 0f80000000, 0f80000000 => 0x80000000
add.f32 %f0, 0f80000000, 0f00000000 => 0x00000000
add.f32 %f0, 0f00000001, 0f00000001 => 0x00000002
sub.f32 %f0, 0f00000000, 0f00000000 => 0
sub.rn.f32 %f0, 0f40000000, 0f3f800000 => 0x3f800000
sub.f32 %f0, 0f7f800000, 0f7f800000 => 0x7fffffff
mul.f32 %f0, 0f7f800000, 0f00000000 => 0x7fffffff
mul.f32 %f0, 0f00000001, 0f3f000000 => 0
mul.rn.f32 %f0, 0f3f800001, 0f3f800001 => 0x3f800002
mul.f32 %f0, 0f80000000, 0f3f800000 => 0x80000000
fma.rn.f32 %f0, 0f3f800001, 0f3f800001, 0fbf800002 => 0x28800000
fma.rn.f32 %f0, 0f7f7fffff, 0f40000000, 0fff7fffff => 0x7f7fffff
fma.rm.f32 %f0, 0f3f800000, 0f3f800000, 0fbf800000 => 0x80000000
fma.rn.f32 %f0, 0f7f800000, 0f00000000, 0f3f800000 => 0x7fffffff
fma.rn.f32 %f0, 0f3f800000, 0f3f800000, 0f00000001 => 0x3f800000
div.rn.f32 %f0, 0f3f800000, 0f40400000 => 0x3eaaaaab
div.rn.f32 %f0, 0f3f800000, 0f00000000 => 0x7f800000
div.rn.f32 %f0, 0f3f800000, 0f80000000 => 0xff800000
div.rn.f32 %f0, 0f00000000, 0f00000000 => 0x7fffffff
div.rn.f32 %f0, 0f7f800000, 0f7f800000 => 0x7fffffff
div.rn.f32 %f0, 0f00000001, 0f40000000 => 0
div.rn.f32 %f0, 0f00000003, 0f40000000 => 2
div.approx.f32 %f0, 0f3f800000, 0f40000000 => 0x3f000000
div.full.f32 %f0, 0f3f800000, 0f40000000 => 0x3f000000
rcp.rn.f32 %f0, 0f40400000 => 0x3eaaaaab
rcp.rn.f32 %f0, 0f80000000 => 0xff800000
rcp.approx.ftz.f32 %f0, 0f00000001 => 0x7f800000
sqrt.rn.f32 %f0, 0f40000000 => 0x3fb504f3
sqrt.rn.f32 %f0, 0f80000000 => 0x80000000
sqrt.rn.f32 %f0, 0fbf800000 => 0x7fffffff
sqrt.rn.f32 %f0, 0f00000001 => 0x1a3504f3
sqrt.approx.f32 %f0, 0f40800000 => 0x40000000
rsqrt.approx.f32 %f0, 0f40800000 => 0x3f000000
rsqrt.approx.f32 %f0, 0f80000000 => 0xff800000
rsqrt.approx.f32 %f0, 0fbf800000 => 0x7fffffff
rsqrt.approx.f32 %f0, 0f7f800000 => 0
ex2.approx.f32 %f0, 0f40400000 => 0x41000000
ex2.approx.f32 %f0, 0fff800000 => 0
ex2.approx.f32 %f0, 0fc3150000 => 1
ex2.approx.ftz.f32 %f0, 0fc3150000 => 0
lg2.approx.f32 %f0, 0f41000000 => 0x40400000
lg2.approx.f32 %f0, 0f80000000 => 0xff800000
lg2.approx.f32 %f0, 0fbf800000 => 0x7fffffff
lg2.approx.f32 %f0, 0f00000001 => 0xc3150000
sin.approx.f32 %f0, 0f00000000 => 0
cos.approx.f32 %f0, 0f00000000 => 0x3f800000
sin.approx.f32 %f0, 0f7f800000 => 0x7fffffff
min.f32 %f0, 0f7fc00000, 0f3f800000 => 0x3f800000
min.f32 %f0, 0f3f800000, 0f7fc00001 => 0x3f800000
min.f32 %f0, 0f7fc00000, 0fffc00000 => 0x7fffffff
min.f32 %f0, 0f00000000, 0f80000000 => 0x80000000
min.f32 %f0, 0f80000000, 0f00000000 => 0x80000000
max.f32 %f0, 0f80000000, 0f00000000 => 0
max.f32 %f0, 0f00000000, 0f80000000 => 0
max.f32 %f0, 0fff800000, 0f7fc00000 => 0xff800000
abs.f32 %f0, 0f80000000 => 0
abs.f32 %f0, 0fff800000 => 0x7f800000
neg.f32 %f0, 0f00000000 => 0x80000000
copysign.f32 %f0, 0f80000000, 0f3f800000 => 0xbf800000
`)
}

func TestFloat64Arithmetic(t *testing.T) {
	table(t, `
add.f64 %g0, 0d3ff0000000000000, 0d3ca0000000000000 => 0x3ff0000000000000
add.rn.f64 %g0, 0d7ff0000000000000, 0d3ff0000000000000 => 0x7ff0000000000000
sub.f64 %g0, 0d3ff0000000000000, 0d3ff0000000000000 => 0
mul.f64 %g0, 0d4000000000000000, 0d4008000000000000 => 0x4018000000000000
fma.rn.f64 %g0, 0d3ff0000000000001, 0d3ff0000000000001, 0dbff0000000000002 => 0x3970000000000000
div.rn.f64 %g0, 0d3ff0000000000000, 0d4008000000000000 => 0x3fd5555555555555
rcp.rn.f64 %g0, 0d4000000000000000 => 0x3fe0000000000000
sqrt.rn.f64 %g0, 0d4000000000000000 => 0x3ff6a09e667f3bcd
min.f64 %g0, 0d0000000000000000, 0d8000000000000000 => 0x8000000000000000
max.f64 %g0, 0d7ff8000000000000, 0d3ff0000000000000 => 0x3ff0000000000000
abs.f64 %g0, 0dbff0000000000000 => 0x3ff0000000000000
neg.f64 %g0, 0d3ff0000000000000 => 0xbff0000000000000
copysign.f64 %g0, 0d8000000000000000, 0d3ff0000000000000 => 0xbff0000000000000
`)
}

func TestIntegerArithmetic(t *testing.T) {
	table(t, `
add.s32 %r0, 0x7fffffff, 1 => 0x80000000
add.u16 %h0, 0xffff, 2 => 1
add.s64 %d0, 0x7fffffffffffffff, 1 => 0x8000000000000000
sub.s32 %r0, 0, 1 => 0xffffffff
sub.u16 %h0, 0, 1 => 0xffff
sub.s64 %d0, 0, 1 => 0xffffffffffffffff
mul.lo.s32 %r0, 0x10000, 0x10001 => 0x10000
mul.lo.u16 %h0, 0x100, 0x101 => 0x100
mul.hi.s32 %r0, -1, -1 => 0
mul.hi.u32 %r0, -1, -1 => 0xfffffffe
mul.hi.s32 %r0, 0x80000000, 2 => 0xffffffff
mul.hi.s64 %d0, -1, 1 => 0xffffffffffffffff
mul.hi.s64 %d0, 0x8000000000000000, 0x8000000000000000 => 0x4000000000000000
mul.hi.u64 %d0, -1, -1 => 0xfffffffffffffffe
mul.lo.s64 %d0, 0x100000000, 0x100000001 => 0x100000000
mul.wide.s32 %d0, -2, 3 => 0xfffffffffffffffa
mul.wide.u32 %d0, -2, 3 => 0x2fffffffa
mul.wide.s16 %r0, 0xffff, 2 => 0xfffffffe
mul.wide.u16 %r0, 0xffff, 2 => 0x1fffe
mad.lo.s32 %r0, 3, 4, 5 => 17
mad.lo.u16 %h0, 0x100, 0x100, 5 => 5
mad.wide.s32 %d0, -2, 3, 1 => 0xfffffffffffffffb
mad.lo.s64 %d0, 3, 4, 5 => 17
div.s32 %r0, -7, 2 => 0xfffffffd
div.s32 %r0, 0x80000000, -1 => 0x80000000
div.s32 %r0, 5, 0 => 0xffffffff
div.u32 %r0, -7, 2 => 0x7ffffffc
div.u32 %r0, 5, 0 => 0xffffffff
div.s16 %h0, 0xfff9, 2 => 0xfffd
div.s64 %d0, -7, 2 => 0xfffffffffffffffd
div.s64 %d0, 0x8000000000000000, -1 => 0x8000000000000000
div.u64 %d0, 7, 0 => 0xffffffffffffffff
rem.s32 %r0, -7, 2 => 0xffffffff
rem.s32 %r0, 0x80000000, -1 => 0
rem.u32 %r0, -7, 4 => 1
rem.u64 %d0, 100, 7 => 2
rem.s32 %r0, 5, 0 => 5
min.s32 %r0, -1, 1 => 0xffffffff
min.u32 %r0, -1, 1 => 1
max.s32 %r0, 0x80000000, 0 => 0
max.u32 %r0, 0x80000000, 0 => 0x80000000
min.s16 %h0, 0xffff, 1 => 0xffff
max.s64 %d0, -1, 1 => 1
max.u64 %d0, -1, 1 => 0xffffffffffffffff
abs.s32 %r0, -5 => 5
abs.s32 %r0, 0x80000000 => 0x80000000
abs.s16 %h0, 0xffff => 1
abs.s64 %d0, -5 => 5
neg.s32 %r0, 0x80000000 => 0x80000000
neg.s16 %h0, 1 => 0xffff
neg.s64 %d0, 1 => 0xffffffffffffffff
popc.b32 %r0, 0xf0f0 => 8
popc.b64 %r0, -1 => 64
clz.b32 %r0, 0 => 32
clz.b32 %r0, 1 => 31
clz.b64 %r0, 0 => 64
brev.b32 %r0, 1 => 0x80000000
bfind.shiftamt.u32 %r0, 0x10 => 27
bfe.u32 %r0, 0xabcd, 4, 8 => 0xbc
bfe.u32 %r0, 0xabcd, 4, 0 => 0
bfe.u32 %r0, -1, 32, 4 => 0
bfe.u32 %r0, 0xabcd, 260, 264 => 0xbc
bfi.b32 %r0, 0xff, 0, 8, 4 => 0xf00
bfi.b32 %r0, 0xff, 0x12345678, 8, 0 => 0x12345678
bfi.b32 %r0, 0xff, 0x12345678, 32, 8 => 0x12345678
bfi.b32 %r0, 0xff, 0, 28, 255 => 0xf0000000
`)
}

func TestLogic(t *testing.T) {
	table(t, `
and.b32 %r0, 0xff00, 0x0ff0 => 0xf00
or.b32 %r0, 0xff00, 0x0ff0 => 0xfff0
xor.b32 %r0, 0xff00, 0x0ff0 => 0xf0f0
not.b32 %r0, 0 => 0xffffffff
not.b16 %h0, 1 => 0xfffe
not.b64 %d0, 0 => 0xffffffffffffffff
and.b64 %d0, -1, 0xff00000000 => 0xff00000000
xor.b16 %h0, 0xffff, 1 => 0xfffe
lop3.b32 %r0, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0x80 => 0x80808080
lop3.b32 %r0, 1, 2, 4, 0x96 => 7
lop3.b32 %r0, 0xff, 0x0f, 0x33, 0xca => 0x0f
shl.b32 %r0, 1, 31 => 0x80000000
shl.b32 %r0, 1, 32 => 0
shl.b32 %r0, 1, -1 => 0
shl.b16 %h0, 0x8001, 1 => 2
shl.b64 %d0, 1, 63 => 0x8000000000000000
shl.b64 %d0, 1, 64 => 0
shr.u32 %r0, 0x80000000, 31 => 1
shr.u32 %r0, 0x80000000, 32 => 0
shr.s32 %r0, 0x80000000, 31 => 0xffffffff
shr.s32 %r0, 0x80000000, 100 => 0xffffffff
shr.s32 %r0, 0x7fffffff, 100 => 0
shr.s16 %h0, 0x8000, 4 => 0xf800
shr.u16 %h0, 0x8000, 4 => 0x0800
shr.s64 %d0, 0x8000000000000000, 70 => 0xffffffffffffffff
shr.u64 %d0, 0x8000000000000000, 63 => 1
shf.l.wrap.b32 %r0, 0x80000001, 0x12345678, 4 => 0x23456788
shf.l.wrap.b32 %r0, 0x80000001, 0x12345678, 32 => 0x12345678
shf.r.wrap.b32 %r0, 0x80000001, 0x12345678, 4 => 0x88000000
prmt.b32 %r0, 0x33221100, 0x77665544, 0x7531 => 0x77553311
prmt.b32 %r0, 0x33228100, 0x77665544, 0x9999 => 0xffffffff
prmt.b32 %r0, 0x33221100, 0x77665544, 0x888a => 0
setp.eq.s32 %p1, 1, 1; setp.eq.s32 %p2, 1, 2; and.pred %p0, %p1, %p2 => 0
setp.eq.s32 %p1, 1, 1; setp.eq.s32 %p2, 1, 2; or.pred %p0, %p1, %p2 => 1
setp.eq.s32 %p1, 1, 1; setp.eq.s32 %p2, 1, 2; xor.pred %p0, %p1, %p2 => 1
setp.eq.s32 %p1, 1, 1; not.pred %p0, %p1 => 0
mov.pred %p0, -1 => 1
mov.pred %p0, 0 => 0
`)
}

func TestComparison(t *testing.T) {
	table(t, `
setp.lt.s32 %p0, -1, 1 => 1
setp.lt.u32 %p0, -1, 1 => 0
setp.ge.s16 %p0, 0x8000, 0 => 0
setp.ge.u16 %p0, 0x8000, 0 => 1
setp.lt.s64 %p0, -1, 1 => 1
setp.gt.u64 %p0, -1, 1 => 1
setp.ne.b64 %p0, 1, 1 => 0
setp.eq.f32 %p0, 0f80000000, 0f00000000 => 1
setp.eq.f32 %p0, 0f7fffffff, 0f7fffffff => 0
setp.ne.f32 %p0, 0f7fffffff, 0f7fffffff => 0
setp.neu.f32 %p0, 0f7fffffff, 0f7fffffff => 1
setp.equ.f32 %p0, 0f7fffffff, 0f3f800000 => 1
setp.ltu.f32 %p0, 0f40000000, 0f3f800000 => 0
setp.leu.f32 %p0, 0f7fffffff, 0f3f800000 => 1
setp.gtu.f32 %p0, 0f40000000, 0f3f800000 => 1
setp.geu.f32 %p0, 0f3f800000, 0f3f800000 => 1
setp.le.f32 %p0, 0f7fffffff, 0f3f800000 => 0
setp.num.f32 %p0, 0f7fffffff, 0f3f800000 => 0
setp.nan.f32 %p0, 0f7fffffff, 0f3f800000 => 1
setp.lt.f32 %p0, 0f00000000, 0f00000001 => 1
setp.lt.f64 %p0, 0d0000000000000000, 0d0000000000000001 => 1
setp.eq.s32 %p1, 1, 1; selp.b32 %r0, 7, 9, %p1 => 7
mov.u32 %r0, 7; setp.eq.s32 %p1, 1, 1; selp.b32 %r0, %r0, 9, %p1 => 7
setp.eq.s32 %p1, 1, 2; selp.f32 %f0, 0f3f800000, 0f40000000, %p1 => 0x40000000
setp.eq.s32 %p1, 1, 2; selp.b64 %d0, 7, 9, %p1 => 9
setp.eq.s32 %p1, 1, 2; selp.u16 %h0, 7, 9, %p1 => 9
`)
}

func TestConversion(t *testing.T) {
	table(t, `
cvt.s32.s8 %r0, 0x80 => 0xffffff80
cvt.u32.u8 %r0, 0x1ff => 0xff
cvt.s64.s32 %d0, -1 => 0xffffffffffffffff
cvt.u64.u32 %d0, -1 => 0xffffffff
cvt.u32.u64 %r0, 0x1ffffffff => 0xffffffff
cvt.s16.s32 %h0, 0x18000 => 0x8000
cvt.s8.s32 %r0, 0x80 => 0xffffff80
cvt.u8.u32 %r0, 0x180 => 0x80
cvt.rn.f32.s32 %f0, 16777217 => 0x4b800000
cvt.rn.f32.u32 %f0, -1 => 0x4f800000
cvt.rn.f32.s64 %f0, 0x8000000000000000 => 0xdf000000
cvt.rn.f32.u64 %f0, 0x8000008000000001 => 0x5f000001
cvt.rn.f32.u64 %f0, 0x8000008000000000 => 0x5f000000
cvt.rn.f32.u16 %f0, 0xffff => 0x477fff00
cvt.rn.f64.s32 %g0, -1 => 0xbff0000000000000
cvt.rn.f64.u64 %g0, 0x20000000000001 => 0x4340000000000000
cvt.rni.s32.f32 %r0, 0f40200000 => 2
cvt.rni.s32.f32 %r0, 0f40600000 => 4
cvt.rzi.s32.f32 %r0, 0fc0200000 => 0xfffffffe
cvt.rmi.s32.f32 %r0, 0fc0200000 => 0xfffffffd
cvt.rpi.s32.f32 %r0, 0f40200000 => 3
cvt.rzi.s32.f32 %r0, 0f7f800000 => 0x7fffffff
cvt.rzi.s32.f32 %r0, 0fff800000 => 0x80000000
cvt.rzi.s32.f32 %r0, 0f7fffffff => 0
cvt.rzi.u32.f32 %r0, 0fbf800000 => 0
cvt.rzi.u32.f32 %r0, 0f4f800000 => 0xffffffff
cvt.rzi.s64.f32 %d0, 0f7fffffff => 0x8000000000000000
cvt.rzi.u64.f32 %d0, 0f5f800000 => 0xffffffffffffffff
cvt.rzi.s32.f64 %r0, 0d7ff8000000000000 => 0x80000000
cvt.rzi.s32.f64 %r0, 0d41dfffffffe00000 => 0x7fffffff
cvt.rzi.s64.f64 %d0, 0d43e0000000000000 => 0x7fffffffffffffff
cvt.rzi.u8.f32 %r0, 0f43ff8000 => 255
cvt.rzi.s16.f32 %h0, 0fc7800000 => 0x8000
cvt.rni.f32.f32 %f0, 0f3f000000 => 0
cvt.rni.f32.f32 %f0, 0fbf000000 => 0x80000000
cvt.rzi.f32.f32 %f0, 0fbfc00000 => 0xbf800000
cvt.rmi.f32.f32 %f0, 0fbfc00000 => 0xc0000000
cvt.rpi.f32.f32 %f0, 0fbfc00000 => 0xbf800000
cvt.sat.f32.f32 %f0, 0f40000000 => 0x3f800000
cvt.sat.f32.f32 %f0, 0f80000000 => 0
cvt.sat.f32.f32 %f0, 0f7fffffff => 0
cvt.f64.f32 %g0, 0f3f800000 => 0x3ff0000000000000
cvt.f64.f32 %g0, 0f00000001 => 0x36a0000000000000
cvt.rn.f32.f64 %f0, 0d3ff0000010000000 => 0x3f800000
cvt.rn.f32.f64 %f0, 0d3ff0000010000001 => 0x3f800001
cvt.rn.f32.f64 %f0, 0d7fefffffffffffff => 0x7f800000
cvt.rn.f32.f64 %f0, 0d7ff8000000000001 => 0x7fffffff
cvt.rni.f64.f64 %g0, 0d4004000000000000 => 0x4000000000000000
mov.b64 %d0, {1, 2} => 0x200000001
mov.b32 %r0, {1, 2} => 0x20001
mov.u32 %r0, 0b101 => 5
mov.u32 %r0, 017 => 15
mov.u32 %r0, WARP_SZ => 32
`)
	for _, c := range []opcodeCase{
		{"mov.b64 {%r1, %r2}, 0x1234567890;", "%r2", 0x12},
		{"mov.b32 {%h1, %h2}, 0x12345678;", "%h1", 0x5678},
		{"mov.b64 {%r1, _}, 0x1234567890;", "%r1", 0x34567890},
		{"mov.u64 %d1, 0xff80; cvt.s32.s8 %r1, %d1;", "%r1", 0xffffff80},
		{"mov.u32 %r1, 0xff80; cvt.u64.u8 %d1, %r1;", "%d1", 0x80},
		{"mov.u32 %r1, 0xff80; cvt.s64.s8 %d1, %r1;", "%d1", 0xffffffffffffff80},
	} {
		c.run(t)
	}
}
