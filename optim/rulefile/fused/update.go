package fused

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/blocks"
)

// Buffers is the memory that the kernels of a program work on. Values, Gradients, Curvature,
// Evaluation and each slot have the same layout.
type Buffers struct {
	Values, Gradients gpu.Slice[float32]
	// Curvature is h, or null for a program that does not read it.
	Curvature gpu.Slice[float32]
	Slots     []gpu.Slice[float32] // in the order of the rule
	// Evaluation gets the weights for evaluation. It is null for a rule that has none.
	Evaluation gpu.Slice[float32]

	Lengths       []int             // elements of the tensors
	Chunks, First gpu.Slice[uint32] // of the tensors, see kernels.ChunkTable
	State         gpu.Slice[uint32] // [kernels.StateWords]
	// Loss has the mean loss of a step's batch at index State[kernels.StateBatch], before the
	// update. It is null for a program that does not read it.
	Loss gpu.Slice[float32]
}

// Update is the kernels of a program bound to the memory of a run.
type Update struct {
	k                     *Kernels
	b                     Buffers
	numbers               *rulefile.Coefficients
	stepRows, tensorRows  gpu.Slice[float32] // the numbers' Steps and Tables
	partials              gpu.Slice[uint32]  // [chunks, reductions of a pass], float64
	totals                gpu.Slice[uint32]  // [tensors, those over all of a pass], float64
	sizes                 gpu.Slice[uint32]  // [tensors + 1]: the elements of each and of all
	whole                 gpu.Slice[uint32]  // {0, tensors}
	results               gpu.Slice[float32] // [tensors + 1, reductions of the program], those over all in the last row
	elements, tensorCount int
}

// Bind binds the kernels to the memory of a run, and reserves the tables of the coefficients
// and what kernels leave to each other. The coefficients are of the program and a run with the
// tensors of the buffers. Bind panics if a buffer is missing that the program needs.
func (k *Kernels) Bind(a *gpu.Arena, b Buffers, c *rulefile.Coefficients) *Update {
	tensors := len(b.Lengths)
	u := &Update{k: k, b: b, numbers: c, tensorCount: tensors}
	sizes := make([]uint32, tensors+1)
	for i, n := range b.Lengths {
		sizes[i] = uint32(n)
		u.elements += n
	}
	sizes[tensors] = uint32(u.elements)
	mostReductions, mostOfAll, needsLoss := 0, 0, false
	for _, p := range k.all() {
		mostReductions = max(mostReductions, len(p.Reductions))
		if p.tensors != nil {
			mostOfAll = max(mostOfAll, len(p.tensors.passed))
		}
		needsLoss = needsLoss || p.loss
		for _, name := range p.arrays {
			if u.array(name).IsNull() {
				panic(fmt.Sprintf("fused: Bind without the buffer of %s, which rule %s needs", name, k.Program.Rule.Name))
			}
		}
	}
	if needsLoss && b.Loss.IsNull() {
		panic(fmt.Sprintf("fused: Bind without the buffer of the loss, which rule %s needs", k.Program.Rule.Name))
	}
	if len(c.Steps) > 0 {
		u.stepRows = gpu.ReserveCopy(a, c.Steps)
	}
	if len(c.Tables) > 0 {
		u.tensorRows = gpu.ReserveCopy(a, c.Tables)
	}
	if mostReductions > 0 {
		u.partials = gpu.Reserve[uint32](a, 2*mostReductions*b.Chunks.Len()/kernels.ChunkWords)
		u.sizes, u.whole = gpu.ReserveCopy(a, sizes), gpu.ReserveCopy(a, []uint32{0, uint32(tensors)})
		u.results = gpu.Reserve[float32](a, (tensors+1)*len(k.reductions))
	}
	if mostOfAll > 0 {
		u.totals = gpu.Reserve[uint32](a, 2*mostOfAll*tensors)
	}
	return u
}

// array returns the memory of an array by its name.
func (u *Update) array(name string) gpu.Slice[float32] {
	switch name {
	case "w":
		return u.b.Values
	case "g":
		return u.b.Gradients
	case "h":
		return u.b.Curvature
	case "eval":
		return u.b.Evaluation
	}
	for i, slot := range u.k.Program.Rule.Slots {
		if slot.Name == name && i < len(u.b.Slots) {
			return u.b.Slots[i]
		}
	}
	return gpu.Slice[float32]{}
}

// Record records the update of all tensors by a step, the one that State counts next.
func (u *Update) Record(r *gpu.Recorder) {
	for _, p := range u.k.passes {
		u.record(r, p)
	}
}

// RecordEvaluation records the computation of the weights for evaluation from those of
// training. It panics if the rule has none.
func (u *Update) RecordEvaluation(r *gpu.Recorder) {
	if u.k.evaluation == nil {
		panic(fmt.Sprintf("fused: rule %s has no weights for evaluation", u.k.Program.Rule.Name))
	}
	u.record(r, u.k.evaluation)
}

