package ptx

import (
	"fmt"
	"strings"
)

// opcode is an instruction's name cut at its dots; builders take the modifiers that they know and finish refuses the rest.
type opcode struct {
	base      string
	modifiers []string // "" once taken
}

func newOpcode(text string) *opcode {
	parts := strings.Split(text, ".")
	return &opcode{parts[0], parts[1:]}
}

// take removes the first of the names that is there and tells which.
func (o *opcode) take(names ...string) string {
	for i, modifier := range o.modifiers {
		for _, name := range names {
			if modifier == name && name != "" {
				o.modifiers[i] = ""
				return name
			}
		}
	}
	return ""
}

// flag removes the name and tells whether it was there.
func (o *opcode) flag(name string) bool { return o.take(name) != "" }

// dataType removes the first type.
func (o *opcode) dataType() (dataType, error) {
	for i, modifier := range o.modifiers {
		if t, ok := parseType(modifier); ok {
			o.modifiers[i] = ""
			return t, nil
		}
	}
	return noType, fmt.Errorf("unsupported type")
}

// finish refuses modifiers that no one took.
func (o *opcode) finish() error {
	for _, modifier := range o.modifiers {
		if modifier != "" {
			return fmt.Errorf("unsupported modifier .%s", modifier)
		}
	}
	return nil
}

// builderOf gives the function that compiles an instruction, nil for one that is not known.
func builderOf(base string) func(c *compiler) error {
	switch base {
	case "add", "sub", "mul", "div", "min", "max", "abs", "neg":
		return (*compiler).buildArithmetic
	case "fma", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh", "copysign", "testp":
		return (*compiler).buildFloat
	case "mad", "mul24", "mad24", "sad", "rem", "popc", "clz", "brev", "bfind", "bfe", "bfi", "prmt", "bmsk", "dp4a":
		return (*compiler).buildInteger
	case "and", "or", "xor", "not", "cnot", "lop3", "shl", "shr", "shf":
		return (*compiler).buildLogic
	case "setp", "set", "selp", "slct":
		return (*compiler).buildCompare
	case "mov", "cvta", "isspacep", "nop":
		return (*compiler).buildMove
	case "cvt":
		return (*compiler).buildConvert
	case "ld", "ldu", "st", "prefetch", "prefetchu", "discard", "applypriority":
		return (*compiler).buildMemory
	case "atom", "red":
		return (*compiler).buildAtomic
	case "shfl", "vote", "match", "activemask", "redux":
		return (*compiler).buildExchange
	case "bar", "barrier", "membar", "fence":
		return (*compiler).buildSynchronize
	case "bra", "brx", "ret", "exit", "trap":
		return (*compiler).buildControl
	}
	return nil
}
