package ptx

import (
	"fmt"
	"math/bits"
)

// Instructions by which the lanes of a warp exchange values: shfl, vote, match, redux, activemask.

// checkMask faults unless the mask of every active lane names the lane itself and only lanes that are active with it. Lanes
// that have exited may be named: the ISA waits for those that have not.
func (w *warp) checkMask(masks *[lanes]uint32) bool {
	for m := w.mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		mask := masks[lane]
		if mask>>lane&1 == 0 {
			w.fail(FaultWarpMask, 1<<lane, "lane %d executes with mask %#x, which does not name it", lane, mask)
			return false
		}
		if missing := mask & w.live &^ w.mask; missing != 0 {
			w.fail(FaultWarpMask, 1<<lane, "mask %#x names lanes %#x, which are not active here", mask, missing)
			return false
		}
	}
	return true
}

func (c *compiler) buildExchange() error {
	o := c.opcode
	u32 := dataType{'u', 32}
	switch o.base {
	case "activemask":
		o.flag("b32")
		c.in.execute = func(w *warp, in *instruction) {
			d := &w.words[in.dst]
			for m := w.mask; m != 0; m &= m - 1 {
				d[bits.TrailingZeros32(m)&31] = w.mask
			}
		}
		return c.mixed(u32)
	case "shfl":
		return c.buildShuffle()
	case "vote":
		return c.buildVote()
	case "match":
		return c.buildMatch()
	}
	if !o.flag("sync") {
		return fmt.Errorf("needs .sync")
	}
	name := o.take("add", "min", "max", "and", "or", "xor")
	t, err := o.dataType()
	if err != nil || t.bits != 32 || t.float() {
		return fmt.Errorf("unsupported type")
	}
	f, err := atomicFunction(name, t)
	if err != nil {
		return err
	}
	c.in.execute = func(w *warp, in *instruction) {
		d, a, masks := &w.words[in.dst], w.words[in.a], &w.words[in.b]
		if !w.checkMask(masks) {
			return
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			group := masks[lane] & w.mask
			first := bits.TrailingZeros32(group) & 31
			total := uint64(a[first])
			for rest := group &^ (1 << first); rest != 0; rest &= rest - 1 {
				total = f(total, uint64(a[bits.TrailingZeros32(rest)&31]), 0)
			}
			d[lane] = uint32(total)
		}
	}
	return c.mixed(t, t, u32)
}

// buildShuffle compiles shfl.sync; the source lane is the ISA's pseudo code.
func (c *compiler) buildShuffle() error {
	o := c.opcode
	if !o.flag("sync") {
		return fmt.Errorf("needs .sync")
	}
	mode := o.take("up", "down", "bfly", "idx")
	if mode == "" || !o.flag("b32") {
		return fmt.Errorf("needs .up, .down, .bfly or .idx, and .b32")
	}
	if err := c.operands(5, 5); err != nil {
		return err
	}
	operands := c.statement.operands
	u32 := dataType{'u', 32}
	d := operands[0]
	var err error
	if d.kind == operandPair {
		if c.in.dst2, _, err = c.destination(d.elements[1], dataType{'p', 1}, false); err != nil {
			return err
		}
		d = d.elements[0]
	}
	if c.in.dst, _, err = c.destination(d, u32, false); err != nil {
		return err
	}
	for i, place := range []*int32{&c.in.a, &c.in.b, &c.in.c, &c.in.d} {
		if *place, err = c.source(operands[1+i], u32); err != nil {
			return err
		}
	}
	c.in.execute = shuffleOperation(mode)
	return nil
}

func shuffleOperation(mode string) operation {
	// from gives the source lane and whether it lies in the segment.
	var from func(lane, b, clamp, segment uint32) (uint32, bool)
	switch mode {
	case "up":
		from = func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane - b, int32(lane-b) >= int32(lane&segment|clamp&^segment)
		}
	case "down":
		from = func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane + b, lane+b <= lane&segment|clamp&^segment
		}
	case "bfly":
		from = func(lane, b, clamp, segment uint32) (uint32, bool) {
			return lane ^ b, lane^b <= lane&segment|clamp&^segment
		}
	default:
		from = func(lane, b, clamp, segment uint32) (uint32, bool) {
			source := lane&segment | b&^segment
			return source, source <= lane&segment|clamp&^segment
		}
	}
	return func(w *warp, in *instruction) {
		w.worker.counters.Shuffles++
		a, b, control, masks := w.words[in.a], &w.words[in.b], &w.words[in.c], &w.words[in.d]
		if !w.checkMask(masks) {
			return
		}
		var result [lanes]uint32
		var valid uint32
		for m := w.mask; m != 0; m &= m - 1 {
			lane := uint32(bits.TrailingZeros32(m) & 31)
			source, inside := from(lane, b[lane]&31, control[lane]&31, control[lane]>>8&31)
			if inside {
				valid |= 1 << lane
			} else {
				source = lane
			}
			if source &= 31; w.mask>>source&1 == 0 {
				w.fail(FaultWarpMask, 1<<lane, "lane %d reads lane %d, which is not active here", lane, source)
				return
			}
			if masks[lane]>>source&1 == 0 {
				w.fail(FaultWarpMask, 1<<lane, "lane %d reads lane %d, which its mask %#x does not name", lane, source, masks[lane])
				return
			}
			result[lane] = a[source]
		}
		d := &w.words[in.dst]
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			d[lane] = result[lane]
		}
		if in.dst2 >= 0 {
			w.predicates[in.dst2] = w.predicates[in.dst2]&^w.mask | valid
		}
	}
}

