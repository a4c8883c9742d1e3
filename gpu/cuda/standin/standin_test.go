//go:build cuda

package standin

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"gorgonia.org/cu"

	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/cuda/supplement"
	"diaghess/gpu/emu/ptx"
)

// addOne adds 1 to n integers.
const addOne = `.version 7.0
.target sm_75
.address_size 64
.visible .entry addOne(.param .u64 p, .param .u32 n)
{
	.reg .pred %p<2>;
	.reg .b32 %r<6>;
	.reg .b64 %rd<5>;
	ld.param.u64 %rd1, [p];
	ld.param.u32 %r1, [n];
	mov.u32 %r2, %tid.x;
	setp.ge.u32 %p1, %r2, %r1;
	@%p1 bra done;
	cvta.to.global.u64 %rd2, %rd1;
	mul.wide.u32 %rd3, %r2, 4;
	add.s64 %rd4, %rd2, %rd3;
	ld.global.u32 %r3, [%rd4];
	add.s32 %r4, %r3, 1;
	st.global.u32 [%rd4], %r4;
done:
	ret;
}
`

// bench is a thread with a context, a stream that does not wait for the null stream,
// and addOne.
type bench struct {
	testing.TB
	machine *Machine
	device  cu.Device
	stream  cu.Stream
	module  cu.Module
	kernel  cu.Function
}

// newBench opens a bench that the test's end closes.
func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	runtime.LockOSThread()
	b := &bench{TB: t, machine: Start(t, o)}
	b.must(shim.Driver())
	b.must(shim.CuDNN())
	var err error
	b.device, err = cu.GetDevice(0)
	b.must(err)
	context, err := b.device.RetainPrimaryCtx()
	b.must(err)
	b.must(cu.SetCurrentContext(context))
	b.stream, err = cu.MakeStream(cu.NonBlocking)
	b.must(err)
	b.module, err = cu.LoadData(addOne)
	b.must(err)
	b.kernel, err = b.module.Function("addOne")
	b.must(err)
	t.Cleanup(func() {
		b.must(b.module.Unload())
		b.must(b.stream.Destroy())
		b.must(b.device.ReleasePrimaryCtx())
		b.must(cu.SetCurrentContext(cu.CUContext{}))
		runtime.UnlockOSThread()
	})
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// alloc makes memory that lives to the test's end.
func (b *bench) alloc(bytes int) cu.DevicePtr {
	b.Helper()
	p, err := cu.MemAlloc(int64(bytes))
	b.must(err)
	b.Cleanup(func() { b.must(cu.MemFree(p)) })
	return p
}

// pinned makes pinned memory that lives to the test's end.
func (b *bench) pinned(words int) []uint32 {
	b.Helper()
	p, err := supplement.AllocPinned(4 * words)
	b.must(err)
	b.Cleanup(func() { b.must(cu.MemFreeHost(unsafe.Pointer(&p[0]))) })
	return unsafe.Slice((*uint32)(unsafe.Pointer(&p[0])), words)
}

func (b *bench) launch(s cu.Stream, p cu.DevicePtr, n int) error {
	address, count := uint64(p), uint64(n)
	return b.kernel.Launch(1, 1, 1, 32, 1, 1, 0, s, []unsafe.Pointer{unsafe.Pointer(&address), unsafe.Pointer(&count)})
}

// breaks demands that the calls before broke a rule, in these words.
func (b *bench) breaks(words string) {
	b.Helper()
	v := b.machine.TakeViolations()
	if len(v) != 1 || !strings.Contains(v[0], words) {
		b.Errorf("violations %q, want one with %q", v, words)
	}
}

func pointer[T any](s []T) unsafe.Pointer { return unsafe.Pointer(&s[0]) }

// What is queued is done when it is waited for, not before, and in order.
func TestWorkIsLate(t *testing.T) {
	b := newBench(t, Options{Check: ptx.CheckMemory})
	memory, from, to := b.alloc(12), b.pinned(3), b.pinned(3)
	copy(from, []uint32{1, 2, 3})
	b.must(cu.MemcpyHtoDAsync(memory, pointer(from), 12, b.stream))
	b.must(b.launch(b.stream, memory, 3))
	b.must(b.launch(b.stream, memory, 2))
	copy(to, []uint32{7, 8, 9})
	b.must(cu.MemcpyDtoHAsync(pointer(to), memory, 12, b.stream))
	from[0] = 10 // too early
	for i, v := range to {
		if v == []uint32{7, 8, 9}[i] || v < 20 {
			t.Errorf("before it was waited for the host has %d, want rubbish", to)
			break
		}
	}
	b.must(b.stream.Synchronize())
	if want := []uint32{12, 4, 4}; !slices.Equal(to, want) {
		t.Errorf("after it was waited for the host has %d, want %d", to, want)
	}
}

