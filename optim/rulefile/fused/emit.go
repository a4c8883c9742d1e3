package fused

import (
	"fmt"
	"math"

	"diaghess/kernels"
	"diaghess/optim/rulefile"
)

// The geometry of a block. The order of sums is the language's: each thread has four of a
// chunk's 1024 columns.
const (
	threads = 256
	columns = 4 // elements of a pack, which a thread loads and stores at once
	step    = threads * columns
)

// mostPairRegisters bounds what a thread keeps of two packs, so that loads of both are under
// way at once and yet several blocks share a multiprocessor.
const mostPairRegisters = 96

// emitter writes the kernel of a pass.
type emitter struct {
	*text
	*sweep
	k       *Kernels
	scalars map[int]string // registers of values that all elements share
	values  map[int]string // those of the element at work
}

// emit returns the PTX of a pass.
func (k *Kernels) emit(s *sweep) string {
	e := &emitter{text: newText(s.entry, s.summary()), sweep: s, k: k, scalars: map[int]string{}, values: map[int]string{}}
	pointers, n := e.prologue()
	e.start()
	e.loops(pointers, n)
	if len(s.Reductions) > 0 {
		e.note("The chunk's partial results.")
		at := e.b64("at_partials")
		e.ins("mad.wide.u32 %s, %%block, %d, %s", at, 8*len(s.Reductions), at)
		for i, r := range s.Reductions {
			e.fold(e.op(r), e.doubled(i))
			e.ins("@%%first st.global.f64 [%s+%d], %s", at, 8*i, e.total(0))
		}
	}
	return e.String()
}

func (e *emitter) op(reduction int) rulefile.Op { return e.program.Values[reduction].Op }

// prologue writes what is the same for all elements of a chunk. It returns the address of this
// thread's first element in each array, and the register with the chunk's length.
func (e *emitter) prologue() (pointers []string, n string) {
	for _, name := range e.arrays {
		pointers = append(pointers, e.pointer("array_"+name))
	}
	chunks := e.pointer("chunks")
	offset, n, i := e.b32("offset"), e.b32("n"), e.thread()
	e.ins("mad.wide.u32 %s, %%block, %d, %s", chunks, 4*kernels.ChunkWords, chunks)
	e.ins("ld.global.nc.v2.u32 {%s, %s}, [%s]", offset, n, chunks)
	tensor, done, batch := "", "", ""
	if e.tensorwise() {
		tensor = e.b32("tensor")
		e.ins("ld.global.nc.u32 %s, [%s+8]", tensor, chunks)
	}
	if len(e.steps) > 0 || e.loss {
		state := e.pointer("state")
		if len(e.steps) > 0 {
			done = e.b32("done")
			e.ins("ld.global.nc.u32 %s, [%s+%d]", done, state, 4*kernels.StateStep)
		}
		if e.loss {
			batch = e.b32("batch")
			e.ins("ld.global.nc.u32 %s, [%s+%d]", batch, state, 4*kernels.StateBatch)
		}
	}
	row := func(name, number string, width int) string {
		at := e.pointer(name)
		e.ins("mad.wide.u32 %s, %s, %d, %s", at, number, 4*width, at)
		return at
	}
	rows := map[rulefile.Kind]string{}
	if len(e.steps) > 0 {
		rows[rulefile.Step] = row("steps", done, len(e.program.Steps))
	}
	if len(e.tables) > 0 {
		rows[rulefile.Table] = row("tables", tensor, len(e.program.Tables))
	}
	results := map[string]string{}
	if e.tensorwise() && len(e.reduced) > 0 {
		results["tensor"] = row("results", tensor, len(e.k.reductions))
	}
	if e.everywhere() {
		results["all"] = e.pointer("results_all")
	}
	loss := ""
	if e.loss {
		loss = row("loss", batch, 1)
	}
	if len(e.Reductions) > 0 {
		e.pointer("partials")
	}
	for _, value := range e.Scalars {
		v := &e.program.Values[value]
		to := e.scalar(value)
		switch {
		case v.Op == rulefile.OpNumber:
			e.ins("mov.f32 %s, %s", to, single(float32(v.Number)))
		case v.Op == rulefile.OpRound:
			e.coefficient(value, to, rows)
		case v.Op == rulefile.OpLoss:
			e.ins("ld.global.nc.f32 %s, [%s]", to, loss)
		case v.Op.Reduces():
			e.ins("ld.global.nc.f32 %s, [%s+%d]", to, results[v.Name], 4*e.k.reduction(value))
		default:
			e.operation(v, to, e.operands(v))
		}
	}
	e.ins("shl.b32 %s, %%thread, 2", i)
	e.ins("add.u32 %s, %s, %s", offset, offset, i)
	e.ins("mul.wide.u32 %s, %s, 4", e.b64("skip"), offset)
	for _, at := range pointers {
		e.ins("add.s64 %s, %s, %%skip", at, at)
	}
	return pointers, n
}

