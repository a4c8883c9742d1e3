package rulefile

import (
	"fmt"
	"strings"
	"testing"
)

const ownKernel = `// a kernel
//! rule own "of one's own"
.version 7.0
//! key lr = 0.5 in (0, inf) log "learning rate"
//! key beta = 0.75 in [0, 1) "decay"
//! key same = 0.75 in [0, 1) "another number, of the same value"
//! slot m
//! slot z = w
//! curvature gnb every=2
//! carry total = 0
//! total += lr
//! c1 = 1 - beta^t
//! half = beta / 2
//! area = numel * rank
//! again = lr
.visible .entry rule_own() { ret; }
`

// A kernel's numbers are lr, the keys, and what the header computes, each in its column.
func TestParseKernel(t *testing.T) {
	rule, err := ParseKernel("own.ptx", ownKernel)
	if err != nil {
		t.Fatal(err)
	}
	if !rule.Kernel() || rule.Name != "own" || rule.Summary != "of one's own" || len(rule.Keys) != 3 || rule.Curvature.Settings["every"] != 2 || !rule.Slots[1].Weight {
		t.Errorf("the header is %+v", rule)
	}
	p, err := Compile(rule, nil, AnyDiagonal)
	if err != nil {
		t.Fatal(err)
	}
	var reads, writes []string
	for _, r := range p.Passes[0].Reads {
		reads = append(reads, r.Array)
	}
	for _, s := range p.Passes[0].Stores {
		writes = append(writes, s.Array)
	}
	if got := fmt.Sprint(reads, writes, p.Bytes); got != "[w g h m z] [w m z] 32" {
		t.Errorf("the kernel reads, writes and moves %s", got)
	}
	c, err := p.Coefficients(Run{Keys: map[string]float64{"beta": 0.5}, Rates: []float64{1, 0.25}, StepsPerEpoch: 1, Tensors: []Shape{{6, 2}, {4, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	// Constants: beta, same, half. Steps: lr, c1, again. Tables: area.
	if got := fmt.Sprint(c.Constants, c.Steps, c.Tables); got != "[0.5 0.75 0.25] [1 0.5 1 0.25 0.75 0.25] [12 4]" {
		t.Errorf("the numbers are %s", got)
	}
}

// A carry lasts from step to step.
func TestParseKernelCarry(t *testing.T) {
	rule, err := ParseKernel("own.ptx", strings.Replace(ownKernel, "again = lr", "again = total", 1))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(rule, nil, AnyDiagonal)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Coefficients(Run{Rates: []float64{1, 0.25, 2}, StepsPerEpoch: 1, Tensors: []Shape{{1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Steps[2], c.Steps[5], c.Steps[8]); got != "1 1.25 3.25" {
		t.Errorf("the sums of the rates are %s", got)
	}
}

func TestParseKernelErrors(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{"//! ", "// ", `own.ptx:1:1: no line begins with "//!"`},
		{"//! rule", "// rule", `own.ptx:4:5: expected "rule NAME" as the first line`},
		{"again = lr", "again = beta * g", `own.ptx:15:13: "again" must be known on the host (from keys, t, lr, carries, or from numel and rank): this depends on g (15:20)`},
		{"again = lr", "again = lr * rank", `this depends on a mixture of steps and tensors (15:13)`},
		{"again = lr", "again = loss", `this depends on loss (15:13)`},
		{"again = lr", "again = lr > 1", `own.ptx:15:13: "again" is a parameter of the kernel: expected a number, found a condition`},
		{"again = lr", "m = 0 * m", `own.ptx:15:5: "m" is written by the kernel: expected a new name`},
		{"again = lr", "w -= lr", `own.ptx:15:5: "w" is written by the kernel`},
		{"again = lr", "eval w", `a kernel has no weights for evaluation`},
		{"beta = 0.75 in [0, 1)", "beta = true", `own.ptx:5:9: the key "beta" of a kernel is a number`},
		{"total += lr", "", `carry "total" is never assigned`},
		{"gnb every=2", "none", `own.ptx:9:5: a kernel that has a line curvature reads h in every step`},
		{".version 7.0", strings.Repeat(" ", MostKernelBytes), "a kernel has at most 262144"},
	} {
		text := strings.ReplaceAll(ownKernel, c.old, c.now)
		if c.old == "beta = 0.75 in [0, 1)" {
			text = strings.NewReplacer("beta^t", "t", "beta / 2", "2").Replace(text)
		}
		if _, err := ParseKernel("own.ptx", text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in place of %q: error %v, want %q", c.now, c.old, err, c.want)
		}
	}
	if IsKernel("# //! comment\nrule x") || !IsKernel("x\n//! rule") {
		t.Error("a kernel is not told from a rule file")
	}
}
