package ptx

import (
	"fmt"
	"math/bits"
)

// Integer arithmetic (section "Integer Arithmetic Instructions"). Division by zero, which the ISA leaves open, gives all ones as
// GPUs do, and the remainder is the dividend.

// signExtend gives the value of the low bits, sign-extended to 64.
func signExtend(value uint64, width int) int64 { return int64(value<<(64-width)) >> (64 - width) }

// integer32 fits an operation on 32-bit values to a type: 16-bit operands are extended as the type says, the result is cut.
func integer32(t dataType, f func(a, b uint32) uint32) operation {
	switch {
	case t.bits == 32:
		return ofTwo(f)
	case t.signed():
		return ofTwo(func(a, b uint32) uint32 { return f(uint32(int16(a)), uint32(int16(b))) & 0xffff })
	}
	return ofTwo(func(a, b uint32) uint32 { return f(a, b) & 0xffff })
}

// buildArithmetic compiles the instructions that integers and floats share.
func (c *compiler) buildArithmetic() error {
	o := c.opcode
	base := o.base
	part := ""
	if base == "mul" {
		part = o.take("lo", "hi", "wide")
	}
	t, err := o.dataType()
	switch {
	case err != nil:
		return err
	case t.is('f', 32):
		return c.buildFloat32(base)
	case t.is('f', 64):
		return c.buildFloat64(base)
	case !t.integer() || t.bits < 16:
		return fmt.Errorf("unsupported type .%v", t)
	}
	switch base {
	case "add", "sub":
		if o.flag("sat") {
			if !t.is('s', 32) {
				return fmt.Errorf(".sat needs type .s32")
			}
			sign := int64(1)
			if base == "sub" {
				sign = -1
			}
			c.in.execute = ofTwo(func(a, b uint32) uint32 {
				return uint32(clampSigned(int64(int32(a))+sign*int64(int32(b)), 32))
			})
			return c.standard(t, 2)
		}
		switch {
		case base == "add" && t.bits == 32:
			c.in.execute = addInteger32
		case base == "add" && t.bits == 64:
			c.in.execute = addInteger64
		case base == "add":
			c.in.execute = integer32(t, func(a, b uint32) uint32 { return a + b })
		case t.bits == 64:
			c.in.execute = ofTwo(func(a, b uint64) uint64 { return a - b })
		default:
			c.in.execute = integer32(t, func(a, b uint32) uint32 { return a - b })
		}
	case "mul":
		return c.buildMultiply(part, t, false)
	case "div", "min", "max":
		c.in.execute = divideOperation(base, t)
	case "abs", "neg":
		if !t.signed() {
			return fmt.Errorf("needs a signed type")
		}
		c.in.execute = absOperation(base == "neg", t)
		return c.standard(t, 1)
	}
	return c.standard(t, 2)
}

func absOperation(negate bool, t dataType) operation {
	if t.bits == 64 {
		return ofOne(func(a uint64) uint64 {
			if negate || int64(a) < 0 {
				return -a
			}
			return a
		})
	}
	mask := uint32(1<<t.bits - 1)
	return ofOne(func(a uint32) uint32 {
		if negate || signExtend(uint64(a), t.bits) < 0 {
			return -a & mask
		}
		return a
	})
}

// divideOperation gives div, rem, min and max.
func divideOperation(base string, t dataType) operation {
	if t.signed() {
		f := map[string]func(a, b int64) int64{
			"div": func(a, b int64) int64 {
				if b == 0 {
					return -1
				}
				return a / b
			},
			"rem": func(a, b int64) int64 {
				if b == 0 {
					return a
				}
				return a % b
			},
			"min": func(a, b int64) int64 { return min(a, b) },
			"max": func(a, b int64) int64 { return max(a, b) },
		}[base]
		if t.bits == 64 {
			return ofTwo(func(a, b uint64) uint64 { return uint64(f(int64(a), int64(b))) })
		}
		return integer32(t, func(a, b uint32) uint32 { return uint32(f(int64(int32(a)), int64(int32(b)))) })
	}
	f := map[string]func(a, b uint64) uint64{
		"div": func(a, b uint64) uint64 {
			if b == 0 {
				return ^uint64(0)
			}
			return a / b
		},
		"rem": func(a, b uint64) uint64 {
			if b == 0 {
				return a
			}
			return a % b
		},
		"min": func(a, b uint64) uint64 { return min(a, b) },
		"max": func(a, b uint64) uint64 { return max(a, b) },
	}[base]
	if t.bits == 64 {
		return ofTwo(f)
	}
	return integer32(t, func(a, b uint32) uint32 { return uint32(f(uint64(a), uint64(b))) })
}

