//go:build cuda

package cuda

import (
	"cmp"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gorgonia.org/cu"

	"diaghess/gpu"
	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/cuda/supplement"
)

// Options configure a device.
type Options struct {
	// Ordinal is the card's number among those that the driver shows.
	Ordinal int
	// Math is the arithmetic of convolutions, see gpu.Maths; "" for gpu.MathFP32.
	Math string
	// Source returns the PTX module that holds an entry, and its name for
	// messages. Kernels that are gpu.Sourced have their own.
	Source func(entry string) (name, text string, err error)
	// First is an entry that New loads, so that it refuses a card or a driver that is
	// too old for the kernels; "" for none.
	First string
	// Blocking waits after each op of a program, so that the one that fails can be
	// named. It is slow.
	Blocking bool
	// Patience is how long a call to the driver may take before it counts as one that does
	// not return; 0 for ten minutes.
	Patience time.Duration
}

// Device implements [gpu.Device] on a card.
type Device struct {
	options Options
	card    Card
	device  cu.Device
	context cu.CUContext
	thread  *thread
	watch   watch

	allocated atomic.Int64 // by open streams
	spare     atomic.Int64 // of closed streams, in their lanes

	modules modules
	choices choices
	lanes   lanes
}

var (
	_ gpu.Device = (*Device)(nil)
	_ gpu.Meter  = (*Device)(nil)
	_ gpu.Card   = (*Device)(nil)
)

// New opens a card. It fails, saying what is missing, without a driver, a card of
// that number or cuDNN, where it cannot load the first kernel, and where the
// environment overrides the arithmetic.
func New(o Options) (*Device, error) {
	if o.Math == "" {
		o.Math = gpu.MathFP32
	}
	d := &Device{options: o}
	d.watch.patience = cmp.Or(o.Patience, defaultPatience)
	for _, step := range []func() error{o.checkMath, openDriver, shim.CuDNN, d.open, d.loadFirst} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("open cuda:%d: %w", o.Ordinal, err)
		}
	}
	return d, nil
}

// checkMath refuses an environment in which NVIDIA's libraries do not use the arithmetic
// that they are asked for: 0 turns TF32 off, and 1, which is not documented, on.
func (o Options) checkMath() error {
	const variable = "NVIDIA_TF32_OVERRIDE"
	agrees := map[string]string{gpu.MathFP32: "0", gpu.MathTF32: "1"}[o.Math]
	if value, set := os.LookupEnv(variable); set && value != agrees {
		return fmt.Errorf("%s=%s contradicts --math %s: unset it, or set it to %s", variable, value, o.Math, agrees)
	}
	return nil
}

// loadFirst loads the first kernel. It closes the device where it cannot.
func (d *Device) loadFirst() error {
	if d.options.First == "" {
		return nil
	}
	name, text, err := d.options.Source(d.options.First)
	if err == nil {
		_, err = d.function(source{name, text}, d.options.First)
	}
	if err != nil {
		return supplement.First(err, d.Close())
	}
	return nil
}

// open retains the card's primary context and makes it current on the device's
// thread.
func (d *Device) open() error {
	thread, err := startThread(&d.watch, func() error {
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
			return supplement.First(err, d.releaseCard())
		}
		return nil
	})
	d.thread = thread
	return err
}

func (d *Device) releaseCard() error {
	return supplement.Wrap("cuDevicePrimaryCtxRelease", d.device.ReleasePrimaryCtx())
}

// Name is "cuda:N", with the card's number.
func (d *Device) Name() string { return fmt.Sprintf("cuda:%d", d.options.Ordinal) }

// Kind names the card's model.
func (d *Device) Kind() string { return d.card.Kind() }

// Description names the card, the versions and the convolutions' arithmetic.
func (d *Device) Description() string {
	return fmt.Sprintf("%s, %s, cuDNN %s, %s", d.card, Driver(), supplement.CuDNNVersion(), d.options.Math)
}

// FilterLayout is OHWI, what cuDNN takes with NHWC pictures.
func (d *Device) FilterLayout() gpu.FilterLayout { return gpu.OHWI }

// Allocated returns the bytes that open streams hold, workspaces included.
func (d *Device) Allocated() int64 { return d.allocated.Load() }

// Memory returns the card's free and total memory. What closed streams left for the next is free.
func (d *Device) Memory() (free, total int64, err error) {
	err = d.thread.do(func() error {
		free, total, err = cu.MemInfo()
		free += d.spare.Load()
		return supplement.Wrap("cuMemGetInfo", err)
	})
	return free, total, err
}

// NewStream makes an independent queue of work, with a thread and a cuDNN context that are
// its own until it is closed.
func (d *Device) NewStream() (gpu.Stream, error) {
	s, err := newStream(d)
	if err != nil {
		return nil, fmt.Errorf("%s: make a stream: %w", d.Name(), err)
	}
	return s, nil
}

// Close frees all that streams have left and releases the card.
func (d *Device) Close() error {
	// What cuDNN has answered is freed before the contexts that were asked.
	failed := []error{d.thread.free(d.choices.free)}
	for l := d.lanes.take(); l != nil; l = d.lanes.take() {
		failed = append(failed, l.thread.free(func() error { return l.free(d) }))
		l.thread.stop()
	}
	failed = append(failed, d.thread.free(func() error { return supplement.First(d.modules.unload(), d.releaseCard()) }))
	err := supplement.First(failed...)
	d.thread.stop()
	if err != nil {
		return fmt.Errorf("%s: close: %w", d.Name(), err)
	}
	return nil
}

// modules are the PTX modules that the device has loaded.
type modules struct {
	mutex  sync.Mutex
	loaded map[source]*module
}

// source is a PTX module as a kernel or Options.Source gives it.
type source struct{ name, text string }

// module is one that is loaded.
type module struct {
	loaded    cu.Module
	functions map[string]cu.Function // by entry
}

// jitLogBytes is the room for what the driver's compiler has to say.
const jitLogBytes = 16 << 10

// function returns the device function of an entry, from a module that is loaded when
// first asked for.
func (d *Device) function(from source, entry string) (cu.Function, error) {
	d.modules.mutex.Lock()
	defer d.modules.mutex.Unlock()
	m, ok := d.modules.loaded[from]
	if ok {
		if f, ok := m.functions[entry]; ok {
			return f, nil
		}
	}
	var f cu.Function
	err := d.thread.do(func() error {
		if !ok {
			loaded, err := load(from.name, from.text)
			if err != nil {
				return err
			}
			m = &module{loaded, map[string]cu.Function{}}
			if d.modules.loaded == nil {
				d.modules.loaded = map[source]*module{}
			}
			d.modules.loaded[from] = m
		}
		var err error
		f, err = m.loaded.Function(entry)
		return supplement.Wrap(fmt.Sprintf("find kernel %s in %s: cuModuleGetFunction", entry, from.name), err)
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
		failed = append(failed, supplement.Wrap("cuModuleUnload", module.loaded.Unload()))
	}
	m.loaded = nil
	return supplement.First(failed...)
}
