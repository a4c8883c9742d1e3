package ptx

import (
	"fmt"
	"strconv"
	"strings"
)

// SyntaxError is what Parse returns for text that is not PTX or that needs something this package does not have.
type SyntaxError struct {
	File    string
	Line    int    // from 1
	Opcode  string // the instruction or directive concerned, empty where there is none
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Opcode == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Opcode, e.Message)
}

// advice says what to do about directives and opcodes that are left out.
var advice = map[string]string{
	".func":          "device functions are not emulated: let nvcc inline them (__forceinline__)",
	"call":           "function calls are not emulated: let nvcc inline the function (__forceinline__)",
	".param":         "function calls are not emulated: let nvcc inline the function (__forceinline__)",
	".extern":        "dynamic shared memory and linked functions are not emulated: give shared arrays a size",
	".global":        "variables of a module are not emulated: pass a buffer to the kernel (sinf and cosf need such a table: use sinpif and cospif)",
	".const":         "constant memory is not emulated: pass a buffer to the kernel",
	".local":         "local memory is not emulated: index the array by constants, in unrolled loops, or put it into shared memory",
	".reqntid":       "a fixed block size is not emulated: use __launch_bounds__",
	"brx":            "jump tables are not emulated: write if and else in place of switch",
	"membar":         "fences are not emulated: let a second kernel read what other blocks wrote",
	"fence":          "fences are not emulated: let a second kernel read what other blocks wrote",
	"red":            "is not emulated: use the result of the atomic operation",
	"ld":             "is not emulated: a load needs .global, .shared or .param, not volatile, and a type",
	"st":             "is not emulated: a store needs .global or .shared, not volatile, and a type",
	"atom":           "is not emulated: atomics are add, min, max, exch and cas of 32-bit integers in .global or .shared",
	"bar":            "is not emulated: barriers are __syncthreads and __syncwarp",
	"barrier":        "is not emulated: barriers are __syncthreads and __syncwarp",
	"cvt":            "is not emulated: conversions round to nearest (.rn), or to an integer by .rni, .rzi, .rmi or .rpi",
	".branchtargets": "jump tables are not emulated: write if and else in place of switch",
}

// refusal is the message for what the tables lack.
func refusal(opcode string) string {
	base, _, _ := strings.Cut(opcode, ".")
	if base == "" {
		base = opcode
	}
	if text := advice[base]; text != "" {
		return text
	}
	return "is not emulated: write the CUDA source without it, or add it to gpu/emu/ptx/operations.go"
}

// token is a word, a number, a string with its quotes, or a mark; the text is empty at the end.
type token struct {
	text string
	line int
}

// parser reads a module. Its methods panic with a *SyntaxError, which Parse returns.
type parser struct {
	file, source string
	offset, line int
	token        token // the next one
	module       *Module
	kernel       *Kernel
	symbols      *symbols
	inner        []map[string]string // of nested blocks: their registers to the names that these have outside
	body         []statement
}

// symbols are the names of a kernel.
type symbols struct {
	registers map[string]*register
	variables map[string]*variable
	labels    map[string]int // to the index of the statement that follows
}

// register is a declared register; slot and index are given when it is first used.
type register struct {
	name  string
	kind  dataType
	slot  int32 // number among all registers of the kernel
	index int32 // place in the file of its width
}

// variable is shared memory or a parameter: a place in its space.
type variable struct {
	space  space
	size   int
	offset int
}

// statement is one instruction as it was written.
type statement struct {
	line         int
	guard        string // predicate register, empty for none
	guardNegated bool
	opcode       string
	operands     []operand
}

type operandKind uint8

const (
	operandName    operandKind = iota // register, special register, variable or label
	operandNumber                     // value: an integer, or a float of width bits
	operandAddress                    // [name+offset]
	operandList                       // {a, b, ...} or a|b
)

type operand struct {
	kind     operandKind
	name     string
	value    uint64
	bits     int // of a float, 0 for an integer
	elements []operand
}

