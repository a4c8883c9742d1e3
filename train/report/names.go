package report

import (
	"slices"
	"strings"
)

// rule returns the name of an optimizer without its settings.
func rule(optimizer string) string {
	name, _, _ := strings.Cut(optimizer, ":")
	return name
}

// bareRule is rule without the digest that the name of a rule file has, unless the digest tells
// it from a rule of other optimizers.
func bareRule(optimizer string, optimizers []string) string {
	bare := func(o string) string { name, _, _ := strings.Cut(rule(o), "@"); return name }
	if slices.ContainsFunc(optimizers, func(o string) bool { return bare(o) == bare(optimizer) && rule(o) != rule(optimizer) }) {
		return rule(optimizer)
	}
	return bare(optimizer)
}

// settingsOf returns the settings in the name of an optimizer: key=value, in their order.
func settingsOf(optimizer string) []string {
	_, settings, found := strings.Cut(optimizer, ":")
	if !found {
		return nil
	}
	return strings.Split(settings, ",")
}

// name returns the shortest words that tell an arm from the others of the study, for a reader.
func (a *Analysis) name(optimizer string) string {
	if place := slices.Index(a.Optimizers, optimizer); place >= 0 && place < len(a.short) {
		return printable(a.short[place])
	}
	return printable(optimizer)
}

// arms names what is compared.
func (a *Analysis) arms(c Comparison) string {
	if c.Rival == "" {
		return a.name(c.Baseline)
	}
	return a.name(c.Rival) + " against " + a.name(c.Baseline)
}

// rest returns what the name of an arm leaves out, for a reader.
func (a *Analysis) rest(optimizer string) string {
	name := a.name(optimizer)
	if name == printable(optimizer) {
		return ""
	}
	left := slices.DeleteFunc(settingsOf(optimizer), func(s string) bool { return s == name || strings.HasSuffix(s, "="+name) })
	if !strings.HasPrefix(name, rule(optimizer)) {
		left = append([]string{rule(optimizer)}, left...)
	}
	return printable(strings.Join(left, ", "))
}

// wordOf returns the value of a setting if it is a word that says enough, such as gnb.
func wordOf(setting string) string {
	_, value, _ := strings.Cut(setting, "=")
	if value == "" || strings.ContainsAny(value[:1], "0123456789.-+") || value == "true" || value == "false" {
		return ""
	}
	return value
}

// shortNames names optimizers: by the rule and, where several share it, by what only one of them
// has, the first word or else the first setting. Where that does not tell them apart, all keep
// their full names.
func shortNames(optimizers []string) []string {
	names := make([]string, len(optimizers))
	for i, optimizer := range optimizers {
		names[i] = bareRule(optimizer, optimizers)
		var others []string
		for _, other := range optimizers {
			if other != optimizer && rule(other) == rule(optimizer) {
				others = append(others, other)
			}
		}
		if len(others) == 0 {
			continue
		}
		own := slices.DeleteFunc(settingsOf(optimizer), func(setting string) bool {
			return slices.ContainsFunc(others, func(other string) bool { return slices.Contains(settingsOf(other), setting) })
		})
		if word := slices.IndexFunc(own, func(setting string) bool { return wordOf(setting) != "" }); word >= 0 {
			names[i] = wordOf(own[word])
		} else if len(own) > 0 {
			names[i] = own[0]
		}
	}
	for i, name := range names {
		for j, other := range names {
			if i != j && name == other {
				return slices.Clone(optimizers)
			}
		}
	}
	return names
}
