package layers

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Shape is the extent of one sample between two layers.
type Shape struct {
	Height, Width, Channels int
	// Flat marks a vector, the output of a dense layer: Height and Width are 1.
	Flat bool
}

// Elements returns the number of values of a sample.
func (s Shape) Elements() int { return s.Height * s.Width * s.Channels }

// Layer is a stage of a network before it has parameters: [Conv], [Dense],
// [Epilogue] or [ReLU].
type Layer interface {
	// declare adds the layer's parameters and statistics for the given input
	// and returns the layer with them and its output's shape.
	declare(d *declaration, in Shape) (node, Shape, error)
}

// node is a layer of a network, with its parameters.
type node interface {
	// bind makes the layer's part of a batch that reads x.
	bind(b *binder, x gpu.Slice[float32]) (unit, gpu.Slice[float32], error)
}

// unit is a layer bound to a batch. The sweeps that it has besides forward and backward
// are tangentUnit, hesScaleUnit and columnUnit.
type unit interface {
	// bindGradient takes the gradient of the loss by the layer's output and
	// returns that by its input, or null if it is not wanted.
	bindGradient(b *binder, output gpu.Slice[float32], wanted bool) gpu.Slice[float32]
	forward(r *gpu.Recorder, training bool)
	// backward writes the parameters' gradients into a vector of their layout.
	backward(r *gpu.Recorder, gradients gpu.Slice[float32])
	// label names the layer in profiles.
	label() string
}

// calibrator is a unit with statistics that Batch.Calibrate recomputes.
type calibrator interface {
	calibrate(r *gpu.Recorder, state gpu.Slice[uint32])
}

// Parameter is a trainable tensor. Its elements are in the order of Shape on the host;
// see Upload for the device.
type Parameter struct {
	Name     string // "conv1/kernel"
	Shape    []int
	Value    gpu.Slice[float32]
	Gradient gpu.Slice[float32]
	Offset   int // of both in Network.Values and Network.Gradients

	initial initializer
	layout  gpu.FilterLayout // of a filter or a dense kernel on the device
}

// In returns the parameter's part of a vector with the layout of
// Network.Values.
func (p *Parameter) In(vector gpu.Slice[float32]) gpu.Slice[float32] {
	return vector.Sub(p.Offset, p.Offset+p.Elements())
}

// Elements returns the number of elements of the tensor.
func (p *Parameter) Elements() int { return product(p.Shape) }

// Statistic is a tensor that training updates without a gradient: a moving mean
// or variance.
type Statistic struct {
	Name  string // "bn1/moving_mean"
	Value gpu.Slice[float32]

	offset, n int
	initial   float32
}

// Network is a chain of layers with parameters on a device. Its buffers may be
// read between programs.
type Network struct {
	Stream     gpu.Stream
	Input      Shape
	Classes    int
	Parameters []*Parameter
	Statistics []*Statistic
	// Values, Gradients and Moving hold all parameters, their gradients and all
	// statistics, for updates and checkpoints. Gaps align the tensors and are zero.
	Values, Gradients, Moving gpu.Slice[float32]
	// Retain makes Bind keep the gradients by all activations, which takes as much memory
	// as these, instead of two buffers. Batch.BindTangent needs them.
	Retain bool

	nodes    []node
	dropouts int
}

// declaration collects what the layers of a network need.
type declaration struct {
	network *Network
	values  int // elements declared
	moving  int
}

func (d *declaration) parameter(name string, initial initializer, shape ...int) *Parameter {
	p := &Parameter{Name: name, Shape: shape, Offset: d.values, initial: initial}
	d.values = align(d.values + p.Elements())
	d.network.Parameters = append(d.network.Parameters, p)
	return p
}

// filter is parameter with the layout that the device's convolutions take.
func (d *declaration) filter(name string, initial initializer, shape ...int) *Parameter {
	p := d.parameter(name, initial, shape...)
	p.layout = d.network.Stream.Device().FilterLayout()
	return p
}

func (d *declaration) statistic(name string, initial float32, n int) *Statistic {
	s := &Statistic{Name: name, offset: d.moving, n: n, initial: initial}
	d.moving = align(d.moving + n)
	d.network.Statistics = append(d.network.Statistics, s)
	return s
}

func align(n int) int {
	return (n + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
}

// New makes a network of the layers on the stream's device, with the initial weights of the
// seed. The output of the last layer is the logits. New returns an error if the layers do
// not fit each other, if the last one is not dense, or if the device has too little memory.
func New(stream gpu.Stream, input Shape, chain []Layer, seed uint64) (*Network, error) {
	n := &Network{Stream: stream, Input: input}
	d := &declaration{network: n}
	shape := input
	for i, l := range chain {
		node, out, err := l.declare(d, shape)
		if err != nil {
			return nil, fmt.Errorf("layer %d of the network: %w", i+1, err)
		}
		n.nodes = append(n.nodes, node)
		shape = out
	}
	if !shape.Flat {
		return nil, fmt.Errorf("the network's last layer is not dense: it gives %d x %d pixels", shape.Height, shape.Width)
	}
	n.Classes = shape.Channels
	if d.values > math.MaxInt32 { // a kernel counts elements in int32
		return nil, fmt.Errorf("the network has %d parameters, at most %d are possible: choose a smaller one", n.Trainable(), math.MaxInt32)
	}

	a := gpu.NewArena(stream)
	n.Values, n.Gradients = gpu.Reserve[float32](a, d.values), gpu.Reserve[float32](a, d.values)
	n.Moving = gpu.Reserve[float32](a, d.moving)
	if err := a.Allocate(); err != nil {
		return nil, fmt.Errorf("parameters of the network: %w", err)
	}
	for _, p := range n.Parameters {
		p.Value, p.Gradient = p.In(n.Values), p.In(n.Gradients)
	}
	for _, s := range n.Statistics {
		s.Value = n.Moving.Sub(s.offset, s.offset+s.n)
	}
	return n, n.Initialize(seed)
}

// Trainable returns the number of trainable parameters.
func (n *Network) Trainable() int {
	total := 0
	for _, p := range n.Parameters {
		total += p.Elements()
	}
	return total
}

func product(shape []int) int {
	p := 1
	for _, n := range shape {
		p *= n
	}
	return p
}
