package rulefile

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzParse: a text is refused with an error that has a place in it, or is a rule whose
// program is well-formed.
func FuzzParse(f *testing.F) {
	for _, text := range ruleFiles(f) {
		f.Add(text)
	}
	f.Add(head + "m = where(not (g > 0) or isfinite(m), clip(g, -1, 1), all.max(abs(g)))\nw -= lr * m if t > beta1")
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := Parse("my.rule", text)
		if err == nil {
			var p *Program
			if p, err = Compile(rule, nil, NoDiagonal); err == nil {
				wellFormed(t, p)
			}
			if err == nil && rule.Curvature != nil {
				if p, err = Compile(rule, nil, AnyDiagonal); err == nil {
					wellFormed(t, p)
				}
			}
		}
		if err != nil {
			placed(t, err, text)
		}
	})
}

// FuzzParseKernel: a text is refused with an error that has a place in it, or its header is that
// of a kernel, whose numbers the host can compute.
func FuzzParseKernel(f *testing.F) {
	f.Add(ownKernel)
	f.Add("//! rule x \"\"\n//! key lr = 1 \"\"\n.version 7.0")
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseKernel("my.rule", text)
		if err != nil {
			placed(t, err, text)
			return
		}
		h := NoDiagonal
		if rule.Curvature != nil {
			h = AnyDiagonal
		}
		p, err := Compile(rule, nil, h)
		if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		c, err := p.Coefficients(Run{Rates: []float64{1, 2}, StepsPerEpoch: 1, Tensors: []Shape{{3, 1}}})
		if err == nil && (len(c.Steps) != 2*len(p.Steps) || len(p.Steps) == 0 || len(c.Constants) < len(rule.Keys)-1 || len(c.Tables) != len(p.Tables)) {
			t.Errorf("the numbers of %q are %+v", text, c)
		}
	})
}

// placed fails if an error has no place in a text.
func placed(t *testing.T, err error, text string) {
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	lines := strings.Split(text, "\n")
	if e.File != "my.rule" || e.Message == "" || e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
		t.Errorf("%+v is not a place in %q", e, text)
	}
}

// wellFormed checks what the bodies of a rule rely on.
func wellFormed(t *testing.T, p *Program) {
	fail := func(i int, what string) { t.Fatalf("value %d %s:\n%s", i, what, p) }
	for i, v := range p.Values {
		for _, a := range v.Args {
			if a >= i {
				fail(i, "is before an operand")
			}
			if from := p.Values[a]; from.Host != v.Host && v.Op != OpRound || v.Op == OpRound && !from.Host {
				fail(i, "has an operand of the other side")
			}
			if from := p.Values[a]; !v.Op.Reduces() && (join(from.Kind, v.Kind) != v.Kind || from.Stage > v.Stage) {
				fail(i, "is of a lesser kind or stage than an operand")
			}
		}
		if v.Host && (!v.Kind.Host() || v.Op == OpRound || v.Op == OpLoad || v.Op.Reduces()) || !v.Host && (v.Op == OpKey || v.Op == OpGiven || v.Op == OpPower || v.Op == OpF32) {
			fail(i, "is on the wrong side")
		}
		if v.Op == OpNumber && !v.Host && float64(float32(v.Number)) != v.Number {
			fail(i, "is not a float32")
		}
	}
	stored := 0
	for number, pass := range p.Passes {
		known := map[int]bool{}
		for _, r := range pass.Reads {
			known[r.Value] = true
		}
		for _, i := range slices.Concat(pass.Scalars, pass.Values) {
			v := p.Values[i]
			for _, a := range v.Args {
				if v.Op != OpRound && !v.Op.Reduces() && !known[a] {
					fail(i, "lacks an operand in its pass")
				}
			}
			if v.Op.Reduces() && v.Stage > number {
				fail(i, "is used before it is reduced")
			}
			known[i] = true
		}
		for _, r := range pass.Reductions {
			if !known[p.Values[r].Args[0]] {
				fail(r, "lacks an operand in its pass")
			}
		}
		for _, s := range pass.Stores {
			if stored++; !known[s.Value] {
				fail(s.Value, "is stored before it is known")
			}
		}
	}
	if stored != len(p.Stores) {
		t.Fatalf("%d of %d arrays are stored:\n%s", stored, len(p.Stores), p)
	}
}
