package tune

import (
	"diaghess/optim"
	"diaghess/train/record"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRadicalInverse holds the first points of the van der Corput sequences of
// bases 2 and 3, which every text on the Halton sequence lists: Halton 1960.
func TestRadicalInverse(t *testing.T) {
	for base, want := range map[int][]float64{
		2: {1. / 2, 1. / 4, 3. / 4, 1. / 8, 5. / 8, 3. / 8, 7. / 8},
		3: {1. / 3, 2. / 3, 1. / 9, 4. / 9, 7. / 9, 2. / 9, 5. / 9},
	} {
		for i, w := range want {
			// Sums of at most 3 numbers below 1: 3 roundings of half an ulp each.
			if got := radicalInverse(i+1, base); math.Abs(got-w) > 3*0x1p-53 {
				t.Errorf("point %d in base %d is %v, want %v", i+1, base, got, w)
			}
		}
	}
}

// TestHaltonIsEvenlySpread counts: of any base^k points in a row, each interval
// of length base^-k of that base's coordinate holds one; of any 6, each box of
// halves by thirds holds one.
func TestHaltonIsEvenlySpread(t *testing.T) {
	for i, base := range primes() {
		for count := base; count < 400; count *= base {
			var cells []int
			for point := 1; point <= count; point++ {
				// The middle of a cell's points is half a cell of the next digit
				// from its end, far above rounding.
				cells = append(cells, int(halton(point, primes())[i]*float64(count)+1e-9))
			}
			slices.Sort(cells)
			for cell, got := range cells {
				if cell != got {
					t.Fatalf("base %d, %d points: cells %v", base, count, cells)
				}
			}
		}
	}
	boxes := map[[2]int]int{}
	for point := 1; point <= 6; point++ {
		p := halton(point, primes()[:2])
		boxes[[2]int{int(p[0]*2 + 1e-9), int(p[1]*3 + 1e-9)}]++
	}
	if len(boxes) != 6 {
		t.Errorf("6 points are in the boxes %v", boxes)
	}
}

// Several tunings have designs of their own. Those wanted were computed in Python from the definitions
// of PCG-DXSM, O'Neill 2014, and of the Halton sequence.
func TestTuningsHaveDesignsOfTheirOwn(t *testing.T) {
	tuning := smallTuning(t.TempDir())
	tuning.Specs, tuning.Repeats = []string{"adamw"}, 2
	tuned, err := tuning.plan()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		{"adamw:lr=0.003005,weight-decay=1.076e-05", "adamw:lr=0.00019,weight-decay=0.0006159", "adamw:lr=0.02389,weight-decay=0.006624"},
		{"adamw:lr=0.0001222,weight-decay=0.008897", "adamw:lr=0.07723,weight-decay=5.092e-05", "adamw:lr=0.0009714,weight-decay=0.0005476"},
	} {
		var got []string
		for _, trial := range tuned.Optimizers[i].Trials {
			got = append(got, trial.Spec)
		}
		if o := tuned.Optimizers[i]; o.Tuning != i+1 || !slices.Equal(got, want) {
			t.Errorf("tuning %d has the trials %q, want %q", o.Tuning, got, want)
		}
	}
	if want := []int{FirstSeed, FirstSeed + 1000}; !slices.Equal(tuned.Seeds, want) || tuned.Repeats != 2 {
		t.Errorf("seeds %v, %d repeats, want %v", tuned.Seeds, tuned.Repeats, want)
	}
}

func TestParseSpace(t *testing.T) {
	space, err := ParseSpace("lr=1e-5..1e-1 log; sgd: lr=0.001..1 log, momentum=0..0.99")
	if err != nil {
		t.Fatal(err)
	}
	lr := record.Dimension{Key: "lr", Low: 1e-5, High: 0.1, Log: true}
	if got := space[""]; !slices.Equal(got, []record.Dimension{lr}) {
		t.Errorf("for all: %v", got)
	}
	if got := space["sgd"]; !slices.Equal(got, []record.Dimension{{Key: "lr", Low: 0.001, High: 1, Log: true}, {Key: "momentum", Low: 0, High: 0.99, Log: false}}) {
		t.Errorf("sgd: %v", got)
	}
	// Halves of a range, in the logarithm or not.
	if got := (axis{lr, false}).at(0.5, 4); got != "0.001" {
		t.Errorf("the middle of %v is %s", lr, got)
	}
	if got := (axis{space["sgd"][1], false}).at(0.5, 4); got != "0.495" {
		t.Errorf("the middle of %v is %s", space["sgd"][1], got)
	}
	for text, want := range map[string]string{
		"lr":                  "not of the form",
		"lr=1":                "not of the form",
		"lr=a..b":             "not of the form",
		"lr=1..NaN":           "not of the form",
		"lr=1..0.1 log":       "must be below",
		"lr=0..1 log":         "above 0",
		"lr=0.1..1,lr=0.1..2": "the part without an optimizer's name has the key lr twice",
		"lr=0.1..1;lr=0.1..2": "the part without an optimizer's name is there twice: join the two with a comma",
	} {
		if _, err := ParseSpace(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("space %q: want an error with %q, got %v", text, want, err)
		}
	}
}

