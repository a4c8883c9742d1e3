package tune

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"diaghess/nearest/keys"
	"diaghess/optim"
	"diaghess/train/record"
)

// axis is a dimension as trials are sampled from it.
type axis struct {
	record.Dimension
	whole bool // whole numbers only
}

// steps is how many values an axis is divided into at least.
const steps = 500

// digits returns how many significant digits tell that many values of the axis apart, at
// least the four that a person likes to read.
func (a axis) digits() int {
	largest := max(math.Abs(a.Low), math.Abs(a.High))
	needed := math.Floor(math.Log10(largest)) + 1 + math.Log10(steps/(a.High-a.Low))
	return int(min(max(4, math.Ceil(needed)), mostDigits))
}

// mostDigits tell all float64 apart.
const mostDigits = 17

// at returns the value at a quantile in [0, 1), with so many significant digits, or more
// where rounding would leave the axis. Each whole number of an axis of them is as likely as
// the others, or as its logarithm has it.
func (a axis) at(quantile float64, digits int) string {
	high := a.High
	if a.whole {
		high++
	}
	value := a.Low + quantile*(high-a.Low)
	if a.Log {
		value = a.Low * math.Pow(high/a.Low, quantile)
	}
	if a.whole {
		value = math.Floor(value)
	}
	value = min(max(value, a.Low), a.High)
	if a.whole {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	for ; ; digits++ {
		text := strconv.FormatFloat(value, 'g', digits, 64)
		rounded, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic("tune: " + err.Error())
		}
		if digits >= mostDigits || a.Low <= rounded && rounded <= a.High {
			return text
		}
	}
}

// axesOf returns the axes of a rule's dimensions.
func axesOf(rule optim.Rule, dimensions []record.Dimension) ([]axis, error) {
	if len(dimensions) > len(primes()) {
		return nil, fmt.Errorf("space: %d keys of %s: sample at most %d", len(dimensions), rule.Name(), len(primes()))
	}
	axes := make([]axis, len(dimensions))
	for i, d := range dimensions {
		axes[i] = axis{d, optim.Whole(rule, d.Key)}
		if axes[i].whole && (d.Low != math.Trunc(d.Low) || d.High != math.Trunc(d.High)) {
			return nil, fmt.Errorf("space: %v: %s takes whole numbers: give whole ones from lowest to highest", d, d.Key)
		}
	}
	return axes, nil
}

// Space is what is sampled for each rule, by its name; under "" stands what is
// sampled for the others.
type Space map[string][]record.Dimension

// ParseSpace reads a space: parts "NAME: KEY=LOW..HIGH log, ..." separated by semicolons.
// A part without a name is for all rules without a part. "log" samples uniformly in the
// logarithm. An empty text is the empty space.
func ParseSpace(text string) (Space, error) {
	space := Space{}
	if strings.TrimSpace(text) == "" {
		return space, nil
	}
	for part := range strings.SplitSeq(text, ";") {
		name, list, named := strings.Cut(part, ":")
		if !named {
			name, list = "", part
		}
		name = strings.TrimSpace(name)
		if _, twice := space[name]; twice {
			return nil, fmt.Errorf("space: %s is there twice: join the two with a comma", partOf(name))
		}
		for element := range strings.SplitSeq(list, ",") {
			d, err := parseDimension(element)
			if err != nil {
				return nil, fmt.Errorf("space: %w", err)
			}
			if slices.ContainsFunc(space[name], func(other record.Dimension) bool { return other.Key == d.Key }) {
				return nil, fmt.Errorf("space: %s has the key %s twice", partOf(name), d.Key)
			}
			space[name] = append(space[name], d)
		}
	}
	return space, nil
}

// partOf names a part of a space.
func partOf(name string) string {
	if name == "" {
		return "the part without an optimizer's name"
	}
	return "the part of " + name
}

func parseDimension(element string) (record.Dimension, error) {
	malformed := fmt.Errorf("%q is not of the form KEY=LOW..HIGH or KEY=LOW..HIGH log", strings.TrimSpace(element))
	key, values, ok := strings.Cut(strings.TrimSpace(element), "=")
	if !ok || key == "" {
		return record.Dimension{}, malformed
	}
	d := record.Dimension{Key: key}
	values, d.Log = strings.CutSuffix(strings.TrimSpace(values), " log")
	low, high, ok := strings.Cut(strings.TrimSpace(values), "..")
	if !ok {
		return record.Dimension{}, malformed
	}
	var lowErr, highErr error
	d.Low, lowErr = keys.ParseNumber(low)
	d.High, highErr = keys.ParseNumber(high)
	switch {
	case errors.Join(lowErr, highErr) != nil || !finite(d.Low) || !finite(d.High):
		return record.Dimension{}, malformed
	case d.Low >= d.High:
		return record.Dimension{}, fmt.Errorf("%v: the first number must be below the second", d)
	case d.Log && d.Low <= 0:
		return record.Dimension{}, fmt.Errorf("%v: a logarithm needs numbers above 0", d)
	}
	return d, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// spaceReach is by which factor the default space goes below and above a rule's
// default.
const spaceReach = 100

// smallWeightDecay is the middle of the default space of a weight decay whose
// default is 0.
const smallWeightDecay = 1e-4

// of returns what is sampled for an optimizer, a rule and its spec: what the space names, else the
// learning rate and the weight decay, where the rule has one, about their
// defaults, within their ranges. What the spec sets itself is never sampled.
func (s Space) of(spec string, rule optim.Rule) ([]record.Dimension, error) {
	set := settingsOf(spec)
	for _, name := range []string{rule.Name(), withoutDigest(rule.Name()), ""} {
		dimensions, named := s[name]
		if !named {
			continue
		}
		for _, d := range dimensions {
			if _, ok := set[d.Key]; ok {
				return nil, fmt.Errorf("space: %s is set in %s: take it out of the one or the other", d.Key, spec)
			}
		}
		return dimensions, nil
	}
	var dimensions []record.Dimension
	for _, key := range []string{"lr", "weight-decay"} {
		text, has := optim.Settings(rule)[key]
		if _, fixed := set[key]; fixed || !has {
			continue
		}
		middle, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("optimizer %s: default of %s: %w", spec, key, err)
		}
		if middle == 0 {
			middle = smallWeightDecay
		}
		low, high, log := optim.Axis(rule, key)
		dimensions = append(dimensions, record.Dimension{Key: key, Low: max(low, round(middle/spaceReach)), High: min(high, round(middle*spaceReach)), Log: log})
	}
	if len(dimensions) == 0 {
		return nil, fmt.Errorf("optimizer %s: nothing is left to sample: name a key with --space", spec)
	}
	return dimensions, nil
}

