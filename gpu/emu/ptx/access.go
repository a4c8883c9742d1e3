package ptx

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// region is the piece of memory that some lanes of an access touch.
type region struct {
	space      space
	data       []byte
	written    []byte // nil: all of it is initialized, or that is not checked
	allocation *Allocation
}

// perform does a memory instruction: lanes that touch the same region go together, nearly always all of them.
func (w *warp) perform(in *instruction, move func(w *warp, in *instruction, r *region, group uint32)) {
	w.addresses(in)
	counters := &w.worker.counters
	for rest := w.mask; rest != 0; {
		var r region
		group := w.locate(in, rest, &r)
		if w.fault != nil {
			return
		}
		bytes := int64(bits.OnesCount32(group)) * int64(in.memory.size*in.memory.count)
		switch r.space {
		case spaceGlobal:
			touched := sectors(&w.offsets, group)
			if in.memory.kind == accessLoad {
				counters.GlobalLoadBytes += bytes
				counters.GlobalLoadSectors += touched
			} else {
				counters.GlobalStoreBytes += bytes
				counters.GlobalStoreSectors += touched
			}
			if rest == w.mask {
				counters.GlobalRequests++
			}
		case spaceShared:
			counters.SharedRequests++
			counters.SharedBankConflicts += bankConflicts(&w.offsets, group, int(in.memory.size*in.memory.count))
		case spaceLocal:
			counters.LocalBytes += bytes
		}
		if r.written != nil && w.worker.check >= CheckMemory && in.memory.kind != accessStore {
			if w.checkWritten(in, &r, group); w.fault != nil {
				return
			}
		}
		switch {
		case w.worker.check != CheckFull || r.space != spaceGlobal && r.space != spaceShared:
			move(w, in, &r, group)
		case w.synchronizes(in, &r):
			w.synchronize(in, &r, group, move)
		default:
			if w.checkRaces(in, &r, group); w.fault == nil {
				move(w, in, &r, group)
			}
		}
		if w.fault != nil {
			return
		}
		rest &^= group
	}
}

// addresses computes the address of every lane, also of those that take no part.
func (w *warp) addresses(in *instruction) {
	offset := in.memory.offset
	switch {
	case in.memory.base < 0:
		for lane := range w.offsets {
			w.offsets[lane] = offset
		}
	case in.memory.longBase:
		base := &w.longs[in.memory.base]
		for lane := range w.offsets {
			w.offsets[lane] = base[lane] + offset
		}
	default:
		base := &w.words[in.memory.base]
		for lane := range w.offsets {
			w.offsets[lane] = uint64(base[lane] + uint32(offset))
		}
	}
}

// locate finds the region of the first lane of rest, the other lanes that touch it too, and makes their addresses offsets in it.
func (w *warp) locate(in *instruction, rest uint32, r *region) (group uint32) {
	first := w.offsets[bits.TrailingZeros32(rest)&31]
	r.space = in.memory.space
	var window uint64
	if r.space == spaceGeneric {
		switch first >> 32 {
		case sharedWindow >> 32:
			r.space, window = spaceShared, sharedWindow
		case localWindow >> 32:
			r.space, window = spaceLocal, localWindow
		case paramWindow >> 32:
			r.space, window = spaceParam, paramWindow
		default:
			r.space = spaceGlobal
		}
	}
	switch r.space {
	case spaceShared:
		r.data, r.written = w.block.shared, w.block.sharedWritten
	case spaceParam:
		r.data = w.block.launch.parameters
		if in.memory.kind != accessLoad {
			w.failAccess(FaultReadOnly, in, bits.TrailingZeros32(rest), first-window, r, "kernel parameters")
			return 0
		}
	case spaceLocal:
		return w.locateLocal(in, rest, r, window)
	default:
		cached := &w.worker.caches[in.memory.cache]
		if *cached == nil || first-(*cached).Address >= uint64(len((*cached).Data)) {
			if *cached = w.worker.run.memory.find(first); *cached == nil {
				kind, where := w.worker.run.memory.explain(first)
				w.failAccess(kind, in, bits.TrailingZeros32(rest), first, r, where)
				return 0
			}
		}
		a := *cached
		window, r.data, r.written, r.allocation = a.Address, a.Data, a.written, a
	}
	return w.fit(in, rest, r, window)
}

// fit takes the lanes whose access lies within the region, and checks alignment.
func (w *warp) fit(in *instruction, rest uint32, r *region, start uint64) (group uint32) {
	bytes := uint64(in.memory.size * in.memory.count)
	var odd uint64
	if length := uint64(len(r.data)); length >= bytes {
		limit := length - bytes
		for lane := range w.offsets {
			if offset := w.offsets[lane] - start; offset <= limit && rest>>lane&1 != 0 {
				w.offsets[lane] = offset
				group |= 1 << lane
				odd |= offset
			}
		}
	}
	if first := bits.TrailingZeros32(rest); group>>(first&31)&1 == 0 {
		where := fmt.Sprintf("there are %d bytes", len(r.data))
		if r.allocation != nil {
			where = fmt.Sprintf("byte %d of %s, which has %d", w.offsets[first]-start, r.allocation.Name, len(r.data))
		}
		w.failAccess(FaultOutOfBounds, in, first, w.offsets[first], r, where)
		return 0
	}
	if odd&(bytes-1) != 0 {
		for m := group; m != 0; m &= m - 1 {
			if lane := bits.TrailingZeros32(m); w.offsets[lane]&(bytes-1) != 0 {
				w.failAccess(FaultMisaligned, in, lane, w.offsets[lane]+start, r, fmt.Sprintf("must be a multiple of %d", bytes))
				return 0
			}
		}
	}
	return group
}

