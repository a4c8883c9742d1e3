package ptx

// instructionKind tells the interpreter's loop what it has to do itself.
type instructionKind uint8

const (
	kindPlain   instructionKind = iota // execute does it all
	kindBranch                         // to target, divergent where the guard differs between lanes
	kindIndexed                        // brx.idx: to targets[register a]
	kindExit                           // ret and exit
	kindBarrier                        // bar.sync, bar.red and their kin
)

// instruction is a statement made ready to run: registers are places in the files, labels are indices into the code.
type instruction struct {
	execute      func(w *warp, in *instruction)
	dst, dst2    int32 // dst2: the second destination (a predicate); -1 for none
	a, b, c, d   int32 // sources
	guard        int32 // predicate; -1 for none
	guardNegated bool
	negated      bool // a source predicate is inverted
	kind         instructionKind
	tracked      bool // has checks or marks
	guardChecked bool // the first of checks is the guard

	memory  access
	barrier barrierUse

	target, reconverge int32 // reconverge -1: the sides do not meet before they exit
	targets            []int32
	uses, defines      []int32 // register slots
	checks, marks      []int32 // tracked registers among uses and defines

	line   int32
	opcode string
}

// access describes what a memory instruction does; execute reads it.
type access struct {
	space              space
	size               int32  // bytes of one element
	count              int32  // elements of a vector, 1 for a scalar
	signed             bool   // elements are sign-extended
	keep               uint32 // the bits that a sign-extended element keeps in a 16-bit register
	wide               bool   // registers are 64-bit
	longBase           bool   // the address register is 64-bit
	kind               accessKind
	strong             bool  // volatile, relaxed, acquire, release or atomic: not a race with its like
	acquires, releases bool  // orders other accesses without a fence
	base               int32 // address register; -1 for none
	cache              int32 // which of the worker's allocation caches
	offset             uint64
	elements           [4]int32 // registers of the elements
	atomic             func(old, b, c uint64) uint64
}

// accessKind is what an access does to memory; kinds above accessLoad write.
type accessKind uint8

const (
	accessLoad accessKind = iota
	accessStore
	accessAtomic
)

// barrierUse describes a barrier instruction.
type barrierUse struct {
	count  int32 // register with the number of threads; -1: all of the block
	reduce barrierReduce
	arrive bool // do not wait
}

type barrierReduce uint8

const (
	reduceNone barrierReduce = iota
	reduceCount
	reduceAnd
	reduceOr
)

// constant is an immediate operand: it has a place in the register files like everything else.
type constant struct {
	value uint64
	long  bool
	index int32
}

// addressUse is a place in the 64-bit file (or 32-bit, for shared and const) that holds the address of a variable.
type addressUse struct {
	variable *variable
	offset   int64
	generic  bool
	long     bool
	index    int32
}

// specialUse is a special register that the kernel reads.
type specialUse struct {
	special special
	index   int32
}
