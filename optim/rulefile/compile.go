package rulefile

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Diagonal says what a program knows of h.
type Diagonal uint8

const (
	// NoDiagonal is curvature=none: h is 0 and not read.
	NoDiagonal Diagonal = iota
	// AnyDiagonal has entries of either sign.
	AnyDiagonal
	// NonNegativeDiagonal has no entry below 0.
	NonNegativeDiagonal
)

// MostPasses bounds the passes of a program: one more than reductions that are nested.
const MostPasses = 4

// Compile makes the program of a rule. booleans are the values of boolean keys; those that it
// leaves out have their defaults. It returns an error for a name that is no boolean key, and
// for a diagonal of a rule that does not use one. Reductions of reductions that need more than
// MostPasses are an *Error.
func Compile(rule *Rule, booleans map[string]bool, h Diagonal) (program *Program, err error) {
	defer recovered(&err)
	if h != NoDiagonal && rule.Curvature == nil {
		return nil, fmt.Errorf("rule %s has no line curvature, so it uses no diagonal", rule.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(booleans)) {
		if k := rule.key(name); k == nil || !k.Boolean {
			return nil, fmt.Errorf("rule %s has no boolean key %q%s", rule.Name, name, similar(name, rule.keyNames(true)))
		}
	}
	c := newCompiler(rule, booleans, h)
	if rule.kernel {
		c.kernel()
		return c.p, nil
	}
	c.statements()
	c.prune()
	c.p.plan()
	return c.p, nil
}

// operand is a value, or a condition that is known when a program is compiled.
type operand struct {
	value        int
	known, truth bool
}

func folded(truth bool) operand { return operand{-1, true, truth} }

// identity is what equal values have in common.
type identity struct {
	op     Op
	host   bool
	name   string
	number uint64
	args   [3]int
}

// compiler appends values to a program. Equal values are one: operations have no effects.
type compiler struct {
	p      *Program
	known  map[identity]int
	bounds []bound // of each value
	names  map[string]operand
	h      Diagonal
}

func newCompiler(rule *Rule, booleans map[string]bool, h Diagonal) *compiler {
	c := &compiler{p: &Program{Rule: rule}, known: map[identity]int{}, names: map[string]operand{}, h: h}
	for _, name := range rule.keyNames(true) {
		truth, given := booleans[name]
		if !given {
			truth = rule.key(name).Default != 0
		}
		c.names[name] = folded(truth)
	}
	return c
}

// add returns the value v, whose kind, for an operation with operands, is that of them.
func (c *compiler) add(v Value, at position) int {
	id := identity{v.Op, v.Host, v.Name, math.Float64bits(v.Number), [3]int{-1, -1, -1}}
	copy(id.args[:], v.Args)
	if i, ok := c.known[id]; ok {
		return i
	}
	for _, a := range v.Args {
		v.Kind = join(v.Kind, c.p.Values[a].Kind)
		v.Stage = max(v.Stage, c.p.Values[a].Stage)
	}
	if v.Op.Reduces() {
		v.Stage++
		v.Kind = Tensor
		if v.Name == "all" {
			v.Kind = Batch
		}
		if v.Stage >= MostPasses {
			fail(c.p.Rule.File, at, "%s.%s is of values that depend on reductions, %d deep: at most %d reductions may depend on each other", v.Name, v.Op, v.Stage-1, MostPasses-1)
		}
	}
	v.Line, v.Column = at.line, at.column
	i := len(c.p.Values)
	c.bounds = append(c.bounds, c.bound(v))
	c.p.Values = append(c.p.Values, v)
	c.known[id] = i
	return i
}

func (c *compiler) statements() {
	r := c.p.Rule
	start := position{1, 1}
	arrays := append([]string{"w"}, r.slotNames()...)
	load := func(name string) operand {
		return operand{value: c.add(Value{Op: OpLoad, Name: name, Kind: Element}, start)}
	}
	for _, name := range arrays {
		c.names[name] = load(name)
	}
	for _, k := range r.Carries {
		c.names[k.Name] = operand{value: c.add(Value{Op: OpCarry, Name: k.Name, Host: true, Kind: Step}, start)}
	}
	for _, s := range r.statements {
		v := c.lower(s.value)
		if slices.Contains(arrays, s.target) {
			v.value = c.device(v.value)
		}
		c.names[s.target] = v
	}
	for _, name := range arrays {
		if v := c.names[name]; v != load(name) {
			c.p.Stores = append(c.p.Stores, Store{name, v.value})
		}
	}
	for _, k := range r.Carries {
		c.p.Carries = append(c.p.Carries, CarryUpdate{k.Name, k.Initial, c.names[k.Name].value})
	}
	if r.evaluation != nil {
		for _, name := range arrays {
			c.names[name] = load(name)
		}
		c.p.Evaluation = &Pass{Stores: []Store{{"eval", c.device(c.lower(r.evaluation).value)}}}
	}
}

// lower appends the values of an expression. The result can be a number of the host where the
// expression's kind is the device's, by a choice between two that is made here.
func (c *compiler) lower(n *node) operand {
	switch n.operator {
	case "number":
		return operand{value: c.number(n.number, true, n.at)}
	case "bool":
		return folded(n.number != 0)
	case "name":
		return c.name(n)
	}
	var args []operand
	for _, a := range n.args {
		args = append(args, c.lower(a))
	}
	switch n.operator {
	case "and", "or":
		// The known one of two decides, or leaves the decision to the other.
		for i, a := range args {
			if a.known && a.truth == (n.operator == "or") {
				return a
			}
			if a.known {
				return args[1-i]
			}
		}
	case "not":
		if args[0].known {
			return folded(!args[0].truth)
		}
	case "where":
		if args[0].known && args[0].truth {
			return args[1]
		}
		if args[0].known {
			return args[2]
		}
		c.conditions(n, args)
	}
	var values []int
	for i, a := range args {
		if n.kind.Host() || n.operator == "pow" && i == 1 {
			values = append(values, a.value)
		} else {
			values = append(values, c.device(a.value))
		}
	}
	return operand{value: c.apply(n, values)}
}

// conditions makes values of conditions that are known, where a choice is between them.
func (c *compiler) conditions(n *node, args []operand) {
	for i, a := range args {
		if a.known {
			truth := 0.0
			if a.truth {
				truth = 1
			}
			zero, number := c.number(0, true, n.at), c.number(truth, true, n.at)
			args[i] = operand{value: c.add(Value{Op: OpNotEqual, Host: true, Condition: true, Args: []int{number, zero}}, n.at)}
		}
	}
}

func (c *compiler) name(n *node) operand {
	if v, ok := c.names[n.name]; ok {
		return v
	}
	v := Value{Op: OpGiven, Name: n.name, Kind: n.kind, Host: true}
	switch {
	case n.name == "h" && c.h == NoDiagonal:
		return operand{value: c.number(0, false, n.at)}
	case n.name == "g" || n.name == "h":
		v.Op, v.Host = OpLoad, false
	case n.name == "loss":
		v.Op, v.Host, v.Name = OpLoss, false, ""
	case n.name != "lr" && c.p.Rule.key(n.name) != nil:
		v.Op = OpKey
	}
	return operand{value: c.add(v, n.at)}
}

// number adds a literal.
func (c *compiler) number(v float64, host bool, at position) int {
	return c.add(Value{Op: OpNumber, Number: v, Host: host}, at)
}

// device returns a value of the device: a literal in float32, or an OpRound, for one of the
// host.
func (c *compiler) device(i int) int {
	v := c.p.Values[i]
	at := position{v.Line, v.Column}
	switch {
	case !v.Host:
		return i
	case v.Op == OpNumber:
		return c.number(float64(float32(v.Number)), false, at)
	case v.Op == OpF32: // is rounded already
		return c.device(v.Args[0])
	}
	return c.add(Value{Op: OpRound, Condition: v.Condition, Args: []int{i}}, at)
}

// operations of operators and functions. Those that compile differently are in apply.
var operations = map[string]Op{
	"+": OpAdd, "-": OpSubtract, "*": OpMultiply, "/": OpDivide, negation: OpNegate, "sqrt": OpSqrt, "abs": OpAbs, "sign": OpSign,
	"exp": OpExp, "log": OpLog, "min": OpMin, "max": OpMax, "isfinite": OpIsFinite, "f32": OpF32, "where": OpSelect,
	"<": OpLess, "<=": OpLessEqual, "==": OpEqual, "!=": OpNotEqual, "and": OpAnd, "or": OpOr, "not": OpNot,
	"sum": OpReduceSum, "mean": OpReduceMean, "norm": OpReduceNorm,
}

// apply appends an operation with its operands. It computes operations on literals, and leaves
// out what changes no bit of a number: a factor or divisor of 1, and the maximum of 0 and what
// is never above 0.
func (c *compiler) apply(n *node, args []int) int {
	host := n.kind.Host()
	add := func(op Op, args ...int) int {
		if v, ok := c.literal(op, args); ok {
			return c.number(v, true, n.at)
		}
		return c.add(Value{Op: op, Host: host, Condition: n.condition, Args: args}, n.at)
	}
	switch n.operator {
	case ">":
		return add(OpLess, args[1], args[0])
	case ">=":
		return add(OpLessEqual, args[1], args[0])
	case "clip":
		return add(OpMin, add(OpMax, args[0], args[1]), args[2])
	case "*":
		if c.isNumber(args[0], 1) {
			return args[1]
		}
		if c.isNumber(args[1], 1) {
			return args[0]
		}
	case "/":
		if c.isNumber(args[1], 1) {
			return args[0]
		}
	case "max":
		if !host && (c.isNumber(args[0], 0) && c.notAbove0(args[1]) || c.isNumber(args[1], 0) && c.notAbove0(args[0])) {
			return c.number(0, false, n.at)
		}
	case "pow":
		if host {
			return add(OpPower, args...)
		}
		power := args[0]
		for k := 2; k <= int(n.args[1].number); k++ {
			power = add(OpMultiply, power, args[0])
			if k%2 == 0 {
				c.bounds[power].low = max(0, c.bounds[power].low)
			}
		}
		return power
	case "reduce":
		over, function, _ := strings.Cut(n.name, ".")
		op := operations[function]
		switch function {
		case "min":
			op = OpReduceMin
		case "max":
			op = OpReduceMax
		}
		return c.add(Value{Op: op, Name: over, Args: args}, n.at)
	}
	return add(operations[n.operator], args...)
}

// literal computes an operation on literals of the host, if it is one whose result is rounded
// correctly on every machine.
func (c *compiler) literal(op Op, args []int) (float64, bool) {
	var a [3]float64
	for i, arg := range args {
		v := c.p.Values[arg]
		if v.Op != OpNumber || !v.Host {
			return 0, false
		}
		a[i] = v.Number
	}
	switch op {
	case OpAdd, OpSubtract, OpMultiply, OpDivide, OpNegate, OpSqrt:
		v := arithmetic(op, a[0], a[1], a[2])
		return v, !math.IsNaN(v)
	}
	return 0, false
}

// isNumber says whether a value is a literal with the same bits.
func (c *compiler) isNumber(i int, number float64) bool {
	v := c.p.Values[i]
	return v.Op == OpNumber && math.Float64bits(v.Number) == math.Float64bits(number)
}

// notAbove0 says whether a value is never NaN and never above 0.
func (c *compiler) notAbove0(i int) bool { return c.bounds[i].number && c.bounds[i].high <= 0 }

// prune removes the values that nothing needs, and lists those that come from the host.
func (c *compiler) prune() {
	p := c.p
	needed := make([]bool, len(p.Values))
	var need func(i int)
	need = func(i int) {
		if needed[i] {
			return
		}
		needed[i] = true
		v := p.Values[i]
		for _, a := range v.Args {
			need(a)
		}
		if v.Op == OpCarry {
			need(c.carry(v.Name).Next)
		}
	}
	for _, s := range p.Stores {
		need(s.Value)
	}
	if p.Evaluation != nil {
		need(p.Evaluation.Stores[0].Value)
	}
	// A carry counts if it is read or if it makes what is needed.
	p.Carries = slices.DeleteFunc(p.Carries, func(k CarryUpdate) bool {
		i, ok := c.known[identity{op: OpCarry, host: true, name: k.Name, args: [3]int{-1, -1, -1}}]
		return !ok || !needed[i]
	})
	number := make([]int, len(p.Values)) // the new index of each
	var kept []Value
	for i, v := range p.Values {
		if !needed[i] {
			continue
		}
		number[i] = len(kept)
		for j, a := range v.Args {
			v.Args[j] = number[a]
		}
		kept = append(kept, v)
		if v.Op == OpRound {
			list := map[Kind]*[]int{Const: &p.Constants, Step: &p.Steps, Table: &p.Tables}[v.Kind]
			*list = append(*list, number[i])
		}
	}
	for i := range p.Carries {
		p.Carries[i].Next = number[p.Carries[i].Next]
	}
	for i := range p.Stores {
		p.Stores[i].Value = number[p.Stores[i].Value]
	}
	if p.Evaluation != nil {
		s := &p.Evaluation.Stores[0]
		s.Value = number[s.Value]
	}
	p.Values = kept
}

func (c *compiler) carry(name string) CarryUpdate {
	return c.p.Carries[slices.IndexFunc(c.p.Carries, func(k CarryUpdate) bool { return k.Name == name })]
}

// bound is what is known of a number: it is in [low, high] or NaN, and if number is true it
// is not NaN.
type bound struct {
	low, high float64
	number    bool
}

var anything = bound{math.Inf(-1), math.Inf(1), false}

// bound returns what is known of a value from what is known of its operands. Each operation
// is rounded to nearest, which never changes the order of two results. So the results of an
// interval's ends bound those of what is between. Functions without that property are bounded
// by their signs alone.
func (c *compiler) bound(v Value) bound {
	var x, y bound
	if len(v.Args) > 0 {
		x = c.bounds[v.Args[0]]
	}
	if len(v.Args) > 1 {
		y = c.bounds[v.Args[1]]
	}
	positive := func(b bound) bool { return b.low >= 0 }
	above := func(number bool) bound { return bound{0, math.Inf(1), number} }
	switch v.Op {
	case OpNumber:
		return bound{v.Number, v.Number, true}
	case OpKey, OpGiven:
		return c.given(v.Name)
	case OpLoad:
		if v.Name == "h" && c.h == NonNegativeDiagonal {
			return above(false)
		}
	case OpRound, OpF32:
		return bound{float64(float32(x.low)), float64(float32(x.high)), x.number}
	case OpAdd:
		return between(v.Host, x.number && y.number && positive(x) && positive(y), x.low+y.low, x.high+y.high)
	case OpSubtract:
		return between(v.Host, false, x.low-y.high, x.high-y.low)
	case OpMultiply:
		if v.Args[0] == v.Args[1] {
			return above(x.number)
		}
		return between(v.Host, false, times(x.low, y.low), times(x.low, y.high), times(x.high, y.low), times(x.high, y.high))
	case OpDivide:
		if positive(x) && y.low > 0 {
			return above(false)
		}
	case OpNegate:
		return bound{-x.high, -x.low, x.number}
	case OpSqrt:
		return above(x.number && positive(x))
	case OpAbs, OpReduceNorm:
		return above(x.number && v.Op == OpAbs)
	case OpExp:
		return above(x.number)
	case OpMin:
		return bound{min(x.low, y.low), min(x.high, y.high), x.number && y.number}
	case OpMax:
		return bound{max(x.low, y.low), max(x.high, y.high), x.number && y.number}
	case OpSelect:
		z := c.bounds[v.Args[2]]
		condition := c.p.Values[v.Args[0]]
		finite := condition.Op == OpIsFinite && condition.Args[0] == v.Args[1]
		return bound{min(y.low, z.low), max(y.high, z.high), (y.number || finite) && z.number}
	case OpPower:
		if x.low > 0 || x.low == 0 && positive(y) {
			return above(false)
		}
	case OpReduceMin, OpReduceMax:
		return x
	case OpReduceSum, OpReduceMean:
		if positive(x) {
			return above(x.number)
		}
	}
	return anything
}

// given bounds what a run gives: a key's number, and names of the scope.
func (c *compiler) given(name string) bound {
	switch name {
	case "t", "epoch", "steps", "epochs", "numel", "rank":
		return bound{1, math.Inf(1), true}
	case "lr", "lr0":
		// The schedule multiplies lr by numbers that are not negative.
		if c.p.Rule.key("lr").Range.Low >= 0 {
			return bound{0, math.Inf(1), true}
		}
		return bound{math.Inf(-1), math.Inf(1), true}
	}
	r := c.p.Rule.key(name).Range
	if r.Low == 0 && r.OpenLow {
		// The least number that is not 0 in float32: half of the least of float32 would be.
		r.Low = math.Nextafter(0x1p-150, 1)
	}
	return bound{r.Low, r.High, true}
}

// between bounds a number by the least and the greatest of numbers, rounded to the type of
// the operation.
func between(host, number bool, ends ...float64) bound {
	for i := range ends {
		if math.IsNaN(ends[i]) { // of infinite ends
			return bound{math.Inf(-1), math.Inf(1), number}
		}
		if !host {
			ends[i] = float64(float32(ends[i]))
		}
	}
	return bound{slices.MinFunc(ends, cmp.Compare), slices.MaxFunc(ends, cmp.Compare), number}
}

// times multiplies the ends of intervals: of infinite ones, 0 times any is 0.
func times(x, y float64) float64 {
	if x == 0 || y == 0 {
		return 0
	}
	return x * y
}
