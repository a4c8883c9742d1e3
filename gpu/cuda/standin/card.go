//go:build cuda

package standin

// #include "standin.h"
import "C"

import (
	"unsafe"
)

//export standin_cuInit
func standin_cuInit(flags uint32) status {
	return driver("cuInit", anytime, func(m *Machine, _ *context) status {
		if flags != 0 {
			return invalidValue
		}
		if len(m.cards) == 0 && m.options.Obey {
			return noDevice
		}
		m.ready = true
		return success
	})
}

//export standin_cuDriverGetVersion
func standin_cuDriverGetVersion(version *int32) status {
	return driver("cuDriverGetVersion", anytime, func(m *Machine, _ *context) status {
		*version = int32(m.options.Driver)
		return success
	})
}

// driverStrings and dnnStrings live as long as the process, as the libraries' own.
var driverStrings, dnnStrings = cStrings(driverTexts), cStrings(dnnTexts)

func cStrings(texts map[status]string) map[status]*C.char {
	all := map[status]*C.char{}
	for s, text := range texts {
		all[s] = C.CString(text)
	}
	return all
}

// standin_cuGetErrorString is not counted among the calls: it follows a failure.
//
//export standin_cuGetErrorString
func standin_cuGetErrorString(code status, text **C.char) status {
	*text = driverStrings[code]
	if *text == nil {
		return invalidValue
	}
	return success
}

//export standin_cuDeviceGetCount
func standin_cuDeviceGetCount(count *int32) status {
	return driver("cuDeviceGetCount", needsInit, func(m *Machine, _ *context) status {
		*count = int32(len(m.cards))
		return success
	})
}

// ofCard is the frame of a function of a card.
func ofCard(name string, r rule, number int32, body func(m *Machine, k *card) status) status {
	return driver(name, needsInit|r, func(m *Machine, _ *context) status {
		if number < 0 || int(number) >= len(m.cards) {
			return invalidDevice
		}
		k := m.cards[number]
		if k.strikes(name) {
			m.failed = true
			if r&givesBack != 0 {
				body(m, k)
			}
			return k.Fault.status()
		}
		return body(m, k)
	})
}

//export standin_cuDeviceGet
func standin_cuDeviceGet(device *int32, ordinal int32) status {
	return ofCard("cuDeviceGet", 0, ordinal, func(*Machine, *card) status {
		*device = ordinal
		return success
	})
}

//export standin_cuDeviceGetName
func standin_cuDeviceGetName(name *C.char, size, device int32) status {
	return ofCard("cuDeviceGetName", 0, device, func(_ *Machine, k *card) status {
		fill(name, int(size), k.Name)
		return success
	})
}

// fill writes a text and a zero into a buffer, as far as there is room, and returns
// how many bytes that took.
func fill(to *C.char, size int, text string) int {
	if size <= 0 {
		return 0
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(to)), size)
	n := copy(bytes[:size-1], text)
	bytes[n] = 0
	return n + 1
}

//export standin_cuDeviceTotalMem_v2
func standin_cuDeviceTotalMem_v2(bytes *uintptr, device int32) status {
	return ofCard("cuDeviceTotalMem_v2", 0, device, func(_ *Machine, k *card) status {
		*bytes = uintptr(k.Memory)
		return success
	})
}

//export standin_cuDeviceGetAttribute
func standin_cuDeviceGetAttribute(value *int32, attribute, device int32) status {
	return ofCard("cuDeviceGetAttribute", 0, device, func(m *Machine, k *card) status {
		// As cuda.h numbers them, for a card like an H100.
		known := map[int32]int{
			1: 1024, 8: 48 << 10, 10: 32, 13: 1_980_000, 16: 132, 31: 1, 36: 2_619_000, 37: 5120, 38: 50 << 20,
			39: 2048, 41: 1, 75: k.Capability[0], 76: k.Capability[1], 97: 227 << 10,
		}
		v, ok := known[attribute]
		if !ok {
			m.violate("attribute %d is not one that the stand-in knows", attribute)
			return invalidValue
		}
		*value = int32(v)
		return success
	})
}

//export standin_cuProfilerStart
func standin_cuProfilerStart() status {
	return driver("cuProfilerStart", withContext, func(_ *Machine, c *context) status {
		c.profiling = true
		return success
	})
}

//export standin_cuProfilerStop
func standin_cuProfilerStop() status {
	return driver("cuProfilerStop", withContext|givesBack, func(_ *Machine, c *context) status {
		c.profiling = false
		return success
	})
}
