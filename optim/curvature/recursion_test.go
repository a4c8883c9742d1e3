package curvature_test

import (
	"math"
	"testing"

	"diaghess/optim/curvature"
)

// The device computes what the twin does in float64: sums of terms that are not
// negative, so each is off by some roundings of its own, and by those of the
// activations that go into x - mean x, which cancels.
func TestRecursion(t *testing.T) {
	for _, n := range networks() {
		b := newBench(t, n, curvature.Options{Kind: "recursion", Every: 1, Samples: 1}, 1)
		got, want := b.estimate(), b.ofTwin(b.twin.Recursion())
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

// The sums of a calibrated estimate are GNB's: of each tensor, over many steps at
// the same point, the average is the sum of the exact diagonal within 4 standard
// errors.
func TestCalibratedHasTheRightSize(t *testing.T) {
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			const steps = 600
			b := newBench(t, n, curvature.Options{Kind: "calibrated", Every: 1, Samples: 1}, steps)
			want := b.gaussNewton()
			sums := make([][]float64, len(b.network.Parameters))
			for range steps {
				e := b.estimate()
				for i, p := range b.network.Parameters {
					total := 0.0
					for _, v := range e[:p.Elements()] {
						total += v
					}
					sums[i], e = append(sums[i], total), e[p.Elements():]
				}
			}
			for i, p := range b.network.Parameters {
				exact := 0.0
				for _, v := range want[:p.Elements()] {
					exact += v
				}
				want = want[p.Elements():]
				mean, standardError := averaged(sums[i])
				if math.Abs(mean-exact) > 4*standardError {
					t.Errorf("%s: sum %.6g +- %.2g, want %.6g", p.Name, mean, standardError, exact)
				}
			}
		})
	}
}

// averaged is mean and standard error of a series that is an exponential average
// with decay 0.9 of independent draws, from batches of 100: far more than the
// average remembers.
func averaged(series []float64) (mean, standardError float64) {
	const batch = 100
	var means []float64
	for i := batch; i+batch <= len(series); i += batch { // the first begins at 0
		sum := 0.0
		for _, v := range series[i : i+batch] {
			sum += v
		}
		means = append(means, sum/batch)
		mean += sum / batch
	}
	mean /= float64(len(means))
	variance := 0.0
	for _, m := range means {
		variance += (m - mean) * (m - mean)
	}
	return mean, math.Sqrt(variance / float64(len(means)-1) / float64(len(means)))
}
