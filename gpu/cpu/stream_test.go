package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// square is a kernel for these tests: Out = Value^2 + Out/2, a block of grain
// elements each. It is not idempotent, so a part done twice shows.
type square struct {
	Value, Out gpu.Slice[float32]
	blocks     *atomic.Int64 // done so far, if wanted
}

const grain = 7

func (k *square) Entry() string  { return "square" }
func (k *square) Cost() gpu.Cost { return gpu.Cost{} }
func (k *square) Grid() gpu.Grid {
	return gpu.Grid{Blocks: (k.Out.Len() + grain - 1) / grain, Threads: 1}
}
func (k *square) Host(lo, hi int) {
	value, out := k.Value.Host(), k.Out.Host()
	for i := lo * grain; i < min(hi*grain, len(out)); i++ {
		out[i] = float32(value[i]*value[i]) + out[i]/2
	}
	if k.blocks != nil {
		k.blocks.Add(int64(hi - lo))
	}
}

// Every block of a kernel is done once, whatever the numbers of blocks and
// threads.
func TestKernelBlocks(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 5, 9} {
		b := newBench(t, cpu.Options{Threads: threads})
		for _, n := range []int{1, 3, 31, 33, 257, 1000, 5003} {
			random := rand.New(rand.NewPCG(uint64(n), 0))
			value, out := b.place(n, normals(random, n)), b.place(n, normals(random, n))
			var done atomic.Int64
			k := &square{Value: value.slice, Out: out.slice, blocks: &done}
			var r gpu.Recorder
			r.Record(k)
			program, err := b.stream.Compile(r.Ops())
			check(t, err)
			check(t, program.Run())
			check(t, program.Run())
			check(t, b.stream.Wait())
			if got := done.Load(); got != 2*int64(k.Grid().Blocks) {
				t.Errorf("%d threads, %d elements: %d blocks done in two replays, want %d", threads, n, got, 2*k.Grid().Blocks)
			}
			for i, got := range b.read("out", out) {
				v := float32(value.values[i] * value.values[i])
				if want := v + (v+out.values[i]/2)/2; got != want {
					t.Fatalf("%d threads, %d elements: element %d is %v, want %v", threads, n, i, got, want)
				}
			}
		}
	}
}

// chain records a program of convolutions in all directions and kernels, in
// which each op reads what one before it wrote.
func (b *bench) chain(seed uint64) (program gpu.Program, results []*guarded) {
	b.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var r gpu.Recorder
	for _, s := range []gpu.ConvolutionShape{
		{Batch: 5, Height: 9, Width: 11, In: 3, Out: 7, Kernel: 3},
		{Batch: 5, Height: 1, Width: 1, In: 131, Out: 65, Kernel: 1},
	} {
		c, err := b.stream.Convolution(s)
		check(b, err)
		x, w, y := b.place(s.Input(), normals(random, s.Input())), b.place(s.Filter(), normals(random, s.Filter())), b.place(s.Output(), nil)
		dy, dx, dw := b.place(s.Output(), normals(random, s.Output())), b.place(s.Input(), nil), b.place(s.Filter(), nil)
		r.Group(s.String(), func() {
			r.Record(gpu.NewConvolutionPass(c, gpu.Forward, x.slice, w.slice, y.slice))
			r.Record(&square{Value: y.slice, Out: dy.slice})
			r.Record(gpu.NewConvolutionPass(c, gpu.BackwardFilter, x.slice, dw.slice, dy.slice))
			r.Record(gpu.NewConvolutionPass(c, gpu.BackwardData, dx.slice, w.slice, dy.slice))
		})
		results = append(results, y, dy, dx, dw)
	}
	program, err := b.stream.Compile(r.Ops())
	check(b, err)
	return program, results
}

