package ptx

import "strings"

// parseEntry reads a kernel: name, parameters, performance directives, body.
func (p *parser) parseEntry() error {
	if err := p.advance(); err != nil {
		return err
	}
	name, err := p.name()
	if err != nil {
		return err
	}
	for _, other := range p.module.kernels {
		if other.Name == name {
			return p.refuse(".entry", "%s is declared twice", name)
		}
	}
	// A kernel's own shared memory begins where that of module scope ends.
	p.kernel = &Kernel{Name: name, MaxThreads: maxBlockThreads, SharedBytes: p.module.sharedBytes, module: p.module, file: p.file, line: p.token.line}
	p.scope = newScope(p.scope)
	p.body = nil
	if p.at("(") {
		if err := p.parseParameters(); err != nil {
			return err
		}
	}
	if err := p.parsePerformance(); err != nil {
		return err
	}
	if err := p.parseBody(); err != nil {
		return err
	}
	if err := p.kernel.finish(p.body, p.scope); err != nil {
		return err
	}
	p.module.kernels = append(p.module.kernels, p.kernel)
	p.scope, p.kernel = p.scope.parent, nil
	return nil
}

func (p *parser) parseParameters() error {
	if err := p.advance(); err != nil {
		return err
	}
	k := p.kernel
	for !p.at(")") {
		if !p.atWord(".param") {
			return p.fail("expected .param, found %s", p.describe())
		}
		if err := p.advance(); err != nil {
			return err
		}
		align, kind, err := p.parseQualifiedType(".param")
		if err != nil {
			return err
		}
		v := &variable{space: spaceParam, align: align}
		if v.name, err = p.name(); err != nil {
			return err
		}
		if err := p.parseExtent(v, kind); err != nil {
			return err
		}
		v.offset = (k.parameterBytes + align - 1) &^ (align - 1)
		if v.size > maxParamBytes || v.offset+v.size > maxParamBytes {
			return p.refuse(".param", "%s: parameters take more than %d bytes", v.name, maxParamBytes)
		}
		if p.scope.variables[v.name] != nil {
			return p.refuse(".param", "%s is declared twice", v.name)
		}
		k.parameterBytes = v.offset + v.size
		p.scope.variables[v.name] = v
		k.Parameters = append(k.Parameters, Parameter{Name: v.name, Type: kind.String(), Size: v.size, Align: align, Offset: v.offset})
		if !p.at(")") {
			if err := p.expect(","); err != nil {
				return err
			}
		}
	}
	return p.advance()
}

// parsePerformance reads the directives between a kernel's parameters and its body.
func (p *parser) parsePerformance() error {
	for !p.at("{") {
		directive := p.token.text
		switch directive {
		case ".maxntid", ".reqntid":
			if err := p.advance(); err != nil {
				return err
			}
			extent := [3]int{1, 1, 1}
			threads := 1
			for i := range extent {
				n, err := p.size(maxBlockThreads)
				if err != nil {
					return err
				}
				extent[i] = n
				threads *= n
				if more, err := p.accept(","); err != nil {
					return err
				} else if !more {
					break
				}
			}
			p.kernel.MaxThreads = min(threads, maxBlockThreads)
			if directive == ".reqntid" {
				p.kernel.RequiredBlock = extent
			}
		case ".minnctapersm", ".maxnctapersm", ".maxnreg":
			if err := p.advance(); err != nil {
				return err
			}
			if _, err := p.size(1 << 16); err != nil {
				return err
			}
		case ".pragma":
			if err := p.skipPast(";"); err != nil {
				return err
			}
		default:
			return p.refuse(directive, "unknown directive of a kernel")
		}
	}
	return nil
}

// parseBody reads from "{" to its "}".
func (p *parser) parseBody() error {
	outer := p.scope
	for {
		switch {
		case p.token.kind == tokenEnd:
			return p.fail("kernel %s has no end", p.kernel.Name)
		case p.at("{"):
			p.scope = newScope(p.scope)
			if err := p.advance(); err != nil {
				return err
			}
		case p.at("}"):
			p.scope = p.scope.parent
			if err := p.advance(); err != nil {
				return err
			}
			if p.scope == outer {
				return nil
			}
		default:
			if err := p.parseStatement(); err != nil {
				return err
			}
		}
	}
}

func (p *parser) parseStatement() error {
	if p.at("@") {
		return p.parseInstruction()
	}
	if p.at(";") {
		return p.advance()
	}
	if p.token.kind != tokenWord {
		return p.fail("expected an instruction, found %s", p.describe())
	}
	switch word := p.token.text; word {
	case ".reg":
		return p.parseRegisters()
	case ".shared", ".local", ".global", ".const":
		return p.parseVariables(false)
	case ".pragma":
		return p.skipPast(";")
	case ".loc", ".file":
		return p.skipLine()
	default:
		if strings.HasPrefix(word, ".") {
			return p.refuse(word, "unknown directive")
		}
	}
	first := p.token
	if err := p.advance(); err != nil {
		return err
	}
	if p.at(":") {
		return p.parseLabel(first.text)
	}
	second := p.token
	p.token, p.ahead = first, &second
	return p.parseInstruction()
}

// parseLabel enters a label, or the list of targets that a label names.
func (p *parser) parseLabel(name string) error {
	if _, ok := p.scope.labels[name]; ok {
		return p.fail("label %s is defined twice", name)
	}
	if err := p.advance(); err != nil {
		return err
	}
	if !p.atWord(".branchtargets") {
		p.scope.labels[name] = len(p.body)
		return nil
	}
	for {
		if err := p.advance(); err != nil {
			return err
		}
		target, err := p.name()
		if err != nil {
			return err
		}
		p.scope.targets[name] = append(p.scope.targets[name], target)
		if !p.at(",") {
			return p.expect(";")
		}
	}
}

