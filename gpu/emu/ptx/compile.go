package ptx

import (
	"fmt"
	"strings"
)

// compiler turns the statements of one kernel into instructions.
type compiler struct {
	kernel    *Kernel
	statement *statement
	opcode    *opcode
	slots     int32 // registers so far
	constants map[constant]int32
	specials  map[special]int32
	addresses map[addressUse]int32
	in        *instruction
}

// finish compiles the body of a kernel and analyses its control flow.
func (k *Kernel) finish(body []statement, parameters *scope) error {
	c := &compiler{kernel: k, constants: map[constant]int32{}, specials: map[special]int32{}, addresses: map[addressUse]int32{}}
	if k.SharedBytes > maxSharedBytes {
		return &SyntaxError{File: k.file, Line: k.line, Opcode: ".shared",
			Message: fmt.Sprintf("kernel %s has %d bytes of static shared memory, the limit is %d", k.Name, k.SharedBytes, maxSharedBytes)}
	}
	k.code = make([]instruction, len(body)+1)
	for i := range body {
		s := &body[i]
		c.statement, c.opcode, c.in = s, newOpcode(s.opcode), &k.code[i]
		*c.in = instruction{line: int32(s.line), opcode: s.opcode, dst: -1, dst2: -1, guard: -1, target: -1, reconverge: -1}
		err := c.compile()
		if err == nil {
			err = c.opcode.finish()
		}
		if err != nil {
			return &SyntaxError{File: k.file, Line: s.line, Opcode: s.opcode, Message: err.Error()}
		}
	}
	last := int32(k.line)
	if len(body) > 0 {
		last = int32(body[len(body)-1].line)
	}
	k.code[len(body)] = instruction{kind: kindExit, opcode: "ret", line: last, dst: -1, dst2: -1, guard: -1, target: -1, reconverge: -1}
	k.Registers = int(c.slots)
	k.analyse(int(c.slots))
	return nil
}

func (c *compiler) compile() error {
	if c.statement.guard != "" {
		r := c.statement.scope.register(c.statement.guard)
		if r == nil || r.kind.kind != 'p' {
			return fmt.Errorf("guard %s is not a predicate register", c.statement.guard)
		}
		c.enter(r)
		c.in.guard, c.in.guardNegated = r.index, c.statement.guardNegated
		c.in.uses = append(c.in.uses, r.slot)
	}
	return builderOf(c.opcode.base)(c) // the parser let only known ones pass
}

// enter gives a register its slot and its place in the file of its width on first use.
func (c *compiler) enter(r *register) {
	if r.slot >= 0 {
		return
	}
	r.slot = c.slots
	c.slots++
	switch {
	case r.kind.kind == 'p':
		r.index = c.predicate()
	case r.kind.bits == 64:
		r.index = c.long()
	default:
		r.index = c.word()
	}
}

func (c *compiler) word() int32 { c.kernel.words++; return int32(c.kernel.words - 1) }
func (c *compiler) long() int32 { c.kernel.longs++; return int32(c.kernel.longs - 1) }
func (c *compiler) predicate() int32 {
	c.kernel.predicates++
	return int32(c.kernel.predicates - 1)
}

// operands checks the number of operands.
func (c *compiler) operands(least, most int) error {
	if n := len(c.statement.operands); n < least || n > most {
		if least == most {
			return fmt.Errorf("needs %d operands, has %d", least, n)
		}
		return fmt.Errorf("needs %d to %d operands, has %d", least, most, n)
	}
	return nil
}

// destination gives the place of a register that the instruction writes; "_" is a place that nobody reads. A relaxed
// destination (ld, cvt) may be wider than the type.
func (c *compiler) destination(o operand, t dataType, relaxed bool) (index int32, kind dataType, err error) {
	if o.kind != operandName || o.offset != 0 || o.negated {
		return 0, t, fmt.Errorf("the destination must be a register")
	}
	if o.name == "_" {
		switch {
		case t.kind == 'p':
			return c.predicate(), t, nil
		case t.bits == 64:
			return c.long(), t, nil
		}
		return c.word(), t, nil
	}
	r := c.statement.scope.register(o.name)
	if r == nil {
		return 0, t, fmt.Errorf("unknown register %s", o.name)
	}
	if err := fits(r, t, relaxed); err != nil {
		return 0, t, err
	}
	c.enter(r)
	c.in.defines = append(c.in.defines, r.slot)
	return r.index, r.kind, nil
}

func fits(r *register, t dataType, relaxed bool) error {
	if (r.kind.kind == 'p') != (t.kind == 'p') || r.kind.bits < t.bits || !relaxed && r.kind.bits != t.bits {
		return fmt.Errorf("register %s is %v, the instruction needs %v", r.name, r.kind, t)
	}
	return nil
}

