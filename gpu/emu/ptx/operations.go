package ptx

import (
	"math"
	"math/bits"
	"strings"
)

// form is how an instruction runs: a letter for each operand's type, destinations before "=", and what executes it.
// The letters are those of compile.go: p a predicate, h 16 bits, r 32, d 64, f float32, g float64.
type form struct {
	operands string
	execute  operation
}

// forms are the instructions that are no access, branch, barrier or conversion, by the name that nvcc gives them.
var forms = makeForms()

type formTable map[string]form

// enter adds instructions of one form; names are separated by spaces.
func (t formTable) enter(names, operands string, execute operation) {
	for _, name := range strings.Fields(names) {
		t[name] = form{operands, execute}
	}
}

// signExtend gives the value of the low bits, sign-extended to 64.
func signExtend(value uint64, width int) int64 { return int64(value<<(64-width)) >> (64 - width) }

func makeForms() formTable {
	t := formTable{}
	integers[int16, uint32](t, "s16", "h")
	integers[uint16, uint32](t, "u16", "h")
	integers[int32, uint32](t, "s32", "r")
	integers[uint32, uint32](t, "u32", "r")
	integers[int64, uint64](t, "s64", "d")
	integers[uint64, uint64](t, "u64", "d")
	untyped[uint32](t, "16", "h", 0xffff)
	untyped[uint32](t, "32", "r", math.MaxUint32)
	untyped[uint64](t, "64", "d", math.MaxUint64)
	t.enter("mov.f32", "f=f", moveLanes[uint32])
	t.enter("mov.f64", "g=g", moveLanes[uint64])
	t.enter("selp.f32", "f=ffp", selectLanes[uint32])
	t.enter("selp.f64", "g=ggp", selectLanes[uint64])
	t.hot()
	t.products()
	t.bits()
	t.floats()
	t.predicates()
	t.exchange()
	return t
}

// integers enters what every integer type has (section "Integer Arithmetic Instructions"). Division by zero, which the ISA
// leaves open, gives all ones as GPUs do, and the remainder is the dividend.
func integers[T int16 | uint16 | int32 | uint32 | int64 | uint64, W word](t formTable, name, letter string) {
	narrow := W(uint64(math.MaxUint64) >> (64 - types[name].bits)) // what a result of 16 bits keeps
	two := func(base string, f func(a, b T) T) {
		t.enter(base+"."+name, letter+"="+letter+letter, ofTwo(func(a, b W) W { return W(f(T(a), T(b))) & narrow }))
	}
	two("add", func(a, b T) T { return a + b })
	two("sub", func(a, b T) T { return a - b })
	two("mul.lo", func(a, b T) T { return a * b })
	two("min", func(a, b T) T { return min(a, b) })
	two("max", func(a, b T) T { return max(a, b) })
	two("div", func(a, b T) T {
		if b == 0 {
			return ^T(0)
		}
		return a / b
	})
	two("rem", func(a, b T) T {
		if b == 0 {
			return a
		}
		return a % b
	})
	t.enter("mad.lo."+name, letter+"="+letter+letter+letter, ofThree(func(a, b, c W) W { return (a*b + c) & narrow }))
	t.enter("shr."+name, letter+"="+letter+"r", ofTwo(func(a W, shift uint32) W { return W(T(a)>>shift) & narrow }))
	if types[name].signed() {
		t.enter("neg."+name, letter+"="+letter, ofOne(func(a W) W { return -a & narrow }))
		t.enter("abs."+name, letter+"="+letter, ofOne(func(a W) W { return W(max(T(a), -T(a))) & narrow }))
	}
	for comparison, f := range ordered[T]() {
		t.enter("setp."+comparison+"."+name, "p="+letter+letter, compare(func(a, b W) bool { return f(T(a), T(b)) }))
	}
}

