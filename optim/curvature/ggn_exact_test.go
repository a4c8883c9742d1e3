package curvature_test

import (
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim/curvature"
)

// Of a perceptron, with dropout and of any depth, it is the twin's diagonal.
func TestGGNExact(t *testing.T) {
	for _, n := range []network{
		networks()[2],
		{"wide", layers.Shape{Height: 3, Width: 5, Channels: 2}, perceptron(5, 33, 0.3).Layers(10), 65},
		{"ReLU", layers.Shape{Height: 1, Width: 1, Channels: 9, Flat: true}, []layers.Layer{
			layers.ReLU{Name: "relu1"},
			layers.Dense{Name: "dense1", Units: 17},
			layers.Epilogue{Name: "dense1", Slope: 1},
			layers.ReLU{Name: "relu2"},
			layers.Dense{Name: "dense2", Units: 6},
			layers.ReLU{Name: "relu3"},
			layers.Dense{Name: "out", Units: 4},
		}, 33},
		{"one layer", layers.Shape{Height: 1, Width: 1, Channels: 7, Flat: true}, perceptron(0, 1, 0).Layers(3), 2},
	} {
		b := newBench(t, n, curvature.Options{Kind: "ggn-exact", Every: 1, Samples: 1}, 1)
		got, want := b.estimate(), b.gaussNewton()
		largest := 0.0
		for _, w := range want {
			largest = max(largest, w)
		}
		for i, w := range want {
			// Sums of positive terms, each a product of some 10 numbers a layer that
			// are rounded, as are the sums of up to 33 terms that make them.
			if tolerance := 100.0 / (1 << 24) * (w + 0.01*largest); math.Abs(got[i]-w) > tolerance {
				t.Errorf("%s: entry %d: %.9g, want %.9g +- %.2g", n.name, i, got[i], w, tolerance)
			}
		}
	}
}

// Other networks are refused, not approximated.
func TestGGNExactRefuses(t *testing.T) {
	for _, n := range networks()[:2] {
		b := newBench(t, n, curvature.Options{Kind: "empirical-fisher", Every: 1, Samples: 1}, 1)
		e, err := curvature.New(b.network, curvature.Options{Kind: "ggn-exact", Every: 1, Samples: 1}, 1, seed)
		b.check(err)
		if err := e.Record(&gpu.Recorder{}, b.batch, b.state); err == nil {
			t.Errorf("%s is taken", n.name)
		}
	}
}
