//go:build cuda

package supplement

import (
	"reflect"
	"testing"
	"unsafe"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"

	_ "diaghess/gpu/cuda/shim"
)

// The layout of cu's and dnn's types that handle and Capture rely on.
func TestHandles(t *testing.T) {
	for _, v := range []any{
		cudnn.Context{}, cudnn.TensorDescriptor{}, cudnn.Filter{}, cudnn.Convolution{}, cu.ExecGraph{}, cu.Stream{}, cu.Event{},
	} {
		if f := reflect.TypeOf(v).Field(0); f.Type.Kind() != reflect.Pointer || f.Offset != 0 {
			t.Errorf("the first field of %T is %s of type %s, not a handle", v, f.Name, f.Type)
		}
	}
	if size := unsafe.Sizeof(cu.ExecGraph{}); size != unsafe.Sizeof(uintptr(0)) {
		t.Errorf("cu.ExecGraph takes %d bytes, not those of a handle", size)
	}
}