func (p *parser) refuse(opcode, format string, arguments ...any) {
	panic(&SyntaxError{p.file, p.token.line, opcode, fmt.Sprintf(format, arguments...)})
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("_$%.", c) >= 0
}

// take returns the next token's text and goes on to the one after it.
func (p *parser) take() string {
	taken := p.token.text
	s := p.source
	for p.offset < len(s) {
		if s[p.offset] == '\n' {
			p.line++
		} else if strings.HasPrefix(s[p.offset:], "//") {
			for p.offset+1 < len(s) && s[p.offset+1] != '\n' {
				p.offset++
			}
		} else if strings.IndexByte(" \t\r", s[p.offset]) < 0 {
			break
		}
		p.offset++
	}
	start := p.offset
	p.token = token{line: p.line}
	switch {
	case start == len(s):
		return taken
	case isWord(s[start]):
		for p.offset < len(s) && isWord(s[p.offset]) {
			p.offset++
		}
	case s[start] == '"':
		length := strings.IndexAny(s[start+1:], "\"\n")
		if length < 0 || s[start+1+length] == '\n' {
			p.refuse("", "string has no end")
		}
		p.offset += length + 2
	case strings.IndexByte("{}[]()<>,;:|!@=+-", s[start]) >= 0:
		p.offset++
	default:
		p.refuse("", "unexpected character %q", s[start])
	}
	p.token.text = s[start:p.offset]
	return taken
}

func (p *parser) at(text string) bool { return p.token.text == text }

// accept passes the text if it is next.
func (p *parser) accept(text string) bool {
	if p.at(text) {
		p.take()
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.refuse("", "expected %q, found %s", text, p.describe())
	}
}

func (p *parser) describe() string {
	if p.at("") {
		return "the end of the file"
	}
	return strconv.Quote(p.token.text)
}

// atName tells whether the next token names something.
func (p *parser) atName() bool {
	return !p.at("") && isWord(p.token.text[0]) && !isDigit(p.token.text[0]) && p.token.text[0] != '.'
}

func (p *parser) name() string {
	if !p.atName() {
		p.refuse("", "expected a name, found %s", p.describe())
	}
	name := p.take()
	for i := len(p.inner) - 1; i >= 0; i-- {
		if outside, ok := p.inner[i][name]; ok {
			return outside
		}
	}
	return name
}

// size reads an integer no larger than limit.
func (p *parser) size(limit int) int {
	n := p.number()
	if n.bits != 0 || n.value > uint64(limit) {
		p.refuse("", "%d is larger than the limit of %d", int64(n.value), limit)
	}
	return int(n.value)
}

// number reads an integer, or a float written as its bits.
func (p *parser) number() operand {
	negative := p.accept("-")
	text := p.token.text
	o := operand{kind: operandNumber}
	var err error
	switch {
	case len(text) == 10 && strings.HasPrefix(text, "0f"):
		o.bits = 32
	case len(text) == 18 && strings.HasPrefix(text, "0d"):
		o.bits = 64
	}
	if o.bits != 0 && !negative {
		o.value, err = strconv.ParseUint(text[2:], 16, 64)
	} else {
		o.value, err = strconv.ParseUint(strings.TrimSuffix(text, "U"), 0, 64)
	}
	if err != nil {
		p.refuse("", "expected a number, found %s", p.describe())
	}
	if negative {
		o.value = -o.value
	}
	p.take()
	return o
}

// skipPast drops tokens up to and with the mark.
func (p *parser) skipPast(mark string) {
	for !p.at(mark) && !p.at("") {
		p.take()
	}
	p.expect(mark)
}

// skipLine drops the rest of the line, for directives without a terminator.
func (p *parser) skipLine() {
	for line := p.token.line; !p.at("") && p.token.line == line; {
		p.take()
	}
}

// skipped passes directives that mean nothing here.
func (p *parser) skipped() bool {
	switch p.token.text {
	case ".file", ".loc", ".target":
		p.skipLine()
	case ".pragma":
		p.skipPast(";")
	case ".section":
		p.skipPast("}")
	case ".visible":
		p.take()
	default:
		return false
	}
	return true
}

