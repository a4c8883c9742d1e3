package rulefile

import (
	"fmt"
	"math"
	"strings"
)

// Limits of a rule file.
const (
	MostBytes = 64 << 10
	MostSlots = 8
	MostKeys  = 32
	// mostToken bounds names and numbers, mostText texts in quotes: they are in messages,
	// reports and the names of folders.
	mostToken, mostText = 64, 256
	// mostNested bounds the depth of an expression, and with it every recursion over one.
	mostNested = 256
)

// Rule is a rule file that has been parsed and checked. Compile makes a Program of it.
type Rule struct {
	File    string // as the caller of Parse names it
	Name    string
	Summary string
	// Keys, Slots and Carries are in the order of the file. One of the keys is lr.
	Keys    []Key
	Slots   []Slot
	Carries []Carry
	// Curvature is the rule's request for a diagonal of the curvature, h. It is nil for a
	// rule that does not use one.
	Curvature *Curvature
	// Evaluates says whether the rule has weights of its own for evaluation.
	Evaluates bool

	statements []statement
	evaluation *node // nil without
	kernel     bool  // it declares a kernel of one's own: see ParseKernel
}

// Kernel says whether the rule declares a kernel of one's own, see [ParseKernel].
func (r *Rule) Kernel() bool { return r.kernel }

// Key is a setting of a rule: a number, or true or false.
type Key struct {
	Name string // as formulas write it
	Help string
	// Boolean says that the key is true or false; Default is 1 or 0 then.
	Boolean bool
	Default float64
	// Of a number: Range holds the valid values. Whole ones only are valid if Whole. Log says
	// that a search for the best value goes over its logarithm.
	Range Range
	Whole bool
	Log   bool
}

// Flag is the key's name in a spec of an optimizer: weight-decay for weight_decay.
func (k *Key) Flag() string { return strings.ReplaceAll(k.Name, "_", "-") }

// Check returns an error if a value is none of the key's. A number has to be valid in float32
// too, the type of the kernels' parameters.
func (k *Key) Check(value float64) error {
	rounded := float64(float32(value))
	switch {
	case k.Boolean && value != 0 && value != 1:
		return fmt.Errorf("%s is neither true nor false", decimal(value))
	case k.Boolean:
	case !k.Range.Contains(value):
		return fmt.Errorf("%s is not in %s", decimal(value), k.Range)
	case k.Whole && value != math.Trunc(value):
		return fmt.Errorf("%s is not a whole number", decimal(value))
	case !k.Range.Contains(rounded):
		return fmt.Errorf("%s is %s in float32, not in %s", decimal(value), decimal(rounded), k.Range)
	}
	return nil
}

// Range is an interval of numbers. It contains finite numbers only, also where an end is
// infinite.
type Range struct {
	Low, High         float64
	OpenLow, OpenHigh bool // whether the end itself is left out
}

// Contains says whether a number is in the range.
func (r Range) Contains(v float64) bool {
	above := v > r.Low || v == r.Low && !r.OpenLow
	below := v < r.High || v == r.High && !r.OpenHigh
	return above && below && !math.IsInf(v, 0)
}

// String returns the range as a rule file has it: "[0, 1)".
func (r Range) String() string {
	left, right := "[", "]"
	if r.OpenLow {
		left = "("
	}
	if r.OpenHigh {
		right = ")"
	}
	end := func(v float64) string { return strings.ToLower(strings.TrimPrefix(decimal(v), "+")) }
	return left + end(r.Low) + ", " + end(r.High) + right
}

// Slot is an array with the shape of the weights that lasts from step to step.
type Slot struct {
	Name string
	// Initial is the first value of each element, in float32, unless it is that of the weight.
	Initial float32
	Weight  bool
}

// Carry is a number of the host that lasts from step to step.
type Carry struct {
	Name    string
	Initial float64
}

// Curvature is a rule's request for a diagonal of the curvature.
type Curvature struct {
	Kind string // one of Estimators
	// Settings are the defaults that the rule sets: every, samples, decay, abs,
	// uncorrected. The last two are 1 for true and 0 for false.
	Settings map[string]float64
}

// Estimators are the values of Curvature.Kind, as package optim/curvature lists them.
func Estimators() []string {
	return []string{"none", "empirical-fisher", "gnb", "hesscale", "calibrated", "hutchinson", "ggn-exact"}
}

// recursion is what version 0.1 called hesscale; rule files may.
const recursion = "recursion"

// settings of a curvature line, with their values.
var settings = map[string]Key{
	"every":       {Range: Range{Low: 1, High: math.MaxInt32}, Whole: true},
	"samples":     {Range: Range{Low: 1, High: 10_000}, Whole: true},
	"decay":       {Range: Range{High: 1, OpenHigh: true}},
	"abs":         {Boolean: true},
	"uncorrected": {Boolean: true},
}

// ofTheProgram are keys that every optimizer has beside those of its rule.
var ofTheProgram = []string{"schedule", "warmup", "step_every", "step_factor"}

// statement is target = value.
type statement struct {
	target string
	value  *node
	at     position
}

// node is an expression. The operator is an operator as the file writes it, a function's
// name, or "number", "name", "bool" and "reduce".
type node struct {
	operator string
	args     []*node
	at       position // where the expression begins
	number   float64  // of "number"; of "bool", 1 for true
	name     string   // of "name"; of "reduce", "tensor.sum" and the like
	depth    int

	// What the checker finds out.
	kind      Kind
	condition bool
}

// key returns the key of a name, or nil.
func (r *Rule) key(name string) *Key {
	for i := range r.Keys {
		if r.Keys[i].Name == name {
			return &r.Keys[i]
		}
	}
	return nil
}

// keyNames returns the names of the boolean keys, or of the others.
func (r *Rule) keyNames(boolean bool) []string {
	var names []string
	for _, k := range r.Keys {
		if k.Boolean == boolean {
			names = append(names, k.Name)
		}
	}
	return names
}

func (r *Rule) slotNames() []string {
	var names []string
	for _, s := range r.Slots {
		names = append(names, s.Name)
	}
	return names
}
