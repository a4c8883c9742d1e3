package layers_test

import (
	"math"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// transposing is a cpu that says its convolutions take filters as OHWI. It cannot run
// them.
type transposing struct{ *cpu.Device }

func (transposing) FilterLayout() gpu.FilterLayout { return gpu.OHWI }

// onTransposing is a stream of such a device.
type onTransposing struct {
	gpu.Stream
	device transposing
}

func (s onTransposing) Device() gpu.Device { return s.device }

// The elements of a network on a device that keeps filters as OHWI are those of one on
// the host, each where its filter's layout puts it.
func TestFilterLayout(t *testing.T) {
	device, err := cpu.New(cpu.Options{Threads: 1})
	check(t, err)
	stream, err := device.NewStream()
	check(t, err)
	defer stream.Close()
	chain := []layers.Layer{
		layers.Conv{Name: "conv", Filters: 5, Kernel: 3}, layers.Epilogue{Name: "norm", BatchNorm: true, Slope: 1},
		layers.Conv{Name: "he", Filters: 2, Kernel: 1, Initializer: layers.HeNormal}, layers.Dense{Name: "dense", Units: 7},
	}
	input := layers.Shape{Height: 4, Width: 3, Channels: 2}
	plain, err := layers.New(stream, input, chain, 3)
	check(t, err)
	turned, err := layers.New(onTransposing{stream, transposing{device}}, input, chain, 3)
	check(t, err)

	values := make([]float32, turned.Values.Len())
	check(t, turned.Download(values, turned.Values))
	if want := plain.Values.Host(); !slices.Equal(values, want) {
		t.Errorf("the values on the host are %v, want %v", values, want)
	}
	// Element [h][w][i][o] of the convolution, counted by hand.
	kernel, raw := plain.Parameters[0], turned.Parameters[0].Value.Host()
	for tap := range 9 {
		for i := range 2 {
			for o := range 5 {
				if got, want := raw[(o*9+tap)*2+i], kernel.Value.Host()[(tap*2+i)*5+o]; got != want {
					t.Errorf("tap %d, input %d, output %d is %v, want %v", tap, i, o, got, want)
				}
			}
		}
	}

	// Two vectors, as of slots, and a single tensor, there and back.
	vectors, err := gpu.Alloc[float32](stream, 2*plain.Values.Len())
	check(t, err)
	host := make([]float32, vectors.Len())
	for i := range host {
		host[i] = float32(math.Sqrt(float64(i)))
	}
	check(t, turned.Upload(vectors, host))
	if slices.Equal(vectors.Host(), host) {
		t.Error("the vectors lie on the device as on the host")
	}
	back := make([]float32, len(host))
	check(t, turned.Download(back, vectors))
	if !slices.Equal(back, host) {
		t.Errorf("the vectors come back as %v, want %v", back, host)
	}
	for _, p := range turned.Parameters {
		part := make([]float32, p.Elements())
		check(t, p.Download(stream, part, p.In(vectors)))
		if want := host[p.Offset:][:len(part)]; !slices.Equal(part, want) {
			t.Errorf("%s comes back as %v, want %v", p.Name, part, want)
		}
		check(t, p.Upload(stream, p.Gradient, part))
		if got, want := p.Gradient.Host(), p.In(vectors).Host(); !slices.Equal(got, want) {
			t.Errorf("%s is uploaded as %v, want %v", p.Name, got, want)
		}
	}
}