// The null stream and one that does not block know nothing of each other.
func TestNullStream(t *testing.T) {
	b := newBench(t, Options{})
	memory := b.alloc(4)
	b.must(cu.MemcpyHtoD(memory, pointer([]uint32{7}), 4))
	b.must(b.launch(b.stream, memory, 1))
	b.must(b.stream.Synchronize()) // the copy is not done yet
	got := make([]uint32, 1)
	b.must(cu.MemcpyDtoH(pointer(got), memory, 4)) // now it is
	if got[0] != 7 {
		t.Errorf("got %d: the kernel must not have seen the copy", got[0])
	}
	blocking, err := cu.MakeStream(cu.DefaultStream)
	b.must(err)
	b.must(b.launch(blocking, memory, 1))
	b.must(cu.MemcpyDtoH(pointer(got), memory, 4))
	if got[0] != 8 {
		t.Errorf("got %d after a kernel on a stream that blocks, want 8", got[0])
	}
	b.must(blocking.Destroy())
}

// An event makes a stream wait for another.
func TestEvents(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			b := newBench(t, Options{Seed: seed})
			other, err := cu.MakeStream(cu.NonBlocking)
			b.must(err)
			memory, host := b.alloc(4), b.pinned(1)
			event, err := cu.MakeEvent(cu.DefaultEvent)
			b.must(err)
			host[0] = 1
			b.must(cu.MemcpyHtoDAsync(memory, pointer(host), 4, b.stream))
			b.must(b.launch(b.stream, memory, 1))
			b.must(event.Record(b.stream))
			b.must(other.Wait(event, 0))
			b.must(b.launch(other, memory, 1))
			b.must(other.Synchronize())
			got := make([]uint32, 1)
			b.must(cu.MemcpyDtoH(pointer(got), memory, 4))
			if got[0] != 3 {
				t.Errorf("seed %d: got %d, want 3", seed, got[0])
			}
			millis, err := event.Elapsed(event)
			if err != nil || millis != 0 {
				t.Errorf("from an event to itself %v ms, %v", millis, err)
			}
			b.must(cu.DestroyEvent(&event))
			b.must(other.Destroy())
		})
	}
}

// A graph does what was captured, again and again.
func TestGraph(t *testing.T) {
	b := newBench(t, Options{})
	memory, host := b.alloc(4), b.pinned(1)
	host[0] = 5
	b.must(cu.MemcpyHtoDAsync(memory, pointer(host), 4, b.stream))
	b.must(b.stream.Synchronize())
	graph, nodes, err := supplement.Capture(b.stream, func() error {
		b.must(b.launch(b.stream, memory, 1))
		b.must(b.launch(b.stream, memory, 1))
		return cu.MemcpyDtoHAsync(pointer(host), memory, 4, b.stream)
	})
	b.must(err)
	b.must(b.stream.Synchronize())
	if nodes != 3 || host[0] != 5 {
		t.Errorf("%d nodes, and captured work was done: %d", nodes, host[0])
	}
	for range 3 {
		b.must(supplement.Launch(graph, b.stream))
	}
	b.must(b.stream.Synchronize())
	if host[0] != 11 {
		t.Errorf("after three launches %d, want 11", host[0])
	}
	b.must(graph.Destroy())
}

