package rulefile

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keyLine is the declaration of a key.
var keyLine = regexp.MustCompile(`(?m)^key (\w+) .*$`)

// lean returns a rule file in which the lines of unused keys are empty: they are errors.
func lean(text string) string {
	formulas := keyLine.ReplaceAllString(text, "")
	return keyLine.ReplaceAllStringFunc(text, func(line string) string {
		name := keyLine.FindStringSubmatch(line)[1]
		if name != "lr" && !regexp.MustCompile(`\b`+name+`\b`).MatchString(formulas) {
			return ""
		}
		return line
	})
}

// parsed returns the rule of a text behind head, or of a whole file, without unused keys.
func parsed(t testing.TB, text string) *Rule {
	t.Helper()
	if !strings.HasPrefix(text, "rule") {
		text = head + text
	}
	rule, err := Parse("my.rule", lean(text))
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

func compiled(t testing.TB, text string, booleans map[string]bool, h Diagonal) *Program {
	t.Helper()
	p, err := Compile(parsed(t, text), booleans, h)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// summary of a program's passes, as the language's definition writes them.
func summary(p *Program) string {
	var passes []string
	for _, pass := range p.Passes {
		var parts []string
		for _, r := range pass.Reads {
			parts = append(parts, r.Array)
		}
		text := strings.Join(parts, " ")
		if len(pass.Stores) > 0 {
			text += ", writes"
		}
		for _, s := range pass.Stores {
			text += " " + s.Array
		}
		for _, r := range pass.Reductions {
			text += ", " + p.Values[r].Op.String()
		}
		passes = append(passes, "["+text+"]")
	}
	return fmt.Sprintf("%d: %s; touch %d", p.Bytes, strings.Join(passes, " "), p.Touch)
}

// The table of the language's definition, with what its prototype printed for each pass, and
// the files that it leaves out.
func TestPasses(t *testing.T) {
	texts, seen := ruleFiles(t), map[string]bool{}
	of := map[string]Diagonal{"original": AnyDiagonal, "sophia": AnyDiagonal, "adahesscale": AnyDiagonal, "adahessian": AnyDiagonal, "pilot h": AnyDiagonal, "pilot h >= 0": NonNegativeDiagonal,
		"july h": AnyDiagonal, "august h": AnyDiagonal}
	for name, want := range map[string]string{
		"sgd":          "20: [w v g, writes w v]; touch 20",
		"rmsprop":      "20: [w v g, writes w v]; touch 20",
		"lion":         "20: [w m g, writes w m]; touch 20",
		"adamw":        "28: [w m v g, writes w m v]; touch 28",
		"adam":         "28: [w m v g, writes w m v]; touch 28",
		"adamw_torch":  "28: [w m v g, writes w m v]; touch 28",
		"nadamw":       "28: [w m v g, writes w m v]; touch 28",
		"nadam_torch":  "28: [w m v g, writes w m v]; touch 28",
		"adopt":        "28: [w m v g, writes w m v]; touch 28",
		"schedulefree": "28: [w z v g, writes w z v]; touch 28",
		"adabelief":    "28: [w m v g, writes w m v]; touch 28",
		"ademamix":     "36: [w fast slow v g, writes w fast slow v]; touch 36",
		"original":     "24: [w m g h, writes w m]; touch 24",
		"sophia":       "24: [w m g h, writes w m]; touch 24",
		"adahesscale":  "32: [w m v g h, writes w m v]; touch 32",
		"adahessian":   "32: [w m v g h, writes w m v]; touch 32",
		"cautious":     "36: [m g, writes m, mean] [w v g m, writes w v]; touch 28",
		"lamb":         "40: [w m v g, writes m v, norm, norm] [w m v, writes w]; touch 28",
		"pilot h":      "40: [g h, min] [w m v g h, writes w m v]; touch 32",
		"pilot":        "28: [w m v g, writes w m v]; touch 28",
		"pilot h >= 0": "32: [w m v g h, writes w m v]; touch 32",
		"july":         "28: [w m v g, writes w m v]; touch 28",
		"july h":       "32: [w m v g h, writes w m v]; touch 32",
		"august":       "28: [w m v g, writes w m v]; touch 28",
		"august h":     "32: [w m v g h, writes w m v]; touch 32",
	} {
		file, _, _ := strings.Cut(name, " ")
		if got := summary(compiled(t, texts[file], nil, of[name])); got != want {
			t.Errorf("%s %s\nwant %s", name, got, want)
		}
		seen[file] = true
	}
	for name := range texts {
		if !seen[name] {
			t.Errorf("%s.rule is not in the table", name)
		}
	}
}

// The definition counts the words of a step's row of coefficients, and the parameters of
// adamw's kernel.
func TestColumns(t *testing.T) {
	texts := ruleFiles(t)
	for name, want := range map[string][3]int{"adamw": {4, 2, 0}, "schedulefree": {5, 4, 0}, "ademamix": {6, 6, 0}, "lamb": {5, 1, 2}} {
		p := compiled(t, texts[name], nil, NoDiagonal)
		if got := [3]int{len(p.Constants), len(p.Steps), len(p.Tables)}; got != want {
			t.Errorf("%s has %d constants, %d columns for steps and %d for tensors, want %d", name, got[0], got[1], got[2], want)
		}
	}
}

// What a pass must not do is to compute from an old value that is overwritten.
func TestPlan(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"old = m\nm = beta1 * m + g\nw -= lr * old / tensor.norm(m)", "28: [m g, norm] [w m g, writes w m]; touch 20"},
		{"m = beta1 * m + g\nw -= lr * m / tensor.norm(m)", "24: [m g, writes m, norm] [w m, writes w]; touch 20"},
		// The stored gradient is read in place of another.
		{"m = g\nw -= lr * g / tensor.norm(g)", "20: [g, writes m, norm] [w m, writes w]; touch 16"},
		// What is the same for all elements of a tensor is not read back.
		{"m = tensor.sum(w)\nw -= lr * m * g", "20: [w, sum] [w g, writes w m]; touch 16"},
		{"slot v\nold = m\nm = v\nv = old\nw -= lr * g / (1 + tensor.norm(m - v))", "28: [m v, writes m v, norm] [w g, writes w]; touch 28"},
		{"m = g / all.norm(g)\nw -= lr * m / tensor.norm(m)", "24: [g, norm] [g, writes m, norm] [w m, writes w]; touch 16"},
		{"m = m\nw = w", "0: []; touch 0"},
	} {
		if got := summary(compiled(t, c.text, nil, NoDiagonal)); got != c.want {
			t.Errorf("%s\n gives %s\n want  %s", c.text, got, c.want)
		}
	}
}

