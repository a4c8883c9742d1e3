package ptx

import (
	"fmt"
	"math/bits"
)

// buildAtomic compiles atom and red: integers in global and shared memory. Atomics on floats are refused, because their result
// depends on the order of threads.
func (c *compiler) buildAtomic() error {
	o := c.opcode
	m := &c.in.memory
	*m = access{kind: accessAtomic, count: 1, base: -1, cache: int32(c.kernel.caches)}
	c.kernel.caches++
	c.takeOrdering()
	m.strong = true
	o.take("cta", "cluster", "gpu", "sys")
	m.space = o.space()
	if m.space != spaceGlobal && m.space != spaceShared && m.space != spaceGeneric {
		return fmt.Errorf("%s memory has no atomics", m.space)
	}
	name := o.take("add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec")
	t, err := o.dataType()
	switch {
	case err != nil || name == "":
		return fmt.Errorf("unsupported operation or type")
	case t.float():
		return fmt.Errorf("atomics on floats are not supported: their result depends on the order of threads")
	case t.bits < 32:
		return fmt.Errorf("atomics on %d bits are not supported", t.bits)
	}
	if m.atomic, err = atomicFunction(name, t); err != nil {
		return err
	}
	m.size, m.wide = int32(t.bytes()), t.bits == 64
	operands := c.statement.operands
	if o.base == "atom" {
		if len(operands) == 0 {
			return fmt.Errorf("needs operands")
		}
		if c.in.dst, _, err = c.destination(operands[0], t, false); err != nil {
			return err
		}
		operands = operands[1:]
	}
	want := 2
	if name == "cas" {
		want = 3
	}
	if len(operands) != want {
		return fmt.Errorf("wrong number of operands")
	}
	if err := c.accessAddress(operands[0]); err != nil {
		return err
	}
	if c.in.b, err = c.source(operands[1], t); err != nil {
		return err
	}
	c.in.c = c.in.b
	if name == "cas" {
		if c.in.c, err = c.source(operands[2], t); err != nil {
			return err
		}
	}
	c.in.execute = func(w *warp, in *instruction) { w.perform(in, moveAtomic) }
	return nil
}

// atomicFunction gives what an operation makes of the old value and its operands.
func atomicFunction(name string, t dataType) (func(old, b, c uint64) uint64, error) {
	mask := ^uint64(0) >> (64 - t.bits)
	signed := t.signed()
	less := func(a, b uint64) bool {
		if signed {
			return signExtend(a, t.bits) < signExtend(b, t.bits)
		}
		return a < b
	}
	switch name {
	case "add":
		return func(old, b, _ uint64) uint64 { return (old + b) & mask }, nil
	case "min":
		return func(old, b, _ uint64) uint64 {
			if less(b, old) {
				return b
			}
			return old
		}, nil
	case "max":
		return func(old, b, _ uint64) uint64 {
			if less(old, b) {
				return b
			}
			return old
		}, nil
	case "and":
		return func(old, b, _ uint64) uint64 { return old & b }, nil
	case "or":
		return func(old, b, _ uint64) uint64 { return old | b }, nil
	case "xor":
		return func(old, b, _ uint64) uint64 { return old ^ b }, nil
	case "exch":
		return func(_, b, _ uint64) uint64 { return b }, nil
	case "cas":
		return func(old, b, c uint64) uint64 {
			if old == b {
				return c
			}
			return old
		}, nil
	case "inc":
		return func(old, b, _ uint64) uint64 {
			if old >= b {
				return 0
			}
			return old + 1
		}, nil
	case "dec":
		return func(old, b, _ uint64) uint64 {
			if old == 0 || old > b {
				return b
			}
			return old - 1
		}, nil
	}
	return nil, fmt.Errorf("unsupported operation")
}

// moveAtomic does an atomic lane by lane, in the order of the lanes or a drawn one.
func moveAtomic(w *warp, in *instruction, r *region, group uint32) {
	m := &in.memory
	if r.space != spaceGlobal && r.space != spaceShared {
		w.failAccess(FaultUnsupported, in, bits.TrailingZeros32(group), w.offsets[bits.TrailingZeros32(group)], r, "atomics work on global and shared memory")
		return
	}
	w.worker.counters.Atomics += int64(bits.OnesCount32(group))
	first := 0
	if w.worker.random != nil {
		first = w.worker.random.IntN(lanes)
	}
	for i := range lanes {
		lane := (first + i) % lanes
		if group>>lane&1 == 0 {
			continue
		}
		offset := w.offsets[lane]
		var b, c uint64
		if m.wide {
			b, c = w.longs[in.b][lane], w.longs[in.c][lane]
		} else {
			b, c = uint64(w.words[in.b][lane]), uint64(w.words[in.c][lane])
		}
		old := w.exchange(in, r, offset, b, c)
		switch {
		case in.dst < 0:
		case m.wide:
			w.longs[in.dst][lane] = old
		default:
			w.words[in.dst][lane] = uint32(old)
		}
	}
	if r.written != nil {
		w.markWritten(in, r, group)
	}
}

// exchange replaces one value in memory, alone among the atomics on its address.
func (w *warp) exchange(in *instruction, r *region, offset, b, c uint64) uint64 {
	size := uint64(in.memory.size)
	if r.space == spaceGlobal {
		lock := &w.worker.run.memory.atomics[(r.allocation.Address+offset)/8%atomicLocks]
		lock.Lock()
		defer lock.Unlock()
	}
	old := readElement(r.data[offset:], size, false)
	writeElement(r.data[offset:], size, in.memory.atomic(old, b, c))
	return old
}
