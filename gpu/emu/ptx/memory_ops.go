package ptx

import (
	"fmt"
	"strings"
)

// buildMemory compiles ld, ldu, st and the hints that do nothing here (section "Data Movement and Conversion Instructions").
func (c *compiler) buildMemory() error {
	switch c.opcode.base {
	case "prefetch", "prefetchu", "discard", "applypriority":
		c.opcode.modifiers = nil
		c.in.execute = func(*warp, *instruction) {}
		return nil
	}
	store := c.opcode.base == "st"
	if err := c.operands(2, 2); err != nil {
		return err
	}
	values, address := c.statement.operands[0], c.statement.operands[1]
	if store {
		values, address = address, values
	}
	t, err := c.accessModifiers()
	if err != nil {
		return err
	}
	m := &c.in.memory
	if store {
		m.kind = accessStore
		if m.space == spaceConst || m.space == spaceParam {
			return fmt.Errorf("%s memory is read-only", m.space)
		}
	}
	elements := []operand{values}
	if m.count > 1 {
		if values.kind != operandVector || len(values.elements) != int(m.count) {
			return fmt.Errorf("needs a vector of %d registers", m.count)
		}
		elements = values.elements
	}
	for i, element := range elements {
		if err := c.accessElement(i, element, t, store); err != nil {
			return err
		}
	}
	c.in.execute = executeLoad
	if store {
		c.in.execute = executeStore
	}
	return c.accessAddress(address)
}

func executeLoad(w *warp, in *instruction)  { w.perform(in, moveLoad) }
func executeStore(w *warp, in *instruction) { w.perform(in, moveStore) }

// accessElement enters one register of a load or store.
func (c *compiler) accessElement(i int, element operand, t dataType, store bool) (err error) {
	m := &c.in.memory
	kind := t
	if store {
		if r := c.statement.scope.register(element.name); element.kind == operandName && r != nil {
			kind = r.kind
		}
		m.elements[i], err = c.sourceOf(element, t, true)
	} else {
		m.elements[i], kind, err = c.destination(element, t, true)
	}
	if err != nil {
		return err
	}
	wide := kind.bits == 64
	if i > 0 && wide != m.wide {
		return fmt.Errorf("the registers of a vector must have the same width")
	}
	m.wide, m.keep = wide, ^uint32(0)
	if kind.bits == 16 {
		m.keep = 0xffff
	}
	return nil
}

// accessModifiers takes the modifiers of a load or store: ordering, scope, space, cache hints, vector and type.
func (c *compiler) accessModifiers() (dataType, error) {
	o := c.opcode
	m := &c.in.memory
	*m = access{count: 1, base: -1, cache: int32(c.kernel.caches)}
	c.kernel.caches++
	c.takeOrdering()
	o.take("weak")
	o.take("cta", "cluster", "gpu", "sys")
	m.space = o.space()
	o.flag("nc")
	o.take("ca", "cg", "cs", "lu", "cv", "wb", "wt")
	for i, modifier := range o.modifiers {
		if strings.HasPrefix(modifier, "L1::") || strings.HasPrefix(modifier, "L2::") && modifier != "L2::cache_hint" {
			o.modifiers[i] = ""
		}
	}
	switch o.take("v2", "v4") {
	case "v2":
		m.count = 2
	case "v4":
		m.count = 4
	}
	t, err := o.dataType()
	if err != nil || t.kind == 'p' {
		return t, fmt.Errorf("unsupported type")
	}
	m.size, m.signed = int32(t.bytes()), t.signed()
	if m.size*m.count > 16 {
		return t, fmt.Errorf("an access of %d bytes is too wide", m.size*m.count)
	}
	if m.size < 4 {
		c.kernel.sharedByBytes = c.kernel.sharedByBytes || m.space == spaceShared || m.space == spaceGeneric
		c.kernel.globalBytes = c.kernel.globalBytes || m.space == spaceGlobal || m.space == spaceGeneric
	}
	return t, nil
}

// takeOrdering takes the memory ordering of an access.
func (c *compiler) takeOrdering() {
	m := &c.in.memory
	ordering := c.opcode.take("volatile", "relaxed", "acquire", "release", "acq_rel", "mmio")
	m.strong = ordering != ""
	m.acquires = ordering == "acquire" || ordering == "acq_rel"
	m.releases = ordering == "release" || ordering == "acq_rel"
	c.kernel.fences = c.kernel.fences || m.acquires || m.releases
}

// accessAddress compiles "[register+offset]", "[variable+offset]" or "[offset]".
func (c *compiler) accessAddress(o operand) error {
	m := &c.in.memory
	if o.kind != operandAddress {
		return fmt.Errorf("needs an address in brackets")
	}
	m.offset = uint64(o.offset)
	if o.name == "" {
		return nil
	}
	if r := c.statement.scope.register(o.name); r != nil {
		if r.kind.bits != 64 && r.kind.bits != 32 || r.kind.float() {
			return fmt.Errorf("register %s of type %v holds no address", r.name, r.kind)
		}
		if r.kind.bits == 32 && m.space != spaceShared && m.space != spaceLocal && m.space != spaceParam {
			return fmt.Errorf("an address in %s memory has 64 bits, register %s has 32", m.space, r.name)
		}
		c.enter(r)
		c.in.uses = append(c.in.uses, r.slot)
		m.base, m.longBase = r.index, r.kind.bits == 64
		return nil
	}
	v := c.statement.scope.variable(o.name)
	if v == nil {
		return fmt.Errorf("unknown register or variable %s", o.name)
	}
	if m.space != v.space && m.space != spaceGeneric {
		return fmt.Errorf("%s is in %s memory", v.name, v.space)
	}
	m.space = v.space
	if v.space == spaceParam || v.space == spaceShared && !v.dynamic {
		m.offset += uint64(v.offset)
		return nil
	}
	m.base, m.longBase, m.offset = c.address(v, o.offset, false, true), true, 0
	return nil
}