// round takes the last bits of a product off, which nobody wants to read.
func round(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		panic("train: " + err.Error())
	}
	return rounded
}

// withoutDigest is the name of an optimizer in a space: of a rule file, that of its rule.
func withoutDigest(name string) string {
	rule, _, _ := strings.Cut(name, "@")
	return rule
}

// settingsOf returns the settings that a spec, which is a valid one, names.
func settingsOf(spec string) map[string]string {
	_, list := optim.Split(spec)
	settings := map[string]string{}
	for setting := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(setting, "="); ok {
			settings[key] = value
		}
	}
	return settings
}

// draw returns a rule for each of the trials: that of the spec with the dimensions
// at a point of the Halton sequence, moved by a vector, which may be nil. More trials begin
// with the same rules.
func draw(spec string, rule optim.Rule, dimensions []record.Dimension, trials int, moved []float64) ([]optim.Rule, error) {
	axes, err := axesOf(rule, dimensions)
	if err != nil {
		return nil, err
	}
	rules := make([]optim.Rule, trials)
	drawn := make(map[string]bool, trials) // as a device sees them
	for i := range rules {
		point := halton(i+1, primes()[:len(axes)])
		for j := range point {
			if moved != nil {
				_, point[j] = math.Modf(point[j] + moved[j])
			}
		}
		// More digits, where the usual ones give the trial of another point, or a value
		// that rounding has made invalid.
		for more := 0; ; more++ {
			settings := settingsOf(spec)
			for j, a := range axes {
				settings[a.Key] = a.at(point[j], a.digits()+more)
			}
			if rules[i], err = optim.With(rule, join(settings)); err == nil {
				device := inFloat32(rules[i])
				if !drawn[device] {
					drawn[device] = true
					break
				}
				err = fmt.Errorf("another trial is %s too, to what a device can tell: widen the space of %s, or take fewer trials than %d", optim.Spec(rules[i]), spec, trials)
			}
			if more >= mostDigits {
				return nil, fmt.Errorf("space: trial %d: %w", i+1, err)
			}
		}
	}
	return rules, nil
}

// join writes settings as a spec has them, by key.
func join(settings map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		list = append(list, key+"="+settings[key])
	}
	return strings.Join(list, ",")
}

// inFloat32 returns a rule's settings as a device sees them.
func inFloat32(rule optim.Rule) string {
	settings := optim.Settings(rule)
	for key, text := range settings {
		if v, err := strconv.ParseFloat(text, 64); err == nil && !optim.Whole(rule, key) {
			settings[key] = strconv.FormatFloat(float64(float32(v)), 'g', -1, 64)
		}
	}
	return join(settings)
}

// haltonLeap takes every 409th point of the Halton sequence, so that coordinates
// of large primes do not rise together over the first points: Kocis and Whiten
// 1997, "Computational investigations of low-discrepancy sequences", who
// recommend this leap. Being a prime that is no base, it leaves each coordinate
// as evenly spread as it was.
const haltonLeap = 409

// shift returns the vector by which the samples of one of several tunings are moved, a
// coordinate for each base, modulo 1: Cranley and Patterson 1976, "Randomization of number
// theoretic methods for multiple integration". It is a function of the first seed of tuning and
// the tuning's number. Tunings are thereby independent and alike in distribution, and the
// samples of each are spread as evenly as unmoved ones. Later points of the same sequence would
// be other points too, but not independent: each part fills what the parts before it left open.
func shift(seed, tuning int) []float64 {
	random := rand.NewPCG(uint64(seed), uint64(tuning))
	vector := make([]float64, len(primes()))
	for i := range vector {
		vector[i] = float64(random.Uint64()>>11) * 0x1p-53
	}
	return vector
}

// primes returns the bases of the sequence's coordinates.
func primes() []int { return []int{2, 3, 5, 7, 11, 13, 17, 19} }

// halton returns a point of the leaped Halton sequence in the unit cube, counted
// from 1, with a coordinate for each of the bases.
func halton(point int, bases []int) []float64 {
	coordinates := make([]float64, len(bases))
	for i, base := range bases {
		coordinates[i] = radicalInverse(point*haltonLeap, base)
	}
	return coordinates
}

// radicalInverse mirrors the digits of n at the point: 6 = 110 in base 2 is
// 0.011 = 3/8.
func radicalInverse(n, base int) float64 {
	inverse, digit := 0.0, 1/float64(base)
	for ; n > 0; n /= base {
		inverse += float64(n%base) * digit
		digit /= float64(base)
	}
	return inverse
}
