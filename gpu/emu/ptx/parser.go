package ptx

import (
	"fmt"
	"strings"
)

// Limits on what a module may declare; a launch has its own.
const (
	maxSharedBytes = 48 << 10
	maxLocalBytes  = 512 << 10 // per thread, the ISA's limit
	maxConstBytes  = 64 << 10
	maxParamBytes  = 4352
	maxGlobalBytes = 1 << 32
)

// parser reads one token ahead.
type parser struct {
	lexer
	token  token
	ahead  *token // pushed back
	module *Module
	scope  *scope // module scope, or the innermost of a kernel's body
	kernel *Kernel
	body   []statement
}

func (p *parser) advance() error {
	if p.ahead != nil {
		p.token, p.ahead = *p.ahead, nil
		return nil
	}
	var err error
	p.token, err = p.next()
	return err
}

func (p *parser) fail(format string, arguments ...any) error {
	return &SyntaxError{File: p.file, Line: p.token.line, Message: fmt.Sprintf(format, arguments...)}
}

func (p *parser) refuse(opcode, format string, arguments ...any) error {
	return &SyntaxError{File: p.file, Line: p.token.line, Opcode: opcode, Message: fmt.Sprintf(format, arguments...)}
}

func (p *parser) at(mark string) bool { return p.token.kind == tokenMark && p.token.text == mark }
func (p *parser) atWord(word string) bool {
	return p.token.kind == tokenWord && p.token.text == word
}

