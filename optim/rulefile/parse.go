package rulefile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"diaghess/nearest"
)

// functions are the functions with their arguments, for messages.
var functions = map[string][]string{
	"sqrt": {"x"}, "abs": {"x"}, "sign": {"x"}, "exp": {"x"}, "log": {"x"}, "f32": {"x"}, "isfinite": {"x"},
	"min": {"x", "y"}, "max": {"x", "y"}, "pow": {"x", "y"}, "clip": {"x", "low", "high"}, "where": {"condition", "x", "y"},
}

// words of the language that are not functions.
var words = []string{
	"rule", "key", "slot", "carry", "curvature", "eval", "if", "and", "or", "not", "true", "false", "in", "whole", "inf", "tensor", "all",
}

// declarations are the words that begin a line which is no statement.
var declarations = []string{"key", "slot", "carry", "curvature", "eval", "rule"}

var reductions = []string{"sum", "min", "max", "mean", "norm"}

// Parse reads and checks a rule file. file is its name in errors, which are all of type
// *Error: the first mistake that is found.
func Parse(file, text string) (rule *Rule, err error) {
	defer recovered(&err)
	if len(text) > MostBytes {
		fail(file, position{1, 1}, "the file has %d bytes: a rule file has at most %d", len(text), MostBytes)
	}
	p := &parser{rule: &Rule{File: file}, tokens: lex(file, text), declared: map[string]position{}}
	p.file()
	check(p.rule, p.declared, p.settings)
	return p.rule, nil
}

// parser reads declarations and statements by recursive descent.
type parser struct {
	rule     *Rule
	tokens   []token
	next     int
	nested   int                 // depth of the recursion
	declared map[string]position // keys, slots and carries
	settings position            // the line curvature
}

func (p *parser) fail(at position, format string, args ...any) {
	fail(p.rule.File, at, format, args...)
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) advance() token {
	p.next++
	return p.tokens[p.next-1]
}

// expected fails at the next token.
func (p *parser) expected(what string) {
	t, hint := p.peek(), ""
	switch before := p.tokens[max(0, p.next-1)]; {
	case t.text == "*" && before.text == "*":
		hint = ": a power is x^y"
	case t.kind == nameToken && t.text == "else":
		hint = ": write where(condition, x, y)"
	case t.kind == operatorToken && t.text == "=":
		hint = ": equality is x == y"
	}
	p.fail(t.at, "expected %s, found %s%s", what, t.found(), hint)
}

// take moves past the next token and returns its text if that is one of the words; else it
// returns "".
func (p *parser) take(words ...string) string {
	if t := p.peek(); (t.kind == nameToken || t.kind == operatorToken) && slices.Contains(words, t.text) {
		return p.advance().text
	}
	return ""
}

func (p *parser) need(what string, words ...string) string {
	text := p.take(words...)
	if text == "" {
		p.expected(what)
	}
	return text
}

func (p *parser) kind(kind tokenKind, what string) string {
	if p.peek().kind != kind {
		p.expected(what)
	}
	return p.advance().text
}

// quoted reads a text in quotes and returns what is between them.
func (p *parser) quoted() string {
	text := p.kind(stringToken, "one line of help in quotes")
	return text[1 : len(text)-1]
}

func (p *parser) ends() {
	if p.peek().kind != endToken {
		p.expected("end of line")
	}
	for p.peek().kind == endToken {
		p.next++
	}
}

func (p *parser) file() {
	for p.peek().kind == endToken {
		p.next++
	}
	const first = `"rule NAME" as the first line`
	p.need(first, "rule")
	p.rule.Name = p.kind(nameToken, "the rule's name")
	p.rule.Summary = p.quoted()
	p.ends()
	for p.peek().kind != eofToken {
		if p.rule.Evaluates {
			p.expected(`nothing after the line "eval"`)
		}
		switch start := p.peek().at; p.take(declarations...) {
		case "key":
			p.key()
		case "slot":
			p.slots()
		case "carry":
			name := p.declare("a carry's name")
			p.need(`"=" and the first value`, "=")
			p.rule.Carries = append(p.rule.Carries, Carry{name, p.constant(false)})
		case "curvature":
			p.curvature(start)
		case "eval":
			p.rule.evaluation = p.expression()
			p.rule.Evaluates = true
		case "rule":
			p.fail(start, "a file has one rule: expected a declaration or NAME = FORMULA")
		default:
			p.statement()
		}
		p.ends()
	}
}

