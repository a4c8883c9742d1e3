package ptx

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Check says how much of what a kernel does is looked at.
type Check uint8

const (
	CheckNone   Check = iota // only what could not go on: bounds, alignment, divergent barriers, warp masks, deadlock
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
	Grid, Block [3]int   // a zero stands for 1
	Shared      int      // bytes of dynamic shared memory
	Arguments   [][]byte // one for each parameter, little-endian, of exactly its size
	Options     Options

	parameters []byte
}

func (l *Launch) threads() int { return l.Block[0] * l.Block[1] * l.Block[2] }
func (l *Launch) blocks() int64 {
	return int64(l.Grid[0]) * int64(l.Grid[1]) * int64(l.Grid[2])
}

// Limits of every GPU since compute capability 3.0, and of dynamic shared memory on the largest.
const (
	maxBlockThreads = 1024
	maxSharedTotal  = 227 << 10
	defaultBudget   = 100_000_000_000
)

var (
	maxGrid  = [3]int{1<<31 - 1, 65535, 65535}
	maxBlock = [3]int{1024, 1024, 64}
)

// prepare completes the launch and refuses what a GPU would refuse.
func (k *Kernel) prepare(l *Launch) error {
	refuse := func(format string, arguments ...any) error {
		return &LaunchError{k.Name, fmt.Sprintf(format, arguments...)}
	}
	for i := range 3 {
		if l.Grid[i] == 0 {
			l.Grid[i] = 1
		}
		if l.Block[i] == 0 {
			l.Block[i] = 1
		}
		if l.Grid[i] < 0 || l.Grid[i] > maxGrid[i] {
			return refuse("grid %v: dimension %d must be 1 to %d", l.Grid, i, maxGrid[i])
		}
		if l.Block[i] < 0 || l.Block[i] > maxBlock[i] {
			return refuse("block %v: dimension %d must be 1 to %d", l.Block, i, maxBlock[i])
		}
	}
	if l.threads() > k.MaxThreads {
		return refuse("block %v has %d threads, the kernel allows %d", l.Block, l.threads(), k.MaxThreads)
	}
	if k.RequiredBlock != [3]int{} && l.Block != k.RequiredBlock {
		return refuse("block %v, the kernel requires %v", l.Block, k.RequiredBlock)
	}
	if l.Shared < 0 || k.sharedSize(l.Shared) > maxSharedTotal {
		return refuse("%d bytes of static and %d of dynamic shared memory, the limit is %d", k.SharedBytes, l.Shared, maxSharedTotal)
	}
	if len(l.Arguments) != len(k.Parameters) {
		return refuse("%d arguments, the kernel has %d parameters", len(l.Arguments), len(k.Parameters))
	}
	l.parameters = make([]byte, k.parameterBytes)
	for i, p := range k.Parameters {
		if len(l.Arguments[i]) != p.Size {
			return refuse("argument %d has %d bytes, parameter %s of type %s has %d", i, len(l.Arguments[i]), p.Name, p.Type, p.Size)
		}
		copy(l.parameters[p.Offset:], l.Arguments[i])
	}
	return nil
}

// execution is a launch under way, shared by its workers.
type execution struct {
	kernel  *Kernel
	memory  *Memory
	launch  *Launch
	globals map[*variable]*Allocation
	context context.Context
	budget  atomic.Int64
	next    atomic.Int64
	stop    atomic.Bool
	races   *globalRaces // nil unless they are looked for
	// Block i in order is number (i*stride + start) mod blocks: the natural order, or a drawn one.
	start, stride int64

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
	memory.mutex.Lock()
	globals, err := memory.load(k.module)
	memory.mutex.Unlock()
	if err != nil {
		return Counters{}, err
	}
	memory.mutex.RLock()
	defer memory.mutex.RUnlock()
	e := &execution{kernel: k, memory: memory, launch: &launch, globals: globals, context: ctx, stride: 1}
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
	workers = int(min(int64(workers), launch.blocks()))
	if launch.Options.Order != 0 {
		workers = 1
		e.drawOrder(launch.Options.Order)
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

// drawOrder picks a start and a stride that has no factor in common with the number of blocks.
func (e *execution) drawOrder(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	n := e.launch.blocks()
	e.start = random.Int64N(n)
	for e.stride = 1 + random.Int64N(n); greatestCommonDivisor(e.stride, n) != 1; {
		e.stride = 1 + random.Int64N(n)
	}
}

func greatestCommonDivisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// blockNumber gives the i-th block to run.
func (e *execution) blockNumber(i int64) int64 {
	n := e.launch.blocks()
	high, low := bits.Mul64(uint64(i), uint64(e.stride))
	return int64((bits.Rem64(high, low, uint64(n)) + uint64(e.start)) % uint64(n))
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
		i := e.next.Add(1) - 1
		if i >= e.launch.blocks() {
			break
		}
		if err := w.runBlock(e.blockNumber(i)); err != nil {
			e.fail(err)
		}
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.total.add(&w.counters)
}