func (u *Update) record(r *gpu.Recorder, p *pass) {
	kernel := &sweepKernel{Update: u, pass: p}
	for _, name := range p.arrays {
		kernel.arrays = append(kernel.arrays, u.array(name))
	}
	r.Record(kernel)
	tensors, reductions := u.tensorCount, len(u.k.reductions)
	if f := p.tensors; f != nil {
		r.Record(&finishKernel{
			k: u.k, finishing: f, partials: u.partials, first: u.b.First, sizes: u.sizes.Sub(0, tensors),
			results: u.results.Sub(0, tensors*reductions), totals: u.totals,
		})
	}
	if f := p.all; f != nil {
		r.Record(&finishKernel{
			k: u.k, finishing: f, partials: u.totals, first: u.whole, sizes: u.sizes.Sub(tensors, tensors+1),
			results: u.results.Sub(tensors*reductions, (tensors+1)*reductions),
		})
	}
}

// sweepKernel is a pass over the elements. A block is a chunk.
type sweepKernel struct {
	*Update
	*pass
	arrays []gpu.Slice[float32] // of the pass
	// machines are those of blocks that ran on the host.
	machines sync.Pool
}

var (
	_ gpu.Sourced = (*sweepKernel)(nil)
	_ gpu.Sourced = (*finishKernel)(nil)
)

func (k *sweepKernel) Entry() string               { return k.entry }
func (k *sweepKernel) Module() (name, text string) { return k.k.Module() }
func (k *sweepKernel) Grid() gpu.Grid {
	return gpu.Grid{Blocks: k.b.Chunks.Len() / kernels.ChunkWords, Threads: threads}
}

// Cost counts each array once for each direction, and an operation for each value.
func (k *sweepKernel) Cost() gpu.Cost {
	n := int64(k.elements)
	return gpu.Cost{Bytes: 4 * n * int64(len(k.Reads)+len(k.Stores)), Flops: n * int64(len(k.Values)+len(k.Reductions))}
}

// Arguments are in the order in which emitter.prologue declares the parameters.
func (k *sweepKernel) Arguments() [][]byte {
	var all []any
	for _, array := range k.arrays {
		all = append(all, array)
	}
	all = append(all, k.b.Chunks)
	if len(k.steps) > 0 || k.loss {
		all = append(all, k.b.State)
	}
	if len(k.steps) > 0 {
		all = append(all, k.stepRows)
	}
	if len(k.tables) > 0 {
		all = append(all, k.tensorRows)
	}
	if k.tensorwise() && len(k.reduced) > 0 {
		all = append(all, k.results)
	}
	if k.everywhere() {
		all = append(all, k.resultsOfAll())
	}
	if k.loss {
		all = append(all, k.b.Loss)
	}
	if len(k.Reductions) > 0 {
		all = append(all, k.partials)
	}
	for _, column := range k.constants {
		all = append(all, k.numbers.Constants[column])
	}
	return gpu.Pack(all...)
}

// Parameters names the parameters of a kernel of one's own, see [Own], in their order: those of
// Arguments.
func (k *Kernels) Parameters() (names []string) {
	s := k.passes[0].sweep
	names = append(slices.Clone(s.arrays), "chunks", "state", "steps")
	if len(s.tables) > 0 {
		names = append(names, "tables")
	}
	for _, column := range s.constants {
		number := &k.Program.Values[k.Program.Values[k.Program.Constants[column]].Args[0]]
		name := fmt.Sprintf("the number of line %d", number.Line)
		if number.Op == rulefile.OpKey {
			name = number.Name
		}
		names = append(names, name)
	}
	return names
}

func (u *Update) resultsOfAll() gpu.Slice[float32] {
	n := len(u.k.reductions)
	return u.results.Sub(u.tensorCount*n, (u.tensorCount+1)*n)
}

// Host does chunks lo to hi-1.
func (k *sweepKernel) Host(lo, hi int) {
	m, ok := k.machines.Get().(*machine)
	if !ok {
		m = k.body.machine(len(k.Reductions))
	}
	defer k.machines.Put(m)
	chunks := k.b.Chunks.Host()
	for chunk := lo; chunk < hi; chunk++ {
		c := chunks[chunk*kernels.ChunkWords:][:kernels.ChunkWords]
		offset, n, tensor := int(c[0]), int(c[1]), int(c[2])
		for i, array := range k.arrays {
			m.arrays[i] = array.Host()[offset : offset+n]
		}
		k.shared(m, tensor)
		for i, r := range k.Reductions {
			m.extremes[i] = float32(identity(k.program.Values[r].Op))
		}
		m.chunk(n)
		for i, r := range k.Reductions {
			v := float64(m.extremes[i])
			if !ordered(k.program.Values[r].Op) {
				v = m.columns[i].Fold()
			}
			putDouble(k.partials, chunk*len(k.Reductions)+i, v)
		}
	}
}

