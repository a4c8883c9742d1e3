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
	local   []byte // thread-local memory, lane after lane

	offsets      [lanes]uint64 // of the current access, within its region
	localWritten []byte
	order        warpOrder
	waiting      barrierWait
}

// start makes the warp ready for a new block.
func (w *warp) start() {
	threads := w.block.launch.threads() - w.index*lanes
	w.present = allLanes
	if threads < lanes {
		w.present = 1<<threads - 1
	}
	w.live, w.state, w.fault = w.present, warpReady, nil
	w.stack = append(w.stack[:0], entry{0, -1, w.present})
	clear(w.defined)
	clear(w.localWritten)
	w.order = warpOrder{}
	w.fillSpecials(false)
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
			counters.Branches++
			switch mask {
			case 0:
				top.pc++
			case top.mask:
				top.pc = in.target
			default:
				counters.DivergentBranches++
				top = w.diverge(in, mask)
			}
		case kindIndexed:
			counters.Branches++
			if top = w.branchIndexed(in, mask); w.fault != nil {
				return executed
			}
		case kindExit:
			top.pc++
			w.live &^= mask
			top.mask &^= mask
		case kindBarrier:
			top.pc++
			if w.arrive(in); w.fault != nil || w.state == warpWaiting {
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
// just wait.
func (w *warp) diverge(in *instruction, taken uint32) *entry {
	top := w.rejoin(in)
	rest := top.mask &^ taken
	next := top.pc + 1
	w.fork(in.reconverge, next, rest)
	w.fork(in.reconverge, in.target, taken)
	return w.settle(in.reconverge)
}

// rejoin gives a copy of the top level and takes it from the stack, or leaves it to wait at the reconvergence point.
func (w *warp) rejoin(in *instruction) entry {
	top := w.stack[len(w.stack)-1]
	if in.reconverge == top.reconverge {
		w.stack = w.stack[:len(w.stack)-1]
	} else {
		w.stack[len(w.stack)-1].pc = in.reconverge
	}
	return top
}

// fork puts the lanes of one side on the stack.
func (w *warp) fork(reconverge, pc int32, mask uint32) {
	if mask != 0 && pc != reconverge {
		w.stack = append(w.stack, entry{pc, reconverge, mask})
	}
}

// settle gives the top of the stack after a split. In a drawn order, which of two sides goes first is drawn too.
func (w *warp) settle(reconverge int32) *entry {
	n := len(w.stack)
	random := w.worker.random
	if random != nil && n > 1 && w.stack[n-2].reconverge == reconverge && w.stack[n-1].reconverge == reconverge && random.Uint64()&1 == 1 {
		w.stack[n-2], w.stack[n-1] = w.stack[n-1], w.stack[n-2]
	}
	return &w.stack[n-1]
}

// branchIndexed sends each lane to the target that its index names.
func (w *warp) branchIndexed(in *instruction, mask uint32) *entry {
	index := &w.words[in.a]
	for m := mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m)
		if index[lane] >= uint32(len(in.targets)) {
			w.fail(FaultOutOfBounds, 1<<lane, "index %d of a list of %d branch targets", index[lane], len(in.targets))
			return nil
		}
	}
	top := w.rejoin(in)
	w.fork(in.reconverge, top.pc+1, top.mask&^mask)
	sides := 0
	for rest := mask; rest != 0; {
		target := in.targets[index[bits.TrailingZeros32(rest)]]
		var same uint32
		for m := rest; m != 0; m &= m - 1 {
			if lane := bits.TrailingZeros32(m); in.targets[index[lane]] == target {
				same |= 1 << lane
			}
		}
		w.fork(in.reconverge, target, same)
		rest &^= same
		sides++
	}
	if sides > 1 {
		w.worker.counters.DivergentBranches++
	}
	return w.settle(in.reconverge)
}

// checkRegisters faults if a lane reads a register that it never wrote, and marks what it writes.
func (w *warp) checkRegisters(in *instruction) {
	for i, tracked := range in.checks {
		lacking := w.mask &^ w.defined[tracked]
		if i == 0 && in.guard >= 0 && in.guardChecked {
			lacking = w.active &^ w.defined[tracked]
		}
		if lacking != 0 {
			w.fail(FaultUninitializedRegister, lacking, "")
			return
		}
	}
	for _, tracked := range in.marks {
		w.defined[tracked] |= w.mask
	}
}
