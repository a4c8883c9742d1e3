package optim_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/optim"
)

func parse(t testing.TB, spec string) optim.Rule {
	t.Helper()
	rule, err := optim.Parse(spec)
	check(t, err)
	return rule
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A spec comes back as its shortest form, and means what it says.
func TestParseAndSpec(t *testing.T) {
	for spec, shortest := range map[string]string{
		"adamw":                                            "adamw",
		"adamw:lr=0.001":                                   "adamw",
		"adamw:lr=1e-3,weight-decay=0.01":                  "adamw:weight-decay=0.01",
		"adam:beta2=0.95,beta1=0.8":                        "adam:beta1=0.8,beta2=0.95",
		"sgd:nesterov=false,lr=.5":                         "sgd:lr=0.5,nesterov=false",
		"sgd:momentum=0":                                   "sgd:momentum=0",
		"rmsprop:legacy=1":                                 "rmsprop:legacy=true",
		"adabelief:rectify=f,eps=1e-8":                     "adabelief:eps=1e-08,rectify=false",
		"diaghess:square=5,lr=7e-6":                        "diaghess:lr=7e-06,square=5",
		"diaghess:schedule=cosine,warmup=.5":               "diaghess:schedule=cosine,warmup=0.5",
		"adam:schedule=step,step-every=10,step-factor=0.2": "adam:schedule=step,step-every=10,step-factor=0.2",
	} {
		rule := parse(t, spec)
		if got := optim.Spec(rule); got != shortest {
			t.Errorf("%s: spec %q, want %q", spec, got, shortest)
		}
		again := parse(t, optim.Spec(rule))
		for key, value := range optim.Settings(rule) {
			if got := optim.Settings(again)[key]; got != value {
				t.Errorf("%s: %s is %s, and %s after a round trip", spec, key, value, got)
			}
		}
	}
	sgd := parse(t, "sgd:lr=0.5,momentum=0.25,nesterov=false,weight-decay=2,schedule=step,step-every=3,step-factor=0.75,warmup=1.5").(*optim.SGD)
	want := optim.SGD{
		Schedule: optim.Schedule{LR: 0.5, Kind: "step", Warmup: 1.5, Every: 3, Factor: 0.75},
		Momentum: 0.25, WeightDecay: 2,
	}
	if *sgd != want {
		t.Errorf("parsed %+v, want %+v", *sgd, want)
	}
}

// A key that has no effect beside the other settings is an error: two specs that train alike
// are one.
func TestKeysWithoutEffect(t *testing.T) {
	for spec, want := range map[string]string{
		"diaghess:every=10":                          "every=10 has no effect: it needs a curvature",
		"diaghess:decay=0.9":                         "decay=0.9 has no effect",
		"diaghess:curvature=none,samples=1":          "samples=1 has no effect: it needs a sampled curvature: gnb, calibrated, hutchinson",
		"diaghess:abs=true":                          "abs=true has no effect: it needs curvature hutchinson",
		"diaghess:curvature=gnb,abs=true":            "abs=true has no effect",
		"diaghess:abs=false,curvature=gnb":           "abs=false has no effect",
		"diaghess:square=1,diff=0.5":                 "diff=0.5 has no effect: it needs a square above 1",
		"adamw:step-every=3":                         "step-every=3 has no effect: it needs schedule=step",
		"adamw:schedule=cosine,step-factor=0.5":      "step-factor=0.5 has no effect",
		"sgd:momentum=0,nesterov=false":              "nesterov=false has no effect: it needs a momentum above 0",
		"muon:momentum=0,nesterov=false":             "nesterov=false has no effect: it needs a momentum above 0",
		"sophia:curvature=ggn-exact,samples=1":       "samples=1 has no effect",
		"diaghess:abs=true,curvature=hutchinson":     "",
		"diaghess:samples=2,every=3,curvature=gnb":   "",
		"adamw:step-every=3,schedule=step,warmup=.5": "",
	} {
		_, err := optim.Parse(spec)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	for list, want := range map[string]string{
		"":                      "no optimizer in the list",
		",":                     "no optimizer in the list",
		"adamw,adamw:lr=0.001":  "adamw is there twice",
		"adamw,x":               "unknown optimizer",
		"adamw:lr=1,beta1=.5,x": "unknown optimizer",
	} {
		if _, err := optim.ParseList(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("list %q: %v, want %q", list, err, want)
		}
	}
	for _, spec := range []string{"gnb:abs=true", "calibrated:abs=false", "ggn-exact:samples=1"} {
		if _, err := optim.ParseEstimator(spec); err == nil || !strings.Contains(err.Error(), "has no effect") {
			t.Errorf("estimator %s: %v", spec, err)
		}
	}
}

// Every rule has a default spec, its own name, and a help for each key.
func TestRules(t *testing.T) {
	byHand := []string{"diaghess", "adamw", "sgd", "muon"}
	if got := optim.Names(); !slices.Equal(got[:len(byHand)], byHand) || !slices.Equal(got[len(byHand):], optim.FileNames()) || len(optim.FileNames()) < 18 {
		t.Errorf("rules %v, want %v and then those in files, %v", got, byHand, optim.FileNames())
	}
	for i, name := range optim.Names() {
		rule := parse(t, name)
		if rule.Name() != name || optim.Spec(rule) != name {
			t.Errorf("%s: name %q, spec %q", name, rule.Name(), optim.Spec(rule))
		}
		if (optim.Source(rule) == "") != (i < len(byHand)) {
			t.Errorf("%s: the text of a rule file is %q", name, optim.Source(rule))
		}
		if !strings.Contains(optim.Help(), name) || i < len(byHand) && !strings.Contains(optim.Help(), optim.KeysHelp(rule)) {
			t.Errorf("the help lacks %s", name)
		}
		for key, value := range optim.Settings(rule) {
			if !strings.Contains(optim.KeysHelp(rule), "  "+key) || !strings.Contains(optim.KeysHelp(rule), value) {
				t.Errorf("the help of %s lacks key %s with default %s", name, key, value)
			}
		}
	}
}

// The defaults are those of the pilot's study, Keras's but for AdamW's decay, and
// of the authors of the rules with a curvature.
func TestDefaults(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"diaghess":    {"lr": "1e-06", "beta1": "0.9", "beta2": "0.999", "eps": "1e-07", "lambda": "0.001", "diff": "0.25", "square": "9", "curvature": "none", "every": "1", "samples": "1", "decay": "0.9", "abs": "false"},
		"adamw":       {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-07", "weight-decay": "0.0005"},
		"adam":        {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-07"},
		"sgd":         {"lr": "0.01", "momentum": "0.9", "nesterov": "true", "weight-decay": "0"},
		"rmsprop":     {"lr": "0.001", "rho": "0.9", "eps": "1e-07", "legacy": "false", "weight-decay": "0"},
		"adabelief":   {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-14", "rectify": "true", "weight-decay": "0.0001"},
		"sophia":      {"lr": "0.0001", "beta1": "0.965", "rho": "0.04", "eps": "1e-12", "weight-decay": "0.1", "curvature": "gnb", "every": "10", "samples": "1", "decay": "0.99", "abs": "false"},
		"adahesscale": {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-08", "weight-decay": "0", "curvature": "hesscale", "every": "1", "samples": "1", "decay": "0", "abs": "false"},
		"adahessian":  {"lr": "0.15", "beta1": "0.9", "beta2": "0.999", "eps": "0.0001", "weight-decay": "0", "curvature": "hutchinson", "every": "1", "samples": "1", "decay": "0", "abs": "true"},
		"muon": {"lr": "0.02", "momentum": "0.95", "nesterov": "true", "weight-decay": "0", "newton-schulz": "5", "scale": "author", "hidden-only": "true",
			"adamw-lr": "0.0003", "adamw-beta1": "0.9", "adamw-beta2": "0.95", "adamw-eps": "1e-10"},
	} {
		for _, key := range []string{"schedule", "warmup", "step-every", "step-factor"} {
			want[key] = map[string]string{"schedule": "constant", "warmup": "0", "step-every": "30", "step-factor": "0.1"}[key]
		}
		got := optim.Settings(parse(t, name))
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s has settings %v, want those of %v", name, got, want)
		}
	}
}

// What cannot be meant is refused, with what can be.
func TestParseErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                  "known: diaghess, adamw, sgd, muon, adabelief, adahesscale, adahessian, adam",
		"adagrad":                           "known: diaghess, adamw, sgd, muon, adabelief, adahesscale, adahessian, adam",
		"Adam":                              "unknown optimizer",
		"adam:momentum=1":                   "known: lr, schedule, warmup, step-every, step-factor, beta1, beta2, eps, clip, weight-decay",
		"sgd:rate=1":                        `no key "rate"`,
		"muon:newton-schulz=1001":           "newton-schulz=1001: must be a whole number from 1 to 1000",
		"sgd:lr":                            "key=value",
		"sgd:lr=1,,momentum=0":              "key=value",
		"sgd:lr=1,lr=2":                     "twice",
		"sgd:lr=0":                          "above 0",
		"sgd:lr=-1":                         "above 0",
		"sgd:lr=fast":                       "number",
		"sgd:lr=NaN":                        "above 0",
		"sgd:lr=Inf":                        "above 0",
		"sgd:lr=":                           "number",
		"sgd:momentum=1":                    "[0, 1)",
		"sgd:momentum=-0.1":                 "[0, 1)",
		"sgd:weight-decay=-1":               "at least 0",
		"sgd:nesterov=maybe":                "true or false",
		"sgd:schedule=linear":               "constant, cosine, step",
		"adam:beta1=1":                      "[0, 1)",
		"adam:eps=0":                        "in (0, inf)",
		"diaghess:curvature=guess":          "one of none",
		"diaghess:lambda=0":                 "above 0",
		"adamw:lr=1e-3,step-every=0":        "above 0",
		"adamw:lr=1e-3,warmup=-1":           "at least 0",
		"adamw:lr=1e-3,step-factor=nothing": "number",
	} {
		if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
}

func TestSplitList(t *testing.T) {
	for list, want := range map[string][]string{
		"":                                nil,
		" , ":                             nil,
		"adamw":                           {"adamw"},
		"adamw,diaghess":                  {"adamw", "diaghess"},
		" adamw , diaghess ":              {"adamw", "diaghess"},
		"sgd:lr=1,momentum=0":             {"sgd:lr=1,momentum=0"},
		"sgd:lr=1,momentum=0,adam":        {"sgd:lr=1,momentum=0", "adam"},
		"sgd:lr=1, momentum=0, adam":      {"sgd:lr=1,momentum=0", "adam"},
		"adam,sgd:lr=1,sgd:lr=2,beta1=0":  {"adam", "sgd:lr=1", "sgd:lr=2,beta1=0"},
		"adam:lr=1,,adamw:beta1=0,lr=0.5": {"adam:lr=1", "adamw:beta1=0,lr=0.5"},
		"lr=1,adam":                       {"lr=1", "adam"}, // Parse then says that lr=1 is no optimizer
	} {
		if got := optim.SplitList(list); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

// The numbers that a rule hands to its float32 kernel survive the rounding: a
// rate or an epsilon above zero stays above zero, a decay below one below one.
func TestSettingsSurviveFloat32(t *testing.T) {
	for _, spec := range []string{
		"adam:beta2=0.99999999", "adam:beta1=0.999999999", "sgd:momentum=0.99999999", "adam:lr=1e-60", "adam:eps=1e-60",
		"diaghess:lambda=1e-50", "adam:lr=1e39", "sgd:weight-decay=1e39",
	} {
		if rule, err := optim.Parse(spec); err == nil {
			t.Errorf("%s is taken, as %v in float32", spec, optim.Settings(rule))
		}
	}
	for _, spec := range []string{"adam:beta2=0.9999999", "adabelief:eps=1e-38", "adam:lr=3e38", "sgd:weight-decay=1e-60"} {
		if _, err := optim.Parse(spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// DiagHess's constants are the derivatives of x^square at diff: the pilot's are
// exact in binary, 9 (1/4)^8 and 72 (1/4)^7.
func TestDiagHessConstants(t *testing.T) {
	for _, c := range []struct {
		spec   string
		c1, c2 float64
	}{
		{"diaghess", 1.373291015625e-4, 4.39453125e-3},
		{"diaghess:square=7", 1.708984375e-3, 0.041015625}, // the original rule's
		{"diaghess:square=1", 1, 0},
		{"diaghess:square=2,diff=3", 6, 2},
	} {
		c1, c2 := parse(t, c.spec).(*optim.DiagHess).Constants()
		if math.Abs(c1-c.c1) > 1e-15*c.c1 || math.Abs(c2-c.c2) > 1e-15*c.c2 {
			t.Errorf("%s: c1 %v, c2 %v, want %v and %v", c.spec, c1, c2, c.c1, c.c2)
		}
	}
	// With a power below 1, c2 is negative and c2 g^2 + c1 h no longer bounded
	// by the damping.
	if _, err := optim.Parse("diaghess:square=0.5"); err == nil {
		t.Error("square=0.5 is taken")
	}
}

// The names that estimators had in version 0.1 are refused, with those they have now.
func TestFormerEstimators(t *testing.T) {
	for old, now := range map[string]string{"recursion": "hesscale", "fisher": "empirical-fisher"} {
		want := "the estimator " + old + " is called " + now + " now"
		for _, spec := range []string{"diaghess:curvature=" + old, "adahesscale:every=2,curvature=" + old} {
			if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", spec, err, want)
			}
		}
		if _, err := optim.ParseEstimator(old); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("estimator %s: error %v, want %q in it", old, err, want)
		}
		if _, err := optim.Parse("diaghess:curvature=" + now); err != nil {
			t.Error(err)
		}
	}
}

func TestParseEstimator(t *testing.T) {
	o, err := optim.ParseEstimator("hutchinson:samples=3,abs=true")
	if err != nil || o.Kind != "hutchinson" || o.Samples != 3 || !o.Absolute {
		t.Errorf("%+v, error %v", o, err)
	}
	for _, spec := range []string{"gnb", "gnb:samples=7", "hutchinson:abs=true", "hutchinson:samples=3,abs=true"} {
		if o, err := optim.ParseEstimator(spec); err != nil || o.String() != spec {
			t.Errorf("%s comes back as %s, error %v", spec, o, err)
		}
	}
	for _, spec := range []string{"none", "gbn", "gnb:samples=0", "gnb:every=2", "empirical-fisher:samples=2", "gnb:samples", "gnb:samples=2,samples=3"} {
		if _, err := optim.ParseEstimator(spec); err == nil {
			t.Errorf("%s is taken", spec)
		}
	}
}