// thread writes the numbers of thread and block, and returns the register for the number of an
// element.
func (t *text) thread() string {
	t.ins("mov.u32 %s, %%ctaid.x", t.b32("block"))
	t.ins("mov.u32 %s, %%tid.x", t.b32("thread"))
	return t.b32("i")
}

// coefficient writes the load of a number of the host.
func (e *emitter) coefficient(value int, to string, rows map[rulefile.Kind]string) {
	v := &e.program.Values[value]
	number := to
	if v.Condition {
		number = e.f32("number%d", value)
	}
	_, column := e.column(value)
	if v.Kind == rulefile.Const {
		e.number(number, fmt.Sprintf("constant_%d", column))
	} else {
		e.ins("ld.global.nc.f32 %s, [%s+%d]", number, rows[v.Kind], 4*column)
	}
	if v.Condition {
		e.ins("setp.ne.f32 %s, %s, %s", to, number, single(0))
	}
}

// scalar declares the register of a value that all elements share.
func (e *emitter) scalar(value int) string {
	r := e.register(value, fmt.Sprintf("u%d", value))
	e.scalars[value] = r
	return r
}

// register declares a register of a value's type.
func (e *emitter) register(value int, name string) string {
	if e.program.Values[value].Condition {
		return e.pred("%s", "is_"+name)
	}
	return e.f32("%s", name)
}

// operand returns the register of a value.
func (e *emitter) operand(value int) string {
	if r, ok := e.values[value]; ok {
		return r
	}
	return e.scalars[value]
}

func (e *emitter) operands(v *rulefile.Value) (x []string) {
	for _, a := range v.Args {
		x = append(x, e.operand(a))
	}
	return x
}

// loops writes the walk over a chunk: two packs at a time, then one, then what is left.
func (e *emitter) loops(pointers []string, n string) {
	i, packed, next, p := "%i", e.b32("packed"), e.b32("next"), e.pred("past")
	e.ins("and.b32 %s, %s, %d", packed, n, -columns)
	pack, tail, done := e.label("PACK"), e.label("TAIL"), e.label("DONE")
	advance := func(elements int) {
		e.ins("add.u32 %s, %s, %d", i, i, elements)
		for _, at := range pointers {
			e.ins("add.s64 %s, %s, %d", at, at, 4*elements)
		}
	}
	pairs := 2*columns*(len(e.Reads)+len(e.Stores))+len(e.Values) <= mostPairRegisters
	if pairs {
		pair := e.label("PAIR")
		e.loop(pair)
		e.ins("add.u32 %s, %s, %d", next, i, step)
		e.ins("setp.ge.u32 %s, %s, %s", p, next, packed)
		e.ins("@%s bra %s", p, pack)
		e.packs(2)
		advance(2 * step)
		e.ins("bra %s", pair)
	}
	e.loop(pack)
	e.ins("setp.ge.u32 %s, %s, %s", p, i, packed)
	e.ins("@%s bra %s", p, tail)
	e.packs(1)
	advance(step)
	if !pairs { // else there was one at most
		e.ins("bra %s", pack)
	}

	// One thread has arrived where the whole packs end, all others beyond.
	e.at(tail)
	for lane := range columns - 1 {
		next := i
		if lane > 0 {
			next = e.b32("next")
			e.ins("add.u32 %s, %s, %d", next, i, lane)
		}
		e.ins("setp.ge.u32 %s, %s, %s", p, next, n)
		e.ins("@%s bra %s", p, done)
		for _, r := range e.Reads {
			e.ins("ld.global%s.f32 %s, [%s+%d]", e.cache(r.Array), e.lane("in", r.Value, lane), e.address(r.Array), 4*lane)
		}
		e.element(lane)
		for _, s := range e.Stores {
			e.ins("st.global.f32 [%s+%d], %s", e.address(s.Array), 4*lane, e.stored(s.Value, lane))
		}
	}
	e.at(done)
}

// address returns the register with the address of an array's element.
func (e *emitter) address(array string) string { return e.b64("%s", "at_array_"+array) }

// cache returns the suffix of loads from an array that the kernel does not write.
func (e *emitter) cache(array string) string {
	if e.writes(array) {
		return ""
	}
	return ".nc"
}

// lane returns the register of a value that is loaded or stored, of a lane of the packs.
func (e *emitter) lane(what string, value, lane int) string {
	return e.f32("%s%d_%d", what, value, lane)
}

