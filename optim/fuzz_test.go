package optim

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func addSpecs(f *testing.F) {
	for _, name := range Names() {
		f.Add(name)
	}
	for _, spec := range []string{
		"adamw:lr=3e-4,weight-decay=0,schedule=cosine,warmup=1", "sgd:lr=0.5,momentum=0.25,nesterov=false,schedule=step,step-every=3,step-factor=10",
		"diaghess:curvature=calibrated,every=10,samples=2,decay=0.99,lambda=1e-3,square=5", "adahessian:curvature=hutchinson,abs=false",
		"sgd:warmup=1e30,lr=0x1p-3,weight-decay=-0", "sgd:schedule=step,step-factor=1e30,step-every=0.1", "adam, sgd:lr=1, momentum=0,,adam:lr=2", "gnb:samples=7", "hutchinson:samples=3,abs=true",
		"lion:lr=1e-4, rule:a,b:c.rule:lr=1,beta=2,ptx:x.ptx,rule:d", "my@1a2b3c4d:lr=1", "lamb:debias=1,vectors=true",
	} {
		f.Add(spec)
	}
}

// FuzzSpec: a text is refused, or Spec writes a text that means the same rule, whose rates are
// finite or refused.
func FuzzSpec(f *testing.F) {
	addSpecs(f)
	f.Fuzz(func(t *testing.T, spec string) {
		if o, err := ParseEstimator(spec); err == nil {
			if again, err := ParseEstimator(o.String()); err != nil || again != o {
				t.Errorf("estimator %+v comes back as %+v, %v", o, again, err)
			}
		}
		rule, err := Parse(spec)
		if err != nil {
			return
		}
		if again, err := Parse(Spec(rule)); err != nil || !reflect.DeepEqual(again, rule) {
			t.Errorf("%+v comes back from %q as %+v, %v", rule, Spec(rule), again, err)
		}
		rates, _ := rule.schedule().Rates(Length{Steps: 12, StepsPerEpoch: 3})
		for i, rate := range rates {
			if !(rate >= 0 && float32(rate) <= math.MaxFloat32) {
				t.Errorf("the rate of step %d is %g", i+1, rate)
			}
		}
	})
}

// FuzzSplitList: no part of a list is empty or lost, and the specs of a list come back from
// what joins them.
func FuzzSplitList(f *testing.F) {
	addSpecs(f)
	f.Fuzz(func(t *testing.T, list string) {
		specs := SplitList(list)
		if slices.Contains(specs, "") {
			t.Errorf("an empty spec in %q", specs)
		}
		if again := SplitList(strings.Join(specs, ",")); !slices.Equal(again, specs) {
			t.Errorf("%q comes back as %q", specs, again)
		}
	})
}