// Each broken rule is found, named, and answered with an error.
func TestViolations(t *testing.T) {
	for name, c := range map[string]struct {
		words string
		do    func(b *bench) error
	}{
		"no context": {"without a current context", func(b *bench) error {
			done := make(chan error)
			go func() {
				runtime.LockOSThread() // a thread of its own, which ends here
				_, err := cu.MemAlloc(4)
				done <- err
			}()
			return <-done
		}},
		"free twice": {"no allocation starts", func(b *bench) error {
			p, err := cu.MemAlloc(4)
			b.must(err)
			b.must(cu.MemFree(p))
			return cu.MemFree(p)
		}},
		"free in use": {"queued work uses the memory", func(b *bench) error {
			p, err := cu.MemAlloc(4)
			b.must(err)
			b.must(cu.MemsetD8Async(p, 0, 4, b.stream))
			b.must(cu.MemFree(p))
			return cu.InvalidValue // a card would wait, so the call succeeds
		}},
		"stream twice": {"is a stream that is no more", func(b *bench) error {
			s, err := cu.MakeStream(cu.NonBlocking)
			b.must(err)
			again := s
			b.must(s.Destroy())
			return again.Destroy()
		}},
		"another context": {"is of another context", func(b *bench) error {
			other, err := cu.GetDevice(1)
			b.must(err)
			context, err := other.RetainPrimaryCtx()
			b.must(err)
			mine, err := cu.CurrentContext()
			b.must(err)
			b.must(cu.SetCurrentContext(context))
			result := b.stream.Synchronize()
			b.must(other.ReleasePrimaryCtx())
			b.must(cu.SetCurrentContext(mine))
			return result
		}},
		"left in a context": {"a event of call", func(b *bench) error {
			other, err := cu.GetDevice(1)
			b.must(err)
			context, err := other.RetainPrimaryCtx()
			b.must(err)
			mine, err := cu.CurrentContext()
			b.must(err)
			b.must(cu.SetCurrentContext(context))
			_, err = cu.MakeEvent(cu.DefaultEvent)
			b.must(err)
			b.must(other.ReleasePrimaryCtx())
			b.must(cu.SetCurrentContext(mine))
			return cu.InvalidValue // the release itself succeeds
		}},
		"unloaded kernel": {"is a function that is no more", func(b *bench) error {
			m, err := cu.LoadData(addOne)
			b.must(err)
			f, err := m.Function("addOne")
			b.must(err)
			b.must(m.Unload())
			b.kernel = f
			return b.launch(b.stream, b.alloc(4), 1)
		}},
		"graph twice": {"is a graph exec that is no more", func(b *bench) error {
			g, _, err := supplement.Capture(b.stream, func() error { return nil })
			b.must(err)
			b.must(g.Destroy())
			return g.Destroy()
		}},
		"destroyed event": {"is a event that is no more", func(b *bench) error {
			e, err := cu.MakeEvent(cu.DefaultEvent)
			b.must(err)
			again := e
			b.must(cu.DestroyEvent(&e))
			return again.Record(b.stream)
		}},
		"past the end": {"8 bytes at", func(b *bench) error {
			return cu.MemsetD8Async(b.alloc(4), 0, 8, b.stream)
		}},
		"wait in a capture": {"the stream captures", func(b *bench) error {
			_, _, err := supplement.Capture(b.stream, b.stream.Synchronize)
			return err
		}},
		"allocate in a capture": {"not allowed while a stream captures", func(b *bench) error {
			_, _, err := supplement.Capture(b.stream, func() error {
				_, err := cu.MemAlloc(4)
				return err
			})
			return err
		}},
		"a refused call spoils the graph": {"not allowed while a stream captures", func(b *bench) error {
			_, _, err := supplement.Capture(b.stream, func() error {
				_, _ = cu.MemAlloc(4)
				return nil
			})
			return err
		}},
		"too few arguments": {"addOne has 2 parameters, it was given room for", func(b *bench) error {
			var many []unsafe.Pointer
			for range 12 {
				many = append(many, unsafe.Pointer(new(uint64)))
			}
			return b.kernel.Launch(1, 1, 1, 32, 1, 1, 0, b.stream, many)
		}},
		"empty grid": {"grid (0, 1, 1)", func(b *bench) error {
			return b.kernel.Launch(0, 1, 1, 32, 1, 1, 0, b.stream, make([]unsafe.Pointer, 0))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{Cards: make([]Card, 2)})
			if err := c.do(b); err == nil {
				t.Error("no error")
			}
			b.breaks(c.words)
		})
	}
}

func TestBeforeInit(t *testing.T) {
	m := Start(t, Options{})
	if _, err := cu.NumDevices(); err != cu.NotInitialized {
		t.Errorf("error %v before cuInit", err)
	}
	if v := m.TakeViolations(); len(v) != 1 || !strings.Contains(v[0], "before cuInit") {
		t.Errorf("violations %q", v)
	}
}

// A kernel that reads what nobody wrote, or follows a wild pointer, is at fault, and
// after that the context returns the same error to every call.
func TestKernelFaults(t *testing.T) {
	for name, c := range map[string]struct {
		words string
		code  string
		spoil func(b *bench) cu.DevicePtr
	}{
		"wild pointer": {"out of bounds", "IllegalAddress", func(b *bench) cu.DevicePtr { return 0x1234560 }},
		"never written": {"never written", "LaunchFailed", func(b *bench) cu.DevicePtr {
			p, err := cu.MemAlloc(64)
			b.must(err)
			return p
		}},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b := &bench{TB: t, machine: Start(t, Options{Check: ptx.CheckMemory})}
			b.must(shim.Driver())
			context, err := b.device.RetainPrimaryCtx()
			b.must(err)
			b.must(cu.SetCurrentContext(context))
			b.module, err = cu.LoadData(addOne)
			b.must(err)
			b.kernel, err = b.module.Function("addOne")
			b.must(err)
			b.must(b.launch(cu.NoStream, c.spoil(b), 4))
			for range 2 {
				if err := cu.Synchronize(); err == nil || err.Error() != c.code {
					t.Errorf("error %v, want %s", err, c.code)
				}
			}
			b.breaks(c.words)
			if err := b.module.Unload(); err == nil {
				t.Error("a broken context unloads a module")
			}
			_ = b.device.ReleasePrimaryCtx()
			b.machine.TakeViolations() // what is left is gone with the context
			b.must(cu.SetCurrentContext(cu.CUContext{}))
		})
	}
}

// Each call can be made to fail.
func TestFault(t *testing.T) {
	m := Start(t, Options{Fault: Fault{Name: "cuDeviceGetCount", Call: 2, Status: 46}})
	if err := shim.Driver(); err != nil {
		t.Fatal(err)
	}
	for call := 1; call <= 3; call++ {
		_, err := cu.NumDevices()
		if (err != nil) != (call == 2) {
			t.Errorf("call %d: error %v", call, err)
		}
	}
	if want := []string{"cuInit", "cuDeviceGetCount", "cuDeviceGetCount", "cuDeviceGetCount"}; !slices.Equal(m.Calls(), want) {
		t.Errorf("calls %v, want %v", m.Calls(), want)
	}
}
