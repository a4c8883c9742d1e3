package fused

import (
	"math"
	"slices"

	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/blocks"
)

// body is the Go body of a pass: a list of operations on blocks of elements. What is between
// them lies in as few registers, of a block each, as there are values that are needed at once. A
// value that is stored is computed in its array, if nobody needs what was there any more.
type body struct {
	scalars  []instruction // of numbers
	elements []instruction
	places   int
	// Places are those of the program's values that are one number for all elements, then the
	// sweep's arrays, then registers.
	firstArray, firstRegister place
}

// place is where an operand is.
type place int

// instruction is an operation on places, a copy, or an addition to a reduction.
type instruction struct {
	op   rulefile.Op
	part int // of a reduction: its number in the pass
	to   place
	from []place
}

// opCopy stands for a copy: among the operations on elements there is no OpRound.
const opCopy = rulefile.OpRound

// assembler makes a body.
type assembler struct {
	*sweep
	*body
	at   map[int]place // of values
	last map[int]int   // the number of the operation that needs a value last
	free []place       // registers
}

func newBody(s *sweep) *body {
	values := len(s.program.Values)
	b := &body{firstArray: place(values), firstRegister: place(values + len(s.arrays)), places: values + len(s.arrays)}
	a := &assembler{sweep: s, body: b, at: map[int]place{}, last: map[int]int{}}
	for _, i := range s.Scalars {
		a.at[i] = place(i)
		if v := &s.program.Values[i]; computed(v) {
			a.scalars = append(a.scalars, instruction{op: v.Op, to: a.at[i], from: a.operands(v)})
		}
	}
	for _, r := range s.Reads {
		a.at[r.Value] = a.arrayAt(r.Array)
	}
	a.swap()
	for _, i := range s.Scalars {
		a.reduce(i)
	}
	for _, r := range s.Reads {
		a.reduce(r.Value)
	}
	a.needs()
	for i := range s.Values {
		a.operation(i)
	}
	for _, store := range s.Stores {
		if to, from := a.arrayAt(store.Array), a.at[store.Value]; from != to {
			a.elements = append(a.elements, instruction{op: opCopy, to: to, from: []place{from}})
		}
	}
	return b
}

// computed says whether a value that all elements share is one of others.
func computed(v *rulefile.Value) bool {
	return v.Op != rulefile.OpNumber && v.Op != rulefile.OpRound && v.Op != rulefile.OpLoss && !v.Op.Reduces()
}

func (a *assembler) arrayAt(name string) place { return a.firstArray + place(a.array(name)) }

func (a *assembler) operands(v *rulefile.Value) (from []place) {
	for _, arg := range v.Args {
		from = append(from, a.at[arg])
	}
	return from
}

func (a *assembler) register() place {
	a.places++
	return place(a.places - 1)
}

// swap keeps what another array stores of an array that is overwritten.
func (a *assembler) swap() {
	for _, r := range a.Reads {
		elsewhere := slices.ContainsFunc(a.Stores, func(s rulefile.Store) bool { return s.Value == r.Value && s.Array != r.Array })
		if elsewhere && a.writes(r.Array) {
			to := a.register()
			a.elements = append(a.elements, instruction{op: opCopy, to: to, from: []place{a.at[r.Value]}})
			a.at[r.Value] = to
		}
	}
}

// needs finds out when each value is needed last.
func (a *assembler) needs() {
	for i, value := range a.Values {
		for _, arg := range a.program.Values[value].Args {
			a.last[arg] = i
		}
	}
	for _, s := range a.Stores {
		a.last[s.Value] = math.MaxInt
	}
}

// reduce appends the additions of a value to reductions.
func (a *assembler) reduce(value int) {
	for part, r := range a.Reductions {
		if v := &a.program.Values[r]; v.Args[0] == value {
			a.elements = append(a.elements, instruction{op: v.Op, part: part, from: []place{a.at[value]}})
		}
	}
}

// operation appends the operation of Values[i].
func (a *assembler) operation(i int) {
	value := a.Values[i]
	v := &a.program.Values[value]
	from := a.operands(v)
	for _, arg := range v.Args {
		if a.last[arg] == i {
			a.release(arg)
		}
	}
	a.at[value] = a.target(i)
	a.elements = append(a.elements, instruction{op: v.Op, to: a.at[value], from: from})
	a.reduce(value)
	if _, needed := a.last[value]; !needed {
		a.release(value)
	}
}

