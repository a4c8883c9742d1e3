package ptx

import (
	"fmt"
	"math"
)

// Conversions (instruction cvt): d takes the value of a, whose types are the opcode's; the registers may be wider than the types.

// clampSigned and clampUnsigned saturate to a width.
func clampSigned(v int64, width int) int64 {
	highest := int64(math.MaxInt64) >> (64 - width)
	return max(min(v, highest), -highest-1)
}

func clampUnsigned(v uint64, width int) uint64 { return min(v, math.MaxUint64>>(64-width)) }

func (c *compiler) buildConvert() error {
	o := c.opcode
	integral := o.take("rni", "rzi", "rmi", "rpi")
	mode, rounded := o.rounding()
	ftz, sat := o.flag("ftz"), o.flag("sat")
	d, err := o.dataType()
	if err != nil {
		return err
	}
	a, err := o.dataType()
	if err != nil {
		return err
	}
	if !(d.integer() || d.float()) || !(a.integer() || a.float()) || d.is('f', 16) || a.is('f', 16) {
		return fmt.Errorf("unsupported types .%v and .%v", d, a)
	}
	if err := c.operands(2, 2); err != nil {
		return err
	}
	var kind dataType
	if c.in.dst, kind, err = c.destination(c.statement.operands[0], d, true); err != nil {
		return err
	}
	if c.in.a, err = c.sourceOf(c.statement.operands[1], a, true); err != nil {
		return err
	}
	longSource := a.bits == 64
	if r := c.statement.scope.register(c.statement.operands[1].name); r != nil {
		longSource = r.kind.bits == 64
	}
	var f func(uint64) uint64
	switch {
	case d.integer() && a.integer():
		f = integerToInteger(d, a, sat)
	case d.float() && a.integer():
		if !rounded {
			return fmt.Errorf("needs a rounding")
		}
		if d.bits == 64 && a.bits == 64 && mode != nearest {
			return fmt.Errorf("64-bit integers to f64 are supported with .rn only")
		}
		f = integerToFloat(d, a, mode, sat)
	case d.integer():
		if integral == "" {
			return fmt.Errorf("needs .rni, .rzi, .rmi or .rpi")
		}
		f = floatToInteger(d, a, integral, ftz)
	default:
		if rounded != (d.bits < a.bits) {
			return fmt.Errorf("a rounding is for f32 from f64, and needed there")
		}
		f = floatToFloat(d, a, mode, integral, ftz, sat)
	}
	// A destination wider than its type gets the value extended as the type says.
	narrow := ^uint64(0) >> (64 - max(kind.bits, 16))
	extended := f
	if d.signed() {
		extended = func(v uint64) uint64 { return uint64(signExtend(f(v), d.bits)) & narrow }
	}
	c.in.execute = convertOperation(extended, kind.bits == 64, longSource, d, a)
	return nil
}

// convertOperation wraps a conversion of 64-bit values for the widths of its registers.
func convertOperation(f func(uint64) uint64, longTo, longFrom bool, d, a dataType) operation {
	switch {
	case longTo && longFrom:
		return ofOne(f)
	case longTo && d.is('s', 64) && a.is('s', 32):
		return ofOne(func(v uint32) uint64 { return uint64(int32(v)) })
	case longTo && d.bits == 64 && a.is('u', 32):
		return ofOne(func(v uint32) uint64 { return uint64(v) })
	case longTo:
		return ofOne(func(v uint32) uint64 { return f(uint64(v)) })
	case longFrom:
		return ofOne(func(v uint64) uint32 { return uint32(f(v)) })
	}
	return ofOne(func(v uint32) uint32 { return uint32(f(uint64(v))) })
}

func integerToInteger(d, a dataType, sat bool) func(uint64) uint64 {
	mask := uint64(math.MaxUint64) >> (64 - d.bits)
	return func(v uint64) uint64 {
		if a.signed() {
			s := signExtend(v, a.bits)
			switch {
			case sat && d.signed():
				s = clampSigned(s, d.bits)
			case sat:
				return clampUnsigned(uint64(max(s, 0)), d.bits)
			}
			return uint64(s) & mask
		}
		v &= math.MaxUint64 >> (64 - a.bits)
		switch {
		case sat && d.signed():
			return min(v, mask>>1)
		case sat:
			return min(v, mask)
		}
		return v & mask
	}
}

func integerToFloat(d, a dataType, mode rounding, sat bool) func(uint64) uint64 {
	return func(v uint64) uint64 {
		negative := false
		if a.signed() {
			s := signExtend(v, a.bits)
			negative = s < 0
			v = uint64(s)
			if negative {
				v = -v
			}
		} else {
			v &= math.MaxUint64 >> (64 - a.bits)
		}
		if d.bits == 32 && v>>53 != 0 { // keep 53 bits, the last of them sticky: rounding to odd
			sticky := v & 0x7ff
			if v &^= 0x7ff; sticky != 0 {
				v |= 0x800
			}
		}
		f := float64(v)
		if negative {
			f = -f
		}
		if d.bits == 64 {
			if sat {
				f = float64FromSaturated(f)
			}
			return math.Float64bits(f)
		}
		single := round32(f, mode)
		if sat {
			single = saturate(single)
		}
		return uint64(math.Float32bits(single))
	}
}

func float64FromSaturated(f float64) float64 {
	switch {
	case f >= 1:
		return 1
	case f > 0:
		return f
	}
	return 0
}

// widen reads a float of type a as float64, which is exact.
func widen(v uint64, a dataType, ftz bool) float64 {
	if a.bits == 64 {
		return math.Float64frombits(v)
	}
	f := math.Float32frombits(uint32(v))
	if ftz {
		f = flush(f)
	}
	return float64(f)
}

func toIntegral(f float64, integral string) float64 {
	switch integral {
	case "rni":
		return math.RoundToEven(f)
	case "rzi":
		return math.Trunc(f)
	case "rmi":
		return math.Floor(f)
	case "rpi":
		return math.Ceil(f)
	}
	return f
}

// floatToInteger saturates always. A NaN gives 0 if the source is f32 and the destination below 64 bits, else the highest bit alone.
func floatToInteger(d, a dataType, integral string, ftz bool) func(uint64) uint64 {
	mask := uint64(math.MaxUint64) >> (64 - d.bits)
	return func(v uint64) uint64 {
		f := toIntegral(widen(v, a, ftz), integral)
		switch {
		case f != f && a.bits == 32 && d.bits < 64:
			return 0
		case f != f:
			return 1 << (d.bits - 1)
		case d.signed():
			limit := math.Ldexp(1, d.bits-1)
			switch {
			case f >= limit:
				return mask >> 1
			case f < -limit:
				return mask>>1 + 1
			}
			return uint64(int64(f)) & mask
		case f <= 0:
			return 0
		case f >= math.Ldexp(1, d.bits):
			return mask
		}
		return uint64(f)
	}
}

func floatToFloat(d, a dataType, mode rounding, integral string, ftz, sat bool) func(uint64) uint64 {
	return func(v uint64) uint64 {
		if d.bits == 32 && a.bits == 32 && integral == "" && !sat && !ftz {
			return v
		}
		f := toIntegral(widen(v, a, ftz), integral)
		if d.bits == 64 {
			if sat {
				f = float64FromSaturated(f)
			}
			return math.Float64bits(f)
		}
		single := round32(f, mode)
		if ftz {
			single = flush(single)
		}
		if sat {
			single = saturate(single)
		}
		return uint64(math.Float32bits(single))
	}
}
