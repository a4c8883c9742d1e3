//go:build cuda

package cuda_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
)

// Copies of any length come back as they went, through pinned memory that is shorter
// than some.
func TestCopies(t *testing.T) {
	const seed = 5
	device, m := open(t, standin.Options{Check: ptx.CheckMemory}, cuda.Options{})
	stream := newStream(t, device)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{1, 3, 1<<20 - 1, 1 << 20, 3<<20 + 5} {
		b, err := stream.Alloc(n + 2)
		check(t, err)
		sent := make([]byte, n)
		for i := range sent {
			sent[i] = byte(random.Uint32())
		}
		check(t, stream.Upload(b, 1, sent))
		got := make([]byte, n+2)
		check(t, stream.Download(got, b, 0))
		if want := slices.Concat([]byte{0}, sent, []byte{0}); !slices.Equal(got, want) {
			t.Errorf("%d bytes, seed %d: other bytes come back, or memory was not zero", n, seed)
		}
	}
	_, err := stream.Alloc(0)
	check(t, err)
	used, _ := m.Used(0)
	if held := device.Allocated(); held <= 4<<20 || uint64(held) != used {
		t.Errorf("the device says that it holds %d bytes, the driver %d", held, used)
	}
	free, total, err := device.Memory()
	if err != nil || total != 1<<30 || free != total-int64(used) {
		t.Errorf("%d of %d bytes are free (%v)", free, total, err)
	}
}

// stateAfter returns how many steps a state counts.
func stateAfter(t *testing.T, s gpu.Stream, k *kernels.Advance) uint32 {
	t.Helper()
	state := make([]uint32, kernels.StateWords)
	check(t, gpu.Download(s, state, k.State))
	return state[kernels.StateStep]
}

// Every way to replay a program does all its ops, in order.
func TestReplays(t *testing.T) {
	device, m := open(t, standin.Options{}, cuda.Options{})
	stream := newStream(t, device)
	first := advance(t, stream)
	second := &kernels.Advance{State: first.State, Rows: 2}
	p := compile(t, stream, first, second)
	if n := p.(interface{ Nodes() int }).Nodes(); n != 2 {
		t.Errorf("the graph has %d nodes, want 2", n)
	}
	if steps := stateAfter(t, stream, first); steps != 0 {
		t.Errorf("compiled, %d steps have been done", steps)
	}
	for range 3 {
		check(t, p.Run())
	}
	check(t, stream.Wait())
	if steps := stateAfter(t, stream, first); steps != 6 {
		t.Errorf("after 3 replays %d steps, want 6", steps)
	}
	durations, err := p.Profile(4)
	check(t, err)
	if len(durations) != 2 || len(durations[0]) != 4 || slices.Min(durations[0]) < 0 || slices.Max(durations[1]) == 0 {
		t.Errorf("durations %v, want those of 4 replays of 2 ops", durations)
	}
	_, err = p.Profile(1)
	check(t, err)
	if graphs, events := count(m, "cuGraphInstantiateWithFlags"), count(m, "cuEventCreate"); graphs != 2 || events != 3 {
		t.Errorf("profiled twice, %d graphs and %d events were made, want 2 and 3", graphs, events)
	}
	if steps := stateAfter(t, stream, first); steps != 16 {
		t.Errorf("after 5 more %d steps, want 16", steps)
	}
	before := len(m.Calls())
	check(t, stream.(gpu.Tracer).Trace(func() error { return errors.Join(p.Run(), p.Run()) }))
	calls := m.Calls()[before:]
	if calls[0] != "cuStreamSynchronize" || calls[1] != "cuProfilerStart" || calls[len(calls)-1] != "cuProfilerStop" || calls[len(calls)-2] != "cuStreamSynchronize" {
		t.Errorf("calls %v: the profiler must record the replays alone", calls)
	}
	if steps := stateAfter(t, stream, first); steps != 20 {
		t.Errorf("after 2 more %d steps, want 20", steps)
	}
}

// Closing a stream waits for what is queued: the driver would find memory freed in use.
func TestCloseWaits(t *testing.T) {
	device, _ := open(t, standin.Options{}, cuda.Options{})
	stream, err := device.NewStream()
	check(t, err)
	p := compile(t, stream, advance(t, stream))
	check(t, p.Run())
	check(t, stream.Close())
}

