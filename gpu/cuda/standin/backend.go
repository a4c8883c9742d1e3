//go:build cuda

package standin

// #include <cudnn.h>
import "C"

import (
	"slices"
	"unsafe"

	"diaghess/gpu"
)

// engine is a way to compute the gradient of filters, as cuDNN's graph API offers it.
type engine struct {
	index     int64
	knobs     [][2]int64 // kind and value
	notes     []int32    // on its arithmetic
	behaviour behaviour
}

// engines are what the heuristics list, fastest first; the last is all that the
// fall-back list has. What works comes late, so that who takes what comes first finds
// out.
var engines = []engine{
	{17, [][2]int64{{25, 0}}, nil, sizeRefusal},
	{30, [][2]int64{{2, 5}, {12, 19}}, []int32{C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, tooLarge},
	{20, [][2]int64{{2, 6}}, []int32{C.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, varies},
	{18, [][2]int64{{11, 0}}, []int32{C.CUDNN_NUMERICAL_NOTE_FFT}, works},
	{34, [][2]int64{{0, 33}}, nil, callRefusal},
	{40, [][2]int64{{2, 11}}, []int32{C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE, C.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, works},
	{68, [][2]int64{{2, 5}, {13, 0}}, []int32{C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, works},
	{1, nil, nil, works},
}

// workspace returns how many bytes an engine needs, those of an algorithm of its kind.
func (e engine) workspace(s gpu.ConvolutionShape) int {
	return algorithm{behaviour: e.behaviour}.workspace(s)
}

// attribute is what a descriptor has under a name: so many values of a type, each
// widened to eight bytes.
type attribute struct {
	kind   int32
	values []uint64
}

// wanted is the type and number of values that an attribute must have.
type wanted struct {
	kind  int32
	count int
}

// descriptors are the attributes that each kind must have been given before it is
// finalized.
var descriptors = map[int32]map[int32]wanted{
	C.CUDNN_BACKEND_TENSOR_DESCRIPTOR: {
		C.CUDNN_ATTR_TENSOR_DATA_TYPE: {C.CUDNN_TYPE_DATA_TYPE, 1}, C.CUDNN_ATTR_TENSOR_DIMENSIONS: {C.CUDNN_TYPE_INT64, 4},
		C.CUDNN_ATTR_TENSOR_STRIDES: {C.CUDNN_TYPE_INT64, 4}, C.CUDNN_ATTR_TENSOR_UNIQUE_ID: {C.CUDNN_TYPE_INT64, 1},
		C.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT: {C.CUDNN_TYPE_INT64, 1},
	},
	C.CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: {
		C.CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS: {C.CUDNN_TYPE_INT64, 1}, C.CUDNN_ATTR_CONVOLUTION_COMP_TYPE: {C.CUDNN_TYPE_DATA_TYPE, 1},
		C.CUDNN_ATTR_CONVOLUTION_CONV_MODE: {C.CUDNN_TYPE_CONVOLUTION_MODE, 1}, C.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS: {C.CUDNN_TYPE_INT64, 2},
		C.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS: {C.CUDNN_TYPE_INT64, 2}, C.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES: {C.CUDNN_TYPE_INT64, 2},
		C.CUDNN_ATTR_CONVOLUTION_DILATIONS: {C.CUDNN_TYPE_INT64, 2},
	},
	C.CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: {
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1}, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1}, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA: {C.CUDNN_TYPE_FLOAT, 1}, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA: {C.CUDNN_TYPE_FLOAT, 1},
	},
	C.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: {
		C.CUDNN_ATTR_OPERATIONGRAPH_OPS: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1}, C.CUDNN_ATTR_OPERATIONGRAPH_HANDLE: {C.CUDNN_TYPE_HANDLE, 1},
	},
	C.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR: {
		C.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1}, C.CUDNN_ATTR_ENGINEHEUR_MODE: {C.CUDNN_TYPE_HEUR_MODE, 1},
	},
	C.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
		C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE: {C.CUDNN_TYPE_HANDLE, 1}, C.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG: {C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
	},
	C.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR: {
		C.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS: {C.CUDNN_TYPE_INT64, 3}, C.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS: {C.CUDNN_TYPE_VOID_PTR, 3},
		C.CUDNN_ATTR_VARIANT_PACK_WORKSPACE: {C.CUDNN_TYPE_VOID_PTR, 1},
	},
	// Those that the library fills.
	C.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:   {},
	C.CUDNN_BACKEND_ENGINE_DESCRIPTOR:      {},
	C.CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR: {},
}

