//go:build cuda

package standin

// #include <cudnn.h>
import "C"

// status is a CUresult or a cudnnStatus_t.
type status = int32

// Results of the driver, as cuda.h numbers them.
const (
	success              status = 0
	invalidValue         status = 1
	outOfMemory          status = 2
	notInitialized       status = 3
	noDevice             status = 100
	invalidDevice        status = 101
	invalidContext       status = 201
	noBinaryForGPU       status = 209
	uncorrectableECC     status = 214
	invalidPTX           status = 218
	unsupportedPTX       status = 222
	invalidHandle        status = 400
	notFound             status = 500
	notReady             status = 600
	illegalAddress       status = 700
	launchOutOfResources status = 701
	launchTimeout        status = 702
	misalignedAddress    status = 716
	launchFailed         status = 719
	captureUnsupported   status = 900
	captureInvalidated   status = 901
	captureUnmatched     status = 903
	captureImplicit      status = 906
	captureWrongThread   status = 908
	unknownError         status = 999
)

// breaks says that a context answers every call with a status after the first.
func breaks(s status) bool {
	switch s {
	case uncorrectableECC, illegalAddress, launchTimeout, misalignedAddress, launchFailed:
		return true
	}
	return false
}

// driverTexts are what cuGetErrorString says.
var driverTexts = map[status]string{
	success:              "no error",
	invalidValue:         "invalid argument",
	outOfMemory:          "out of memory",
	notInitialized:       "initialization error",
	noDevice:             "no CUDA-capable device is detected",
	invalidDevice:        "invalid device ordinal",
	invalidContext:       "invalid device context",
	noBinaryForGPU:       "no kernel image is available for execution on the device",
	invalidPTX:           "a PTX JIT compilation failed",
	unsupportedPTX:       "the provided PTX was compiled with an unsupported toolchain.",
	invalidHandle:        "invalid resource handle",
	notFound:             "named symbol not found",
	notReady:             "device not ready",
	uncorrectableECC:     "uncorrectable ECC error encountered",
	illegalAddress:       "an illegal memory access was encountered",
	launchTimeout:        "the launch timed out and was terminated",
	misalignedAddress:    "misaligned address",
	launchFailed:         "unspecified launch failure",
	launchOutOfResources: "too many resources requested for launch",
	captureUnsupported:   "operation not permitted when stream is capturing",
	captureInvalidated:   "operation failed due to a previous error during capture",
	captureUnmatched:     "the operation would have resulted in a merge of two independent captures or ended one that was never begun",
	captureImplicit:      "operation would make the legacy stream depend on a capturing blocking stream",
	captureWrongThread:   "attempt to terminate a thread-local capture sequence from another thread",
	unknownError:         "unknown error",
}

// Results of cuDNN, whose numbers depend on its major version.
const (
	dnnNotInitialized  status = C.CUDNN_STATUS_NOT_INITIALIZED
	dnnBadParam        status = C.CUDNN_STATUS_BAD_PARAM
	dnnNotSupported    status = C.CUDNN_STATUS_NOT_SUPPORTED
	dnnInternalError   status = C.CUDNN_STATUS_INTERNAL_ERROR
	dnnExecutionFailed status = C.CUDNN_STATUS_EXECUTION_FAILED
)

var dnnTexts = map[status]string{
	success:            "CUDNN_STATUS_SUCCESS",
	dnnNotInitialized:  "CUDNN_STATUS_NOT_INITIALIZED",
	dnnBadParam:        "CUDNN_STATUS_BAD_PARAM",
	dnnNotSupported:    "CUDNN_STATUS_NOT_SUPPORTED",
	dnnInternalError:   "CUDNN_STATUS_INTERNAL_ERROR",
	dnnExecutionFailed: "CUDNN_STATUS_EXECUTION_FAILED",
}

// dnnHeader is the version of the headers that the program was built with.
const dnnHeader = C.CUDNN_VERSION