// stored returns the register of a value that is stored.
func (e *emitter) stored(value, lane int) string {
	if r, ok := e.scalars[value]; ok {
		return r
	}
	for _, r := range e.Reads {
		if r.Value == value {
			return e.lane("in", value, lane)
		}
	}
	return e.lane("out", value, lane)
}

// packs writes the work on packs: all loads, then the elements, then all stores.
func (e *emitter) packs(count int) {
	list := func(register func(lane int) string, pack int) string {
		var r [columns]any
		for i := range r {
			r[i] = register(pack*columns + i)
		}
		return fmt.Sprintf("{%s, %s, %s, %s}", r[:]...)
	}
	for pack := range count {
		for _, r := range e.Reads {
			e.ins("ld.global%s.v4.f32 %s, [%s+%d]", e.cache(r.Array), list(func(lane int) string { return e.lane("in", r.Value, lane) }, pack), e.address(r.Array), 4*step*pack)
		}
	}
	for lane := range count * columns {
		e.element(lane)
	}
	for pack := range count {
		for _, s := range e.Stores {
			e.ins("st.global.v4.f32 [%s+%d], %s", e.address(s.Array), 4*step*pack, list(func(lane int) string { return e.stored(s.Value, lane) }, pack))
		}
	}
}

// element writes the operations on an element, and adds it to the reductions.
func (e *emitter) element(lane int) {
	clear(e.values)
	for _, r := range e.Reads {
		e.values[r.Value] = e.lane("in", r.Value, lane)
	}
	stored := map[int]bool{}
	for _, s := range e.Stores {
		stored[s.Value] = true
	}
	for i, value := range e.Values {
		to := ""
		if stored[value] {
			to = e.lane("out", value, lane)
		} else {
			to = e.register(value, fmt.Sprintf("v%d", i))
		}
		v := &e.program.Values[value]
		e.operation(v, to, e.operands(v))
		e.values[value] = to
	}
	for i, r := range e.Reductions {
		e.accumulate(i, r, lane%columns)
	}
}

// Reductions. A sum has a float64 for each column of the thread, a min or max one float32.

func ordered(op rulefile.Op) bool { return op == rulefile.OpReduceMin || op == rulefile.OpReduceMax }

func (e *emitter) sum(i, column int) string { return e.f64("sum%d_%d", i, column) }
func (e *emitter) least(i int) string       { return e.f32("least%d", i) }

// identity is what a min or max begins with.
func identity(op rulefile.Op) float64 {
	switch op {
	case rulefile.OpReduceMin:
		return math.Inf(1)
	case rulefile.OpReduceMax:
		return math.Inf(-1)
	}
	return 0
}

// start writes the beginnings of the reductions.
func (e *emitter) start() {
	for i, r := range e.Reductions {
		if op := e.op(r); ordered(op) {
			e.ins("mov.f32 %s, %s", e.least(i), single(float32(identity(op))))
			continue
		}
		for column := range columns {
			e.ins("mov.f64 %s, %s", e.sum(i, column), double(0))
		}
	}
}

// accumulate adds the element at work to a reduction.
func (e *emitter) accumulate(i, r, column int) {
	op, x := e.op(r), e.operand(e.program.Values[r].Args[0])
	if ordered(op) {
		e.extreme("f32", op == rulefile.OpReduceMax, e.least(i), e.least(i), x)
		return
	}
	wide := e.f64("wide")
	e.ins("cvt.f64.f32 %s, %s", wide, x)
	if op == rulefile.OpReduceNorm {
		e.ins("mul.rn.f64 %s, %s, %s", wide, wide, wide)
	}
	e.ins("add.rn.f64 %s, %s, %s", e.sum(i, column), e.sum(i, column), wide)
}

// doubled moves a thread's part of a reduction to where fold takes it, and returns the number
// of columns.
func (e *emitter) doubled(i int) int {
	if ordered(e.op(e.Reductions[i])) {
		e.ins("cvt.f64.f32 %s, %s", e.total(0), e.least(i))
		return 1
	}
	for column := range columns {
		e.ins("mov.f64 %s, %s", e.total(column), e.sum(i, column))
	}
	return columns
}

func (t *text) total(column int) string { return t.f64("total%d", column) }

