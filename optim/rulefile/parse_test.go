package rulefile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"diaghess/optim/curvature"
)

// head are the first four lines of the rules of the tests below.
const head = `rule my "mine"
key lr = 1e-3 in (0, inf) log "learning rate"
key beta1 = 0.9 in [0, 1) "decay"
slot m
`

// The language's definition shows these eleven messages.
func TestDefinedErrors(t *testing.T) {
	const update = "w -= lr * m\n"
	for _, c := range []struct{ text, want string }{
		{head + "m = beta1 * m + (1 - beta1) @ g\n" + update,
			`my.rule:5:29: unexpected "@": expected a name (lower case), a number or an operator`},
		{head + "m = beta1 * m + (1 - beta1 * g\n" + update,
			`my.rule:6:1: expected ")" to close the "(" at 5:17, found "w"`},
		{head + "m = beta * m + (1 - beta1) * g\n" + update,
			`my.rule:5:5: unknown name "beta": did you mean "beta1"?`},
		{head + "mm = beta1 * m + (1 - beta1) * g\nm = m\n" + update,
			`my.rule:5:1: "mm" is assigned and never used: to update a slot, write its name (m)`},
		{head + "g += 0.01 * w\nm = g\n" + update,
			`my.rule:5:1: "g" cannot be assigned (the gradient is read-only): expected w, a slot, a carry or a new name`},
		{head + "m = g\nw -= lr * m / min(abs(g))\n",
			`my.rule:6:15: min takes 2 arguments (x, y), found 1; the least of all elements is tensor.min(x)`},
		{head + "m = g\nw -= lr * m / tensor.norm(beta1)\n",
			`my.rule:6:15: tensor.norm needs an expression over elements (w, g, h, slots): this is one number`},
		{head + "m = where(g, m, 0)\n" + update,
			`my.rule:5:11: where needs a condition here (a comparison such as g > 0), found a number`},
		{head + "carry best = 10\nbest = min(best, loss)\nm = g\nw -= lr * best * m\n",
			`my.rule:6:1: carry "best" must be known on the host (from keys, t, lr, carries): this depends on loss (6:18)`},
		{head + "m = abs(g)^1.5\n" + update,
			`my.rule:5:12: the exponent of a float32 must be a whole number from 2 to 8: write exp(y * log(x)), or sqrt(x) for a half`},
		{strings.Replace(head, "0.9 in", "1 in", 1) + "m = g\n" + update,
			`my.rule:3:13: key "beta1": the default 1 is not in [0, 1)`},
	} {
		if _, err := Parse("my.rule", c.text); err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

// Each other mistake has a message that says where it is and what to do.
func TestErrors(t *testing.T) {
	const good = "m = g\nw -= lr * m\n"
	// The text is put behind head; one that begins with "rule" is a whole file.
	for _, c := range []struct{ text, want string }{
		// What characters and tokens there are.
		{"M = g", `5:1: unexpected "M": expected a name (lower case), a number or an operator`},
		{"m = g ** 2", `5:8: expected a number, a name, a function or "(", found "*": a power is x^y`},
		{"m = where(g > 0 && m > 0, g, m)", `5:17: unexpected "&": write and`},
		{"m = where(!(g > 0), g, m)", `5:11: unexpected "!": write not, or != for unequal`},
		{"m = g > 0 ? g : m", `5:11: unexpected "?": write where(condition, x, y)`},
		{"m = g × 2", `5:7: unexpected "×": a product is x * y`},
		{"m = 2g", `5:6: unexpected "g" after the number 2: numbers are decimal, as 1e-3, and a product is x * y`},
		{"m = 0x10 * g", `5:6: unexpected "x" after the number 0: numbers are decimal, as 1e-3, and a product is x * y`},
		{"m = 1_000 * g", `5:6: unexpected "_" after the number 1: numbers are decimal, as 1e-3, and a product is x * y`},
		{"m = 1.2.3 * g", `5:8: unexpected "." after the number 1.2: numbers are decimal, as 1e-3, and a product is x * y`},
		{"m = 1e * g", `5:6: unexpected "e" after the number 1: numbers are decimal, as 1e-3, and a product is x * y`},
		{"m = 1" + strings.Repeat("0", 64) + " * g", `5:5: 1000000000000000... has 65 bytes: names and numbers have at most 64, texts in quotes 256`},
		{strings.Repeat("m", 65) + " = g", `5:1: mmmmmmmmmmmmmmmm... has 65 bytes: names and numbers have at most 64, texts in quotes 256`},
		{"key a = 1 \"" + strings.Repeat("é", 129) + "\"", `5:11: "ééééééééééééééé... has 260 bytes: names and numbers have at most 64, texts in quotes 256`},
		{"m = 1e999 * g", `5:5: 1e999 is too large for float64`},
		{"m = 1e-999 * g", `5:5: 1e-999 is too small for float64`},
		{"key a = 1 \"help", `5:11: the text in quotes does not end: expected another " on this line`},
		{"key a = 1 'help'", `5:11: unexpected "'": a text stands in double quotes`},
		{"key a = 1 \"be\all\"", `5:11: the text in quotes contains '\a': expected characters that can be printed`},
		{"key a = 1 \"\xff\"", `5:11: this is not UTF-8: save the file in that encoding`},
		{"m = \xff", `5:5: this is not UTF-8: save the file in that encoding`},
		{"# \xff", `5:1: this is not UTF-8: save the file in that encoding`},

		// Lines and declarations.
		{"rule", `1:5: expected the rule's name, found end of line`},
		{"rule my", `1:8: expected one line of help in quotes, found end of line`},
		{"rule my \"mine\" 3", `1:16: expected end of line, found "3"`},
		{"slots m2", `5:1: expected a declaration or NAME = FORMULA, found "slots": did you mean "slot"?`},
		{"(m = g)", `5:1: expected a declaration or NAME = FORMULA, found "("`},
		{"momentum g", `5:10: expected "=", "+=", "-=" or "*=", found "g"`},
		{"m /= 2", `5:3: expected "=", "+=", "-=" or "*=", found "/"`},
		{"m = g else m", `5:7: expected end of line, found "else": write where(condition, x, y)`},
		{good + "rule other \"two\"", `7:1: a file has one rule: expected a declaration or NAME = FORMULA`},
		{good + "eval w\nm = g", `8:1: expected nothing after the line "eval", found "m"`},
		{"key min = 1 \"least\"", `5:5: "min" is a word of the language: expected a key's name`},
		{"slot w", `5:6: "w" is a word of the language: expected a slot's name`},
		{"slot lr", `5:6: "lr" is a word of the language: expected a slot's name`},
		{"carry inf = 1", `5:7: "inf" is a word of the language: expected a carry's name`},
		{"slot beta1", `5:6: "beta1" is declared already, on line 3`},
		{"key warmup = 1 \"epochs\"", `5:5: every optimizer has a key "warmup" of the program, beside those of its rule: choose another name`},
		{"curvature gnb\nkey decay = 1 \"of m\"\nm = h\n" + good, `6:5: a rule with a curvature has a key "decay" of the program: choose another name`},
		{"key a \"help\"", `5:7: expected "=" and the default, found "help"`},
		{"key a = \"help\"", `5:9: expected a number, true or false, found "help"`},
		{"key a = 1", `5:10: expected one line of help in quotes, found end of line`},
		{"key a = 1 in 0 \"help\"", `5:14: expected "[" or "(", found "0"`},
		{"key a = 1 in [0; 2] \"help\"", `5:16: expected ",", found ";"`},
		{"key a = 1 in [0, x] \"help\"", `5:18: expected a number or "inf", found "x"`},
		{"key a = 1 in [0, 1} \"help\"", `5:19: unexpected "}": expected a name (lower case), a number or an operator`},
		{"key a = 1 in [2, 0] \"help\"", `5:14: key "a": no number is in [2, 0]`},
		{"key a = 1 in (1, 1] \"help\"", `5:14: key "a": no number is in (1, 1]`},
		{"key a = 1.5 in [0, inf) whole \"help\"", `5:9: key "a": the default 1.5 is not a whole number`},
		{"key a = 0 in [-1, inf) log \"help\"", `5:24: key "a": log needs numbers above 0, and [-1, inf) has others`},
		{"key a = 0.999999999 in [0, 1) \"help\"", `5:9: key "a": the default 0.999999999 is 1 in float32, not in [0, 1)`},
		{"key a = 1e39 \"help\"", `5:9: key "a": the default 1e+39 is +Inf in float32, not in (-inf, inf)`},
		{"slot z = g", `5:10: expected w or a number, with which the slot begins, found "g"`},
		{"slot z = 1e-50", `5:10: 1e-50 is 0 in float32, the type of slots`},
		{"carry c", `5:8: expected "=" and the first value, found end of line`},
		{"carry c = lr", `5:11: expected a number, found "lr"`},
		{"curvature fisher", `5:11: unknown estimator "fisher": expected one of none, empirical-fisher, gnb, hesscale, calibrated, hutchinson, ggn-exact`},
		{"curvature gnb often=10", `5:15: unknown setting "often" of the curvature: known are abs, decay, every, samples, uncorrected`},
		{"curvature gnb every=1.5", `5:21: every: 1.5 is not a whole number`},
		{"curvature gnb decay=1", `5:21: decay: 1 is not in [0, 1)`},
		{"curvature gnb decay=true", `5:21: decay is a number`},
		{"curvature gnb abs=2", `5:19: abs: 2 is neither true nor false`},
		{"curvature gnb every=2 every=3", `5:23: every is set twice`},
		{"curvature gnb\ncurvature none", `6:1: the curvature is asked for already, on line 5`},
		{"curvature gnb\n" + good, `5:1: no formula uses h: leave out the line curvature, or use h`},

		// Expressions.
		{"m = beta1 * m +", `5:16: expected a number, a name, a function or "(", found end of line`},
		{"m = sqrt", `5:5: sqrt is a function: expected "(" after it, found end of line`},
		{"m = sqrt(g, m)", `5:5: sqrt takes 1 argument (x), found 2`},
		{"m = clip(g, 1)", `5:5: clip takes 3 arguments (x, low, high), found 2`},
		{"m = max(g)", `5:5: max takes 2 arguments (x, y), found 1; the greatest of all elements is tensor.max(x)`},
		{"m = sqr(g)", `5:5: unknown function "sqr": did you mean "sqrt"?`},
		{"m = tanh(g)", `5:5: unknown function "tanh": known are abs, clip, exp, f32, isfinite, log, max, min, pow, sign, sqrt, where`},
		{"m = norm(g)", `5:5: unknown function "norm": write tensor.norm(x), or all.norm(x) for all tensors`},
		{"m = beta1(g)", `5:5: unknown function "beta1": a product is beta1 * (...)`},
		{"m = tensor(g)", `5:11: expected ".": tensor.sum, tensor.min, tensor.max, tensor.mean, tensor.norm, found "("`},
		{"m = all.median(g)", `5:9: expected one of sum, min, max, mean, norm, found "median"`},
		{"m = tensor.sum g", `5:16: expected "(" after tensor.sum, found "g"`},
		{"m = where(0 < g < 1, g, 0)", `5:17: expected "and" between two comparisons, found "<"`},
		{"m = where(t = 1, g, 0)", `5:13: expected "," or ")" after an argument of where, found "=": equality is x == y`},
		{"m = " + strings.Repeat("(", 300) + "g", `5:261: the expression is nested more than 256 deep: give a part of it a name`},
		{"m = " + strings.Repeat("-", 300) + "g", `5:260: the expression is nested more than 256 deep: give a part of it a name`},
		{"m = g" + strings.Repeat(" + g", 300), `5:5: the expression is nested more than 256 deep: give a part of it a name`},

		// Names.
		{"m = layer * g", `5:5: unknown name "layer": known are beta1, epoch, epochs, g, h, loss, lr, lr0, m, numel, rank, steps, t, w`},
		{"m = g / h", `5:9: h needs an estimate: expected a line like curvature gnb above the formulas`},
		{"lr = 3", `5:1: "lr" cannot be assigned (the schedule sets lr): expected w, a slot, a carry or a new name`},
		{"beta1 = 3", `5:1: "beta1" cannot be assigned (it is given): expected w, a slot, a carry or a new name`},
		{"min = 3", `5:1: "min" is a word of the language: expected a name`},
		{"a = g\na = a * 2", `6:1: "a" has a value since line 5: a name of your own is assigned once`},
		{"a += g", `5:1: "a" has no value yet, which this needs: expected w, a slot, a carry, or a = FORMULA`},
		{"a = g if t > 1", `5:1: "a" has no value yet, which this needs: expected w, a slot, a carry, or a = FORMULA`},
		{"a = 2 * a", `5:9: "a" has no value yet: it is what this line assigns`},
		{"m = a\na = g", `5:5: "a" has no value yet: it gets one on line 6`},
		{"m = g", `5:1: the rule never assigns w: expected a line like w -= lr * g`},
		{"w -= lr * g", `4:6: slot "m" is never assigned: its 4 bytes an element would be wasted`},
		{"m = g\nw -= lr * m", `3:5: no formula uses key "beta1": its value would change nothing`},
		{"carry c = 1\nm = c * g\nw -= lr * m", `5:7: carry "c" is never assigned: a number that stays the same is a key`},
		{"rule my \"mine\"\nkey rate = 1 \"of learning\"\nw -= rate * g", `1:1: the rule has no key "lr": expected a line like key lr = 1e-3 in (0, inf) log "learning rate"`},
		{"rule my \"mine\"\nkey lr = true \"of learning\"\nw -= g", `2:5: the key "lr" is a number: expected a line like key lr = 1e-3 in (0, inf) log "learning rate"`},
		{"rule my \"mine\"\nkey lr = 1 \"of learning\"\nstep = lr * g\nw -= lr * g", `3:1: "step" is assigned and never used: to update a slot, write its name (none declared)`},

		{"key weight-decay = 1 \"help\"", `5:11: a name has "_" where the command line has "-"`},
		{"key weight_decay = 1 \"help\"\nm = weight-decay * g", `6:5: unknown name "weight": did you mean "weight_decay"?`},

		// Types and kinds.
		{"m = g + (g > 0)", `5:10: + needs a number here, found a condition`},
		{"m = -(g > 0)", `5:7: - needs a number here, found a condition`},
		{"m = (g > 0)^2", `5:6: ^ needs a number here, found a condition`},
		{"m = tensor.sum(g > 0)", `5:16: tensor.sum needs a number here, found a condition`},
		{"m = where(g > 0 and m, 1, 0)", `5:21: and needs a condition here (a comparison such as g > 0), found a number`},
		{"m = where(g > 0, g > 1, 0)", `5:25: where needs a condition here (a comparison such as g > 0), found a number`},
		{"m = g if 1", `5:10: where needs a condition here (a comparison such as g > 0), found a number`},
		{"m = g > 0", `5:5: "m" is a number: expected a number, found a condition`},
		{"m = f32(g)", `5:5: f32 rounds a number of the host: this is float32 already, it depends on g (5:9)`},
		{"m = f32(t * rank)", `5:5: f32 rounds a number of the host: this is float32 already, it depends on a mixture of steps and tensors (5:9)`},
		{"m = g^m", `5:7: the exponent of a float32 must be a whole number from 2 to 8: write exp(y * log(x)), or sqrt(x) for a half`},
		{"m = g^9", `5:7: the exponent of a float32 must be a whole number from 2 to 8: write exp(y * log(x)), or sqrt(x) for a half`},
		{"m = g^-2", `5:7: the exponent of a float32 must be a whole number from 2 to 8: write exp(y * log(x)), or sqrt(x) for a half`},
		{"m = g / (abs(g) + 1e-50)", `5:19: 1e-50 is 0 in float32, the type of this operation`},
		{"m = g + 1e39", `5:9: 1e+39 is +Inf in float32, the type of this operation`},
		{"carry c = 1\nc = tensor.sum(g)", `6:1: carry "c" must be known on the host (from keys, t, lr, carries): this depends on tensor.sum (6:5)`},
		{"carry c = 1\nc = numel", `6:1: carry "c" must be known on the host (from keys, t, lr, carries): this depends on numel (6:5)`},
		{good + "eval w - lr * m", `7:10: eval is evaluated between steps: expected w, slots, keys, numel or rank`},
		{good + "eval tensor.norm(w) * w", `7:6: eval is evaluated between steps: expected w, slots, keys, numel or rank`},
		{"d = 2 * g\nm = d\nw -= lr * m\neval w + d", `8:10: eval is evaluated between steps: expected w, slots, keys, numel or rank`},
		{good + "eval beta1", `7:6: eval is the weights for evaluation: expected a number for each element, made of w and slots`},
		{good + "eval w > m", `7:6: eval is the weights for evaluation: expected a number for each element, made of w and slots`},
	} {
		text := head + c.text
		if strings.HasPrefix(c.text, "rule") {
			text = c.text
		}
		if _, err := Parse("my.rule", text); err == nil || err.Error() != "my.rule:"+c.want {
			t.Errorf("%s\n gives %v\n want my.rule:%s", c.text, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	lines := func(n int, format string) (all string) {
		for i := range n {
			all += fmt.Sprintf(format, i)
		}
		return all
	}
	for _, c := range []struct{ text, want string }{
		{strings.Repeat("#", MostBytes+1), `my.rule:1:1: the file has 65537 bytes: a rule file has at most 65536`},
		{head + lines(MostKeys-1, "key k%d = 1 \"help\"\n"), `my.rule:35:5: a rule has at most 32 keys`},
		{head + lines(MostSlots, "slot s%d\n"), `my.rule:12:6: a rule has at most 8 slots`},
	} {
		if _, err := Parse("my.rule", c.text); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	full := head + lines(MostKeys-2, "key k%d = 1 \"help\"\n") + lines(MostSlots-1, "slot s%d\ns%[1]d = g\n") + "m = beta1 * g\nw -= lr * m" + lines(MostKeys-2, " + k%d") + strings.Repeat(" + g", 200)
	full += strings.Repeat("#", MostBytes-len(full))
	if _, err := Parse("my.rule", full); err != nil {
		t.Error(err)
	}
}

// What a file declares is what its readers get.
func TestDeclarations(t *testing.T) {
	rule, err := Parse("my.rule", "\ufeff\r\n"+`
rule my "mine; it is"   # with a comment
key lr = 1e-3 in (0, inf) log "learning rate"; key weight_decay = -.5 "of w"
key square = 9. in [1, 10] whole "power"
key nesterov = true "look ahead"
key legacy = false "as before"
slot m, v = 0.1; slot z = w
slot u
carry most = -1
most = where(nesterov and not legacy, max(most, lr), weight_decay * square)
m = (g +
     h)	# a formula in brackets may have several lines
v = -m
u = m
z = w if t == 1
w = -2^2 * most * g
curvature empirical-fisher every=10 decay=0.99 uncorrected=1 abs=true
eval w + z`)
	if err != nil {
		t.Fatal(err)
	}
	everything := Range{math.Inf(-1), math.Inf(1), true, true}
	want := &Rule{
		File: "my.rule", Name: "my", Summary: "mine; it is",
		Keys: []Key{
			{Name: "lr", Help: "learning rate", Default: 1e-3, Range: Range{0, math.Inf(1), true, true}, Log: true},
			{Name: "weight_decay", Help: "of w", Default: -.5, Range: everything},
			{Name: "square", Help: "power", Default: 9, Range: Range{1, 10, false, false}, Whole: true},
			{Name: "nesterov", Help: "look ahead", Boolean: true, Default: 1, Range: everything},
			{Name: "legacy", Help: "as before", Boolean: true, Range: everything},
		},
		Slots:     []Slot{{Name: "m", Initial: 0.1}, {Name: "v", Initial: 0.1}, {Name: "z", Weight: true}, {Name: "u"}},
		Carries:   []Carry{{"most", -1}},
		Curvature: &Curvature{"empirical-fisher", map[string]float64{"every": 10, "decay": 0.99, "uncorrected": 1, "abs": 1}},
		Evaluates: true,
	}
	rule.statements, rule.evaluation = nil, nil
	if !reflect.DeepEqual(rule, want) {
		t.Errorf("got  %+v\nwant %+v", rule, want)
	}
	if flag := rule.Keys[1].Flag(); flag != "weight-decay" {
		t.Error(flag)
	}
}

func TestEstimators(t *testing.T) {
	if !slices.Equal(Estimators(), curvature.Kinds()) {
		t.Errorf("%v, package curvature has %v", Estimators(), curvature.Kinds())
	}
	if rule := parsed(t, "curvature recursion\nm = h\nw -= lr * m"); rule.Curvature.Kind != "hesscale" {
		t.Error(rule)
	}
}

// ruleFiles returns the text of every rule file of the package, by its name.
func ruleFiles(t testing.TB) map[string]string {
	texts := map[string]string{}
	for _, pattern := range []string{"rules/*.rule", "testdata/*.rule"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimSuffix(filepath.Base(path), ".rule")] = string(text)
		}
	}
	return texts
}

func TestRuleFiles(t *testing.T) {
	for name, text := range ruleFiles(t) {
		rule, err := Parse(name+".rule", text)
		if err != nil {
			t.Error(err)
		} else if rule.Name != name {
			t.Errorf("%s.rule holds rule %s", name, rule.Name)
		}
	}
	want := []string{
		"adabelief", "adahesscale", "adahessian", "adam", "adamw_torch", "ademamix", "adopt", "august", "cautious", "july", "lamb", "lion",
		"nadam_torch", "nadamw", "original", "rmsprop", "schedulefree", "sophia",
	}
	if !slices.Equal(Builtin(), want) {
		t.Errorf("the program has %v, want %v", Builtin(), want)
	}
	for _, name := range Builtin() {
		if Source(name) != ruleFiles(t)[name] {
			t.Errorf("the text of %s is another", name)
		}
	}
	if text := Source("../rules/lion"); text != "" {
		t.Errorf("a path names the rule %s", text)
	}
	if text := Source("adamw"); text != "" {
		t.Errorf("a rule that is not in the program has the text %q", text)
	}
}
