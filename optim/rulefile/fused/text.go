package fused

import (
	"fmt"
	"math"
	"strings"
)

// text is the PTX of a kernel as it is written: instructions, and the registers that they name.
type text struct {
	entry      string
	summary    string
	parameters []string // as they are declared
	shared     int      // bytes of the array "shared"
	body       strings.Builder
	registers  map[string][]string // by type, in the order of their first use
	declared   map[string]string   // the type of each
	labels     int
}

func newText(entry, summary string) *text {
	return &text{entry: entry, summary: summary, registers: map[string][]string{}, declared: map[string]string{}}
}

// ins writes an instruction.
func (t *text) ins(format string, args ...any) {
	fmt.Fprintf(&t.body, "  "+format+";\n", args...)
}

// note writes a comment.
func (t *text) note(format string, args ...any) {
	fmt.Fprintf(&t.body, "  // "+format+"\n", args...)
}

// label returns a name for a place.
func (t *text) label(name string) string {
	t.labels++
	return fmt.Sprintf("%s%d", name, t.labels)
}

// at writes a label.
func (t *text) at(label string) { fmt.Fprintf(&t.body, "%s:\n", label) }

// loop writes the label of a loop that the assembler does not unroll.
func (t *text) loop(label string) {
	t.at(label)
	t.ins(".pragma \"nounroll\"")
}

// reg declares a register on first use, and returns its name.
func (t *text) reg(kind, format string, args ...any) string {
	name := "%" + fmt.Sprintf(format, args...)
	if _, ok := t.declared[name]; !ok {
		t.declared[name] = kind
		t.registers[kind] = append(t.registers[kind], name)
	}
	if t.declared[name] != kind {
		panic(fmt.Sprintf("fused: register %s is %s and %s", name, t.declared[name], kind))
	}
	return name
}

// Registers of each type.
func (t *text) f32(format string, args ...any) string  { return t.reg("f32", format, args...) }
func (t *text) f64(format string, args ...any) string  { return t.reg("f64", format, args...) }
func (t *text) b32(format string, args ...any) string  { return t.reg("b32", format, args...) }
func (t *text) b64(format string, args ...any) string  { return t.reg("b64", format, args...) }
func (t *text) pred(format string, args ...any) string { return t.reg("pred", format, args...) }

// pointer declares a parameter, and loads the address that it has.
func (t *text) pointer(name string) string {
	t.parameters = append(t.parameters, ".param .u64 "+name)
	r := t.b64("%s", "at_"+name)
	t.ins("ld.param.u64 %s, [%s]", r, name)
	t.ins("cvta.to.global.u64 %s, %s", r, r)
	return r
}

// number declares a parameter, and loads its value.
func (t *text) number(to, name string) {
	t.parameters = append(t.parameters, ".param .f32 "+name)
	t.ins("ld.param.f32 %s, [%s]", to, name)
}

// String returns the kernel, whose blocks have the given number of threads.
func (t *text) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\n.visible .entry %s(\n  %s\n)\n.maxntid %d, 1, 1\n{\n", t.summary, t.entry, strings.Join(t.parameters, ",\n  "), threads)
	for _, kind := range []string{"pred", "b32", "b64", "f32", "f64"} {
		for names := t.registers[kind]; len(names) > 0; {
			n := min(16, len(names))
			fmt.Fprintf(&b, "  .reg .%s %s;\n", kind, strings.Join(names[:n], ", "))
			names = names[n:]
		}
	}
	if t.shared > 0 {
		fmt.Fprintf(&b, "  .shared .align 8 .b8 shared[%d];\n", t.shared)
	}
	return b.String() + t.body.String() + "  ret;\n}\n"
}

// single and double write a float as PTX has it.
func single(v float32) string { return fmt.Sprintf("0f%08x", math.Float32bits(v)) }
func double(v float64) string { return fmt.Sprintf("0d%016x", math.Float64bits(v)) }
