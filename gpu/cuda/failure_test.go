//go:build cuda

package cuda_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/cuda/standin"
	"diaghess/kernels"
)

// mentions fails unless an error has all the words.
func mentions(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want one with %q", err, w)
		}
	}
}

// What is missing is said when the device is opened, with what to do.
func TestOpenFailures(t *testing.T) {
	t.Run("no driver", func(t *testing.T) {
		shim.Clear()
		_, err := cuda.New(cuda.Options{Source: kernels.Module})
		mentions(t, err, "cuda:0", "no usable CUDA driver", "CUDA_DRIVER_LIB")
		_, err = cuda.Cards()
		mentions(t, err, "no usable CUDA driver")
	})
	for name, c := range map[string]struct {
		machine standin.Options
		ordinal int
		words   []string
	}{
		"no card":       {standin.Options{Fault: standin.Fault{Name: "cuInit", Call: 1, Status: 100}}, 0, []string{"no CUDA-capable device is detected"}},
		"no such card":  {standin.Options{Cards: make([]standin.Card, 2)}, 2, []string{"cuda:2", "shows 2"}},
		"no cuDNN":      {standin.Options{NoCuDNN: true}, 0, []string{"no usable cuDNN", "CUDNN_LIB"}},
		"another cuDNN": {standin.Options{CuDNN: 7605}, 0, []string{"7605", "built for cuDNN"}},
		"the card is in exclusive use": {standin.Options{Fault: standin.Fault{Name: "cuDevicePrimaryCtxRetain", Call: 1, Status: 46}}, 0,
			[]string{"error 46", "another process"}},
	} {
		t.Run(name, func(t *testing.T) {
			standin.Start(t, c.machine)
			_, err := cuda.New(cuda.Options{Ordinal: c.ordinal, Source: kernels.Module})
			mentions(t, err, c.words...)
		})
	}
}

// What hides the cards is said.
func TestNoCards(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "9")
	for _, c := range []standin.Options{{Cards: []standin.Card{}}, {Fault: standin.Fault{Name: "cuInit", Call: 1, Status: 100}}} {
		standin.Start(t, c)
		_, err := cuda.Cards()
		mentions(t, err, "there is no card", `CUDA_VISIBLE_DEVICES="9"`)
	}
	standin.Start(t, standin.Options{})
	_, err := cuda.New(cuda.Options{Ordinal: 1})
	mentions(t, err, "shows 1", `CUDA_VISIBLE_DEVICES="9"`)
}

// The environment may not have another arithmetic than was asked for.
func TestMathOverridden(t *testing.T) {
	for _, c := range []struct {
		value   string
		math    string
		refused bool
	}{
		{"0", gpu.MathFP32, false}, {"0", gpu.MathTF32, true}, {"1", gpu.MathFP32, true}, {"1", "", true}, {"1", gpu.MathTF32, false},
		{"", gpu.MathTF32, true}, {"2", gpu.MathTF32, true}, {"2", gpu.MathFP32, true},
	} {
		t.Setenv("NVIDIA_TF32_OVERRIDE", c.value)
		standin.Start(t, standin.Options{})
		device, err := cuda.New(cuda.Options{Math: c.math})
		if c.refused {
			mentions(t, err, "NVIDIA_TF32_OVERRIDE="+c.value+" contradicts", "unset")
			continue
		}
		check(t, err)
		check(t, device.Close())
	}
}

// advance is a kernel that needs little.
func advance(t *testing.T, s gpu.Stream) *kernels.Advance {
	t.Helper()
	state, err := gpu.Alloc[uint32](s, kernels.StateWords)
	check(t, err)
	return &kernels.Advance{State: state, Rows: 1}
}

// A driver that is older than the PTX says so, and a card that is.
func TestPTXTooNew(t *testing.T) {
	for name, c := range map[string]struct {
		machine standin.Options
		words   []string
	}{
		"driver": {standin.Options{PTX: "6.5"}, []string{"error 222", "update the driver", "Unsupported .version 7.0"}},
		"card":   {standin.Options{Cards: []standin.Card{{Capability: [2]int{7, 0}}}}, []string{"error 209", "7.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			device, _ := open(t, c.machine, cuda.Options{})
			stream := newStream(t, device)
			var r gpu.Recorder
			r.Record(advance(t, stream))
			_, err := stream.Compile(r.Ops())
			mentions(t, err, append(c.words, "advance")...)
		})
	}
}

// PTX that the driver cannot compile comes back with what its compiler says.
func TestBadPTX(t *testing.T) {
	source := func(string) (name, text string, err error) {
		return "bad.ptx", ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry advance()\n{\n\tnonsense;\n}\n", nil
	}
	device, _ := open(t, standin.Options{}, cuda.Options{Source: source})
	stream := newStream(t, device)
	var r gpu.Recorder
	r.Record(advance(t, stream))
	_, err := stream.Compile(r.Ops())
	mentions(t, err, "bad.ptx", "error 218", "nonsense")
}

