//go:build cuda

package standin

import "C"

import (
	"unsafe"

	"diaghess/gpu"
)

// geometry is a convolution's shape, layout and math.
type geometry struct {
	shape gpu.ConvolutionShape
	nhwc  bool
	math  int32
}

// geometryOf returns what descriptors describe, or why cuDNN would not do it, or the
// stand-in cannot: strides, dilation, groups, padding that changes the size.
func (m *Machine) geometryOf(x, w, of, y uintptr) (geometry, status) {
	in, ok1 := find[*tensor](m, nil, "tensor descriptor", x)
	by, ok2 := find[*filter](m, nil, "filter descriptor", w)
	d, ok3 := find[*product](m, nil, "convolution descriptor", of)
	out, ok4 := find[*tensor](m, nil, "tensor descriptor", y)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return geometry{}, dnnBadParam
	}
	if shape, ok := outputShape(d, in, by); !ok || shape != out.shape {
		m.violate("output %v of input %v and filter %v", out.shape, in.shape, by.shape)
		return geometry{}, dnnBadParam
	}
	k := by.shape[2]
	ones := [2]int{1, 1}
	if d.stride != ones || d.dilation != ones || d.groups != 1 || d.mode != crossCorrelation || by.shape[3] != k || k%2 == 0 ||
		d.padding != [2]int{k / 2, k / 2} || in.format != out.format || in.format != by.format {
		return geometry{}, dnnNotSupported
	}
	return geometry{
		shape: gpu.ConvolutionShape{Batch: in.shape[0], Height: in.shape[2], Width: in.shape[3], In: in.shape[1], Out: by.shape[0], Kernel: k},
		nhwc:  in.format == formatNHWC, math: d.math,
	}, success
}

// heuristics is what the two functions of that kind do.
func heuristics(name string, d gpu.Direction, number, x, w, of, y uintptr, room int32, count *int32, results unsafe.Pointer) status {
	return onHandle(name, 0, number, func(m *Machine, _ *context, _ *handle) status {
		g, result := m.geometryOf(x, w, of, y)
		if result != success {
			return result
		}
		if room < 1 {
			return dnnBadParam
		}
		*count = int32(copy(unsafe.Slice((*performance)(results), room), list(d, g.shape, g.math, int(room))))
		return success
	})
}

//export standin_cudnnGetConvolutionForwardAlgorithm_v7
func standin_cudnnGetConvolutionForwardAlgorithm_v7(number, x, w, of, y uintptr, room int32, count *int32, results unsafe.Pointer) status {
	return heuristics("cudnnGetConvolutionForwardAlgorithm_v7", gpu.Forward, number, x, w, of, y, room, count, results)
}

//export standin_cudnnGetConvolutionBackwardDataAlgorithm_v7
func standin_cudnnGetConvolutionBackwardDataAlgorithm_v7(number, w, dy, of, dx uintptr, room int32, count *int32, results unsafe.Pointer) status {
	return heuristics("cudnnGetConvolutionBackwardDataAlgorithm_v7", gpu.BackwardData, number, dx, w, of, dy, room, count, results)
}

// workspaceSize is what the two functions of that kind do.
func workspaceSize(name string, d gpu.Direction, number, x, w, of, y uintptr, algorithm int32, bytes *uintptr) status {
	return onHandle(name, 0, number, func(m *Machine, _ *context, _ *handle) status {
		g, result := m.geometryOf(x, w, of, y)
		if result != success {
			return result
		}
		a, ok := findAlgorithm(d, algorithm)
		if !ok || a.behaviour == listedRefusal || a.behaviour == sizeRefusal {
			return dnnNotSupported
		}
		*bytes = uintptr(a.workspace(g.shape))
		return success
	})
}

//export standin_cudnnGetConvolutionForwardWorkspaceSize
func standin_cudnnGetConvolutionForwardWorkspaceSize(number, x, w, of, y uintptr, algorithm int32, bytes *uintptr) status {
	return workspaceSize("cudnnGetConvolutionForwardWorkspaceSize", gpu.Forward, number, x, w, of, y, algorithm, bytes)
}

//export standin_cudnnGetConvolutionBackwardDataWorkspaceSize
func standin_cudnnGetConvolutionBackwardDataWorkspaceSize(number, w, dy, of, dx uintptr, algorithm int32, bytes *uintptr) status {
	return workspaceSize("cudnnGetConvolutionBackwardDataWorkspaceSize", gpu.BackwardData, number, dx, w, of, dy, algorithm, bytes)
}

// operands are what a call of a convolution computes with.
type operands struct {
	direction      gpu.Direction
	x, w, y, space uint64
	spaceBytes     int
	alpha, beta    float32
}

// pass is a call of a convolution's function.
type pass struct {
	operands
	xDesc, wDesc, of, yDesc uintptr
	algorithm               int32
}

