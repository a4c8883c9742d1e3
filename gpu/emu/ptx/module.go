package ptx

import "fmt"

// Module is a parsed and checked PTX file. It does not change after Parse and may be used by many goroutines.
type Module struct {
	File    string
	Version string // of the PTX ISA, such as "7.0"
	Target  string // such as "sm_75"

	kernels     []*Kernel
	variables   []*variable // .global and .const
	sharedBytes int         // shared variables of module scope
}

// Parameter is one parameter of a kernel. Size, Align and Offset (into the packed parameter buffer) are in bytes.
type Parameter struct {
	Name, Type          string
	Size, Align, Offset int
}

// Kernel is an entry of a module.
type Kernel struct {
	Name          string
	Parameters    []Parameter
	MaxThreads    int    // a block may have, from .maxntid or .reqntid, else 1024
	RequiredBlock [3]int // from .reqntid; zero if any block may be
	SharedBytes   int    // static shared memory
	Registers     int    // virtual registers used; a GPU has other numbers

	module         *Module
	file           string
	line           int
	parameterBytes int
	localBytes     int // per thread
	code           []instruction
	words, longs   int // 32-bit and 64-bit registers, constants and special registers
	predicates     int
	constants      []constant
	specials       []specialUse
	addresses      []addressUse
	tracked        int  // registers that may be read before they are written
	globalBytes    bool // accesses global memory in units below 4 bytes: races are looked for by byte
	sharedByBytes  bool // the same for shared memory
	caches         int  // memory instructions
	dynamicShared  bool // has extern shared memory
	fences         bool // has fences, or accesses that release or acquire
}

// Parse reads a PTX module and checks it whole. The file name is for messages. Errors are *SyntaxError.
func Parse(file string, source []byte) (*Module, error) {
	m := &Module{File: file}
	p := &parser{lexer: lexer{file: file, source: string(source), line: 1}, module: m, scope: newScope(nil)}
	if err := p.parseModule(); err != nil {
		return nil, err
	}
	return m, nil
}

// Kernels lists the module's kernels in the order of the file.
func (m *Module) Kernels() []*Kernel { return append([]*Kernel(nil), m.kernels...) }

// Kernel finds a kernel by name.
func (m *Module) Kernel(name string) (*Kernel, error) {
	for _, k := range m.kernels {
		if k.Name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("ptx: %s has no kernel %q", m.File, name)
}