// ordered gives the comparisons of integers, and of floats that are numbers.
func ordered[T int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64]() map[string]func(a, b T) bool {
	return map[string]func(a, b T) bool{
		"eq": func(a, b T) bool { return a == b }, "ne": func(a, b T) bool { return a != b },
		"lt": func(a, b T) bool { return a < b }, "le": func(a, b T) bool { return a <= b },
		"gt": func(a, b T) bool { return a > b }, "ge": func(a, b T) bool { return a >= b },
	}
}

// untyped enters moves, choices, logic and shifts (section "Logic and Shift Instructions"). Shifts by more than the width count as the width.
func untyped[W word](t formTable, width, letter string, mask W) {
	one, two := letter+"="+letter, letter+"="+letter+letter
	for _, kind := range []string{"b", "u", "s"} {
		t.enter("mov."+kind+width, one, moveLanes[W])
		t.enter("selp."+kind+width, two+"p", selectLanes[W])
	}
	b := ".b" + width
	t.enter("and"+b, two, andLanes[W])
	t.enter("or"+b, two, ofTwo(func(a, b W) W { return a | b }))
	t.enter("xor"+b, two, ofTwo(func(a, b W) W { return a ^ b }))
	t.enter("not"+b, one, ofOne(func(a W) W { return ^a & mask }))
	t.enter("shl"+b, one+"r", ofTwo(func(a W, shift uint32) W { return a << shift & mask }))
	t.enter("setp.eq"+b, "p="+letter+letter, compare(func(a, b W) bool { return a == b }))
	t.enter("setp.ne"+b, "p="+letter+letter, compare(func(a, b W) bool { return a != b }))
}

// hot replaces operations by faster ones.
func (t formTable) hot() {
	t.enter("add.s32 add.u32", "r=rr", addLanes[uint32])
	t.enter("add.s64 add.u64", "d=dd", addLanes[uint64])
	t.enter("sub.s32 sub.u32", "r=rr", subLanes[uint32])
	t.enter("sub.s64 sub.u64", "d=dd", subLanes[uint64])
	t.enter("mul.lo.s32 mul.lo.u32", "r=rr", mulLanes[uint32])
	t.enter("mul.lo.s64 mul.lo.u64", "d=dd", mulLanes[uint64])
	t.enter("mad.lo.s32 mad.lo.u32", "r=rrr", madLanes[uint32])
	t.enter("shl.b32", "r=rr", shiftLeft[uint32])
	t.enter("shl.b64", "d=dr", shiftLeft[uint64])
}

// products enters the multiplications that keep other bits than the low ones.
func (t formTable) products() {
	t.enter("mul.wide.u32", "d=rr", mulWideUnsigned)
	t.enter("mul.wide.s32", "d=rr", mulWideSigned)
	t.enter("mul.wide.u16", "r=hh", ofTwo(func(a, b uint32) uint32 { return a * b }))
	t.enter("mul.wide.s16", "r=hh", ofTwo(func(a, b uint32) uint32 { return uint32(int32(int16(a)) * int32(int16(b))) }))
	t.enter("mad.wide.u32", "d=rrd", ofThree(func(a, b uint32, c uint64) uint64 { return uint64(a)*uint64(b) + c }))
	t.enter("mad.wide.s32", "d=rrd", ofThree(func(a, b uint32, c uint64) uint64 { return uint64(int64(int32(a))*int64(int32(b))) + c }))
	t.enter("mul.hi.u32", "r=rr", ofTwo(func(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) >> 32) }))
	t.enter("mul.hi.s32", "r=rr", ofTwo(func(a, b uint32) uint32 { return uint32(int64(int32(a)) * int64(int32(b)) >> 32) }))
	t.enter("mul.hi.u64", "d=dd", ofTwo(func(a, b uint64) uint64 { high, _ := bits.Mul64(a, b); return high }))
	t.enter("mul.hi.s64", "d=dd", ofTwo(func(a, b uint64) uint64 {
		high, _ := bits.Mul64(a, b)
		// Unsigned to signed: take b off for a negative a and the other way round.
		return high - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
	}))
}

