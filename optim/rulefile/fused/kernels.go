package fused

import (
	"fmt"
	"slices"
	"strings"

	"diaghess/optim/rulefile"
)

// Kernels are the kernels of a program, without memory: all runs of the program share them.
type Kernels struct {
	Program *rulefile.Program

	name, text string // of the PTX module
	passes     []*pass
	evaluation *pass // nil without
	// reductions are the program's. Each has a column in the table of results.
	reductions []int
}

// pass is a sweep, and what finishes its reductions.
type pass struct {
	*sweep
	body *body
	// tensors finishes the reductions over each tensor, and prepares those over all, which all
	// finishes. They are nil without any.
	tensors, all *finishing
}

// finishing is the combination of partial results of reductions.
type finishing struct {
	entry      string
	reductions []int
	// passed are those whose results are passed on in float64, to be combined once more.
	passed []int
}

// passedAt returns the number of a reduction among those that are passed on, or -1.
func (f *finishing) passedAt(reduction int) int { return slices.Index(f.passed, reduction) }

// mostConstants keeps a kernel's parameters below the 4096 bytes that all drivers take.
const mostConstants = 900

// New makes the kernels of a program. It returns an error for a program with more constants
// than a kernel can have parameters.
func New(p *rulefile.Program) (*Kernels, error) {
	k := &Kernels{Program: p, name: p.Rule.Name + ".rule.ptx"}
	for i, v := range p.Values {
		if v.Op.Reduces() {
			k.reductions = append(k.reductions, i)
		}
	}
	entry := "rule_" + p.Rule.Name
	for i := range p.Passes {
		name := entry
		if len(p.Passes) > 1 {
			name = fmt.Sprintf("%s_%d", entry, i+1)
		}
		k.passes = append(k.passes, k.pass(&p.Passes[i], name))
	}
	if p.Evaluation != nil {
		k.evaluation = k.pass(p.Evaluation, entry+"_eval")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "// Rule %s\n.version 7.0\n.target sm_75\n.address_size 64\n", p.Rule.Name)
	for _, pass := range k.all() {
		if n := len(pass.constants); n > mostConstants {
			return nil, fmt.Errorf("rule %s has %d different constants, a kernel takes at most %d: give those that follow from others names", p.Rule.Name, n, mostConstants)
		}
		b.WriteString("\n" + k.emit(pass.sweep))
		for _, f := range []*finishing{pass.tensors, pass.all} {
			if f != nil {
				b.WriteString("\n" + k.emitFinish(f))
			}
		}
	}
	k.text = b.String()
	return k, nil
}

// Own makes the kernels of a program that declares a kernel of one's own, see
// rulefile.ParseKernel, from the PTX text, which has the entry rule_NAME. name is that of the text in
// messages. The kernel has no Go body, so it cannot be run on the cpu.
func Own(p *rulefile.Program, name, text string) *Kernels {
	k := &Kernels{Program: p, name: name, text: text}
	k.passes = []*pass{{sweep: newSweep(p, &p.Passes[0], "rule_"+p.Rule.Name)}}
	return k
}

// pass prepares a pass.
func (k *Kernels) pass(p *rulefile.Pass, entry string) *pass {
	made := &pass{sweep: newSweep(k.Program, p, entry)}
	made.body = newBody(made.sweep)
	if len(p.Reductions) == 0 {
		return made
	}
	made.tensors = &finishing{entry: entry + "_tensors", reductions: p.Reductions}
	for _, r := range p.Reductions {
		if k.Program.Values[r].Name == "all" {
			made.tensors.passed = append(made.tensors.passed, r)
		}
	}
	if all := made.tensors.passed; len(all) > 0 {
		made.all = &finishing{entry: entry + "_all", reductions: all}
	}
	return made
}

// all returns all passes.
func (k *Kernels) all() []*pass {
	all := slices.Clone(k.passes)
	if k.evaluation != nil {
		all = append(all, k.evaluation)
	}
	return all
}

// reduction returns the column of a reduction in the table of results.
func (k *Kernels) reduction(value int) int { return slices.Index(k.reductions, value) }

// Module returns the PTX of all kernels, and a name for messages.
func (k *Kernels) Module() (name, text string) { return k.name, k.text }
