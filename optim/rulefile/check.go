package rulefile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Kind says how often a value is computed, and with that where and in what precision: see
// the package's comment.
type Kind uint8

const (
	Const   Kind = iota // once in a run
	Step                // at each step
	Table               // once in a run for each tensor
	Batch               // at each step, from the batch
	Tensor              // at each step for each tensor
	Element             // at each step for each element
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	return [...]string{"const", "step", "table", "batch", "tensor", "element"}[k]
}

// Host says whether numbers of the kind are computed on the host in float64.
func (k Kind) Host() bool { return k <= Table }

// join is the least kind that holds both.
func join(a, b Kind) Kind {
	a, b = min(a, b), max(a, b)
	switch {
	case a == Const || a == b || b == Element:
		return b
	case a == Step && b == Batch:
		return Batch
	}
	return Tensor // step or batch with table, or what is tensor already
}

// scope has the names that each rule has, beside keys, slots and carries.
var scope = map[string]Kind{
	"w": Element, "g": Element, "h": Element, "loss": Batch, "numel": Table, "rank": Table,
	"t": Step, "epoch": Step, "lr": Step, "lr0": Const, "steps": Const, "epochs": Const,
}

// readOnly says why a name of the scope cannot be assigned.
var readOnly = map[string]string{"g": "the gradient is read-only", "h": "the curvature is read-only", "lr": "the schedule sets lr"}

// symbol is what a name stands for.
type symbol struct {
	kind      Kind
	condition bool
}

// checker gives each expression of a rule its kind and type.
type checker struct {
	rule     *Rule
	names    map[string]symbol
	assigned map[string]position // where each name is first
	used     map[string]bool
}

func (c *checker) fail(at position, format string, args ...any) {
	fail(c.rule.File, at, format, args...)
}

// check fails at the first mistake in the meaning of a rule. declared has the places of its
// keys, slots and carries; curvature is that of its line curvature.
func check(r *Rule, declared map[string]position, curvature position) {
	c := &checker{r, map[string]symbol{}, map[string]position{}, map[string]bool{}}
	for name, kind := range scope {
		c.names[name] = symbol{kind: kind}
	}
	c.keys(declared)
	for _, s := range r.Slots {
		c.names[s.Name] = symbol{kind: Element}
	}
	for _, s := range r.Carries {
		c.names[s.Name] = symbol{kind: Step}
	}
	for _, s := range r.statements {
		c.statement(s)
	}
	if r.evaluation != nil {
		c.evaluation()
	}
	c.whole(declared, curvature)
}

func (c *checker) keys(declared map[string]position) {
	lr := c.rule.key("lr")
	const line = `expected a line like key lr = 1e-3 in (0, inf) log "learning rate"`
	if lr == nil {
		c.fail(position{1, 1}, `the rule has no key "lr": %s`, line)
	}
	if lr.Boolean {
		c.fail(declared["lr"], `the key "lr" is a number: %s`, line)
	}
	for _, k := range c.rule.Keys {
		if _, taken := settings[k.Name]; taken && c.rule.Curvature != nil {
			c.fail(declared[k.Name], `a rule with a curvature has a key "%s" of the program: choose another name`, k.Name)
		}
		if k.Name != "lr" {
			c.names[k.Name] = symbol{condition: k.Boolean}
		}
	}
}

// writable says whether a name lasts from step to step, so that it may be assigned often.
func (c *checker) writable(name string) bool {
	return name == "w" || slices.Contains(c.rule.slotNames(), name) || c.carry(name)
}

func (c *checker) carry(name string) bool {
	return slices.ContainsFunc(c.rule.Carries, func(k Carry) bool { return k.Name == name })
}

