package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"diaghess/optim/curvature"
)

// tunable is a key of a spec.
type tunable struct {
	key, help string
	get       func() string
	set       func(string) error
}

func number(key, help string, value *float64, valid func(float64) bool, must string) tunable {
	return tunable{key, help,
		func() string { return strconv.FormatFloat(*value, 'g', -1, 64) },
		func(text string) error {
			v, err := strconv.ParseFloat(text, 64)
			rounded := float64(float32(v)) // what a kernel gets
			if err != nil || !valid(v) || !valid(rounded) || math.IsInf(rounded, 0) {
				return fmt.Errorf("%s=%s: must be a number %s (in float32)", key, text, must)
			}
			*value = v
			return nil
		}}
}

func positive(key, help string, value *float64) tunable {
	return number(key, help, value, func(v float64) bool { return v > 0 }, "above 0")
}

func nonNegative(key, help string, value *float64) tunable {
	return number(key, help, value, func(v float64) bool { return v >= 0 }, "of at least 0")
}

func atLeastOne(key, help string, value *float64) tunable {
	return number(key, help, value, func(v float64) bool { return v >= 1 }, "of at least 1")
}

func fraction(key, help string, value *float64) tunable {
	return number(key, help, value, func(v float64) bool { return v >= 0 && v < 1 }, "in [0, 1)")
}

func count(key, help string, value *int) tunable {
	return tunable{key, help,
		func() string { return strconv.Itoa(*value) },
		func(text string) error {
			v, err := strconv.Atoi(text)
			if err != nil || v < 1 || v > math.MaxInt32 {
				return fmt.Errorf("%s=%s: must be a whole number of at least 1", key, text)
			}
			*value = v
			return nil
		}}
}

func boolean(key, help string, value *bool) tunable {
	return tunable{key, help,
		func() string { return strconv.FormatBool(*value) },
		func(text string) error {
			v, err := strconv.ParseBool(text)
			if err != nil {
				return fmt.Errorf("%s=%s: must be true or false", key, text)
			}
			*value = v
			return nil
		}}
}

func choice(key, help string, value *string, known []string) tunable {
	return tunable{key, help,
		func() string { return *value },
		func(text string) error {
			if !slices.Contains(known, text) {
				return fmt.Errorf("%s=%s: must be one of %s", key, text, strings.Join(known, ", "))
			}
			*value = text
			return nil
		}}
}

// curvatureOptions are the defaults of a rule whose curvature is of a kind.
func curvatureOptions(kind string) curvature.Options {
	return curvature.Options{Kind: kind, Every: 1, Samples: 1, Decay: 0.9}
}

// curvatureTunables are the keys that every rule with a curvature has; kinds are
// those that it can do with.
func curvatureTunables(o *curvature.Options, kinds []string) []tunable {
	return []tunable{
		choice("curvature", "estimator of the curvature diagonal", &o.Kind, kinds),
		count("every", "steps from one estimate to the next", &o.Every),
		count("samples", "samples per estimate, which is their mean", &o.Samples),
		fraction("decay", "decay of the average over estimates; 0 means no average", &o.Decay),
		boolean("abs", "for hutchinson: absolute values, averaged over the taps of a filter", &o.Absolute),
	}
}

// someCurvature are the kinds for a rule that cannot do without.
func someCurvature() []string {
	return slices.DeleteFunc(curvature.Kinds(), func(kind string) bool { return kind == curvature.None })
}

// CurvatureOf returns the options of the rule's estimator of the curvature. Their kind is
// curvature.None if the rule uses none.
func CurvatureOf(rule Rule) curvature.Options {
	if c, ok := rule.(interface{ curvature() *curvature.Options }); ok {
		return *c.curvature()
	}
	return curvature.Options{Kind: curvature.None}
}

// rules makes each rule with its defaults, in the order in which they are
// listed.
func rules() []Rule {
	return []Rule{NewDiagHess(), NewAdamW(), NewAdam(), NewSGD(), NewRMSProp(), NewAdaBelief(), NewSophia(), NewAdaHessian(), NewAdaHesScale()}
}

// Names returns the names of the rules.
func Names() []string {
	var names []string
	for _, r := range rules() {
		names = append(names, r.Name())
	}
	return names
}

