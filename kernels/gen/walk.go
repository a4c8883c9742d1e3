package main

import (
	"fmt"
	"slices"

	"diaghess/gpu/cpu/asm"
)

// A walk is the vector body of a kernel: a loop over rows of channels, AVX2, eight
// channels at a time. For each vector of channels it loads what belongs to them,
// walks down a tile of rows, and stores its accumulators. Each operation is
// rounded on its own, in the order of the scalar body, so that the results are
// bit-identical.
//
//	for each tile of rows
//	    for each vector of channels
//	        load channels and accumulators
//	        for each row of the tile
//	            body of the variant
//	        store accumulators
//
// An elementwise kernel has eight channels, and rows of eight elements. Variants are
// bodies for the same operands, for those that may be missing.
type walk struct {
	name         string
	streams      int // what each row reads or writes, at a step of its own
	bytes        []bool
	channels     []value        // one number a channel
	accumulators []value        // sums of a channel over rows, behind the channels
	doubles      map[value]bool // channels and accumulators of float64
	scalars      []value
	literals     map[uint32]value
	variants     [][]instruction
	values       int
}

// value is a vector in the body.
type value int

// wide is a vector in double precision: its lower and its upper half.
type wide [2]value

// stream is a tensor that the body reads or writes a vector of in each row.
type stream int

// instruction is one of the body's.
type instruction struct {
	mnemonic  string
	immediate string  // of the instruction, or ""
	args      []value // in Intel's order: the second may be in memory
	address   string  // of what is loaded or stored, or ""
	to        value   // none for a store
}

const none value = -1

// The offsets of the fields of type walk in package kernels, and its capacities.
const (
	offsetRows     = 0
	offsetTile     = 8
	offsetElements = 16
	offsetRight    = 24
	offsetVariant  = 32
	offsetStreams  = 40
	maxStreams     = 7
	offsetChannels = offsetStreams + 16*maxStreams
	maxChannels    = 8
	offsetScalars  = offsetChannels + 8*maxChannels
	maxScalars     = 24
)

// pointers hold where the walk is in each stream.
var pointers = [maxStreams]string{"DI", "SI", "R8", "R9", "R10", "R11", "R12"}

func newWalk(name string) *walk {
	return &walk{name: name, literals: map[uint32]value{}, doubles: map[value]bool{}}
}

func (w *walk) value() value {
	w.values++
	return value(w.values - 1)
}

// The operands, in the order of the fields in Go.

func (w *walk) floats() stream { return w.stream(false) }

// bytesStream is a stream of a byte a channel.
func (w *walk) bytesStream() stream { return w.stream(true) }

func (w *walk) stream(bytes bool) stream {
	w.bytes = append(w.bytes, bytes)
	w.streams++
	if w.streams > maxStreams {
		panic(w.name + ": too many streams")
	}
	return stream(w.streams - 1)
}

func (w *walk) channel() value { return w.operand(&w.channels) }
func (w *walk) scalar() value  { return w.operand(&w.scalars) }

// sum is a value that is loaded before the rows of a tile and stored after them.
func (w *walk) sum() value { return w.operand(&w.accumulators) }

// wideChannel and total have numbers of float64 in memory, and an operand for each
// half. A total is 0 before the rows of a tile, and added to its number after them.
func (w *walk) wideChannel() wide { return w.wideOperand(&w.channels) }
func (w *walk) total() wide       { return w.wideOperand(&w.accumulators) }

func (w *walk) wideOperand(list *[]value) wide {
	halves := wide{w.operand(list), w.operand(list)}
	for _, v := range halves {
		w.doubles[v] = true
	}
	return halves
}

func (w *walk) operand(list *[]value) value {
	*list = append(*list, w.value())
	if len(w.channels)+len(w.accumulators) > maxChannels || len(w.scalars) > maxScalars {
		panic(w.name + ": too many operands")
	}
	return (*list)[len(*list)-1]
}

// literal is a constant of the body, by its bits.
func (w *walk) literal(word uint32) value {
	if v, ok := w.literals[word]; ok {
		return v
	}
	v := w.value()
	w.literals[word] = v
	return v
}

// variant begins the next variant of the body.
func (w *walk) variant() { w.variants = append(w.variants, nil) }

func (w *walk) append(in instruction) {
	code := &w.variants[len(w.variants)-1]
	*code = append(*code, in)
}

// op appends an instruction and returns its result.
func (w *walk) op(mnemonic, immediate string, args ...value) value {
	to := w.value()
	w.append(instruction{mnemonic, immediate, args, "", to})
	return to
}