// release frees the register of a value.
func (a *assembler) release(value int) {
	if p := a.at[value]; p >= a.firstRegister && !slices.Contains(a.free, p) {
		a.free = append(a.free, p)
	}
}

// target chooses where Values[i] goes: to the array that stores it, if what was read from there
// is not needed any more, else to a register.
func (a *assembler) target(i int) place {
	for _, s := range a.Stores {
		if s.Value != a.Values[i] {
			continue
		}
		array := a.arrayAt(s.Array)
		needed := func(r rulefile.Read) bool { return a.at[r.Value] == array && a.last[r.Value] > i }
		if !slices.ContainsFunc(a.Reads, needed) {
			return array
		}
	}
	if n := len(a.free); n > 0 {
		r := a.free[n-1]
		a.free = a.free[:n-1]
		return r
	}
	return a.register()
}

// machine is a body at work. An instruction on elements is a call: its operands are prepared, so
// that only those in arrays change with the block, and those that are numbers with the chunk.
type machine struct {
	*body
	numbers  []float32   // by value
	arrays   [][]float32 // of the chunk
	calls    []call
	inArrays [][]*[]float32     // by array: the operands and results there
	ofNumber map[int][]*float32 // by value: the operands
	columns  []blocks.Columns   // of the pass's reductions
	extremes []float32          // likewise, of a min or max
}

type call struct {
	op   rulefile.Op
	part int
	to   []float32
	from []blocks.Operand
}

func (b *body) machine(reductions int) *machine {
	arrays := int(b.firstRegister - b.firstArray)
	m := &machine{
		body: b, numbers: make([]float32, b.firstArray), arrays: make([][]float32, arrays), inArrays: make([][]*[]float32, arrays),
		ofNumber: map[int][]*float32{}, columns: make([]blocks.Columns, reductions), extremes: make([]float32, reductions),
	}
	registers := make([][blocks.Size]float32, b.places-int(b.firstRegister))
	prepare := func(p place, block *[]float32, number *float32) {
		switch {
		case p >= b.firstRegister:
			*block = registers[p-b.firstRegister][:]
		case p >= b.firstArray:
			m.inArrays[p-b.firstArray] = append(m.inArrays[p-b.firstArray], block)
		default:
			m.ofNumber[int(p)] = append(m.ofNumber[int(p)], number)
		}
	}
	m.calls = make([]call, len(b.elements))
	for i, in := range b.elements {
		c := &m.calls[i]
		*c = call{op: in.op, part: in.part, from: make([]blocks.Operand, len(in.from))}
		if !in.op.Reduces() {
			prepare(in.to, &c.to, nil)
		}
		for j, p := range in.from {
			prepare(p, &c.from[j].Block, &c.from[j].Number)
		}
	}
	return m
}

// share computes the values that all elements share from those that are given, which are in
// numbers.
func (m *machine) share() {
	var from [3]blocks.Operand
	for _, in := range m.scalars {
		for i, p := range in.from {
			from[i].Number = m.numbers[p]
		}
		blocks.Apply(in.op, m.numbers[in.to:][:1], from[:len(in.from)])
	}
	for value, uses := range m.ofNumber {
		for _, use := range uses {
			*use = m.numbers[value]
		}
	}
}

// chunk does all elements of the arrays.
func (m *machine) chunk(n int) {
	for i := range m.columns {
		clear(m.columns[i][:])
	}
	for first := 0; first < n; first += blocks.Size {
		last := min(first+blocks.Size, n)
		for i, array := range m.arrays {
			for _, use := range m.inArrays[i] {
				*use = array[first:last]
			}
		}
		for i := range m.calls {
			m.do(&m.calls[i], first, last-first)
		}
	}
}

// do does a call on n elements, which begin at the element first of the chunk.
func (m *machine) do(c *call, first, n int) {
	column := first % len(blocks.Columns{})
	switch c.op {
	case opCopy:
		blocks.Copy(c.to[:n], c.from[0])
	case rulefile.OpReduceSum, rulefile.OpReduceMean:
		m.columns[c.part].Add(column, c.from[0], n)
	case rulefile.OpReduceNorm:
		m.columns[c.part].AddSquares(column, c.from[0], n)
	case rulefile.OpReduceMin:
		m.extremes[c.part] = min(m.extremes[c.part], blocks.Least(c.from[0], n))
	case rulefile.OpReduceMax:
		m.extremes[c.part] = max(m.extremes[c.part], blocks.Greatest(c.from[0], n))
	default:
		blocks.Apply(c.op, c.to[:n], c.from)
	}
}