// accept passes the mark if it is next.
func (p *parser) accept(mark string) (bool, error) {
	if !p.at(mark) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(mark string) error {
	if !p.at(mark) {
		return p.fail("expected %q, found %s", mark, p.describe())
	}
	return p.advance()
}

func (p *parser) describe() string {
	if p.token.kind == tokenEnd {
		return "the end of the file"
	}
	return fmt.Sprintf("%q", p.token.text)
}

func (p *parser) name() (string, error) {
	if p.token.kind != tokenWord || strings.HasPrefix(p.token.text, ".") {
		return "", p.fail("expected a name, found %s", p.describe())
	}
	name := p.token.text
	return name, p.advance()
}

// size reads a non-negative constant expression no larger than limit.
func (p *parser) size(limit int) (int, error) {
	value, err := p.constant(0)
	if err != nil {
		return 0, err
	}
	if value > uint64(limit) {
		return 0, p.fail("%d is larger than the limit of %d", int64(value), limit)
	}
	return int(value), nil
}

// skipPast drops tokens up to and with the mark.
func (p *parser) skipPast(mark string) error {
	for !p.at(mark) {
		if p.token.kind == tokenEnd {
			return p.fail("expected %q, found the end of the file", mark)
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	return p.advance()
}

// skipLine drops the rest of the line: .file and .loc have no terminator.
func (p *parser) skipLine() error {
	line := p.token.line
	for p.token.kind != tokenEnd && p.token.line == line {
		if err := p.advance(); err != nil {
			return err
		}
	}
	return nil
}

// parseModule reads the whole file.
func (p *parser) parseModule() error {
	if err := p.advance(); err != nil {
		return err
	}
	for p.token.kind != tokenEnd {
		if err := p.parseTop(); err != nil {
			return err
		}
	}
	if p.module.Version == "" {
		return p.fail("no .version directive: this is not a PTX module")
	}
	return nil
}

func (p *parser) parseTop() error {
	if p.token.kind != tokenWord {
		return p.fail("expected a directive, found %s", p.describe())
	}
	directive := p.token.text
	switch directive {
	case ".version":
		return p.parseVersion()
	case ".target":
		if err := p.advance(); err != nil {
			return err
		}
		p.module.Target = p.token.text
		return p.skipLine()
	case ".address_size":
		if err := p.advance(); err != nil {
			return err
		}
		if p.token.text != "64" {
			return p.refuse(directive, "only 64-bit addresses are supported")
		}
		return p.advance()
	case ".file", ".loc":
		return p.skipLine()
	case ".pragma":
		return p.skipPast(";")
	case ".section":
		return p.skipPast("}")
	case ".visible", ".extern", ".weak", ".common":
		return p.parseLinked(directive)
	case ".entry":
		return p.parseEntry()
	case ".func":
		return p.refuse(directive, "device functions are not supported (let nvcc inline them)")
	case ".global", ".const", ".shared":
		return p.parseVariables(false)
	}
	return p.refuse(directive, "unknown directive")
}

func (p *parser) parseVersion() error {
	if err := p.advance(); err != nil {
		return err
	}
	var major, minor int
	if n, err := fmt.Sscanf(p.token.text, "%d.%d", &major, &minor); n != 2 || err != nil {
		return p.refuse(".version", "expected a number like 7.0, found %s", p.describe())
	}
	p.module.Version = p.token.text
	return p.advance()
}

// parseLinked reads what follows a linkage directive. An extern function is only an error if it is called.
func (p *parser) parseLinked(linkage string) error {
	if err := p.advance(); err != nil {
		return err
	}
	switch {
	case linkage == ".extern" && p.atWord(".func"):
		return p.skipPast(";")
	case p.atWord(".shared"):
		return p.parseVariables(linkage == ".extern")
	case linkage == ".extern":
		return p.refuse(linkage, "only functions and shared memory may be extern: nothing is linked")
	}
	return p.parseTop()
}

// parseVariables reads a declaration from its state space to its ";".
func (p *parser) parseVariables(extern bool) error {
	directive := p.token.text
	where, _ := parseSpace(directive[1:])
	if err := p.advance(); err != nil {
		return err
	}
	align, kind, err := p.parseQualifiedType(directive)
	if err != nil {
		return err
	}
	for {
		v := &variable{space: where, align: align, dynamic: extern}
		if v.name, err = p.name(); err != nil {
			return err
		}
		if err := p.parseExtent(v, kind); err != nil {
			return err
		}
		if p.at("=") {
			if where != spaceGlobal && where != spaceConst {
				return p.refuse(directive, "%s: only .global and .const variables have an initial value", v.name)
			}
			if err := p.parseInitial(v, kind); err != nil {
				return err
			}
		}
		if err := p.place(v, directive); err != nil {
			return err
		}
		if more, err := p.accept(","); err != nil {
			return err
		} else if !more {
			return p.expect(";")
		}
	}
}

// parseQualifiedType reads [.align N] [.v2|.v4] .type and gives the alignment and the type; a vector's is of its whole size.
func (p *parser) parseQualifiedType(directive string) (align int, kind dataType, err error) {
	vector := 1
	for p.token.kind == tokenWord && strings.HasPrefix(p.token.text, ".") {
		word := p.token.text
		if err := p.advance(); err != nil {
			return 0, kind, err
		}
		switch word {
		case ".align":
			if align, err = p.size(1 << 12); err != nil {
				return 0, kind, err
			}
			if align == 0 || align&(align-1) != 0 {
				return 0, kind, p.refuse(directive, "an alignment is a power of two")
			}
		case ".v2":
			vector = 2
		case ".v4":
			vector = 4
		case ".ptr", ".global", ".shared", ".const", ".local": // what a pointer parameter points at: a hint
		default:
			t, ok := parseType(word[1:])
			if !ok || t.kind == 'p' {
				return 0, kind, p.refuse(directive, "unknown type %s", word)
			}
			if kind != noType {
				return 0, kind, p.refuse(directive, "two types, %v and %v", kind, t)
			}
			kind = t
		}
	}
	if kind == noType {
		return 0, kind, p.refuse(directive, "no type before %s", p.describe())
	}
	if vector > 1 {
		return 0, kind, p.refuse(directive, "vector variables are not supported (declare an array)")
	}
	return max(align, kind.bytes()), kind, nil
}

// parseExtent reads array dimensions and sets the size; "[]" is an array whose size another place decides.
func (p *parser) parseExtent(v *variable, kind dataType) error {
	count := 1
	open := false
	for p.at("[") {
		if err := p.advance(); err != nil {
			return err
		}
		if p.at("]") {
			open = true
		} else {
			n, err := p.size(maxGlobalBytes)
			if err != nil {
				return err
			}
			if n > 0 && count > maxGlobalBytes/n {
				return p.fail("%s: too large", v.name)
			}
			count *= n
		}
		if err := p.expect("]"); err != nil {
			return err
		}
	}
	switch {
	case open && !v.dynamic && !p.at("="):
		return p.fail("%s: an array without a size must be extern shared memory or have an initial value", v.name)
	case open:
		count = 0
	case v.dynamic:
		return p.fail("%s: extern shared memory has no size of its own", v.name)
	}
	v.size = count * kind.bytes()
	return nil
}

// place gives a variable its offset within its space and enters its name.
func (p *parser) place(v *variable, directive string) error {
	if p.scope.variables[v.name] != nil {
		return p.refuse(directive, "%s is declared twice", v.name)
	}
	p.scope.variables[v.name] = v
	used, limit := &p.module.sharedBytes, maxSharedBytes
	switch v.space {
	case spaceGlobal, spaceConst:
		if limit = maxConstBytes; v.space == spaceGlobal {
			limit = maxGlobalBytes
		}
		if v.size > limit {
			return p.refuse(directive, "%s: %d bytes are more than the limit of %d", v.name, v.size, limit)
		}
		p.module.variables = append(p.module.variables, v)
		return nil
	case spaceLocal:
		used, limit = &p.kernel.localBytes, maxLocalBytes
	case spaceShared:
		if p.kernel != nil {
			used = &p.kernel.SharedBytes
		}
		if v.dynamic {
			return nil // starts where the static memory ends, see Kernel.finish
		}
	}
	v.offset = (*used + v.align - 1) &^ (v.align - 1)
	if v.size > limit || v.offset+v.size > limit {
		return p.refuse(directive, "%s: %s memory grows to %d bytes, the limit is %d", v.name, v.space, v.offset+v.size, limit)
	}
	*used = v.offset + v.size
	return nil
}
