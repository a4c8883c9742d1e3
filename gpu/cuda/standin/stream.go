//go:build cuda

package standin

import "C"

import "slices"

// stream is work that is done in order.
type stream struct {
	origin
	blocking     bool // waits for the null stream, and that for it
	queue        []*work
	done, queued int
	capture      *capture // that takes what is queued, or nil
}

// work is a piece of a stream's work. It may be done many times, by a graph.
type work struct {
	after []mark   // what must have been done before it, of other streams
	uses  []object // memory, event
	event *event   // nil, or what records that it was reached
	begin func()   // nil, or what is done first, so that other streams may come between
	do    func() status
}

// mark is the first count pieces of a stream's work.
type mark struct {
	stream *stream
	count  int
}

func (s *stream) end() mark { return mark{s, s.queued} }

func (k mark) reached() bool { return k.stream.done >= k.count }

// enqueue appends work to a stream, or to the graph that it captures.
func (c *context) enqueue(s *stream, w *work) status {
	if s.capture != nil {
		if s.capture.invalid {
			return captureInvalidated
		}
		s.capture.works = append(s.capture.works, w)
		return success
	}
	return c.push(s, w)
}

// push appends work to a stream that does not capture.
func (c *context) push(s *stream, w *work) status {
	if w.begin != nil {
		begin := w.begin
		c.push(s, &work{after: w.after, do: func() status {
			begin()
			return success
		}})
		w.after = nil
	}
	switch {
	case s == c.null:
		for _, other := range c.streams {
			if !other.blocking || other == s {
				continue
			}
			if other.capture != nil {
				c.machine.violate("the null stream would wait for a stream that captures")
				other.capture.invalid = true
				return captureImplicit
			}
			w.after = append(w.after, other.end())
		}
	case s.blocking:
		w.after = append(w.after, c.null.end())
	}
	s.queue = append(s.queue, w)
	s.queued++
	if w.event != nil {
		w.event.recorded, w.event.at = true, s.end()
	}
	return success
}

// finish does what must be done for a mark to be reached.
func (c *context) finish(until mark) status {
	for c.broken == success && !until.reached() {
		s := until.stream
		if r := c.machine.random; r != nil && r.IntN(2) == 0 {
			s = c.streams[r.IntN(len(c.streams))]
		}
		c.step(s)
	}
	return c.broken
}

// finishAll does all work.
func (c *context) finishAll() status {
	for _, s := range slices.Clone(c.streams) {
		c.finish(s.end())
	}
	return c.broken
}

// step does the next piece of work of a stream, or one that this waits for.
func (c *context) step(s *stream) {
	if len(s.queue) == 0 {
		return
	}
	w := s.queue[0]
	for _, k := range w.after {
		if !k.reached() {
			c.step(k.stream)
			return
		}
	}
	s.queue = s.queue[1:]
	result := w.do()
	s.done++
	if result != success {
		c.broken = result
		for _, s := range c.streams {
			s.queue, s.done = nil, s.queued
		}
	}
	if len(s.queue) == 0 && c.machine.objects[s.handle] != s && s != c.null {
		c.streams = slices.DeleteFunc(c.streams, func(other *stream) bool { return other == s })
	}
}

// usedBy returns a stream whose work uses an object, or nil.
func (c *context) usedBy(o object) *stream {
	for _, s := range c.streams {
		for _, w := range s.queue {
			if slices.Contains(w.uses, o) {
				return s
			}
		}
	}
	return nil
}

// streamOf returns the stream of a handle; those of the null stream are 0 and 1.
func (c *context) streamOf(handle uintptr) (*stream, status) {
	if handle <= 1 {
		return c.null, success
	}
	s, ok := find[*stream](c.machine, c, "stream", handle)
	if !ok {
		return nil, invalidHandle
	}
	return s, success
}

// onStream is the frame of a function that works on a stream.
func onStream(name string, r rule, handle uintptr, body func(m *Machine, c *context, s *stream) status) status {
	return driver(name, withContext|r, func(m *Machine, c *context) status {
		s, result := c.streamOf(handle)
		if result != success {
			return result
		}
		return body(m, c, s)
	})
}

//export standin_cuStreamCreate
func standin_cuStreamCreate(handle *uintptr, flags uint32) status {
	return driver("cuStreamCreate", unsafeCall, func(m *Machine, c *context) status {
		const nonBlocking = 1
		if flags&^nonBlocking != 0 {
			return invalidValue
		}
		s := &stream{blocking: flags&nonBlocking == 0}
		*handle = put(m, kindStream, c, s)
		c.streams = append(c.streams, s)
		return success
	})
}

//export standin_cuStreamDestroy_v2
func standin_cuStreamDestroy_v2(handle uintptr) status {
	return onStream("cuStreamDestroy_v2", givesBack, handle, func(m *Machine, c *context, s *stream) status {
		if s == c.null {
			return invalidHandle
		}
		if s.capture != nil {
			m.violate("the stream captures")
			c.endCapture(s)
		}
		m.drop(s)
		if len(s.queue) == 0 {
			c.streams = slices.DeleteFunc(c.streams, func(other *stream) bool { return other == s })
		}
		return success
	})
}

// capturing refuses what a stream cannot do while it captures.
func (c *context) capturing(s *stream) status {
	if s.capture == nil {
		return success
	}
	c.machine.violate("the stream captures")
	s.capture.invalid = true
	return captureUnsupported
}

//export standin_cuStreamSynchronize
func standin_cuStreamSynchronize(handle uintptr) status {
	return onStream("cuStreamSynchronize", 0, handle, func(_ *Machine, c *context, s *stream) status {
		if result := c.capturing(s); result != success {
			return result
		}
		return c.finish(s.end())
	})
}
