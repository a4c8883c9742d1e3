package ptx

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Races are looked for as ThreadSanitizer and FastTrack do (C. Flanagan and S. Freund, "FastTrack: Efficient and Precise Dynamic
// Race Detection", 2009): each granule of memory remembers its last write and its reads since, each with the place in the order
// of barriers at which it happened. An access races with an earlier one of another thread if one of them writes, they are not
// both atomic, and no barrier lies between. Only order decides, not timing: a race is found
// though the threads did not run at the same moment.

// touch is an access to a granule.
type touch struct {
	block    uint32 // number of the block from 1; 0: none
	interval uint32 // barriers that the block had passed
	epoch    uint32 // bar.warp.syncs that the warp had passed
	line     int32
	thread   uint16 // in the block
	flags    uint8
}

const (
	touchAtomic     = 1 << iota
	touchManyLanes  // reads: other lanes of the warp too, in the same epoch
	touchManyWarps  // reads: other warps of the block too, in the same interval
	touchManyBlocks // reads: other blocks too
)

type cell struct{ write, read touch }

// before tells whether an earlier touch is ordered before the current one of this block. Nothing orders what two blocks do.
func before(earlier, now *touch) bool {
	return earlier.block == now.block && (earlier.thread == now.thread || earlier.interval != now.interval ||
		earlier.thread/lanes == now.thread/lanes && earlier.epoch != now.epoch)
}

// conflict gives the earlier touch that races with a new one, or nil.
func (c *cell) conflict(now *touch, writes bool) *touch {
	if w := &c.write; w.block != 0 && now.flags&w.flags&touchAtomic == 0 && !before(w, now) {
		return w
	}
	r := &c.read
	if !writes || r.block == 0 {
		return nil
	}
	switch {
	case r.flags&touchManyBlocks != 0:
		return r
	case r.block == now.block && r.interval == now.interval && r.flags&touchManyWarps != 0:
		return r
	case r.block == now.block && r.interval == now.interval && r.flags&touchManyLanes != 0:
		if r.thread/lanes != now.thread/lanes || r.epoch == now.epoch {
			return r
		}
	case !before(r, now):
		return r
	}
	return nil
}

// record enters a touch that races with nothing.
func (c *cell) record(now *touch, writes bool) {
	if writes {
		next := *now
		if w := &c.write; w.block == now.block && w.thread == now.thread && w.interval == now.interval {
			next.flags &= w.flags
		}
		c.write = next
		if now.flags&touchAtomic == 0 {
			c.read = touch{}
		}
		return
	}
	r := &c.read
	var flags uint8
	switch {
	case r.block == 0:
	case r.block != now.block || r.flags&touchManyBlocks != 0:
		flags = touchManyBlocks
	case r.interval != now.interval:
	case r.flags&touchManyWarps != 0 || r.thread/lanes != now.thread/lanes:
		flags = touchManyWarps
	case r.epoch != now.epoch:
	case r.thread != now.thread || r.flags&touchManyLanes != 0:
		flags = touchManyLanes
	}
	*r = *now
	r.flags = flags
}

// sharedRaces is the shadow of a block's shared memory; what earlier blocks left in it is told by
// their number.
type sharedRaces struct {
	granule uint64
	cells   []cell
}

func newSharedRaces(k *Kernel, bytes int) sharedRaces {
	s := sharedRaces{granule: 4}
	if k.sharedByBytes {
		s.granule = 1
	}
	s.cells = make([]cell, uint64(bytes)/s.granule+1)
	return s
}

const pageCells = 1024

// page is the shadow of some granules of an allocation, made when they are first touched.
type page struct {
	mutex sync.Mutex
	cells [pageCells]cell
}

// globalRaces is the shadow of global memory for one launch.
type globalRaces struct {
	granule uint64
	pages   [][]atomic.Pointer[page] // by allocation and page
	spare   *sync.Pool               // of pages that earlier launches used
}

func newGlobalRaces(k *Kernel, allocations []*Allocation, spare *sync.Pool) *globalRaces {
	g := &globalRaces{granule: 4, spare: spare, pages: make([][]atomic.Pointer[page], len(allocations))}
	if k.globalByBytes {
		g.granule = 1
	}
	for i, a := range allocations {
		g.pages[i] = make([]atomic.Pointer[page], uint64(len(a.Data))/g.granule/pageCells+1)
	}
	return g
}

func (g *globalRaces) page(allocation int, number uint64) *page {
	place := &g.pages[allocation][number]
	p := place.Load()
	if p == nil {
		fresh, ok := g.spare.Get().(*page)
		if !ok {
			fresh = &page{}
		}
		clear(fresh.cells[:])
		if !place.CompareAndSwap(nil, fresh) {
			g.spare.Put(fresh)
		}
		p = place.Load()
	}
	return p
}

// recycle gives the pages to later launches.
func (g *globalRaces) recycle() {
	for _, pages := range g.pages {
		for i := range pages {
			if p := pages[i].Load(); p != nil {
				g.spare.Put(p)
			}
		}
	}
}

// checkRaces compares the accesses of the group with what the shadow remembers, and enters them.
func (w *warp) checkRaces(in *instruction, r *region, group uint32) {
	m := &in.memory
	now := touch{block: w.block.number, interval: w.block.interval, epoch: w.epoch, line: in.line}
	if m.kind == accessAtomic {
		now.flags = touchAtomic
	}
	global := r.space == spaceGlobal
	granule := w.worker.races.granule
	if global {
		granule = w.worker.run.races.granule
	}
	var held *page
	var heldNumber uint64
	for rest := group; rest != 0; rest &= rest - 1 {
		lane := bits.TrailingZeros32(rest) & 31
		now.thread = uint16(w.index*lanes + lane)
		offset := w.offsets[lane]
		last := (offset + uint64(m.size*m.count) - 1) / granule
		for g := offset / granule; g <= last; g++ {
			var c *cell
			if global {
				if number := g / pageCells; held == nil || number != heldNumber {
					if held != nil {
						held.mutex.Unlock()
					}
					held, heldNumber = w.worker.run.races.page(r.allocation.number, number), number
					held.mutex.Lock()
				}
				c = &held.cells[g%pageCells]
			} else {
				c = &w.worker.races.cells[g]
				if c.write.block != now.block && c.read.block != now.block {
					*c = cell{} // left by an earlier block
				}
			}
			if earlier := c.conflict(&now, m.kind != accessLoad); earlier != nil {
				w.failRace(in, r, lane, g*granule, *earlier, earlier == &c.write)
				rest = 1
				break
			}
			c.record(&now, m.kind != accessLoad)
		}
	}
	if held != nil {
		held.mutex.Unlock()
	}
}

func (w *warp) failRace(in *instruction, r *region, lane int, offset uint64, earlier touch, wrote bool) {
	kind := FaultGlobalRace
	if r.space == spaceShared {
		kind = FaultSharedRace
	}
	verb := "read"
	if wrote {
		verb = "written"
	}
	f := w.failAccess(kind, in, lane, r, offset)
	f.OtherLine = int(earlier.line)
	f.Detail = fmt.Sprintf("%s at line %d by block %d thread %d with no barrier between", verb, earlier.line, earlier.block-1, earlier.thread)
}
