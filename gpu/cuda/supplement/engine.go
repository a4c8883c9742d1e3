//go:build cuda

package supplement

// #include <cudnn.h>
import "C"

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu"
)

// FilterGradient is the gradient of a convolution's filters to cuDNN's graph API, which
// dnn does not reach. On an H100 its engines take from a quarter to a third of the time
// that the deterministic algorithms behind dnn's functions need.
type FilterGradient struct {
	builder
	context    *cudnn.Context
	operations descriptor
}

// Engine is one of cuDNN's ways to compute a [FilterGradient].
type Engine struct {
	// Name is its number and the settings of its knobs, which with cuDNN's version and
	// the card fix the bits of the result.
	Name string
	// Deterministic says that it gives the same bits each time; TensorCores that it
	// rounds factors to TF32; Exact that it does not round them, or sums, to less than
	// that, nor goes through a Fourier transform, whose errors are relative to the
	// largest of the results.
	Deterministic, TensorCores, Exact bool

	configuration descriptor
}

// Plan is an engine made ready to run on a context.
type Plan struct {
	builder
	context   *cudnn.Context
	plan      descriptor
	workspace int
}

// The tensors of a graph have these numbers.
var numbersOfTensors = [...]C.int64_t{xNumber, yNumber, wNumber}

const (
	xNumber C.int64_t = iota + 1
	yNumber
	wNumber
)

// tensorAlignment is what addresses of tensors are multiples of, in bytes.
const tensorAlignment = 16

// NewFilterGradient describes the gradient of filters in OHWI by NHWC pictures.
func NewFilterGradient(c *cudnn.Context, s gpu.ConvolutionShape) (*FilterGradient, error) {
	g := &FilterGradient{context: c}
	x := g.tensor(xNumber, s.Batch, s.In, s.Height, s.Width)
	y := g.tensor(yNumber, s.Batch, s.Out, s.Height, s.Width)
	w := g.tensor(wNumber, s.Out, s.In, s.Kernel, s.Kernel)

	padding, ones := C.int64_t(s.Kernel/2), []C.int64_t{1, 1}
	convolution := g.create(C.CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, C.CUDNN_TYPE_INT64, C.int64_t(2))
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_COMP_TYPE, C.CUDNN_TYPE_DATA_TYPE, C.cudnnDataType_t(C.CUDNN_DATA_FLOAT))
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_CONV_MODE, C.CUDNN_TYPE_CONVOLUTION_MODE, C.cudnnConvolutionMode_t(C.CUDNN_CROSS_CORRELATION))
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, C.CUDNN_TYPE_INT64, padding, padding)
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, C.CUDNN_TYPE_INT64, padding, padding)
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, C.CUDNN_TYPE_INT64, ones...)
	set(g, convolution, C.CUDNN_ATTR_CONVOLUTION_DILATIONS, C.CUDNN_TYPE_INT64, ones...)
	g.finalize(convolution)

	operation := g.create(C.CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, x)
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, y)
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, w)
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, convolution)
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, C.CUDNN_TYPE_FLOAT, C.float(1))
	set(g, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, C.CUDNN_TYPE_FLOAT, C.float(0))
	g.finalize(operation)

	g.operations = g.create(C.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
	set(g, g.operations, C.CUDNN_ATTR_OPERATIONGRAPH_OPS, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, operation)
	set(g, g.operations, C.CUDNN_ATTR_OPERATIONGRAPH_HANDLE, C.CUDNN_TYPE_HANDLE, contextOf(c))
	g.finalize(g.operations)
	if g.err != nil {
		return nil, First(g.err, g.Destroy())
	}
	return g, nil
}

