//go:build cuda

package supplement

/*
#include <cuda.h>
#include <cudnn.h>

static void cudnnText(char *text, size_t size) {
  text[0] = 0;
#if CUDNN_MAJOR >= 9
  cudnnGetLastErrorString(text, size);
#endif
}
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu/cuda/shim"
)

// Error is a call of the driver or cuDNN that failed.
type Error struct {
	Call    string // what was called
	Library string // "CUDA" or "cuDNN"
	Code    int    // CUresult or cudnnStatus_t
	Text    string // the library's
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s error %d: %s", e.Call, e.Library, e.Code, e.Text)
	if advice := e.Advice(); advice != "" {
		text += " (" + advice + ")"
	}
	return text
}

// Fault says that the card is at fault, see [diaghess/gpu.IsFault]. Whatever the driver or
// cuDNN refuses is: the program asks every card for the same. Want of memory is not.
func (e *Error) Fault() bool { return !IsOutOfMemory(e) }

// Numbers of CUresult.
const (
	outOfMemory    = 2
	uncorrectable  = 214
	illegalAddress = 700
	lastSticky     = 719
)

// lost says that the device's context is beyond repair: whatever is called, the
// driver answers with the same error until the process ends.
func (e *Error) lost() bool {
	if e.Library != "CUDA" {
		return false
	}
	switch e.Code {
	case uncorrectable, illegalAddress, 702, 710, 714, 715, 716, 717, 718, lastSticky:
		return true
	}
	return false
}

// Advice says what the user can do, "" where that is not known.
func (e *Error) Advice() string {
	switch {
	case e.Library != "CUDA":
		return ""
	case e.lost():
		return "the card is lost to this process; the fault is in work queued before: CUDA_LAUNCH_BLOCKING=1 names it"
	}
	return shim.Advice(e.Code)
}

// First returns the first of some errors that is one: what followed from it would only
// hide it.
func First(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// IsOutOfMemory says that an error is the driver's or cuDNN's lack of memory.
func IsOutOfMemory(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Library == "CUDA" {
		return e.Code == outOfMemory
	}
	return cudnn.Status(e.Code) == cudnn.AllocFailed
}

// IsUnsupported says that an error is cuDNN's answer that it does not do what it was
// asked for, or not on this card. cuDNN 9 has a thousand numbers for that.
func IsUnsupported(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Library != "cuDNN" {
		return false
	}
	status := cudnn.Status(e.Code)
	if C.CUDNN_MAJOR >= 9 {
		return status >= cudnn.NotSupported && status < cudnn.NotSupported+1000
	}
	return status == cudnn.NotSupported || status == cudnn.ArchMismatch
}

// IsRefused says that an error is cuDNN's answer that a call makes no sense.
func IsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Library == "cuDNN" && cudnn.Status(e.Code) == cudnn.BadParam
}

// Wrap makes an *Error of what cu or dnn returned from a call; nil stays nil. Their
// errors are integers that print no number.
func Wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	if status, ok := err.(cudnn.Status); ok {
		return cudnnError(call, C.cudnnStatus_t(status))
	}
	if code := reflect.ValueOf(err); code.Kind() == reflect.Int { // cu's type is not exported
		return driverError(call, C.CUresult(code.Int()))
	}
	return fmt.Errorf("%s: %w", call, err)
}

func driverError(call string, code C.CUresult) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	return &Error{call, "CUDA", int(code), shim.Text(int(code))}
}

func cudnnError(call string, status C.cudnnStatus_t) error {
	if status == C.CUDNN_STATUS_SUCCESS {
		return nil
	}
	text := C.GoString(C.cudnnGetErrorString(status))
	var last [512]C.char
	C.cudnnText(&last[0], C.size_t(len(last)))
	if last[0] != 0 {
		text += ": " + C.GoString(&last[0])
	}
	return &Error{call, "cuDNN", int(status), text}
}