// part is a descriptor of the graph API.
type part struct {
	origin
	kind  int32
	has   map[int32]attribute
	final bool

	// Of those that the library has filled: of which graph and engine, and of a knob
	// which.
	graph  *part
	engine engine
	knob   int
}

// wide tells which types of values have eight bytes; the others have four.
func wide(kind int32) bool {
	switch kind {
	case C.CUDNN_TYPE_HANDLE, C.CUDNN_TYPE_INT64, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, C.CUDNN_TYPE_VOID_PTR:
		return true
	}
	return false
}

//export standin_cudnnBackendCreateDescriptor
func standin_cudnnBackendCreateDescriptor(kind int32, made *uintptr) status {
	if _, ok := descriptors[kind]; !ok {
		return dnnNotSupported
	}
	return create("cudnnBackendCreateDescriptor", kindPart, made, &part{kind: kind, has: map[int32]attribute{}})
}

//export standin_cudnnBackendDestroyDescriptor
func standin_cudnnBackendDestroyDescriptor(number uintptr) status {
	return destroy[*part]("cudnnBackendDestroyDescriptor", number)
}

//export standin_cudnnBackendSetAttribute
func standin_cudnnBackendSetAttribute(number uintptr, name, kind int32, count int64, values unsafe.Pointer) status {
	return onDescriptor("cudnnBackendSetAttribute", anytime, number, func(m *Machine, p *part) status {
		if p.final || descriptors[p.kind][name] != (wanted{kind, int(count)}) {
			m.violate("attribute %d of %d values of type %d for a descriptor of kind %d, finalized: %t", name, count, kind, p.kind, p.final)
			return dnnBadParam
		}
		a := attribute{kind: kind}
		for i := range int(count) {
			if wide(kind) {
				a.values = append(a.values, unsafe.Slice((*uint64)(values), count)[i])
			} else {
				a.values = append(a.values, uint64(unsafe.Slice((*uint32)(values), count)[i]))
			}
		}
		p.has[name] = a
		return success
	})
}

//export standin_cudnnBackendFinalize
func standin_cudnnBackendFinalize(number uintptr) status {
	return onDescriptor("cudnnBackendFinalize", anytime, number, func(m *Machine, p *part) status {
		for name, w := range descriptors[p.kind] {
			a, ok := p.has[name]
			if !ok || p.final {
				m.violate("a descriptor of kind %d without attribute %d, finalized before: %t", p.kind, name, p.final)
				return dnnBadParam
			}
			if w.kind != C.CUDNN_TYPE_BACKEND_DESCRIPTOR {
				continue
			}
			if of, ok := find[*part](m, nil, "descriptor", uintptr(a.values[0])); !ok || !of.final {
				m.violate("attribute %d is not finalized", name)
				return dnnBadParam
			}
		}
		switch p.kind {
		case C.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
			if _, result := m.geometryOfGraph(p); result != success {
				return result
			}
		case C.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
			configuration := m.objects[uintptr(p.has[C.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG].values[0])].(*part)
			if configuration.engine.behaviour == sizeRefusal {
				return dnnNotSupported
			}
			told := configuration.graph.has[C.CUDNN_ATTR_OPERATIONGRAPH_HANDLE].values[0]
			if m.options.OwnAnswers && told != p.has[C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE].values[0] {
				return dnnBadParam
			}
			p.graph, p.engine = configuration.graph, configuration.engine
		}
		p.final = true
		return success
	})
}