// bits enters what looks at single bits and bytes, and the moves between halves and wholes.
func (t formTable) bits() {
	t.enter("popc.b32", "r=r", ofOne(func(a uint32) uint32 { return uint32(bits.OnesCount32(a)) }))
	t.enter("popc.b64", "r=d", ofOne(func(a uint64) uint32 { return uint32(bits.OnesCount64(a)) }))
	t.enter("clz.b32", "r=r", ofOne(func(a uint32) uint32 { return uint32(bits.LeadingZeros32(a)) }))
	t.enter("clz.b64", "r=d", ofOne(func(a uint64) uint32 { return uint32(bits.LeadingZeros64(a)) }))
	t.enter("brev.b32", "r=r", ofOne(bits.Reverse32))
	t.enter("bfind.shiftamt.u32", "r=r", ofOne(func(a uint32) uint32 {
		if a == 0 {
			return math.MaxUint32
		}
		return uint32(bits.LeadingZeros32(a))
	}))
	t.enter("bfe.u32", "r=rrr", ofThree(func(a, position, length uint32) uint32 {
		return uint32(uint64(a)>>(position&0xff)) & (1<<(length&0xff) - 1)
	}))
	// position and length are the low bytes of their operands, as the ISA's pseudo code says.
	t.enter("bfi.b32", "r=rrrr", func(w *warp, in *instruction) {
		d, a, b, position, length := target[uint32](w, in), &w.words[in.a], &w.words[in.b], &w.words[in.c], &w.words[in.d]
		for lane := range d {
			field := uint32(1<<(length[lane]&0xff)-1) << (position[lane] & 0xff)
			d[lane] = b[lane]&^field | a[lane]<<(position[lane]&0xff)&field
		}
		merge(w, in, d)
	})
	t.enter("prmt.b32", "r=rrr", ofThree(func(a, b, selector uint32) (d uint32) {
		for i := 0; i < 32; i += 8 { // the nibble picks a byte of b and a, or its sign in all its bits
			nibble := selector >> (i / 2) & 0xf
			v := uint32((uint64(b)<<32|uint64(a))>>(nibble&7*8)) & 0xff
			if nibble&8 != 0 {
				v = uint32(int32(v<<24)>>31) & 0xff
			}
			d |= v << i
		}
		return d
	}))
	t.enter("lop3.b32", "r=rrrr", func(w *warp, in *instruction) {
		d, a, b, c := target[uint32](w, in), &w.words[in.a], &w.words[in.b], &w.words[in.c]
		table := w.words[in.d][0] // of a function of three bits
		for lane := range d {
			x, y, z, sum := a[lane], b[lane], c[lane], uint32(0)
			for i, product := range [8]uint32{^x & ^y & ^z, ^x & ^y & z, ^x & y & ^z, ^x & y & z, x & ^y & ^z, x & ^y & z, x & y & ^z, x & y & z} {
				sum |= product & -(table >> i & 1)
			}
			d[lane] = sum
		}
		merge(w, in, d)
	})
	t.enter("shf.l.wrap.b32", "r=rrr", ofThree(func(a, b, shift uint32) uint32 { return uint32((uint64(b)<<32 | uint64(a)) << (shift & 31) >> 32) }))
	t.enter("shf.r.wrap.b32", "r=rrr", ofThree(func(a, b, shift uint32) uint32 { return uint32((uint64(b)<<32 | uint64(a)) >> (shift & 31)) }))
	t["mov.b32 pack"] = form{"r=hh", ofTwo(func(low, high uint32) uint32 { return low | high<<16 })}
	t["mov.b64 pack"] = form{"d=rr", ofTwo(func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 })}
	t["mov.b32 unpack"] = form{"hh=r", func(w *warp, in *instruction) {
		a := w.words[in.a] // a copy: it may be a destination
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			w.words[in.dst][lane], w.words[in.dst2][lane] = a[lane]&0xffff, a[lane]>>16
		}
	}}
	t["mov.b64 unpack"] = form{"rr=d", func(w *warp, in *instruction) {
		a := &w.longs[in.a]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			w.words[in.dst][lane], w.words[in.dst2][lane] = uint32(a[lane]), uint32(a[lane]>>32)
		}
	}}
	t.enter("cvta.to.global.u64", "d=d", moveLanes[uint64]) // there are no generic addresses
}