// add, sub, mul and div are rounded to float32.
func (w *walk) add(a, b value) value { return w.op("VADDPS", "", a, b) }
func (w *walk) sub(a, b value) value { return w.op("VSUBPS", "", a, b) }
func (w *walk) mul(a, b value) value { return w.op("VMULPS", "", a, b) }
func (w *walk) div(a, b value) value { return w.op("VDIVPS", "", a, b) }
func (w *walk) sqrt(a value) value   { return w.op("VSQRTPS", "", a) }

// Comparisons are all ones where they hold, and false where one is not a number.
func (w *walk) less(a, b value) value { return w.op("VCMPPS", "$0x11", a, b) }

// equal compares bits.
func (w *walk) equal(a, b value) value  { return w.op("VPCMPEQD", "", a, b) }
func (w *walk) and(a, b value) value    { return w.op("VPAND", "", a, b) }
func (w *walk) andNot(a, b value) value { return w.op("VPANDN", "", b, a) } // a and not b
func (w *walk) or(a, b value) value     { return w.op("VPOR", "", a, b) }
func (w *walk) xor(a, b value) value    { return w.op("VPXOR", "", a, b) }

// shiftLeft, shiftRight (with copies of the sign) and shiftLeft64 shift words.
func (w *walk) shiftLeft(a value, bits int) value {
	return w.op("VPSLLD", fmt.Sprintf("$%d", bits), a)
}
func (w *walk) shiftRight(a value, bits int) value {
	return w.op("VPSRAD", fmt.Sprintf("$%d", bits), a)
}
func (w *walk) shiftLeft64(a value, bits int) value {
	return w.op("VPSLLQ", fmt.Sprintf("$%d", bits), a)
}

// choose is yes where the mask's highest bit is set, else no.
func (w *walk) choose(mask, yes, no value) value { return w.op("VBLENDVPS", "", no, yes, mask) }

// accumulate is sum = sum op v.
func (w *walk) accumulate(mnemonic string, sum, v value) {
	w.append(instruction{mnemonic, "", []value{sum, v}, "", sum})
}

// wide converts a vector to double precision.
func (w *walk) wide(a value) wide { return wide{w.op(widenLower, "", a), w.op(widenUpper, "", a)} }

// product is a * b in double precision.
func (w *walk) product(a, b wide) (to wide) {
	for half := range to {
		to[half] = w.op("VMULPD", "", a[half], b[half])
	}
	return to
}

// addTo is total += v.
func (w *walk) addTo(total, v wide) {
	for half := range total {
		w.accumulate("VADDPD", total[half], v[half])
	}
}

// load reads a stream's vector; bytes become words.
func (w *walk) load(s stream) value { return w.loadFrom(s, "") }

// loadRight reads the vector that lies the walk's right bytes behind.
func (w *walk) loadRight(s stream) value { return w.loadFrom(s, "(DX*1)") }

// loadRepeated reads a byte, into all bytes of the vector.
func (w *walk) loadRepeated(s stream) value { return w.loadAs("VPBROADCASTB", s, "") }

func (w *walk) loadFrom(s stream, index string) value {
	if w.bytes[s] {
		return w.loadAs("VPMOVZXBD", s, index)
	}
	return w.loadAs("VMOVUPS", s, index)
}

func (w *walk) loadAs(mnemonic string, s stream, index string) value {
	to := w.value()
	w.append(instruction{mnemonic, "", nil, "(" + pointers[s] + ")" + index, to})
	return to
}

// store writes a stream's vector, and storeRight the one that lies right of it;
// words below 256 become bytes.
func (w *walk) store(s stream, v value)      { w.storeTo(s, v, "") }
func (w *walk) storeRight(s stream, v value) { w.storeTo(s, v, "(DX*1)") }

func (w *walk) storeTo(s stream, v value, index string) {
	mnemonic := "VMOVUPS"
	if w.bytes[s] {
		mnemonic = packBytes
	}
	w.append(instruction{mnemonic, "", []value{v}, "(" + pointers[s] + ")" + index, none})
}

// What stands for several instructions, or for one with registers of another size.
const (
	packBytes  = "pack bytes"  // store words as bytes
	widenLower = "widen lower" // convert half a vector to double precision
	widenUpper = "widen upper"
)

// write compiles the walk.
func (w *walk) write(f *asm.File) {
	// As many constants as possible stay in registers, those that are used most;
	// the others are operands in memory, literals where they are and scalars and
	// channels in the frame.
	constants := slices.Concat(w.channels, w.scalars)
	for _, word := range sortedLiterals(w.literals) {
		constants = append(constants, w.literals[word])
	}
	uses := map[value]int{}
	for _, in := range slices.Concat(w.variants...) {
		for _, a := range in.args {
			uses[a]++
		}
	}
	slices.SortStableFunc(constants, func(a, b value) int { return uses[b] - uses[a] })
	for pinned := len(constants); ; pinned-- {
		if pinned < 0 {
			panic(w.name + ": too few registers")
		}
		if a := w.allocate(constants, pinned, f); a != nil {
			w.emit(f, a)
			return
		}
	}
}

