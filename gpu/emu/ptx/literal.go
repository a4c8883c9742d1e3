package ptx

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

const maxExpressionDepth = 64

// literal reads a number as it stands in the text. Integers come as 64 bits of two's complement; floats as the bits of the
// width that they are written in: 0f = 32, 0d and decimal = 64.
func (p *parser) literal(text string) (value uint64, floatBits int, err error) {
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(lower, "0f") && len(text) == 10:
		value, err = strconv.ParseUint(text[2:], 16, 32)
		floatBits = 32
	case strings.HasPrefix(lower, "0d") && len(text) == 18:
		value, err = strconv.ParseUint(text[2:], 16, 64)
		floatBits = 64
	case !strings.HasPrefix(lower, "0x") && strings.ContainsAny(lower, ".e"):
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		value, floatBits = math.Float64bits(f), 64
	default:
		digits := strings.TrimSuffix(lower, "u")
		base := 10
		switch {
		case strings.HasPrefix(digits, "0x"):
			digits, base = digits[2:], 16
		case strings.HasPrefix(digits, "0b"):
			digits, base = digits[2:], 2
		case len(digits) > 1 && digits[0] == '0':
			digits, base = digits[1:], 8
		}
		value, err = strconv.ParseUint(digits, base, 64)
	}
	if err != nil {
		return 0, 0, p.fail("%q is not a number", text)
	}
	return value, floatBits, nil
}

// constant reads an integer constant expression: + - * / of numbers, with signs and parentheses.
func (p *parser) constant(depth int) (uint64, error) {
	value, err := p.constantTerm(depth)
	for err == nil && (p.at("+") || p.at("-")) {
		minus := p.at("-")
		if err = p.advance(); err != nil {
			return 0, err
		}
		var right uint64
		if right, err = p.constantTerm(depth); minus {
			right = -right
		}
		value += right
	}
	return value, err
}

func (p *parser) constantTerm(depth int) (uint64, error) {
	value, err := p.constantFactor(depth)
	for err == nil && (p.at("*") || p.at("/")) {
		divide := p.at("/")
		if err = p.advance(); err != nil {
			return 0, err
		}
		var right uint64
		if right, err = p.constantFactor(depth); err != nil {
			return 0, err
		}
		switch {
		case !divide:
			value *= right
		case right == 0:
			return 0, p.fail("division by zero in a constant")
		default:
			value = uint64(int64(value) / int64(right))
		}
	}
	return value, err
}

func (p *parser) constantFactor(depth int) (uint64, error) {
	if depth > maxExpressionDepth {
		return 0, p.fail("constant expression is nested too deeply")
	}
	sign := p.token.text
	switch {
	case p.at("-") || p.at("+") || p.at("~") || p.at("!"):
		if err := p.advance(); err != nil {
			return 0, err
		}
		value, err := p.constantFactor(depth + 1)
		switch {
		case sign == "-":
			value = -value
		case sign == "~":
			value = ^value
		case sign == "!" && value == 0:
			value = 1
		case sign == "!":
			value = 0
		}
		return value, err
	case p.at("("):
		if err := p.advance(); err != nil {
			return 0, err
		}
		value, err := p.constant(depth + 1)
		if err != nil {
			return 0, err
		}
		return value, p.expect(")")
	case p.token.kind == tokenNumber:
		value, floatBits, err := p.literal(p.token.text)
		if err != nil {
			return 0, err
		}
		if floatBits != 0 {
			return 0, p.fail("expected an integer, found %s", p.describe())
		}
		return value, p.advance()
	}
	return 0, p.fail("expected a constant, found %s", p.describe())
}

// parseInitial reads "= value" or "= {value, ...}", nested braces flattened, into the variable's initial bytes.
func (p *parser) parseInitial(v *variable, kind dataType) error {
	if err := p.advance(); err != nil {
		return err
	}
	var bytes []byte
	depth := 0
	for {
		switch {
		case p.at("{"):
			depth++
		case p.at("}") && depth > 0:
			depth--
		case p.at(",") && depth > 0:
		default:
			value, err := p.initialValue(kind)
			if err != nil {
				return err
			}
			var eight [8]byte
			binary.LittleEndian.PutUint64(eight[:], value)
			bytes = append(bytes, eight[:kind.bytes()]...)
			if depth == 0 {
				return p.setInitial(v, bytes)
			}
			continue
		}
		if err := p.advance(); err != nil {
			return err
		}
		if depth == 0 {
			return p.setInitial(v, bytes)
		}
	}
}

func (p *parser) setInitial(v *variable, bytes []byte) error {
	if v.size == 0 {
		v.size = len(bytes)
	}
	if len(bytes) > v.size {
		return p.fail("%s: %d bytes of initial value for %d bytes", v.name, len(bytes), v.size)
	}
	v.initial = bytes
	return nil
}

// initialValue reads one number of an initial value in the variable's type.
func (p *parser) initialValue(kind dataType) (uint64, error) {
	if p.token.kind == tokenWord {
		return 0, p.fail("an address as an initial value is not supported")
	}
	minus, err := p.accept("-")
	if err != nil {
		return 0, err
	}
	if p.token.kind == tokenNumber {
		value, floatBits, err := p.literal(p.token.text)
		if err != nil {
			return 0, err
		}
		if floatBits != 0 {
			value = convertFloatBits(value, floatBits, kind.bits)
			if minus {
				value ^= 1 << (kind.bits - 1)
			}
			return value, p.advance()
		}
	}
	value, err := p.constant(0)
	if minus {
		value = -value
	}
	if kind.float() {
		value = convertFloatBits(math.Float64bits(float64(int64(value))), 64, kind.bits)
	}
	return value, err
}

// convertFloatBits gives the bits of a float literal in another width.
func convertFloatBits(value uint64, from, to int) uint64 {
	switch {
	case from == 64 && to == 32:
		return uint64(math.Float32bits(float32(math.Float64frombits(value))))
	case from == 32 && to == 64:
		return math.Float64bits(float64(math.Float32frombits(uint32(value))))
	}
	return value
}