// floats enters float arithmetic (section "Floating-Point Instructions"), rounded to nearest except where the
// functions of CUDA's library need another rounding.
func (t formTable) floats() {
	t.enter("add.f32 add.rn.f32", "f=ff", addFloat32)
	t.enter("sub.f32 sub.rn.f32", "f=ff", subFloat32)
	t.enter("mul.f32 mul.rn.f32", "f=ff", mulFloat32)
	t.enter("div.rn.f32 div.approx.f32 div.full.f32", "f=ff", binaryFloat32(func(a, b float32) float32 { return canonical(a / b) }))
	t.enter("min.f32", "f=ff", binaryFloat32(extremum[float32](false)))
	t.enter("max.f32", "f=ff", binaryFloat32(extremum[float32](true)))
	t.enter("fma.rn.f32", "f=fff", fmaFloat32)
	for name, mode := range map[string]rounding{"rm": downward, "rz": towardZero} {
		t.enter("fma."+name+".f32", "f=fff", ofThree(func(a, b, c uint32) uint32 {
			return math.Float32bits(fma32(math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c), mode))
		}))
		t.enter("add."+name+".f32", "f=ff", binaryFloat32(func(a, b float32) float32 { return fma32(1, a, b, mode) }))
	}
	t.enter("rcp.rn.f32", "f=f", unaryFloat32(func(a float32) float32 { return canonical(1 / a) }))
	t.enter("sqrt.rn.f32", "f=f", unaryFloat32(func(a float32) float32 { return canonical(float32(math.Sqrt(float64(a)))) }))
	t.enter("abs.f32", "f=f", ofOne(func(a uint32) uint32 { return a &^ (1 << 31) }))
	t.enter("copysign.f32", "f=ff", ofTwo(func(a, b uint32) uint32 { return a&(1<<31) | b&^(1<<31) }))
	t.enter("copysign.f64", "g=gg", ofTwo(func(a, b uint64) uint64 { return a&(1<<63) | b&^(1<<63) }))
	t.enter("neg.f32", "f=f", ofOne(func(a uint32) uint32 { return a ^ 1<<31 }))
	t.enter("add.f64 add.rn.f64", "g=gg", binaryFloat64(func(a, b float64) float64 { return a + b }))
	t.enter("sub.f64 sub.rn.f64", "g=gg", binaryFloat64(func(a, b float64) float64 { return a - b }))
	t.enter("mul.f64 mul.rn.f64", "g=gg", binaryFloat64(func(a, b float64) float64 { return a * b }))
	t.enter("div.rn.f64", "g=gg", binaryFloat64(func(a, b float64) float64 { return a / b }))
	t.enter("min.f64", "g=gg", binaryFloat64(extremum[float64](false)))
	t.enter("max.f64", "g=gg", binaryFloat64(extremum[float64](true)))
	t.enter("fma.rn.f64", "g=ggg", ofThree(func(a, b, c uint64) uint64 {
		return math.Float64bits(math.FMA(math.Float64frombits(a), math.Float64frombits(b), math.Float64frombits(c)))
	}))
	t.enter("rcp.rn.f64 rcp.approx.ftz.f64", "g=g", unaryFloat64(func(a float64) float64 { return 1 / a }))
	t.enter("sqrt.rn.f64", "g=g", unaryFloat64(math.Sqrt))
	t.enter("rsqrt.approx.f64 rsqrt.approx.ftz.f64", "g=g", unaryFloat64(func(a float64) float64 { return 1 / math.Sqrt(a) }))
	t.enter("abs.f64", "g=g", ofOne(func(a uint64) uint64 { return a &^ (1 << 63) }))
	t.enter("neg.f64", "g=g", ofOne(func(a uint64) uint64 { return a ^ 1<<63 }))
	for name, f := range map[string]func(float64) float64{
		"ex2": math.Exp2, "sin": math.Sin, "cos": math.Cos, "sqrt": math.Sqrt,
		"lg2":   func(a float64) float64 { return math.Log(a) / math.Ln2 }, // math.Log2 is less exact near 1
		"rsqrt": func(a float64) float64 { return 1 / math.Sqrt(a) },
		"rcp":   func(a float64) float64 { return 1 / a },
	} {
		t.enter(name+".approx.f32", "f=f", approximation(f, false))
		t.enter(name+".approx.ftz.f32", "f=f", approximation(f, true))
	}
	for name, f := range comparisons[float32]() {
		t.enter("setp."+name+".f32", "p=ff", compare(func(a, b uint32) bool { return f(math.Float32frombits(a), math.Float32frombits(b)) }))
	}
	for name, f := range comparisons[float64]() {
		t.enter("setp."+name+".f64", "p=gg", compare(func(a, b uint64) bool { return f(math.Float64frombits(a), math.Float64frombits(b)) }))
	}
}

