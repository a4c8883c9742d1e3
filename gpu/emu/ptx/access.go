package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// region is the piece of memory that some lanes of an access touch.
type region struct {
	space      space
	data       []byte
	written    []byte // nil: all of it is initialized, or that is not checked
	allocation *Allocation
}

// access describes what a memory instruction does; execute reads it.
type access struct {
	space    space
	kind     accessKind
	size     int32  // bytes of one element
	count    int32  // elements of a vector, 1 for a scalar
	signed   bool   // elements are sign-extended
	keep     uint32 // the bits that a sign-extended element keeps in a 16-bit register
	wide     bool   // registers are 64-bit
	longBase bool   // the address register is 64-bit
	base     int32  // address register; -1 for none
	cache    int32  // which of the worker's allocation caches
	offset   uint64
	elements [4]int32 // registers of the elements
	atomic   func(old, b, c uint32) uint32
}

// accessKind is what an access does to memory; kinds above accessLoad write.
type accessKind uint8

const (
	accessLoad accessKind = iota
	accessStore
	accessAtomic
)

func (m *access) bytes() uint64 { return uint64(m.size * m.count) }

// perform does a memory instruction: lanes that touch the same region go together, nearly always all of them.
func (w *warp) perform(in *instruction, move func(w *warp, in *instruction, r *region, group uint32)) {
	w.addresses(in)
	counters := &w.worker.counters
	for rest := w.mask; rest != 0; {
		var r region
		group := w.locate(in, rest, &r)
		if w.fault != nil {
			return
		}
		switch r.space {
		case spaceGlobal:
			counters.GlobalBytes += int64(bits.OnesCount32(group)) * int64(in.memory.bytes())
			counters.GlobalSectors += sectors(&w.offsets, group)
		case spaceShared:
			counters.SharedBankConflicts += bankConflicts(&w.offsets, group, int(in.memory.bytes()))
		}
		if r.written != nil && w.worker.check >= CheckMemory && in.memory.kind != accessStore {
			if w.checkWritten(in, &r, group); w.fault != nil {
				return
			}
		}
		if w.worker.check == CheckFull && r.space != spaceParam {
			if w.checkRaces(in, &r, group); w.fault != nil {
				return
			}
		}
		move(w, in, &r, group)
		rest &^= group
	}
}

// addresses computes the address of every lane, also of those that take no part.
func (w *warp) addresses(in *instruction) {
	offset := in.memory.offset
	switch {
	case in.memory.base < 0:
		for lane := range w.offsets {
			w.offsets[lane] = offset
		}
	case in.memory.longBase:
		base := &w.longs[in.memory.base]
		for lane := range w.offsets {
			w.offsets[lane] = base[lane] + offset
		}
	default:
		base := &w.words[in.memory.base]
		for lane := range w.offsets {
			w.offsets[lane] = uint64(base[lane] + uint32(offset))
		}
	}
}

// locate finds the region of the first lane of rest, the other lanes that touch it too, and makes their addresses offsets in it.
func (w *warp) locate(in *instruction, rest uint32, r *region) (group uint32) {
	r.space = in.memory.space
	var start uint64
	switch r.space {
	case spaceShared:
		r.data, r.written = w.block.shared, w.block.sharedWritten
	case spaceParam:
		r.data = w.block.launch.parameters
	default:
		lane := bits.TrailingZeros32(rest) & 31
		first := w.offsets[lane]
		cached := &w.worker.caches[in.memory.cache]
		if *cached == nil || first-(*cached).Address >= uint64(len((*cached).Data)) {
			if *cached = w.worker.run.memory.find(first); *cached == nil {
				kind, where := w.worker.run.memory.explain(first)
				w.failAccess(kind, in, lane, r, first).Allocation = where
				return 0
			}
		}
		a := *cached
		start, r.data, r.written, r.allocation = a.Address, a.Data, a.written, a
	}
	// Take the lanes whose access lies within the region, and check alignment.
	bytes := in.memory.bytes()
	var odd uint64
	if length := uint64(len(r.data)); length >= bytes {
		limit := length - bytes
		for lane := range w.offsets {
			if offset := w.offsets[lane] - start; offset <= limit && rest>>lane&1 != 0 {
				w.offsets[lane] = offset
				group |= 1 << lane
				odd |= offset
			}
		}
	}
	if first := bits.TrailingZeros32(rest); group>>(first&31)&1 == 0 {
		f := w.failAccess(FaultOutOfBounds, in, first, r, w.offsets[first]-start)
		f.Allocation += fmt.Sprintf(" of %d bytes", len(r.data))
		return 0
	}
	if odd&(bytes-1) != 0 {
		for m := group; m != 0; m &= m - 1 {
			if lane := bits.TrailingZeros32(m); w.offsets[lane]&(bytes-1) != 0 {
				w.failAccess(FaultMisaligned, in, lane, r, w.offsets[lane]).Detail = fmt.Sprintf("must be a multiple of %d", bytes)
				return 0
			}
		}
	}
	return group
}