// parseRegisters reads ".reg .type %a, %b<10>;".
func (p *parser) parseRegisters() error {
	if err := p.advance(); err != nil {
		return err
	}
	kind, ok := parseType(strings.TrimPrefix(p.token.text, "."))
	if !ok || kind.bits == 8 {
		return p.refuse(".reg", "unknown register type %s", p.describe())
	}
	for {
		if err := p.advance(); err != nil {
			return err
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		_, isRange := p.scope.ranges[name]
		if p.scope.registers[name] != nil || isRange {
			return p.refuse(".reg", "%s is declared twice", name)
		}
		if p.at("<") {
			if err := p.advance(); err != nil {
				return err
			}
			count, err := p.size(1e6)
			if err != nil {
				return err
			}
			if err := p.expect(">"); err != nil {
				return err
			}
			p.scope.ranges[name] = registerRange{kind, count}
		} else {
			p.scope.registers[name] = &register{name: name, kind: kind, slot: -1}
		}
		if !p.at(",") {
			return p.expect(";")
		}
	}
}

// parseInstruction reads "[@[!]p] opcode operands;".
func (p *parser) parseInstruction() error {
	s := statement{scope: p.scope}
	if p.at("@") {
		if err := p.advance(); err != nil {
			return err
		}
		var err error
		if s.guardNegated, err = p.accept("!"); err != nil {
			return err
		}
		if s.guard, err = p.name(); err != nil {
			return err
		}
	}
	s.line = p.token.line
	if p.token.kind != tokenWord || !(p.token.text[0] >= 'a' && p.token.text[0] <= 'z') {
		return p.fail("expected an opcode, found %s", p.describe())
	}
	s.opcode = p.token.text
	base, _, _ := strings.Cut(s.opcode, ".")
	if base == "call" {
		return p.refuse(s.opcode, "function calls are not supported (let nvcc inline them)")
	}
	if builderOf(base) == nil {
		return p.refuse(s.opcode, "unknown or unsupported opcode")
	}
	if err := p.advance(); err != nil {
		return err
	}
	for !p.at(";") {
		o, err := p.parseOperand()
		if err != nil {
			return err
		}
		s.operands = append(s.operands, o)
		if !p.at(";") {
			if err := p.expect(","); err != nil {
				return err
			}
		}
	}
	p.body = append(p.body, s)
	return p.advance()
}

// parseOperand reads one operand with what may be attached to it: "{a,b}", "[a+4]", "d|p", "!p".
func (p *parser) parseOperand() (operand, error) {
	switch {
	case p.at("{"):
		o := operand{kind: operandVector}
		for {
			if err := p.advance(); err != nil {
				return o, err
			}
			element, err := p.parseSimple()
			if err != nil {
				return o, err
			}
			o.elements = append(o.elements, element)
			if !p.at(",") {
				return o, p.expect("}")
			}
		}
	case p.at("["):
		if err := p.advance(); err != nil {
			return operand{}, err
		}
		o := operand{kind: operandAddress}
		if p.token.kind == tokenWord {
			base, err := p.parseSimple()
			if err != nil {
				return o, err
			}
			o.name, o.offset = base.name, base.offset
		} else {
			offset, err := p.constant(0)
			if err != nil {
				return o, err
			}
			o.offset = int64(offset)
		}
		return o, p.expect("]")
	}
	first, err := p.parseSimple()
	if err != nil || !p.at("|") {
		return first, err
	}
	if err := p.advance(); err != nil {
		return first, err
	}
	second, err := p.parseSimple()
	return operand{kind: operandPair, elements: []operand{first, second}}, err
}

// parseSimple reads a name with an optional offset, or a number.
func (p *parser) parseSimple() (operand, error) {
	if p.token.kind == tokenWord {
		return p.parseNamed(false)
	}
	if p.at("!") || p.at("-") {
		mark := p.token
		if err := p.advance(); err != nil {
			return operand{}, err
		}
		if p.token.kind == tokenWord {
			return p.parseNamed(true)
		}
		if p.token.kind == tokenNumber && mark.text == "-" {
			o, err := p.parseNumber()
			if o.kind == operandFloat {
				o.value ^= 1 << (o.bits - 1)
			} else {
				o.value = -o.value
			}
			return o, err
		}
		return operand{}, p.fail("expected an operand after %q, found %s", mark.text, p.describe())
	}
	return p.parseNumber()
}

func (p *parser) parseNumber() (operand, error) {
	if p.token.kind == tokenNumber {
		value, floatBits, err := p.literal(p.token.text)
		if err != nil {
			return operand{}, err
		}
		if floatBits != 0 {
			return operand{kind: operandFloat, value: value, bits: floatBits}, p.advance()
		}
	}
	value, err := p.constant(0)
	return operand{kind: operandInteger, value: value}, err
}

func (p *parser) parseNamed(negated bool) (operand, error) {
	name, err := p.name()
	if err != nil {
		return operand{}, err
	}
	o := operand{kind: operandName, name: name, negated: negated}
	if p.at("+") || p.at("-") {
		minus := p.at("-")
		if err := p.advance(); err != nil {
			return o, err
		}
		offset, err := p.constant(0)
		if err != nil {
			return o, err
		}
		if o.offset = int64(offset); minus {
			o.offset = -o.offset
		}
	}
	return o, nil
}