// of returns the descriptor that an attribute names, which finalizing has looked at.
func (m *Machine) of(p *part, name int32) (*part, bool) {
	return find[*part](m, nil, "descriptor", uintptr(p.has[name].values[0]))
}

// geometryOfGraph returns what a graph of one operation computes, or why cuDNN would not
// do it, or the stand-in cannot.
func (m *Machine) geometryOfGraph(graph *part) (geometry, status) {
	operation, ok := m.of(graph, C.CUDNN_ATTR_OPERATIONGRAPH_OPS)
	if !ok {
		return geometry{}, dnnBadParam
	}
	x, ok1 := m.of(operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X)
	y, ok2 := m.of(operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY)
	w, ok3 := m.of(operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW)
	d, ok4 := m.of(operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return geometry{}, dnnBadParam
	}
	var extents [3][]uint64
	for i, t := range []*part{x, y, w} {
		e := t.has[C.CUDNN_ATTR_TENSOR_DIMENSIONS].values
		if !slices.Equal(t.has[C.CUDNN_ATTR_TENSOR_STRIDES].values, []uint64{e[1] * e[2] * e[3], 1, e[1] * e[3], e[1]}) ||
			t.has[C.CUDNN_ATTR_TENSOR_DATA_TYPE].values[0] != typeFloat {
			return geometry{}, dnnNotSupported
		}
		extents[i] = e
	}
	in, out, by := extents[0], extents[1], extents[2]
	half, ones := []uint64{by[2] / 2, by[2] / 2}, []uint64{1, 1}
	switch {
	case in[0] != out[0] || in[1] != by[1] || out[1] != by[0] || in[2] != out[2] || in[3] != out[3]:
		m.violate("output %v of input %v and filter %v", out, in, by)
		return geometry{}, dnnBadParam
	case by[2] != by[3], by[2]%2 == 0,
		!slices.Equal(d.has[C.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS].values, half), !slices.Equal(d.has[C.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS].values, half),
		!slices.Equal(d.has[C.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES].values, ones), !slices.Equal(d.has[C.CUDNN_ATTR_CONVOLUTION_DILATIONS].values, ones),
		d.has[C.CUDNN_ATTR_CONVOLUTION_CONV_MODE].values[0] != crossCorrelation, d.has[C.CUDNN_ATTR_CONVOLUTION_COMP_TYPE].values[0] != typeFloat:
		return geometry{}, dnnNotSupported
	}
	shape := gpu.ConvolutionShape{Batch: int(in[0]), Height: int(in[2]), Width: int(in[3]), In: int(in[1]), Out: int(out[1]), Kernel: int(by[2])}
	return geometry{shape: shape, nhwc: true, math: mathFMA}, success
}

