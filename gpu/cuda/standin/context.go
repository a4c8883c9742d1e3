//go:build cuda

package standin

// #include "standin.h"
import "C"

import (
	"diaghess/gpu/emu/ptx"
)

// Kinds of objects.
const (
	kindContext    = "context"
	kindAllocation = "allocation"
	kindPinned     = "pinned buffer"
	kindStream     = "stream"
	kindEvent      = "event"
	kindModule     = "module"
	kindFunction   = "function"
	kindGraph      = "graph"
	kindExec       = "graph exec"
	kindHandle     = "cuDNN handle"
	kindTensor     = "tensor descriptor"
	kindFilter     = "filter descriptor"
	kindProduct    = "convolution descriptor"
	kindPart       = "descriptor of the graph API"
)

// context is a card's primary context: its memory and its streams.
type context struct {
	origin
	machine     *Machine
	card        *card
	retained    int
	memory      *ptx.Memory
	used        uint64
	allocations []*allocation // by address
	pinned      []*pinned
	null        *stream
	streams     []*stream // null first; a destroyed one until its work is done
	captures    []*capture
	profiling   bool
	// broken is what every call returns once a kernel was at fault.
	broken status
}

//export standin_cuDevicePrimaryCtxSetFlags_v2
func standin_cuDevicePrimaryCtxSetFlags_v2(device int32, flags uint32) status {
	return ofCard("cuDevicePrimaryCtxSetFlags_v2", 0, device, func(*Machine, *card) status {
		const known = 0x1f // how to wait, mapped memory, local memory
		if flags&^known != 0 {
			return invalidValue
		}
		return success
	})
}

//export standin_cuDevicePrimaryCtxRetain
func standin_cuDevicePrimaryCtxRetain(handle *uintptr, device int32) status {
	return ofCard("cuDevicePrimaryCtxRetain", 0, device, func(m *Machine, k *card) status {
		if k.context == nil {
			c := &context{machine: m, card: k, memory: ptx.NewMemory(), null: &stream{blocking: true}}
			c.streams = []*stream{c.null}
			put(m, kindContext, nil, c)
			k.context = c
		}
		k.context.retained++
		*handle = k.context.handle
		return success
	})
}

//export standin_cuDevicePrimaryCtxRelease_v2
func standin_cuDevicePrimaryCtxRelease_v2(device int32) status {
	return ofCard("cuDevicePrimaryCtxRelease_v2", givesBack, device, func(m *Machine, k *card) status {
		c := k.context
		if c == nil {
			m.violate("the context of card %d is not retained", device)
			return invalidContext
		}
		if c.retained--; c.retained > 0 {
			return success
		}
		c.finishAll()
		if c.profiling {
			m.violate("the profiler is still at work")
		}
		for _, o := range m.objects {
			if at := o.about(); at.context == c && at.kind != kindFunction {
				m.violate("a %s of call %d is still there", at.kind, at.call)
				m.drop(o)
			}
		}
		m.drop(c)
		k.context = nil
		return success
	})
}

//export standin_cuCtxSetCurrent
func standin_cuCtxSetCurrent(handle uintptr) status {
	return driver("cuCtxSetCurrent", needsInit, func(m *Machine, _ *context) status {
		if handle != 0 {
			if _, ok := find[*context](m, nil, "context", handle); !ok {
				return invalidContext
			}
		}
		C.standin_make_current(C.uintptr_t(handle))
		return success
	})
}

//export standin_cuCtxGetCurrent
func standin_cuCtxGetCurrent(handle *uintptr) status {
	return driver("cuCtxGetCurrent", needsInit, func(*Machine, *context) status {
		*handle = uintptr(C.standin_current())
		return success
	})
}

//export standin_cuCtxSynchronize
func standin_cuCtxSynchronize() status {
	return driver("cuCtxSynchronize", unsafeCall, func(_ *Machine, c *context) status {
		return c.finishAll()
	})
}