// Where there is not enough memory, the error says how much there was and how much was wanted.
func TestOutOfMemory(t *testing.T) {
	device, _ := open(t, standin.Options{Cards: []standin.Card{{Memory: 1 << 20}}}, cuda.Options{})
	stream := newStream(t, device)
	held, err := stream.Alloc(1 << 19)
	check(t, err)
	_, err = stream.Alloc(1<<19 + 1)
	var none *gpu.OutOfMemory
	if !errors.As(err, &none) {
		t.Fatalf("error %v is not for want of memory", err)
	}
	if want := (gpu.OutOfMemory{Bytes: 1<<19 + 1, Free: 1 << 19, Total: 1 << 20, Held: int64(held.Size)}); *none != want {
		t.Errorf("%+v, want %+v", *none, want)
	}
	mentions(t, err, "this process holds")

	// Also for a convolution, whose scratch tensors and workspace need room.
	_, err = stream.Convolution(gpu.ConvolutionShape{Batch: 64, Height: 32, Width: 32, In: 3, Out: 4, Kernel: 3})
	if !errors.As(err, &none) {
		t.Errorf("a convolution: error %v is not for want of memory", err)
	}
	// What fits still does.
	s := gpu.ConvolutionShape{Batch: 1, Height: 8, Width: 8, In: 3, Out: 4, Kernel: 3}
	convolve(t, stream, s, gpu.Forward, drawTensors(s, 1))
}

// A wild address loses the card to the process: every call fails, the error says where
// to look, and closing gives back what can be.
func TestIllegalAddress(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		m := standin.Start(t, standin.Options{})
		device, err := cuda.New(cuda.Options{Source: kernels.Module, Blocking: blocking})
		check(t, err)
		good, err := device.NewStream()
		check(t, err)
		bad, err := device.NewStream()
		check(t, err)
		fine := compile(t, good, advance(t, good))
		check(t, fine.Run())
		check(t, good.Wait())
		wild := compile(t, bad, &kernels.Advance{State: gpu.View[uint32](&gpu.Buffer{Address: 0x7000_0000_0000, Size: 16}), Rows: 1})
		err = wild.Run()
		if !blocking {
			check(t, err)
			err = bad.Wait()
		} else {
			mentions(t, err, "advance")
		}
		mentions(t, err, "error 700", "illegal memory access")
		if v := m.TakeViolations(); len(v) != 1 || !strings.Contains(v[0], "out of bounds") {
			t.Errorf("the driver saw %q", v)
		}
		mentions(t, errors.Join(fine.Run(), good.Wait()), "error 700")
		_, err = good.Alloc(4)
		mentions(t, err, "error 700")
		for _, closing := range []interface{ Close() error }{good, bad, device} {
			mentions(t, closing.Close(), "error 700")
		}
		if v := m.TakeViolations(); len(v) != 0 {
			t.Errorf("the driver saw %q", v)
		}
		shim.Clear()
	}
}

// A kernel that does not end is an error of the stream that waits for it, which names it as well
// as it can. Nobody asks the driver meanwhile, the other streams go on, and closing does not wait.
func TestEndlessKernel(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		m := standin.Start(t, standin.Options{Endless: "advance"})
		device, err := cuda.New(cuda.Options{Source: kernels.Module, Blocking: blocking, Patience: time.Second})
		check(t, err)
		stuck, err := device.NewStream()
		check(t, err)
		other, err := device.NewStream()
		check(t, err)
		x, err := gpu.Alloc[uint32](stuck, 1)
		check(t, err)
		fill := &kernels.Fill{X: x, Elements: 1, Value: 1}
		program := compile(t, stuck, fill, advance(t, stuck), fill)
		before := len(m.Calls())
		err = program.Run()
		named := "advance"
		if !blocking {
			check(t, err)
			err = stuck.Wait()
			named = "a program of 3 ops, from fill to fill"
			// One call to launch, one to wait.
			if calls := m.Calls()[before:]; len(calls) != 2 {
				t.Errorf("calls %v, want one to launch and one to wait", calls)
			}
		}
		mentions(t, err, "cuda:0", " for "+named, "did not answer within 1s", "nvidia-smi", "CUDA_LAUNCH_BLOCKING=1")
		if !gpu.IsFault(err) {
			t.Errorf("%v is no fault of the card", err)
		}
		check(t, other.Upload(&gpu.Buffer{Address: fill.X.Address(), Size: 4}, 0, []byte{1, 2, 3, 4}))
		calls := len(m.Calls())
		for _, closing := range []interface{ Close() error }{stuck, other, device} {
			mentions(t, closing.Close(), "did not answer")
		}
		if n := len(m.Calls()); n != calls {
			t.Errorf("%d calls to close what hangs", n-calls)
		}
		for kind := range m.Live() {
			m.Abandon(kind)
		}
	}
}
