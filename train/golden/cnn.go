package golden

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/layers"
)

// cnnTrajectories compare small networks of the pilot's structure with the pilot's
// TensorFlow program: one step in detail, then the trajectories of its
// optimizers.
//
// The case's checks say how far the float32 original is from a float64 twin, and
// the manifest that a right float32 program is within 10 times of that in
// parameters and 20 times in gradients (in the same measures). Where there is
// the twin's array, that is the tolerance; the original's own array may be one
// more away on the other side, so 11 and 21 times. On top comes a unit in the
// last place, since a check can be smaller than the spacing of float32. The
// manifest has no rule for the rest:
//
//   - logits: as gradients;
//   - losses: 11 checks of the loss or 21 of the logits, whichever is larger. A
//     mean moves no more than the logits that it is taken over, and its own check
//     is one number, which may be small by chance;
//   - losses after the first step, where those of the parameters come on top.
//     Roundings know nothing of the gradient, so the sum of their products is of
//     the order of its norm times their root mean square, of which 11 checks are
//     allowed;
//   - batch statistics: an error before the normalization of a layer is, in
//     units of its deviation, at most that of the logits, which come after all
//     of them and are of order 1: 20 checks of the logits times the deviation
//     for a mean, twice that times the variance for a variance, and 4 roundings
//     (root, quotient and their inverse) of what the variance is taken from;
//   - custom's slots, from the gradient: an error e of g, |g| <= G, is at most
//     c1/lam0 e in d = g c1/(c2 g^2 + lam0), which m averages, and 4 c2^2 G^3 e in
//     n^2 = c2^2 g^4, of which v sums (1 - beta2) a step; e is 21 checks of the
//     gradient times G;
//   - accuracies: a row counts for either side where its two largest logits are
//     closer than both programs' errors, that of the loss being added for the
//     parameters'.
//
// All this holds while both programs decide alike which side of 0 an input of
// LeakyReLU is on and which of a window is the largest. A trajectory that comes
// closer to such an edge than its error, which is that of the logits, may part
// there: of thirty sets drawn like these two did, with a gap of 2e-6 and an input
// of 1e-6. That is excused from the edge on, where another machine, which rounds
// otherwise, has stayed with the seed to the end.
func cnnTrajectories(c *Case) []*Trajectory {
	config, in := configOf[cnnConfig](c), readCNNInput(c)
	steps := slices.Max(config.Steps)
	ran, stayed := false, map[string]bool{} // by optimizer: a machine stayed with the seed
	compute := func(s gpu.Stream) results {
		r := results{}
		for _, name := range config.Optimizers {
			trainCNN(s, config, in, name, r)
		}
		return r
	}
	compare := func(k *comparison) {
		ran = true
		check := func(path ...string) float64 { return must(c.Check(path...)) }
		gradients := check("grad1_max_over_tensors_of_maxdiff_over_max_vs_float64")
		logits := check("logits1_max_diff_vs_float64")
		checkFirstStep(k, config, max(11*check("loss1_diff_vs_float64"), 21*logits), logits, gradients)
		for _, name := range config.Optimizers {
			loss := k.lossTolerance(config, name, 21*logits, check)
			k.edge = 0
			for step, distance := range slices.Backward(k.r[name+"/edges"]) {
				if float64(distance) < loss(step)+21*logits {
					k.edge = step + 1
				}
			}
			for _, step := range config.Steps {
				k.at(step, func() { checkTensors(k, config, fmt.Sprintf("%s/step%d/", name, step), check) })
			}
			k.at(steps, func() {
				k.float32s(name+" loss", name+"/loss", name+"/loss", loss)
				checkEvaluation(k, name, loss(steps-1), loss(steps-1)+21*logits)
			})
			if name == "custom" {
				checkSlots(k, config, 21*gradients)
				k.at(steps, func() {
					k.float32s("custom accuracy", "custom/acc", "custom/acc", func(step int) float64 {
						gaps := k.r["custom/gaps"][step*config.Batch:][:config.Batch]
						return wavering(gaps, 2*(loss(steps-1)+21*logits)) + epsilon
					})
				})
			}
			stayed[name] = stayed[name] || k.stayed()
		}
	}
	end := func() (err error) {
		for _, name := range config.Optimizers {
			if ran && !stayed[name] {
				err = errors.Join(err, fmt.Errorf("%s: every machine parts from the seed with %s", c.Name, name))
			}
		}
		return err
	}
	return []*Trajectory{{Name: c.Name, of: c, compute: compute, compare: compare, end: end}}
}

// orUlp is a tolerance plus a unit in the last place of the result.
func (k *comparison) orUlp(result string, tolerance float64) func(i int) float64 {
	return func(i int) float64 { return tolerance + ulp(k.r[result][i]) }
}

