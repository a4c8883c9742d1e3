// Package keys reads settings as a person writes them, key=value,..., into the fields of a
// struct. It checks each value, and writes the shortest settings that mean the same.
//
// What does not belong here: which keys there are.
package keys

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"diaghess/nearest"
)

// Key is a key of settings, bound to the variable that has its value.
type Key struct {
	Name, Help string
	Whole      bool // whether its values are whole numbers
	// Of a number: the least and the greatest value, and whether a search for the best goes over
	// the logarithm.
	Low, High float64
	Log       bool
	Get       func() string
	Set       func(string) error
	// acts says whether the key has an effect beside the other settings, which is with those
	// that with names; nil for always.
	acts func() bool
	with string
}

// When returns the key as one that has an effect with other settings only.
func (k Key) When(with string, acts func() bool) Key {
	k.with, k.acts = with, acts
	return k
}

// ParseNumber reads a number as a person writes it. One as programs write it, such as 1_000
// or 0x1p-4, is an error.
func ParseNumber(text string) (float64, error) {
	if strings.ContainsAny(text, "_xX") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// Number is a key whose value, and what float32 makes of it, is finite and valid. must says in
// errors what that is.
func Number(name, help string, value *float64, valid func(float64) bool, must string) Key {
	return Key{Name: name, Help: help, Low: math.Inf(-1), High: math.Inf(1), Log: true,
		Get: func() string { return strconv.FormatFloat(*value, 'g', -1, 64) },
		Set: func(text string) error {
			v, err := ParseNumber(text)
			rounded := float64(float32(v)) // what a kernel gets
			if err != nil || !valid(v) || !valid(rounded) || math.IsInf(rounded, 0) {
				return fmt.Errorf("%s=%s: must be a number %s (in float32)", name, text, must)
			}
			*value = v
			return nil
		}}
}

// Positive is a number above 0.
func Positive(name, help string, value *float64) Key {
	return Number(name, help, value, func(v float64) bool { return v > 0 }, "above 0")
}

// NonNegative is a number of at least 0.
func NonNegative(name, help string, value *float64) Key {
	return Number(name, help, value, func(v float64) bool { return v >= 0 }, "of at least 0")
}

// AtLeastOne is a number of at least 1.
func AtLeastOne(name, help string, value *float64) Key {
	return Number(name, help, value, func(v float64) bool { return v >= 1 }, "of at least 1")
}

// Fraction is a number in [0, 1).
func Fraction(name, help string, value *float64) Key {
	return Number(name, help, value, func(v float64) bool { return v >= 0 && v < 1 }, "in [0, 1)")
}

// Count is a whole number of at least 1.
func Count(name, help string, value *int) Key {
	return Integer(name, help, value, 1, math.MaxInt32)
}

// Integer is a whole number from low to high.
func Integer(name, help string, value *int, low, high int) Key {
	must := fmt.Sprintf("from %d to %d", low, high)
	if high == math.MaxInt32 {
		must = fmt.Sprintf("of at least %d", low)
	}
	return Key{Name: name, Help: help, Whole: true,
		Get: func() string { return strconv.Itoa(*value) },
		Set: func(text string) error {
			v, err := strconv.Atoi(text)
			if err != nil || v < low || v > high {
				return fmt.Errorf("%s=%s: must be a whole number %s", name, text, must)
			}
			*value = v
			return nil
		}}
}

// Boolean is true or false.
func Boolean(name, help string, value *bool) Key {
	return Key{Name: name, Help: help,
		Get: func() string { return strconv.FormatBool(*value) },
		Set: func(text string) error {
			v, err := strconv.ParseBool(text)
			if err != nil {
				return fmt.Errorf("%s=%s: must be true or false", name, text)
			}
			*value = v
			return nil
		}}
}

// Choice is one of the known names.
func Choice(name, help string, value *string, known []string) Key {
	return Key{Name: name, Help: help,
		Get: func() string { return *value },
		Set: func(text string) error {
			if !slices.Contains(known, text) {
				return fmt.Errorf("%s=%s: must be one of %s%s", name, text, strings.Join(known, ", "), nearest.Question(text, known, ""))
			}
			*value = text
			return nil
		}}
}

// List is a key with least to most values, with slashes between them, 32/64/128. element makes
// the key of one of them, with the same name.
func List[T any](name, help string, values *[]T, least, most int, element func(value *T) Key) Key {
	must := fmt.Sprintf("%d values", least)
	if most > least {
		must = fmt.Sprintf("%d to %d values", least, most)
	}
	return Key{Name: name, Help: help,
		Get: func() string {
			var texts []string
			for _, v := range *values {
				texts = append(texts, element(&v).Get())
			}
			return strings.Join(texts, "/")
		},
		Set: func(text string) error {
			texts := strings.Split(text, "/")
			if len(texts) < least || len(texts) > most {
				return fmt.Errorf("%s=%s: must be %s, with / between them", name, text, must)
			}
			read := make([]T, len(texts))
			for i, t := range texts {
				if err := element(&read[i]).Set(t); err != nil {
					return err
				}
			}
			*values = read
			return nil
		}}
}

// Set reads settings, key=value,..., into the variables of the keys. An unknown key is an error
// that lists the known ones. A key that is given twice, one that has no effect beside the
// others, and a value that is out of range are errors too.
func Set(keys []Key, settings string) error {
	if settings == "" {
		return nil
	}
	seen := map[string]bool{}
	for setting := range strings.SplitSeq(settings, ",") {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form key=value", setting)
		}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
		if i < 0 {
			var known []string
			for _, k := range keys {
				known = append(known, k.Name)
			}
			return fmt.Errorf("no key %q%s (known: %s)", name, nearest.Question(name, known, ""), strings.Join(known, ", "))
		}
		if seen[name] {
			return fmt.Errorf("key %s is given twice", name)
		}
		seen[name] = true
		if err := keys[i].Set(value); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if seen[k.Name] && k.acts != nil && !k.acts() {
			return fmt.Errorf("%s=%s has no effect: it needs %s; leave it out, or change the other", k.Name, k.Get(), k.with)
		}
	}
	return nil
}

// Spec returns what has a name and settings in the shortest form, name or name:key=value,...,
// with the settings that differ from those of defaults, the same keys in the same order.
func Spec(name string, keys, defaults []Key) string {
	separator := ":"
	for i, k := range keys {
		if value := k.Get(); value != defaults[i].Get() {
			name += separator + k.Name + "=" + value
			separator = ","
		}
	}
	return name
}

// Help lists what has a name and keys for a person: the keys, their values, and what they are.
func Help(name string, keys []Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", name)
	for _, k := range keys {
		fmt.Fprintf(&b, "  %-14s %-10s %s\n", k.Name, k.Get(), k.Help)
	}
	return b.String()
}
