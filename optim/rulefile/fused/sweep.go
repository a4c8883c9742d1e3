package fused

import (
	"fmt"
	"slices"

	"diaghess/optim/rulefile"
)

// sweep is a pass of a program with what its kernel needs: what both bodies are made of.
type sweep struct {
	*rulefile.Pass
	program *rulefile.Program
	entry   string
	// arrays are those that the pass reads, and then those that it only writes. Each is a
	// parameter.
	arrays []string
	// Columns of the coefficients, each once: a constant is a parameter, the others are
	// columns of a table's row.
	constants, steps, tables []int
	loss                     bool
	reduced                  []int // results of earlier passes, see Kernels.reductions
}

func newSweep(p *rulefile.Program, pass *rulefile.Pass, entry string) *sweep {
	s := &sweep{Pass: pass, program: p, entry: entry}
	for _, r := range pass.Reads {
		s.arrays = append(s.arrays, r.Array)
	}
	for _, store := range pass.Stores {
		if !slices.Contains(s.arrays, store.Array) {
			s.arrays = append(s.arrays, store.Array)
		}
	}
	for _, i := range pass.Scalars {
		v := &p.Values[i]
		switch {
		case v.Op == rulefile.OpRound:
			list, column := s.column(i)
			*list = append(*list, column)
		case v.Op == rulefile.OpLoss:
			s.loss = true
		case v.Op.Reduces():
			s.reduced = append(s.reduced, i)
		}
	}
	return s
}

// summary says what the pass does.
func (s *sweep) summary() string {
	text := "A block reads a chunk of"
	for _, r := range s.Reads {
		text += " " + r.Array
	}
	if len(s.Stores) > 0 {
		text += ", writes"
	}
	for _, store := range s.Stores {
		text += " " + store.Array
	}
	for _, r := range s.Reductions {
		v := &s.program.Values[r]
		text += fmt.Sprintf(", %s.%s", v.Name, v.Op)
	}
	return text + "."
}

// column returns where a number of the host is: in which of the sweep's lists, and its number
// among the program's.
func (s *sweep) column(value int) (list *[]int, column int) {
	switch s.program.Values[value].Kind {
	case rulefile.Const:
		return &s.constants, slices.Index(s.program.Constants, value)
	case rulefile.Step:
		return &s.steps, slices.Index(s.program.Steps, value)
	case rulefile.Table:
		return &s.tables, slices.Index(s.program.Tables, value)
	}
	panic(fmt.Sprintf("fused: a number of the host has the kind %s", s.program.Values[value].Kind))
}

// array returns the number of an array among the parameters.
func (s *sweep) array(name string) int { return slices.Index(s.arrays, name) }

// writes says whether the pass stores an array.
func (s *sweep) writes(name string) bool {
	return slices.ContainsFunc(s.Stores, func(store rulefile.Store) bool { return store.Array == name })
}

// tensorwise says whether the kernel needs to know the tensor of its chunk.
func (s *sweep) tensorwise() bool {
	return len(s.tables) > 0 || slices.ContainsFunc(s.reduced, func(i int) bool { return s.program.Values[i].Name == "tensor" })
}

// everywhere says whether the kernel needs results over all tensors.
func (s *sweep) everywhere() bool {
	return slices.ContainsFunc(s.reduced, func(i int) bool { return s.program.Values[i].Name == "all" })
}
