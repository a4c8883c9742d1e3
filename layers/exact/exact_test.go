package exact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// network is a chain with an input and a batch.
type network struct {
	name      string
	input     layers.Shape
	chain     []layers.Layer
	rows      int
	smoothing float64
	inference bool
}

// networks have every kind of layer, with normalization by the batch's own
// statistics and by the moving ones, and without.
func networks() []network {
	picture := layers.Shape{Height: 5, Width: 4, Channels: 2}
	conv := func(norm bool) []layers.Layer {
		return []layers.Layer{
			layers.Conv{Name: "conv1", Filters: 3, Kernel: 3},
			layers.Epilogue{Name: "norm1", BatchNorm: norm, Slope: 0.01},
			layers.Conv{Name: "conv2", Filters: 4, Kernel: 3},
			layers.Epilogue{Name: "norm2", BatchNorm: norm, Slope: 0.1, Pool: true, Dropout: 0.4},
			layers.Conv{Name: "conv3", Filters: 3, Kernel: 1},
			layers.Epilogue{Name: "norm3", BatchNorm: norm, Slope: 1, Pool: true},
			layers.Dense{Name: "dense1", Units: 6},
			layers.Epilogue{Name: "norm4", BatchNorm: norm, Slope: 0.01, Dropout: 0.5},
			layers.Dense{Name: "out", Units: 3},
			layers.Epilogue{Name: "out", Slope: 1},
		}
	}
	return []network{
		{name: "batch normalization", input: picture, chain: conv(true), rows: 6},
		{name: "batch normalization, smoothing", input: picture, chain: conv(true), rows: 5, smoothing: 0.1},
		{name: "moving statistics", input: picture, chain: conv(true), rows: 4, inference: true},
		{name: "biases", input: picture, chain: conv(false), rows: 4, smoothing: 0.1},
		{name: "perceptron", input: layers.Shape{Height: 1, Width: 1, Channels: 5, Flat: true}, rows: 7,
			chain: layers.MLP{Hidden: 3, Units: 6, Dropout: 0.3, Norm: layers.NoNorm, Slope: 0.01}.Layers(4)},
		{name: "perceptron with normalization behind the activation", input: layers.Shape{Height: 1, Width: 1, Channels: 5, Flat: true}, rows: 7,
			chain: layers.MLP{Hidden: 2, Units: 6, Dropout: 0.3, Norm: layers.NormAfter, Slope: 0.01}.Layers(4)},
		{name: "logits behind normalization", input: picture, rows: 8,
			chain: []layers.Layer{layers.Dense{Name: "out", Units: 3}, layers.Epilogue{Name: "out", BatchNorm: true, Slope: 0.01}}},
		{name: "ReLU", input: picture, rows: 5, smoothing: 0.1,
			chain: []layers.Layer{
				layers.ReLU{Name: "relu1"},
				layers.Conv{Name: "conv1", Filters: 3, Kernel: 3},
				layers.ReLU{Name: "relu2"},
				layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 1},
				layers.ReLU{Name: "relu3"},
				layers.Dense{Name: "dense1", Units: 6},
				layers.Epilogue{Name: "dense1", Slope: 1},
				layers.ReLU{Name: "relu4"},
				layers.Dense{Name: "out", Units: 3},
			}},
		{name: "normalization of the input", input: picture, rows: 4,
			chain: []layers.Layer{layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 0.2, Pool: true}, layers.Dense{Name: "out", Units: 3}}},
	}
}

// step of the central differences. Their error is step^2/6 times the third
// derivative of what they are taken of, plus its rounding, some 2^-50, over the
// step: 1e-11 and 1e-10 for values and third derivatives of the order of 1.
const step = 1.0 / (1 << 20)

// differenceError is a bound with room for third derivatives of a hundred.
const differenceError = 1e-8

// marginNeeded keeps the steps, whose effect on the input of a LeakyReLU is a
// few times their size, on one side of every kink.
const marginNeeded = 100 * step

