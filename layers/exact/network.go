package exact

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// Tensor is a trainable tensor or a moving statistic.
type Tensor struct {
	Name   string // "conv1/kernel", as in layers.Network
	Shape  []int
	Value  []float64
	Offset int // of Value in Network.Values; 0 for a statistic
}

// Network is a chain of layers with parameters in float64.
type Network struct {
	Input      layers.Shape
	Classes    int
	Parameters []*Tensor // trainable, in the order of layers.Network
	Statistics []*Tensor // moving means and variances, in that order
	// Values holds all parameters one after the other, without gaps: Value of
	// each is a part of it. Gradients and diagonals have its layout.
	Values []float64

	stages []stage
}

// New makes a network of the layers, with all parameters and statistics zero. The output
// of the last layer is the logits. New returns an error if the layers do not fit each other.
func New(input layers.Shape, chain []layers.Layer) (*Network, error) {
	n := &Network{Input: input}
	shape := input
	for i, l := range chain {
		fail := func(format string, arguments ...any) (*Network, error) {
			return nil, fmt.Errorf("layer %d of the float64 network: %w", i+1, fmt.Errorf(format, arguments...))
		}
		switch l := l.(type) {
		case layers.Conv:
			if shape.Flat || l.Kernel%2 == 0 {
				return fail("convolution %s, extent %d: it takes pictures and an odd extent", l.Name, l.Kernel)
			}
			kernel := n.parameter(l.Name+"/kernel", l.Kernel, l.Kernel, shape.Channels, l.Filters)
			n.stages = append(n.stages, newLinear(kernel, shape.Height, shape.Width))
			shape.Channels = l.Filters
		case layers.Dense:
			kernel := n.parameter(l.Name+"/kernel", shape.Elements(), l.Units)
			n.stages = append(n.stages, newLinear(kernel, 1, 1))
			shape = layers.Shape{Height: 1, Width: 1, Channels: l.Units, Flat: true}
		case layers.Epilogue:
			if l.Pool && shape.Flat {
				return fail("epilogue %s pools after a dense layer", l.Name)
			}
			e := n.epilogue(l, shape)
			n.stages = append(n.stages, e)
			shape = e.out
		case layers.ReLU:
			n.stages = append(n.stages, relu{l})
		default:
			return fail("%T is no layer that the float64 network knows", l)
		}
	}
	if !shape.Flat {
		return nil, fmt.Errorf("the float64 network's last layer is not dense: it gives %d x %d pixels", shape.Height, shape.Width)
	}
	n.Classes = shape.Channels
	total := 0
	for _, p := range n.Parameters {
		total += len(p.Value)
	}
	n.Values = make([]float64, total)
	for _, p := range n.Parameters {
		p.Value = p.Of(n.Values)
	}
	return n, nil
}

func newTensor(name string, shape []int) *Tensor {
	elements := 1
	for _, extent := range shape {
		elements *= extent
	}
	return &Tensor{Name: name, Shape: shape, Value: make([]float64, elements)}
}

func (n *Network) parameter(name string, shape ...int) *Tensor {
	p := newTensor(name, shape)
	if last := len(n.Parameters) - 1; last >= 0 {
		p.Offset = n.Parameters[last].Offset + len(n.Parameters[last].Value)
	}
	n.Parameters = append(n.Parameters, p)
	return p
}

func (n *Network) statistic(name string, channels int) *Tensor {
	s := newTensor(name, []int{channels})
	n.Statistics = append(n.Statistics, s)
	return s
}

// Of returns the parameter's part of a vector with the layout of
// Network.Values.
func (p *Tensor) Of(vector []float64) []float64 {
	return vector[p.Offset:][:len(p.Value):len(p.Value)]
}

// Tensor returns the parameter or statistic of a name, or nil.
func (n *Network) Tensor(name string) *Tensor {
	for _, tensors := range [][]*Tensor{n.Parameters, n.Statistics} {
		for _, t := range tensors {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// Load copies parameters and statistics from a network of the same chain. It returns an
// error if the chains differ, or if the device fails.
func (n *Network) Load(from *layers.Network) error {
	if len(from.Parameters) != len(n.Parameters) || len(from.Statistics) != len(n.Statistics) {
		return fmt.Errorf("copy to the float64 network: %d parameters and %d statistics for %d and %d",
			len(from.Parameters), len(from.Statistics), len(n.Parameters), len(n.Statistics))
	}
	load := func(to *Tensor, name string, elements int, download func(host []float32) error) error {
		if name != to.Name || elements != len(to.Value) {
			return fmt.Errorf("copy to the float64 network: %s of %d elements for %s of %d", name, elements, to.Name, len(to.Value))
		}
		host := make([]float32, elements)
		if err := download(host); err != nil {
			return fmt.Errorf("copy %s to the float64 network: %w", name, err)
		}
		copy(to.Value, Widen(host))
		return nil
	}
	for i, p := range from.Parameters {
		err := load(n.Parameters[i], p.Name, p.Elements(), func(host []float32) error { return p.Download(from.Stream, host, p.Value) })
		if err != nil {
			return err
		}
	}
	for i, s := range from.Statistics {
		err := load(n.Statistics[i], s.Name, s.Value.Len(), func(host []float32) error { return gpu.Download(from.Stream, host, s.Value) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Widen converts float32 to float64.
func Widen(values []float32) []float64 {
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}

// Masks divides the memory of layers.Batch.Mask, for a batch of size samples, into the
// masks of the layers with dropout. It panics if all has another length.
func (n *Network) Masks(all []uint8, size int) [][]uint8 {
	var masks [][]uint8
	at := 0
	for _, s := range n.stages {
		e, ok := s.(*epilogue)
		if !ok || e.Dropout == 0 {
			continue
		}
		elements := size * e.out.Elements()
		if at+elements > len(all) {
			panic(fmt.Sprintf("exact: masks of %d elements end before layer %s", len(all), e.Name))
		}
		masks = append(masks, all[at:at+elements])
		at = (at + elements + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	}
	if at != len(all) {
		panic(fmt.Sprintf("exact: %d of %d elements of the masks belong to no layer", len(all)-at, len(all)))
	}
	return masks
}