func (c *checker) statement(s statement) {
	_, given := scope[s.target]
	_, function := functions[s.target]
	before, again := c.assigned[s.target]
	switch {
	case c.rule.key(s.target) != nil || given && s.target != "w":
		why, ok := readOnly[s.target]
		if !ok {
			why = "it is given"
		}
		c.fail(s.at, `"%s" cannot be assigned (%s): expected w, a slot, a carry or a new name`, s.target, why)
	case function || slices.Contains(words, s.target):
		c.fail(s.at, `"%s" is a word of the language: expected a name`, s.target)
	case again && !c.writable(s.target):
		c.fail(s.at, `"%s" has a value since line %d: a name of your own is assigned once`, s.target, before.line)
	}
	c.typed(s.value)
	n := s.value
	if c.writable(s.target) && n.condition {
		c.fail(n.at, `"%s" is a number: expected a number, found a condition`, s.target)
	}
	if c.carry(s.target) && n.kind > Step {
		c.fail(s.at, `carry "%s" must be known on the host (from keys, t, lr, carries): this depends on %s`, s.target, c.cause(n, Step))
	}
	if !c.writable(s.target) {
		c.names[s.target] = symbol{n.kind, n.condition}
	}
	if !again {
		c.assigned[s.target] = s.at
	}
}

func (c *checker) evaluation() {
	n := c.rule.evaluation
	c.typed(n)
	c.lasting(n)
	if n.condition || n.kind != Element {
		c.fail(n.at, "eval is the weights for evaluation: expected a number for each element, made of w and slots")
	}
}

// lasting fails if an expression needs what there is at a step only.
func (c *checker) lasting(n *node) {
	array := n.name == "w" || slices.Contains(c.rule.slotNames(), n.name)
	kind := c.names[n.name].kind
	if n.operator == "reduce" || n.operator == "name" && !array && kind != Const && kind != Table {
		c.fail(n.at, "eval is evaluated between steps: expected w, slots, keys, numel or rank")
	}
	for _, a := range n.args {
		c.lasting(a)
	}
}

// whole checks what only the whole file shows.
func (c *checker) whole(declared map[string]position, curvature position) {
	for _, s := range c.rule.Carries {
		if _, ok := c.assigned[s.Name]; !ok {
			c.fail(declared[s.Name], `carry "%s" is never assigned: a number that stays the same is a key`, s.Name)
		}
	}
	if c.rule.kernel {
		c.kernel(declared, curvature)
		return
	}
	declaredSlots := strings.Join(c.rule.slotNames(), ", ")
	if declaredSlots == "" {
		declaredSlots = "none declared"
	}
	for _, s := range c.rule.statements {
		if !c.writable(s.target) && !c.used[s.target] {
			c.fail(s.at, `"%s" is assigned and never used: to update a slot, write its name (%s)`, s.target, declaredSlots)
		}
	}
	if _, ok := c.assigned["w"]; !ok {
		at := position{1, 1}
		if len(c.rule.statements) > 0 {
			at = c.rule.statements[0].at
		}
		c.fail(at, "the rule never assigns w: expected a line like w -= lr * g")
	}
	for _, s := range c.rule.Slots {
		if _, ok := c.assigned[s.Name]; !ok {
			c.fail(declared[s.Name], `slot "%s" is never assigned: its 4 bytes an element would be wasted`, s.Name)
		}
	}
	if c.rule.Curvature != nil && !c.used["h"] {
		c.fail(curvature, "no formula uses h: leave out the line curvature, or use h")
	}
	for _, k := range c.rule.Keys {
		if k.Name != "lr" && !c.used[k.Name] { // lr must be there
			c.fail(declared[k.Name], `no formula uses key "%s": its value would change nothing`, k.Name)
		}
	}
}

// cause names the first part of an expression whose kind is above one, with its place.
func (c *checker) cause(n *node, above Kind) string {
	if n.kind <= above {
		return ""
	}
	if n.operator == "reduce" || n.operator == "name" {
		return fmt.Sprintf("%s (%s)", n.name, n.at)
	}
	for _, a := range n.args {
		if cause := c.cause(a, above); cause != "" {
			return cause
		}
	}
	return fmt.Sprintf("a mixture of steps and tensors (%s)", n.at)
}