// Help returns a list of the rules with their keys and defaults, for a person.
func Help() string {
	var b strings.Builder
	for _, r := range rules() {
		fmt.Fprintf(&b, "%s\n", r.Name())
		for _, t := range r.tunables() {
			fmt.Fprintf(&b, "  %-14s %-10s %s\n", t.key, t.get(), t.help)
		}
	}
	return b.String()
}

// Parse reads a spec, name or name:key=value,..., and returns the rule. Keys that the spec
// leaves out keep their defaults. An unknown name or key is an error that lists the known
// ones. A key that is given twice and a value that is out of range are errors too.
func Parse(spec string) (Rule, error) {
	name, settings, _ := strings.Cut(spec, ":")
	var rule Rule
	for _, r := range rules() {
		if r.Name() == name {
			rule = r
		}
	}
	if rule == nil {
		return nil, fmt.Errorf("unknown optimizer %q (known: %s)", name, strings.Join(Names(), ", "))
	}
	if err := set(rule.tunables(), settings); err != nil {
		return nil, fmt.Errorf("optimizer %s: %w", name, err)
	}
	if err := CurvatureOf(rule).Validate(); err != nil {
		return nil, fmt.Errorf("optimizer %s: %w", name, err)
	}
	return rule, nil
}

// ParseEstimator reads an estimator whose estimates stand alone, without an average over
// steps: "kind" or "kind:key=value,...", with the keys samples and abs of an optimizer's
// spec.
func ParseEstimator(spec string) (curvature.Options, error) {
	kind, settings, _ := strings.Cut(spec, ":")
	o := curvature.Options{Kind: kind, Every: 1, Samples: 1}
	keys := slices.DeleteFunc(curvatureTunables(&o, nil), func(t tunable) bool { return t.key != "samples" && t.key != "abs" })
	err := set(keys, settings)
	switch {
	case err != nil:
	case kind == curvature.None:
		err = errors.New("it estimates nothing")
	default:
		err = o.Validate()
	}
	if err != nil {
		return o, fmt.Errorf("estimator %s: %w", spec, err)
	}
	return o, nil
}

// set reads settings, key=value,..., into the tunables.
func set(tunables []tunable, settings string) error {
	if settings == "" {
		return nil
	}
	seen := map[string]bool{}
	for setting := range strings.SplitSeq(settings, ",") {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form key=value", setting)
		}
		i := slices.IndexFunc(tunables, func(t tunable) bool { return t.key == key })
		if i < 0 {
			var known []string
			for _, t := range tunables {
				known = append(known, t.key)
			}
			return fmt.Errorf("no key %q (known: %s)", key, strings.Join(known, ", "))
		}
		if seen[key] {
			return fmt.Errorf("key %s is given twice", key)
		}
		seen[key] = true
		if err := tunables[i].set(value); err != nil {
			return err
		}
	}
	return nil
}

// Spec returns the shortest spec of a rule: its name and the settings that differ from
// the defaults. Parse turns it into an equal rule.
func Spec(rule Rule) string {
	defaults, err := Parse(rule.Name())
	if err != nil {
		panic("optim: " + err.Error())
	}
	var settings []string
	for i, t := range rule.tunables() {
		if t.get() != defaults.tunables()[i].get() {
			settings = append(settings, t.key+"="+t.get())
		}
	}
	if settings == nil {
		return rule.Name()
	}
	return rule.Name() + ":" + strings.Join(settings, ",")
}

// Settings returns the value of every key, for the record.
func Settings(rule Rule) map[string]string {
	settings := map[string]string{}
	for _, t := range rule.tunables() {
		settings[t.key] = t.get()
	}
	return settings
}

// SplitList splits a list of specs at the commas between specs. An element key=value
// belongs to the spec before it.
func SplitList(list string) []string {
	var specs []string
	for element := range strings.SplitSeq(list, ",") {
		element = strings.TrimSpace(element)
		name, _, setting := strings.Cut(element, "=")
		if setting && !strings.Contains(name, ":") && len(specs) > 0 {
			specs[len(specs)-1] += "," + element
			continue
		}
		if element != "" {
			specs = append(specs, element)
		}
	}
	return specs
}