// shared computes what the elements of a chunk share.
func (k *sweepKernel) shared(m *machine, tensor int) {
	for _, value := range k.Scalars {
		v := &k.program.Values[value]
		to := &m.numbers[value]
		switch {
		case v.Op == rulefile.OpNumber:
			*to = float32(v.Number)
		case v.Op == rulefile.OpRound:
			*to = k.coefficient(value, tensor)
			if v.Condition {
				*to = blocks.Condition(*to != 0).Number
			}
		case v.Op == rulefile.OpLoss:
			*to = k.b.Loss.Host()[k.b.State.Host()[kernels.StateBatch]]
		case v.Op.Reduces():
			row := tensor
			if v.Name == "all" {
				row = k.tensorCount
			}
			*to = k.results.Host()[row*len(k.k.reductions)+k.k.reduction(value)]
		}
	}
	m.share()
}

// coefficient returns a number of the host.
func (k *sweepKernel) coefficient(value, tensor int) float32 {
	_, column := k.column(value)
	switch k.program.Values[value].Kind {
	case rulefile.Const:
		return k.numbers.Constants[column]
	case rulefile.Step:
		return k.stepRows.Host()[int(k.b.State.Host()[kernels.StateStep])*len(k.program.Steps)+column]
	}
	return k.tensorRows.Host()[tensor*len(k.program.Tables)+column]
}

// finishKernel combines partial results: those of a tensor's chunks in a block each, or those
// of all tensors in one block.
type finishKernel struct {
	k *Kernels
	*finishing
	partials gpu.Slice[uint32]  // [chunks or tensors, reductions], float64
	first    gpu.Slice[uint32]  // [blocks + 1]: the first partial result of each block
	sizes    gpu.Slice[uint32]  // [blocks]: elements
	results  gpu.Slice[float32] // [blocks, reductions of the program], those of this kernel written
	totals   gpu.Slice[uint32]  // [blocks, passed], float64, written
}

func (f *finishKernel) Entry() string               { return f.entry }
func (f *finishKernel) Module() (name, text string) { return f.k.Module() }
func (f *finishKernel) Grid() gpu.Grid              { return gpu.Grid{Blocks: f.sizes.Len(), Threads: threads} }

// Cost counts the partial results.
func (f *finishKernel) Cost() gpu.Cost {
	n := int64(f.partials.Len() / 2)
	return gpu.Cost{Bytes: 8 * n, Flops: n}
}

// Arguments are in the order in which Kernels.emitFinish declares the parameters.
func (f *finishKernel) Arguments() [][]byte {
	all := gpu.Pack(f.partials, f.first, f.sizes, f.results)
	if len(f.passed) > 0 {
		all = append(all, gpu.Pack(f.totals)...)
	}
	return all
}

// Host does blocks lo to hi-1.
func (f *finishKernel) Host(lo, hi int) {
	first, n := f.first.Host(), len(f.reductions)
	for block := lo; block < hi; block++ {
		for i, r := range f.reductions {
			op := f.k.Program.Values[r].Op
			var parts []float64
			for part := int(first[block]); part < int(first[block+1]); part++ {
				parts = append(parts, double64(f.partials, part*n+i))
			}
			total := combined(op, parts)
			if column := f.passedAt(r); column >= 0 {
				putDouble(f.totals, block*len(f.passed)+column, total)
				continue
			}
			switch op {
			case rulefile.OpReduceMean:
				total /= float64(f.sizes.Host()[block])
			case rulefile.OpReduceNorm:
				total = math.Sqrt(total)
			}
			result := float32(total)
			if ordered(op) {
				result += 0 // +0 for -0
			}
			f.results.Host()[block*len(f.k.reductions)+f.k.reduction(r)] = result
		}
	}
}

// combined combines the partial results of a reduction.
func combined(op rulefile.Op, parts []float64) float64 {
	if !ordered(op) {
		return blocks.Sum(parts)
	}
	total := identity(op)
	for _, v := range parts {
		if op == rulefile.OpReduceMin {
			total = min(total, v)
		} else {
			total = max(total, v)
		}
	}
	return total
}

// double64 returns a float64 of a buffer of words.
func double64(words gpu.Slice[uint32], i int) float64 {
	w := words.Host()[2*i:][:2]
	return math.Float64frombits(uint64(w[0]) | uint64(w[1])<<32)
}

func putDouble(words gpu.Slice[uint32], i int, v float64) {
	w, bits := words.Host()[2*i:][:2], math.Float64bits(v)
	w[0], w[1] = uint32(bits), uint32(bits>>32)
}
