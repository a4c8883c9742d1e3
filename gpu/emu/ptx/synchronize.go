package ptx

import "fmt"

// buildSynchronize compiles barriers and fences (section "Parallel Synchronization and Communication Instructions").
func (c *compiler) buildSynchronize() error {
	o := c.opcode
	switch o.base {
	case "membar", "fence":
		return c.buildFence()
	}
	if o.base == "bar" && o.flag("warp") {
		o.flag("sync")
		if err := c.operands(1, 1); err != nil {
			return err
		}
		var err error
		c.in.a, err = c.source(c.statement.operands[0], dataType{'u', 32})
		c.in.execute = func(w *warp, in *instruction) {
			if w.checkMask(&w.words[in.a]) {
				w.order.epoch++
			}
		}
		return err
	}
	o.flag("cta")
	o.flag("aligned") // a divergent barrier is refused with and without it
	c.in.kind = kindBarrier
	c.in.barrier.count = -1
	switch o.take("sync", "arrive", "red") {
	case "sync":
		return c.barrierOperands(0, 0)
	case "arrive":
		c.in.barrier.arrive = true
		return c.barrierOperands(0, 0)
	case "red":
	default:
		return fmt.Errorf("needs .sync, .arrive or .red")
	}
	d := dataType{'p', 1}
	switch o.take("popc", "and", "or") {
	case "popc":
		c.in.barrier.reduce = reduceCount
		d = dataType{'u', 32}
	case "and":
		c.in.barrier.reduce = reduceAnd
	case "or":
		c.in.barrier.reduce = reduceOr
	default:
		return fmt.Errorf("needs .popc, .and or .or")
	}
	if t, err := o.dataType(); err != nil || t.bits != d.bits {
		return fmt.Errorf("unsupported type")
	}
	if err := c.operands(3, 4); err != nil {
		return err
	}
	operands := c.statement.operands
	var err error
	if c.in.dst, _, err = c.destination(operands[0], d, false); err != nil {
		return err
	}
	if c.in.b, c.in.negated, err = c.predicateSource(operands[len(operands)-1]); err != nil {
		return err
	}
	return c.barrierOperands(1, 1)
}

// barrierOperands compiles "a" or "a, b" between the first and the last operands.
func (c *compiler) barrierOperands(before, after int) error {
	if err := c.operands(before+1+after, before+2+after); err != nil {
		return err
	}
	operands := c.statement.operands[before : len(c.statement.operands)-after]
	u32 := dataType{'u', 32}
	var err error
	if c.in.a, err = c.source(operands[0], u32); err != nil {
		return err
	}
	if len(operands) == 2 {
		c.in.barrier.count, err = c.source(operands[1], u32)
	} else if c.in.barrier.arrive {
		return fmt.Errorf("needs the number of threads")
	}
	return err
}

// buildFence compiles membar and fence. Memory is always consistent here: fences matter to the search for races only, and
// only those that reach beyond the block.
func (c *compiler) buildFence() error {
	o := c.opcode
	o.take("sc", "acq_rel")
	scope := o.take("cta", "cluster", "gl", "gpu", "sys")
	if scope == "" {
		return fmt.Errorf("needs a scope")
	}
	c.in.execute = func(*warp, *instruction) {}
	if scope != "cta" && scope != "cluster" {
		c.kernel.fences = true
		c.in.execute = func(w *warp, _ *instruction) { w.fence() }
	}
	return c.operands(0, 0)
}