// comparisons adds what NaN does: those ending in u are true with one, all others false, "ne" too.
func comparisons[T float32 | float64]() map[string]func(a, b T) bool {
	all := map[string]func(a, b T) bool{
		"num": func(a, b T) bool { return a == a && b == b },
		"nan": func(a, b T) bool { return a != a || b != b },
	}
	for name, f := range ordered[T]() {
		all[name] = f
		all[name+"u"] = func(a, b T) bool { return a != a || b != b || f(a, b) }
	}
	all["ne"] = func(a, b T) bool { return a < b || a > b }
	return all
}

// predicates enters logic on all lanes at once: a predicate is a bit mask.
func (t formTable) predicates() {
	two := func(f func(a, b uint32) uint32) operation {
		return setPredicate(func(w *warp, in *instruction) uint32 { return f(w.predicates[in.a], w.predicates[in.b]) })
	}
	t.enter("and.pred", "p=pp", two(func(a, b uint32) uint32 { return a & b }))
	t.enter("or.pred", "p=pp", two(func(a, b uint32) uint32 { return a | b }))
	t.enter("xor.pred", "p=pp", two(func(a, b uint32) uint32 { return a ^ b }))
	t.enter("not.pred", "p=p", setPredicate(func(w *warp, in *instruction) uint32 { return ^w.predicates[in.a] }))
	t.enter("mov.pred", "p=p", setPredicate(func(w *warp, in *instruction) uint32 { return w.predicates[in.a] }))
}

// exchange enters what the lanes of a warp do together (section "Parallel Synchronization and Communication Instructions").
func (t formTable) exchange() {
	t.enter("activemask.b32", "r=", func(w *warp, in *instruction) {
		for m := w.mask; m != 0; m &= m - 1 {
			w.words[in.dst][bits.TrailingZeros32(m)] = w.mask
		}
	})
	t.enter("bar.warp.sync", "=r", func(w *warp, in *instruction) {
		if w.checkMask(&w.words[in.a]) {
			w.epoch++
		}
	})
	t.enter("vote.sync.ballot.b32", "r=pr", vote(func(w *warp, in *instruction, lane int, yes, _ uint32) { w.words[in.dst][lane] = yes }))
	t.enter("vote.sync.any.pred", "p=pr", vote(func(w *warp, in *instruction, lane int, yes, _ uint32) { w.setPredicate(in.dst, lane, yes != 0) }))
	t.enter("vote.sync.all.pred", "p=pr", vote(func(w *warp, in *instruction, lane int, yes, group uint32) {
		w.setPredicate(in.dst, lane, yes == group)
	}))
	// The source lane, and whether it lies in the segment, are the ISA's pseudo code.
	for mode, from := range map[string]func(lane, b, clamp, segment uint32) (uint32, bool){
		"up": func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane - b, int32(lane-b) >= int32(lane&segment|clamp&^segment)
		},
		"down": func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane + b, lane+b <= lane&segment|clamp&^segment
		},
		"bfly": func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane ^ b, lane^b <= lane&segment|clamp&^segment
		},
		"idx": func(lane, b, clamp, segment uint32) (uint32, bool) {
			source := lane&segment | b&^segment
			return source, source <= lane&segment|clamp&^segment
		},
	} {
		t.enter("shfl.sync."+mode+".b32", "rp=rrrr", shuffle(from))
	}
}

