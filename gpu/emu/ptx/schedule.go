package ptx

import (
	"math/bits"
	"math/rand/v2"
)

// block is the block that a worker runs.
type block struct {
	kernel        *Kernel
	launch        *Launch
	number        uint32 // among the launch's blocks, modulo 2^32, from 1
	position      [3]int
	warps         []*warp
	shared        []byte
	sharedWritten []byte
	arrived       [maxBarriers]int // threads that came by bar.arrive
	order         blockOrder
}

// worker runs one block after another on its own set of registers.
type worker struct {
	run      *execution
	check    Check
	block    block
	counters Counters
	caches   []*Allocation // for each memory instruction, the allocation that it touched last
	random   *rand.Rand    // nil in natural order
	spent    int64         // instructions not yet taken from the budget
	races    sharedRaces
}

const (
	turn        = 4096 // instructions of a warp before the next one's turn: warps may wait for each other through memory
	drawnTurn   = 64   // the most in a drawn order
	budgetPiece = 1 << 14
)

func newWorker(e *execution) *worker {
	k := e.kernel
	w := &worker{run: e, check: e.launch.Options.Check, caches: make([]*Allocation, k.caches)}
	if e.launch.Options.Order != 0 {
		w.random = rand.New(rand.NewPCG(e.launch.Options.Order, 2))
	}
	b := &w.block
	b.kernel, b.launch = k, e.launch
	b.shared = make([]byte, k.sharedSize(e.launch.Shared))
	if w.check >= CheckMemory {
		b.sharedWritten = make([]byte, len(b.shared))
	}
	if w.check == CheckFull {
		w.races = newSharedRaces(k, len(b.shared))
	}
	b.warps = make([]*warp, (e.launch.threads()+lanes-1)/lanes)
	for i := range b.warps {
		b.warps[i] = w.newWarp(i)
	}
	return w
}

func (w *worker) newWarp(index int) *warp {
	k := w.block.kernel
	p := &warp{words: make([][lanes]uint32, k.words), longs: make([][lanes]uint64, k.longs), predicates: make([]uint32, k.predicates),
		defined: make([]uint32, k.tracked), local: make([]byte, lanes*k.localBytes), index: index, block: &w.block, worker: w}
	if w.check >= CheckMemory {
		p.localWritten = make([]byte, len(p.local))
	}
	for _, c := range k.constants {
		for lane := range lanes {
			if c.long {
				p.longs[c.index][lane] = c.value
			} else {
				p.words[c.index][lane] = uint32(c.value)
			}
		}
	}
	for _, use := range k.addresses {
		address := w.run.addressOf(use)
		for lane := range lanes {
			if use.long {
				p.longs[use.index][lane] = address
			} else {
				p.words[use.index][lane] = uint32(address)
			}
		}
	}
	p.fillSpecials(true)
	return p
}

// addressOf gives the address of a variable as the kernel sees it.
func (e *execution) addressOf(use addressUse) uint64 {
	v := use.variable
	address := uint64(v.offset)
	if v.dynamic {
		address = uint64(e.kernel.sharedSize(0))
	}
	switch v.space {
	case spaceGlobal, spaceConst:
		address = e.globals[v].Address
	case spaceShared:
		if use.generic {
			address += sharedWindow
		}
	case spaceLocal:
		if use.generic {
			address += localWindow
		}
	case spaceParam:
		if use.generic {
			address += paramWindow
		}
	}
	return address + uint64(use.offset)
}

// dynamicAlign is where dynamic shared memory starts.
const dynamicAlign = 16

// sharedSize gives the size of a block's shared memory: static, then dynamic from an aligned place on.
func (k *Kernel) sharedSize(dynamic int) int {
	if !k.dynamicShared && dynamic == 0 {
		return k.SharedBytes
	}
	return (k.SharedBytes+dynamicAlign-1)&^(dynamicAlign-1) + dynamic
}

// runBlock runs one block to its end; its warps take turns.
func (w *worker) runBlock(number int64) error {
	b := &w.block
	grid := b.launch.Grid
	b.number = uint32(number) + 1
	b.position = [3]int{int(number % int64(grid[0])), int(number / int64(grid[0]) % int64(grid[1])), int(number / int64(grid[0]) / int64(grid[1]))}
	b.arrived = [maxBarriers]int{}
	clear(b.sharedWritten)
	b.order = blockOrder{}
	for _, p := range b.warps {
		p.start()
	}
	for {
		done, ready := 0, 0
		for i := range b.warps {
			p := b.warps[i]
			quantum := turn
			if w.random != nil {
				p = b.warps[w.random.IntN(len(b.warps))]
				quantum = 1 + w.random.IntN(drawnTurn)
			}
			if p.state == warpReady {
				executed := int64(p.run(quantum))
				w.spent += executed
				w.counters.WarpInstructions += executed
				if p.fault != nil {
					return p.fault
				}
				if w.spent >= budgetPiece {
					if err := w.settle(p); err != nil {
						return err
					}
				}
			}
		}
		for _, p := range b.warps {
			switch p.state {
			case warpDone:
				done++
			case warpReady:
				ready++
			}
		}
		if done == len(b.warps) {
			return nil
		}
		if ready == 0 {
			if err := b.release(); err != nil {
				return err
			}
		}
	}
}

