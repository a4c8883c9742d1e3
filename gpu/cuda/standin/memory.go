//go:build cuda

package standin

// #include "standin.h"
// #include <stdlib.h>
import "C"

import (
	"bytes"
	"fmt"
	"slices"
	"unsafe"

	"diaghess/gpu/emu/ptx"
)

// allocation is device memory.
type allocation struct {
	origin
	*ptx.Allocation
}

// pinned is page-locked host memory.
type pinned struct {
	origin
	memory []byte // not Go's
}

// rubbish fills memory that nobody wrote: a NaN as a float32, and a large number as
// an integer.
func rubbish(memory []byte) {
	for i := range memory {
		memory[i] = [4]byte{0x5a, 0x5a, 0xba, 0x7f}[i%4]
	}
}

// allocationAt returns the allocation that holds an address, or nil.
func (c *context) allocationAt(address uint64) *allocation {
	i, found := slices.BinarySearchFunc(c.allocations, address, func(a *allocation, address uint64) int {
		switch {
		case address < a.Address:
			return 1
		case address >= a.Address+uint64(len(a.Data)):
			return -1
		}
		return 0
	})
	if !found {
		return nil
	}
	return c.allocations[i]
}

// window is bytes of device memory.
type window struct {
	in     *allocation
	offset int
	bytes  int
}

func (w window) data() []byte { return w.in.Data[w.offset : w.offset+w.bytes] }

// written says that the bytes have been written.
func (w window) written() { w.in.MarkInitialized(w.offset, w.bytes) }

// window returns bytes of device memory; others are a violation.
func (c *context) window(what string, address uint64, bytes int) (window, bool) {
	a := c.allocationAt(address)
	if a == nil || uint64(bytes) > a.Address+uint64(len(a.Data))-address {
		c.machine.violate("%s: %d bytes at %#x are not in an allocation", what, bytes, address)
		return window{}, false
	}
	return window{a, int(address - a.Address), bytes}, true
}

//export standin_cuMemGetInfo_v2
func standin_cuMemGetInfo_v2(free, total *uintptr) status {
	return driver("cuMemGetInfo_v2", withContext, func(_ *Machine, c *context) status {
		*free, *total = uintptr(c.card.Memory-c.used), uintptr(c.card.Memory)
		return success
	})
}

//export standin_cuMemAlloc_v2
func standin_cuMemAlloc_v2(address *uint64, bytes uintptr) status {
	return driver("cuMemAlloc_v2", unsafeCall, func(m *Machine, c *context) status {
		if bytes == 0 {
			return invalidValue
		}
		if uint64(bytes) > c.card.Memory-c.used {
			return outOfMemory
		}
		memory, err := c.memory.Allocate(fmt.Sprintf("the memory of call %d", len(m.calls)), int(bytes), false)
		if err != nil {
			return outOfMemory
		}
		rubbish(memory.Data)
		a := &allocation{Allocation: memory}
		put(m, kindAllocation, c, a)
		c.allocations = append(c.allocations, a)
		c.used += uint64(bytes)
		c.card.most = max(c.card.most, c.used)
		*address = a.Address
		return success
	})
}

// standin_cuMemFree_v2 waits for all work, as a card does; that work uses the memory
// is a violation all the same, unless a call before was made to fail.
//
//export standin_cuMemFree_v2
func standin_cuMemFree_v2(address uint64) status {
	return driver("cuMemFree_v2", unsafeCall|givesBack, func(m *Machine, c *context) status {
		a := c.allocationAt(address)
		if a == nil || a.Address != address {
			m.violate("no allocation starts at %#x", address)
			return invalidValue
		}
		if c.usedBy(a) != nil && !m.failed {
			m.violate("queued work uses the memory of call %d", a.call)
		}
		c.finishAll()
		if err := c.memory.Free(address); err != nil {
			m.violate("%v", err)
			return invalidValue
		}
		c.allocations = slices.DeleteFunc(c.allocations, func(other *allocation) bool { return other == a })
		c.used -= uint64(len(a.Data))
		m.drop(a)
		return success
	})
}

//export standin_cuMemHostAlloc
func standin_cuMemHostAlloc(to *unsafe.Pointer, bytes uintptr, flags uint32) status {
	return driver("cuMemHostAlloc", unsafeCall, func(m *Machine, c *context) status {
		const portable, mapped, writeCombined = 1, 2, 4
		if bytes == 0 || flags&^(portable|mapped|writeCombined) != 0 {
			return invalidValue
		}
		memory := C.standin_pinned(C.size_t(bytes))
		if memory == nil {
			return outOfMemory
		}
		p := &pinned{memory: unsafe.Slice((*byte)(memory), bytes)}
		rubbish(p.memory)
		put(m, kindPinned, c, p)
		c.pinned = append(c.pinned, p)
		*to = memory
		return success
	})
}

