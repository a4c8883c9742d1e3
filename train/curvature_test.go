package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/train/data"
	"diaghess/train/record"
)

// checkDigits does a check on digits with small batches.
func checkDigits(t *testing.T, model string, c CurvatureCheck) *CurvatureReport {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 2, Library: "gonum"})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	c.Job = NewJob(DefaultSettings(), "digits", optim.NewAdamW(), 3)
	c.Model, c.Batch, c.Batches, c.Repeats, c.Data = model, 8, 2, 1, data.Shelf{Dir: t.TempDir()}
	report, err := c.Run(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// estimators parses specs.
func estimators(t *testing.T, specs ...string) (all []curvature.Options) {
	t.Helper()
	for _, spec := range specs {
		o, err := optim.ParseEstimator(spec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// The exact estimator of a perceptron agrees with the float64 twin, before and after
// training, and GNB has the right size.
func TestCurvatureOfPerceptron(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, steps := range []int{0, 30} {
		r := checkDigits(t, "mlp", CurvatureCheck{
			Steps: steps, Estimators: estimators(t, "ggn-exact", "gnb:samples=200"), ReferenceDraws: 2, ExactWork: curvature.DefaultExactWork,
		})
		if len(r.References) != 1 || r.References[0].Draws != 0 || r.Parameters != 64*64*10+64*10+64*10+10 {
			t.Fatalf("%d parameters, references %+v", r.Parameters, r.References)
		}
		// float32 sums of some thousand products: 1e-7 each and the root of their number,
		// through 11 layers.
		for _, a := range append(r.Estimators[0].Tensors, r.Estimators[0].All) {
			if a.Error == nil || *a.Error > 1e-4 || *a.Rank < 0.999 || math.Abs(*a.Ratio-1) > 1e-4 {
				t.Errorf("after %d steps ggn-exact of %s: error %v, rank %v, ratio %v", steps, a.Tensor, *a.Error, *a.Rank, *a.Ratio)
			}
		}
		// The sum over a draw is a quadratic form z^T M z of noise with covariance 1,
		// whose variance is about 2 tr M^2, at most 2 (tr M)^2: a relative deviation of
		// at most the root of 2 / 400 for 200 draws of 2 batches. This is 4 of them.
		if ratio := *r.Estimators[1].All.Ratio; math.Abs(ratio-1) > 4*math.Sqrt(2.0/400) {
			t.Errorf("after %d steps gnb's sum is %.3f of the exact one", steps, ratio)
		}
	}
}

// A convolutional network with batch normalization: the exact references are there, of
// both matrices, all estimators that fit are compared, and GNB is unbiased.
func TestCurvatureOfConvolutions(t *testing.T) {
	r := checkDigits(t, "smallcnn", CurvatureCheck{ReferenceDraws: 2, ExactWork: curvature.DefaultExactWork})
	if len(r.References) != 2 || r.References[0].Matrix != curvature.GaussNewton || r.References[1].Matrix != curvature.Hessian {
		t.Fatalf("references %+v", r.References)
	}
	var names []string
	for _, e := range r.Estimators {
		names = append(names, e.Estimator)
		if want := map[bool]string{false: curvature.GaussNewton, true: curvature.Hessian}[e.Estimator == "hutchinson"]; e.Reference != want {
			t.Errorf("%s is compared with the %s matrix", e.Estimator, e.Reference)
		}
		if e.Estimator != "hutchinson" && e.All.Negative != 0 || e.Estimator == "hutchinson" && e.All.Negative == 0 {
			t.Errorf("%s: share negative %g", e.Estimator, e.All.Negative)
		}
		if e.Estimate <= 0 || e.Backward <= 0 || len(e.Calibration) == 0 || e.Memory <= 0 {
			t.Errorf("%s: %v an estimate, %v a backward pass, %d bins, %d bytes", e.Estimator, e.Estimate, e.Backward, len(e.Calibration), e.Memory)
		}
	}
	if want := []string{"empirical-fisher", "gnb", "hesscale", "calibrated", "hutchinson"}; !slices.Equal(names, want) {
		t.Errorf("estimators %v, want %v", names, want)
	}
}

// Where the exact diagonal is too much work, the reference is the mean of draws and says
// how noisy it is.
func TestCurvatureAgainstDraws(t *testing.T) {
	r := checkDigits(t, "smallcnn", CurvatureCheck{Estimators: estimators(t, "gnb:samples=50"), ReferenceDraws: 50})
	reference := r.References[0]
	// A draw's relative error is about the root of 2, see optim/curvature/gnb.go: 0.2 for
	// the mean of 50. That of the estimate's difference is the root of 2 larger.
	if len(r.References) != 1 || reference.Draws != 50 || reference.Noise < 0.1 || reference.Noise > 0.4 {
		t.Errorf("references %+v", r.References)
	}
	if e := *r.Estimators[0].All.Error / reference.Noise; e < 1 || e > 2 {
		t.Errorf("the error is %.2f of the reference's noise, want about 1.4", e)
	}
}

// A former name of an estimator, which a spec must not have, is read in a record.
func TestFormerEstimators(t *testing.T) {
	for _, old := range []string{"recursion", "fisher"} {
		spec := "diaghess:curvature=" + old
		if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), "is called") {
			t.Errorf("%s: error %v, want one with the present name", old, err)
		}
		if _, err := optim.Parse(record.CurrentSpec(spec)); err != nil {
			t.Errorf("%s from a record: %v", old, err)
		}
	}
}
