package ptx

import (
	"fmt"
	"math"
)

// float32 arithmetic (section "Floating-Point Instructions"). float64 has the same instructions with round to nearest only.

// floatModifiers are what float32 instructions have in common.
type floatModifiers struct {
	mode        rounding
	ftz, sat    bool
	rounded     bool // a rounding was given
	approximate bool
	full        bool
}

func (c *compiler) floatModifiers() floatModifiers {
	var m floatModifiers
	m.mode, m.rounded = c.opcode.rounding()
	m.ftz = c.opcode.flag("ftz")
	m.sat = c.opcode.flag("sat")
	m.approximate = c.opcode.flag("approx")
	m.full = c.opcode.flag("full")
	return m
}

// wrap adds .ftz and .sat to the operation; operands and result are flushed.
func (m floatModifiers) wrap1(f func(a float32) float32) func(a float32) float32 {
	if m.ftz {
		inner := f
		f = func(a float32) float32 { return flush(inner(flush(a))) }
	}
	if m.sat {
		inner := f
		f = func(a float32) float32 { return saturate(inner(a)) }
	}
	return f
}

func (m floatModifiers) wrap2(f func(a, b float32) float32) func(a, b float32) float32 {
	if m.ftz {
		inner := f
		f = func(a, b float32) float32 { return flush(inner(flush(a), flush(b))) }
	}
	if m.sat {
		inner := f
		f = func(a, b float32) float32 { return saturate(inner(a, b)) }
	}
	return f
}

func (m floatModifiers) wrap3(f func(a, b, c float32) float32) func(a, b, c float32) float32 {
	if m.ftz {
		inner := f
		f = func(a, b, c float32) float32 { return flush(inner(flush(a), flush(b), flush(c))) }
	}
	if m.sat {
		inner := f
		f = func(a, b, c float32) float32 { return saturate(inner(a, b, c)) }
	}
	return f
}

func (m floatModifiers) plain() bool { return m.mode == nearest && !m.ftz && !m.sat }

// buildFloat32 compiles the arithmetic that integers have too.
func (c *compiler) buildFloat32(base string) error {
	m := c.floatModifiers()
	t := dataType{'f', 32}
	switch base {
	case "add", "sub", "mul":
		fast := map[string]operation{"add": addFloat32, "sub": subFloat32, "mul": mulFloat32}[base]
		switch {
		case m.plain():
			c.in.execute = fast
		case base == "add":
			c.in.execute = binaryFloat32(m.wrap2(addMode(m.mode)))
		case base == "sub":
			add := addMode(m.mode)
			c.in.execute = binaryFloat32(m.wrap2(func(a, b float32) float32 { return add(a, -b) }))
		default:
			c.in.execute = binaryFloat32(m.wrap2(mulMode(m.mode)))
		}
		return c.standard(t, 2)
	case "div":
		if m.rounded == (m.approximate || m.full) {
			return fmt.Errorf("needs a rounding, .approx or .full")
		}
		c.in.execute = binaryFloat32(m.wrap2(divMode(m.mode)))
		return c.standard(t, 2)
	case "min", "max":
		nan, xorsign := c.opcode.flag("NaN"), c.opcode.flag("xorsign")
		if xorsign {
			return fmt.Errorf("unsupported modifier .xorsign")
		}
		c.in.execute = binaryFloat32(m.wrap2(extremum(base == "max", nan)))
		return c.standard(t, 2)
	case "abs":
		c.in.execute = ofOne(signOperation(m.ftz, func(a uint32) uint32 { return a &^ 0x80000000 }))
	default: // neg
		c.in.execute = ofOne(signOperation(m.ftz, func(a uint32) uint32 { return a ^ 0x80000000 }))
	}
	return c.standard(t, 1)
}

// signOperation works on bits, so that the payload of a NaN passes.
func signOperation(ftz bool, f func(uint32) uint32) func(uint32) uint32 {
	if !ftz {
		return f
	}
	return func(a uint32) uint32 { return math.Float32bits(flush(math.Float32frombits(f(a)))) }
}

// extremum is min or max: a NaN loses against a number unless .NaN is given, and -0 is less than +0.
func extremum(largest, nan bool) func(a, b float32) float32 {
	return func(a, b float32) float32 {
		switch {
		case a != a && b != b, nan && (a != a || b != b):
			return float32NaN()
		case a != a:
			return b
		case b != b:
			return a
		case a == b: // only zeros differ
			if math.Signbit(float64(a)) == largest {
				return b
			}
			return a
		case (a > b) == largest:
			return a
		}
		return b
	}
}

func (c *compiler) buildFloat64(base string) error {
	m := c.floatModifiers()
	if m.ftz || m.sat || m.approximate || m.full {
		return fmt.Errorf("unsupported modifier for f64")
	}
	if m.mode != nearest {
		return fmt.Errorf("f64 arithmetic is supported with .rn only")
	}
	t := dataType{'f', 64}
	switch base {
	case "add":
		c.in.execute = binaryFloat64(func(a, b float64) float64 { return a + b })
	case "sub":
		c.in.execute = binaryFloat64(func(a, b float64) float64 { return a - b })
	case "mul":
		c.in.execute = binaryFloat64(func(a, b float64) float64 { return a * b })
	case "div":
		c.in.execute = binaryFloat64(func(a, b float64) float64 { return a / b })
	case "min", "max":
		largest := base == "max"
		c.in.execute = binaryFloat64(func(a, b float64) float64 {
			switch {
			case a != a:
				return b
			case b != b:
				return a
			case largest:
				return math.Max(a, b)
			}
			return math.Min(a, b)
		})
	case "abs":
		c.in.execute = ofOne(func(a uint64) uint64 { return a &^ (1 << 63) })
		return c.standard(t, 1)
	default:
		c.in.execute = ofOne(func(a uint64) uint64 { return a ^ 1<<63 })
		return c.standard(t, 1)
	}
	return c.standard(t, 2)
}

