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
// both atomic (or volatile), and no barrier or fence lies between. Only order decides, not timing: a race is found
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
	touchStrong     = 1 << iota // atomic, volatile or relaxed
	touchManyLanes              // reads: other lanes of the warp too, in the same epoch
	touchManyWarps              // reads: other warps of the block too, in the same interval
	touchManyBlocks             // reads: other blocks too
)

type cell struct{ write, read touch }

// warpOrder is a warp's place in the order of things.
type warpOrder struct {
	epoch  uint32
	fenced [lanes]uint32 // interval + 1 of the lane's last fence
}

// blockOrder is a block's place in the order of things.
type blockOrder struct {
	interval      uint32
	lastFence     uint32                 // interval + 1 of the last fence of any thread
	previousFence uint32                 // the same, in an earlier interval than lastFence
	serial        uint32                 // counts fences and acquisitions
	fenceSerial   uint32                 // of the last fence
	acquired      map[uint32]acquisition // by block number: what of it happened before
}

// point is a place in the life of a block: all before the interval, and in the interval what the thread did.
type point struct {
	interval uint32
	thread   int32 // -1: none
}

func (p point) covers(t *touch) bool {
	return t.interval < p.interval || t.interval == p.interval && int32(t.thread) == p.thread
}

// acquisition is knowledge of a point of another block, and when it was got: it counts for the thread that got it, for all
// threads after the next barrier, and once a fence has been passed.
type acquisition struct {
	point
	gotInterval uint32
	gotThread   uint16
	serial      uint32
}

// before tells whether an earlier touch is ordered before the current one of this block.
func (b *block) before(earlier, now *touch) bool {
	if earlier.block == now.block {
		return earlier.thread == now.thread || earlier.interval != now.interval ||
			earlier.thread/lanes == now.thread/lanes && earlier.epoch != now.epoch
	}
	a, ok := b.order.acquired[earlier.block]
	return ok && a.covers(earlier) && (now.interval > a.gotInterval || now.thread == a.gotThread) && b.order.fenceSerial > a.serial
}

