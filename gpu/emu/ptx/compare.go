package ptx

import (
	"fmt"
	"math"
	"math/bits"
)

// Comparison and selection (section "Comparison and Selection Instructions").

// setPredicate makes an operation of one that gives a mask: it sets the destination's bits for the lanes of w.mask.
func setPredicate(f func(w *warp, in *instruction) uint32) operation {
	return func(w *warp, in *instruction) {
		result := f(w, in)
		w.predicates[in.dst] = w.predicates[in.dst]&^w.mask | result&w.mask
	}
}

var comparisons = [...]string{"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"}

// ordered gives the function of a comparison of integers, or of floats that are numbers.
func ordered[T uint32 | uint64 | int32 | int64 | float32 | float64](name string) func(a, b T) bool {
	switch name {
	case "eq", "equ":
		return func(a, b T) bool { return a == b }
	case "ne", "neu":
		return func(a, b T) bool { return a != b }
	case "lt", "lo", "ltu":
		return func(a, b T) bool { return a < b }
	case "le", "ls", "leu":
		return func(a, b T) bool { return a <= b }
	case "gt", "hi", "gtu":
		return func(a, b T) bool { return a > b }
	case "ge", "hs", "geu":
		return func(a, b T) bool { return a >= b }
	}
	return nil
}

// floatComparison adds what NaN does: comparisons ending in u are true with one, all others false, "ne" too.
func floatComparison[T float32 | float64](name string) func(a, b T) bool {
	switch name {
	case "num":
		return func(a, b T) bool { return a == a && b == b }
	case "nan":
		return func(a, b T) bool { return a != a || b != b }
	case "ne":
		return func(a, b T) bool { return a < b || a > b }
	case "equ", "ltu", "leu", "gtu", "geu":
		f := ordered[T](name)
		return func(a, b T) bool { return a != a || b != b || f(a, b) }
	case "lo", "ls", "hi", "hs":
		return nil
	}
	return ordered[T](name)
}

// comparison gives the operation that compares sources a and b of an instruction.
func comparison(name string, t dataType, ftz bool) (func(w *warp, in *instruction) uint32, error) {
	var result func(w *warp, in *instruction) uint32
	unsuitable := fmt.Errorf("comparison .%s does not suit type .%v", name, t)
	if !t.float() {
		switch name {
		case "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan", "":
			return nil, unsuitable
		}
	}
	switch {
	case t.is('f', 32):
		f := floatComparison[float32](name)
		if f == nil {
			return nil, unsuitable
		}
		if ftz {
			inner := f
			f = func(a, b float32) bool { return inner(flush(a), flush(b)) }
		}
		result = compare(func(a, b uint32) bool { return f(math.Float32frombits(a), math.Float32frombits(b)) })
	case t.is('f', 64):
		f := floatComparison[float64](name)
		if f == nil {
			return nil, unsuitable
		}
		result = compare(func(a, b uint64) bool { return f(math.Float64frombits(a), math.Float64frombits(b)) })
	case t.bits == 64 && t.signed():
		f := ordered[int64](name)
		result = compare(func(a, b uint64) bool { return f(int64(a), int64(b)) })
	case t.bits == 64:
		result = compare(ordered[uint64](name))
	case t.bits == 16 && t.signed():
		f := ordered[int32](name)
		result = compare(func(a, b uint32) bool { return f(int32(int16(a)), int32(int16(b))) })
	case t.bits == 32 && t.signed():
		f := ordered[int32](name)
		result = compare(func(a, b uint32) bool { return f(int32(a), int32(b)) })
	case t.bits == 16 || t.bits == 32:
		result = compare(ordered[uint32](name))
	default:
		return nil, fmt.Errorf("unsupported type .%v", t)
	}
	return result, nil
}

// buildCompare compiles setp, set, selp and slct.
func (c *compiler) buildCompare() error {
	o := c.opcode
	base := o.base
	var name, combine string
	if base == "setp" || base == "set" {
		name, combine = o.take(comparisons[:]...), o.take("and", "or", "xor")
	}
	ftz := o.flag("ftz")
	t, err := o.dataType()
	if err != nil {
		return err
	}
	switch base {
	case "selp":
		return c.buildSelect(t)
	case "slct":
		return c.buildSignSelect(t, ftz)
	case "set":
		return c.buildSet(name, combine, t, ftz)
	}
	f, err := comparison(name, t, ftz)
	if err != nil {
		return err
	}
	operands := c.statement.operands
	if len(operands) == 0 {
		return fmt.Errorf("needs operands")
	}
	p := dataType{'p', 1}
	destinations := []operand{operands[0]}
	if operands[0].kind == operandPair {
		destinations = operands[0].elements
	}
	if c.in.dst, _, err = c.destination(destinations[0], p, false); err != nil {
		return err
	}
	if len(destinations) == 2 {
		if c.in.dst2, _, err = c.destination(destinations[1], p, false); err != nil {
			return err
		}
	}
	if err := c.compareSources(t, combine); err != nil {
		return err
	}
	c.in.execute = setpOperation(f, combine)
	return nil
}