// buildFloat compiles the instructions that only floats have.
func (c *compiler) buildFloat() error {
	o := c.opcode
	base := o.base
	var class string
	if base == "testp" {
		class = o.take("finite", "infinite", "number", "notanumber", "normal", "subnormal")
	}
	m := c.floatModifiers()
	t, err := o.dataType()
	if err != nil || !t.float() || t.bits < 32 {
		return fmt.Errorf("unsupported type")
	}
	switch base {
	case "copysign":
		if t.bits == 64 {
			c.in.execute = ofTwo(func(a, b uint64) uint64 { return a&(1<<63) | b&^(1<<63) })
		} else {
			c.in.execute = ofTwo(func(a, b uint32) uint32 { return a&0x80000000 | b&^0x80000000 })
		}
		return c.standard(t, 2)
	case "testp":
		return c.buildTest(class, t)
	}
	if t.bits == 64 {
		return c.buildFloat64Only(base, m)
	}
	if base == "fma" {
		if !m.rounded {
			return fmt.Errorf("needs a rounding")
		}
		if m.plain() {
			c.in.execute = fmaFloat32
		} else {
			c.in.execute = ternaryFloat32(m.wrap3(fmaMode(m.mode)))
		}
		return c.standard(t, 3)
	}
	f, err := unaryFunction(base, m)
	if err != nil {
		return err
	}
	c.in.execute = unaryFloat32(m.wrap1(f))
	return c.standard(t, 1)
}

// unaryFunction gives the function of rcp, sqrt and the approximate instructions.
func unaryFunction(base string, m floatModifiers) (func(float32) float32, error) {
	if (base == "rcp" || base == "sqrt") && m.rounded == m.approximate {
		return nil, fmt.Errorf("needs a rounding or .approx")
	}
	if base != "rcp" && base != "sqrt" && !m.approximate {
		return nil, fmt.Errorf("is only supported with .approx")
	}
	var f func(float64) float64
	switch base {
	case "rcp":
		div := divMode(m.mode)
		return func(a float32) float32 { return div(1, a) }, nil
	case "sqrt":
		return sqrtMode(m.mode), nil
	case "rsqrt":
		f = func(a float64) float64 { return 1 / math.Sqrt(a) }
	case "ex2":
		f = math.Exp2
	case "lg2":
		f = func(a float64) float64 { return math.Log(a) / math.Ln2 } // math.Log2 is less exact near 1
	case "sin":
		f = math.Sin
	case "cos":
		f = math.Cos
	case "tanh":
		f = math.Tanh
	}
	return func(a float32) float32 { return canonical(float32(f(float64(a)))) }, nil
}

func (c *compiler) buildFloat64Only(base string, m floatModifiers) error {
	t := dataType{'f', 64}
	if m.sat || m.mode != nearest {
		return fmt.Errorf("f64 arithmetic is supported with .rn only")
	}
	switch {
	case base == "fma":
		c.in.execute = ofThree(func(a, b, c uint64) uint64 {
			return math.Float64bits(math.FMA(math.Float64frombits(a), math.Float64frombits(b), math.Float64frombits(c)))
		})
		return c.standard(t, 3)
	case base == "rcp" && m.rounded:
		c.in.execute = unaryFloat64(func(a float64) float64 { return 1 / a })
	case base == "sqrt" && m.rounded:
		c.in.execute = unaryFloat64(math.Sqrt)
	default:
		return fmt.Errorf("unsupported for f64")
	}
	return c.standard(t, 1)
}

// buildTest compiles testp, which sorts floats into classes.
func (c *compiler) buildTest(class string, t dataType) error {
	if class == "" {
		return fmt.Errorf("unknown class")
	}
	if err := c.mixed(dataType{'p', 1}, t); err != nil {
		return err
	}
	c.in.b = c.in.a
	smallest := 0x1p-126
	if t.bits == 64 {
		smallest = 0x1p-1022
	}
	test := func(f float64) bool {
		magnitude := math.Abs(f)
		switch class {
		case "finite":
			return magnitude <= math.MaxFloat64
		case "infinite":
			return math.IsInf(f, 0)
		case "number":
			return f == f
		case "notanumber":
			return f != f
		case "normal":
			return magnitude >= smallest && magnitude <= math.MaxFloat64
		}
		return magnitude > 0 && magnitude < smallest
	}
	if t.bits == 64 {
		c.in.execute = setPredicate(compare(func(a, _ uint64) bool { return test(math.Float64frombits(a)) }))
	} else {
		c.in.execute = setPredicate(compare(func(a, _ uint32) bool { return test(float64(math.Float32frombits(a))) }))
	}
	return nil
}
