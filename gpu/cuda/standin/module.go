//go:build cuda

package standin

// #include "standin.h"
// #include <string.h>
import "C"

import (
	stdcontext "context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"unsafe"

	"diaghess/gpu/emu/ptx"
)

// module is loaded PTX.
type module struct {
	origin
	parsed    *ptx.Module
	functions map[string]*function
}

// function is a kernel of a module, and no more once that is unloaded.
type function struct {
	origin
	kernel *ptx.Kernel
}

// Options of the compiler: where to write what it has to say of an error, and how
// much room there is, which becomes how much was written.
const (
	errorLog     = 5
	errorLogSize = 6
)

//export standin_cuModuleLoadData
func standin_cuModuleLoadData(handle *uintptr, image *C.char) status {
	return driver("cuModuleLoadData", unsafeCall, func(m *Machine, c *context) status {
		result, _ := c.loadModule(handle, C.GoString(image))
		return result
	})
}

//export standin_cuModuleLoadDataEx
func standin_cuModuleLoadDataEx(handle *uintptr, image *C.char, count uint32, options *int32, values *unsafe.Pointer) status {
	return driver("cuModuleLoadDataEx", unsafeCall, func(m *Machine, c *context) status {
		result, log := c.loadModule(handle, C.GoString(image))
		if count == 0 {
			return result
		}
		var buffer *C.char
		var size *uintptr
		for i, option := range unsafe.Slice(options, count) {
			value := &unsafe.Slice(values, count)[i]
			switch option {
			case errorLog:
				buffer = (*C.char)(*value)
			case errorLogSize:
				size = (*uintptr)(unsafe.Pointer(value)) // a number in a pointer's place
			}
		}
		if buffer != nil && size != nil {
			*size = uintptr(fill(buffer, int(*size), log))
		}
		return result
	})
}

var (
	versionLine = regexp.MustCompile(`(?m)^\.version (\d+)\.(\d+)`)
	targetLine  = regexp.MustCompile(`(?m)^\.target sm_(\d+)`)
)

// loadModule returns the driver's result and what its compiler says of an error.
func (c *context) loadModule(handle *uintptr, text string) (status, string) {
	m := c.machine
	version, target := versionLine.FindStringSubmatch(text), targetLine.FindStringSubmatch(text)
	if version == nil || target == nil {
		return invalidPTX, "ptxas fatal: Missing .version or .target"
	}
	if newer(version[1], version[2], m.options.PTX) {
		return unsupportedPTX, fmt.Sprintf("ptxas application ptx input, line 1; fatal   : Unsupported .version %s.%s; current version is '%s'", version[1], version[2], m.options.PTX)
	}
	if wanted, _ := strconv.Atoi(target[1]); wanted > 10*c.card.Capability[0]+c.card.Capability[1] {
		return noBinaryForGPU, fmt.Sprintf("ptxas fatal   : SM version specified by .target is higher than default SM version assumed: sm_%d", wanted)
	}
	parsed, ok := m.parsed[text]
	if !ok {
		var err error
		if parsed, err = ptx.Parse("ptx input", []byte(text)); err != nil {
			return invalidPTX, "ptxas application " + err.Error()
		}
		m.parsed[text] = parsed
	}
	*handle = put(m, kindModule, c, &module{parsed: parsed, functions: map[string]*function{}})
	return success, ""
}

// newer reports whether a version is above "MAJOR.MINOR".
func newer(major, minor, than string) bool {
	number := func(major, minor string) int {
		a, _ := strconv.Atoi(major)
		b, _ := strconv.Atoi(minor)
		return 1000*a + b
	}
	parts := versionLine.FindStringSubmatch(".version " + than)
	return number(major, minor) > number(parts[1], parts[2])
}

//export standin_cuModuleUnload
func standin_cuModuleUnload(handle uintptr) status {
	return driver("cuModuleUnload", withContext|noCapture|givesBack, func(m *Machine, c *context) status {
		loaded, ok := find[*module](m, c, "module", handle)
		if !ok {
			return invalidHandle
		}
		c.finishAll()
		for _, f := range loaded.functions {
			m.drop(f)
		}
		m.drop(loaded)
		return success
	})
}