// compareSources compiles "a, b" and, if the result is combined, "[!]c".
func (c *compiler) compareSources(t dataType, combine string) (err error) {
	want := 3
	if combine != "" {
		want = 4
	}
	if err := c.operands(want, want); err != nil {
		return err
	}
	operands := c.statement.operands
	if c.in.a, err = c.source(operands[1], t); err != nil {
		return err
	}
	if c.in.b, err = c.source(operands[2], t); err != nil {
		return err
	}
	if combine != "" {
		c.in.c, c.in.negated, err = c.predicateSource(operands[3])
	}
	return err
}

// combined joins the mask of a comparison with predicate c.
func combined(w *warp, in *instruction, result uint32, combine string) uint32 {
	if combine == "" {
		return result
	}
	other := w.predicates[in.c]
	if in.negated {
		other = ^other
	}
	switch combine {
	case "and":
		return result & other
	case "or":
		return result | other
	}
	return result ^ other
}

func setpOperation(f func(w *warp, in *instruction) uint32, combine string) operation {
	if combine == "" {
		plain := setPredicate(f)
		return func(w *warp, in *instruction) {
			plain(w, in)
			if in.dst2 >= 0 {
				w.predicates[in.dst2] = w.predicates[in.dst2]&^w.mask | ^w.predicates[in.dst]&w.mask
			}
		}
	}
	return func(w *warp, in *instruction) {
		result := f(w, in)
		first, second := combined(w, in, result, combine), combined(w, in, ^result, combine)
		w.predicates[in.dst] = w.predicates[in.dst]&^w.mask | first&w.mask
		if in.dst2 >= 0 {
			w.predicates[in.dst2] = w.predicates[in.dst2]&^w.mask | second&w.mask
		}
	}
}

// buildSet compiles set, whose result is all ones or 1.0.
func (c *compiler) buildSet(name, combine string, d dataType, ftz bool) error {
	t, err := c.opcode.dataType()
	if err != nil {
		return err
	}
	if d.bits != 32 || d.kind == 'b' {
		return fmt.Errorf("the result must be .u32, .s32 or .f32")
	}
	f, err := comparison(name, t, ftz)
	if err != nil {
		return err
	}
	yes := ^uint32(0)
	if d.float() {
		yes = math.Float32bits(1)
	}
	if len(c.statement.operands) == 0 {
		return fmt.Errorf("needs operands")
	}
	if c.in.dst, _, err = c.destination(c.statement.operands[0], d, false); err != nil {
		return err
	}
	c.in.execute = func(w *warp, in *instruction) {
		result := combined(w, in, f(w, in), combine)
		register := &w.words[in.dst]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			register[lane] = 0
			if result>>lane&1 == 1 {
				register[lane] = yes
			}
		}
	}
	return c.compareSources(t, combine)
}

// buildSelect compiles selp.
func (c *compiler) buildSelect(t dataType) error {
	if t.kind == 'p' || t.bits < 16 {
		return fmt.Errorf("unsupported type .%v", t)
	}
	if err := c.operands(4, 4); err != nil {
		return err
	}
	last := c.statement.operands[3]
	c.statement.operands = c.statement.operands[:3]
	if err := c.standard(t, 2); err != nil {
		return err
	}
	var err error
	if c.in.c, c.in.negated, err = c.predicateSource(last); err != nil {
		return err
	}
	if c.in.negated {
		return fmt.Errorf("the predicate takes no \"!\"")
	}
	c.in.execute = selectLanes[uint32]
	if t.bits == 64 {
		c.in.execute = selectLanes[uint64]
	}
	return nil
}

func selectLanes[T word](w *warp, in *instruction) {
	d, a, b := registers[T](w, in.dst), registers[T](w, in.a), registers[T](w, in.b)
	chosen := w.predicates[in.c]
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		if chosen>>lane&1 == 1 {
			d[lane] = a[lane]
		} else {
			d[lane] = b[lane]
		}
	}
}

// buildSignSelect compiles slct: a if c >= 0, else b; a NaN selects b.
func (c *compiler) buildSignSelect(t dataType, ftz bool) error {
	by, err := c.opcode.dataType()
	if err != nil || !by.is('s', 32) && !by.is('f', 32) || t.bits < 16 || t.kind == 'p' {
		return fmt.Errorf("unsupported type")
	}
	choose := func(c uint32) bool { return int32(c) >= 0 }
	if by.float() {
		choose = func(c uint32) bool {
			f := math.Float32frombits(c)
			if ftz {
				f = flush(f)
			}
			return f >= 0
		}
	}
	if t.bits == 64 {
		c.in.execute = ofThree(func(a, b uint64, c uint32) uint64 {
			if choose(c) {
				return a
			}
			return b
		})
	} else {
		c.in.execute = ofThree(func(a, b, c uint32) uint32 {
			if choose(c) {
				return a
			}
			return b
		})
	}
	return c.mixed(t, t, t, by)
}