// declare reads the name of a declaration.
func (p *parser) declare(what string) string {
	at, name := p.peek().at, p.kind(nameToken, what)
	_, given := scope[name]
	_, function := functions[name]
	if given && !(name == "lr" && what == keyName) || function || slices.Contains(words, name) {
		p.fail(at, `"%s" is a word of the language: expected %s`, name, what)
	}
	if before, ok := p.declared[name]; ok {
		p.fail(at, `"%s" is declared already, on line %d`, name, before.line)
	}
	if t := p.peek(); t.text == "-" && t.at == (position{at.line, at.column + len(name)}) {
		p.fail(t.at, `a name has "_" where the command line has "-"`)
	}
	p.declared[name] = at
	return name
}

const keyName = "a key's name"

func (p *parser) key() {
	at := p.peek().at
	k := Key{Name: p.declare(keyName), Range: Range{math.Inf(-1), math.Inf(1), true, true}}
	if len(p.rule.Keys) == MostKeys {
		p.fail(at, "a rule has at most %d keys", MostKeys)
	}
	if slices.Contains(ofTheProgram, k.Name) {
		p.fail(at, `every optimizer has a key "%s" of the program, beside those of its rule: choose another name`, k.Name)
	}
	p.need(`"=" and the default`, "=")
	if word := p.take("true", "false"); word != "" {
		k.Boolean = true
		if word == "true" {
			k.Default = 1
		}
	} else {
		p.number(&k)
	}
	k.Help = p.quoted()
	p.rule.Keys = append(p.rule.Keys, k)
}

// number reads the default of a key and what is said of its values.
func (p *parser) number(k *Key) {
	at := p.peek().at
	if t := p.peek(); t.kind != numberToken && t.text != "-" {
		p.expected("a number, true or false")
	}
	k.Default = p.constant(false)
	if p.take("in") != "" {
		at := p.peek().at
		k.Range.OpenLow = p.need(`"[" or "("`, "[", "(") == "("
		k.Range.Low = p.constant(true)
		p.need(`","`, ",")
		k.Range.High = p.constant(true)
		k.Range.OpenHigh = p.need(`"]" or ")"`, "]", ")") == ")"
		if r := k.Range; r.Low > r.High || r.Low == r.High && (r.OpenLow || r.OpenHigh) {
			p.fail(at, `key "%s": no number is in %s`, k.Name, r)
		}
	}
	k.Whole = p.take("whole") != ""
	logAt := p.peek().at
	k.Log = p.take("log") != ""
	if k.Log && k.Range.Low < 0 && !math.IsInf(k.Range.Low, -1) {
		p.fail(logAt, `key "%s": log needs numbers above 0, and %s has others`, k.Name, k.Range)
	}
	if err := k.Check(k.Default); err != nil {
		p.fail(at, `key "%s": the default %v`, k.Name, err)
	}
}

// constant reads a number with a sign; infinite also allows "inf".
func (p *parser) constant(infinite bool) float64 {
	sign, what := 1.0, "a number"
	if p.take("-") != "" {
		sign = -1
	}
	if infinite {
		if p.take("inf") != "" {
			return math.Inf(int(sign))
		}
		what += ` or "inf"`
	}
	return sign * p.literal(what)
}

// literal reads a number without a sign.
func (p *parser) literal(what string) float64 {
	at, text := p.peek().at, p.kind(numberToken, what)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.fail(at, "%s is too large for float64", text)
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	if v == 0 && strings.ContainsAny(mantissa, "123456789") {
		p.fail(at, "%s is too small for float64", text)
	}
	return v
}

func (p *parser) slots() {
	from := len(p.rule.Slots)
	for more := true; more; more = p.take(",") != "" {
		at := p.peek().at
		p.rule.Slots = append(p.rule.Slots, Slot{Name: p.declare("a slot's name")})
		if len(p.rule.Slots) > MostSlots {
			p.fail(at, "a rule has at most %d slots", MostSlots)
		}
	}
	if p.take("=") == "" {
		return
	}
	for i := range p.rule.Slots[from:] {
		s := &p.rule.Slots[from+i]
		if i > 0 {
			*s = Slot{s.Name, p.rule.Slots[from].Initial, p.rule.Slots[from].Weight}
			continue
		}
		if s.Weight = p.take("w") != ""; s.Weight {
			continue
		}
		at := p.peek()
		if at.kind != numberToken && at.text != "-" {
			p.expected(`w or a number, with which the slot begins`)
		}
		v := p.constant(false)
		if s.Initial = float32(v); math.IsInf(float64(s.Initial), 0) || s.Initial == 0 && v != 0 {
			p.fail(at.at, "%s is %s in float32, the type of slots", decimal(v), decimal(float64(s.Initial)))
		}
	}
}