func sortedLiterals(m map[uint32]value) []uint32 {
	var words []uint32
	for word := range m {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// allocation says where values are.
type allocation struct {
	register map[value]int    // of constants, sums and what the body computes
	memory   map[value]string // of constants that are not in registers
	frame    int              // bytes
	bodies   [][]line         // of the variants
	spare    int              // a register that the loads before the rows may use
}

// line is an instruction with its operands' places.
type line struct {
	instruction
	places []string
	to     int // register
	spare  int // of packBytes
}

// The frame holds the start of the tile in each stream, the rows that are left and
// those of the tile, and constants.
const (
	frameRows  = 8 * maxStreams
	frameTile  = frameRows + 8
	frameSpill = frameTile + 8
)

// allocate places values in registers, with so many constants pinned; it returns
// nil if there are not enough.
func (w *walk) allocate(constants []value, pinned int, f *asm.File) *allocation {
	a := &allocation{register: map[value]int{}, memory: map[value]string{}, frame: frameSpill}
	for n, v := range slices.Concat(w.accumulators, constants[:pinned]) {
		a.register[v] = n
	}
	words := map[value]uint32{}
	for word, v := range w.literals {
		words[v] = word
	}
	for _, v := range constants[pinned:] {
		if word, ok := words[v]; ok {
			a.memory[v] = f.Literal(word)
			continue
		}
		a.memory[v] = fmt.Sprintf("%d(SP)", a.frame)
		a.frame += asm.AVX2.Bytes()
	}
	a.spare = len(w.accumulators) + pinned
	if a.spare >= asm.AVX2.Count() {
		return nil
	}
	for _, code := range w.variants {
		body := a.place(code)
		if body == nil {
			return nil
		}
		a.bodies = append(a.bodies, body)
	}
	return a
}

// place gives the results of a body registers behind the pinned ones; it returns
// nil if there are not enough.
func (a *allocation) place(code []instruction) []line {
	var free []int
	for r := a.spare; r < asm.AVX2.Count(); r++ {
		free = append(free, r)
	}
	take := func() (r int, ok bool) {
		if len(free) == 0 {
			return 0, false
		}
		slices.Sort(free) // low numbers have shorter encodings
		r, free = free[0], free[1:]
		return r, true
	}
	last := map[value]int{} // where a value is used last
	for i, in := range code {
		for _, v := range in.args {
			last[v] = i
		}
	}
	results := map[value]int{}
	var body []line
	for i, in := range code {
		l := line{instruction: in}
		var until []int // registers of this instruction alone
		for n, v := range in.args {
			register, ok := a.register[v]
			if !ok {
				register, ok = results[v]
			}
			place := asm.AVX2.Reg(register)
			if !ok && n == 1 {
				place = a.memory[v]
			} else if !ok {
				r, ok := take()
				if !ok {
					return nil
				}
				body = append(body, line{instruction: instruction{mnemonic: "VMOVUPS"}, places: []string{a.memory[v]}, to: r})
				until = append(until, r)
				place = asm.AVX2.Reg(r)
			}
			l.places = append(l.places, place)
		}
		if in.mnemonic == packBytes {
			r, ok := take()
			if !ok {
				return nil
			}
			l.spare, until = r, append(until, r)
		}
		for v, r := range results {
			if last[v] == i {
				until = append(until, r)
				delete(results, v)
			}
		}
		free = append(free, until...)
		if r, ok := a.register[in.to]; ok {
			l.to = r
		} else if in.to != none {
			r, ok := take()
			if !ok {
				return nil
			}
			if last[in.to] <= i {
				panic("a result is not used: " + in.mnemonic)
			}
			l.to, results[in.to] = r, r
		}
		body = append(body, l)
	}
	return body
}

// emit writes the loops.
func (w *walk) emit(f *asm.File, a *allocation) {
	reg := asm.AVX2.Reg
	f.Text(w.name, "walk", a.frame)
	for s := range w.streams {
		f.Emit("MOVQ %d(R13), AX", offsetStreams+16*s)
		f.Emit("MOVQ AX, %d(SP)", 8*s)
	}
	f.Emit("MOVQ %d(R13), AX", offsetRows)
	f.Emit("MOVQ AX, %d(SP)", frameRows)
	f.Emit("MOVQ %d(R13), DX", offsetRight)
	// set brings a constant into its place.
	set := func(v value, instruction string) {
		r, ok := a.register[v]
		if !ok {
			r = a.spare
		}
		f.Emit(instruction+", %s", reg(r))
		if !ok {
			f.Emit("VMOVUPS %s, %s", reg(r), a.memory[v])
		}
	}
	for n, v := range w.scalars {
		set(v, fmt.Sprintf("VBROADCASTSS %d(R13)", offsetScalars+4*n))
	}
	for _, word := range sortedLiterals(w.literals) {
		if r, ok := a.register[w.literals[word]]; ok {
			f.Emit("VMOVUPS %s, %s", f.Literal(word), reg(r))
		}
	}
	f.Label("tile")
	f.Emit("MOVQ %d(R13), AX", offsetTile)
	f.Emit("CMPQ AX, %d(SP)", frameRows)
	f.Emit("CMOVQGT %d(SP), AX", frameRows)
	f.Emit("MOVQ AX, %d(SP)", frameTile)
	f.Emit("XORQ AX, AX")
	f.Label("vector")
	// number is where a channel's number is, behind BX.
	number := func(v value) string {
		if w.doubles[v] {
			return "(BX)(AX*8)"
		}
		return "(BX)(AX*4)"
	}
	for n, v := range slices.Concat(w.channels, w.accumulators) {
		if n >= len(w.channels) && w.doubles[v] {
			f.Zero(asm.AVX2, a.register[v])
			continue
		}
		f.Emit("MOVQ %d(R13), BX", offsetChannels+8*n)
		set(v, "VMOVUPS "+number(v))
	}
	for s := range w.streams {
		f.Emit("MOVQ %d(SP), %s", 8*s, pointers[s])
		scale := 4
		if w.bytes[s] {
			scale = 1
		}
		f.Emit("LEAQ (%s)(AX*%d), %[1]s", pointers[s], scale)
	}
	f.Emit("MOVQ %d(SP), CX", frameTile)
	for n := range a.bodies[1:] {
		f.Emit("CMPQ %d(R13), $%d", offsetVariant, n+1)
		f.Emit("JEQ row%d", n+1)
	}
	for n, body := range a.bodies {
		f.Label(fmt.Sprintf("row%d", n))
		for _, l := range body {
			l.emit(f)
		}
		for s := range w.streams {
			f.Emit("ADDQ %d(R13), %s", offsetStreams+16*s+8, pointers[s])
		}
		f.Emit("DECQ CX")
		f.Emit("JNE row%d", n)
		if n < len(a.bodies)-1 {
			f.Emit("JMP end")
		}
	}
	if len(a.bodies) > 1 {
		f.Label("end")
	}
	for n, v := range w.accumulators {
		f.Emit("MOVQ %d(R13), BX", offsetChannels+8*(len(w.channels)+n))
		if w.doubles[v] {
			f.Emit("VADDPD %s, %s, %[2]s", number(v), reg(a.register[v]))
		}
		f.Emit("VMOVUPS %s, %s", reg(a.register[v]), number(v))
	}
	f.Emit("ADDQ $%d, AX", asm.AVX2.Lanes())
	f.Emit("CMPQ AX, %d(R13)", offsetElements)
	f.Emit("JLT vector")
	f.Emit("MOVQ %d(SP), CX", frameTile)
	for s := range w.streams {
		f.Emit("MOVQ %d(R13), BX", offsetStreams+16*s+8)
		f.Emit("IMULQ CX, BX")
		f.Emit("ADDQ BX, %d(SP)", 8*s)
	}
	f.Emit("SUBQ CX, %d(SP)", frameRows)
	f.Emit("JNE tile")
	f.Return()
}

// emit writes a line of the body.
func (l line) emit(f *asm.File) {
	to := asm.AVX2.Reg(l.to)
	operands := ""
	if l.immediate != "" {
		operands = l.immediate + ", "
	}
	for _, place := range slices.Backward(l.places) {
		operands += place + ", "
	}
	switch {
	case l.mnemonic == packBytes:
		low, high := "X"+l.places[0][1:], fmt.Sprintf("X%d", l.spare)
		f.Emit("VEXTRACTI128 $1, %s, %s", l.places[0], high)
		f.Emit("VPACKUSDW %s, %s, %[1]s", high, low)
		f.Emit("VPACKUSWB %s, %[1]s, %[1]s", high)
		f.Emit("VMOVQ %s, %s", high, l.address)
	case l.mnemonic == widenLower:
		f.Emit("VCVTPS2PD X%s, %s", l.places[0][1:], to)
	case l.mnemonic == widenUpper:
		f.Emit("VEXTRACTF128 $1, %s, X%d", l.places[0], l.to)
		f.Emit("VCVTPS2PD X%d, %s", l.to, to)
	case l.address != "" && len(l.places) == 0:
		f.Emit("%s %s, %s", l.mnemonic, l.address, to)
	case l.address != "":
		f.Emit("%s %s, %s", l.mnemonic, l.places[0], l.address)
	default:
		f.Emit("%s %s%s", l.mnemonic, operands, to)
	}
}
