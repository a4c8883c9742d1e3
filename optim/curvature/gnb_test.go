package curvature_test

import (
	"math"
	"testing"

	"diaghess/optim/curvature"
)

// GNB is unbiased for the diagonal of the Gauss-Newton matrix, through
// normalization with the batch's own statistics too. A draw is a step: the
// parameters stay where they are.
func TestGNBIsUnbiased(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			const draws = 2000
			b := newBench(t, n, curvature.Options{Kind: "gnb", Every: 1, Samples: 1}, draws)
			b.unbiased(draws, b.gaussNewton(), 1e-5)
		})
	}
}

// An estimate of several samples is the mean of those that the same draws give
// one by one; here of draws 0 to 2 of a step, against the twin's gradients.
func TestGNBSamples(t *testing.T) {
	n := networks()[0]
	one := newBench(t, n, curvature.Options{Kind: "gnb", Every: 1, Samples: 1}, 1)
	three := newBench(t, n, curvature.Options{Kind: "gnb", Every: 1, Samples: 3}, 1)
	first, mean := one.estimate(), three.estimate()
	same := true
	for i := range mean {
		// Two more draws add what is not negative.
		if 3*mean[i] < first[i]*(1-1e-6) {
			t.Fatalf("entry %d: the mean of three %g is less than a third of the first %g", i, mean[i], first[i])
		}
		same = same && math.Abs(mean[i]-first[i]) < 1e-6*first[i]
	}
	if same {
		t.Error("three samples are three times the same")
	}
	three.unbiasedIn(t, 700)
}

// unbiasedIn is unbiased for the Gauss-Newton diagonal.
func (b *bench) unbiasedIn(t *testing.T, n int) {
	t.Helper()
	b.unbiased(n, b.gaussNewton(), 1e-5)
}

// empirical-fisher is B g^2 of the step's own gradient.
func TestEmpiricalFisher(t *testing.T) {
	for _, n := range networks() {
		b := newBench(t, n, curvature.Options{Kind: "empirical-fisher", Every: 1, Samples: 1}, 1)
		got := b.estimate()
		for i, g := range b.ofTwin(b.twin.Gradient()) {
			want := float64(n.rows) * g * g
			// The gradient's error is some 1e-6 of its largest entries, of order 1.
			if math.Abs(got[i]-want) > 1e-5*(math.Abs(g)+1e-6)*float64(n.rows) {
				t.Errorf("%s: entry %d: %g, want %g", n.name, i, got[i], want)
			}
		}
	}
}

// The average is bias-corrected: of the first estimate it is that estimate, and
// after k it is the mean with the weights decay^(k-i).
func TestAverage(t *testing.T) {
	n, o := networks()[0], curvature.Options{Kind: "gnb", Every: 1, Samples: 1}
	plain := newBench(t, n, o, 4)
	o.Decay = 0.7
	averaged := newBench(t, n, o, 4)
	var samples [][]float64
	for step := range 4 {
		samples = append(samples, plain.estimate())
		got := averaged.estimate()
		for i := range got {
			var sum, weights, largest float64
			for k, s := range samples {
				w := math.Pow(o.Decay, float64(step-k))
				sum, weights, largest = sum+w*s[i], weights+w, max(largest, s[i])
			}
			// Four roundings a step, and that of the correction.
			if want := sum / weights; math.Abs(got[i]-want) > 5*float64(step+1)/(1<<24)*largest+1e-40 {
				t.Fatalf("step %d, entry %d: %g, want %g", step, i, got[i], want)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []curvature.Options{
		{Kind: "best", Every: 1, Samples: 1}, {Kind: "gnb", Every: 0, Samples: 1}, {Kind: "gnb", Every: 1, Samples: 0},
		{Kind: "empirical-fisher", Every: 1, Samples: 2}, {Kind: "gnb", Every: 1, Samples: 1, Decay: 1}, {Kind: "gnb", Every: 1, Samples: 1, Decay: math.NaN()},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is valid", o)
		}
	}
	o := curvature.Options{Kind: "gnb", Every: 3}
	for step, want := range []bool{true, false, false, true, false} {
		if o.Due(step) != want || (curvature.Options{Kind: curvature.None, Every: 1}).Due(step) {
			t.Errorf("step %d: due %v", step, o.Due(step))
		}
	}
}
