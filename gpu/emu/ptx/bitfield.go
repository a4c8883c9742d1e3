package ptx

import (
	"fmt"
	"math/bits"
)

// buildCount compiles popc, clz, brev and bfind.
func (c *compiler) buildCount(base, mode string, t dataType) error {
	if t.bits < 32 {
		return fmt.Errorf("unsupported type .%v", t)
	}
	d := dataType{'u', 32}
	switch base {
	case "popc":
		if t.bits == 64 {
			c.in.execute = ofOne(func(a uint64) uint32 { return uint32(bits.OnesCount64(a)) })
		} else {
			c.in.execute = ofOne(func(a uint32) uint32 { return uint32(bits.OnesCount32(a)) })
		}
	case "clz":
		if t.bits == 64 {
			c.in.execute = ofOne(func(a uint64) uint32 { return uint32(bits.LeadingZeros64(a)) })
		} else {
			c.in.execute = ofOne(func(a uint32) uint32 { return uint32(bits.LeadingZeros32(a)) })
		}
	case "brev":
		d = t
		if t.bits == 64 {
			c.in.execute = ofOne(bits.Reverse64)
		} else {
			c.in.execute = ofOne(bits.Reverse32)
		}
	default: // bfind: the highest bit that differs from the sign, or all ones
		find := func(a uint64) uint32 {
			if t.signed() {
				if s := signExtend(a, t.bits); s < 0 {
					a = uint64(^s)
				}
			}
			place := uint32(bits.Len64(a) - 1)
			if mode == "shiftamt" && a != 0 {
				return uint32(t.bits-1) - place
			}
			return place
		}
		if t.bits == 64 {
			c.in.execute = ofOne(find)
		} else {
			c.in.execute = ofOne(func(a uint32) uint32 { return find(uint64(a)) })
		}
	}
	return c.mixed(d, t)
}

// buildField compiles bfe and bfi: position and length are the low bytes of their operands, as the ISA's pseudo code says.
func (c *compiler) buildField(base string, t dataType) error {
	u32 := dataType{'u', 32}
	if t.bits < 32 {
		return fmt.Errorf("unsupported type .%v", t)
	}
	if base == "bfi" {
		if t.bits == 64 {
			c.in.execute = quaternaryField(insertField64)
		} else {
			c.in.execute = quaternaryField(insertField32)
		}
		return c.mixed(t, t, t, u32, u32)
	}
	if t.bits == 64 {
		c.in.execute = ofThree(func(a uint64, position, length uint32) uint64 {
			return extractField(a, position&0xff, length&0xff, t)
		})
	} else {
		c.in.execute = ofThree(func(a, position, length uint32) uint32 {
			return uint32(extractField(uint64(a), position&0xff, length&0xff, t))
		})
	}
	return c.mixed(t, t, u32, u32)
}

// extractField gives length bits of a from position on; for signed types they are filled up with the field's highest bit, or a's
// own where the field reaches past it.
func extractField(a uint64, position, length uint32, t dataType) uint64 {
	var fill uint64
	top := uint32(t.bits - 1)
	if t.signed() && length > 0 && a>>min(position+length-1, top)&1 == 1 {
		fill = ^uint64(0)
	}
	if position > top {
		position, length = 0, 0
	}
	length = min(length, top+1-position)
	keep := uint64(1)<<length - 1 // all ones for 64
	return a>>position&keep | fill&^keep
}

func insertField(a, b uint64, position, length uint32, width uint32) uint64 {
	position, length = position&0xff, length&0xff
	if position >= width {
		return b
	}
	length = min(length, width-position)
	field := (uint64(1)<<length - 1) << position
	return b&^field | a<<position&field
}

func insertField32(a, b uint32, position, length uint32) uint32 {
	return uint32(insertField(uint64(a), uint64(b), position, length, 32))
}

func insertField64(a, b uint64, position, length uint32) uint64 {
	return insertField(a, b, position, length, 64)
}

