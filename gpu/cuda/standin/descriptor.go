//go:build cuda

package standin

// #include "standin.h"
import "C"

// handle is a cuDNN handle.
type handle struct {
	origin
	stream *stream
}

// Numbers of cudnn.h, the same in all versions.
const (
	formatNCHW       = 0
	formatNHWC       = 1
	typeFloat        = 0
	crossCorrelation = 1

	mathDefault = 0 // TF32 where the card has it
	mathTensor  = 1
	mathConvert = 2
	mathFMA     = 3
)

// tensor is a tensor's descriptor. Dimensions come in the order n, c, h, w whatever
// the layout in memory.
type tensor struct {
	origin
	format int32
	shape  [4]int // zero before it is set
}

// filter is a filter's descriptor: out, in, height, width.
type filter struct {
	origin
	format int32
	shape  [4]int
}

// product is a convolution's descriptor.
type product struct {
	origin
	set      bool
	padding  [2]int
	stride   [2]int
	dilation [2]int
	mode     int32
	math     int32
	groups   int
}

//export standin_cudnnGetVersion
func standin_cudnnGetVersion() uintptr {
	return uintptr(installed.Load().options.CuDNN)
}

//export standin_cudnnGetErrorString
func standin_cudnnGetErrorString(code status) *C.char { return dnnStrings[code] }

//export standin_cudnnGetLastErrorString
func standin_cudnnGetLastErrorString(text *C.char, size uintptr) {
	fill(text, int(size), "the stand-in says no more")
}

//export standin_cudnnCreate
func standin_cudnnCreate(made *uintptr) status {
	return cuDNN("cudnnCreate", unsafeCall, func(m *Machine, c *context) status {
		*made = put(m, kindHandle, c, &handle{stream: c.null})
		return success
	})
}

// onHandle is the frame of a function that works on a handle.
func onHandle(name string, r rule, number uintptr, body func(m *Machine, c *context, h *handle) status) status {
	return cuDNN(name, withContext|r, func(m *Machine, c *context) status {
		h, ok := find[*handle](m, c, "cuDNN handle", number)
		if !ok {
			return dnnBadParam
		}
		return body(m, c, h)
	})
}

// standin_cudnnDestroy waits for nothing, other than cuDNN's, which waits for the whole
// card: who frees memory next must have waited by itself.
//
//export standin_cudnnDestroy
func standin_cudnnDestroy(number uintptr) status {
	return onHandle("cudnnDestroy", noCapture|givesBack, number, func(m *Machine, _ *context, h *handle) status {
		m.drop(h)
		return success
	})
}

//export standin_cudnnSetStream
func standin_cudnnSetStream(number, onto uintptr) status {
	return onHandle("cudnnSetStream", 0, number, func(m *Machine, c *context, h *handle) status {
		s, result := c.streamOf(onto)
		if result != success {
			return dnnBadParam
		}
		h.stream = s
		return success
	})
}

// create is a function that makes a descriptor: it needs no context.
func create[T object](name, kind string, made *uintptr, o T) status {
	return cuDNN(name, anytime, func(m *Machine, _ *context) status {
		*made = put(m, kind, nil, o)
		return success
	})
}

// onDescriptor is the frame of a function that works on a descriptor.
func onDescriptor[T object](name string, r rule, number uintptr, body func(m *Machine, o T) status) status {
	return cuDNN(name, r, func(m *Machine, _ *context) status {
		o, ok := find[T](m, nil, "descriptor", number)
		if !ok {
			return dnnBadParam
		}
		return body(m, o)
	})
}

// destroy ends a descriptor. The garbage collector may end those of an earlier
// machine, or abandoned ones: that is no call.
func destroy[T object](name string, number uintptr) status {
	if installed.Load().lost(number) {
		return success
	}
	return onDescriptor(name, givesBack, number, func(m *Machine, o T) status {
		m.drop(o)
		return success
	})
}

// lost reports whether a handle is an earlier machine's or abandoned.
func (m *Machine) lost(number uintptr) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return number <= m.first || m.abandoned[number]
}

// valid reports whether descriptor's data is such as the stand-in has.
func valid(format, dataType int32, shape ...int32) bool {
	for _, n := range shape {
		if n <= 0 {
			return false
		}
	}
	return dataType == typeFloat && (format == formatNCHW || format == formatNHWC)
}

//export standin_cudnnCreateTensorDescriptor
func standin_cudnnCreateTensorDescriptor(made *uintptr) status {
	return create("cudnnCreateTensorDescriptor", kindTensor, made, &tensor{})
}