// Streams of one device, run at once, give the bits that they give one after
// the other.
func TestStreamsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const streams, replays = 3, 5
	eachLibrary(t, func(t *testing.T, library string) {
		device, err := cpu.New(cpu.Options{Threads: 2, Library: library})
		check(t, err)
		// work gives each stream its program and starts its replays.
		work := func(start func(replay func())) (results [streams][]*guarded) {
			for i := range results {
				stream, err := device.NewStream()
				check(t, err)
				t.Cleanup(func() { check(t, stream.Close()) })
				b := &bench{TB: t, stream: stream}
				program, tensors := b.chain(uint64(i))
				results[i] = tensors
				start(func() {
					for range replays {
						if err := program.Run(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			return results
		}
		inTurn := work(func(replay func()) { replay() })
		var all sync.WaitGroup
		atOnce := work(func(replay func()) {
			all.Add(1)
			go func() {
				defer all.Done()
				replay()
			}()
		})
		all.Wait()
		for i := range streams {
			for j := range inTurn[i] {
				equalBits(t, fmt.Sprintf("stream %d, tensor %d", i, j), atOnce[i][j].slice.Host(), inTurn[i][j].slice.Host())
			}
		}
	})
}

func TestReplayAllocatesNothing(t *testing.T) {
	eachLibrary(t, func(t *testing.T, library string) {
		for _, threads := range []int{1, 2, 5} {
			b := newBench(t, cpu.Options{Threads: threads, Library: library})
			program, _ := b.chain(1)
			if allocations := testing.AllocsPerRun(10, func() { check(t, program.Run()) }); allocations != 0 {
				t.Errorf("%d threads: %g allocations a replay", threads, allocations)
			}
		}
	})
}

// Profile replays the program and times each op of each replay.
func TestProfile(t *testing.T) {
	eachLibrary(t, func(t *testing.T, library string) {
		profiled, run := newBench(t, cpu.Options{Threads: 2, Library: library}), newBench(t, cpu.Options{Threads: 2, Library: library})
		program, got := profiled.chain(3)
		replayed, want := run.chain(3)
		durations, err := program.Profile(4)
		check(t, err)
		for range 4 {
			check(t, replayed.Run())
		}
		for i := range want {
			equalBits(t, "profiled results", profiled.read("profiled", got[i]), run.read("run", want[i]))
		}
		if len(durations) != len(program.Ops()) {
			t.Fatalf("durations of %d ops, want %d", len(durations), len(program.Ops()))
		}
		for i, op := range durations {
			if len(op) != 4 {
				t.Fatalf("op %d: %d durations, want 4", i, len(op))
			}
			for _, d := range op {
				if d <= 0 {
					t.Errorf("op %d (%s) took %v", i, program.Ops()[i].Op.Entry(), d)
				}
			}
		}
	})
}

// foreign is an op and a convolution of no device.
type foreign struct{ gpu.Convolution }

func (foreign) Entry() string               { return "foreign" }
func (foreign) Cost() gpu.Cost              { return gpu.Cost{} }
func (foreign) Shape() gpu.ConvolutionShape { return gpu.ConvolutionShape{} }

func TestCompileErrors(t *testing.T) {
	b := newBench(t, cpu.Options{})
	for want, op := range map[string]gpu.Op{
		"cannot run":     foreign{},
		"another device": &gpu.ConvolutionPass{Convolution: foreign{}},
	} {
		var r gpu.Recorder
		r.Record(op)
		if _, err := b.stream.Compile(r.Ops()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: error %v, want one with %q", op, err, want)
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := cpu.New(cpu.Options{Threads: -1}); err == nil {
		t.Error("-1 threads are accepted")
	}
	_, err := cpu.New(cpu.Options{Library: "mkl"})
	if err == nil || !strings.Contains(err.Error(), `"mkl"`) || !strings.Contains(err.Error(), cpu.Libraries()[0]) {
		t.Errorf("an unknown library: %v, want an error that names it and those that there are", err)
	}
	d, err := cpu.New(cpu.Options{Threads: 3})
	check(t, err)
	if d.Name() != "cpu" || !strings.Contains(d.Description(), "3 thread") || !strings.Contains(strings.ToLower(d.Description()), cpu.Libraries()[0]) {
		t.Errorf("device %q, %q", d.Name(), d.Description())
	}
	check(t, d.Close())
}

// Memory is zeroed, aligned to 256 bytes, no two buffers overlap, and a stream
// gives its own back.
func TestAlloc(t *testing.T) {
	d, err := cpu.New(cpu.Options{})
	check(t, err)
	s, err := d.NewStream()
	check(t, err)
	var end uint64
	for _, bytes := range []int{0, 1, 255, 256, 257, 4099} {
		b, err := s.Alloc(bytes)
		check(t, err)
		if b.Size != bytes || len(b.Host) != bytes || cap(b.Host) != bytes {
			t.Errorf("%d bytes: size %d, host memory of %d, capacity %d", bytes, b.Size, len(b.Host), cap(b.Host))
		}
		if b.Address == 0 || b.Address%256 != 0 || b.Address < end {
			t.Errorf("%d bytes at address %d behind a buffer that ends at %d", bytes, b.Address, end)
		}
		end = b.Address + uint64(bytes)
		for i, v := range b.Host {
			if v != 0 {
				t.Fatalf("%d bytes: byte %d is %d", bytes, i, v)
			}
		}
	}
	if d.Allocated() != 1+255+256+257+4099 {
		t.Errorf("%d bytes held", d.Allocated())
	}
	check(t, s.Close())
	if d.Allocated() != 0 {
		t.Errorf("%d bytes held after Close", d.Allocated())
	}
}
