//go:build cuda

package supplement

/*
#include <stdlib.h>
// NVTX is headers alone: it looks for a profiler when it is first used, and does
// nothing where there is none.
#if defined(__has_include) && __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
static void push(const char *name) { nvtxRangePushA(name); }
static void pop(void) { nvtxRangePop(); }
#else
static void push(const char *name) {}
static void pop(void) {}
#endif
*/
import "C"

import "unsafe"

// PushRange begins a named range of a profiler's timeline on the calling thread, within
// the ranges begun before. It needs no context.
func PushRange(name string) {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	C.push(text)
}

// PopRange ends the last range of the calling thread.
func PopRange() { C.pop() }