// source gives the place of an operand's value in the file of t's width (32 for 8 and 16 bits).
func (c *compiler) source(o operand, t dataType) (int32, error) { return c.sourceOf(o, t, false) }

func (c *compiler) sourceOf(o operand, t dataType, relaxed bool) (int32, error) {
	switch o.kind {
	case operandInteger:
		if t.float() || t.kind == 'p' {
			return 0, fmt.Errorf("an integer is no operand of type %v", t)
		}
		return c.constant(o.value, t.bits), nil
	case operandFloat:
		if t.integer() || t.bits < 32 {
			return 0, fmt.Errorf("a float is no operand of type %v", t)
		}
		return c.constant(convertFloatBits(o.value, o.bits, t.bits), t.bits), nil
	case operandName:
		if r := c.statement.scope.register(o.name); r != nil {
			if o.offset != 0 || o.negated {
				return 0, fmt.Errorf("register %s takes no sign or offset here", o.name)
			}
			if err := fits(r, t, relaxed); err != nil {
				return 0, err
			}
			c.enter(r)
			c.in.uses = append(c.in.uses, r.slot)
			return r.index, nil
		}
		if strings.HasPrefix(o.name, "%") {
			return c.special(o.name, t)
		}
		if o.name == "WARP_SZ" {
			return c.constant(lanes, t.bits), nil
		}
		return 0, fmt.Errorf("unknown operand %s", o.name)
	}
	return 0, fmt.Errorf("an address, vector or pair where a register or a number is needed")
}

// constant gives the place of an immediate value.
func (c *compiler) constant(value uint64, bits int) int32 {
	if bits < 64 {
		value &= 1<<bits - 1
	}
	k := constant{value: value, long: bits == 64}
	index, ok := c.constants[k]
	if !ok {
		if k.long {
			index = c.long()
		} else {
			index = c.word()
		}
		c.constants[k] = index
		c.kernel.constants = append(c.kernel.constants, constant{value, k.long, index})
	}
	return index
}

func (c *compiler) special(name string, t dataType) (int32, error) {
	s, ok := parseSpecial(name)
	if !ok {
		return 0, fmt.Errorf("unknown register %s", name)
	}
	if t.kind == 'f' || t.bits > 32 || t.kind == 'p' {
		return 0, fmt.Errorf("special register %s has 32 bits, the instruction needs %v", name, t)
	}
	index, ok := c.specials[s]
	if !ok {
		index = c.word()
		c.specials[s] = index
		c.kernel.specials = append(c.kernel.specials, specialUse{s, index})
	}
	return index, nil
}

// address gives the place of a register-like value that holds the address of a variable.
func (c *compiler) address(v *variable, offset int64, generic, long bool) int32 {
	c.kernel.dynamicShared = c.kernel.dynamicShared || v.dynamic
	use := addressUse{variable: v, offset: offset, generic: generic, long: long}
	index, ok := c.addresses[use]
	if !ok {
		if long {
			index = c.long()
		} else {
			index = c.word()
		}
		c.addresses[use] = index
		use.index = index
		c.kernel.addresses = append(c.kernel.addresses, use)
	}
	return index
}

// predicateSource gives a predicate operand and whether it is inverted.
func (c *compiler) predicateSource(o operand) (int32, bool, error) {
	if o.kind == operandName && o.offset == 0 {
		if r := c.statement.scope.register(o.name); r != nil && r.kind.kind == 'p' {
			c.enter(r)
			c.in.uses = append(c.in.uses, r.slot)
			return r.index, o.negated, nil
		}
	}
	return 0, false, fmt.Errorf("%s is not a predicate register", o.name)
}

// standard compiles "d, a, b, ..." where all operands have the same type.
func (c *compiler) standard(t dataType, sources int) error {
	types := make([]dataType, sources)
	for i := range types {
		types[i] = t
	}
	return c.mixed(t, types...)
}

// mixed compiles "d, a, b, ..." with a type for each operand.
func (c *compiler) mixed(d dataType, sources ...dataType) error {
	if err := c.operands(1+len(sources), 1+len(sources)); err != nil {
		return err
	}
	var err error
	if c.in.dst, _, err = c.destination(c.statement.operands[0], d, false); err != nil {
		return err
	}
	for i, place := range []*int32{&c.in.a, &c.in.b, &c.in.c, &c.in.d}[:len(sources)] {
		if *place, err = c.source(c.statement.operands[1+i], sources[i]); err != nil {
			return err
		}
	}
	return nil
}