// curvature reads the line that asks for a diagonal of the curvature, behind its first word.
func (p *parser) curvature(start position) {
	if p.rule.Curvature != nil {
		p.fail(start, "the curvature is asked for already, on line %d", p.settings.line)
	}
	p.settings = start
	at, kind := p.peek().at, p.kind(nameToken, "an estimator, one of "+strings.Join(Estimators(), ", "))
	for p.take("-") != "" {
		kind += "-" + p.kind(nameToken, "an estimator, one of "+strings.Join(Estimators(), ", "))
	}
	if kind == recursion {
		kind = "hesscale"
	}
	if !slices.Contains(Estimators(), kind) {
		p.fail(at, `unknown estimator "%s": expected one of %s`, kind, strings.Join(Estimators(), ", "))
	}
	c := &Curvature{kind, map[string]float64{}}
	for p.peek().kind == nameToken {
		at, name := p.peek().at, p.advance().text
		k, ok := settings[name]
		if !ok {
			p.fail(at, `unknown setting "%s" of the curvature%s`, name, similar(name, slices.Sorted(maps.Keys(settings))))
		}
		if _, twice := c.Settings[name]; twice {
			p.fail(at, "%s is set twice", name)
		}
		p.need(`"="`, "=")
		at = p.peek().at
		var v float64
		switch word := p.take("true", "false"); {
		case word == "":
			v = p.constant(false)
		case !k.Boolean:
			p.fail(at, "%s is a number", name)
		case word == "true":
			v = 1
		}
		if err := k.Check(v); err != nil {
			p.fail(at, "%s: %v", name, err)
		}
		c.Settings[name] = v
	}
	p.rule.Curvature = c
}

// statement reads NAME op FORMULA if CONDITION. A name that has no value yet, where the
// statement needs one, is found by the checker.
func (p *parser) statement() {
	at := p.peek().at
	target := p.kind(nameToken, "a declaration or NAME = FORMULA")
	operator := p.take("=", "+=", "-=", "*=")
	if operator == "" {
		if word := nearest.Name(target, declarations); word != "" {
			p.fail(at, `expected a declaration or NAME = FORMULA, found "%s": did you mean "%s"?`, target, word)
		}
		p.expected(`"=", "+=", "-=" or "*="`)
	}
	value, old := p.expression(), &node{operator: "name", name: target, at: at, depth: 1}
	if operator != "=" {
		value = p.node(operator[:1], at, old, value)
	}
	if p.take("if") != "" {
		value = p.node("where", at, p.expression(), value, old)
	}
	p.rule.statements = append(p.rule.statements, statement{target, value, at})
}

// node makes an expression of others.
func (p *parser) node(operator string, at position, args ...*node) *node {
	n := &node{operator: operator, args: args, at: at}
	for _, a := range args {
		n.depth = max(n.depth, a.depth+1)
	}
	if n.depth > mostNested {
		p.tooDeep(at)
	}
	return n
}

func (p *parser) tooDeep(at position) {
	p.fail(at, "the expression is nested more than %d deep: give a part of it a name", mostNested)
}

// infix are the operators with two operands, the weakest first.
var infix = [...][]string{{"or"}, {"and"}, {"<", "<=", ">", ">=", "==", "!="}, {"+", "-"}, {"*", "/"}}

const comparison = 2 // in infix

func (p *parser) expression() *node {
	// A sign or "not" recurs without an expression in between, so that unary counts as well.
	p.nested++
	defer func() { p.nested-- }()
	if p.nested > mostNested {
		p.tooDeep(p.peek().at)
	}
	return p.level(0)
}

