package fused_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"diaghess/optim/rulefile"
)

// generator writes rules of random formulas, most of which are valid.
type generator struct {
	r        *rand.Rand
	elements []string // names of each kind
	numbers  []string // of numbers of the device that all elements share
	hosts    []string // of numbers of the host
	truths   []string // of conditions
}

func (g *generator) one(of []string) string { return of[g.r.IntN(len(of))] }

// rule returns the text of a rule.
func (g *generator) rule() string {
	var b strings.Builder
	b.WriteString("rule random \"random formulas\"\nkey lr = 0.01 in (0, inf) \"rate\"\nkey beta = 0.9 in [0, 1) \"decay\"\nkey eps = 1e-3 in (0, inf) \"small\"\nkey least = -2 in [-9, 0] \"negative\"\n")
	fmt.Fprintf(&b, "key flag = %t \"choice\"\n", g.r.IntN(2) == 0)
	b.WriteString("carry all_keys = 0\nall_keys = where(flag, beta, eps + least)\n") // an unused key is an error
	g.hosts = []string{"lr", "beta", "eps", "t", "epoch", "steps", "lr0", "numel", "rank", "epochs", "1", "2", "0.5", "-3", "0", "least", "3e38", "1e-45"}
	g.numbers = []string{"loss"}
	g.elements = []string{"w", "g", "g"}
	g.truths = []string{"flag", "t == 1", "rank > 1", "loss < 1"}
	last := "g"
	if g.r.IntN(2) == 0 {
		b.WriteString("curvature hutchinson\n")
		g.elements, last = append(g.elements, "h"), "(g + h)"
	}
	slots := []string{"s0", "s1", "s2"}[:1+g.r.IntN(3)]
	for _, s := range slots {
		fmt.Fprintf(&b, "slot %s%s\n", s, g.one([]string{"", "", " = w", " = 0.25"}))
		g.elements = append(g.elements, s)
	}
	if g.r.IntN(2) == 0 {
		fmt.Fprintf(&b, "carry c = 0.5\nc = min(c * %s, 3)\n", g.host(2, []string{"lr", "t", "beta", "c"}))
		g.hosts = append(g.hosts, "c")
	}
	for i := range 2 + g.r.IntN(4) {
		name := fmt.Sprintf("x%d", i)
		switch g.r.IntN(5) {
		case 0:
			fmt.Fprintf(&b, "%s = %s\n", name, g.scalar(2))
			last = fmt.Sprintf("(%s * %s)", last, name)
			g.numbers = append(g.numbers, name)
			continue
		case 1:
			fmt.Fprintf(&b, "%s = %s\n", name, g.truth(2))
			last = fmt.Sprintf("where(%s, %s, %s)", name, last, g.element(1))
			g.truths = append(g.truths, name)
			continue
		}
		fmt.Fprintf(&b, "%s = %s + %s\n", name, g.element(3), last)
		last = name
		g.elements = append(g.elements, name)
		if s := g.one(slots); g.r.IntN(2) == 0 {
			fmt.Fprintf(&b, "%s += %s\n", s, g.element(2))
		}
	}
	for _, s := range slots {
		fmt.Fprintf(&b, "%s = %s\n", s, g.element(2))
	}
	fmt.Fprintf(&b, "w -= lr * where(isfinite(%s), %s, %s)\n", last, last, g.element(1))
	if g.r.IntN(3) == 0 {
		g.elements, g.numbers, g.hosts, g.truths = append(slots, "w"), []string{"numel"}, []string{"beta", "eps", "lr0", "rank"}, []string{"flag"}
		fmt.Fprintf(&b, "eval w + beta * %s\n", g.plain(2))
	}
	return b.String()
}

// element writes a number for each element.
func (g *generator) element(depth int) string {
	if depth == 0 || g.r.IntN(8) == 0 {
		return g.one(g.elements)
	}
	x := g.element(depth - 1)
	y := []func(int) string{g.element, g.element, g.scalar}[g.r.IntN(3)](depth - 1)
	switch g.r.IntN(18) {
	case 0, 1:
		return fmt.Sprintf("(%s + %s)", x, y)
	case 2:
		return fmt.Sprintf("(%s - %s)", y, x)
	case 3, 4:
		return fmt.Sprintf("%s * (%s)", x, y)
	case 5:
		return fmt.Sprintf("%s / (%s)", x, y)
	case 6:
		return fmt.Sprintf("sqrt(abs(%s))", x)
	case 7:
		return fmt.Sprintf("min(%s, %s)", x, y)
	case 8:
		return fmt.Sprintf("max(%s, %s)", y, x)
	case 9:
		return fmt.Sprintf("clip(%s, -2, %s)", x, y)
	case 10:
		return fmt.Sprintf("where(%s, %s, %s)", g.truth(depth-1), x, y)
	case 11:
		return fmt.Sprintf("(-%s)^%d", g.one(g.elements), 2+g.r.IntN(7))
	case 12:
		return fmt.Sprintf("sign(%s)", x)
	case 13:
		return fmt.Sprintf("exp(%s)", x)
	case 14: // often never above 0
		return fmt.Sprintf("max(0, %s)", x)
	case 15:
		return fmt.Sprintf("(-%s)", x)
	case 16:
		return fmt.Sprintf("abs(%s)", x)
	}
	return fmt.Sprintf("log(%s)", x)
}

// plain is element without what exists at a step only.
func (g *generator) plain(depth int) string {
	if depth == 0 {
		return g.one(g.elements)
	}
	return fmt.Sprintf("(%s %s where(%s > %s, %s, %s))", g.plain(depth-1), g.one([]string{"+", "-", "*", "/"}), g.plain(depth-1), g.host(1, g.hosts), g.plain(depth-1), g.one(g.elements))
}

