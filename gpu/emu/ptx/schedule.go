package ptx

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
)

// block is the block that a worker runs.
type block struct {
	kernel        *Kernel
	launch        *Launch
	number        uint32 // from 1
	interval      uint32 // barriers passed
	warps         []*warp
	shared        []byte
	sharedWritten []byte
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
	b.shared = make([]byte, k.sharedBytes)
	if w.check >= CheckMemory {
		b.sharedWritten = make([]byte, len(b.shared))
	}
	if w.check == CheckFull {
		w.races = newSharedRaces(k, len(b.shared))
	}
	b.warps = make([]*warp, (e.launch.Threads+lanes-1)/lanes)
	for i := range b.warps {
		b.warps[i] = w.newWarp(i)
	}
	return w
}

func (w *worker) newWarp(index int) *warp {
	k := w.block.kernel
	p := &warp{words: make([][lanes]uint32, k.words), longs: make([][lanes]uint64, k.longs), predicates: make([]uint32, k.predicates),
		defined: make([]uint32, k.tracked), index: index, block: &w.block, worker: w}
	for _, c := range k.constants {
		switch c.bits {
		case 1:
			p.predicates[c.index] = uint32(c.value)
		case 32:
			for lane := range lanes {
				p.words[c.index][lane] = uint32(c.value)
			}
		default:
			for lane := range lanes {
				p.longs[c.index][lane] = c.value
			}
		}
	}
	return p
}

// runBlock runs one block to its end; its warps take turns.
func (w *worker) runBlock(number int) error {
	b := &w.block
	b.number, b.interval = uint32(number)+1, 0
	clear(b.sharedWritten)
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
			if err := b.release(done); err != nil {
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
		p.fail(FaultBudget, bits.TrailingZeros32(p.live), "endless loop, or threads that wait for threads that cannot run, among %d instructions of warps", cmp.Or(w.run.launch.Options.Budget, defaultBudget))
		return p.fault
	}
	return nil
}

// arrive takes a warp to the block's barrier.
func (w *warp) arrive() {
	if w.mask == 0 {
		return
	}
	lane := bits.TrailingZeros32(w.mask)
	switch {
	case w.mask != w.live:
		w.fail(FaultDivergentBarrier, lane, "%d of the warp's %d threads are here", bits.OnesCount32(w.mask), bits.OnesCount32(w.live))
	case w.live != w.present && w.worker.check >= CheckMemory:
		w.fail(FaultExitedBarrier, lane, "%d threads of this warp have exited", bits.OnesCount32(w.present&^w.live))
	default:
		w.state = warpWaiting
	}
}

// release opens the barrier when all warps wait at it or have exited.
func (b *block) release(exited int) error {
	for _, p := range b.warps {
		if p.state != warpWaiting {
			continue
		}
		if exited > 0 && p.worker.check >= CheckMemory {
			return p.fail(FaultExitedBarrier, bits.TrailingZeros32(p.mask), "%d warps of the block have exited", exited)
		}
		p.state = warpReady
	}
	b.interval++
	return nil
}
