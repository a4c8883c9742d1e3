//go:build cuda

package supplement

// #include <cudnn.h>
import "C"

import (
	"fmt"
	"runtime"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"
)

// CuDNNVersion returns the version of the cuDNN that package shim has opened, such as
// 9.27.0. It may be called from any thread.
func CuDNNVersion() string { return versionText(int(C.cudnnGetVersion())) }

// versionText reads a version number: 92700 is 9.27.0, 8907 is 8.9.7.
func versionText(n int) string {
	if n >= 90000 {
		return fmt.Sprintf("%d.%d.%d", n/10000, n/100%100, n%100)
	}
	return fmt.Sprintf("%d.%d.%d", n/1000, n/100%10, n%100)
}

// NewContext is cudnn.NewContext, which panics, with an error.
func NewContext() (c *cudnn.Context, err error) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case cudnn.Status:
			err = Wrap("cudnnCreate", failure)
		default:
			panic(failure)
		}
	}()
	return cudnn.NewContext(), nil
}

// SetStream makes a context queue its work on a stream.
func SetStream(c *cudnn.Context, s cu.Stream) error {
	return cudnnError("cudnnSetStream", C.cudnnSetStream(contextOf(c), C.cudaStream_t(handle(s))))
}

// DestroyTensor frees a descriptor at once; dnn leaves it to the garbage collector.
func DestroyTensor(t *cudnn.TensorDescriptor) error {
	runtime.SetFinalizer(t, nil)
	return cudnnError("cudnnDestroyTensorDescriptor", C.cudnnDestroyTensorDescriptor(tensorOf(t)))
}

// DestroyFilter frees a descriptor, which dnn never does.
func DestroyFilter(f *cudnn.Filter) error {
	return cudnnError("cudnnDestroyFilterDescriptor", C.cudnnDestroyFilterDescriptor(filterOf(f)))
}

// DestroyConvolution frees a descriptor at once; dnn leaves it to the garbage collector.
func DestroyConvolution(c *cudnn.Convolution) error {
	runtime.SetFinalizer(c, nil)
	return cudnnError("cudnnDestroyConvolutionDescriptor", C.cudnnDestroyConvolutionDescriptor(convolutionOf(c)))
}
