package optim_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/kernels"
	"diaghess/optim"
	"diaghess/optim/rulefile"
)

// ulp is the relative rounding of a rate that was computed in float64.
const ulp = 1.0 / (1 << 24)

func TestRates(t *testing.T) {
	run := optim.Length{Steps: 100, StepsPerEpoch: 10}
	for _, c := range []struct {
		name     string
		schedule optim.Schedule
		want     map[int]float64 // by step, from 0
	}{
		{"constant", optim.Schedule{LR: 0.3, Kind: "constant"}, map[int]float64{0: 0.3, 50: 0.3, 99: 0.3}},
		{"constant after a warm-up of 20 steps", optim.Schedule{LR: 0.3, Kind: "constant", Warmup: 2},
			map[int]float64{0: 0.3 / 20, 9: 0.15, 18: 0.3 * 19 / 20, 19: 0.3, 20: 0.3, 99: 0.3}},
		{"a warm-up of half an epoch", optim.Schedule{LR: 1, Kind: "constant", Warmup: 0.5}, map[int]float64{0: 0.2, 3: 0.8, 4: 1, 5: 1}},
		// cos(0) = 1, cos(pi/3) = 1/2, cos(pi/2) = 0, cos(2 pi/3) = -1/2; the
		// zero at s = 1 would be the step after the last.
		{"cosine", optim.Schedule{LR: 0.8, Kind: "cosine"}, map[int]float64{0: 0.8, 25: 0.8 * (1 + math.Sqrt2/2) / 2, 50: 0.4, 75: 0.8 * (1 - math.Sqrt2/2) / 2, 99: 0.8 * 2.4671981713e-4}},
		{"cosine after a warm-up", optim.Schedule{LR: 0.8, Kind: "cosine", Warmup: 4}, map[int]float64{0: 0.02, 39: 0.8, 40: 0.8, 60: 0.6, 70: 0.4, 80: 0.2}},
		{"step", optim.Schedule{LR: 2, Kind: "step", Every: 3, Factor: 0.5}, map[int]float64{0: 2, 29: 2, 30: 1, 59: 1, 60: 0.5, 89: 0.5, 90: 0.25, 99: 0.25}},
		{"step every 1.5 epochs", optim.Schedule{LR: 2, Kind: "step", Every: 1.5, Factor: 0.1}, map[int]float64{14: 2, 15: 0.2, 29: 0.2, 30: 0.02}},
		// In float64 1.1*10 is above 11.
		{"step every 1.1 epochs", optim.Schedule{LR: 2, Kind: "step", Every: 1.1, Factor: 0.5}, map[int]float64{10: 2, 11: 1, 21: 1, 22: 0.5, 32: 0.5, 33: 0.25, 99: 2. / 512}},
		{"step after a warm-up", optim.Schedule{LR: 2, Kind: "step", Every: 3, Factor: 0.5, Warmup: 1}, map[int]float64{0: 0.2, 9: 2, 10: 2, 29: 2, 30: 1}},
	} {
		rates, err := c.schedule.Rates(run)
		check(t, err)
		if len(rates) != run.Steps {
			t.Fatalf("%s: %d rates for %d steps", c.name, len(rates), run.Steps)
		}
		for step, want := range c.want {
			if off := math.Abs(float64(rates[step]) - want); off > 2*ulp*want {
				t.Errorf("%s: step %d has rate %v, want %v", c.name, step, rates[step], want)
			}
		}
	}
}

// Each change of the rate comes at the step that integers give, for all periods of
// hundredths of an epoch; each warm-up ends at the nearest step, halves up.
func TestEpochsTurnIntoExactSteps(t *testing.T) {
	for _, perEpoch := range []int{10, 23, 50, 100, 782} {
		run := optim.Length{Steps: 6 * perEpoch, StepsPerEpoch: perEpoch}
		for hundredths := 10; hundredths < 300; hundredths++ {
			epochs := float64(hundredths) / 100
			step := optim.Schedule{LR: 1, Kind: "step", Every: epochs, Factor: 0.5}
			rates, err := step.Rates(run)
			check(t, err)
			for i, rate := range rates {
				if want := math.Ldexp(1, -(100 * i / (hundredths * perEpoch))); rate != want {
					t.Fatalf("%d steps an epoch, a step every %g: step %d has rate %g, want %g", perEpoch, epochs, i, rate, want)
				}
			}
			warm := optim.Schedule{LR: 1, Kind: "constant", Warmup: epochs}
			rates, err = warm.Rates(run)
			check(t, err)
			first := 0
			for rates[first] != 1 {
				first++
			}
			if want := max(1, (hundredths*perEpoch+50)/100); first+1 != want {
				t.Fatalf("%d steps an epoch, a warm-up of %g: %d steps, want %d", perEpoch, epochs, first+1, want)
			}
		}
	}
}

