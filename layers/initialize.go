package layers

import (
	"math"

	"diaghess/kernels"
)

// initializer returns the n initial values of the tensor of a name, drawn from
// the seed. They are drawn on the host, so that they are the same on every
// device.
type initializer func(seed uint64, name string, n int) []float32

// draw calls put with the random words of a tensor's stream, in order.
func draw(seed uint64, name string, n int, put func(i int, word uint32)) {
	stream := kernels.RandomStream("init/" + name)
	for i := 0; i < n; i += 4 {
		words := kernels.Random(seed, stream, 0, uint64(i/4))
		for j := range min(4, n-i) {
			put(i+j, words[j])
		}
	}
}

// glorotUniform draws from U(-l, l), l = sqrt(6 / (fan in + fan out)): Glorot
// and Bengio 2010, eq. 16, Keras's default. The fans of a convolution count
// every tap.
func glorotUniform(fanIn, fanOut int) initializer {
	limit := float32(math.Sqrt(6 / float64(fanIn+fanOut)))
	return func(seed uint64, name string, n int) []float32 {
		values := make([]float32, n)
		draw(seed, name, n, func(i int, word uint32) {
			values[i] = (2*kernels.Uniform(word) - 1) * limit
		})
		return values
	}
}

// heNormal draws from N(0, 2 / fan in), He et al. 2015, not truncated: pairs by
// the method of Box and Muller 1958.
func heNormal(fanIn, _ int) initializer {
	deviation := math.Sqrt(2 / float64(fanIn))
	return func(seed uint64, name string, n int) []float32 {
		uniform := make([]float64, (n+1)/2*2)
		draw(seed, name, len(uniform), func(i int, word uint32) {
			uniform[i] = (float64(word) + 0.5) / (1 << 32) // in (0, 1): its logarithm is finite
		})
		values := make([]float32, n)
		for i := range values {
			radius := deviation * math.Sqrt(-2*math.Log(uniform[i&^1]))
			angle := 2 * math.Pi * uniform[i|1]
			if i%2 == 0 {
				values[i] = float32(radius * math.Cos(angle))
			} else {
				values[i] = float32(radius * math.Sin(angle))
			}
		}
		return values
	}
}

func constant(value float32) initializer {
	return func(_ uint64, _ string, n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = value
		}
		return values
	}
}
