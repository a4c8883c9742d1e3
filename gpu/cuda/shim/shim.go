//go:build cuda

package shim

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// opening guards the tables in C, which belong to the process as the libraries do.
var opening sync.Mutex

// Driver opens the CUDA driver. It returns an error where there is none, or it has
// no device.
func Driver() error {
	if problem := open(C.SHIM_DRIVER); problem != "" {
		return fmt.Errorf("no usable CUDA driver: %s (install NVIDIA's driver, or name its libcuda.so.1 in CUDA_DRIVER_LIB)", problem)
	}
	code := int(C.shim_init())
	if code == 0 {
		return nil
	}
	problem := fmt.Sprintf("cuInit: error %d: %s", code, Text(code))
	if advice := Advice(code); advice != "" {
		problem = fmt.Sprintf("%s (%s)", advice, problem)
	}
	return fmt.Errorf("no usable CUDA driver: %s", problem)
}

// CuDNN opens cuDNN. It returns an error where there is none, a part of it is missing,
// or it has another major version than the headers that the program was built with.
func CuDNN() error {
	if problem := open(C.SHIM_CUDNN); problem != "" {
		return fmt.Errorf("no usable cuDNN: %s (install all of cuDNN, or name its libcudnn.so or the folder of that in CUDNN_LIB)", problem)
	}
	return nil
}

// open opens a library and returns what is wrong with it.
func open(library C.int) string {
	opening.Lock()
	defer opening.Unlock()
	if problem := C.shim_open(library); problem != nil {
		return C.GoString(problem)
	}
	return ""
}

// Set puts a C function behind a name of the driver or cuDNN, and counts its
// library as opened. It is for tests, which call [Clear] first.
func Set(name string, function unsafe.Pointer) error {
	opening.Lock()
	defer opening.Unlock()
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	if C.shim_set(text, function) == 0 {
		return errors.New("shim: no function " + name)
	}
	return nil
}

// Clear makes every function refuse, as where neither library is installed. It is
// for tests: what the machine has does not matter after it.
func Clear() { clearAll(0) }

// reset is Clear, after which the libraries are looked for again.
func reset() { clearAll(1) }

func clearAll(again C.int) {
	opening.Lock()
	defer opening.Unlock()
	C.shim_clear(again)
}