func quaternaryField[T word](f func(a, b T, position, length uint32) T) operation {
	return func(w *warp, in *instruction) {
		d, a, b := registers[T](w, in.dst), registers[T](w, in.a), registers[T](w, in.b)
		position, length := &w.words[in.c], &w.words[in.d]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			d[lane] = f(a[lane], b[lane], position[lane], length[lane])
		}
	}
}

// permutation gives a mode of prmt: bytes of a (0 to 3) and b (4 to 7) picked by the nibbles of the selector, or by its low two bits.
func permutation(mode string) func(a, b, selector uint32) uint32 {
	switch mode {
	case "":
		return pickNibbles
	case "f4e":
		return func(a, b, s uint32) uint32 { s &= 3; return pickFour(a, b, s, s+1, s+2, s+3) }
	case "b4e":
		return func(a, b, s uint32) uint32 { s &= 3; return pickFour(a, b, s, s+7, s+6, s+5) }
	case "rc8":
		return func(a, b, s uint32) uint32 { s &= 3; return pickFour(a, b, s, s, s, s) }
	case "ecl":
		return func(a, b, s uint32) uint32 { s &= 3; return pickFour(a, b, s, max(s, 1), max(s, 2), 3) }
	case "ecr":
		return func(a, b, s uint32) uint32 { s &= 3; return pickFour(a, b, 0, min(s, 1), min(s, 2), s) }
	case "rc16":
		return func(a, b, s uint32) uint32 { s = (s & 1) * 2; return pickFour(a, b, s, s+1, s, s+1) }
	}
	return nil
}

func pickNibbles(a, b, selector uint32) uint32 {
	var d uint32
	for i := 0; i < 32; i += 8 {
		nibble := selector >> (i / 2) & 0xf
		v := pick(a, b, nibble)
		if nibble&8 != 0 { // the byte's sign in all its bits
			v = uint32(int32(v<<24)>>31) & 0xff
		}
		d |= v << i
	}
	return d
}

func pick(a, b, number uint32) uint32 {
	return uint32((uint64(b)<<32 | uint64(a)) >> ((number & 7) * 8) & 0xff)
}

func pickFour(a, b, n0, n1, n2, n3 uint32) uint32 {
	return pick(a, b, n0) | pick(a, b, n1)<<8 | pick(a, b, n2)<<16 | pick(a, b, n3)<<24
}

// buildLogic compiles the bitwise instructions and shifts (section "Logic and Shift Instructions").
func (c *compiler) buildLogic() error {
	o := c.opcode
	base := o.base
	direction, wrap := "", ""
	if base == "shf" {
		direction, wrap = o.take("l", "r"), o.take("clamp", "wrap")
	}
	t, err := o.dataType()
	if err != nil || t.float() {
		return fmt.Errorf("unsupported type")
	}
	if t.kind == 'p' {
		return c.buildPredicateLogic(base)
	}
	u32 := dataType{'u', 32}
	switch base {
	case "and", "or", "xor", "not", "cnot":
		c.in.execute = logicOperation(base, t)
		if base == "not" || base == "cnot" {
			return c.standard(t, 1)
		}
		return c.standard(t, 2)
	case "shl", "shr":
		c.in.execute = shiftOperation(base, t)
		return c.mixed(t, t, u32)
	case "shf":
		if direction == "" || wrap == "" || t.bits != 32 {
			return fmt.Errorf("needs .l or .r, .clamp or .wrap, and .b32")
		}
		c.in.execute = ofThree(func(a, b, shift uint32) uint32 {
			if wrap == "wrap" {
				shift &= 31
			}
			shift = min(shift, 32)
			both := uint64(b)<<32 | uint64(a)
			if direction == "l" {
				return uint32(both << shift >> 32)
			}
			return uint32(both >> shift)
		})
		return c.mixed(t, t, t, u32)
	}
	// lop3: the third operand after the destination's sources is the table of a three-input function
	if t.bits != 32 {
		return fmt.Errorf("needs .b32")
	}
	if err := c.operands(5, 5); err != nil {
		return err
	}
	table := c.statement.operands[4]
	if table.kind != operandInteger || table.value > 255 {
		return fmt.Errorf("the table must be a number below 256")
	}
	c.statement.operands = c.statement.operands[:4]
	lut := table.value
	c.in.execute = ofThree(func(a, b, c uint32) uint32 {
		var d uint32
		for i := range 8 {
			if lut>>i&1 == 1 {
				x, y, z := a, b, c
				if i&4 == 0 {
					x = ^x
				}
				if i&2 == 0 {
					y = ^y
				}
				if i&1 == 0 {
					z = ^z
				}
				d |= x & y & z
			}
		}
		return d
	})
	return c.standard(t, 3)
}

