package rulefile

import (
	"math/bits"
	"slices"
)

// plan divides the operations into passes. The reductions whose operands are of stage p are
// in pass p, and an array may be stored in any pass from the stage of its value on. Behind
// that, passes read the new value; before, they compute it from the old one where they need
// it. Of all choices plan takes the one with the fewest bytes; of equal ones the first,
// in which w is stored earliest, then the first slot, and so on.
func (p *Program) plan() {
	l := &planner{p: p, array: map[string]uint16{}, memo: map[goal]uint16{}, reduce: make([][]int, 1)}
	for i, name := range append([]string{"g", "h", "w"}, p.Rule.slotNames()...) {
		l.array[name] = 1 << i
	}
	for i := range p.Values {
		if v := &p.Values[i]; v.Op.Reduces() {
			stage := v.Stage - 1 // of the operand
			for len(l.reduce) < stage+2 {
				l.reduce = append(l.reduce, nil)
			}
			l.reduce[stage] = append(l.reduce[stage], i)
		}
	}
	l.at = make([]int, len(p.Stores))
	l.choose(0)
	touched := uint16(0)
	for i := range l.reduce {
		pass := l.pass(i)
		p.Passes = append(p.Passes, pass)
		p.Bytes += 4 * (len(pass.Reads) + len(pass.Stores))
		for _, r := range pass.Reads {
			if v := p.Values[r.Value]; v.Op == OpLoad {
				touched |= l.array[v.Name]
			}
		}
	}
	p.Touch = 4 * (bits.OnesCount16(touched) + len(p.Stores))
	if p.Evaluation != nil {
		l.evaluation(p.Evaluation)
	}
}

// planner searches the passes in which arrays are stored.
type planner struct {
	p      *Program
	array  map[string]uint16 // the bit of each array, of which sets are made
	reduce [][]int           // reductions by pass
	at     []int             // the pass of each store
	best   []int
	bytes  int // of best
	memo   map[goal]uint16
}

// goal is what a pass makes, after the arrays in stored have got their new values: its
// reductions, or the value of a store.
type goal struct {
	pass   int // -1 for a store
	store  int
	stored uint16
}

// impossible is the set of reads of a goal that needs an old value which is gone.
const impossible = 1 << 15

// choose tries all passes for the stores from i on.
func (l *planner) choose(i int) {
	if i == len(l.at) {
		if bytes := l.cost(); bytes > 0 && (l.best == nil || bytes < l.bytes) {
			l.best, l.bytes = slices.Clone(l.at), bytes
		}
		return
	}
	for pass := l.p.Values[l.p.Stores[i].Value].Stage; pass < len(l.reduce); pass++ {
		l.at[i] = pass
		l.choose(i + 1)
	}
}

// stored returns the arrays that have their new values before a pass.
func (l *planner) stored(at []int, pass int) (set uint16) {
	for i, s := range l.p.Stores {
		if at[i] < pass {
			set |= l.array[s.Array]
		}
	}
	return set
}

// cost returns the bytes of a choice for an element, or 0 if it is impossible.
func (l *planner) cost() int {
	bytes := 4 * len(l.at)
	for pass := range l.reduce {
		stored := l.stored(l.at, pass)
		reads := l.reads(goal{pass, -1, stored})
		for i := range l.at {
			if l.at[i] == pass {
				reads |= l.reads(goal{-1, i, stored})
			}
		}
		if reads&impossible != 0 {
			return 0
		}
		bytes += 4 * bits.OnesCount16(reads)
	}
	return bytes
}

// reads returns the arrays that a goal needs.
func (l *planner) reads(g goal) uint16 {
	reads, ok := l.memo[g]
	if ok {
		return reads
	}
	w := l.walk(g.stored)
	if g.pass < 0 {
		w.need(l.p.Stores[g.store].Value)
	} else {
		w.reductions(l.reduce[g.pass])
	}
	for _, r := range w.reads {
		reads |= l.array[r.Array]
	}
	if w.impossible {
		reads = impossible
	}
	l.memo[g] = reads
	return reads
}

// pass makes a pass of the best choice.
func (l *planner) pass(pass int) Pass {
	w := l.walk(l.stored(l.best, pass))
	w.reductions(l.reduce[pass])
	made := Pass{Reductions: l.reduce[pass]}
	for i, s := range l.p.Stores {
		if l.best[i] == pass {
			w.need(s.Value)
			made.Stores = append(made.Stores, s)
		}
	}
	w.fill(&made)
	return made
}

// evaluation completes the pass that makes the weights for evaluation.
func (l *planner) evaluation(pass *Pass) {
	w := l.walk(0)
	w.need(pass.Stores[0].Value)
	w.fill(pass)
}

// walk finds what a pass needs.
type walk struct {
	p          *Program
	stored     map[int]string // new values that are in an array
	gone       map[string]bool
	seen       map[int]bool
	reads      []Read
	scalars    []int
	values     []int
	impossible bool
}

func (l *planner) walk(stored uint16) *walk {
	w := &walk{p: l.p, stored: map[int]string{}, gone: map[string]bool{}, seen: map[int]bool{}}
	for _, s := range l.p.Stores {
		if stored&l.array[s.Array] == 0 {
			continue
		}
		w.gone[s.Array] = true
		if _, twice := w.stored[s.Value]; !twice && l.p.Values[s.Value].Kind == Element {
			w.stored[s.Value] = s.Array
		}
	}
	return w
}

func (w *walk) reductions(all []int) {
	for _, i := range all {
		w.need(w.p.Values[i].Args[0])
	}
}

// need adds a value of the device and what it is made of.
func (w *walk) need(i int) {
	if w.seen[i] {
		return
	}
	w.seen[i] = true
	v := &w.p.Values[i]
	array, stored := w.stored[i]
	switch {
	case stored:
		w.reads = append(w.reads, Read{array, i})
		return
	case v.Op == OpLoad:
		w.impossible = w.impossible || w.gone[v.Name]
		w.reads = append(w.reads, Read{v.Name, i})
		return
	case v.Kind == Element:
		w.values = append(w.values, i)
	default:
		w.scalars = append(w.scalars, i)
	}
	if v.Op == OpRound || v.Op.Reduces() {
		return
	}
	for _, a := range v.Args {
		w.need(a)
	}
}

// fill writes what was found into a pass, in the order of the values.
func (w *walk) fill(p *Pass) {
	slices.Sort(w.scalars)
	slices.Sort(w.values)
	slices.SortFunc(w.reads, func(a, b Read) int { return a.Value - b.Value })
	p.Scalars, p.Reads, p.Values = w.scalars, w.reads, w.values
}