// Memory of one stream serves another after Wait, as a dataset does.
func TestSharedMemory(t *testing.T) {
	device, _ := open(t, standin.Options{Check: ptx.CheckMemory}, cuda.Options{})
	owner := newStream(t, device)
	shared := advance(t, owner)
	check(t, owner.Wait())
	user := newStream(t, device)
	check(t, compile(t, user, shared).Run())
	if steps := stateAfter(t, user, shared); steps != 1 {
		t.Errorf("after another stream's kernel %d steps, want 1", steps)
	}
}

// A program is made of ops that the stream can run.
func TestForeignOps(t *testing.T) {
	device, _ := open(t, standin.Options{}, cuda.Options{})
	one, other := newStream(t, device), newStream(t, device)
	s := gpu.ConvolutionShape{Batch: 1, Height: 1, Width: 1, In: 2, Out: 3, Kernel: 1}
	c, err := one.Convolution(s)
	check(t, err)
	x, err := gpu.Alloc[float32](one, s.Input())
	check(t, err)
	w, err := gpu.Alloc[float32](one, s.Filter())
	check(t, err)
	y, err := gpu.Alloc[float32](one, s.Output())
	check(t, err)
	var r gpu.Recorder
	r.Record(gpu.NewConvolutionPass(c, gpu.Forward, x, w, y))
	_, err = other.Compile(r.Ops())
	mentions(t, err, "bound to another stream")
	_, err = one.Convolution(gpu.ConvolutionShape{Batch: 1, Height: 2, Width: 2, In: 1, Out: 1, Kernel: 2})
	mentions(t, err, "must be odd")
}

// A stream's memory serves the next, zeroed again, and is free for what does not fit in it.
func TestMemoryServesTheNext(t *testing.T) {
	const total, piece = 1 << 20, 600_000
	device, m := open(t, standin.Options{Cards: []standin.Card{{Memory: total}}}, cuda.Options{})
	for range 3 {
		check(t, gpu.WithStream(device, func(s gpu.Stream) error {
			b, err := gpu.Alloc[uint8](s, piece)
			check(t, err)
			got, dirt := make([]byte, piece), make([]byte, piece)
			check(t, gpu.Download(s, got, b))
			if !slices.Equal(got, dirt) {
				t.Error("memory was not zero")
			}
			for i := range dirt {
				dirt[i] = 7
			}
			return gpu.Upload(s, b, dirt)
		}))
		if free, _, err := device.Memory(); free != total || device.Allocated() != 0 {
			t.Errorf("no stream is open: %d bytes are free, %d held (%v)", free, device.Allocated(), err)
		}
	}
	if made, freed := count(m, "cuMemAlloc_v2"), count(m, "cuMemFree_v2"); made != 1 || freed != 0 {
		t.Errorf("3 streams made %d allocations and freed %d, want 1 and none", made, freed)
	}
	check(t, gpu.WithStream(device, func(s gpu.Stream) error {
		_, err := s.Alloc(total) // of which the kept piece is a part
		return err
	}))
}

// Buffers that are made together are one allocation, and one each where ops are told apart.
func TestPack(t *testing.T) {
	sizes := []int{1, 0, 256, 1000}
	for blocking, want := range map[bool]int{false: 1, true: len(sizes)} {
		t.Run(fmt.Sprint(blocking), func(t *testing.T) {
			device, m := open(t, standin.Options{}, cuda.Options{Blocking: blocking})
			stream := newStream(t, device)
			var buffers []*gpu.Buffer
			for _, bytes := range sizes {
				buffers = append(buffers, &gpu.Buffer{Size: bytes})
			}
			check(t, stream.(gpu.Packer).Pack(buffers))
			if got := m.Live()["allocation"]; got != want {
				t.Errorf("%d allocations, want %d", got, want)
			}
			end := uint64(1)
			for _, b := range buffers {
				if b.Address%256 != 0 || b.Address < end {
					t.Errorf("a buffer at %#x, and the one before ends at %#x", b.Address, end)
				}
				end = b.Address + uint64(max(1, b.Size))
			}
			if end--; want == 1 && end-buffers[0].Address != uint64(device.Allocated())-1 {
				t.Errorf("%d bytes are held for %d", device.Allocated(), end+1-buffers[0].Address)
			}
		})
	}
}