// failAccess records a fault at a byte of a region.
func (w *warp) failAccess(kind FaultKind, in *instruction, lane int, r *region, offset uint64) *Fault {
	f := w.fail(kind, lane, "")
	f.Space, f.Address, f.Size, f.Allocation = r.space.String(), offset, int(in.memory.bytes()), "a block's memory"
	switch {
	case r.allocation != nil:
		f.Address += r.allocation.Address
		f.Allocation = fmt.Sprintf("byte %d of %s", offset, r.allocation.Name)
	case r.space == spaceParam:
		f.Allocation = "the parameters"
	}
	return f
}

// checkWritten faults if a lane reads a byte that nobody wrote.
func (w *warp) checkWritten(in *instruction, r *region, group uint32) {
	bytes := in.memory.bytes()
	for m := group; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		offset := w.offsets[lane]
		if bytes == 4 && binary.LittleEndian.Uint32(r.written[offset:]) == 0x01010101 {
			continue
		}
		for i, written := range r.written[offset : offset+bytes] {
			if written == 0 {
				w.failAccess(FaultUninitializedMemory, in, lane, r, offset+uint64(i))
				return
			}
		}
	}
}

// moveLoad copies from memory to registers.
func moveLoad(w *warp, in *instruction, r *region, group uint32) {
	data := r.data
	size := uint64(in.memory.size)
	for e, index := range in.memory.elements[:in.memory.count] {
		skip := uint64(e) * size
		if in.memory.wide {
			d := &w.longs[index]
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = readElement(data[w.offsets[lane]+skip:], size, in.memory.signed)
			}
			continue
		}
		d := &w.words[index]
		switch {
		case size == 4 && group == allLanes:
			for lane := range d {
				d[lane] = binary.LittleEndian.Uint32(data[w.offsets[lane]+skip:])
			}
		case size == 4:
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = binary.LittleEndian.Uint32(data[w.offsets[lane]+skip:])
			}
		default:
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = uint32(readElement(data[w.offsets[lane]+skip:], size, in.memory.signed)) & in.memory.keep
			}
		}
	}
}

func readElement(data []byte, size uint64, signed bool) uint64 {
	switch size {
	case 1:
		if signed {
			return uint64(int8(data[0]))
		}
		return uint64(data[0])
	case 2:
		if v := binary.LittleEndian.Uint16(data); signed {
			return uint64(int16(v))
		} else {
			return uint64(v)
		}
	case 4:
		if v := binary.LittleEndian.Uint32(data); signed {
			return uint64(int32(v))
		} else {
			return uint64(v)
		}
	}
	return binary.LittleEndian.Uint64(data)
}

