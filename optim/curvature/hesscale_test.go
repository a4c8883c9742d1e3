package curvature_test

import (
	"math"
	"testing"

	"diaghess/optim/curvature"
)

// The device computes what the twin does in float64: sums of terms that are not
// negative, so each is off by some roundings of its own, and by those of the
// activations that go into x - mean x, which cancels.
func TestHesScale(t *testing.T) {
	for _, n := range networks() {
		b := newBench(t, n, curvature.Options{Kind: "hesscale", Every: 1, Samples: 1}, 1)
		got, want := b.estimate(), b.ofTwin(b.twin.HesScale())
		for _, p := range b.network.Parameters {
			largest := 0.0
			for _, w := range want[:p.Elements()] {
				largest = max(largest, w)
			}
			for i, w := range want[:p.Elements()] {
				if tolerance := 200.0 / (1 << 24) * (w + 0.1*largest); math.Abs(got[i]-w) > tolerance {
					t.Errorf("%s: %s: element %d: %.9g, want %.9g +- %.2g", n.name, p.Name, i, got[i], w, tolerance)
				}
			}
			got, want = got[p.Elements():], want[p.Elements():]
		}
	}
}