//export standin_cuModuleGetFunction
func standin_cuModuleGetFunction(handle *uintptr, of uintptr, name *C.char) status {
	return driver("cuModuleGetFunction", withContext, func(m *Machine, c *context) status {
		loaded, ok := find[*module](m, c, "module", of)
		if !ok {
			return invalidHandle
		}
		entry := C.GoString(name)
		f, ok := loaded.functions[entry]
		if !ok {
			kernel, err := loaded.parsed.Kernel(entry)
			if err != nil {
				return notFound
			}
			f = &function{kernel: kernel}
			put(m, kindFunction, c, f)
			loaded.functions[entry] = f
		}
		*handle = f.handle
		return success
	})
}

//export standin_cuLaunchKernel
func standin_cuLaunchKernel(of uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, onto uintptr, parameters, extra *unsafe.Pointer) status {
	return onStream("cuLaunchKernel", 0, onto, func(m *Machine, c *context, s *stream) status {
		f, ok := find[*function](m, c, "function", of)
		if !ok {
			return invalidHandle
		}
		switch {
		case gridX == 0 || blockX == 0 || blockX > 1024 || gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1 || shared != 0 || extra != nil:
			m.violate("%s: grid (%d, %d, %d), block (%d, %d, %d), %d bytes of dynamic shared memory", f.kernel.Name, gridX, gridY, gridZ, blockX, blockY, blockZ, shared)
			return invalidValue
		case int(blockX) > f.kernel.MaxThreads:
			m.violate("%s: blocks of %d threads, it allows %d", f.kernel.Name, blockX, f.kernel.MaxThreads)
			return launchOutOfResources
		}
		arguments, ok := m.arguments(f.kernel, parameters)
		if !ok {
			return invalidValue
		}
		launch := ptx.Launch{
			Blocks: int(gridX), Threads: int(blockX), Arguments: arguments,
			Options: ptx.Options{Check: m.options.Check, Workers: m.options.Threads},
		}
		return c.enqueue(s, &work{uses: c.pointedTo(arguments), do: func() status {
			if f.kernel.Name == m.options.Endless {
				for !m.ended {
					m.end.Wait()
				}
				return launchFailed
			}
			_, err := f.kernel.Run(stdcontext.Background(), c.memory, launch)
			return m.outcome(err)
		}})
	})
}

// spare is how many pointers more a block of malloc may have room for than it was
// asked for.
const spare = 4

// arguments copies a kernel's arguments, of which the driver only knows how long
// each is. It is not told how many there are either: the block of malloc that holds
// the pointers must have room for them, and not for many more, and they lie in slots
// of 8 bytes, one behind the other, as cu puts them.
func (m *Machine) arguments(k *ptx.Kernel, parameters *unsafe.Pointer) ([][]byte, bool) {
	n := len(k.Parameters)
	if room := int(C.standin_room(unsafe.Pointer(parameters))); n > room || n < room-spare {
		m.violate("%s has %d parameters, it was given room for %d", k.Name, n, room)
		return nil, false
	}
	pointers := unsafe.Slice(parameters, n)
	arguments := make([][]byte, n)
	for i, p := range k.Parameters {
		if p.Size > 8 || pointers[i] != unsafe.Add(pointers[0], 8*i) {
			m.violate("%s: argument %d is not in the slot behind the one before", k.Name, i)
			return nil, false
		}
		arguments[i] = C.GoBytes(pointers[i], C.int(p.Size))
	}
	return arguments, true
}

// pointedTo returns the allocations that arguments point into.
func (c *context) pointedTo(arguments [][]byte) []object {
	var all []object
	for _, a := range arguments {
		if len(a) == 8 {
			if in := c.allocationAt(*(*uint64)(unsafe.Pointer(&a[0]))); in != nil {
				all = append(all, in)
			}
		}
	}
	return all
}

// outcome is the driver's result of a kernel's end. A fault is a violation too.
func (m *Machine) outcome(err error) status {
	if err == nil {
		return success
	}
	m.violate("%v", err)
	var fault *ptx.Fault
	if errors.As(err, &fault) {
		switch fault.Kind {
		case ptx.FaultOutOfBounds, ptx.FaultUseAfterFree:
			return illegalAddress
		case ptx.FaultMisaligned:
			return misalignedAddress
		}
	}
	return launchFailed
}
