package ptx

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Check says how much of what a kernel does is looked at.
type Check uint8

const (
	CheckNone   Check = iota // only what could not go on: bounds, alignment, divergent barriers, warp masks
	CheckMemory              // also reads of memory and registers never written, and barriers after some threads have left
	CheckFull                // also races in shared and global memory; memory instructions take about three times as long
)

func (c Check) String() string { return [...]string{"none", "memory", "full"}[c] }

// Options of a launch. The zero value checks least and runs on every CPU.
type Options struct {
	Check Check
	// Workers is the number of goroutines that blocks are spread over; 0 = one for each CPU.
	Workers int
	// Order, if not 0, is the seed of a random order of blocks, warps and sides of branches. One worker then runs all of them, so that the order repeats.
	Order uint64
	// Budget is the number of warp instructions after which the launch is stopped as hanging; 0 = 1e11.
	Budget int64
}

// Launch is the geometry of a launch and its arguments.
type Launch struct {
	Blocks, Threads int      // in one dimension; threads are those of a block; a zero stands for 1
	Arguments       [][]byte // one for each parameter, little-endian, of exactly its size
	Options         Options

	parameters []byte
}

// Limits of every GPU since compute capability 3.0.
const (
	maxBlocks       = 1<<31 - 1
	maxBlockThreads = 1024
	defaultBudget   = 100_000_000_000
)

// prepare completes the launch and refuses what a GPU would refuse.
func (k *Kernel) prepare(l *Launch) error {
	refuse := func(format string, arguments ...any) error {
		return &LaunchError{k.Name, fmt.Sprintf(format, arguments...)}
	}
	l.Blocks, l.Threads = cmp.Or(l.Blocks, 1), cmp.Or(l.Threads, 1)
	switch {
	case l.Blocks < 1 || l.Blocks > maxBlocks:
		return refuse("%d blocks: there must be 1 to %d", l.Blocks, maxBlocks)
	case l.Threads < 1 || l.Threads > k.MaxThreads:
		return refuse("blocks of %d threads, the kernel allows 1 to %d", l.Threads, k.MaxThreads)
	case len(l.Arguments) != len(k.Parameters):
		return refuse("%d arguments, the kernel has %d parameters", len(l.Arguments), len(k.Parameters))
	}
	l.parameters = make([]byte, k.parameterBytes)
	for i, p := range k.Parameters {
		if len(l.Arguments[i]) != p.Size {
			return refuse("argument %d has %d bytes, parameter %s has %d", i, len(l.Arguments[i]), p.Name, p.Size)
		}
		copy(l.parameters[p.offset:], l.Arguments[i])
	}
	return nil
}

// execution is a launch under way, shared by its workers.
type execution struct {
	kernel  *Kernel
	memory  *Memory
	launch  *Launch
	context context.Context
	budget  atomic.Int64
	next    atomic.Int64
	stop    atomic.Bool
	races   *globalRaces // nil unless they are looked for
	order   []int        // of the blocks; nil for the natural one

	mutex sync.Mutex
	err   error
	total Counters
}

// Run runs the kernel to its end. Errors are *LaunchError, *Fault, or the context's.
// The counters are of what ran, also after an error.
func (k *Kernel) Run(ctx context.Context, memory *Memory, launch Launch) (Counters, error) {
	if err := k.prepare(&launch); err != nil {
		return Counters{}, err
	}
	memory.mutex.RLock()
	defer memory.mutex.RUnlock()
	e := &execution{kernel: k, memory: memory, launch: &launch, context: ctx}
	e.budget.Store(launch.Options.Budget)
	if launch.Options.Budget == 0 {
		e.budget.Store(defaultBudget)
	}
	if launch.Options.Check == CheckFull {
		e.races = newGlobalRaces(k, memory.allocations, &memory.shadow)
		defer e.races.recycle()
	}
	workers := launch.Options.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, launch.Blocks)
	if launch.Options.Order != 0 {
		workers = 1
		e.order = rand.New(rand.NewPCG(launch.Options.Order, 1)).Perm(launch.Blocks)
	}
	var group sync.WaitGroup
	for range workers - 1 {
		group.Add(1)
		go func() {
			defer group.Done()
			e.work()
		}()
	}
	e.work()
	group.Wait()
	return e.total, e.err
}

// fail keeps the first error and stops all workers.
func (e *execution) fail(err error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.err == nil {
		e.err = err
	}
	e.stop.Store(true)
}

// failed gives the error that stopped the launch.
func (e *execution) failed() error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.err
}

// work runs blocks until there are no more.
func (e *execution) work() {
	w := newWorker(e)
	for !e.stop.Load() {
		i := int(e.next.Add(1) - 1)
		if i >= e.launch.Blocks {
			break
		}
		if e.order != nil {
			i = e.order[i]
		}
		if err := w.runBlock(i); err != nil {
			e.fail(err)
		}
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.total.add(&w.counters)
}