// drawn returns the network with parameters and a batch of moderate size, from
// the first seed whose kinks are far enough away.
func (n network) drawn(t *testing.T) (*Network, Batch) {
	t.Helper()
	for seed := uint64(1); seed < 2000; seed++ {
		random := rand.New(rand.NewPCG(seed, 0))
		m := must(New(n.input, n.chain))(t)
		for _, p := range m.Parameters {
			for i := range p.Value {
				p.Value[i] = random.NormFloat64()
				if len(p.Shape) > 1 { // keeps the size of what passes through
					fanIn := len(p.Value) / p.Shape[len(p.Shape)-1]
					p.Value[i] /= math.Sqrt(float64(fanIn))
				}
			}
		}
		for _, s := range m.Statistics {
			for i := range s.Value {
				s.Value[i] = 0.5 + random.Float64()
			}
		}
		b := Batch{Smoothing: n.smoothing, Training: !n.inference, Labels: make([]int32, n.rows)}
		for range n.rows * n.input.Elements() {
			b.X = append(b.X, random.NormFloat64())
		}
		for i := range b.Labels {
			b.Labels[i] = random.Int32N(int32(m.Classes))
		}
		b.Masks = drawMasks(random, n)
		if m.Forward(b).Margin > marginNeeded {
			t.Logf("seed %d", seed)
			return m, b
		}
	}
	t.Fatal("no seed below 2000 keeps all kinks away")
	return nil, Batch{}
}

func drawMasks(random *rand.Rand, n network) [][]uint8 {
	masks := [][]uint8{}
	shape := n.input
	for _, l := range n.chain {
		switch l := l.(type) {
		case layers.Conv:
			shape.Channels = l.Filters
		case layers.Dense:
			shape = layers.Shape{Height: 1, Width: 1, Channels: l.Units}
		case layers.Epilogue:
			if l.Pool {
				shape.Height, shape.Width = (shape.Height+1)/2, (shape.Width+1)/2
			}
			if l.Dropout > 0 {
				mask := make([]uint8, n.rows*shape.Elements())
				for i := range mask {
					mask[i] = uint8(random.IntN(2))
				}
				masks = append(masks, mask)
			}
		}
	}
	return masks
}

// eachNetwork runs a test on each network.
func eachNetwork(t *testing.T, test func(t *testing.T, m *Network, b Batch)) {
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			m, b := n.drawn(t)
			test(t, m, b)
		})
	}
}

// difference returns the central difference of a function of the parameters
// along a direction.
func difference(t *testing.T, m *Network, b Batch, direction []float64, value func(p *Pass) []float64) []float64 {
	t.Helper()
	base, values := m.Forward(b), append([]float64{}, m.Values...)
	at := func(step float64) []float64 {
		for i := range m.Values {
			m.Values[i] = values[i] + step*direction[i]
		}
		p := m.Forward(b)
		if !bytes.Equal(p.Decisions, base.Decisions) {
			t.Fatal("a kink within the step")
		}
		return value(p)
	}
	above, below := at(step), at(-step)
	copy(m.Values, values)
	d := make([]float64, len(above))
	for i := range d {
		d[i] = (above[i] - below[i]) / (2 * step)
	}
	return d
}

// must returns a function that gives the value, and ends the test on an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func unitVector(n, i int) []float64 {
	z := make([]float64, n)
	z[i] = 1
	return z
}

func compare(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	size := 1.0
	for _, v := range want {
		size = max(size, math.Abs(v))
	}
	for i, v := range want {
		if d := math.Abs(got[i] - v); !(d <= tolerance*size) {
			t.Errorf("%s: element %d is %.12g, want %.12g: off by %.2g, tolerance %.2g", what, i, got[i], v, d, tolerance*size)
			return
		}
	}
}

// Every element of the gradient is the loss's central difference.
func TestGradient(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Network, b Batch) {
		gradient := m.Forward(b).Gradient()
		var differences []float64
		for i := range m.Values {
			d := difference(t, m, b, unitVector(len(m.Values), i), func(p *Pass) []float64 { return []float64{p.Loss} })
			differences = append(differences, d[0])
		}
		compare(t, "gradient", gradient, differences, differenceError)
	})
}

// The product of the Hessian with a unit vector and with any other is the
// gradient's central difference along it, and the diagonal is made of the former.
func TestHessian(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachNetwork(t, func(t *testing.T, m *Network, b Batch) {
		diagonal := must(m.Forward(b).HessianDiagonal(t.Context()))(t)
		for i := range m.Values {
			z := unitVector(len(m.Values), i)
			product := m.Forward(b).HessianVector(z)
			compare(t, fmt.Sprintf("column %d", i), product, difference(t, m, b, z, (*Pass).Gradient), differenceError)
			compare(t, fmt.Sprintf("element %d of the diagonal", i), diagonal[i:i+1], product[i:i+1], 1e-13)
		}
		random := rand.New(rand.NewPCG(1, 1))
		z := make([]float64, len(m.Values))
		for i := range z {
			z[i] = random.NormFloat64() / math.Sqrt(float64(len(z)))
		}
		compare(t, "product", m.Forward(b).HessianVector(z), difference(t, m, b, z, (*Pass).Gradient), differenceError)
	})
}

