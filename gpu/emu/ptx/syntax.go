package ptx

import "fmt"

// dataType is a fundamental type of PTX: a kind and a size.
type dataType struct {
	kind byte // 'b' untyped bits, 'u' unsigned, 's' signed, 'f' float, 'p' predicate
	bits int  // 8, 16, 32, 64; 1 for a predicate
}

var noType = dataType{}

func parseType(text string) (dataType, bool) {
	switch text {
	case "pred":
		return dataType{'p', 1}, true
	case "b8", "u8", "s8":
		return dataType{text[0], 8}, true
	case "b16", "u16", "s16", "f16":
		return dataType{text[0], 16}, true
	case "b32", "u32", "s32", "f32":
		return dataType{text[0], 32}, true
	case "b64", "u64", "s64", "f64":
		return dataType{text[0], 64}, true
	}
	return noType, false
}

func (t dataType) String() string {
	if t.kind == 'p' {
		return "pred"
	}
	return fmt.Sprintf("%c%d", t.kind, t.bits)
}

func (t dataType) bytes() int               { return t.bits / 8 }
func (t dataType) signed() bool             { return t.kind == 's' }
func (t dataType) float() bool              { return t.kind == 'f' }
func (t dataType) integer() bool            { return t.kind == 'u' || t.kind == 's' }
func (t dataType) is(k byte, bits int) bool { return t.kind == k && t.bits == bits }

// space is a state space of PTX.
type space uint8

const (
	spaceGeneric space = iota
	spaceGlobal
	spaceShared
	spaceLocal
	spaceConst
	spaceParam
)

func (s space) String() string {
	return [...]string{"generic", "global", "shared", "local", "const", "param"}[s]
}

func parseSpace(text string) (space, bool) {
	switch text {
	case "global":
		return spaceGlobal, true
	case "shared":
		return spaceShared, true
	case "local":
		return spaceLocal, true
	case "const":
		return spaceConst, true
	case "param":
		return spaceParam, true
	}
	return spaceGeneric, false
}

// variable is a named piece of a state space.
type variable struct {
	name    string
	space   space
	size    int
	align   int
	offset  int    // within its space: shared, local and param; global and const get their address from the Memory
	initial []byte // nil for none
	dynamic bool   // extern shared: its size is the launch's
}

// register is a declared register; slot and index are given when it is first used.
type register struct {
	name  string
	kind  dataType
	slot  int32 // number among all registers of the kernel
	index int32 // place in the file of its width
}

// registerRange is ".reg .b32 %r<100>": a hundred registers, made as they are used.
type registerRange struct {
	kind  dataType
	count int
}

// scope is one level of "{ ... }".
type scope struct {
	parent    *scope
	registers map[string]*register
	ranges    map[string]registerRange
	variables map[string]*variable
	labels    map[string]int      // to the index of the statement that follows
	targets   map[string][]string // .branchtargets lists
}

func newScope(parent *scope) *scope {
	return &scope{parent, map[string]*register{}, map[string]registerRange{}, map[string]*variable{}, map[string]int{}, map[string][]string{}}
}

// register finds a declared register by name, innermost scope first; nil if there is none.
func (s *scope) register(name string) *register {
	digits := len(name)
	for digits > 0 && isDigit(name[digits-1]) {
		digits--
	}
	number, valid := decimal(name[digits:])
	for ; s != nil; s = s.parent {
		if r := s.registers[name]; r != nil {
			return r
		}
		if valid {
			if declared, ok := s.ranges[name[:digits]]; ok && number < declared.count {
				r := &register{name: name, kind: declared.kind, slot: -1}
				s.registers[name] = r
				return r
			}
		}
	}
	return nil
}

// decimal reads a canonical decimal number (no leading zero) below a million.
func decimal(text string) (int, bool) {
	if text == "" || len(text) > 6 || len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range text {
		n = 10*n + int(c-'0')
	}
	return n, true
}

func (s *scope) variable(name string) *variable {
	for ; s != nil; s = s.parent {
		if v := s.variables[name]; v != nil {
			return v
		}
	}
	return nil
}

func (s *scope) label(name string) (int, bool) {
	for ; s != nil; s = s.parent {
		if at, ok := s.labels[name]; ok {
			return at, true
		}
	}
	return 0, false
}

func (s *scope) branchTargets(name string) ([]string, bool) {
	for ; s != nil; s = s.parent {
		if list, ok := s.targets[name]; ok {
			return list, true
		}
	}
	return nil, false
}

type operandKind uint8

const (
	operandName    operandKind = iota // register, special register, symbol or label: which one its place decides
	operandInteger                    // value, two's complement in 64 bits
	operandFloat                      // value: the bits of a literal of width `bits`
	operandAddress                    // [name+offset] or [offset]
	operandVector                     // {a, b, ...}
	operandPair                       // d|p
)

type operand struct {
	kind     operandKind
	name     string
	negated  bool // "!%p" or "-%r"
	offset   int64
	value    uint64
	bits     int
	elements []operand
}

// statement is one instruction as it was written.
type statement struct {
	line         int
	guard        string // predicate register, empty for none
	guardNegated bool
	opcode       string
	operands     []operand
	scope        *scope
}