// moveStore copies from registers to memory, lane by lane: where two lanes store to one place, the last stands.
func moveStore(w *warp, in *instruction, r *region, group uint32) {
	size := uint64(in.memory.size)
	for e, index := range in.memory.elements[:in.memory.count] {
		skip := uint64(e) * size
		if in.memory.wide {
			s := &w.longs[index]
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				writeElement(r.data[w.offsets[lane]+skip:], size, s[lane])
			}
			continue
		}
		s := &w.words[index]
		if size == 4 && group == allLanes {
			for lane := range s {
				binary.LittleEndian.PutUint32(r.data[w.offsets[lane]+skip:], s[lane])
			}
			continue
		}
		for m := group; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			writeElement(r.data[w.offsets[lane]+skip:], size, uint64(s[lane]))
		}
	}
	if r.written != nil {
		w.markWritten(in, r, group)
	}
}

func writeElement(data []byte, size, value uint64) {
	switch size {
	case 1:
		data[0] = byte(value)
	case 2:
		binary.LittleEndian.PutUint16(data, uint16(value))
	case 4:
		binary.LittleEndian.PutUint32(data, uint32(value))
	default:
		binary.LittleEndian.PutUint64(data, value)
	}
}

func (w *warp) markWritten(in *instruction, r *region, group uint32) {
	bytes := in.memory.bytes()
	for m := group; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		offset := w.offsets[lane]
		for i := range r.written[offset : offset+bytes] {
			r.written[offset+uint64(i)] = 1
		}
	}
}

// moveAtomic does an atomic lane by lane, in the order of the lanes or a drawn one.
func moveAtomic(w *warp, in *instruction, r *region, group uint32) {
	first := 0
	if w.worker.random != nil {
		first = w.worker.random.IntN(lanes)
	}
	for i := range lanes {
		if lane := (first + i) % lanes; group>>lane&1 == 1 {
			w.words[in.dst][lane] = w.exchange(in, r, lane)
		}
	}
	if r.written != nil {
		w.markWritten(in, r, group)
	}
}

// exchange replaces one word in memory, alone among the atomics on its address, and returns the old one.
func (w *warp) exchange(in *instruction, r *region, lane int) uint32 {
	offset := w.offsets[lane]
	if r.space == spaceGlobal {
		lock := &w.worker.run.memory.atomics[(r.allocation.Address+offset)/8%atomicLocks]
		lock.Lock()
		defer lock.Unlock()
	}
	old := binary.LittleEndian.Uint32(r.data[offset:])
	binary.LittleEndian.PutUint32(r.data[offset:], in.memory.atomic(old, w.words[in.b][lane], w.words[in.c][lane]))
	return old
}

// spaces are those of memory instructions.
var spaces = map[string]space{"global": spaceGlobal, "shared": spaceShared, "param": spaceParam}

// newAccess begins a memory instruction.
func (c *compiler) newAccess(kind accessKind, in string, t dataType) *access {
	m := &c.in.memory
	where, ok := spaces[in]
	if !ok || t.bits < 8 || where == spaceParam && kind != accessLoad {
		c.refuse("%s", refusal(c.statement.opcode))
	}
	*m = access{kind: kind, space: where, count: 1, base: -1, cache: int32(c.kernel.caches), size: int32(t.bytes()), signed: t.signed()}
	c.kernel.caches++
	return m
}