func (p *parser) parseModule() {
	p.take()
	p.symbols = &symbols{variables: map[string]*variable{}}
	for !p.at("") {
		if p.skipped() {
			continue
		}
		switch directive := p.token.text; directive {
		case ".version":
			p.take()
			p.module.version = p.take()
		case ".address_size":
			if p.take(); !p.accept("64") {
				p.refuse(directive, "only 64-bit addresses are supported")
			}
		case ".entry":
			p.parseEntry()
		case ".shared":
			p.parseShared(&p.module.sharedBytes)
		default:
			p.refuse(directive, "%s", refusal(directive))
		}
	}
	if p.module.version == "" {
		p.refuse("", "no .version directive: this is not a PTX module")
	}
}

// parseVariable reads "[.align N] .type name[[size]]" after its space and places it behind those of the space.
func (p *parser) parseVariable(in space, used *int, limit int) string {
	directive := "." + in.String()
	align, kind := 1, dataType{}
	for !p.atName() {
		switch word := p.take(); word {
		case ".align":
			if align = p.size(1 << 12); align == 0 || align&(align-1) != 0 {
				p.refuse(directive, "an alignment is a power of two")
			}
		case ".ptr", ".global": // what a pointer parameter points at: a hint, and its own alignment
			if p.accept(".align") {
				p.size(1 << 12)
			}
		default:
			t, ok := types[strings.TrimPrefix(word, ".")]
			if !ok || kind != (dataType{}) {
				p.refuse(directive, "unknown type %s", word)
			}
			kind = t
		}
	}
	if kind.bits == 0 {
		p.refuse(directive, "no type before %s", p.describe())
	}
	name := p.name()
	v := &variable{space: in, size: kind.bytes()}
	for p.accept("[") {
		v.size *= p.size(limit)
		p.expect("]")
	}
	align = max(align, kind.bytes())
	v.offset = (*used + align - 1) &^ (align - 1)
	if v.size > limit || v.offset+v.size > limit {
		p.refuse(directive, "%s: %s memory grows to %d bytes, the limit is %d", name, in, v.offset+v.size, limit)
	}
	if p.symbols.variables[name] != nil {
		p.refuse(directive, "%s is declared twice", name)
	}
	*used = v.offset + v.size
	p.symbols.variables[name] = v
	return name
}

const (
	maxSharedBytes = 48 << 10
	maxParamBytes  = 4352
)

func (p *parser) parseShared(used *int) {
	p.take()
	p.parseVariable(spaceShared, used, maxSharedBytes)
	p.expect(";")
}

// parseEntry reads a kernel: name, parameters, launch bounds, body.
func (p *parser) parseEntry() {
	p.take()
	// A kernel's own shared memory begins where that of module scope ends.
	k := &Kernel{MaxThreads: maxBlockThreads, sharedBytes: p.module.sharedBytes, file: p.file, line: p.token.line}
	k.Name = p.name()
	if _, err := p.module.Kernel(k.Name); err == nil {
		p.refuse(".entry", "%s is declared twice", k.Name)
	}
	outer := p.symbols
	p.symbols = &symbols{map[string]*register{}, map[string]*variable{}, map[string]int{}}
	for name, v := range outer.variables {
		p.symbols.variables[name] = v
	}
	p.kernel, p.body = k, nil
	if p.accept("(") {
		for !p.accept(")") {
			p.expect(".param")
			name := p.parseVariable(spaceParam, &k.parameterBytes, maxParamBytes)
			v := p.symbols.variables[name]
			k.Parameters = append(k.Parameters, Parameter{Name: name, Size: v.size, offset: v.offset})
			if !p.at(")") {
				p.expect(",")
			}
		}
	}
	for !p.accept("{") {
		switch directive := p.token.text; {
		case p.accept(".maxntid"):
			k.MaxThreads = min(maxBlockThreads, p.size(maxBlockThreads))
			for p.accept(",") {
				k.MaxThreads = min(maxBlockThreads, k.MaxThreads*p.size(maxBlockThreads))
			}
		case p.accept(".minnctapersm"):
			p.size(1 << 16)
		case !p.skipped():
			p.refuse(directive, "%s", refusal(directive))
		}
	}
	for len(p.inner) > 0 || !p.accept("}") {
		p.parseStatement()
	}
	k.compile(p.body, p.symbols)
	p.module.kernels = append(p.module.kernels, k)
	p.symbols = outer
}