func (w *warp) setPredicate(index int32, lane int, value bool) {
	if w.predicates[index] &^= 1 << lane; value {
		w.predicates[index] |= 1 << lane
	}
}

// checkMask faults unless the mask of every active lane names the lane itself and only lanes that are active with it. Lanes
// that have exited may be named: the ISA waits for those that have not.
func (w *warp) checkMask(masks *[lanes]uint32) bool {
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		mask := masks[lane]
		if mask>>lane&1 == 0 {
			w.fail(FaultWarpMask, lane, "lane %d executes with mask %#x, which does not name it", lane, mask)
			return false
		}
		if missing := mask & w.live &^ w.mask; missing != 0 {
			w.fail(FaultWarpMask, lane, "mask %#x names lanes %#x, which are not active here", mask, missing)
			return false
		}
	}
	return true
}

func vote(set func(w *warp, in *instruction, lane int, yes, group uint32)) operation {
	return func(w *warp, in *instruction) {
		masks := &w.words[in.b]
		if !w.checkMask(masks) {
			return
		}
		votes := w.predicates[in.a]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			group := masks[lane] & w.mask
			set(w, in, lane, votes&group, group)
		}
	}
}

func shuffle(from func(lane, b, clamp, segment uint32) (uint32, bool)) operation {
	return func(w *warp, in *instruction) {
		a, b, control, masks := w.words[in.a], &w.words[in.b], &w.words[in.c], &w.words[in.d]
		if !w.checkMask(masks) {
			return
		}
		var result [lanes]uint32
		var valid uint32
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			source, inside := from(uint32(lane), b[lane]&31, control[lane]&31, control[lane]>>8&31)
			if inside {
				valid |= 1 << lane
			} else {
				source = uint32(lane)
			}
			if source &= 31; w.mask>>source&1 == 0 {
				w.fail(FaultWarpMask, lane, "lane %d reads lane %d, which is not active here", lane, source)
				return
			}
			if masks[lane]>>source&1 == 0 {
				w.fail(FaultWarpMask, lane, "lane %d reads lane %d, which its mask %#x does not name", lane, source, masks[lane])
				return
			}
			result[lane] = a[source]
		}
		merge := &w.words[in.dst]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			merge[lane] = result[lane]
		}
		if in.dst2 >= 0 {
			w.predicates[in.dst2] = w.predicates[in.dst2]&^w.mask | valid
		}
	}
}

// buildConvert compiles cvt: d takes the value of a, whose types are the opcode's; the registers may be wider than the types.
func (c *compiler) buildConvert(modifiers string) {
	parts := strings.Split(modifiers, ".")
	n := len(parts)
	if n < 2 {
		c.refuse("%s", refusal("cvt"))
	}
	d, a := types[parts[n-2]], types[parts[n-1]]
	c.operands(2)
	f := conversion(strings.Join(parts[:n-2], "."), d, a)
	if f == nil {
		c.refuse("%s", refusal("cvt"))
	}
	var kind dataType
	c.in.dst, kind = c.destination(c.statement.operands[0], d, true)
	c.in.a = c.source(c.statement.operands[1], a, true)
	longSource := a.bits == 64
	if r := c.registers[c.statement.operands[1].name]; r != nil {
		longSource = r.kind.bits == 64
	}
	narrow := uint64(math.MaxUint64) >> (64 - kind.bits) // a wider destination gets the value extended as its type says
	switch {
	case kind.bits == 64 && longSource:
		c.in.execute = ofOne(f)
	case d == types["s64"] && a == types["s32"]:
		c.in.execute = ofOne(func(v uint32) uint64 { return uint64(int32(v)) })
	case kind.bits == 64:
		c.in.execute = ofOne(func(v uint32) uint64 { return f(uint64(v)) })
	case longSource:
		c.in.execute = ofOne(func(v uint64) uint32 { return uint32(f(v) & narrow) })
	default:
		c.in.execute = ofOne(func(v uint32) uint32 { return uint32(f(uint64(v)) & narrow) })
	}
}