func TestRatesRefuse(t *testing.T) {
	for want, schedule := range map[string]optim.Schedule{
		"a warm-up of 11 epochs is longer":           {LR: 1, Kind: "cosine", Warmup: 11},
		"a warm-up of 1e+300 epochs is longer":       {LR: 1, Kind: "cosine", Warmup: 1e300}, // more steps than an int holds
		"step 61 of 100 is 1e+39, more than float32": {LR: 1000, Kind: "step", Every: 3, Factor: 1e18},
	} {
		if _, err := schedule.Rates(optim.Length{Steps: 100, StepsPerEpoch: 10}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", schedule, err, want)
		}
	}
	// A run that is nothing but warm-up ends at the full rate.
	schedule := optim.Schedule{LR: 1, Kind: "cosine", Warmup: 10}
	rates, err := schedule.Rates(optim.Length{Steps: 100, StepsPerEpoch: 10})
	check(t, err)
	if rates[99] != 1 || rates[0] != 0.01 {
		t.Errorf("rates from %v to %v, want .01 to 1", rates[0], rates[99])
	}
}

// The coefficients of a step: the rate and what the bias corrections need, from
// the definitions in float64. A correction 1 - beta^t is a difference of numbers
// near 1: beta's own rounding, t units, over it; so the tolerance is t+4 units
// over the correction.
func TestCoefficients(t *testing.T) {
	const rate = float32(0.002)
	correction := func(beta float64, step int) float64 { return 1 - math.Pow(beta, float64(step)) }
	for _, step := range []int{1, 2, 10, 1000, 39100} {
		c1, c2 := correction(0.9, step), correction(0.999, step)
		loose := float64(step)*ulp*math.Pow(0.999, float64(step))/c2 + float64(step)*ulp*math.Pow(0.9, float64(step))/c1 + 4*ulp/c2
		for spec, want := range map[string][]float64{
			"adamw":    {0.002, 0.002 * math.Sqrt(c2) / c1},
			"diaghess": {0.002 / c1, 1 / math.Sqrt(c2)},
			"sgd":      {0.002},
		} {
			got := coefficients(t, spec, step, rate)
			for i, v := range got {
				w := append(want, 0, 0, 0)[i]
				if off := math.Abs(float64(v) - w); off > loose*math.Abs(w) {
					t.Errorf("%s, step %d: coefficient %d is %.9g, want %.9g", spec, step, i, v, w)
				}
			}
		}
	}
}

// coefficients returns those of a rule by hand.
func coefficients(t *testing.T, spec string, step int, rate float32) [kernels.CoefficientWords]float32 {
	t.Helper()
	return parse(t, spec).(interface {
		Coefficients(step int, rate float32) [kernels.CoefficientWords]float32
	}).Coefficients(step, rate)
}

// Values worked out by hand: at step 1, 1 - .999 is 9.99987125e-4 in float32; a step of AdamW at
// t = 1 is lr sqrt(.001) / .1.
func TestFirstCoefficients(t *testing.T) {
	if got := coefficients(t, "diaghess", 1, 1)[1]; got != float32(1/math.Sqrt(9.99987125e-4)) {
		t.Errorf("1 / sqrt(1 - .999) is %.9g in float32, want %.9g", got, 1/math.Sqrt(9.99987125e-4))
	}
	if got := coefficients(t, "adamw", 1, 1)[1]; math.Abs(float64(got)-0.316227766) > 1e-5 {
		t.Errorf("alpha of AdamW's first step is %v, want 0.3162", got)
	}
}

// RAdam's rectification with beta2 = .999 (Liu et al. 2020, algorithm 2, with
// the threshold of 5 that TensorFlow Addons has): the first five steps have an
// average of fewer than five gradients, and it goes to 1.
func TestAdaBeliefRectification(t *testing.T) {
	text := rulefile.Source("adabelief")
	rule, err := rulefile.Parse("adabelief.rule", text)
	check(t, err)
	program, err := rulefile.Compile(rule, nil, rulefile.NoDiagonal)
	check(t, err)
	before, _, _ := strings.Cut(text, "\nr = ")
	line := strings.Count(before, "\n") + 2
	column := slices.IndexFunc(program.Steps, func(value int) bool { v := program.Values[value]; return v.Line == line && !v.Condition })
	if column < 0 {
		t.Fatal("no coefficient is of the line of r")
	}
	const steps = 39100
	numbers, err := program.Coefficients(rulefile.Run{Rates: make([]float64, steps), StepsPerEpoch: 782, Tensors: []rulefile.Shape{{Elements: 1, Rank: 1}}})
	check(t, err)
	rectified := func(step int) float64 { return float64(numbers.Steps[(step-1)*len(program.Steps)+column]) }
	for step := 1; step <= 5; step++ {
		if r := rectified(step); r != 0 {
			t.Errorf("step %d is rectified by %v, want none", step, r)
		}
	}
	for step, want := range map[int]float64{
		// of lengths 5.99, 835 and 1999
		6: rectification(6), 1000: rectification(1000), 39100: 1,
	} {
		if r := rectified(step); math.Abs(r-want) > 1e-6 {
			t.Errorf("step %d is rectified by %v, want %v", step, r, want)
		}
	}
}

// rectification is equation (5) of Liu et al. with beta2 = .999, the length of
// the average summed up from its definition: the weights (1 - beta2) beta2^i of
// the last t squares have a centre of mass, and l = (1 + beta2)/(1 - beta2) less
// twice t times the weight that is missing.
func rectification(t int) float64 {
	const beta2 = 0.999
	kept := 0.0
	for i := range t {
		kept += (1 - beta2) * math.Pow(beta2, float64(i))
	}
	longest := 2/(1-beta2) - 1
	l := longest - 2*float64(t)*(1-kept)/kept
	return math.Sqrt((l - 4) * (l - 2) * longest / ((longest - 4) * (longest - 2) * l))
}