// level reads operands with the operators of a level between them.
func (p *parser) level(level int) *node {
	switch {
	case level == comparison && p.peek().text == "not" && p.peek().kind == nameToken:
		return p.unary("not", func() *node { return p.level(comparison) })
	case level == len(infix):
		return p.signed()
	}
	left := p.level(level + 1)
	for {
		operator := p.take(infix[level]...)
		if operator == "" {
			return left
		}
		left = p.node(operator, left.at, left, p.level(level+1))
		if t := p.peek(); level == comparison {
			if slices.Contains(infix[comparison], t.text) && t.kind == operatorToken {
				p.expected(`"and" between two comparisons`)
			}
			return left
		}
	}
}

// unary reads an operator before its operand.
func (p *parser) unary(operator string, operand func() *node) *node {
	at := p.advance().at
	p.nested++
	defer func() { p.nested-- }()
	if p.nested > mostNested {
		p.tooDeep(at)
	}
	return p.node(operator, at, operand())
}

// negation is the operator of a node -x; "-" is that of x - y.
const negation = "negation"

// signed reads a power with signs before it.
func (p *parser) signed() *node {
	if t := p.peek(); t.kind == operatorToken && t.text == "-" {
		return p.unary(negation, p.signed)
	}
	base := p.atom()
	if t := p.peek(); t.kind == operatorToken && t.text == "^" {
		power := p.unary("^", p.signed)
		return p.node("pow", base.at, base, power.args[0])
	}
	return base
}

func (p *parser) atom() *node {
	t := p.peek()
	_, function := functions[t.text]
	switch {
	case t.kind == numberToken:
		return &node{operator: "number", number: p.literal("a number"), at: t.at, depth: 1}
	case p.take("true") != "":
		return &node{operator: "bool", number: 1, at: t.at, depth: 1}
	case p.take("false") != "":
		return &node{operator: "bool", at: t.at, depth: 1}
	case p.take("(") != "":
		inner := p.expression()
		p.need(fmt.Sprintf(`")" to close the "(" at %s`, t.at), ")")
		return inner
	case p.take("tensor", "all") != "":
		return p.reduction(t)
	case t.kind != nameToken || slices.Contains(words, t.text):
		p.expected(`a number, a name, a function or "("`)
	}
	p.advance()
	called := p.take("(") != ""
	switch {
	case function && called:
		return p.call(t)
	case function:
		p.fail(t.at, `%s is a function: expected "(" after it, found %s`, t.text, p.peek().found())
	case called:
		p.fail(t.at, `unknown function "%s"%s`, t.text, p.notFunction(t.text))
	}
	return &node{operator: "name", name: t.text, at: t.at, depth: 1}
}

// notFunction is the end of a message about a name that is called.
func (p *parser) notFunction(name string) string {
	_, given := scope[name]
	_, declared := p.declared[name]
	if given || declared {
		return fmt.Sprintf(": a product is %s * (...)", name)
	}
	if slices.Contains(reductions, name) {
		return fmt.Sprintf(": write tensor.%s(x), or all.%s(x) for all tensors", name, name)
	}
	return similar(name, slices.Sorted(maps.Keys(functions)))
}

// call reads the arguments of a function, behind the bracket.
func (p *parser) call(name token) *node {
	args := []*node{p.expression()}
	for p.take(",") != "" {
		args = append(args, p.expression())
	}
	p.need(fmt.Sprintf(`"," or ")" after an argument of %s`, name.text), ")")
	if want := functions[name.text]; len(args) != len(want) {
		plural, hint := "s", ""
		if len(want) == 1 {
			plural = ""
		}
		if len(args) == 1 {
			switch name.text {
			case "min":
				hint = "; the least of all elements is tensor.min(x)"
			case "max":
				hint = "; the greatest of all elements is tensor.max(x)"
			}
		}
		p.fail(name.at, "%s takes %d argument%s (%s), found %d%s", name.text, len(want), plural, strings.Join(want, ", "), len(args), hint)
	}
	return p.node(name.text, name.at, args...)
}

// reduction reads what follows "tensor" or "all".
func (p *parser) reduction(over token) *node {
	var all []string
	for _, r := range reductions {
		all = append(all, over.text+"."+r)
	}
	p.need(`".": `+strings.Join(all, ", "), ".")
	name := over.text + "." + p.need("one of "+strings.Join(reductions, ", "), reductions...)
	p.need(`"(" after `+name, "(")
	inner := p.expression()
	p.need(`")" after the argument of `+name, ")")
	n := p.node("reduce", over.at, inner)
	n.name = name
	return n
}