// Values of boolean keys leave one side of a choice, and no operation for it.
func TestFolding(t *testing.T) {
	const keys = "key a = true \"a\"\nkey b = false \"b\"\n"
	for _, c := range []struct{ text, same string }{
		{"m = where(a, g, loss)", "m = g"},
		{"m = where(b, tensor.sum(g), 2 * g)", "m = 2 * g"},
		{"m = where(not a, 2 * g, 3 * g)", "m = 3 * g"},
		{"m = where(a and g > 0, g, 0)", "m = where(g > 0, g, 0)"},
		{"m = where(g > 0 and a, g, 0)", "m = where(g > 0, g, 0)"},
		{"m = where(b and g > 0, g, 2 * g)", "m = 2 * g"},
		{"m = where(a or g > 0, g, 2 * g)", "m = g"},
		{"m = where(b or g < 0, g, 2 * g)", "m = where(0 > g, g, 2 * g)"},
		{"m = where(true, g, 0)", "m = g"},
		{"m = g if b", "m = m"},
		{"yes = not b\nm = g if yes", "m = g"},
		{"m = where(where(a, g > 0, t > 1), g, 1)", "m = where(g > 0, g, 1)"},
		{"m = 1 * g", "m = g"},
		{"m = g * (2 * (3 - 1) / 8 + sqrt(4))", "m = g * 2.5"},
		{"m = g * -1", "m = g * (0 - 1)"},
		{"m = g * 1 / 1", "m = g"},
		{"m = f32(lr) * g", "m = lr * g"},
		{"m = pow(g, 2) * g", "m = g^3"},
		{"m = clip(g, -1, 1)", "m = min(max(g, -1), 1)"},
		{"m = where(g >= 0, g, 1)", "m = where(0 <= g, g, 1)"},
		{"m = max(0, -tensor.min(abs(where(isfinite(g), g, 1)))) + g", "m = 0 + g"},
		{"m = max(-tensor.min(where(isfinite(g^4), g^4, 0)), 0) + g", "m = 0 + g"},
	} {
		got := compiled(t, keys+c.text+"\nw -= lr * (m + g)", nil, NoDiagonal)
		want := compiled(t, keys+c.same+"\nw -= lr * (m + g)", nil, NoDiagonal)
		if summary(got) != summary(want) || !slices.Equal(operationsOf(got), operationsOf(want)) {
			t.Errorf("%s\n%s is not %s\n%s", c.text, got, c.same, want)
		}
	}
	// Each of these could be NaN or below 0.
	for _, text := range []string{
		"max(0, -tensor.min(g))", "max(0, -tensor.min(g^2))", "max(0, -tensor.min(where(isfinite(g), g, 0)))", "max(0, -tensor.min(where(isfinite(g), g^2, 0)))",
		"max(0, -tensor.min(where(isfinite(g^3), g^3, 0)))", "max(0, -tensor.min(where(isfinite(h), h, 0)))", "max(0, -tensor.min(where(isfinite(g), abs(g), -1)))",
		"max(0, -tensor.min(where(isfinite(lr * x * g^2), lr * x * g^2, 0)))", "max(0, tensor.min(abs(where(isfinite(g), g, 1))))", "max(1, -tensor.min(abs(where(isfinite(g), g, 1))))",
		"max(-0, -tensor.min(abs(where(isfinite(g), g, 1))))", "max(0, -tensor.min(where(isfinite(g^2 / h^2), g^2 / h^2, 0)) - 1)", "max(0, -tensor.sum(where(isfinite(g), g, 0)))",
	} {
		p := compiled(t, "key x = -1 \"of any sign\"\ncurvature gnb\nm = h + "+text+"\nw -= lr * m", nil, AnyDiagonal)
		if len(p.Passes) != 2 {
			t.Errorf("%s is folded:\n%s", text, p)
		}
	}
}

