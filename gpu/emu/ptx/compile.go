package ptx

import (
	"fmt"
	"math"
	"strings"
)

// dataType is a fundamental type of PTX: a kind and a size.
type dataType struct {
	kind byte // 'b' untyped bits, 'u' unsigned, 's' signed, 'f' float, 'p' predicate
	bits int  // 8, 16, 32, 64; 1 for a predicate
}

var types = map[string]dataType{"pred": {'p', 1}, "b8": {'b', 8}, "u8": {'u', 8}, "s8": {'s', 8}, "b16": {'b', 16}, "u16": {'u', 16}, "s16": {'s', 16},
	"b32": {'b', 32}, "u32": {'u', 32}, "s32": {'s', 32}, "f32": {'f', 32}, "b64": {'b', 64}, "u64": {'u', 64}, "s64": {'s', 64}, "f64": {'f', 64}}

func (t dataType) String() string {
	if t.kind == 'p' {
		return "pred"
	}
	return fmt.Sprintf("%c%d", t.kind, t.bits)
}

func (t dataType) bytes() int   { return t.bits / 8 }
func (t dataType) signed() bool { return t.kind == 's' }

// letters are the operand types of a form.
var letters = map[byte]dataType{'p': {'p', 1}, 'h': {'b', 16}, 'r': {'b', 32}, 'd': {'b', 64}, 'f': {'f', 32}, 'g': {'f', 64}}

// space is a state space of PTX.
type space uint8

const (
	spaceGlobal space = iota
	spaceShared
	spaceParam
)

func (s space) String() string { return [...]string{"global", "shared", "param"}[s] }

// instructionKind tells the interpreter's loop what it has to do itself.
type instructionKind uint8

const (
	kindPlain   instructionKind = iota // execute does it all
	kindBranch                         // to target, divergent where the guard differs between lanes
	kindExit                           // ret and exit
	kindBarrier                        // bar.sync 0
)

// instruction is a statement made ready to run: registers are places in the files, labels are indices into the code.
type instruction struct {
	execute      operation
	dst, dst2    int32 // dst2: the second destination; -1 for none
	a, b, c, d   int32 // sources
	guard        int32 // predicate; -1 for none
	guardNegated bool
	kind         instructionKind
	tracked      bool // has checks or marks
	guardChecked bool // the first of checks is the guard

	memory access

	target, reconverge int32   // reconverge -1: the sides do not meet before they exit
	uses, defines      []int32 // register slots
	checks, marks      []int32 // tracked registers among uses and defines

	line   int32
	opcode string
}

// constant is an immediate operand: it has a place in the register files like everything else.
type constant struct {
	value uint64
	bits  int // 32, 64, or 1 for a predicate, whose value is that of all lanes
	index int32
}

// compiler turns the statements of one kernel into instructions. Its methods panic with a *SyntaxError.
type compiler struct {
	*symbols
	kernel    *Kernel
	statement *statement
	slots     int32 // registers so far
	constants map[constant]int32
	in        *instruction
}

func (c *compiler) refuse(format string, arguments ...any) {
	panic(&SyntaxError{c.kernel.file, c.statement.line, c.statement.opcode, fmt.Sprintf(format, arguments...)})
}

// compile compiles the body of a kernel and analyses its control flow.
func (k *Kernel) compile(body []statement, names *symbols) {
	c := &compiler{symbols: names, kernel: k, constants: map[constant]int32{}}
	k.specials = map[string]int32{}
	k.code = make([]instruction, len(body)+1)
	line := k.line
	for i := range body {
		line = body[i].line
		c.statement, c.in = &body[i], &k.code[i]
		*c.in = instruction{line: int32(line), opcode: body[i].opcode, dst: -1, dst2: -1, guard: -1, reconverge: -1}
		c.compile()
	}
	k.code[len(body)] = instruction{kind: kindExit, opcode: "ret", line: int32(line), dst: -1, guard: -1, reconverge: -1}
	k.analyse(int(c.slots))
}

func (c *compiler) compile() {
	s, in := c.statement, c.in
	if s.guard != "" {
		r := c.registers[s.guard]
		if r == nil || r.kind.kind != 'p' {
			c.refuse("guard %s is not a predicate register", s.guard)
		}
		in.guard, in.guardNegated = c.use(r), s.guardNegated
	}
	base, rest, _ := strings.Cut(s.opcode, ".")
	switch s.opcode {
	case "ret", "exit":
		in.kind = kindExit
		c.operands(0)
		return
	case "bra", "bra.uni":
		in.kind = kindBranch
		c.operands(1)
		target, ok := c.labels[s.operands[0].name]
		if !ok {
			c.refuse("unknown label %s", s.operands[0].name)
		}
		in.target = int32(target)
		return
	case "bar.sync":
		in.kind = kindBarrier
		c.operands(1)
		if o := s.operands[0]; o.kind != operandNumber || o.value != 0 {
			c.refuse("%s", refusal(s.opcode))
		}
		return
	}
	switch base {
	case "ld", "st":
		c.buildAccess(base == "st", rest)
	case "atom":
		c.buildAtomic(rest)
	case "cvt":
		c.buildConvert(rest)
	default:
		c.build()
	}
}