func (p *parser) parseStatement() {
	switch word := p.token.text; {
	case word == "":
		p.refuse("", "kernel %s has no end", p.kernel.Name)
	case p.accept(";"), p.skipped():
	case p.accept("{"):
		p.inner = append(p.inner, map[string]string{})
	case p.accept("}"):
		p.inner = p.inner[:len(p.inner)-1]
	case word == ".reg":
		p.parseRegisters()
	case word == ".shared":
		p.parseShared(&p.kernel.sharedBytes)
	case word[0] == '.':
		p.refuse(word, "%s", refusal(word))
	case p.atName() && strings.HasPrefix(p.source[p.offset:], ":"):
		if _, ok := p.symbols.labels[word]; ok {
			p.refuse("", "label %s is defined twice", word)
		}
		p.symbols.labels[word] = len(p.body)
		p.take()
		p.take()
	default:
		p.parseInstruction()
	}
}

// parseRegisters reads ".reg .type %a, %b<10>;".
func (p *parser) parseRegisters() {
	p.take()
	kind, ok := types[strings.TrimPrefix(p.token.text, ".")]
	if !ok || kind.bits == 8 {
		p.refuse(".reg", "unknown register type %s", p.describe())
	}
	declare := func(name string) {
		if n := len(p.inner); n > 0 {
			p.inner[n-1][name] = fmt.Sprintf("%s of line %d", name, p.token.line)
			name = p.inner[n-1][name]
		}
		if p.symbols.registers[name] != nil {
			p.refuse(".reg", "%s is declared twice", name)
		}
		p.symbols.registers[name] = &register{name: name, kind: kind, slot: -1}
	}
	for more := true; more; more = p.at(",") {
		p.take()
		if !p.atName() {
			p.refuse(".reg", "expected a name, found %s", p.describe())
		}
		name := p.take()
		if !p.accept("<") {
			declare(name)
			continue
		}
		for i := range p.size(1 << 16) {
			declare(name + strconv.Itoa(i))
		}
		p.expect(">")
	}
	p.expect(";")
}

// parseInstruction reads "[@[!]p] opcode operands;".
func (p *parser) parseInstruction() {
	var s statement
	if p.accept("@") {
		s.guardNegated = p.accept("!")
		s.guard = p.name()
	}
	s.line = p.token.line
	if !p.atName() {
		p.refuse("", "expected an instruction, found %s", p.describe())
	}
	s.opcode = p.take()
	if base, _, _ := strings.Cut(s.opcode, "."); base == "call" {
		p.refuse(s.opcode, "%s", refusal(base)) // its operands have a form of their own
	}
	for !p.accept(";") {
		s.operands = append(s.operands, p.parseOperand())
		if !p.at(";") {
			p.expect(",")
		}
	}
	p.body = append(p.body, s)
}

// parseOperand reads "{a,b}", "[a+4]", "d|p", a name or a number.
func (p *parser) parseOperand() operand {
	switch {
	case p.accept("{"):
		o := operand{kind: operandList, elements: []operand{p.parseOperand()}}
		for p.accept(",") {
			o.elements = append(o.elements, p.parseOperand())
		}
		p.expect("}")
		return o
	case p.accept("["):
		o := operand{kind: operandAddress, name: p.name()}
		if p.accept("+") {
			o.value = p.number().value
		}
		p.expect("]")
		return o
	case !p.atName():
		return p.number()
	}
	o := operand{kind: operandName, name: p.name()}
	if p.accept("|") {
		return operand{kind: operandList, elements: []operand{o, {kind: operandName, name: p.name()}}}
	}
	return o
}