// The diagonal of the Gauss-Newton matrix is that of its definition, with the
// Jacobian of the logits by central differences; where the loss is piecewise a
// convex function of an affine one, in all networks but those normalized by
// their batch, it is the Hessian's.
func TestGaussNewton(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Network, b Batch) {
		p := m.Forward(b)
		diagonal := must(p.GaussNewtonDiagonal(t.Context()))(t)
		want := make([]float64, len(m.Values))
		for i := range want {
			j := difference(t, m, b, unitVector(len(want), i), func(p *Pass) []float64 { return p.Logits })
			for row := range b.Labels {
				logits, j := p.Logits[row*m.Classes:][:m.Classes], j[row*m.Classes:][:m.Classes]
				var sum, mean, square float64
				for _, v := range logits {
					sum += math.Exp(v)
				}
				for c, v := range logits {
					mean += math.Exp(v) / sum * j[c]
					square += math.Exp(v) / sum * j[c] * j[c]
				}
				want[i] += (square - mean*mean) / float64(len(b.Labels))
			}
		}
		compare(t, "diagonal", diagonal, want, differenceError)
		if len(p.Normalizations) == 0 {
			hessian := must(p.HessianDiagonal(t.Context()))(t)
			compare(t, "diagonal against the Hessian's", diagonal, hessian, 1e-12)
		}
	})
}

// What no network can be is an error that names the layer.
func TestNewFails(t *testing.T) {
	picture := layers.Shape{Height: 4, Width: 4, Channels: 1}
	for name, chain := range map[string][]layers.Layer{
		"conv1": {layers.Dense{Name: "dense1", Units: 2}, layers.Conv{Name: "conv1", Filters: 2, Kernel: 1}},
		"conv2": {layers.Conv{Name: "conv2", Filters: 2, Kernel: 2}, layers.Dense{Name: "dense1", Units: 2}},
		"pool1": {layers.Dense{Name: "dense1", Units: 2}, layers.Epilogue{Name: "pool1", Pool: true}},
		"dense": {layers.Conv{Name: "conv1", Filters: 2, Kernel: 3}},
	} {
		if _, err := New(picture, chain); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Load takes parameters and statistics of the same chain, and of no other.
func TestLoad(t *testing.T) {
	stream := must(must(cpu.New(cpu.Options{}))(t).NewStream())(t)
	defer stream.Close()
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			from := must(layers.New(stream, n.input, n.chain, 3))(t)
			m := must(New(n.input, n.chain))(t)
			if err := m.Load(from); err != nil {
				t.Fatal(err)
			}
			if len(m.Values) != from.Trainable() || m.Classes != from.Classes {
				t.Errorf("%d parameters for %d classes, want %d for %d", len(m.Values), m.Classes, from.Trainable(), from.Classes)
			}
			for i, p := range from.Parameters {
				host := make([]float32, p.Elements())
				if err := p.Download(stream, host, p.Value); err != nil {
					t.Fatal(err)
				}
				compare(t, p.Name, m.Parameters[i].Of(m.Values), Widen(host), 0)
			}
			for i, s := range from.Statistics {
				host := make([]float32, s.Value.Len())
				if err := gpu.Download(stream, host, s.Value); err != nil {
					t.Fatal(err)
				}
				compare(t, s.Name, m.Statistics[i].Value, Widen(host), 0)
			}
		})
	}
	other := must(layers.New(stream, networks()[0].input, networks()[0].chain, 3))(t)
	if err := must(New(networks()[3].input, networks()[3].chain))(t).Load(other); err == nil {
		t.Error("a network of another chain was loaded")
	}
}

// A diagonal that is not wanted any more ends with the context's error.
func TestDiagonalsEndWithTheContext(t *testing.T) {
	m, b := networks()[0].drawn(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := m.Forward(b)
	if _, err := p.HessianDiagonal(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Hessian: %v", err)
	}
	if _, err := p.GaussNewtonDiagonal(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Gauss-Newton matrix: %v", err)
	}
}