// build compiles an instruction of the table.
func (c *compiler) build() {
	s := c.statement
	key := s.opcode
	flat := func(operands []operand) (all []operand) {
		for _, o := range operands {
			if o.kind == operandList {
				all = append(all, o.elements...)
			} else {
				all = append(all, o)
			}
		}
		return all
	}
	to, from := flat(s.operands[:min(1, len(s.operands))]), flat(s.operands[min(1, len(s.operands)):])
	if strings.HasPrefix(key, "mov.") && len(to) == 2 {
		key += " unpack"
	} else if strings.HasPrefix(key, "mov.") && len(from) == 2 {
		key += " pack"
	}
	f, ok := forms[key]
	if !ok {
		c.refuse("%s", refusal(s.opcode))
	}
	results, sources, _ := strings.Cut(f.operands, "=")
	if results == "" {
		to, from = nil, append(to, from...)
	}
	if len(to) < len(results) { // shfl.sync has a second destination or none
		results = results[:1]
	}
	if len(to) != len(results) || len(from) != len(sources) {
		c.refuse("needs %d operands, has %d", len(results)+len(sources), len(to)+len(from))
	}
	c.in.execute = f.execute
	for i, o := range to {
		*[]*int32{&c.in.dst, &c.in.dst2}[i], _ = c.destination(o, letters[results[i]], false)
	}
	for i, o := range from {
		*[]*int32{&c.in.a, &c.in.b, &c.in.c, &c.in.d}[i] = c.source(o, letters[sources[i]], false)
	}
}

// operands checks the number of operands.
func (c *compiler) operands(want int) {
	if n := len(c.statement.operands); n != want {
		c.refuse("needs %d operands, has %d", want, n)
	}
}

// place gives a register its slot and its place in the file of its width on first use.
func (c *compiler) place(r *register) {
	if r.slot < 0 {
		r.slot = c.slots
		c.slots++
		r.index = c.newPlace(r.kind)
	}
}

// newPlace makes a place in the file of a type's width.
func (c *compiler) newPlace(t dataType) int32 {
	switch {
	case t.kind == 'p':
		return take(&c.kernel.predicates)
	case t.bits == 64:
		return take(&c.kernel.longs)
	}
	return take(&c.kernel.words)
}

func take(count *int) int32 { *count++; return int32(*count - 1) }

// use enters a register among the sources and returns its place.
func (c *compiler) use(r *register) int32 {
	c.place(r)
	c.in.uses = append(c.in.uses, r.slot)
	return r.index
}

// destination gives the place and the type of a register that the instruction writes. A relaxed one (of ld and cvt) may be wider than the type.
func (c *compiler) destination(o operand, t dataType, relaxed bool) (int32, dataType) {
	if o.kind != operandName {
		c.refuse("the destination must be a register")
	}
	if o.name == "_" { // a place that nobody reads
		return c.newPlace(t), t
	}
	r := c.fitting(o.name, t, relaxed)
	if r == nil {
		c.refuse("unknown register %s", o.name)
	}
	c.place(r)
	c.in.defines = append(c.in.defines, r.slot)
	return r.index, r.kind
}

// fitting finds a register and refuses one of the wrong width; nil if there is none of the name.
func (c *compiler) fitting(name string, t dataType, relaxed bool) *register {
	r := c.registers[name]
	if r != nil && ((r.kind.kind == 'p') != (t.kind == 'p') || r.kind.bits < t.bits || !relaxed && r.kind.bits != t.bits) {
		c.refuse("register %s is %v, the instruction needs %v", name, r.kind, t)
	}
	return r
}

// source gives the place of an operand's value in the file of t's width (32 for 8 and 16 bits).
func (c *compiler) source(o operand, t dataType, relaxed bool) int32 {
	switch o.kind {
	case operandNumber:
		if o.bits != 0 && o.bits != t.bits || o.bits == 0 && t.kind == 'f' {
			c.refuse("the number does not suit the type %v", t)
		}
		return c.constant(o.value, t)
	case operandName:
		if r := c.fitting(o.name, t, relaxed); r != nil {
			return c.use(r)
		}
		if v := c.variables[o.name]; v != nil && v.space == spaceShared && t.bits >= 32 {
			return c.constant(uint64(v.offset), t)
		}
		if o.name == "WARP_SZ" {
			return c.constant(lanes, t)
		}
		if specials[o.name] == nil || t.bits != 32 || t.kind == 'f' {
			c.refuse("unknown operand %s of type %v: special registers are those of one dimension, %%tid.x, %%ntid.x, %%ctaid.x, %%nctaid.x and %%laneid", o.name, t)
		}
		index, ok := c.kernel.specials[o.name]
		if !ok {
			index = take(&c.kernel.words)
			c.kernel.specials[o.name] = index
		}
		return index
	}
	c.refuse("an address or a list where a register or a number is needed")
	return 0
}

// constant gives the place of an immediate value.
func (c *compiler) constant(value uint64, t dataType) int32 {
	k := constant{value: value & (math.MaxUint64 >> (64 - t.bits)), bits: max(t.bits, 32)}
	if t.kind == 'p' {
		k = constant{value: -(value & 1), bits: 1}
	}
	index, ok := c.constants[k]
	if !ok {
		index = c.newPlace(t)
		c.constants[k] = index
		c.kernel.constants = append(c.kernel.constants, constant{k.value, k.bits, index})
	}
	return index
}