// settle takes what was spent from the launch's budget and looks whether the launch was given up.
func (w *worker) settle(p *warp) error {
	left := w.run.budget.Add(-w.spent)
	w.spent = 0
	if err := w.run.context.Err(); err != nil {
		return err
	}
	if w.run.stop.Load() {
		return w.run.failed()
	}
	if left < 0 {
		p.fail(FaultBudget, p.live, "endless loop, or threads that wait for threads that cannot run; Options.Budget raises it")
		return p.fault
	}
	return nil
}

const maxBarriers = 16

// barrierWait is what a warp waits for.
type barrierWait struct {
	in     *instruction
	number uint32
	count  uint32 // threads; 0: all of the block
	lanes  uint32
}

// arrive takes a warp to a block barrier.
func (w *warp) arrive(in *instruction) {
	if w.mask == 0 {
		return
	}
	if w.mask != w.live {
		w.fail(FaultDivergentBarrier, w.mask, "%d of the warp's %d threads are here", bits.OnesCount32(w.mask), bits.OnesCount32(w.live))
		return
	}
	if w.live != w.present && w.worker.check >= CheckMemory {
		w.fail(FaultExitedBarrier, w.mask, "%d threads of this warp have exited", bits.OnesCount32(w.present&^w.live))
		return
	}
	lane := bits.TrailingZeros32(w.mask)
	wait := barrierWait{in: in, number: w.words[in.a][lane], lanes: w.mask}
	if in.barrier.count >= 0 {
		wait.count = w.words[in.barrier.count][lane]
	}
	if wait.number >= maxBarriers || wait.count%lanes != 0 || wait.count > maxBlockThreads || in.barrier.count >= 0 && wait.count == 0 {
		w.fail(FaultUnsupported, w.mask, "barrier %d of %d threads: there are %d, of a multiple of %d threads", wait.number, wait.count, maxBarriers, lanes)
		return
	}
	w.worker.counters.Barriers++
	if in.barrier.arrive {
		w.block.arrived[wait.number] += lanes
		return
	}
	w.waiting = wait
	w.state = warpWaiting
}

// release opens the barriers that have all their threads. It is called when no warp can go on; if that opens nothing, the block hangs.
func (b *block) release() error {
	opened := false
	for number := range uint32(maxBarriers) {
		var waiting []*warp
		for _, p := range b.warps {
			if p.state == warpWaiting && p.waiting.number == number {
				waiting = append(waiting, p)
			}
		}
		if len(waiting) == 0 {
			continue
		}
		first := waiting[0]
		want := int(first.waiting.count)
		if want == 0 {
			want = len(b.warps) * lanes
		}
		exited := b.exited()
		have := len(waiting)*lanes + b.arrived[number]
		if have < want && first.waiting.count == 0 && exited > 0 {
			if have += exited * lanes; have == want && first.worker.check >= CheckMemory {
				first.current = first.waiting.in
				first.fail(FaultExitedBarrier, first.waiting.lanes, "%d warps of the block have exited", exited)
				return first.fault
			}
		}
		if have == want {
			b.open(waiting)
			b.arrived[number] = 0
			opened = true
		}
	}
	if opened {
		b.order.interval++
		return nil
	}
	for _, p := range b.warps {
		if p.state == warpWaiting {
			p.current = p.waiting.in
			return p.fail(FaultDeadlock, p.waiting.lanes, "barrier %d waits for threads that are at other barriers or have exited", p.waiting.number)
		}
	}
	return nil
}

func (b *block) exited() int {
	n := 0
	for _, p := range b.warps {
		if p.state == warpDone {
			n++
		}
	}
	return n
}

// open lets the warps go on, with the barrier's reduction if it has one.
func (b *block) open(waiting []*warp) {
	var count, threads int
	for _, p := range waiting {
		if in := p.waiting.in; in.barrier.reduce != reduceNone {
			value := p.predicates[in.b]
			if in.negated {
				value = ^value
			}
			count += bits.OnesCount32(value & p.waiting.lanes)
			threads += bits.OnesCount32(p.waiting.lanes)
		}
	}
	for _, p := range waiting {
		p.state = warpReady
		in := p.waiting.in
		switch in.barrier.reduce {
		case reduceCount:
			for m := p.waiting.lanes; m != 0; m &= m - 1 {
				p.words[in.dst][bits.TrailingZeros32(m)] = uint32(count)
			}
		case reduceAnd:
			p.setPredicate(in.dst, p.waiting.lanes, count == threads)
		case reduceOr:
			p.setPredicate(in.dst, p.waiting.lanes, count > 0)
		}
	}
}

func (w *warp) setPredicate(index int32, mask uint32, value bool) {
	if value {
		w.predicates[index] |= mask
	} else {
		w.predicates[index] &^= mask
	}
}
