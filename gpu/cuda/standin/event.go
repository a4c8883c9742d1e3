//go:build cuda

package standin

import "C"

import "time"

// event is a point in a stream's work.
type event struct {
	origin
	timing   bool
	recorded bool
	at       mark
	when     time.Time // that it was reached
}

//export standin_cuEventCreate
func standin_cuEventCreate(handle *uintptr, flags uint32) status {
	return driver("cuEventCreate", unsafeCall, func(m *Machine, c *context) status {
		const blockingSync, disableTiming = 1, 2
		if flags&^(blockingSync|disableTiming) != 0 {
			return invalidValue
		}
		*handle = put(m, kindEvent, c, &event{timing: flags&disableTiming == 0})
		return success
	})
}

//export standin_cuEventDestroy_v2
func standin_cuEventDestroy_v2(handle uintptr) status {
	return onEvent("cuEventDestroy_v2", givesBack, handle, func(m *Machine, _ *context, e *event) status {
		m.drop(e)
		return success
	})
}

// onEvent is the frame of a function that works on an event.
func onEvent(name string, r rule, handle uintptr, body func(m *Machine, c *context, e *event) status) status {
	return driver(name, withContext|r, func(m *Machine, c *context) status {
		e, ok := find[*event](m, c, "event", handle)
		if !ok {
			return invalidHandle
		}
		return body(m, c, e)
	})
}

//export standin_cuEventRecord
func standin_cuEventRecord(handle, onto uintptr) status {
	return onEvent("cuEventRecord", 0, handle, func(m *Machine, c *context, e *event) status {
		s, result := c.streamOf(onto)
		if result != success {
			return result
		}
		// A captured event would join streams, which nothing here needs.
		if result := c.capturing(s); result != success {
			return result
		}
		return c.enqueue(s, e.record())
	})
}

//export standin_cuEventRecordWithFlags
func standin_cuEventRecordWithFlags(handle, onto uintptr, flags uint32) status {
	return onEvent("cuEventRecordWithFlags", 0, handle, func(m *Machine, c *context, e *event) status {
		const external = 1 // a node that records the event each time the graph is launched
		s, result := c.streamOf(onto)
		if result != success {
			return result
		}
		if flags != external || s.capture == nil {
			m.violate("flags %d, and the stream captures: %t", flags, s.capture != nil)
			return invalidValue
		}
		return c.enqueue(s, e.record())
	})
}

// record is the work of recording an event.
func (e *event) record() *work {
	return &work{event: e, uses: []object{e}, do: func() status {
		e.when = time.Now()
		return success
	}}
}

//export standin_cuEventSynchronize
func standin_cuEventSynchronize(handle uintptr) status {
	return onEvent("cuEventSynchronize", 0, handle, func(_ *Machine, c *context, e *event) status {
		if !e.recorded {
			return success
		}
		return c.finish(e.at)
	})
}

//export standin_cuStreamWaitEvent
func standin_cuStreamWaitEvent(handle, awaited uintptr, flags uint32) status {
	return onStream("cuStreamWaitEvent", 0, handle, func(m *Machine, c *context, s *stream) status {
		e, ok := find[*event](m, c, "event", awaited)
		if !ok {
			return invalidHandle
		}
		if result := c.capturing(s); result != success || !e.recorded {
			return result
		}
		return c.enqueue(s, &work{after: []mark{e.at}, do: func() status { return success }})
	})
}

func elapsed(name string, milliseconds *float32, from, to uintptr) status {
	return driver(name, withContext, func(m *Machine, c *context) status {
		start, ok1 := find[*event](m, c, "event", from)
		end, ok2 := find[*event](m, c, "event", to)
		switch {
		case !ok1 || !ok2:
			return invalidHandle
		case !start.recorded || !end.recorded || !start.timing || !end.timing:
			m.violate("of an event that was not recorded, or that has no time")
			return invalidHandle
		case !start.at.reached() || !end.at.reached():
			return notReady
		}
		*milliseconds = float32(end.when.Sub(start.when).Seconds() * 1e3)
		return success
	})
}

//export standin_cuEventElapsedTime
func standin_cuEventElapsedTime(milliseconds *float32, from, to uintptr) status {
	return elapsed("cuEventElapsedTime", milliseconds, from, to)
}

//export standin_cuEventElapsedTime_v2
func standin_cuEventElapsedTime_v2(milliseconds *float32, from, to uintptr) status {
	return elapsed("cuEventElapsedTime_v2", milliseconds, from, to)
}
