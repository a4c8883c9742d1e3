package rulefile

import "strings"

// KernelHeader begins the lines of a PTX text that declare a kernel of one's own.
const KernelHeader = "//!"

// MostKernelBytes is the most that a PTX text of one's own may have.
const MostKernelBytes = 256 << 10

// IsKernel says whether a text has a line that begins with KernelHeader. No rule file has.
func IsKernel(text string) bool {
	return strings.HasPrefix(text, KernelHeader) || strings.Contains(text, "\n"+KernelHeader)
}

// ParseKernel reads the declarations of a kernel of one's own: the lines of its PTX text that
// begin with KernelHeader. They are those of a rule file: keys that are numbers, slots, carries, a
// curvature, and numbers of the host under new names. The kernel stands for the formulas of elements. Errors are those of [Parse].
//
// [Compile] makes a program of it with one pass, which has no operations. It reads w, g, h with a
// curvature, and the slots, and writes w and the slots. Its numbers are lr, the other keys, and
// the new names, in their order.
func ParseKernel(file, text string) (rule *Rule, err error) {
	defer recovered(&err)
	switch {
	case len(text) > MostKernelBytes:
		fail(file, position{1, 1}, "the file has %d bytes: a kernel has at most %d", len(text), MostKernelBytes)
	case !IsKernel(text):
		fail(file, position{1, 1}, `no line begins with "%s": expected the kernel's declarations, the first of which is %[1]s rule NAME "summary"`, KernelHeader)
	}
	var header strings.Builder
	for line := range strings.Lines(text) {
		if declared, ok := strings.CutPrefix(line, KernelHeader); ok {
			header.WriteString(strings.Repeat(" ", len(KernelHeader)) + declared) // at the same columns
		} else if strings.HasSuffix(line, "\n") {
			header.WriteByte('\n')
		}
	}
	p := &parser{rule: &Rule{File: file, kernel: true}, tokens: lex(file, header.String()), declared: map[string]position{}}
	p.file()
	check(p.rule, p.declared, p.settings)
	return p.rule, nil
}

// kernel fails at what a kernel of one's own cannot declare.
func (c *checker) kernel(declared map[string]position, curvature position) {
	r := c.rule
	for _, k := range r.Keys {
		if k.Boolean {
			c.fail(declared[k.Name], `the key "%s" of a kernel is a number: write 0 or 1 for false or true`, k.Name)
		}
	}
	if r.Curvature != nil && r.Curvature.Kind == "none" {
		c.fail(curvature, "a kernel that has a line curvature reads h in every step: expected an estimator other than none")
	}
	if r.evaluation != nil {
		c.fail(r.evaluation.at, "a kernel has no weights for evaluation")
	}
	for _, s := range r.statements {
		n := s.value
		switch {
		case c.carry(s.target):
		case c.writable(s.target):
			c.fail(s.at, `"%s" is written by the kernel: expected a new name for a number of the host`, s.target)
		case n.condition:
			c.fail(n.at, `"%s" is a parameter of the kernel: expected a number, found a condition`, s.target)
		case !n.kind.Host():
			c.fail(n.at, `"%s" must be known on the host (from keys, t, lr, carries, or from numel and rank): this depends on %s`, s.target, c.cause(n, Table))
		}
	}
}

// kernel makes the program of declarations, see [ParseKernel].
func (c *compiler) kernel() {
	r, start := c.p.Rule, position{1, 1}
	pass := Pass{}
	load := func(name string) int {
		i := c.add(Value{Op: OpLoad, Name: name, Kind: Element}, start)
		pass.Reads = append(pass.Reads, Read{name, i})
		return i
	}
	pass.Stores = append(pass.Stores, Store{"w", load("w")})
	load("g")
	if r.Curvature != nil {
		load("h")
	}
	for _, s := range r.Slots {
		pass.Stores = append(pass.Stores, Store{s.Name, load(s.Name)})
	}
	// Equal numbers are parameters of their own here.
	number := func(i int) {
		v := c.p.Values[i]
		list := map[Kind]*[]int{Const: &c.p.Constants, Step: &c.p.Steps, Table: &c.p.Tables}[v.Kind]
		*list = append(*list, len(c.p.Values))
		pass.Scalars = append(pass.Scalars, len(c.p.Values))
		c.p.Values = append(c.p.Values, Value{Op: OpRound, Kind: v.Kind, Args: []int{i}, Line: v.Line, Column: v.Column})
		c.bounds = append(c.bounds, anything)
	}
	number(c.add(Value{Op: OpGiven, Name: "lr", Kind: Step, Host: true}, start))
	for _, k := range r.Keys {
		if k.Name != "lr" {
			number(c.add(Value{Op: OpKey, Name: k.Name, Host: true}, start))
		}
	}
	for _, k := range r.Carries {
		c.names[k.Name] = operand{value: c.add(Value{Op: OpCarry, Name: k.Name, Host: true, Kind: Step}, start)}
	}
	for _, s := range r.statements {
		v := c.lower(s.value)
		_, carried := c.names[s.target]
		if c.names[s.target] = v; !carried {
			number(v.value)
		}
	}
	for _, k := range r.Carries {
		c.p.Carries = append(c.p.Carries, CarryUpdate{k.Name, k.Initial, c.names[k.Name].value})
	}
	c.p.Stores, c.p.Passes = pass.Stores, []Pass{pass}
	c.p.Bytes = 4 * (len(pass.Reads) + len(pass.Stores))
	c.p.Touch = c.p.Bytes
}