func logicOperation(base string, t dataType) operation {
	if t.bits == 64 {
		return logicOf[uint64](base, ^uint64(0))
	}
	if t.bits == 32 && base == "and" {
		return andInteger32
	}
	return logicOf[uint32](base, uint32(uint64(1)<<t.bits-1))
}

func logicOf[T word](base string, mask T) operation {
	switch base {
	case "and":
		return ofTwo(func(a, b T) T { return a & b })
	case "or":
		return ofTwo(func(a, b T) T { return a | b })
	case "xor":
		return ofTwo(func(a, b T) T { return a ^ b })
	case "not":
		return ofOne(func(a T) T { return ^a & mask })
	}
	return ofOne(func(a T) T { // cnot
		if a == 0 {
			return 1
		}
		return 0
	})
}

// shiftOperation gives shl and shr; amounts above the width count as the width.
func shiftOperation(base string, t dataType) operation {
	if t.bits == 64 {
		switch {
		case base == "shl":
			return ofTwo(func(a uint64, shift uint32) uint64 { return a << shift })
		case t.signed():
			return ofTwo(func(a uint64, shift uint32) uint64 { return uint64(int64(a) >> shift) })
		}
		return ofTwo(func(a uint64, shift uint32) uint64 { return a >> shift })
	}
	mask := uint32(uint64(1)<<t.bits - 1)
	switch {
	case base == "shl" && t.bits == 32:
		return shiftLeft32
	case base == "shl":
		return ofTwo(func(a, shift uint32) uint32 { return a << shift & mask })
	case t.signed():
		return ofTwo(func(a, shift uint32) uint32 { return uint32(signExtend(uint64(a), t.bits)>>shift) & mask })
	}
	return ofTwo(func(a, shift uint32) uint32 { return a >> shift })
}

// buildPredicateLogic works on all lanes at once: a predicate is a bit mask.
func (c *compiler) buildPredicateLogic(base string) error {
	p := dataType{'p', 1}
	sources := 2
	if base == "not" {
		sources = 1
	}
	if err := c.operands(1+sources, 1+sources); err != nil {
		return err
	}
	var err error
	if c.in.dst, _, err = c.destination(c.statement.operands[0], p, false); err != nil {
		return err
	}
	for i, place := range []*int32{&c.in.a, &c.in.b}[:sources] {
		if *place, err = c.source(c.statement.operands[1+i], p); err != nil {
			return err
		}
	}
	f := map[string]func(a, b uint32) uint32{
		"and": func(a, b uint32) uint32 { return a & b },
		"or":  func(a, b uint32) uint32 { return a | b },
		"xor": func(a, b uint32) uint32 { return a ^ b },
		"not": func(a, _ uint32) uint32 { return ^a },
	}[base]
	if f == nil {
		return fmt.Errorf("unsupported for predicates")
	}
	c.in.execute = setPredicate(func(w *warp, in *instruction) uint32 { return f(w.predicates[in.a], w.predicates[in.b]) })
	return nil
}