// buildMultiply compiles mul, mad, mul24 and mad24: part is lo, hi or wide.
func (c *compiler) buildMultiply(part string, t dataType, add bool) error {
	d := t
	sources := []dataType{t, t}
	if part == "wide" {
		d.bits *= 2
	}
	if add {
		sources = append(sources, d)
	}
	var multiply func(a, b uint64) uint64
	switch {
	case part == "":
		return fmt.Errorf("needs .lo, .hi or .wide")
	case part == "lo" && t.bits == 32 && add:
		c.in.execute = madInteger32
		return c.mixed(d, sources...)
	case part == "lo" && t.bits == 32:
		c.in.execute = mulInteger32
		return c.mixed(d, sources...)
	case part == "wide" && t.bits == 64:
		return fmt.Errorf("no .wide for 64 bits")
	case part == "wide" && t.bits == 32 && !add:
		c.in.execute = mulWideUnsigned
		if t.signed() {
			c.in.execute = mulWideSigned
		}
		return c.mixed(d, sources...)
	case t.bits == 64 && part == "hi" && t.signed():
		multiply = func(a, b uint64) uint64 {
			high, _ := bits.Mul64(a, b)
			// Unsigned to signed: take b off for a negative a and the other way round.
			return high - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
		}
	case t.bits == 64 && part == "hi":
		multiply = func(a, b uint64) uint64 { high, _ := bits.Mul64(a, b); return high }
	default: // the product fits into 64 bits, or its low 64 are wanted
		shift := 0
		if part == "hi" {
			shift = t.bits
		}
		if t.signed() {
			multiply = func(a, b uint64) uint64 {
				return uint64((signExtend(a, t.bits) * signExtend(b, t.bits)) >> shift)
			}
		} else {
			multiply = func(a, b uint64) uint64 { return (a * b) >> shift }
		}
	}
	c.in.execute = multiplyOperation(multiply, t, d, add)
	return c.mixed(d, sources...)
}

func multiplyOperation(multiply func(a, b uint64) uint64, t, d dataType, add bool) operation {
	mask := uint32(1<<min(d.bits, 32) - 1)
	switch {
	case t.bits == 64 && add:
		return ofThree(func(a, b, c uint64) uint64 { return multiply(a, b) + c })
	case t.bits == 64:
		return ofTwo(multiply)
	case d.bits == 64 && add:
		return ofThree(func(a, b uint32, c uint64) uint64 { return multiply(uint64(a), uint64(b)) + c })
	case d.bits == 64:
		return ofTwo(func(a, b uint32) uint64 { return multiply(uint64(a), uint64(b)) })
	case add:
		return ofThree(func(a, b, c uint32) uint32 { return (uint32(multiply(uint64(a), uint64(b))) + c) & mask })
	}
	return ofTwo(func(a, b uint32) uint32 { return uint32(multiply(uint64(a), uint64(b))) & mask })
}

// buildInteger compiles the instructions that only integers have.
func (c *compiler) buildInteger() error {
	o := c.opcode
	base := o.base
	part := o.take("lo", "hi", "wide")
	mode := o.take("f4e", "b4e", "rc8", "ecl", "ecr", "rc16", "shiftamt", "clamp", "wrap")
	t, err := o.dataType()
	if err != nil {
		return err
	}
	if base == "mad" && t.float() { // the old name of fma
		c.opcode = newOpcode("fma." + t.String() + joinModifiers(o.modifiers))
		return c.buildFloat()
	}
	if t.float() || t.kind == 'p' || t.bits < 16 {
		return fmt.Errorf("unsupported type .%v", t)
	}
	u32 := dataType{'u', 32}
	switch base {
	case "mad":
		if o.flag("sat") {
			return fmt.Errorf("unsupported modifier .sat")
		}
		return c.buildMultiply(part, t, true)
	case "mul24", "mad24":
		return c.buildMultiply24(part, t, base == "mad24")
	case "rem":
		c.in.execute = divideOperation(base, t)
		return c.standard(t, 2)
	case "sad":
		if t.bits != 32 {
			return fmt.Errorf("only 32 bits are supported")
		}
		c.in.execute = ofThree(func(a, b, c uint32) uint32 {
			if t.signed() && int32(a) < int32(b) || !t.signed() && a < b {
				return c + b - a
			}
			return c + a - b
		})
		return c.standard(t, 3)
	case "popc", "clz", "brev", "bfind":
		return c.buildCount(base, mode, t)
	case "bfe", "bfi":
		return c.buildField(base, t)
	case "prmt":
		f := permutation(mode)
		if f == nil || t.bits != 32 {
			return fmt.Errorf("unsupported mode or type")
		}
		c.in.execute = ofThree(f)
		return c.standard(t, 3)
	case "bmsk":
		if mode == "" {
			mode = "clamp"
		}
		c.in.execute = ofTwo(func(a, b uint32) uint32 {
			if mode == "wrap" {
				a, b = a&31, b&31
			}
			return uint32((uint64(1)<<min(b, 32) - 1) << min(a, 32))
		})
		return c.standard(t, 2)
	}
	// dp4a: four products of bytes and an addend
	t2, err := o.dataType()
	if err != nil {
		return err
	}
	c.in.execute = ofThree(func(a, b, c uint32) uint32 {
		for i := 0; i < 32; i += 8 {
			x, y := int32(a>>i&0xff), int32(b>>i&0xff)
			if t.signed() {
				x = int32(int8(x))
			}
			if t2.signed() {
				y = int32(int8(y))
			}
			c += uint32(x * y)
		}
		return c
	})
	return c.mixed(u32, u32, u32, u32)
}

func joinModifiers(list []string) string {
	text := ""
	for _, modifier := range list {
		if modifier != "" {
			text += "." + modifier
		}
	}
	return text
}

func (c *compiler) buildMultiply24(part string, t dataType, add bool) error {
	if t.bits != 32 || part != "lo" && part != "hi" {
		return fmt.Errorf("needs .lo or .hi and 32 bits")
	}
	shift := 0
	if part == "hi" {
		shift = 16
	}
	product := func(a, b uint32) uint32 {
		if t.signed() {
			return uint32(signExtend(uint64(a), 24) * signExtend(uint64(b), 24) >> shift)
		}
		return uint32(uint64(a&0xffffff) * uint64(b&0xffffff) >> shift)
	}
	if add {
		c.in.execute = ofThree(func(a, b, c uint32) uint32 { return product(a, b) + c })
		return c.standard(t, 3)
	}
	c.in.execute = ofTwo(product)
	return c.standard(t, 2)
}
