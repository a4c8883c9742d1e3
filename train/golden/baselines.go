package golden

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"diaghess/gpu"
)

// baselineTrajectories compare this project's optimizers with those of Keras and
// TensorFlow Addons on given gradients.
//
// Against their float32 results: sgd has the same operations in the same order,
// so the same bits. In the others two right programs may differ by a fraction of
// each step, see stepFraction; p may then be rounded another way, by a unit in
// the last place a step. Sums can cancel, so the fraction is taken of the
// largest step so far.
//
// Against the float64 twin: ten times as far as the float32 original is, the
// manifest's rule.
func baselineTrajectories(c *Case) (all []*Trajectory) {
	config := configOf[struct {
		optimConfig
		Hyper map[string]hyper `json:"hyper"`
	}](c)
	f := readGiven(c, config.Steps)
	for _, name := range slices.Sorted(maps.Keys(config.Hyper)) {
		h := config.Hyper[name]
		rule := h.rule(name)
		fractions := make([]float64, config.Steps+1)
		for step := 1; step <= config.Steps; step++ {
			fractions[step] = stepFraction(name, h, step)
		}
		compute := func(s gpu.Stream) results { return f.train(s, rule, name+"/", nil, false) }
		all = append(all, &Trajectory{Name: c.Name + "/" + name, of: c, compute: compute, compare: func(k *comparison) {
			for _, step := range config.SavedAfter {
				check := must(c.Check(fmt.Sprintf("%s/step%d", name, step), "max_abs_diff_vs_float64"))
				for _, tensor := range f.names {
					array := fmt.Sprintf("%s/step%d/p/%s", name, step, tensor)
					k.float32s("oracle", array, array, func(i int) float64 {
						var tolerance, largest, moved float64
						for s := 1; s <= step && fractions[step] > 0; s++ {
							largest = max(largest, ulp(k.r[fmt.Sprintf("%s/step%d/p/%s", name, s, tensor)][i]))
							moved = max(moved, k.r.update(name+"/", s, tensor, i))
							tolerance += fractions[s] * moved
						}
						return tolerance + float64(step)*largest
					})
					k.float64s("float64 twin", array, fmt.Sprintf("%s/step%d/p64/%s", name, step, tensor), constant(10*check))
				}
			}
		}})
	}
	return all
}

// stepFraction is the fraction of a step that two float32 programs of a rule
// may differ by. In units of 2^-24, a rounding: quotientRoundings, biasFraction
// and
//
//   - 1 - beta, which TensorFlow forms in float32 where this project rounds the
//     exact value: beta is off by up to half a unit, so 1 - beta by the fraction
//     1/(2 (1 - beta)), and half of that where a root is taken;
//   - the roundings of a mean square, three a step in each program, fading with
//     beta: 6/(1 - beta), half of that under the root; AdaBelief's root is of
//     squares of g - m, whose m fades with beta1;
//   - AdaBelief's rectification, whose length l = L - 2 t b/(1 - b), b = beta2^t,
//     is a difference of large numbers: l is off by 2 t b/(1 - b)^2, once for
//     each program's power, and r = sqrt((l-4)(l-2)/l ...) by the fraction
//     (1/(l-4) + 1/(l-2) - 1/l)/2 of that.
func stepFraction(name string, h hyper, step int) float64 {
	switch base, _, _ := strings.Cut(name, "_"); base {
	case "sgd":
		return 0
	case "adam", "adamw":
		return epsilon * (quotientRoundings + biasFraction(h.number("beta1"), h.number("beta2"), step))
	case "rmsprop":
		memory := 1 - h.number("rho")
		return epsilon * (quotientRoundings + 1/(4*memory) + 3/memory)
	case "adabelief":
		memory1, memory2 := 1-h.number("beta1"), 1-h.number("beta2")
		b := math.Pow(h.number("beta2"), float64(step))
		fraction := quotientRoundings + biasFraction(h.number("beta1"), h.number("beta2"), step) +
			1/(2*memory1) + 1/(4*memory2) + 3/memory1
		if l := 2/memory2 - 1 - 2*float64(step)*b/(1-b); l > 5 {
			fraction += (1/(l-4) + 1/(l-2) - 1/l) / 2 * 2 * (2 * float64(step) * b / ((1 - b) * (1 - b)))
		}
		return epsilon * fraction
	}
	demand(fmt.Errorf("optimizer %s is not known", name))
	return 0
}
