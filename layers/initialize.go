package layers

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

// initializer is the distribution of a tensor's initial values. Uniform values around a
// constant are made on the device, bit-identical on all devices. Normal values are made on
// the host, because devices round logarithm and cosine differently. All are pure functions
// of the seed and the tensor's name.
type initializer struct {
	constant, limit float32 // uniform in [constant - limit, constant + limit)
	deviation       float64 // of the normal distribution with mean 0; 0 for none
	truncated       bool    // at two deviations
}

func constant(value float32) initializer { return initializer{constant: value} }

// glorotUniform draws from U(-l, l), l = sqrt(6 / (fan in + fan out)): Glorot
// and Bengio 2010, eq. 16, Keras's default. The fans of a convolution count
// every tap.
func glorotUniform(fanIn, fanOut int) initializer {
	return initializer{limit: float32(math.Sqrt(6 / float64(fanIn+fanOut)))}
}

// truncatedDeviation is the standard deviation of N(0, 1) truncated at -2 and 2. Its square is
// 1 - 4 phi(2) / (Phi(2) - Phi(-2)), with the density phi and the distribution function Phi.
const truncatedDeviation = 0.87962566103423978

// stream is that of a tensor's initial values.
func (initializer) stream(name string) uint32 { return kernels.RandomStream("init/" + name) }

// tensor describes what the device draws.
func (i initializer) tensor(name string, offset, elements int) kernels.InitialTensor {
	return kernels.InitialTensor{Offset: offset, Elements: elements, Stream: i.stream(name), Constant: i.constant, Limit: i.limit}
}

// normal draws the values of a tensor of n elements: pairs by the method of Box and Muller 1958,
// or truncated by the inverse of the distribution function.
func (i initializer) normal(seed uint64, name string, n int) []float32 {
	uniform := make([]float64, (n+3)/4*4)
	for j := 0; j < len(uniform); j += 4 {
		for k, word := range kernels.Random(seed, i.stream(name), 0, uint64(j/4)) {
			uniform[j+k] = (float64(word) + 0.5) / (1 << 32) // in (0, 1): its logarithm is finite
		}
	}
	values := make([]float32, n)
	for j := range values {
		if i.truncated {
			values[j] = float32(i.deviation * math.Sqrt2 * math.Erfinv((2*uniform[j]-1)*math.Erf(math.Sqrt2)))
			continue
		}
		radius := i.deviation * math.Sqrt(-2*math.Log(uniform[j&^1]))
		angle := 2 * math.Pi * uniform[j|1]
		if j%2 == 0 {
			values[j] = float32(radius * math.Cos(angle))
		} else {
			values[j] = float32(radius * math.Sin(angle))
		}
	}
	return values
}

// Initialize sets parameters and statistics to their initial values, which are a pure
// function of the seed and each tensor's name. The error is that of the device.
func (n *Network) Initialize(seed uint64) error {
	var values, moving []kernels.InitialTensor
	for _, p := range n.Parameters {
		if p.initial.deviation == 0 {
			values = append(values, p.initial.tensor(p.Name, p.Offset, p.Elements()))
			continue
		}
		if err := gpu.Upload(n.Stream, p.Value, p.initial.normal(seed, p.Name, p.Elements())); err != nil {
			return fmt.Errorf("initial values of %s: %w", p.Name, err)
		}
	}
	for _, s := range n.Statistics {
		moving = append(moving, constant(s.initial).tensor(s.Name, s.offset, s.n))
	}
	if err := n.draw(seed, n.Values, values); err != nil {
		return fmt.Errorf("initial values of the parameters: %w", err)
	}
	if err := n.toLayout(); err != nil {
		return fmt.Errorf("initial values of the parameters: %w", err)
	}
	if err := n.draw(seed, n.Moving, moving); err != nil {
		return fmt.Errorf("initial values of the statistics: %w", err)
	}
	return nil
}

// toLayout brings values that were sampled in the host's order into that of the device.
func (n *Network) toLayout() error {
	if n.Stream.Device().FilterLayout() == gpu.HWIO {
		return nil
	}
	host := make([]float32, n.Values.Len())
	if err := gpu.Download(n.Stream, host, n.Values); err != nil {
		return err
	}
	return n.Upload(n.Values, host)
}

// draw gives tensors of a vector their initial values on the device.
func (n *Network) draw(seed uint64, vector gpu.Slice[float32], tensors []kernels.InitialTensor) error {
	if len(tensors) == 0 {
		return nil
	}
	a := gpu.NewArena(n.Stream)
	segments := gpu.ReserveCopy(a, kernels.InitialSegments(tensors))
	if err := a.Allocate(); err != nil {
		return err
	}
	var r gpu.Recorder
	r.Group("initialize", func() {
		r.Record(&kernels.Initialize{Values: vector, Segments: segments, Seed: seed})
	})
	program, err := n.Stream.Compile(r.Ops())
	if err != nil {
		return err
	}
	return program.Run()
}