// buildAccess compiles ld and st (section "Data Movement and Conversion Instructions").
func (c *compiler) buildAccess(store bool, modifiers string) {
	parts := strings.Split(modifiers, ".")
	t := types[parts[len(parts)-1]]
	kind, execute := accessLoad, func(w *warp, in *instruction) { w.perform(in, moveLoad) }
	if store {
		kind, execute = accessStore, func(w *warp, in *instruction) { w.perform(in, moveStore) }
	}
	m := c.newAccess(kind, parts[0], t)
	c.in.execute = execute
	middle := strings.TrimPrefix(strings.Join(parts[1:max(1, len(parts)-1)], "."), "nc")
	switch strings.TrimPrefix(middle, ".") {
	case "":
	case "v2":
		m.count = 2
	case "v4":
		m.count = 4
	default:
		c.refuse("%s", refusal(c.statement.opcode))
	}
	if m.bytes() > 16 {
		c.refuse("an access of %d bytes is too wide", m.bytes())
	}
	if m.size < 4 {
		c.kernel.sharedByBytes = c.kernel.sharedByBytes || m.space == spaceShared
		c.kernel.globalByBytes = c.kernel.globalByBytes || m.space == spaceGlobal
	}
	c.operands(2)
	values, address := c.statement.operands[0], c.statement.operands[1]
	if store {
		values, address = address, values
	}
	elements := []operand{values}
	if values.kind == operandList {
		elements = values.elements
	}
	if len(elements) != int(m.count) {
		c.refuse("needs a vector of %d registers", m.count)
	}
	for i, element := range elements {
		kind := t
		if store {
			if m.elements[i] = c.source(element, t, true); c.registers[element.name] != nil {
				kind = c.registers[element.name].kind
			}
		} else {
			m.elements[i], kind = c.destination(element, t, true)
		}
		if i > 0 && m.wide != (kind.bits == 64) {
			c.refuse("the registers of a vector must have the same width")
		}
		m.wide, m.keep = kind.bits == 64, math.MaxUint32
		if kind.bits == 16 {
			m.keep = 0xffff
		}
	}
	c.address(address)
}

// atomics give what an operation makes of the old value and its operands, by operation and type.
var atomics = map[string]func(old, b, c uint32) uint32{
	"add.u32":  func(old, b, _ uint32) uint32 { return old + b },
	"add.s32":  func(old, b, _ uint32) uint32 { return old + b },
	"min.u32":  func(old, b, _ uint32) uint32 { return min(old, b) },
	"max.u32":  func(old, b, _ uint32) uint32 { return max(old, b) },
	"min.s32":  func(old, b, _ uint32) uint32 { return uint32(min(int32(old), int32(b))) },
	"max.s32":  func(old, b, _ uint32) uint32 { return uint32(max(int32(old), int32(b))) },
	"exch.b32": func(_, b, _ uint32) uint32 { return b },
	"cas.b32": func(old, b, c uint32) uint32 {
		if old == b {
			return c
		}
		return old
	},
}

// buildAtomic compiles atom. Atomics on floats are refused, because their result depends on the order of threads.
func (c *compiler) buildAtomic(modifiers string) {
	in, operation, _ := strings.Cut(modifiers, ".")
	t := types["b32"]
	m := c.newAccess(accessAtomic, in, t)
	if m.atomic = atomics[operation]; m.atomic == nil {
		c.refuse("%s", refusal("atom"))
	}
	operands := c.statement.operands
	if len(operands) == 3 {
		operands = append(operands[:3:3], operands[2])
	}
	if len(operands) != 4 || len(c.statement.operands) == 4 != (operation == "cas.b32") {
		c.refuse("wrong number of operands")
	}
	c.in.execute = func(w *warp, in *instruction) { w.perform(in, moveAtomic) }
	c.in.dst, _ = c.destination(operands[0], t, false)
	c.address(operands[1])
	c.in.b, c.in.c = c.source(operands[2], t, false), c.source(operands[3], t, false)
}

// address compiles "[register+offset]" or "[variable+offset]".
func (c *compiler) address(o operand) {
	m := &c.in.memory
	if o.kind != operandAddress {
		c.refuse("needs an address in brackets")
	}
	m.offset = o.value
	v := c.variables[o.name]
	switch r := c.registers[o.name]; {
	case r != nil && (r.kind.bits == 64 || r.kind.bits == 32 && m.space == spaceShared) && r.kind.kind != 'f':
		m.base, m.longBase = c.use(r), r.kind.bits == 64
	case r != nil:
		c.refuse("register %s of type %v holds no address in %s memory", o.name, r.kind, m.space)
	case v == nil:
		c.refuse("unknown register or variable %s", o.name)
	case v.space != m.space:
		c.refuse("%s is in %s memory", o.name, v.space)
	default:
		m.offset += uint64(v.offset)
	}
}