// conversion gives the function of a cvt, nil for one that is not emulated. Values are 64 bits of a register; integers come extended.
func conversion(mode string, d, a dataType) func(uint64) uint64 {
	isFloat := func(t dataType) bool { return t.kind == 'f' }
	isInteger := func(t dataType) bool { return t.kind == 'u' || t.kind == 's' }
	// Floats are converted in float64: reading them is exact.
	read := func(v uint64) float64 { return math.Float64frombits(v) }
	write := math.Float64bits
	if a.bits == 32 {
		read = func(v uint64) float64 { return float64(math.Float32frombits(uint32(v))) }
	}
	if d.bits == 32 {
		write = func(f float64) uint64 { return uint64(math.Float32bits(canonical(float32(f)))) }
	}
	integral := map[string]func(float64) float64{"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil}[mode]
	switch {
	case isInteger(d) && isInteger(a) && mode == "":
		return func(v uint64) uint64 { return extend(extend(v, a), d) }
	case isFloat(d) && isInteger(a) && mode == "rn" && d.bits == 32: // one rounding, also from 64 bits
		if a.signed() {
			return func(v uint64) uint64 { return uint64(math.Float32bits(float32(signExtend(v, a.bits)))) }
		}
		return func(v uint64) uint64 { return uint64(math.Float32bits(float32(extend(v, a)))) }
	case isFloat(d) && isInteger(a) && mode == "rn":
		if a.signed() {
			return func(v uint64) uint64 { return math.Float64bits(float64(signExtend(v, a.bits))) }
		}
		return func(v uint64) uint64 { return math.Float64bits(float64(extend(v, a))) }
	case isInteger(d) && isFloat(a) && integral != nil:
		return func(v uint64) uint64 { return extend(saturated(integral(read(v)), d, a), d) }
	case isFloat(d) && d == a && integral != nil:
		return func(v uint64) uint64 { return write(integral(read(v))) }
	case d == types["f64"] && a == types["f32"] && mode == "", d == types["f32"] && a == types["f64"] && mode == "rn":
		return func(v uint64) uint64 { return write(read(v)) }
	case d == types["f32"] && a == d && mode == "sat":
		return func(v uint64) uint64 {
			if f := read(v); f > 0 { // NaN and -0 become +0
				return write(min(f, 1))
			}
			return 0
		}
	}
	return nil
}

// extend takes the low bits of a value as an integer of the type, extended to 64 bits.
func extend(v uint64, t dataType) uint64 {
	if t.signed() {
		return uint64(signExtend(v, t.bits))
	}
	return v & (math.MaxUint64 >> (64 - t.bits))
}

// saturated gives the nearest integer of the type. A NaN gives 0 if it is a float32 and the integer is below 64 bits, else the highest bit alone.
func saturated(f float64, d, a dataType) uint64 {
	highest := uint64(math.MaxUint64) >> (64 - d.bits)
	switch limit := math.Ldexp(1, d.bits-1); {
	case f != f && a.bits == 32 && d.bits < 64:
		return 0
	case f != f:
		return 1 << (d.bits - 1)
	case d.signed() && f >= limit:
		return highest >> 1
	case d.signed():
		return uint64(int64(max(f, -limit)))
	case f <= 0:
		return 0
	case f >= 2*limit:
		return highest
	}
	return uint64(f)
}

// specials are the special registers.
var specials = map[string]func(w *warp, lane int) uint32{
	"%tid.x":    func(w *warp, lane int) uint32 { return uint32(w.index*lanes + lane) },
	"%ntid.x":   func(w *warp, _ int) uint32 { return uint32(w.block.launch.Threads) },
	"%ctaid.x":  func(w *warp, _ int) uint32 { return w.block.number - 1 },
	"%nctaid.x": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Blocks) },
	"%laneid":   func(_ *warp, lane int) uint32 { return uint32(lane) },
}