// lossTolerance is the tolerance of an optimizer's loss at each step, from 0;
// least is what the logits alone allow.
func (k *comparison) lossTolerance(config cnnConfig, name string, least float64, check func(...string) float64) func(step int) float64 {
	var rms float64
	for _, step := range config.Steps {
		rms = max(rms, check(fmt.Sprintf("%s/step%d", name, step), "params_rms_diff_vs_float64"))
	}
	return func(step int) float64 {
		tolerance := max(least, 11*check(name+"/loss_max_diff_vs_float64")) + ulp(k.r[name+"/loss"][step])
		if step > 0 {
			tolerance += float64(k.r[name+"/norms"][step]) * 11 * rms
		}
		return tolerance
	}
}

func checkFirstStep(k *comparison, config cnnConfig, loss, logits, gradients float64) {
	k.float32s("loss1", "loss1", "loss1", k.orUlp("loss1", loss))
	k.float32s("logits1", "logits1", "logits1", k.orUlp("logits1", 21*logits))
	for _, name := range config.TrainableOrder {
		twin := must(Read[float64](k.c, "grad64/"+name)).Values
		k.float64s("gradients (twin)", "grad1/"+name, "grad64/"+name, constant(20*gradients*largestOf(twin)))
		k.float32s("gradients", "grad1/"+name, "grad1/"+name, constant(21*gradients*largestOf(twin)))
	}
	for _, layer := range k.c.Names("bnvar1/") {
		variance := must(Read[float64](k.c, "bnvar1/"+layer)).Values
		k.float64s("batch means", "bnmean1/"+layer, "bnmean1/"+layer, func(i int) float64 {
			return 20 * logits * math.Sqrt(variance[i])
		})
		k.float64s("batch variances", "bnvar1/"+layer, "bnvar1/"+layer, func(i int) float64 {
			return 40*logits*variance[i] + 4*epsilon*(variance[i]+layers.BatchNormEpsilon)
		})
	}
}

// checkTensors compares parameters and moving statistics after a step, prefix
// OPT/stepN/: each element, and the parameters' root mean square over all.
func checkTensors(k *comparison, config cnnConfig, prefix string, check func(...string) float64) {
	name, at, _ := strings.Cut(strings.TrimSuffix(prefix, "/"), "/")
	key := name + "/" + at
	largest, rms := check(key, "params_max_diff_vs_float64"), check(key, "params_rms_diff_vs_float64")
	var squares float64
	var n int
	for _, tensor := range config.TrainableOrder {
		array := prefix + tensor
		k.float32s(name+" parameters", array, array, k.orUlp(array, 11*largest))
		for i, want := range must(Read[float32](k.c, array)).Values {
			d := float64(k.r[array][i]) - float64(want)
			squares += d * d
			n++
		}
	}
	got := math.Sqrt(squares / float64(n))
	k.used[name+" rms"] = max(k.used[name+" rms"], got/(11*rms))
	if !(got <= 11*rms) {
		k.errorf("%s: %s: root mean square of all differences %.3g, tolerance %.3g", k.c.Name, key, got, 11*rms)
	}
	for _, statistic := range k.c.Names("mov0/") {
		array := prefix + statistic
		k.float32s(name+" moving", array, array, k.orUlp(array, 11*check(key, "moving_max_diff_vs_float64")))
	}
}

// checkSlots compares custom's m and v; fraction is the error of a gradient as a
// share of the largest.
func checkSlots(k *comparison, config cnnConfig, fraction float64) {
	h := config.Hyper["custom"]
	diff, square := h.number("diff"), h.number("square")
	c1, c2 := square*math.Pow(diff, square-1), square*(square-1)*math.Pow(diff, square-2)
	saved := false
	for _, step := range config.Steps {
		prefix := fmt.Sprintf("custom/step%d/", step)
		if len(k.c.Names(prefix+"m/")) == 0 {
			continue // not all steps are saved
		}
		saved = true
		k.at(step, func() {
			for _, tensor := range config.TrainableOrder {
				largest := float64(k.r[prefix+"gradient/"+tensor][0])
				m, v := prefix+"m/"+tensor, prefix+"v/"+tensor
				k.float32s("custom m", m, m, constant(c1/h.number("lam0")*fraction*largest))
				k.float32s("custom v", v, v, constant((1-h.number("beta2"))*float64(step)*4*c2*c2*math.Pow(largest, 4)*fraction))
			}
		})
	}
	if !saved {
		k.errorf("%s: no slots of custom after any of the steps %v", k.c.Name, config.Steps)
	}
}

// checkEvaluation compares OPT/eval: loss and accuracy in inference mode.
func checkEvaluation(k *comparison, name string, loss, logits float64) {
	array := name + "/eval"
	k.float32s(name+" evaluation", array, array, func(i int) float64 {
		if i == 0 {
			return loss
		}
		return wavering(k.r[name+"/evalgaps"], 2*logits) + epsilon
	})
}

// wavering is the share of rows that an error of the gap between the two largest
// logits may count for another class.
func wavering(gaps []float32, tolerance float64) float64 {
	n := 0
	for _, gap := range gaps {
		if float64(gap) < tolerance {
			n++
		}
	}
	return float64(n) / float64(len(gaps))
}
