package ptx

import "math/bits"

const (
	lanes    = 32
	allLanes = 1<<lanes - 1
)

// entry is a level of the reconvergence stack: lanes that go on from pc and wait when they come to reconverge.
type entry struct {
	pc, reconverge int32
	mask           uint32
}

type warpState uint8

const (
	warpReady warpState = iota
	warpWaiting
	warpDone
)

// warp is 32 threads that run in lockstep. Registers lie lane by lane, so an instruction is a loop over two or three short arrays.
type warp struct {
	words      [][lanes]uint32 // registers up to 32 bits, zero-extended
	longs      [][lanes]uint64
	predicates []uint32 // a bit for each lane
	defined    []uint32 // for each tracked register, the lanes that have written it

	mask    uint32 // lanes that execute the current instruction
	active  uint32 // the same before its guard
	live    uint32 // lanes that have not exited
	present uint32 // lanes that exist
	stack   []entry
	current *instruction
	fault   *Fault
	state   warpState
	index   int // in the block
	block   *block
	worker  *worker

	offsets [lanes]uint64 // of the current access, within its region
	scratch [lanes]uint64 // of the current operation, see target
	epoch   uint32        // bar.warp.syncs passed
}

// start makes the warp ready for a new block.
func (w *warp) start() {
	threads := w.block.launch.Threads - w.index*lanes
	w.present = allLanes
	if threads < lanes {
		w.present = 1<<threads - 1
	}
	w.live, w.state, w.fault = w.present, warpReady, nil
	w.stack = append(w.stack[:0], entry{0, -1, w.present})
	clear(w.defined)
	w.epoch = 0
	for name, index := range w.block.kernel.specials {
		for lane := range lanes {
			w.words[index][lane] = specials[name](w, lane)
		}
	}
}

// run executes up to quantum instructions; it stops early at a barrier, at the end and at a fault.
func (w *warp) run(quantum int) (executed int) {
	code := w.block.kernel.code
	counters := &w.worker.counters
	checkRegisters := w.worker.check >= CheckMemory
	top := &w.stack[len(w.stack)-1]
	for executed < quantum {
		if top.pc == top.reconverge || top.mask == 0 {
			if top = w.pop(); top == nil {
				return executed
			}
			continue
		}
		in := &code[top.pc]
		mask := top.mask
		w.active = mask
		if in.guard >= 0 {
			guard := w.predicates[in.guard]
			if in.guardNegated {
				guard = ^guard
			}
			mask &= guard
		}
		w.mask, w.current = mask, in
		executed++
		counters.ThreadInstructions += int64(bits.OnesCount32(mask))
		if in.tracked && checkRegisters {
			if w.checkRegisters(in); w.fault != nil {
				return executed
			}
		}
		switch in.kind {
		case kindPlain:
			top.pc++
			if mask != 0 {
				in.execute(w, in)
				if w.fault != nil {
					return executed
				}
			}
		case kindBranch:
			switch mask {
			case 0:
				top.pc++
			case top.mask:
				top.pc = in.target
			default:
				counters.DivergentBranches++
				top = w.diverge(in, mask)
			}
		case kindExit:
			top.pc++
			w.live &^= mask
			top.mask &^= mask
		case kindBarrier:
			top.pc++
			if w.arrive(); w.fault != nil || w.state == warpWaiting {
				return executed
			}
		}
	}
	return executed
}

// pop leaves the top level of the stack for the lanes below that are still alive; nil when there are none.
func (w *warp) pop() *entry {
	for len(w.stack) > 1 {
		w.stack = w.stack[:len(w.stack)-1]
		top := &w.stack[len(w.stack)-1]
		if top.mask &= w.live; top.mask != 0 {
			return top
		}
	}
	w.state = warpDone
	return nil
}

// diverge splits the top level at a branch that some of its lanes take. The lanes meet again at the branch's reconvergence
// point: the old top waits there, unless the level below waits at the same place already. Lanes that branch right to that point
// just wait. In a drawn order, which of two sides goes first is drawn too.
func (w *warp) diverge(in *instruction, taken uint32) *entry {
	n := len(w.stack)
	top := w.stack[n-1]
	if in.reconverge == top.reconverge {
		w.stack = w.stack[:n-1]
	} else {
		w.stack[n-1].pc = in.reconverge
	}
	first, second := entry{top.pc + 1, in.reconverge, top.mask &^ taken}, entry{in.target, in.reconverge, taken}
	if random := w.worker.random; random != nil && random.Uint64()&1 == 1 {
		first, second = second, first
	}
	for _, side := range [...]entry{first, second} {
		if side.pc != in.reconverge {
			w.stack = append(w.stack, side)
		}
	}
	return &w.stack[len(w.stack)-1]
}

// checkRegisters faults if a lane reads a register that it never wrote, and marks what it writes.
func (w *warp) checkRegisters(in *instruction) {
	for i, tracked := range in.checks {
		lacking := w.mask &^ w.defined[tracked]
		if i == 0 && in.guard >= 0 && in.guardChecked {
			lacking = w.active &^ w.defined[tracked]
		}
		if lacking != 0 {
			w.fail(FaultUninitializedRegister, bits.TrailingZeros32(lacking), "")
			return
		}
	}
	for _, tracked := range in.marks {
		w.defined[tracked] |= w.mask
	}
}