// conflict gives the earlier touch that races with a new one, or nil.
func (b *block) conflict(c *cell, now *touch, writes bool) *touch {
	strong := now.flags&touchStrong != 0
	if w := &c.write; w.block != 0 && !(strong && w.flags&touchStrong != 0) && !b.before(w, now) {
		return w
	}
	r := &c.read
	if !writes || r.block == 0 || strong && r.flags&touchStrong != 0 {
		return nil
	}
	switch {
	case r.flags&touchManyBlocks != 0:
		if int64(len(b.order.acquired)) < b.launch.blocks()-1 {
			return r
		}
	case r.block == now.block && r.interval == now.interval && r.flags&touchManyWarps != 0:
		return r
	case r.block == now.block && r.interval == now.interval && r.flags&touchManyLanes != 0:
		if r.thread/lanes != now.thread/lanes || r.epoch == now.epoch {
			return r
		}
	case !b.before(r, now):
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
		if now.flags&touchStrong == 0 {
			c.read = touch{}
		}
		return
	}
	r := &c.read
	flags := now.flags & touchStrong
	switch {
	case r.block == 0:
	case r.block != now.block || r.flags&touchManyBlocks != 0:
		flags = flags&r.flags | touchManyBlocks
	case r.interval != now.interval:
	case r.flags&touchManyWarps != 0 || r.thread/lanes != now.thread/lanes:
		flags = flags&r.flags | touchManyWarps
	case r.epoch != now.epoch:
	case r.thread != now.thread || r.flags&touchManyLanes != 0:
		flags = flags&r.flags | touchManyLanes
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

const (
	pageCells = 1024
)

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

	mutex    sync.Mutex                  // held for an access that synchronizes
	released map[uint64]map[uint32]point // by address of an atomic: what came before it
}

func newGlobalRaces(k *Kernel, allocations []*Allocation, spare *sync.Pool) *globalRaces {
	g := &globalRaces{granule: 4, spare: spare, pages: make([][]atomic.Pointer[page], len(allocations)), released: map[uint64]map[uint32]point{}}
	if k.globalBytes {
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

// synchronizes tells whether an access may order what threads of different blocks do.
func (w *warp) synchronizes(in *instruction, r *region) bool {
	return r.space == spaceGlobal && in.memory.strong && w.block.kernel.fences
}

// synchronize checks and does an access that synchronizes, as one: what blocks publish and learn at an address must come in the
// order in which they change it.
func (w *warp) synchronize(in *instruction, r *region, group uint32, move func(w *warp, in *instruction, r *region, group uint32)) {
	g := w.worker.run.races
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if w.checkRaces(in, r, group); w.fault == nil {
		move(w, in, r, group)
	}
}

// checkRaces compares the accesses of the group with what the shadow remembers, and enters them.
func (w *warp) checkRaces(in *instruction, r *region, group uint32) {
	m := &in.memory
	now := touch{block: w.block.number, interval: w.block.order.interval, epoch: w.order.epoch, line: in.line}
	if m.strong {
		now.flags = touchStrong
	}
	global := r.space == spaceGlobal
	granule := w.worker.races.granule
	if global {
		granule = w.worker.run.races.granule
	}
	synchronizes := w.synchronizes(in, r)
	var held *page
	var heldNumber uint64
	for rest := group; rest != 0; rest &= rest - 1 {
		lane := bits.TrailingZeros32(rest) & 31
		now.thread = uint16(w.index*lanes + lane)
		offset := w.offsets[lane]
		if synchronizes && m.kind != accessStore {
			w.acquire(r.allocation.Address+offset, now.thread, m.acquires)
		}
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
			if earlier := w.block.conflict(c, &now, m.kind != accessLoad); earlier != nil {
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
	if synchronizes && m.kind != accessLoad && w.fault == nil {
		for rest := group; rest != 0; rest &= rest - 1 {
			lane := bits.TrailingZeros32(rest)
			w.release(r.allocation.Address+w.offsets[lane], lane, m.releases)
		}
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
	address, where := w.describe(r, offset)
	f := w.failAccess(kind, in, lane, address, r, where)
	f.OtherLine = int(earlier.line)
	grid := w.block.launch.Grid
	number := int(earlier.block) - 1
	other := (&warp{index: int(earlier.thread) / lanes, block: w.block}).thread(int(earlier.thread) % lanes)
	f.Detail = fmt.Sprintf("%s at line %d by block (%d,%d,%d) thread (%d,%d,%d) with no barrier between", verb, earlier.line,
		number%grid[0], number/grid[0]%grid[1], number/grid[0]/grid[1], other[0], other[1], other[2])
}

// fence records a memory fence of the current lanes.
func (w *warp) fence() {
	o := &w.block.order
	if o.lastFence != o.interval+1 {
		o.previousFence, o.lastFence = o.lastFence, o.interval+1
	}
	o.serial++
	o.fenceSerial = o.serial
	for m := w.mask; m != 0; m &= m - 1 {
		w.order.fenced[bits.TrailingZeros32(m)] = o.interval + 1
	}
}

// release publishes at an address what came before an atomic store: all that a fence of the lane, or of the block before its
// last barrier, has made visible, and what the block knows of others.
func (w *warp) release(address uint64, lane int, fenced bool) {
	o := &w.block.order
	p := point{thread: int32(w.index*lanes + lane)}
	switch {
	case fenced || w.order.fenced[lane] == o.interval+1:
		p.interval = o.interval
	case o.lastFence == o.interval+1 && o.previousFence > 0:
		p = point{o.previousFence, -1}
	case o.lastFence != o.interval+1 && o.lastFence > 0:
		p = point{o.lastFence, -1}
	default:
		return
	}
	g := w.worker.run.races
	known := g.released[address]
	if known == nil {
		known = map[uint32]point{}
		g.released[address] = known
	}
	known[w.block.number] = p
	for number, a := range o.acquired {
		if have, ok := known[number]; !ok || have.interval < a.interval {
			known[number] = a.point
		}
	}
}

// acquire learns from an atomic load what was published at its address. Without acquire semantics of its own the load needs a
// fence after it.
func (w *warp) acquire(address uint64, thread uint16, fenced bool) {
	o := &w.block.order
	g := w.worker.run.races
	known := g.released[address]
	if len(known) == 0 {
		return
	}
	if o.acquired == nil {
		o.acquired = map[uint32]acquisition{}
	}
	o.serial++
	got := acquisition{gotInterval: o.interval, gotThread: thread, serial: o.serial}
	if fenced {
		o.fenceSerial, got.serial = o.serial, 0
	}
	for number, p := range known {
		if have, ok := o.acquired[number]; number != w.block.number && (!ok || have.interval < p.interval) {
			got.point = p
			o.acquired[number] = got
		}
	}
}