// fold combines the totals of all threads, each with some columns next to each other, by
// halves. The thread for which %first is true gets the result in the first.
func (t *text) fold(op rulefile.Op, count int) {
	address, p, other := t.b32("address"), t.pred("upper"), t.f64("other")
	combine := func(to, x string) {
		if ordered(op) {
			t.extreme("f64", op == rulefile.OpReduceMax, to, to, x)
		} else {
			t.ins("add.rn.f64 %s, %s, %s", to, to, x)
		}
	}
	if t.shared == 0 {
		t.ins("setp.eq.u32 %s, %%thread, 0", t.pred("first"))
		t.ins("mov.u32 %s, shared", address)
		t.ins("mad.lo.u32 %s, %%thread, 8, %s", address, address)
	} else {
		t.ins("bar.sync 0") // the fold before has been read
	}
	t.shared = max(t.shared, 8*threads*count)
	put := func() {
		for c := range count {
			t.ins("st.shared.f64 [%s+%d], %s", address, 8*threads*c, t.total(c))
		}
	}
	put()
	for half := threads / 2; half > 0; half /= 2 {
		skip := t.label("SKIP")
		t.ins("bar.sync 0")
		t.ins("setp.ge.u32 %s, %%thread, %d", p, half)
		t.ins("@%s bra %s", p, skip)
		for c := range count {
			t.ins("ld.shared.f64 %s, [%s+%d]", other, address, 8*threads*c+8*half)
			combine(t.total(c), other)
		}
		if half > 1 {
			put()
		}
		t.at(skip)
	}
	for half := count / 2; half > 0; half /= 2 {
		for c := range half {
			combine(t.total(c), t.total(c+half))
		}
	}
}

// emitFinish returns the PTX of a kernel that finishes reductions, see finish.
func (k *Kernels) emitFinish(f *finishing) string {
	t := newText(f.entry, "Each block combines partial results of reductions.")
	partials, first, sizes, results := t.pointer("partials"), t.pointer("first"), t.pointer("sizes"), t.pointer("results")
	totals := ""
	if len(f.passed) > 0 {
		totals = t.pointer("totals")
	}
	i, begin, end, size := t.thread(), t.b32("begin"), t.b32("end"), t.b32("size")
	t.ins("mad.wide.u32 %s, %%block, 4, %s", first, first)
	t.ins("ld.global.nc.u32 %s, [%s]", begin, first)
	t.ins("ld.global.nc.u32 %s, [%s+4]", end, first)
	t.ins("add.u32 %s, %s, %%thread", begin, begin)
	t.ins("mad.wide.u32 %s, %%block, 4, %s", sizes, sizes)
	t.ins("ld.global.nc.u32 %s, [%s]", size, sizes)
	t.ins("mad.wide.u32 %s, %%block, %d, %s", results, 4*len(k.reductions), results)
	if totals != "" {
		t.ins("mad.wide.u32 %s, %%block, %d, %s", totals, 8*len(f.passed), totals)
	}
	at, p, x := t.b64("at"), t.pred("past"), t.f64("wide")
	for part, r := range f.reductions {
		op := k.Program.Values[r].Op
		loop, done := t.label("LOOP"), t.label("DONE")
		total := t.total(0)
		t.ins("mov.f64 %s, %s", total, double(identity(op)))
		t.ins("mov.u32 %s, %s", i, begin)
		t.at(loop)
		t.ins("setp.ge.u32 %s, %s, %s", p, i, end)
		t.ins("@%s bra %s", p, done)
		t.ins("mad.wide.u32 %s, %s, %d, %s", at, i, 8*len(f.reductions), partials)
		t.ins("ld.global.nc.f64 %s, [%s+%d]", x, at, 8*part)
		if ordered(op) {
			t.extreme("f64", op == rulefile.OpReduceMax, total, total, x)
		} else {
			t.ins("add.rn.f64 %s, %s, %s", total, total, x)
		}
		t.ins("add.u32 %s, %s, %d", i, i, threads)
		t.ins("bra %s", loop)
		t.at(done)
		t.fold(op, 1)
		if column := f.passedAt(r); column >= 0 {
			t.ins("@%%first st.global.f64 [%s+%d], %s", totals, 8*column, total)
			continue
		}
		switch op {
		case rulefile.OpReduceMean:
			t.ins("cvt.rn.f64.u32 %s, %s", x, size)
			t.ins("div.rn.f64 %s, %s, %s", total, total, x)
		case rulefile.OpReduceNorm:
			t.ins("sqrt.rn.f64 %s, %s", total, total)
		}
		result := t.f32("result")
		t.ins("cvt.rn.f32.f64 %s, %s", result, total)
		if ordered(op) {
			t.ins("add.rn.f32 %s, %s, %s", result, result, single(0)) // +0 for -0
		}
		t.ins("@%%first st.global.f32 [%s+%d], %s", results, 4*k.reduction(r), result)
	}
	return t.String()
}
