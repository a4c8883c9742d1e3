//go:build cuda

package standin

// #include "standin.h"
import "C"

import (
	"slices"
	"unsafe"
)

// Modes of a capture: whose calls may not wait or allocate while it lasts.
const (
	captureGlobal      = 0 // all threads'
	captureThreadLocal = 1 // those of the thread that began it
	captureRelaxed     = 2 // nobody's
)

// capture is a graph in the making.
type capture struct {
	stream  *stream
	mode    int32
	thread  uintptr
	invalid bool // a call was refused, so the graph will be too
	works   []*work
}

// graph is captured work, a node each.
type graph struct {
	origin
	works []*work
}

// exec is a graph that can be launched.
type exec struct {
	origin
	works []*work
	last  mark // of its last launch: the next waits for it
}

// forbids returns a capture that does not let a thread wait or allocate, or nil.
func (c *context) forbids(thread uintptr) *capture {
	for _, k := range c.captures {
		if k.mode == captureGlobal || k.mode == captureThreadLocal && k.thread == thread {
			return k
		}
	}
	return nil
}

//export standin_cuStreamBeginCapture_v2
func standin_cuStreamBeginCapture_v2(handle uintptr, mode int32) status {
	return onStream("cuStreamBeginCapture_v2", 0, handle, func(_ *Machine, c *context, s *stream) status {
		if mode < captureGlobal || mode > captureRelaxed || s == c.null {
			return invalidValue
		}
		if result := c.capturing(s); result != success {
			return result
		}
		s.capture = &capture{stream: s, mode: mode, thread: uintptr(C.standin_thread())}
		c.captures = append(c.captures, s.capture)
		return success
	})
}

// endCapture takes a stream out of its capture and returns that.
func (c *context) endCapture(s *stream) *capture {
	k := s.capture
	s.capture = nil
	c.captures = slices.DeleteFunc(c.captures, func(other *capture) bool { return other == k })
	return k
}

//export standin_cuStreamEndCapture
func standin_cuStreamEndCapture(handle uintptr, made *uintptr) status {
	return onStream("cuStreamEndCapture", givesBack, handle, func(m *Machine, c *context, s *stream) status {
		*made = 0
		if s.capture == nil {
			m.violate("the stream does not capture")
			return captureUnmatched
		}
		if s.capture.mode != captureRelaxed && s.capture.thread != uintptr(C.standin_thread()) {
			m.violate("from another thread than the one that began it")
			return captureWrongThread
		}
		k := c.endCapture(s)
		if k.invalid || m.failing || c.broken != success {
			return captureInvalidated
		}
		*made = put(m, kindGraph, c, &graph{works: k.works})
		return success
	})
}

// onGraph is the frame of a function that works on a graph.
func onGraph(name string, r rule, handle uintptr, body func(m *Machine, c *context, g *graph) status) status {
	return driver(name, withContext|r, func(m *Machine, c *context) status {
		g, ok := find[*graph](m, c, "graph", handle)
		if !ok {
			return invalidValue
		}
		return body(m, c, g)
	})
}

//export standin_cuGraphGetNodes
func standin_cuGraphGetNodes(handle uintptr, nodes unsafe.Pointer, count *uintptr) status {
	return onGraph("cuGraphGetNodes", 0, handle, func(m *Machine, _ *context, g *graph) status {
		if nodes != nil {
			m.violate("the stand-in can only count nodes")
			return invalidValue
		}
		*count = uintptr(len(g.works))
		return success
	})
}

//export standin_cuGraphInstantiateWithFlags
func standin_cuGraphInstantiateWithFlags(handle *uintptr, from uintptr, flags uint64) status {
	return onGraph("cuGraphInstantiateWithFlags", noCapture, from, func(m *Machine, c *context, g *graph) status {
		if flags != 0 {
			return invalidValue
		}
		*handle = put(m, kindExec, c, &exec{works: g.works})
		return success
	})
}

//export standin_cuGraphDestroy
func standin_cuGraphDestroy(handle uintptr) status {
	return onGraph("cuGraphDestroy", givesBack, handle, func(m *Machine, _ *context, g *graph) status {
		m.drop(g)
		return success
	})
}

//export standin_cuGraphLaunch
func standin_cuGraphLaunch(handle, onto uintptr) status {
	return onStream("cuGraphLaunch", 0, onto, func(m *Machine, c *context, s *stream) status {
		x, ok := find[*exec](m, c, "graph exec", handle)
		if !ok {
			return invalidHandle
		}
		if result := c.capturing(s); result != success {
			return result
		}
		for i, node := range x.works {
			w := &work{uses: node.uses, event: node.event, begin: node.begin, do: node.do}
			if i == 0 && x.last.stream != nil {
				w.after = []mark{x.last}
			}
			if result := c.enqueue(s, w); result != success {
				return result
			}
		}
		x.last = s.end()
		return success
	})
}

//export standin_cuGraphExecDestroy
func standin_cuGraphExecDestroy(handle uintptr) status {
	return driver("cuGraphExecDestroy", withContext|givesBack, func(m *Machine, c *context) status {
		x, ok := find[*exec](m, c, "graph exec", handle)
		if !ok {
			return invalidHandle
		}
		m.drop(x)
		return success
	})
}
