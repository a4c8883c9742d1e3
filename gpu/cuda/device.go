//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"gorgonia.org/cu"

	"diaghess/gpu"
	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/cuda/supplement"
)

// Math is how convolutions round.
type Math string

const (
	// FP32 multiplies in float32, as the CPU does; only the order of sums differs.
	FP32 Math = "fp32"
	// TF32 uses tensor cores, which are faster and round the factors to 10 bits.
	TF32 Math = "tf32"
)

// Options configure a device.
type Options struct {
	// Ordinal is the card's number among those that the driver shows.
	Ordinal int
	// Math is FP32 where it is empty.
	Math Math
	// Source returns the PTX module that holds an entry, and its name for
	// messages.
	Source func(entry string) (name, text string, err error)
	// First is an entry that New loads, so that it refuses a card or a driver that is
	// too old for the kernels; "" for none.
	First string
	// Blocking waits after each op of a program, so that the one that fails can be
	// named. It is slow.
	Blocking bool
}

// Device implements [gpu.Device] on a card.
type Device struct {
	options Options
	card    Card
	device  cu.Device
	context cu.CUContext
	thread  *thread

	allocated atomic.Int64

	modules modules
	choices choices
}

var (
	_ gpu.Device = (*Device)(nil)
	_ gpu.Meter  = (*Device)(nil)
)

// New opens a card. It fails, saying what is missing, without a driver, a card of
// that number or cuDNN, where it cannot load the first kernel, and where the
// environment overrides the arithmetic.
func New(o Options) (*Device, error) {
	if o.Math == "" {
		o.Math = FP32
	}
	d := &Device{options: o}
	for _, step := range []func() error{o.Math.check, openDriver, shim.CuDNN, d.open, d.loadFirst} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("open cuda:%d: %w", o.Ordinal, err)
		}
	}
	return d, nil
}

// check refuses an environment in which NVIDIA's libraries do not use the arithmetic
// that they are asked for: 0 turns TF32 off, and 1, which is not documented, on.
func (m Math) check() error {
	const variable = "NVIDIA_TF32_OVERRIDE"
	agrees := map[Math]string{FP32: "0", TF32: "1"}[m]
	if value, set := os.LookupEnv(variable); set && value != agrees {
		return fmt.Errorf("%s=%s contradicts --math %s: unset it, or set it to %s", variable, value, m, agrees)
	}
	return nil
}

// loadFirst loads the first kernel. It closes the device where it cannot.
func (d *Device) loadFirst() error {
	if d.options.First == "" {
		return nil
	}
	if _, err := d.function(d.options.First); err != nil {
		return supplement.First(err, d.Close())
	}
	return nil
}

// open retains the card's primary context and makes it current on the device's
// thread.
func (d *Device) open() error {
	thread, err := startThread(func() error {
		var err error
		if d.device, d.card, err = findCard(d.options.Ordinal); err != nil {
			return err
		}
		// A thread that waits for its stream sleeps: many streams share few cores. The
		// flags stay as they are where the context is in use.
		err = d.device.SetPrimaryCtxFlags(cu.SchedBlockingSync)
		if err != nil && err != error(cu.PrimaryContextActive) {
			return supplement.Wrap("cuDevicePrimaryCtxSetFlags", err)
		}
		if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
			return supplement.Wrap("cuDevicePrimaryCtxRetain", err)
		}
		if err := makeCurrent(d.context); err != nil {
			return supplement.First(err, d.release())
		}
		return nil
	})
	d.thread = thread
	return err
}

func (d *Device) release() error {
	return supplement.Wrap("cuDevicePrimaryCtxRelease", d.device.ReleasePrimaryCtx())
}

// Name is "cuda:N", with the card's number.
func (d *Device) Name() string { return fmt.Sprintf("cuda:%d", d.options.Ordinal) }

// Description names the card, the versions and the convolutions' arithmetic.
func (d *Device) Description() string {
	return fmt.Sprintf("%s, %s, cuDNN %s, %s", d.card, Driver(), supplement.CuDNNVersion(), d.options.Math)
}

// FilterLayout is OHWI, what cuDNN takes with NHWC pictures.
func (d *Device) FilterLayout() gpu.FilterLayout { return gpu.OHWI }

// Allocated returns the bytes that open streams hold, workspaces included.
func (d *Device) Allocated() int64 { return d.allocated.Load() }

// Memory returns the card's free and total memory.
func (d *Device) Memory() (free, total int64, err error) {
	err = d.thread.do(func() error {
		free, total, err = cu.MemInfo()
		return supplement.Wrap("cuMemGetInfo", err)
	})
	return free, total, err
}

// NewStream makes an independent queue of work, with a thread and a cuDNN context of
// its own.
func (d *Device) NewStream() (gpu.Stream, error) {
	s, err := newStream(d)
	if err != nil {
		return nil, fmt.Errorf("%s: make a stream: %w", d.Name(), err)
	}
	return s, nil
}

// Close frees modules and scratch memory and releases the card.
func (d *Device) Close() error {
	err := d.thread.do(func() error {
		return supplement.First(d.modules.unload(), d.choices.free(), d.release())
	})
	d.thread.stop()
	if err != nil {
		return fmt.Errorf("%s: close: %w", d.Name(), err)
	}
	return nil
}

// modules are the PTX modules that the device has loaded.
type modules struct {
	mutex     sync.Mutex
	loaded    map[string]cu.Module // by name
	functions map[string]cu.Function
}

// jitLogBytes is the room for what the driver's compiler has to say.
const jitLogBytes = 16 << 10

// function returns the device function of an entry, from a module that is loaded when
// first asked for.
func (d *Device) function(entry string) (cu.Function, error) {
	m := &d.modules
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if f, ok := m.functions[entry]; ok {
		return f, nil
	}
	name, text, err := d.options.Source(entry)
	if err != nil {
		return cu.Function{}, err
	}
	var f cu.Function
	err = d.thread.do(func() error {
		module, ok := m.loaded[name]
		if !ok {
			if module, err = load(name, text); err != nil {
				return err
			}
			if m.loaded == nil {
				m.loaded, m.functions = map[string]cu.Module{}, map[string]cu.Function{}
			}
			m.loaded[name] = module
		}
		f, err = module.Function(entry)
		return supplement.Wrap(fmt.Sprintf("find kernel %s in %s: cuModuleGetFunction", entry, name), err)
	})
	if err != nil {
		return cu.Function{}, err
	}
	m.functions[entry] = f
	return f, nil
}

// load compiles a module for the card.
func load(name, text string) (cu.Module, error) {
	log := make([]byte, jitLogBytes)
	module, err := cu.LoadDataEx(text, &cu.JITErrorLogBuffer{Buffer: log})
	if err == nil {
		return module, nil
	}
	err = supplement.Wrap(fmt.Sprintf("load %s: cuModuleLoadDataEx", name), err)
	if said := cString(log); said != "" {
		err = fmt.Errorf("%w\n%s", err, said)
	}
	return module, err
}

// unload frees the modules, on the device's thread.
func (m *modules) unload() error {
	var failed []error
	for _, module := range m.loaded {
		failed = append(failed, supplement.Wrap("cuModuleUnload", module.Unload()))
	}
	m.loaded, m.functions = nil, nil
	return supplement.First(failed...)
}
