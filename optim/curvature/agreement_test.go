package curvature

import (
	"math"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// Spearman's correlation of values with a tie, by hand: it is the correlation of the
// ranks 1 2.5 2.5 4 5 with 2 1 3 5 4. With deviations -2 -.5 -.5 1 2 and -1 -2 0 2 1: 7 / sqrt(9.5 * 10).
func TestSpearman(t *testing.T) {
	got := spearman([]float64{1, 2, 2, 4, 5}, []float64{2, 1, 3, 5, 4})
	if want := 7 / math.Sqrt(95); math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
	a := agree("a", [][]float64{{2, 4, -6, 8}}, [][]float64{{1, 2, -3, 4}})
	if *a.Error != 1 || *a.Ratio != 2 || *a.Rank != 1 || a.Negative != 0.25 || a.Mean != 2 {
		t.Errorf("%+v", a)
	}
}

// The multiply-adds by hand: 5 x 3 pixels of 2 channels to 4 by a 3 x 3 filter, the 3 x 2
// that pooling leaves to 6 units, those to 3, for 7 rows.
func TestMultiplyAdds(t *testing.T) {
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	n, err := layers.New(stream, layers.Shape{Height: 5, Width: 3, Channels: 2}, []layers.Layer{
		layers.Conv{Name: "conv", Filters: 4, Kernel: 3}, layers.Epilogue{Name: "conv", Pool: true},
		layers.Dense{Name: "dense", Units: 6}, layers.Epilogue{Name: "dense"},
		layers.Dense{Name: "out", Units: 3}, layers.Epilogue{Name: "out", Slope: 1},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Bind(7)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := multiplyAdds(b), 7.0*(5*3*2*9*4+3*2*4*6+6*3); got != want {
		t.Errorf("%g multiply-adds, want %g", got, want)
	}
}