//export standin_cuMemFreeHost
func standin_cuMemFreeHost(at unsafe.Pointer) status {
	return driver("cuMemFreeHost", unsafeCall|givesBack, func(m *Machine, c *context) status {
		p := c.pinnedAt(at, 1)
		if p == nil || unsafe.Pointer(&p.memory[0]) != at {
			m.violate("no pinned memory starts at %p", at)
			return invalidValue
		}
		if c.usedBy(p) != nil && !m.failed {
			m.violate("queued work uses the memory of call %d", p.call)
		}
		c.finishAll()
		c.pinned = slices.DeleteFunc(c.pinned, func(other *pinned) bool { return other == p })
		m.drop(p)
		C.free(at)
		return success
	})
}

// pinnedAt returns the pinned memory that holds bytes of the host, or nil.
func (c *context) pinnedAt(at unsafe.Pointer, bytes int) *pinned {
	for _, p := range c.pinned {
		offset := uintptr(at) - uintptr(unsafe.Pointer(&p.memory[0])) // wraps round before the start
		if offset < uintptr(len(p.memory)) && uintptr(bytes) <= uintptr(len(p.memory))-offset {
			return p
		}
	}
	return nil
}

// copyToDevice queues a copy. What is in pageable memory is read now, what is in
// pinned memory when the copy is done.
func (c *context) copyToDevice(s *stream, to uint64, from unsafe.Pointer, bytes uintptr) status {
	w, ok := c.window("the target", to, int(bytes))
	if !ok {
		return invalidValue
	}
	host := unsafe.Slice((*byte)(from), bytes)
	uses := []object{w.in}
	if p := c.pinnedAt(from, int(bytes)); p != nil {
		uses = append(uses, p)
	} else {
		if s.capture != nil {
			c.machine.violate("a copy of pageable memory in a capture")
			s.capture.invalid = true
			return captureUnsupported
		}
		host = slices.Clone(host)
	}
	return c.enqueue(s, &work{uses: uses, do: func() status {
		copy(w.data(), host)
		w.written()
		return success
	}})
}

// copyToHost queues a copy, and does it at once where the host's memory is pageable.
// Until it is done there is rubbish in pinned memory.
func (c *context) copyToHost(s *stream, to unsafe.Pointer, from uint64, bytes uintptr) status {
	w, ok := c.window("the source", from, int(bytes))
	if !ok {
		return invalidValue
	}
	host := unsafe.Slice((*byte)(to), bytes)
	uses := []object{w.in}
	p := c.pinnedAt(to, int(bytes))
	if p != nil {
		uses = append(uses, p)
		if s.capture == nil {
			rubbish(host)
		}
	} else if result := c.capturing(s); result != success {
		return result
	}
	result := c.enqueue(s, &work{uses: uses, do: func() status {
		copy(host, w.data())
		return success
	}})
	if result == success && p == nil {
		result = c.finish(s.end())
	}
	return result
}

//export standin_cuMemcpyHtoDAsync_v2
func standin_cuMemcpyHtoDAsync_v2(to uint64, from unsafe.Pointer, bytes, onto uintptr) status {
	return onStream("cuMemcpyHtoDAsync_v2", 0, onto, func(_ *Machine, c *context, s *stream) status {
		return c.copyToDevice(s, to, from, bytes)
	})
}

//export standin_cuMemcpyDtoHAsync_v2
func standin_cuMemcpyDtoHAsync_v2(to unsafe.Pointer, from uint64, bytes, onto uintptr) status {
	return onStream("cuMemcpyDtoHAsync_v2", 0, onto, func(_ *Machine, c *context, s *stream) status {
		return c.copyToHost(s, to, from, bytes)
	})
}

// standin_cuMemcpyHtoD_v2 returns when the host's memory has been read; the null
// stream, which streams that do not block never wait for, does the rest.
//
//export standin_cuMemcpyHtoD_v2
func standin_cuMemcpyHtoD_v2(to uint64, from unsafe.Pointer, bytes uintptr) status {
	return driver("cuMemcpyHtoD_v2", unsafeCall, func(_ *Machine, c *context) status {
		result := c.copyToDevice(c.null, to, from, bytes)
		if result == success && c.pinnedAt(from, int(bytes)) != nil {
			result = c.finish(c.null.end())
		}
		return result
	})
}

//export standin_cuMemcpyDtoH_v2
func standin_cuMemcpyDtoH_v2(to unsafe.Pointer, from uint64, bytes uintptr) status {
	return driver("cuMemcpyDtoH_v2", unsafeCall, func(_ *Machine, c *context) status {
		result := c.copyToHost(c.null, to, from, bytes)
		if result == success {
			result = c.finish(c.null.end())
		}
		return result
	})
}

// standin_cuMemsetD8Async queues that bytes are written. The host never waits for that.
//
//export standin_cuMemsetD8Async
func standin_cuMemsetD8Async(to uint64, value uint8, count, onto uintptr) status {
	return onStream("cuMemsetD8Async", 0, onto, func(_ *Machine, c *context, s *stream) status {
		w, ok := c.window("the target", to, int(count))
		if !ok {
			return invalidValue
		}
		return c.enqueue(s, &work{uses: []object{w.in}, do: func() status {
			copy(w.data(), bytes.Repeat([]byte{value}, int(count)))
			w.written()
			return success
		}})
	})
}