//export standin_cudnnBackendGetAttribute
func standin_cudnnBackendGetAttribute(number uintptr, name, kind int32, room int64, count *int64, values unsafe.Pointer) status {
	return onDescriptor("cudnnBackendGetAttribute", anytime, number, func(m *Machine, p *part) status {
		if !p.final {
			m.violate("an attribute of what is not finalized")
			return dnnBadParam
		}
		give := func(of int32, all ...int64) status {
			if kind != of {
				m.violate("attribute %d is not of type %d", name, kind)
				return dnnBadParam
			}
			*count = int64(len(all))
			for i, v := range all[:min(int(room), len(all))] {
				if wide(kind) {
					unsafe.Slice((*int64)(values), room)[i] = v
				} else {
					unsafe.Slice((*int32)(values), room)[i] = int32(v)
				}
			}
			return success
		}
		// fill fills n descriptors of the caller's, as far as there is room.
		fill := func(n int, with func(i int, to *part)) status {
			*count = int64(n)
			if kind != C.CUDNN_TYPE_BACKEND_DESCRIPTOR {
				m.violate("attribute %d is not of type %d", name, kind)
				return dnnBadParam
			}
			for i := range min(int(room), n) {
				to, ok := find[*part](m, nil, "descriptor", unsafe.Slice((*uintptr)(values), room)[i])
				if !ok || to.final {
					m.violate("a descriptor that cannot be filled")
					return dnnBadParam
				}
				to.final, to.graph, to.engine = true, p.graph, p.engine
				with(i, to)
			}
			return success
		}
		switch name {
		case C.CUDNN_ATTR_ENGINEHEUR_RESULTS:
			graph, ok := m.of(p, C.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)
			if !ok {
				return dnnBadParam
			}
			listed := engines[:len(engines)-1]
			if p.has[C.CUDNN_ATTR_ENGINEHEUR_MODE].values[0] == C.CUDNN_HEUR_MODE_FALLBACK {
				listed = engines[len(engines)-1:]
			}
			return fill(len(listed), func(i int, to *part) { to.graph, to.engine = graph, listed[i] })
		case C.CUDNN_ATTR_ENGINECFG_ENGINE:
			return fill(1, func(int, *part) {})
		case C.CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
			if len(p.engine.knobs) == 0 {
				return dnnBadParam // it may say so
			}
			result := fill(len(p.engine.knobs), func(i int, to *part) { to.knob = i })
			*count = min(*count, room) // no more is told of these
			return result
		case C.CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE:
			return give(C.CUDNN_TYPE_KNOB_TYPE, p.engine.knobs[p.knob][0])
		case C.CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE:
			return give(C.CUDNN_TYPE_INT64, p.engine.knobs[p.knob][1])
		case C.CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
			return give(C.CUDNN_TYPE_INT64, p.engine.index)
		case C.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
			var notes []int64
			for _, n := range p.engine.notes {
				notes = append(notes, int64(n))
			}
			return give(C.CUDNN_TYPE_NUMERICAL_NOTE, notes...)
		case C.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
			g, result := m.geometryOfGraph(p.graph)
			if result != success {
				return result
			}
			return give(C.CUDNN_TYPE_INT64, int64(p.engine.workspace(g.shape)))
		}
		return dnnNotSupported
	})
}

//export standin_cudnnBackendExecute
func standin_cudnnBackendExecute(number, plan, pack uintptr) status {
	return onHandle("cudnnBackendExecute", 0, number, func(m *Machine, c *context, h *handle) status {
		p, ok1 := find[*part](m, nil, "execution plan", plan)
		v, ok2 := find[*part](m, nil, "variant pack", pack)
		if !ok1 || !ok2 || !p.final || !v.final {
			m.violate("a plan or pack that is not finalized")
			return dnnBadParam
		}
		if made := uintptr(p.has[C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE].values[0]); made != number {
			m.violate("the plan was made on another handle, %#x", made)
			return dnnBadParam
		}
		g, result := m.geometryOfGraph(p.graph)
		if result != success {
			return result
		}
		if slices.Contains(p.engine.notes, C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE) {
			g.math = mathTensor
		}
		operation, _ := m.of(p.graph, C.CUDNN_ATTR_OPERATIONGRAPH_OPS)
		address := func(tensor int32) uint64 {
			t, _ := m.of(operation, tensor)
			i := slices.Index(v.has[C.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS].values, t.has[C.CUDNN_ATTR_TENSOR_UNIQUE_ID].values[0])
			if i < 0 {
				m.violate("the pack lacks a tensor")
				return 0
			}
			a := v.has[C.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS].values[i]
			if alignment := t.has[C.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT].values[0]; a%alignment != 0 {
				m.violate("the address %#x is no multiple of %d", a, alignment)
			}
			return a
		}
		return queuePass(m, c, h, g, p.engine.behaviour, p.engine.workspace(g.shape), operands{
			direction: gpu.BackwardFilter, x: address(C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X), w: address(C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW),
			y: address(C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY), space: v.has[C.CUDNN_ATTR_VARIANT_PACK_WORKSPACE].values[0],
			spaceBytes: p.engine.workspace(g.shape), alpha: 1,
		})
	})
}
