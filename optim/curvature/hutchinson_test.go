package curvature_test

import (
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/curvature"
)

// Hutchinson's estimator is unbiased for the diagonal of the Hessian, through
// normalization with the batch's own statistics too. A draw is a step: the parameters
// stay where they are.
func TestHutchinsonIsUnbiased(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			const draws = 2000
			b := newBench(t, n, curvature.Options{Kind: "hutchinson", Every: 1, Samples: 1}, draws)
			want, err := b.twin.HessianDiagonal(t.Context())
			b.check(err)
			b.unbiased(draws, b.ofTwin(want), 1e-5)
		})
	}
}

// signs are those that a draw at a step gives the parameters, tensor after tensor.
func (b *bench) signs(step, draw int) []float64 {
	var z []float64
	for _, p := range b.network.Parameters {
		for i := p.Offset; i < p.Offset+p.Elements(); i++ {
			word := kernels.Random(seed, kernels.RandomStream("rademacher"), uint32(step), uint64(draw)<<32|uint64(i/128))[i/32%4]
			z = append(z, 1-2*float64(word>>(i%32)&1))
		}
	}
	return z
}

// sample is the twin's z H z of a draw.
func (b *bench) sample(step, draw int) []float64 {
	z := b.signs(step, draw)
	direction, rest := make([]float64, len(z)), z
	for _, t := range b.tensors {
		rest = rest[copy(t.Of(direction), rest):]
	}
	h := b.ofTwin(b.twin.HessianVector(direction))
	for i := range h {
		h[i] *= z[i]
	}
	return h
}

// An estimate is the mean of the twin's products with the documented signs, and
// AdaHessian's the absolute value of that, of a filter its mean over the taps.
func TestHutchinsonSamples(t *testing.T) {
	for _, n := range networks() {
		for _, samples := range []int{1, 3} {
			for _, absolute := range []bool{false, true} {
				b := newBench(t, n, curvature.Options{Kind: "hutchinson", Every: 1, Samples: samples, Absolute: absolute}, 2)
				for step := range 2 {
					want := make([]float64, b.network.Trainable())
					for draw := range samples {
						for i, v := range b.sample(step, draw) {
							want[i] += v / float64(samples)
						}
					}
					if absolute {
						b.absolute(want)
					}
					b.compare(want)
				}
			}
		}
	}
}

// transposing is a device that says it keeps filters as OHWI.
type transposing struct{ gpu.Device }

func (transposing) FilterLayout() gpu.FilterLayout { return gpu.OHWI }

// onTransposing is a stream of such a device.
type onTransposing struct{ gpu.Stream }

func (s onTransposing) Device() gpu.Device { return transposing{s.Stream.Device()} }

// AdaHessian's mean is over the taps where filters lie as OHWI too. The device takes
// the filters for HWIO, so that both networks compute something, the same.
func TestTapMeanFollowsTheLayout(t *testing.T) {
	o := curvature.Options{Kind: "hutchinson", Every: 1, Samples: 1}
	want := newBenchOn(t, onTransposing{openStream(t)}, networks()[0], o, 1).estimate()
	o.Absolute = true
	b := newBenchOn(t, onTransposing{openStream(t)}, networks()[0], o, 1)
	b.absolute(want)
	b.compare(want)
}

// absolute is AdaHessian's part of an estimate.
func (b *bench) absolute(h []float64) {
	for i := range h {
		h[i] = math.Abs(h[i])
	}
	for _, p := range b.network.Parameters {
		if len(p.Shape) == 4 {
			taps, pairs := p.Shape[0]*p.Shape[1], p.Shape[2]*p.Shape[3]
			for pair := range pairs {
				mean := 0.0
				for tap := range taps {
					mean += h[tap*pairs+pair] / float64(taps)
				}
				for tap := range taps {
					h[tap*pairs+pair] = mean
				}
			}
		}
		h = h[p.Elements():]
	}
}

// compare runs a step and holds its estimate against the wanted one.
func (b *bench) compare(want []float64) {
	b.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, got := range b.estimate() {
		// As for the product itself: eight stages of sums of up to 160 terms, passed
		// four times, of values of the size of the largest.
		if tolerance := 4 * 8 * 160 * largest / (1 << 24); !(math.Abs(got-want[i]) <= tolerance) {
			b.Errorf("entry %d: %g, want %g +- %g", i, got, want[i], tolerance)
			return
		}
	}
}
