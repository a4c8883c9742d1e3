package ptx

import "fmt"

// buildControl compiles branches and exits (section "Control Flow Instructions").
func (c *compiler) buildControl() error {
	in, operands := c.in, c.statement.operands
	switch c.opcode.base {
	case "ret", "exit":
		c.opcode.flag("uni")
		in.kind = kindExit
		return c.operands(0, 0)
	case "trap":
		in.execute = func(w *warp, in *instruction) {
			w.fail(FaultTrap, w.mask, "the kernel executed a trap")
		}
		return c.operands(0, 0)
	case "bra":
		c.opcode.flag("uni")
		in.kind = kindBranch
		if err := c.operands(1, 1); err != nil {
			return err
		}
		target, err := c.label(operands[0].name)
		in.target = target
		return err
	}
	if !c.opcode.flag("idx") {
		return fmt.Errorf("only brx.idx is supported")
	}
	c.opcode.flag("uni")
	in.kind = kindIndexed
	if err := c.operands(2, 2); err != nil {
		return err
	}
	var err error
	if in.a, err = c.source(operands[0], dataType{'u', 32}); err != nil {
		return err
	}
	names, ok := c.statement.scope.branchTargets(operands[1].name)
	if !ok {
		return fmt.Errorf("%s is not a list of branch targets", operands[1].name)
	}
	for _, name := range names {
		target, err := c.label(name)
		if err != nil {
			return err
		}
		in.targets = append(in.targets, target)
	}
	return nil
}

func (c *compiler) label(name string) (int32, error) {
	at, ok := c.statement.scope.label(name)
	if !ok {
		return 0, fmt.Errorf("unknown label %s", name)
	}
	return int32(at), nil
}