//export standin_cudnnSetTensor4dDescriptor
func standin_cudnnSetTensor4dDescriptor(number uintptr, format, dataType, n, c, h, w int32) status {
	return onDescriptor("cudnnSetTensor4dDescriptor", anytime, number, func(_ *Machine, d *tensor) status {
		if !valid(format, dataType, n, c, h, w) {
			return dnnBadParam
		}
		d.format, d.shape = format, [4]int{int(n), int(c), int(h), int(w)}
		return success
	})
}

//export standin_cudnnDestroyTensorDescriptor
func standin_cudnnDestroyTensorDescriptor(number uintptr) status {
	return destroy[*tensor]("cudnnDestroyTensorDescriptor", number)
}

//export standin_cudnnCreateFilterDescriptor
func standin_cudnnCreateFilterDescriptor(made *uintptr) status {
	return create("cudnnCreateFilterDescriptor", kindFilter, made, &filter{})
}

//export standin_cudnnSetFilter4dDescriptor
func standin_cudnnSetFilter4dDescriptor(number uintptr, dataType, format, k, c, h, w int32) status {
	return onDescriptor("cudnnSetFilter4dDescriptor", anytime, number, func(_ *Machine, d *filter) status {
		if !valid(format, dataType, k, c, h, w) {
			return dnnBadParam
		}
		d.format, d.shape = format, [4]int{int(k), int(c), int(h), int(w)}
		return success
	})
}

//export standin_cudnnDestroyFilterDescriptor
func standin_cudnnDestroyFilterDescriptor(number uintptr) status {
	return destroy[*filter]("cudnnDestroyFilterDescriptor", number)
}

//export standin_cudnnCreateConvolutionDescriptor
func standin_cudnnCreateConvolutionDescriptor(made *uintptr) status {
	return create("cudnnCreateConvolutionDescriptor", kindProduct, made, &product{groups: 1})
}

//export standin_cudnnSetConvolution2dDescriptor
func standin_cudnnSetConvolution2dDescriptor(number uintptr, padH, padW, strideH, strideW, dilationH, dilationW, mode, computeType int32) status {
	return onDescriptor("cudnnSetConvolution2dDescriptor", anytime, number, func(_ *Machine, d *product) status {
		if padH < 0 || padW < 0 || strideH < 1 || strideW < 1 || dilationH < 1 || dilationW < 1 || computeType != typeFloat {
			return dnnBadParam
		}
		d.set, d.mode = true, mode
		d.padding, d.stride, d.dilation = [2]int{int(padH), int(padW)}, [2]int{int(strideH), int(strideW)}, [2]int{int(dilationH), int(dilationW)}
		return success
	})
}

//export standin_cudnnSetConvolutionMathType
func standin_cudnnSetConvolutionMathType(number uintptr, math int32) status {
	return onDescriptor("cudnnSetConvolutionMathType", anytime, number, func(_ *Machine, d *product) status {
		if math < mathDefault || math > mathFMA {
			return dnnBadParam
		}
		d.math = math
		return success
	})
}

//export standin_cudnnSetConvolutionGroupCount
func standin_cudnnSetConvolutionGroupCount(number uintptr, groups int32) status {
	return onDescriptor("cudnnSetConvolutionGroupCount", anytime, number, func(_ *Machine, d *product) status {
		if groups < 1 {
			return dnnBadParam
		}
		d.groups = int(groups)
		return success
	})
}

//export standin_cudnnDestroyConvolutionDescriptor
func standin_cudnnDestroyConvolutionDescriptor(number uintptr) status {
	return destroy[*product]("cudnnDestroyConvolutionDescriptor", number)
}

//export standin_cudnnGetConvolution2dForwardOutputDim
func standin_cudnnGetConvolution2dForwardOutputDim(of, x, w uintptr, n, c, h, width *int32) status {
	return onDescriptor("cudnnGetConvolution2dForwardOutputDim", anytime, of, func(m *Machine, d *product) status {
		in, ok1 := find[*tensor](m, nil, "tensor descriptor", x)
		by, ok2 := find[*filter](m, nil, "filter descriptor", w)
		if !ok1 || !ok2 {
			return dnnBadParam
		}
		out, ok := outputShape(d, in, by)
		if !ok {
			return dnnBadParam
		}
		for i, to := range [...]*int32{n, c, h, width} {
			*to = int32(out[i])
		}
		return success
	})
}

// outputShape is what a convolution makes of an input.
func outputShape(d *product, x *tensor, w *filter) ([4]int, bool) {
	if !d.set || x.shape[0] == 0 || w.shape[0] == 0 || x.shape[1] != w.shape[1]*d.groups {
		return [4]int{}, false
	}
	out := [4]int{x.shape[0], w.shape[0]}
	for i := range 2 {
		out[2+i] = 1 + (x.shape[2+i]+2*d.padding[i]-(w.shape[2+i]-1)*d.dilation[i]-1)/d.stride[i]
	}
	return out, out[2] > 0 && out[3] > 0
}
