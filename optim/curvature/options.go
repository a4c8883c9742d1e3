package curvature

import (
	"fmt"
	"slices"
	"strings"

	"diaghess/layers"
	"diaghess/nearest"
)

// Options choose an estimator and its settings.
type Options struct {
	Kind    string  // see Kinds
	Every   int     // steps from one estimate to the next
	Samples int     // per estimate, which is their mean
	Decay   float64 // of the exponential average over estimates, in [0, 1)
	// Uncorrected leaves the average biased towards 0 in the beginning.
	Uncorrected bool
	// Absolute changes hutchinson to the estimate of AdaHessian: absolute values, and
	// for a convolution's filter their mean over the taps.
	Absolute bool
}

// MostSamples is the most samples of an estimate: each is recorded in the program of a step.
const MostSamples = 10_000

// None is the kind without curvature.
const None = "none"

// kind is an estimator's entry in the list of them.
type kind struct {
	name       string
	sampled    bool // Samples means something
	hessian    bool // it estimates the Hessian; else the Gauss-Newton matrix
	perceptron bool // it is for networks without convolutions and batch normalization
	make       func(*base) (Estimator, error)
}

// kinds are the estimators, None left out.
func kinds() []kind {
	return []kind{
		{name: "empirical-fisher", make: newEmpiricalFisher},
		{name: "gnb", sampled: true, make: newGNB},
		{name: "hesscale", make: newHesScale},
		{name: "calibrated", sampled: true, make: newCalibrated},
		{name: "hutchinson", sampled: true, hessian: true, make: newHutchinson},
		{name: "ggn-exact", perceptron: true, make: newGGNExact},
	}
}

// Kinds returns the names of the estimators, None first.
func Kinds() []string {
	names := []string{None}
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// SampledKinds returns the names of the estimators that sample.
func SampledKinds() []string {
	var names []string
	for _, k := range kinds() {
		if k.sampled {
			names = append(names, k.name)
		}
	}
	return names
}

// Renamed returns an error that names the present name of an estimator, where a name is that
// of version 0.1; else nil.
func Renamed(name string) error {
	now, old := map[string]string{"recursion": "hesscale", "fisher": "empirical-fisher"}[name]
	if !old {
		return nil
	}
	return fmt.Errorf("the estimator %s is called %s now", name, now)
}

// find returns the entry of a kind that is not None.
func find(name string) (kind, error) {
	if err := Renamed(name); err != nil {
		return kind{}, err
	}
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, nearest.Unknown("curvature", name, Kinds())
	}
	return all[i], nil
}

// Validate returns an error that says which option is invalid.
func (o Options) Validate() error {
	if o.Kind == None {
		return nil
	}
	k, err := find(o.Kind)
	switch {
	case err != nil:
		return err
	case o.Every < 1:
		return fmt.Errorf("curvature every %d steps: give at least 1", o.Every)
	case o.Samples < 1 || o.Samples > MostSamples:
		return fmt.Errorf("samples=%d of the curvature: give 1 to %d", o.Samples, MostSamples)
	case o.Samples > 1 && !k.sampled:
		return fmt.Errorf("curvature %s draws nothing: samples=%d has no meaning", o.Kind, o.Samples)
	case !(o.Decay >= 0 && o.Decay < 1):
		return fmt.Errorf("decay %g of the curvature's average is not in [0, 1)", o.Decay)
	}
	return nil
}

// Fit returns an error if the estimator is not one for a network of the layers.
func (o Options) Fit(chain []layers.Layer) error {
	if o.Kind == None {
		return nil
	}
	k, err := find(o.Kind)
	if err != nil || !k.perceptron {
		return err
	}
	for _, l := range chain {
		_, convolves := l.(layers.Conv)
		if e, ok := l.(layers.Epilogue); convolves || ok && e.BatchNorm {
			return fmt.Errorf("curvature %s is for networks without convolutions and batch normalization, such as mlp: choose another model or curvature", o.Kind)
		}
	}
	return nil
}

// Due says whether a step, counted from 0, has an estimate.
func (o Options) Due(step int) bool { return o.Kind != None && step%o.Every == 0 }

// Sampled says whether the estimator samples.
func (o Options) Sampled() bool { return slices.Contains(SampledKinds(), o.Kind) }

// OfHessian says whether the estimate is of the Hessian, not of the Gauss-Newton matrix.
func (o Options) OfHessian() bool {
	k, err := find(o.Kind)
	return err == nil && k.hessian
}

// Retains says whether the batches of the estimator have to be bound with
// layers.Network.Retain.
func (o Options) Retains() bool { return o.Kind == "hutchinson" }

// String is the spec of an estimate that stands alone, "gnb:samples=10": see
// optim.ParseEstimator.
func (o Options) String() string {
	var settings []string
	if o.Samples > 1 {
		settings = append(settings, fmt.Sprintf("samples=%d", o.Samples))
	}
	if o.Absolute {
		settings = append(settings, "abs=true")
	}
	if settings == nil {
		return o.Kind
	}
	return o.Kind + ":" + strings.Join(settings, ",")
}
