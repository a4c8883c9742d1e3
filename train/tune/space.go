package tune

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"diaghess/optim"
	"diaghess/train/record"
)

// at returns a dimension's value at a quantile in [0, 1], rounded to the digits that a
// spec shows.
func at(d record.Dimension, quantile float64) string {
	value := d.Low + quantile*(d.High-d.Low)
	if d.Log {
		value = d.Low * math.Pow(d.High/d.Low, quantile)
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
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
		if named && !slices.Contains(optim.Names(), name) {
			return nil, fmt.Errorf("space: unknown optimizer %q (known: %s)", name, strings.Join(optim.Names(), ", "))
		}
		if _, twice := space[name]; twice {
			return nil, fmt.Errorf("space: %q has two parts", name)
		}
		for element := range strings.SplitSeq(list, ",") {
			d, err := parseDimension(element)
			if err != nil {
				return nil, fmt.Errorf("space: %w", err)
			}
			if slices.ContainsFunc(space[name], func(other record.Dimension) bool { return other.Key == d.Key }) {
				return nil, fmt.Errorf("space: %q has the key %s twice", name, d.Key)
			}
			space[name] = append(space[name], d)
		}
	}
	return space, nil
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
	d.Low, lowErr = strconv.ParseFloat(low, 64)
	d.High, highErr = strconv.ParseFloat(high, 64)
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

// of returns what is drawn for an optimizer: what the space names, else the
// learning rate and the weight decay, where the rule has one, about their
// defaults. What the spec sets itself is never drawn.
func (s Space) of(spec string) ([]record.Dimension, error) {
	rule, err := optim.Parse(spec)
	if err != nil {
		return nil, err
	}
	set := settingsOf(spec)
	for _, name := range []string{rule.Name(), ""} {
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
		dimensions = append(dimensions, record.Dimension{Key: key, Low: round(middle / spaceReach), High: round(middle * spaceReach), Log: true})
	}
	if len(dimensions) == 0 {
		return nil, fmt.Errorf("optimizer %s: nothing is left to be drawn: name a key with --space", spec)
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

// settingsOf returns the settings that a spec, which is a valid one, names.
func settingsOf(spec string) map[string]string {
	_, list, _ := strings.Cut(spec, ":")
	settings := map[string]string{}
	for setting := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(setting, "="); ok {
			settings[key] = value
		}
	}
	return settings
}

// draw returns a spec for each of the trials: the given one with the dimensions
// at a point of the Halton sequence. More trials begin with the same specs.
func draw(spec string, dimensions []record.Dimension, trials int) ([]string, error) {
	name, _, _ := strings.Cut(spec, ":")
	settings := settingsOf(spec)
	if len(dimensions) > len(primes()) {
		return nil, fmt.Errorf("space: %d keys of %s: draw at most %d", len(dimensions), spec, len(primes()))
	}
	specs := make([]string, trials)
	for i := range specs {
		point := halton(i+1, primes()[:len(dimensions)])
		for j, d := range dimensions {
			settings[d.Key] = at(d, point[j])
		}
		var list []string
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			list = append(list, key+"="+settings[key])
		}
		rule, err := optim.Parse(name + ":" + strings.Join(list, ","))
		if err != nil {
			return nil, fmt.Errorf("space: trial %d: %w", i+1, err)
		}
		specs[i] = optim.Spec(rule)
		if slices.Contains(specs[:i], specs[i]) {
			return nil, fmt.Errorf("space: two of the %d trials are %s: widen the space of %s", trials, specs[i], spec)
		}
	}
	return specs, nil
}

// haltonLeap takes every 409th point of the Halton sequence, so that coordinates
// of large primes do not rise together over the first points: Kocis and Whiten
// 1997, "Computational investigations of low-discrepancy sequences", who
// recommend this leap. Being a prime that is no base, it leaves each coordinate
// as evenly spread as it was.
const haltonLeap = 409

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
