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
// dnn does not reach. On an H100 its deterministic engines take a quarter of the time, in
// TF32 less than half, of the one deterministic algorithm of cuDNN's functions.
type FilterGradient struct {
	builder
	operations descriptor
}

// Engine is one of cuDNN's ways to compute a [FilterGradient].
type Engine struct {
	// Name has the engine's number and the kinds and settings of its knobs. With cuDNN's
	// version and the card they determine the result exactly.
	Name string
	// Deterministic says that results are bit-identical each time, TensorCores that factors
	// are rounded to TF32. Exact says that factors are not rounded further, that sums are
	// made in float32 or better, and that there is no Fourier transform. The errors of
	// one are relative to the largest of the results.
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

// NewFilterGradient describes the gradient of filters in OHWI by NHWC pictures. It asks the
// context, which must stay as long as it.
func NewFilterGradient(c *cudnn.Context, s gpu.ConvolutionShape) (*FilterGradient, error) {
	g := &FilterGradient{}
	b := &g.builder
	x := b.tensor(xNumber, s.Batch, s.In, s.Height, s.Width)
	y := b.tensor(yNumber, s.Batch, s.Out, s.Height, s.Width)
	w := b.tensor(wNumber, s.Out, s.In, s.Kernel, s.Kernel)

	padding, ones := C.int64_t(s.Kernel/2), []C.int64_t{1, 1}
	convolution := b.create(C.CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, C.CUDNN_TYPE_INT64, C.int64_t(2))
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_COMP_TYPE, C.CUDNN_TYPE_DATA_TYPE, C.cudnnDataType_t(C.CUDNN_DATA_FLOAT))
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_CONV_MODE, C.CUDNN_TYPE_CONVOLUTION_MODE, C.cudnnConvolutionMode_t(C.CUDNN_CROSS_CORRELATION))
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, C.CUDNN_TYPE_INT64, padding, padding)
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, C.CUDNN_TYPE_INT64, padding, padding)
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, C.CUDNN_TYPE_INT64, ones...)
	set(b, convolution, C.CUDNN_ATTR_CONVOLUTION_DILATIONS, C.CUDNN_TYPE_INT64, ones...)
	b.finalize(convolution)

	operation := b.create(C.CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, x)
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, y)
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, w)
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, convolution)
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, C.CUDNN_TYPE_FLOAT, C.float(1))
	set(b, operation, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, C.CUDNN_TYPE_FLOAT, C.float(0))
	b.finalize(operation)

	g.operations = b.create(C.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
	set(b, g.operations, C.CUDNN_ATTR_OPERATIONGRAPH_OPS, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, operation)
	set(b, g.operations, C.CUDNN_ATTR_OPERATIONGRAPH_HANDLE, C.CUDNN_TYPE_HANDLE, contextOf(c))
	b.finalize(g.operations)
	if b.err != nil {
		return nil, First(b.err, b.Destroy())
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

// Engines returns what can compute the gradient and suits, what is expected to be fastest
// first. Whoever is asked whether an engine suits does not see its name yet. Engines live
// as long as g.
func (g *FilterGradient) Engines(suits func(Engine) bool) ([]Engine, error) {
	var all []Engine
	b := &g.builder
	for _, mode := range []C.cudnnBackendHeurMode_t{C.CUDNN_HEUR_MODE_B, C.CUDNN_HEUR_MODE_FALLBACK} {
		heuristics := b.create(C.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
		set(b, heuristics, C.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, g.operations)
		set(b, heuristics, C.CUDNN_ATTR_ENGINEHEUR_MODE, C.CUDNN_TYPE_HEUR_MODE, mode)
		b.finalize(heuristics)
		configurations := b.parts(heuristics, C.CUDNN_ATTR_ENGINEHEUR_RESULTS, C.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
			b.count(heuristics, C.CUDNN_ATTR_ENGINEHEUR_RESULTS))
		if IsUnsupported(b.err) {
			b.err = nil // not every shape has both lists
		}
		for _, c := range configurations {
			if e := b.engine(c); suits(e) {
				e.Name = b.name(c)
				all = append(all, e)
			}
		}
	}
	return all, b.err
}

// More than an engine has.
const mostKnobs, mostNotes = 16, 32

// engine reads what an engine is like, from how it is set up.
func (b *builder) engine(configuration descriptor) Engine {
	engine := b.part(configuration, C.CUDNN_ATTR_ENGINECFG_ENGINE, C.CUDNN_BACKEND_ENGINE_DESCRIPTOR)
	notes := get(b, engine, C.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, C.CUDNN_TYPE_NUMERICAL_NOTE, make([]C.cudnnBackendNumericalNote_t, mostNotes))
	says := func(n C.cudnnBackendNumericalNote_t) bool { return slices.Contains(notes, n) }
	return Engine{
		Deterministic: !says(C.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC),
		TensorCores:   says(C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE),
		Exact: !says(C.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) && !says(C.CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) &&
			!says(C.CUDNN_NUMERICAL_NOTE_FFT),
		configuration: configuration,
	}
}

// name reads an engine's name: "engine 68 2:5 13:0".
func (b *builder) name(configuration descriptor) string {
	engine := b.part(configuration, C.CUDNN_ATTR_ENGINECFG_ENGINE, C.CUDNN_BACKEND_ENGINE_DESCRIPTOR)
	words := []string{fmt.Sprintf("engine %d", number[C.int64_t](b, engine, C.CUDNN_ATTR_ENGINE_GLOBAL_INDEX, C.CUDNN_TYPE_INT64))}
	knobs := b.parts(configuration, C.CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, C.CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, mostKnobs)
	if IsUnsupported(b.err) || IsRefused(b.err) {
		b.err, knobs = nil, nil // an engine that tells of none is as good
	}
	for _, k := range knobs {
		knob := number[C.cudnnBackendKnobType_t](b, k, C.CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, C.CUDNN_TYPE_KNOB_TYPE)
		value := number[C.int64_t](b, k, C.CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, C.CUDNN_TYPE_INT64)
		words = append(words, fmt.Sprintf("%d:%d", knob, value))
	}
	return strings.Join(words, " ")
}

// Plan makes an engine ready to run on a context, which need not be that of its
// [FilterGradient]. Its error is IsUnsupported where the engine cannot be.
func (e Engine) Plan(c *cudnn.Context) (*Plan, error) {
	p := &Plan{context: c}
	b := &p.builder
	p.plan = b.create(C.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
	set(b, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE, C.CUDNN_TYPE_HANDLE, contextOf(c))
	set(b, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, e.configuration)
	b.finalize(p.plan)
	p.workspace = int(number[C.int64_t](b, p.plan, C.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, C.CUDNN_TYPE_INT64))
	if b.err != nil {
		return nil, First(b.Destroy(), b.err)
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
func set[T any](b *builder, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t, values ...T) {
	if b.err == nil {
		b.err = cudnnError("cudnnBackendSetAttribute", C.cudnnBackendSetAttribute(d, name, kind, C.int64_t(len(values)), unsafe.Pointer(&values[0])))
	}
}

// get reads an attribute of as many values as there is room for at most.
func get[T any](b *builder, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t, room []T) []T {
	if b.err != nil || len(room) == 0 {
		return nil
	}
	var n C.int64_t
	b.err = cudnnError("cudnnBackendGetAttribute", C.cudnnBackendGetAttribute(d, name, kind, C.int64_t(len(room)), &n, unsafe.Pointer(&room[0])))
	return room[:min(int(n), len(room))]
}

// number reads an attribute of one value.
func number[T any](b *builder, d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendAttributeType_t) (value T) {
	if got := get(b, d, name, kind, make([]T, 1)); len(got) > 0 {
		value = got[0]
	}
	return value
}

// count reads how many values an attribute has. Of knobs cuDNN 9.19 was seen to say 0.
func (b *builder) count(d descriptor, name C.cudnnBackendAttributeName_t) int {
	var n C.int64_t
	if b.err == nil {
		b.err = cudnnError("cudnnBackendGetAttribute", C.cudnnBackendGetAttribute(d, name, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &n, nil))
	}
	return int(n)
}

// parts reads an attribute that is a list of descriptors, at most so many: cuDNN fills
// those that are there for it.
func (b *builder) parts(d descriptor, name C.cudnnBackendAttributeName_t, kind C.cudnnBackendDescriptorType_t, most int) []descriptor {
	room := make([]descriptor, most)
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
