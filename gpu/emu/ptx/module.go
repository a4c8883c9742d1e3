package ptx

import "fmt"

// Module is a parsed and checked PTX file. It does not change after Parse and may be used by many goroutines.
type Module struct {
	File string

	version     string
	kernels     []*Kernel
	sharedBytes int // shared variables of module scope
}

// Parameter is one parameter of a kernel; Size is in bytes.
type Parameter struct {
	Name string
	Size int

	offset int // into the packed parameters
}

// Kernel is an entry of a module.
type Kernel struct {
	Name       string
	Parameters []Parameter
	MaxThreads int // a block may have, from .maxntid, else 1024

	file           string
	line           int
	sharedBytes    int
	parameterBytes int
	code           []instruction
	words, longs   int // 32-bit and 64-bit registers, constants and special registers
	predicates     int
	constants      []constant
	specials       map[string]int32 // special registers that are read, to their places
	tracked        int              // registers that may be read before they are written
	globalByBytes  bool             // accesses global memory in units below 4 bytes: races are looked for by byte
	sharedByBytes  bool             // the same for shared memory
	caches         int              // memory instructions
}

// Parse reads a PTX module and checks it whole. The file name is for messages. Errors are *SyntaxError.
func Parse(file string, source []byte) (m *Module, err error) {
	defer func() {
		if e := recover(); e != nil {
			syntax, ok := e.(*SyntaxError)
			if !ok {
				panic(e)
			}
			m, err = nil, syntax
		}
	}()
	m = &Module{File: file}
	p := &parser{file: file, source: string(source), line: 1, module: m}
	p.parseModule()
	return m, nil
}

// Kernel finds a kernel by name.
func (m *Module) Kernel(name string) (*Kernel, error) {
	for _, k := range m.kernels {
		if k.Name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("ptx: %s has no kernel %q", m.File, name)
}
