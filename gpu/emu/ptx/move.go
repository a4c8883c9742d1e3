package ptx

import "fmt"

// buildMove compiles mov, cvta, isspacep and nop.
func (c *compiler) buildMove() error {
	switch c.opcode.base {
	case "nop":
		c.in.execute = func(*warp, *instruction) {}
		return c.operands(0, 0)
	case "cvta":
		return c.buildAddressConversion()
	case "isspacep":
		return c.buildSpaceTest()
	}
	t, err := c.opcode.dataType()
	if err != nil || t.bits == 8 {
		return fmt.Errorf("unsupported type")
	}
	if err := c.operands(2, 2); err != nil {
		return err
	}
	d, a := c.statement.operands[0], c.statement.operands[1]
	switch {
	case t.kind == 'p':
		return c.movePredicate(d, a)
	case d.kind == operandVector:
		return c.buildUnpack(t, d.elements, a)
	case a.kind == operandVector:
		return c.buildPack(t, d, a.elements)
	}
	if c.in.dst, _, err = c.destination(d, t, false); err != nil {
		return err
	}
	c.in.execute = moveLanes[uint32]
	if t.bits == 64 {
		c.in.execute = moveLanes[uint64]
	}
	if v := c.statement.scope.variable(a.name); a.kind == operandName && v != nil && c.statement.scope.register(a.name) == nil {
		if t.float() || t.bits < 32 || t.bits == 32 && (v.space == spaceGlobal || v.space == spaceConst) {
			return fmt.Errorf("the address of %s in %s memory does not fit into .%v", v.name, v.space, t)
		}
		c.in.a = c.address(v, a.offset, false, t.bits == 64)
		return nil
	}
	c.in.a, err = c.source(a, t)
	return err
}

func moveLanes[T word](w *warp, in *instruction) {
	d, a := registers[T](w, in.dst), registers[T](w, in.a)
	if w.mask == allLanes {
		*d = *a
		return
	}
	for lane := range d {
		if w.mask>>lane&1 == 1 {
			d[lane] = a[lane]
		}
	}
}

func (c *compiler) movePredicate(d, a operand) (err error) {
	p := dataType{'p', 1}
	if c.in.dst, _, err = c.destination(d, p, false); err != nil {
		return err
	}
	if a.kind == operandInteger {
		var value uint32
		if a.value != 0 {
			value = allLanes
		}
		c.in.execute = setPredicate(func(*warp, *instruction) uint32 { return value })
		return nil
	}
	c.in.execute = setPredicate(func(w *warp, in *instruction) uint32 { return w.predicates[in.a] })
	c.in.a, err = c.source(a, p)
	return err
}

// buildPack compiles "mov.b64 d, {lo, hi}" and "mov.b32 d, {lo, hi}".
func (c *compiler) buildPack(t dataType, d operand, elements []operand) (err error) {
	if len(elements) != 2 || t.bits < 32 {
		return fmt.Errorf("only pairs of 16 or 32 bits are supported")
	}
	half := dataType{'b', t.bits / 2}
	if c.in.dst, _, err = c.destination(d, t, false); err != nil {
		return err
	}
	if c.in.a, err = c.source(elements[0], half); err != nil {
		return err
	}
	c.in.execute = ofTwo(func(low, high uint32) uint32 { return low | high<<16 })
	if t.bits == 64 {
		c.in.execute = ofTwo(func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 })
	}
	c.in.b, err = c.source(elements[1], half)
	return err
}

// buildUnpack compiles "mov.b64 {lo, hi}, a" and "mov.b32 {lo, hi}, a".
func (c *compiler) buildUnpack(t dataType, elements []operand, a operand) (err error) {
	if len(elements) != 2 || t.bits < 32 {
		return fmt.Errorf("only pairs of 16 or 32 bits are supported")
	}
	half := dataType{'b', t.bits / 2}
	if c.in.dst, _, err = c.destination(elements[0], half, false); err != nil {
		return err
	}
	if c.in.dst2, _, err = c.destination(elements[1], half, false); err != nil {
		return err
	}
	c.in.execute = func(w *warp, in *instruction) {
		low, high, a := &w.words[in.dst], &w.words[in.dst2], w.words[in.a]
		for lane := range a {
			if w.mask>>lane&1 == 1 {
				low[lane], high[lane] = a[lane]&0xffff, a[lane]>>16
			}
		}
	}
	if t.bits == 64 {
		c.in.execute = func(w *warp, in *instruction) {
			low, high, a := &w.words[in.dst], &w.words[in.dst2], &w.longs[in.a]
			for lane := range a {
				if w.mask>>lane&1 == 1 {
					low[lane], high[lane] = uint32(a[lane]), uint32(a[lane]>>32)
				}
			}
		}
	}
	c.in.a, err = c.source(a, t)
	return err
}

func windowOf(s space) uint64 {
	switch s {
	case spaceShared:
		return sharedWindow
	case spaceLocal:
		return localWindow
	case spaceParam:
		return paramWindow
	}
	return 0
}

func (o *opcode) space() space {
	name := o.take("global", "shared", "local", "const", "param", "shared::cta", "param::entry")
	switch name {
	case "shared::cta":
		name = "shared"
	case "param::entry":
		name = "param"
	}
	s, _ := parseSpace(name)
	return s
}

// buildAddressConversion compiles cvta: generic addresses are those of the space plus its window's start.
func (c *compiler) buildAddressConversion() error {
	to := c.opcode.flag("to")
	where := c.opcode.space()
	t, err := c.opcode.dataType()
	if err != nil || t.bits != 64 || where == spaceGeneric {
		return fmt.Errorf("needs a space and 64 bits")
	}
	if err := c.operands(2, 2); err != nil {
		return err
	}
	if a := c.statement.operands[1]; a.kind == operandName {
		if v := c.statement.scope.variable(a.name); v != nil && !to {
			if v.space != where {
				return fmt.Errorf("%s is in %s memory", v.name, v.space)
			}
			c.in.execute = moveLanes[uint64]
			c.in.a = c.address(v, a.offset, true, true)
			c.in.dst, _, err = c.destination(c.statement.operands[0], t, false)
			return err
		}
	}
	window := windowOf(where)
	switch {
	case window == 0:
		c.in.execute = moveLanes[uint64]
	case to:
		c.in.execute = ofOne(func(a uint64) uint64 { return a - window })
	default:
		c.in.execute = ofOne(func(a uint64) uint64 { return a + window })
	}
	return c.standard(t, 1)
}

// buildSpaceTest compiles isspacep.
func (c *compiler) buildSpaceTest() error {
	where := c.opcode.space()
	if where == spaceGeneric || where == spaceConst {
		return fmt.Errorf("unsupported space")
	}
	window := windowOf(where)
	c.in.execute = setPredicate(compare(func(a, _ uint64) bool {
		if where == spaceGlobal {
			return a >= globalStart
		}
		return a>>32 == window>>32
	}))
	err := c.mixed(dataType{'p', 1}, dataType{'u', 64})
	c.in.b = c.in.a
	return err
}