//export standin_cudnnConvolutionForward
func standin_cudnnConvolutionForward(number uintptr, alpha *float32, xDesc uintptr, x uint64, wDesc uintptr, w uint64, of uintptr, algorithm int32, space uint64, bytes uintptr, beta *float32, yDesc uintptr, y uint64) status {
	return convolve("cudnnConvolutionForward", number, pass{operands{gpu.Forward, x, w, y, space, int(bytes), *alpha, *beta}, xDesc, wDesc, of, yDesc, algorithm})
}

//export standin_cudnnConvolutionBackwardData
func standin_cudnnConvolutionBackwardData(number uintptr, alpha *float32, wDesc uintptr, w uint64, dyDesc uintptr, dy uint64, of uintptr, algorithm int32, space uint64, bytes uintptr, beta *float32, dxDesc uintptr, dx uint64) status {
	return convolve("cudnnConvolutionBackwardData", number, pass{operands{gpu.BackwardData, dx, w, dy, space, int(bytes), *alpha, *beta}, dxDesc, wDesc, of, dyDesc, algorithm})
}

// convolve is what the two functions of that kind do.
func convolve(name string, number uintptr, p pass) status {
	return onHandle(name, 0, number, func(m *Machine, c *context, h *handle) status {
		g, result := m.geometryOf(p.xDesc, p.wDesc, p.of, p.yDesc)
		if result != success {
			return result
		}
		a, ok := findAlgorithm(p.direction, p.algorithm)
		if !ok {
			return dnnNotSupported
		}
		return queuePass(m, c, h, g, a.behaviour, a.workspace(g.shape), p.operands)
	})
}

// queuePass queues a pass, of what needs so many bytes of workspace, as two pieces of
// work: one writes into the workspace, the other looks whether that is still there and
// computes.
func queuePass(m *Machine, c *context, h *handle, g geometry, b behaviour, needs int, p operands) status {
	if h.stream != c.null && m.objects[h.stream.handle] != h.stream {
		m.violate("the handle's stream is no more")
		return dnnBadParam
	}
	if b != works && b != varies {
		return dnnNotSupported
	}
	if p.spaceBytes < needs {
		m.violate("a workspace of %d bytes, the algorithm needs %d", p.spaceBytes, needs)
		return dnnBadParam
	}
	x, ok1 := c.window("the input", p.x, 4*g.shape.Input())
	w, ok2 := c.window("the filter", p.w, 4*g.shape.Filter())
	y, ok3 := c.window("the output", p.y, 4*g.shape.Output())
	space, ok4 := window{}, true
	if p.spaceBytes > 0 {
		space, ok4 = c.window("the workspace", p.space, p.spaceBytes)
	}
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return dnnBadParam
	}
	// The operands that are only read may be the same: a product of a matrix with itself.
	tensors := []window{x, w, y}
	written := p.direction.Written()
	for i, tensor := range tensors {
		if space.meets(tensor) || i != written && tensor.meets(tensors[written]) {
			m.violate("the workspace or what is written overlaps an operand")
			return dnnBadParam
		}
	}
	job := &convolutionJob{machine: m, direction: p.direction, geometry: g, x: x, w: w, y: y, space: space, alpha: p.alpha, beta: p.beta}
	job.tf32 = g.math != mathFMA && c.card.Capability[0] >= 8
	uses := []object{x.in, w.in, y.in}
	if space.in != nil {
		uses = append(uses, space.in)
	}
	// As one node of a graph, and as two pieces where it is queued.
	if c.enqueue(h.stream, &work{uses: uses, begin: job.begin, do: job.end}) != success {
		return dnnExecutionFailed
	}
	return success
}

// meets reports whether two windows have a byte in common.
func (w window) meets(other window) bool {
	return w.in != nil && w.in == other.in && w.offset < other.offset+other.bytes && other.offset < w.offset+w.bytes
}

// convolutionJob is a pass in a stream.
type convolutionJob struct {
	machine        *Machine
	direction      gpu.Direction
	geometry       geometry
	x, w, y, space window
	alpha, beta    float32
	tf32           bool
	token          byte // that begin left in the workspace
}

// begin writes into the workspace what no other pass writes there.
func (j *convolutionJob) begin() {
	if j.space.in == nil {
		return
	}
	j.machine.tokens++
	j.token = byte(j.machine.tokens%255 + 1)
	for i := range j.space.data() {
		j.space.data()[i] = j.token
	}
	j.space.written()
}

// end looks at the workspace and computes.
func (j *convolutionJob) end() status {
	if j.space.in != nil {
		for i, b := range j.space.data() {
			if b != j.token {
				j.machine.violate("byte %d of the workspace of a %v was overwritten while that was at work", i, j.direction)
				break
			}
		}
		rubbish(j.space.data())
	}
	if err := j.machine.products.compute(j); err != nil {
		j.machine.violate("%v", err)
		return launchFailed
	}
	return success
}