// operationsOf returns the operations of a program without their order.
func operationsOf(p *Program) (all []string) {
	for _, v := range p.Values {
		all = append(all, fmt.Sprint(v.Op, v.Host, v.Kind, v.Stage, v.Name, v.Number))
	}
	slices.Sort(all)
	return all
}

// A choice that is made here does not change where a number is rounded: what would be a
// number of the device is rounded before it meets another.
func TestFoldedKind(t *testing.T) {
	p := compiled(t, "key a = true \"a\"\nrate = where(a, lr, loss)\nm = g\nw -= rate * lr * m", nil, NoDiagonal)
	for _, v := range p.Values {
		if v.Op == OpMultiply && v.Host {
			t.Errorf("the product of rates is the host's:\n%s", p)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	rule := parsed(t, "key flag = true \"a\"\nm = where(flag, g, 0)\nw -= lr * m")
	deep := parsed(t, "m = g - tensor.sum(g - tensor.sum(g - all.sum(g - tensor.sum(g))))\nw -= lr * m")
	for _, c := range []struct {
		rule     *Rule
		booleans map[string]bool
		h        Diagonal
		want     string
	}{
		{rule, map[string]bool{"flog": true}, NoDiagonal, `rule my has no boolean key "flog": did you mean "flag"?`},
		{rule, map[string]bool{"lr": true}, NoDiagonal, `rule my has no boolean key "lr": known are flag`},
		{rule, nil, AnyDiagonal, `rule my has no line curvature, so it uses no diagonal`},
		{deep, nil, NoDiagonal, `my.rule:5:9: tensor.sum is of values that depend on reductions, 3 deep: at most 3 reductions may depend on each other`},
	} {
		if _, err := Compile(c.rule, c.booleans, c.h); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// What is known of a number from what it is made of, as worked out by hand.
func TestBound(t *testing.T) {
	for expression, want := range map[string]bound{
		"g":                                  {math.Inf(-1), math.Inf(1), false},
		"h":                                  {0, math.Inf(1), false},
		"half":                               {-1, 0.5, true},
		"half - 2":                           {-3, -1.5, false},
		"half * half":                        {0, math.Inf(1), true},
		"half * power":                       {math.Inf(-1), math.Inf(1), false},
		"half * (half - 2)":                  {-1.5, 3, false},
		"power - 1":                          {0, math.Inf(1), false},
		"power + t":                          {2, math.Inf(1), true},
		"h / power":                          {0, math.Inf(1), false},
		"power / (power - 1)":                {math.Inf(-1), math.Inf(1), false}, // infinite, of the sign of a zero
		"sqrt(power)":                        {0, math.Inf(1), true},
		"sqrt(half)":                         {0, math.Inf(1), false},
		"power^half":                         {0, math.Inf(1), false},
		"(power - 1)^half":                   {math.Inf(-1), math.Inf(1), false}, // a power below 0 of -0 is below 0
		"(power - 1)^power":                  {0, math.Inf(1), false},
		"half^power":                         {math.Inf(-1), math.Inf(1), false},
		"exp(half)":                          {0, math.Inf(1), true},
		"log(power)":                         {math.Inf(-1), math.Inf(1), false},
		"abs(half)":                          {0, math.Inf(1), true},
		"-half":                              {-0.5, 1, true},
		"min(half, power)":                   {-1, 0.5, true},
		"max(half, power)":                   {1, math.Inf(1), true},
		"clip(g, -1, half)":                  {-1, 0.5, false},
		"where(t > 1, half, 7)":              {-1, 7, true},
		"where(t > 1, half, g)":              {math.Inf(-1), math.Inf(1), false},
		"f32(third)":                         {float64(float32(1. / 3)), math.Inf(1), true},
		"where(isfinite(h), h, 1)":           {0, math.Inf(1), true},
		"where(isfinite(g), h, 1)":           {0, math.Inf(1), false},
		"where(isfinite(h), h, g)":           {math.Inf(-1), math.Inf(1), false},
		"tensor.norm(g)":                     {0, math.Inf(1), false},
		"tensor.sum(h)":                      {0, math.Inf(1), false},
		"all.mean(h)":                        {0, math.Inf(1), false},
		"all.mean(abs(clip(g, half, half)))": {0, math.Inf(1), false},
		"tensor.max(clip(g, half, half))":    {-1, 0.5, false},
		"tensor.sum(g)":                      {math.Inf(-1), math.Inf(1), false},
		"lr":                                 {0, math.Inf(1), true},
		"w^4":                                {0, math.Inf(1), false},
		"w^3":                                {math.Inf(-1), math.Inf(1), false},
	} {
		rule := parsed(t, "key half = 0 in [-1, 0.5] \"h\"\nkey power = 1 in [1, inf) \"p\"\nkey third = 1 in [0.3333333333333333, inf) \"t\"\ncurvature gnb\nvalue = "+expression+"\nm = h\nw -= value")
		k := newCompiler(rule, nil, NonNegativeDiagonal)
		k.statements()
		if got := k.bounds[k.names["value"].value]; got != want {
			t.Errorf("%s: %+v, want %+v", expression, got, want)
		}
	}
}

// Each value that a step computes is within what the compiler proves of it.
func TestBounds(t *testing.T) {
	proven := 0
	for _, c := range trajectories(t) {
		if c.large() {
			continue
		}
		p := compiled(t, c.Text, c.Booleans, c.diagonal())
		k := newCompiler(p.Rule, c.Booleans, c.diagonal())
		k.statements()
		all := k.p
		all.Constants, all.Steps, all.Tables = rounds(all, Const), rounds(all, Step), rounds(all, Table)
		everything, err := all.Coefficients(c.run())
		if err != nil {
			t.Fatal(err)
		}
		interpreted(t, c, p, func(pruned *Coefficients, step int, s *State, g, h [][]float32, loss float32) {
			if h == nil {
				h = c.tensors(2, step) // for values that are pruned
			}
			m := all.machine(everything, step, s, g, h, loss)
			for i, v := range all.Values {
				if v.Host {
					continue
				}
				m.compute(i)
				b := k.bounds[i]
				if b != anything {
					proven++
				}
				for _, x := range slices.Concat(m.x[i]...) {
					if x := float64(x); x < b.low || x > b.high || b.number && math.IsNaN(x) {
						t.Fatalf("%s: %g is not within %+v: value %d of\n%s", c.name(), x, b, i, all)
					}
				}
			}
			p.Interpret(pruned, step, s, g, h, loss)
		})
	}
	if proven < 1000 {
		t.Errorf("only %d values had bounds", proven)
	}
}

func rounds(p *Program, kind Kind) (all []int) {
	for i, v := range p.Values {
		if v.Op == OpRound && v.Kind == kind {
			all = append(all, i)
		}
	}
	return all
}