func TestDefaultSpace(t *testing.T) {
	for spec, want := range map[string][]record.Dimension{
		"adamw":                {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}, {Key: "weight-decay", Low: 5e-6, High: 0.05, Log: true}},
		"adam":                 {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}},
		"sgd":                  {{Key: "lr", Low: 1e-4, High: 1, Log: true}, {Key: "weight-decay", Low: 1e-6, High: 0.01, Log: true}},
		"adamw:weight-decay=0": {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}},
	} {
		if got, err := (Space{}).of(spec, parsed(t, spec)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", spec, got, err, want)
		}
	}
}

func TestMoreTrialsBeginWithTheSame(t *testing.T) {
	dimensions, err := Space{}.of("adamw:beta1=0.8", parsed(t, "adamw:beta1=0.8"))
	if err != nil {
		t.Fatal(err)
	}
	few, err := draw("adamw:beta1=0.8", parsed(t, "adamw:beta1=0.8"), dimensions, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	many, err := draw("adamw:beta1=0.8", parsed(t, "adamw:beta1=0.8"), dimensions, 20, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range many {
		spec := optim.Spec(rule)
		if i < len(few) && optim.Spec(few[i]) != spec {
			t.Errorf("trial %d of 5 is %s, of 20 %s", i+1, optim.Spec(few[i]), spec)
		}
		if set := settingsOf(spec); set["beta1"] != "0.8" || set["lr"] == "" || set["weight-decay"] == "" {
			t.Errorf("trial %s", spec)
		}
	}
}

// Trials differ, also to a device, and stay in their space, however narrow it is.
func TestTrialsDiffer(t *testing.T) {
	for _, c := range []struct {
		spec, space string
		trials      int
		want        string // the first trial
	}{
		{"adamw", "lr=1e-5..1e-1 log", 500, "adamw:lr=0.002503"}, // as it was with 4 digits for all
		{"adamw", "beta2=0.999..0.99999", 300, "adamw:beta2=0.999594"},
		{"adamw", "beta2=0.9..0.99999999", 300, "adamw:beta2=0.96"},
		{"adamw", "beta2=0.99999..0.999999 log", 30, ""},
		{"adamw", "lr=1..1.00001 log", 30, ""},
		{"sophia", "every=1..20", 10, ""},
		{"sophia", "every=1..1000 log, lr=1e-5..1e-3 log", 300, ""},
		{"sophia", "every=1..2, lr=1e-5..1e-3 log", 300, ""},
	} {
		space, err := ParseSpace(c.space)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := draw(c.spec, parsed(t, c.spec), space[""], c.trials, nil)
		if err != nil {
			t.Errorf("%s: %v", c.space, err)
			continue
		}
		if first := optim.Spec(rules[0]); c.want != "" && first != c.want {
			t.Errorf("%s: the first trial is %s, want %s", c.space, first, c.want)
		}
		seen := map[string]bool{}
		for _, rule := range rules {
			settings := optim.Settings(rule) // also those that are the defaults
			for _, d := range space[""] {
				if v, err := strconv.ParseFloat(settings[d.Key], 64); err != nil || v < d.Low || v > d.High {
					t.Errorf("%s: trial %s is outside: %v", c.space, optim.Spec(rule), err)
				}
			}
			seen[inFloat32(rule)] = true
		}
		if len(seen) != c.trials {
			t.Errorf("%s: %d of %d trials differ", c.space, len(seen), c.trials)
		}
	}
}

// Each whole number of a space is sampled as often as the others.
func TestWholeNumbersAreSampledEvenly(t *testing.T) {
	rules, err := draw("sophia", parsed(t, "sophia"), []record.Dimension{{Key: "every", Low: 2, High: 5}, {Key: "lr", Low: 1, High: 2}}, 400, nil)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, rule := range rules {
		counts[optim.Settings(rule)["every"]]++
	}
	for _, every := range []string{"2", "3", "4", "5"} {
		if counts[every] != 100 {
			t.Errorf("of 400 trials: %v, want 100 of each from 2 to 5", counts)
		}
	}
}
