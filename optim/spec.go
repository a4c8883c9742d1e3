package optim

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode"

	"diaghess/nearest/keys"

	"diaghess/nearest"
	"diaghess/optim/curvature"
)

// keysOf returns the keys of a rule: its own, and those of Before that it has no key of the same
// name for.
func keysOf(rule Rule) []keys.Key {
	all := rule.ownKeys()
	own := len(all)
	for _, k := range rule.before().keys() {
		if !slices.ContainsFunc(all[:own], func(o keys.Key) bool { return o.Name == k.Name }) {
			all = append(all, k)
		}
	}
	return all
}

// curvatureOptions are the defaults of a rule whose curvature is of a kind.
func curvatureOptions(kind string) curvature.Options {
	return curvature.Options{Kind: kind, Every: 1, Samples: 1, Decay: 0.9}
}

// curvatureKeys are the keys that every rule with a curvature has; kinds are
// those that it can do with.
func curvatureKeys(o *curvature.Options, kinds []string) []keys.Key {
	kind := keys.Choice("curvature", "estimator of the curvature diagonal", &o.Kind, kinds)
	choose := kind.Set
	kind.Set = func(text string) error {
		if err := curvature.Renamed(text); err != nil {
			return err
		}
		return choose(text)
	}
	const some = "a curvature"
	estimated := func() bool { return o.Kind != curvature.None }
	return []keys.Key{
		kind,
		keys.Count("every", "steps from one estimate to the next", &o.Every).When(some, estimated),
		keys.Count("samples", "samples per estimate, which is their mean", &o.Samples).When("a sampled curvature: "+strings.Join(curvature.SampledKinds(), ", "), func() bool { return o.Sampled() }),
		keys.Fraction("decay", "decay of the average over estimates; 0 means no average", &o.Decay).When(some, estimated),
		keys.Boolean("abs", "for hutchinson: absolute values, averaged over the taps of a filter", &o.Absolute).When("curvature hutchinson", func() bool { return o.Retains() }),
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

// byHand makes each rule whose kernels are written by hand, with its defaults, in the order in
// which they are listed.
func byHand() []Rule {
	return []Rule{NewDiagHess(), NewAdamW(), NewSGD(), NewMuon()}
}

// Names returns the names of the rules that are part of the program: those by hand, then those
// in rule files.
func Names() []string {
	var names []string
	for _, r := range byHand() {
		names = append(names, r.Name())
	}
	return append(names, FileNames()...)
}

// FileNames returns the names of the rules that are part of the program as rule files, sorted.
func FileNames() []string { return slices.Sorted(maps.Keys(shipped())) }

// Help returns a list of the rules for a person. Those by hand have their keys and defaults.
func Help() string {
	var b strings.Builder
	for _, r := range byHand() {
		b.WriteString(KeysHelp(r))
	}
	fmt.Fprintf(&b, "\nMore rules are files of formulas, which diaghess rule show NAME prints: %s.\n", strings.Join(FileNames(), ", "))
	b.WriteString("Each has clip too, and weight-decay, as they are above, unless the file has a key of that name.\n")
	b.WriteString("rule:my.rule:key=value,... is a file of your own, and ptx:my.ptx a kernel of your own; diaghess rule check my.rule tests it.\n")
	return b.String()
}

// KeysHelp returns a list of the keys of a rule and their values for a person.
func KeysHelp(r Rule) string { return keys.Help(r.Name(), keysOf(r)) }

// named returns a rule that is part of the program with its defaults, or nil.
func named(name string) Rule {
	for _, r := range byHand() {
		if r.Name() == name {
			return r
		}
	}
	if s, ok := shipped()[name]; ok {
		return s.withDefaults()
	}
	return nil
}

// Split returns the two parts of a spec: the rule's name, or a path with the prefix of a file;
// and the settings, key=value,..., which may be empty.
func Split(spec string) (rule, settings string) {
	kind, ok := kindOf(spec)
	if !ok {
		rule, settings, _ = strings.Cut(spec, ":")
		return rule, settings
	}
	// A path may have colons too.
	if end := strings.LastIndex(spec, kind.extension+":"); end >= 0 {
		end += len(kind.extension)
		return spec[:end], spec[end+1:]
	}
	return spec, ""
}

// Texts are the texts of files by the names that specs have for them. They come before the
// files that are part of the program.
type Texts map[string]string

// Parse is the function [Parse] for a spec that may name one of the texts.
func (t Texts) Parse(spec string) (Rule, error) {
	name, settings := Split(spec)
	rule, err := t.find(name)
	if err != nil {
		return nil, err
	}
	return With(rule, settings)
}

// find returns the rule with its defaults that the first part of a spec names.
func (t Texts) find(name string) (Rule, error) {
	if kind, ok := kindOf(name); ok {
		s, err := kind.open(strings.TrimPrefix(name, kind.prefix))
		if err != nil {
			return nil, err
		}
		return s.withDefaults(), nil
	}
	if text, ok := t[name]; ok {
		s, err := recorded(name, text)
		if err != nil {
			return nil, err
		}
		return s.withDefaults(), nil
	}
	if IsReference(name) {
		return nil, fmt.Errorf("optimizer %s: the text of this file is not known here: give the file, as in rule:my.rule", name)
	}
	if rule := named(name); rule != nil {
		return rule, nil
	}
	for _, kind := range fileKinds() {
		if strings.HasSuffix(name, kind.extension) {
			return nil, fmt.Errorf("unknown optimizer %q: a %s is given as %s%s", name, kind.what, kind.prefix, name)
		}
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return nil, fmt.Errorf("unknown optimizer %q: the name of a rule file ends in .rule, that of a kernel in .ptx: rename this file", name)
	}
	return nil, nearest.Unknown("optimizer", name, Names())
}

// Parse reads a spec and returns the rule. A spec is name, name:key=value,..., or the same with
// rule:PATH in place of the name, for a rule file of the user, or ptx:PATH for a kernel. Keys that the spec
// leaves out keep their defaults. An unknown name or key is an error that lists the known
// ones. A key that is given twice, one that has no effect beside the others, and a value
// that is out of range are errors too. So is a mistake in a rule file.
func Parse(spec string) (Rule, error) { return Texts(nil).Parse(spec) }

// With returns a rule with other settings, key=value,..., and defaults for what they leave out.
// Errors are those of [Parse].
func With(rule Rule, settings string) (Rule, error) {
	rule = withDefaults(rule)
	if err := keys.Set(keysOf(rule), settings); err != nil {
		return nil, fmt.Errorf("optimizer %s: %w", rule.Name(), err)
	}
	if err := CurvatureOf(rule).Validate(); err != nil {
		return nil, fmt.Errorf("optimizer %s: %w", rule.Name(), err)
	}
	return rule, nil
}

// withDefaults returns the same rule with its defaults.
func withDefaults(rule Rule) Rule {
	if o, ok := rule.(*FileRule); ok {
		return o.source.withDefaults()
	}
	return named(rule.Name())
}

// ParseEstimator reads an estimator whose estimates stand alone, without an average over
// steps: "kind" or "kind:key=value,...", with the keys samples and abs of an optimizer's
// spec.
func ParseEstimator(spec string) (curvature.Options, error) {
	kind, settings, _ := strings.Cut(spec, ":")
	o := curvature.Options{Kind: kind, Every: 1, Samples: 1}
	alone := slices.DeleteFunc(curvatureKeys(&o, nil), func(k keys.Key) bool { return k.Name != "samples" && k.Name != "abs" })
	err := keys.Set(alone, settings)
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

// Spec returns the shortest spec of a rule: its name and the settings that differ from
// the defaults. Parse turns it into an equal rule.
func Spec(rule Rule) string { return keys.Spec(rule.Name(), keysOf(rule), keysOf(withDefaults(rule))) }

// Axis returns the least and the greatest value of a number key of a rule, and whether a search
// for its best value goes over the logarithm.
func Axis(rule Rule, key string) (low, high float64, log bool) {
	for _, t := range keysOf(rule) {
		if t.Name == key {
			return t.Low, t.High, t.Log
		}
	}
	return math.Inf(-1), math.Inf(1), false
}

// Whole says whether a key of a rule takes whole numbers only.
func Whole(rule Rule, key string) bool {
	return slices.ContainsFunc(keysOf(rule), func(t keys.Key) bool { return t.Name == key && t.Whole })
}

// Settings returns the value of every key, for the record. Those of [Before] are there only
// where they are not 0, as in records of programs without them.
func Settings(rule Rule) map[string]string {
	settings := map[string]string{}
	for _, k := range rule.ownKeys() {
		settings[k.Name] = k.Get()
	}
	for _, k := range keysOf(rule)[len(settings):] {
		if k.Get() != "0" {
			settings[k.Name] = k.Get()
		}
	}
	return settings
}

// ParseList reads specs with commas between them. An element key=value belongs to the spec
// before it. It returns an error for a list without a spec, for two specs of the same rule with
// the same settings, and those of [Parse].
func ParseList(list string) ([]Rule, error) { return Texts(nil).ParseList(list) }

// ParseList is the function [ParseList] for specs that may name some of the texts.
func (t Texts) ParseList(list string) ([]Rule, error) {
	var rules []Rule
	var known []string
	for _, spec := range SplitList(list) {
		rule, err := t.Parse(spec)
		if err != nil {
			return nil, err
		}
		if slices.Contains(known, Spec(rule)) {
			return nil, fmt.Errorf("optimizer %s is there twice", Spec(rule))
		}
		rules, known = append(rules, rule), append(known, Spec(rule))
	}
	if rules == nil {
		return nil, fmt.Errorf("no optimizer in the list %q: give one or more of %s", list, strings.Join(Names(), ", "))
	}
	return rules, nil
}

// SplitList splits a list of specs at the commas between specs. An element key=value
// belongs to the spec before it. So does what follows a comma in the path of a file.
func SplitList(list string) []string {
	var specs []string
	for part := range strings.SplitSeq(list, ",") {
		element, last := strings.TrimSpace(part), len(specs)-1
		name, _, setting := strings.Cut(element, "=")
		switch {
		case last >= 0 && inPath(specs[last]) && !isFile(element):
			specs[last] += "," + strings.TrimRightFunc(part, unicode.IsSpace)
		case last >= 0 && setting && !strings.Contains(name, ":"):
			specs[last] += "," + element
		case element != "":
			specs = append(specs, element)
		}
	}
	return specs
}

// isFile says whether a spec names a file of the user.
func isFile(spec string) bool { _, ok := kindOf(spec); return ok }

// inPath says whether the path of a file goes on behind the part of a spec.
func inPath(spec string) bool {
	kind, ok := kindOf(spec)
	rule, _ := Split(spec)
	return ok && !strings.HasSuffix(rule, kind.extension)
}