// tensor describes a tensor that lies in memory with its channels last.
func (b *builder) tensor(number C.int64_t, batch, channels, height, width int) descriptor {
	n, c, h, w := C.int64_t(batch), C.int64_t(channels), C.int64_t(height), C.int64_t(width)
	t := b.create(C.CUDNN_BACKEND_TENSOR_DESCRIPTOR)
	set(b, t, C.CUDNN_ATTR_TENSOR_DATA_TYPE, C.CUDNN_TYPE_DATA_TYPE, C.cudnnDataType_t(C.CUDNN_DATA_FLOAT))
	set(b, t, C.CUDNN_ATTR_TENSOR_DIMENSIONS, C.CUDNN_TYPE_INT64, n, c, h, w)
	set(b, t, C.CUDNN_ATTR_TENSOR_STRIDES, C.CUDNN_TYPE_INT64, h*w*c, 1, w*c, c)
	set(b, t, C.CUDNN_ATTR_TENSOR_UNIQUE_ID, C.CUDNN_TYPE_INT64, number)
	set(b, t, C.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, C.CUDNN_TYPE_INT64, C.int64_t(tensorAlignment))
	b.finalize(t)
	return t
}

// Engines returns what can compute the gradient, what is expected to be fastest first.
// They live as long as g.
func (g *FilterGradient) Engines() ([]Engine, error) {
	var all []Engine
	for _, mode := range []C.cudnnBackendHeurMode_t{C.CUDNN_HEUR_MODE_B, C.CUDNN_HEUR_MODE_FALLBACK} {
		heuristics := g.create(C.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
		set(g, heuristics, C.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, g.operations)
		set(g, heuristics, C.CUDNN_ATTR_ENGINEHEUR_MODE, C.CUDNN_TYPE_HEUR_MODE, mode)
		g.finalize(heuristics)
		configurations := g.parts(heuristics, C.CUDNN_ATTR_ENGINEHEUR_RESULTS, C.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
		if IsUnsupported(g.err) {
			g.err = nil // not every shape has both lists
		}
		for _, c := range configurations {
			all = append(all, g.engine(c))
		}
	}
	return all, g.err
}

// engine reads what an engine, as it is set up, is like.
func (g *FilterGradient) engine(configuration descriptor) Engine {
	engine := g.part(configuration, C.CUDNN_ATTR_ENGINECFG_ENGINE, C.CUDNN_BACKEND_ENGINE_DESCRIPTOR)
	name := []string{fmt.Sprintf("engine %d", number[C.int64_t](g, engine, C.CUDNN_ATTR_ENGINE_GLOBAL_INDEX, C.CUDNN_TYPE_INT64))}
	for _, k := range g.parts(configuration, C.CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, C.CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR) {
		knob := number[C.cudnnBackendKnobType_t](g, k, C.CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, C.CUDNN_TYPE_KNOB_TYPE)
		value := number[C.int64_t](g, k, C.CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, C.CUDNN_TYPE_INT64)
		name = append(name, fmt.Sprintf("%d:%d", knob, value))
	}
	const most = 32 // more than there are kinds of notes
	notes := get(g, engine, C.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, C.CUDNN_TYPE_NUMERICAL_NOTE, make([]C.cudnnBackendNumericalNote_t, most))
	says := func(n C.cudnnBackendNumericalNote_t) bool { return slices.Contains(notes, n) }
	return Engine{
		Name:          strings.Join(name, " "),
		Deterministic: !says(C.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC),
		TensorCores:   says(C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE),
		Exact: !says(C.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) && !says(C.CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) &&
			!says(C.CUDNN_NUMERICAL_NOTE_FFT),
		configuration: configuration,
	}
}

// Plan makes an engine ready. Its error is IsUnsupported where the engine cannot be.
func (g *FilterGradient) Plan(e Engine) (*Plan, error) {
	p := &Plan{context: g.context}
	p.plan = p.create(C.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
	set(p, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE, C.CUDNN_TYPE_HANDLE, contextOf(g.context))
	set(p, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, e.configuration)
	p.finalize(p.plan)
	p.workspace = int(number[C.int64_t](p, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, C.CUDNN_TYPE_INT64))
	if p.err != nil {
		return nil, First(p.Destroy(), p.err)
	}
	return p, nil
}

// Workspace returns the bytes of scratch memory that Run needs.
func (p *Plan) Workspace() int { return p.workspace }

// Run queues dw = the gradient by the pictures x and the gradient dy.
func (p *Plan) Run(x, dy, dw, workspace Memory) error {
	var b builder
	pack := b.create(C.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
	set(&b, pack, C.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, C.CUDNN_TYPE_INT64, numbersOfTensors[:]...)
	set(&b, pack, C.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, C.CUDNN_TYPE_VOID_PTR, x.Uintptr(), dy.Uintptr(), dw.Uintptr())
	set(&b, pack, C.CUDNN_ATTR_VARIANT_PACK_WORKSPACE, C.CUDNN_TYPE_VOID_PTR, workspace.Uintptr())
	b.finalize(pack)
	if b.err == nil {
		b.err = cudnnError("cudnnBackendExecute", C.cudnnBackendExecute(contextOf(p.context), p.plan, pack))
	}
	// A failure to free comes first: it is not the engine's fault.
	return First(b.Destroy(), b.err)
}

type descriptor = C.cudnnBackendDescriptor_t

// builder makes descriptors and keeps them. After an error it does nothing more.
type builder struct {
	made []descriptor
	err  error
}

func (b *builder) self() *builder { return b }

// building is what has a builder.
type building interface{ self() *builder }

func (b *builder) create(kind C.cudnnBackendDescriptorType_t) (d descriptor) {
	if b.err != nil {
		return nil
	}
	b.err = cudnnError("cudnnBackendCreateDescriptor", C.cudnnBackendCreateDescriptor(kind, &d))
	if b.err == nil {
		b.made = append(b.made, d)
	}
	return d
}

func (b *builder) finalize(d descriptor) {
	if b.err == nil {
		b.err = cudnnError("cudnnBackendFinalize", C.cudnnBackendFinalize(d))
	}
}

// set sets an attribute of a descriptor.
func set[T any](of building, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t, values ...T) {
	if b := of.self(); b.err == nil {
		b.err = cudnnError("cudnnBackendSetAttribute", C.cudnnBackendSetAttribute(d, name, kind, C.int64_t(len(values)), unsafe.Pointer(&values[0])))
	}
}

// get reads an attribute of as many values as there is room for at most.
func get[T any](of building, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t, room []T) []T {
	b := of.self()
	if b.err != nil || len(room) == 0 {
		return nil
	}
	var n C.int64_t
	b.err = cudnnError("cudnnBackendGetAttribute", C.cudnnBackendGetAttribute(d, name, kind, C.int64_t(len(room)), &n, unsafe.Pointer(&room[0])))
	return room[:min(int(n), len(room))]
}

// number reads an attribute of one value.
func number[T any](of building, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t) (value T) {
	if got := get(of, d, name, kind, make([]T, 1)); len(got) > 0 {
		value = got[0]
	}
	return value
}

// parts reads an attribute that is a list of descriptors.
func (b *builder) parts(d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendDescriptorType_t) []descriptor {
	if b.err != nil {
		return nil
	}
	var n C.int64_t
	if b.err = cudnnError("cudnnBackendGetAttribute", C.cudnnBackendGetAttribute(d, name, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &n, nil)); b.err != nil {
		return nil
	}
	// cuDNN fills descriptors that are there.
	room := make([]descriptor, n)
	for i := range room {
		room[i] = b.create(kind)
	}
	return get(b, d, name, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, room)
}

// part reads an attribute that is a descriptor.
func (b *builder) part(d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendDescriptorType_t) descriptor {
	part := b.create(kind)
	get(b, d, name, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, []descriptor{part})
	return part
}

// Destroy frees the descriptors, in the order that is the reverse of their making.
func (b *builder) Destroy() error {
	var failed []error
	for _, d := range slices.Backward(b.made) {
		failed = append(failed, cudnnError("cudnnBackendDestroyDescriptor", C.cudnnBackendDestroyDescriptor(d)))
	}
	b.made = nil
	return First(failed...)
}