// scalar writes a number that all elements of a tensor share.
func (g *generator) scalar(depth int) string {
	switch n := g.r.IntN(8); {
	case depth > 0 && n < 3:
		return fmt.Sprintf("%s.%s(%s)", g.one([]string{"tensor", "tensor", "all"}), g.one([]string{"sum", "min", "max", "mean", "norm"}), g.element(depth-1))
	case depth > 0 && n == 3:
		return fmt.Sprintf("%s(%s)", g.one([]string{"exp", "log", "sqrt", "abs", "sign", "-"}), g.scalar(depth-1))
	case depth > 0 && n == 4:
		return fmt.Sprintf("where(%s, %s, %s)", g.condition(depth-1, g.scalar), g.scalar(depth-1), g.scalar(depth-1))
	case depth > 0 && n == 5:
		return fmt.Sprintf("(%s %s %s)", g.scalar(depth-1), g.one([]string{"+", "-", "*", "/"}), g.scalar(depth-1))
	case n == 6:
		return g.one(g.numbers)
	}
	return g.host(depth, g.hosts)
}

// host writes a number of the host.
func (g *generator) host(depth int, names []string) string {
	if depth == 0 {
		return g.one(names)
	}
	x, y := g.host(depth-1, names), g.host(depth-1, names)
	switch g.r.IntN(11) {
	case 0:
		return fmt.Sprintf("(%s + %s)", x, y)
	case 1:
		return fmt.Sprintf("(1 - %s)", x)
	case 2:
		return fmt.Sprintf("%s * (%s)", x, y)
	case 3:
		return fmt.Sprintf("f32(%s)", x)
	case 4:
		return fmt.Sprintf("sqrt(abs(%s))", x)
	case 5:
		return fmt.Sprintf("exp(%s)", x)
	case 6:
		return fmt.Sprintf("log(%s)", x)
	case 7:
		return fmt.Sprintf("(%s / (%s))", x, y)
	case 8:
		return fmt.Sprintf("(%s)^(%s)", x, y)
	case 9:
		return fmt.Sprintf("where(%s < %s, min(%s, %s), sign(%s))", x, y, x, y, x)
	}
	return fmt.Sprintf("0.5^(%s)", x)
}

// truth writes a condition.
func (g *generator) truth(depth int) string {
	if g.r.IntN(3) > 0 {
		return g.condition(depth, g.element)
	}
	return g.condition(depth, g.scalar)
}

// condition writes one of numbers of a kind.
func (g *generator) condition(depth int, number func(int) string) string {
	if depth == 0 || g.r.IntN(8) == 0 {
		return g.one(g.truths)
	}
	x := func() string { return "(" + number(depth-1) + ")" }
	switch g.r.IntN(10) {
	case 0:
		return fmt.Sprintf("(%s and %s)", g.condition(depth-1, number), g.condition(depth-1, number))
	case 1:
		return fmt.Sprintf("(%s or %s)", g.condition(depth-1, number), g.condition(depth-1, number))
	case 2:
		return fmt.Sprintf("(not %s)", g.condition(depth-1, number))
	case 3:
		return fmt.Sprintf("isfinite(%s)", x())
	case 4:
		return fmt.Sprintf("where(%s, %s, %s)", g.condition(depth-1, number), g.condition(depth-1, number), g.condition(depth-1, number))
	}
	return fmt.Sprintf("(%s %s %s)", x(), g.one([]string{"<", "<=", ">", ">=", "==", "!="}), x())
}

// Random rules give the same bits by the interpreter, the Go body and the PTX. All operations
// occur among them, on elements and on what these share.
func TestRandomRules(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 40
	}
	cpu := openCPU(t)
	onElements, shared, passes := map[rulefile.Op]int{}, map[rulefile.Op]int{}, map[int]int{}
	valid := 0
	for seed := range uint64(seeds) {
		text := (&generator{r: rand.New(rand.NewPCG(seed, 4))}).rule()
		rule, err := rulefile.Parse("random.rule", text)
		if err != nil {
			continue // f32 of a mixture of steps and tensors
		}
		h := rulefile.NoDiagonal
		if rule.Curvature != nil {
			h = rulefile.AnyDiagonal
		}
		p, err := rulefile.Compile(rule, nil, h)
		if err != nil {
			continue // reductions that are too deep
		}
		valid++
		for _, v := range p.Values {
			if !v.Host && v.Kind == rulefile.Element {
				onElements[v.Op]++
			} else if !v.Host {
				shared[v.Op]++
			}
		}
		passes[len(p.Passes)]++
		c := newTrial(p, 3, 37, 4999, 1, 62)
		c.seed, c.special = seed, seed%4 == 0
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { compare(t, c, h, cpuAndEmulator(t, c, h, cpu)) }) {
			t.Fatalf("%s\n%s", text, p)
		}
	}
	t.Logf("%d of %d rules are valid, numbers of passes: %v", valid, seeds, passes)
	if valid < seeds*9/10 || passes[1] == 0 || passes[2] == 0 || passes[3] == 0 {
		t.Errorf("%d of %d rules are valid, numbers of passes: %v", valid, seeds, passes)
	}
	for op := rulefile.OpAdd; op <= rulefile.OpSelect; op++ {
		if onElements[op] == 0 || shared[op] == 0 && !testing.Short() {
			t.Errorf("operation %v occurs %d times on elements, %d times elsewhere", op, onElements[op], shared[op])
		}
	}
}