// typed finds the kind and the type of an expression.
func (c *checker) typed(n *node) {
	for _, a := range n.args {
		c.typed(a)
		n.kind = join(n.kind, a.kind)
	}
	switch n.operator {
	case "number":
	case "bool":
		n.condition = true
	case "name":
		s := c.name(n)
		n.kind, n.condition = s.kind, s.condition
	case "and", "or", "not":
		for _, a := range n.args {
			c.want(n, a, true)
		}
		n.condition = true
	case "where":
		c.want(n, n.args[0], true)
		n.condition = n.args[1].condition
		c.want(n, n.args[2], n.condition)
	default:
		for _, a := range n.args {
			c.want(n, a, false)
		}
		n.condition = n.operator == "isfinite" || slices.Contains(infix[comparison], n.operator)
	}
	c.restricted(n)
}

// restricted checks what an operator demands of kinds and literals.
func (c *checker) restricted(n *node) {
	switch n.operator {
	case "reduce":
		if n.kind != Element {
			c.fail(n.at, "%s needs an expression over elements (w, g, h, slots): this is one number", n.name)
		}
		n.kind = Tensor
		if strings.HasPrefix(n.name, "all.") {
			n.kind = Batch
		}
	case "f32":
		if !n.kind.Host() {
			c.fail(n.at, "f32 rounds a number of the host: this is float32 already, it depends on %s", c.cause(n.args[0], Table))
		}
	case "pow":
		power := n.args[1]
		whole := power.operator == "number" && power.number >= 2 && power.number <= 8 && power.number == math.Trunc(power.number)
		if !n.kind.Host() && !whole {
			c.fail(power.at, "the exponent of a float32 must be a whole number from 2 to 8: write exp(y * log(x)), or sqrt(x) for a half")
		}
		return
	}
	if n.kind.Host() || n.operator == "name" {
		return
	}
	for _, a := range n.args {
		if rounded := float32(a.number); a.operator == "number" && (math.IsInf(float64(rounded), 0) || rounded == 0 && a.number != 0) {
			c.fail(a.at, "%s is %s in float32, the type of this operation", decimal(a.number), decimal(float64(rounded)))
		}
	}
}

// want fails if an argument of n is not of a type.
func (c *checker) want(n, a *node, condition bool) {
	if a.condition == condition {
		return
	}
	name := n.operator
	switch name {
	case "reduce":
		name = n.name
	case negation:
		name = "-"
	case "pow":
		name = "^"
	}
	if condition {
		c.fail(a.at, "%s needs a condition here (a comparison such as g > 0), found a number", name)
	}
	c.fail(a.at, "%s needs a number here, found a condition", name)
}

// name returns what a name stands for.
func (c *checker) name(n *node) symbol {
	if n.name == "h" && c.rule.Curvature == nil {
		c.fail(n.at, "h needs an estimate: expected a line like curvature gnb above the formulas")
	}
	s, ok := c.names[n.name]
	if !ok {
		c.unknown(n)
	}
	c.used[n.name] = true
	return s
}

func (c *checker) unknown(n *node) {
	for _, s := range c.rule.statements {
		switch {
		case s.target != n.name:
		case s.at == n.at:
			c.fail(n.at, `"%s" has no value yet, which this needs: expected w, a slot, a carry, or %s = FORMULA`, n.name, n.name)
		case s.value.contains(n):
			c.fail(n.at, `"%s" has no value yet: it is what this line assigns`, n.name)
		default:
			c.fail(n.at, `"%s" has no value yet: it gets one on line %d`, n.name, s.at.line)
		}
	}
	known := slices.Sorted(maps.Keys(c.names))
	for _, k := range known {
		if strings.HasPrefix(k, n.name+"_") { // as the command line writes it
			c.fail(n.at, `unknown name "%s": did you mean "%s"?`, n.name, k)
		}
	}
	c.fail(n.at, `unknown name "%s"%s`, n.name, similar(n.name, known))
}

// contains says whether an expression is part of another.
func (n *node) contains(part *node) bool {
	return n == part || slices.ContainsFunc(n.args, func(a *node) bool { return a.contains(part) })
}
