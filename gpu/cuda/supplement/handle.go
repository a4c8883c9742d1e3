//go:build cuda

package supplement

/*
#include <cuda.h>
#include <cudnn.h>
*/
import "C"

import (
	"reflect"
	"unsafe"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"
)

// handle returns the C handle in the first field of a value of cu or dnn, which have
// no accessor for most. A test holds every type used here against that.
func handle(v any) unsafe.Pointer {
	return reflect.Indirect(reflect.ValueOf(v)).Field(0).UnsafePointer()
}

func streamOf(s cu.Stream) C.CUstream            { return C.CUstream(handle(s)) }
func contextOf(c *cudnn.Context) C.cudnnHandle_t { return C.cudnnHandle_t(handle(c)) }
func filterOf(f *cudnn.Filter) C.cudnnFilterDescriptor_t {
	return C.cudnnFilterDescriptor_t(handle(f))
}
func tensorOf(t *cudnn.TensorDescriptor) C.cudnnTensorDescriptor_t {
	return C.cudnnTensorDescriptor_t(handle(t))
}
func convolutionOf(c *cudnn.Convolution) C.cudnnConvolutionDescriptor_t {
	return C.cudnnConvolutionDescriptor_t(handle(c))
}

// Memory is a device address in the form that dnn's calls take; 0 is none.
type Memory cu.DevicePtr

// Uintptr returns the address.
func (m Memory) Uintptr() uintptr { return uintptr(m) }

// IsNativelyAccessible says that the host cannot address it.
func (m Memory) IsNativelyAccessible() bool { return false }