// locateLocal places each lane's address in its own part of the warp's local memory.
func (w *warp) locateLocal(in *instruction, rest uint32, r *region, window uint64) uint32 {
	r.data, r.written = w.local, w.localWritten
	bytes := uint64(in.memory.size * in.memory.count)
	size := uint64(w.block.kernel.localBytes)
	var group uint32
	for m := rest; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m)
		offset := w.offsets[lane] - window
		if in.memory.space == spaceGeneric && w.offsets[lane]>>32 != localWindow>>32 {
			continue
		}
		if size < bytes || offset > size-bytes {
			w.failAccess(FaultOutOfBounds, in, lane, offset, r, fmt.Sprintf("a thread has %d bytes", size))
			return 0
		}
		if offset&(bytes-1) != 0 {
			w.failAccess(FaultMisaligned, in, lane, offset, r, fmt.Sprintf("must be a multiple of %d", bytes))
			return 0
		}
		w.offsets[lane] = uint64(lane)*size + offset
		group |= 1 << lane
	}
	return group
}

func (w *warp) failAccess(kind FaultKind, in *instruction, lane int, address uint64, r *region, where string) *Fault {
	f := w.fail(kind, 1<<lane, "")
	f.Space, f.Address, f.Size, f.Allocation = r.space.String(), address, int(in.memory.size*in.memory.count), where
	return f
}

// describe names a byte of a region and gives its address.
func (w *warp) describe(r *region, offset uint64) (address uint64, where string) {
	switch {
	case r.allocation != nil:
		return r.allocation.Address + offset, fmt.Sprintf("byte %d of %s", offset, r.allocation.Name)
	case r.space == spaceLocal:
		offset %= uint64(w.block.kernel.localBytes)
	}
	return offset, ""
}

// checkWritten faults if a lane reads a byte that nobody wrote.
func (w *warp) checkWritten(in *instruction, r *region, group uint32) {
	bytes := uint64(in.memory.size * in.memory.count)
	for m := group; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		offset := w.offsets[lane]
		if bytes == 4 && binary.LittleEndian.Uint32(r.written[offset:]) == 0x01010101 {
			continue
		}
		for i, written := range r.written[offset : offset+bytes] {
			if written == 0 {
				address, where := w.describe(r, offset+uint64(i))
				w.failAccess(FaultUninitializedMemory, in, lane, address, r, where)
				return
			}
		}
	}
}

// moveLoad copies from memory to registers.
func moveLoad(w *warp, in *instruction, r *region, group uint32) {
	data := r.data
	size := uint64(in.memory.size)
	for e, index := range in.memory.elements[:in.memory.count] {
		skip := uint64(e) * size
		if in.memory.wide {
			d := &w.longs[index]
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = readElement(data[w.offsets[lane]+skip:], size, in.memory.signed)
			}
			continue
		}
		d := &w.words[index]
		switch {
		case size == 4 && group == allLanes:
			for lane := range d {
				d[lane] = binary.LittleEndian.Uint32(data[w.offsets[lane]+skip:])
			}
		case size == 4:
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = binary.LittleEndian.Uint32(data[w.offsets[lane]+skip:])
			}
		default:
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				d[lane] = uint32(readElement(data[w.offsets[lane]+skip:], size, in.memory.signed)) & in.memory.keep
			}
		}
	}
}

func readElement(data []byte, size uint64, signed bool) uint64 {
	switch size {
	case 1:
		if signed {
			return uint64(int8(data[0]))
		}
		return uint64(data[0])
	case 2:
		if v := binary.LittleEndian.Uint16(data); signed {
			return uint64(int16(v))
		} else {
			return uint64(v)
		}
	case 4:
		if v := binary.LittleEndian.Uint32(data); signed {
			return uint64(int32(v))
		} else {
			return uint64(v)
		}
	}
	return binary.LittleEndian.Uint64(data)
}

// moveStore copies from registers to memory, lane by lane: where two lanes store to one place, the last stands.
func moveStore(w *warp, in *instruction, r *region, group uint32) {
	size := uint64(in.memory.size)
	for e, index := range in.memory.elements[:in.memory.count] {
		skip := uint64(e) * size
		if in.memory.wide {
			s := &w.longs[index]
			for m := group; m != 0; m &= m - 1 {
				lane := bits.TrailingZeros32(m) & 31
				writeElement(r.data[w.offsets[lane]+skip:], size, s[lane])
			}
			continue
		}
		s := &w.words[index]
		if size == 4 && group == allLanes {
			for lane := range s {
				binary.LittleEndian.PutUint32(r.data[w.offsets[lane]+skip:], s[lane])
			}
			continue
		}
		for m := group; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m) & 31
			writeElement(r.data[w.offsets[lane]+skip:], size, uint64(s[lane]))
		}
	}
	if r.written != nil {
		w.markWritten(in, r, group)
	}
}

func writeElement(data []byte, size, value uint64) {
	switch size {
	case 1:
		data[0] = byte(value)
	case 2:
		binary.LittleEndian.PutUint16(data, uint16(value))
	case 4:
		binary.LittleEndian.PutUint32(data, uint32(value))
	default:
		binary.LittleEndian.PutUint64(data, value)
	}
}

func (w *warp) markWritten(in *instruction, r *region, group uint32) {
	bytes := uint64(in.memory.size * in.memory.count)
	for m := group; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		offset := w.offsets[lane]
		for i := range r.written[offset : offset+bytes] {
			r.written[offset+uint64(i)] = 1
		}
	}
}