// buildVote compiles vote.sync.
func (c *compiler) buildVote() error {
	o := c.opcode
	if !o.flag("sync") {
		return fmt.Errorf("needs .sync")
	}
	mode := o.take("all", "any", "uni", "ballot")
	t, err := o.dataType()
	if err != nil || mode == "" || (mode == "ballot") != t.is('b', 32) || mode != "ballot" && t.kind != 'p' {
		return fmt.Errorf("needs .all.pred, .any.pred, .uni.pred or .ballot.b32")
	}
	if err := c.operands(3, 3); err != nil {
		return err
	}
	operands := c.statement.operands
	if c.in.dst, _, err = c.destination(operands[0], t, false); err != nil {
		return err
	}
	if c.in.a, c.in.negated, err = c.predicateSource(operands[1]); err != nil {
		return err
	}
	if c.in.b, err = c.source(operands[2], dataType{'u', 32}); err != nil {
		return err
	}
	c.in.execute = func(w *warp, in *instruction) {
		masks := &w.words[in.b]
		if !w.checkMask(masks) {
			return
		}
		votes := w.predicates[in.a]
		if in.negated {
			votes = ^votes
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			group := masks[lane] & w.mask
			yes := votes & group
			switch mode {
			case "ballot":
				w.words[in.dst][lane] = yes
			case "all":
				w.setPredicate(in.dst, 1<<lane, yes == group)
			case "any":
				w.setPredicate(in.dst, 1<<lane, yes != 0)
			default:
				w.setPredicate(in.dst, 1<<lane, yes == 0 || yes == group)
			}
		}
	}
	return nil
}

// buildMatch compiles match.any.sync and match.all.sync.
func (c *compiler) buildMatch() error {
	o := c.opcode
	mode, sync := o.take("any", "all"), o.flag("sync")
	t, err := o.dataType()
	if err != nil || mode == "" || !sync || t.float() || t.bits < 32 {
		return fmt.Errorf("needs .any or .all, .sync and .b32 or .b64")
	}
	if err := c.operands(3, 3); err != nil {
		return err
	}
	operands := c.statement.operands
	u32 := dataType{'u', 32}
	d := operands[0]
	if d.kind == operandPair && mode == "all" {
		if c.in.dst2, _, err = c.destination(d.elements[1], dataType{'p', 1}, false); err != nil {
			return err
		}
		d = d.elements[0]
	}
	if c.in.dst, _, err = c.destination(d, u32, false); err != nil {
		return err
	}
	if c.in.a, err = c.source(operands[1], t); err != nil {
		return err
	}
	if c.in.b, err = c.source(operands[2], u32); err != nil {
		return err
	}
	all := mode == "all"
	c.in.execute = matchLanes[uint32](all)
	if t.bits == 64 {
		c.in.execute = matchLanes[uint64](all)
	}
	return nil
}

func matchLanes[T word](all bool) operation {
	return func(w *warp, in *instruction) {
		masks := &w.words[in.b]
		if !w.checkMask(masks) {
			return
		}
		a := *registers[T](w, in.a)
		var result [lanes]uint32
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			group := masks[lane] & w.mask
			var same uint32
			for rest := group; rest != 0; rest &= rest - 1 {
				if other := bits.TrailingZeros32(rest) & 31; a[other] == a[lane] {
					same |= 1 << other
				}
			}
			if all && same != group {
				same = 0
			}
			result[lane] = same
		}
		for m := w.mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			w.words[in.dst][lane] = result[lane]
			if in.dst2 >= 0 {
				w.setPredicate(in.dst2, 1<<lane, result[lane] != 0)
			}
		}
	}
}
