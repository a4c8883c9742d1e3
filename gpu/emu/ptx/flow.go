package ptx

// basicBlock is a run of instructions entered only at its start and left only at its end.
type basicBlock struct {
	first, last int32 // instructions, inclusive
	successors  []int // blocks; the virtual exit is block len(blocks)
}

// analyse finds the reconvergence point of every branch and the registers that may be read before they are written.
func (k *Kernel) analyse(slots int) {
	blocks := k.basicBlocks()
	k.setReconvergence(blocks)
	k.setTracked(blocks, slots)
}

func (k *Kernel) basicBlocks() []basicBlock {
	leader := make([]bool, len(k.code)+1)
	leader[0] = true
	for i := range k.code {
		in := &k.code[i]
		switch in.kind {
		case kindBranch:
			leader[in.target], leader[i+1] = true, true
		case kindExit:
			leader[i+1] = true
		}
	}
	number := make([]int, len(k.code)+1)
	var blocks []basicBlock
	for i := range k.code {
		if leader[i] {
			blocks = append(blocks, basicBlock{first: int32(i)})
		}
		number[i] = len(blocks) - 1
		blocks[len(blocks)-1].last = int32(i)
	}
	exit := len(blocks)
	number[len(k.code)] = exit
	for b := range blocks {
		last := blocks[b].last
		in := &k.code[last]
		next := number[last+1]
		conditional := in.guard >= 0
		switch in.kind {
		case kindBranch:
			blocks[b].successors = append(blocks[b].successors, number[in.target])
		case kindExit:
			blocks[b].successors = append(blocks[b].successors, exit)
		default:
			conditional = true
		}
		if conditional {
			blocks[b].successors = append(blocks[b].successors, next)
		}
	}
	return blocks
}

// setReconvergence finds immediate post-dominators: K. D. Cooper, T. J. Harvey and K. Kennedy, "A Simple, Fast Dominance
// Algorithm" (2001), on the graph with its edges turned round and the virtual exit as its root.
func (k *Kernel) setReconvergence(blocks []basicBlock) {
	exit := len(blocks)
	predecessors := predecessorsOf(blocks)
	// Reverse post-order of the turned graph: the exit first. Blocks that never reach the exit are not in it.
	order := make([]int, 0, exit+1)
	rank := make([]int, exit+1)
	for i := range rank {
		rank[i] = -1
	}
	type visit struct{ block, next int }
	stack := []visit{{exit, 0}}
	seen := make([]bool, exit+1)
	seen[exit] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next < len(predecessors[top.block]) {
			p := predecessors[top.block][top.next]
			top.next++
			if !seen[p] {
				seen[p] = true
				stack = append(stack, visit{p, 0})
			}
			continue
		}
		rank[top.block] = len(order)
		order = append(order, top.block)
		stack = stack[:len(stack)-1]
	}
	postDominator := make([]int, exit+1)
	for i := range postDominator {
		postDominator[i] = -1
	}
	postDominator[exit] = exit
	for changed := true; changed; {
		changed = false
		for i := len(order) - 2; i >= 0; i-- {
			b := order[i]
			found := -1
			for _, s := range blocks[b].successors {
				if postDominator[s] < 0 {
					continue
				}
				if found < 0 {
					found = s
					continue
				}
				for other := s; found != other; {
					for rank[found] < rank[other] {
						found = postDominator[found]
					}
					for rank[other] < rank[found] {
						other = postDominator[other]
					}
				}
			}
			if found != postDominator[b] {
				postDominator[b] = found
				changed = true
			}
		}
	}
	for b := range blocks {
		if at := postDominator[b]; at >= 0 && at < exit {
			k.code[blocks[b].last].reconverge = blocks[at].first
		}
	}
}

func predecessorsOf(blocks []basicBlock) [][]int {
	predecessors := make([][]int, len(blocks)+1)
	for b := range blocks {
		for _, s := range blocks[b].successors {
			predecessors[s] = append(predecessors[s], b)
		}
	}
	return predecessors
}

// setTracked finds, by a forward "definitely assigned" analysis, the uses that some path reaches without a definition. Only
// the registers of those uses cost anything at run time. A definition under a guard counts for nothing here.
func (k *Kernel) setTracked(blocks []basicBlock, slots int) {
	words := (slots + 63) / 64
	in := make([][]uint64, len(blocks))
	made := make([][]uint64, len(blocks))
	for b := range blocks {
		in[b], made[b] = make([]uint64, words), make([]uint64, words)
		for i := range in[b] {
			if b > 0 {
				in[b][i] = ^uint64(0)
			}
		}
		for i := blocks[b].first; i <= blocks[b].last; i++ {
			if k.code[i].guard < 0 {
				for _, slot := range k.code[i].defines {
					made[b][slot/64] |= 1 << (slot % 64)
				}
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for b := range blocks {
			for _, s := range blocks[b].successors {
				if s == len(blocks) {
					continue
				}
				for i := range in[s] {
					if both := in[s][i] & (in[b][i] | made[b][i]); both != in[s][i] {
						in[s][i] = both
						changed = true
					}
				}
			}
		}
	}
	number := make([]int32, slots)
	for b := range blocks {
		assigned := append([]uint64(nil), in[b]...)
		for i := blocks[b].first; i <= blocks[b].last; i++ {
			c := &k.code[i]
			for j, slot := range c.uses {
				if assigned[slot/64]>>(slot%64)&1 == 0 {
					if number[slot] == 0 {
						k.tracked++
						number[slot] = int32(k.tracked)
					}
					c.checks = append(c.checks, number[slot]-1)
					c.guardChecked = c.guardChecked || j == 0 && c.guard >= 0
				}
			}
			if c.guard < 0 {
				for _, slot := range c.defines {
					assigned[slot/64] |= 1 << (slot % 64)
				}
			}
		}
	}
	for i := range k.code {
		c := &k.code[i]
		for _, slot := range c.defines {
			if number[slot] > 0 {
				c.marks = append(c.marks, number[slot]-1)
			}
		}
		c.tracked = len(c.checks)+len(c.marks) > 0
	}
}
