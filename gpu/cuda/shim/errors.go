//go:build cuda

package shim

// #include "shim.h"
import "C"

import (
	"cmp"
	"fmt"
	"os"
)

// NoDevice is the CUresult of a driver that shows no card.
const NoDevice = 100

// results are the numbers of CUresult that a user can do something about. The name is
// for drivers that have none: a stub, or one that is older than the number. The advice
// says the cause first, in a few words.
var results = map[int]struct{ name, advice string }{
	34:       {"CUDA_ERROR_STUB_LIBRARY", "a stub library: take the toolkit's folder stubs out of LD_LIBRARY_PATH, or name the driver's own libcuda.so.1 in CUDA_DRIVER_LIB"},
	36:       {"CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "too old a driver: update it"},
	46:       {"CUDA_ERROR_DEVICE_UNAVAILABLE", "another process has exclusive use: see nvidia-smi, compute mode"},
	NoDevice: {"CUDA_ERROR_NO_DEVICE", "there is no card"}, // see Advice
	102:      {"CUDA_ERROR_DEVICE_NOT_LICENSED", "the virtual GPU has no license: see nvidia-smi -q"},
	209:      {"CUDA_ERROR_NO_BINARY_FOR_GPU", "older than compute capability 7.5, which the kernels need"},
	221:      {"CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "the driver lacks libnvidia-ptxjitcompiler.so.1: install all of it"},
	222:      {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is newer than this driver: update the driver"},
	223:      {"CUDA_ERROR_JIT_COMPILATION_DISABLED", "CUDA_DISABLE_PTX_JIT or CUDA_DISABLE_JIT is set: unset it"},
	304:      {"CUDA_ERROR_OPERATING_SYSTEM", "a system call failed: see nvidia-smi, and who may use /dev/nvidia*"},
	802:      {"CUDA_ERROR_SYSTEM_NOT_READY", "the driver waits for the fabric manager or another service of the system"},
	803:      {"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "the kernel's module has another version: restart after an update, or name the right libcuda.so.1 in CUDA_DRIVER_LIB"},
	804:      {"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "compatibility libraries, which this card has no use of: take the folder compat out of LD_LIBRARY_PATH"},
	805:      {"CUDA_ERROR_MPS_CONNECTION_FAILED", "no answer from MPS: see nvidia-cuda-mps-control and CUDA_MPS_PIPE_DIRECTORY"},
	806:      {"CUDA_ERROR_MPS_RPC_FAILURE", "no answer from MPS: see nvidia-cuda-mps-control"},
	807:      {"CUDA_ERROR_MPS_SERVER_NOT_READY", "MPS is not ready: try again"},
	808:      {"CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", "MPS serves no more processes: wait for one to end"},
	809:      {"CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", "MPS has no connections left: lower CUDA_DEVICE_MAX_CONNECTIONS"},
}

// Text names a CUresult, as the driver does where it can.
func Text(code int) string {
	if text := C.shim_text(C.int(code)); text != nil {
		return C.GoString(text)
	}
	if known, ok := results[code]; ok {
		return known.name
	}
	return "unknown error"
}

// Advice says what the user can do about a CUresult, "" where that is not known.
func Advice(code int) string {
	advice := results[code].advice
	if code == NoDevice {
		advice += cmp.Or(Visible(), ": see nvidia-smi")
	}
	return advice
}

// Visible says what hides cards from the driver, if something does.
func Visible() string {
	const variable = "CUDA_VISIBLE_DEVICES"
	value, set := os.LookupEnv(variable)
	switch {
	case !set:
		return ""
	case value == "":
		return fmt.Sprintf(" with %s=%q, which hides all: unset it", variable, value)
	}
	return fmt.Sprintf(" with %s=%q, of which the driver takes the entries before the first that is no card: see nvidia-smi -L", variable, value)
}
