package emu

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu/ptx"
)

// Options configure the device.
type Options struct {
	// Source returns the PTX module that holds an entry, and its name for
	// messages. Kernels that are gpu.Sourced have their own.
	Source func(entry string) (name, text string, err error)
	// Check says how much is checked.
	Check ptx.Check
	// Threads is the number of blocks that run at once; 0 means all processors.
	Threads int
	// Order is the seed of a random order of warps and blocks; 0 is the natural order.
	Order uint64
	// Budget is the number of warp instructions after which a launch is stopped as hanging, see
	// ptx.Options.
	Budget int64
	// Library names the cpu's convolution library, see cpu.Options.
	Library string
}

// Device implements [gpu.Device] over interpreted PTX.
type Device struct {
	options Options
	memory  *ptx.Memory
	cpu     *cpu.Device

	allocated atomic.Int64
	mutex     sync.Mutex
	modules   map[module]*ptx.Module
}

var _ gpu.Device = (*Device)(nil)

// New opens the device.
func New(o Options) (*Device, error) {
	host, err := cpu.New(cpu.Options{Threads: o.Threads, Library: o.Library})
	if err != nil {
		return nil, err
	}
	return &Device{options: o, memory: ptx.NewMemory(), cpu: host, modules: map[module]*ptx.Module{}}, nil
}

// Name is "emu".
func (d *Device) Name() string { return "emu" }

// Description names the checks and the convolution library.
func (d *Device) Description() string {
	return fmt.Sprintf("PTX interpreted (%v), convolutions and matrix products on the cpu (%s)", d.options.Check, d.cpu.Description())
}

// FilterLayout is the cpu's.
func (d *Device) FilterLayout() gpu.FilterLayout { return d.cpu.FilterLayout() }

// Allocated returns the bytes that open streams have made.
func (d *Device) Allocated() int64 { return d.allocated.Load() }

// NewStream makes an independent queue of work.
func (d *Device) NewStream() (gpu.Stream, error) {
	s, err := d.cpu.NewStream()
	if err != nil {
		return nil, err
	}
	return &stream{device: d, cpu: s}, nil
}

// Close closes the cpu behind it.
func (d *Device) Close() error { return d.cpu.Close() }

// module is a PTX module as its source gives it.
type module struct{ name, text string }

// kernel returns the parsed PTX of a kernel.
func (d *Device) kernel(k gpu.Kernel) (*ptx.Kernel, error) {
	name, text, err := gpu.Module(k, d.options.Source)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	parsed, ok := d.modules[module{name, text}]
	if !ok {
		if parsed, err = ptx.Parse(name, []byte(text)); err != nil {
			return nil, err
		}
		d.modules[module{name, text}] = parsed
	}
	return parsed.Kernel(k.Entry())
}

// stream runs kernels one after the other; the cpu's stream does the rest.
type stream struct {
	device  *Device
	cpu     gpu.Stream
	buffers []*gpu.Buffer
}

func (s *stream) Device() gpu.Device { return s.device }

// Alloc makes zeroed memory, far from any other: an overrun hits nothing.
func (s *stream) Alloc(bytes int) (*gpu.Buffer, error) {
	if err := gpu.CheckBuffer(bytes); err != nil {
		return nil, fmt.Errorf("emu: %w", err)
	}
	held := s.device.allocated.Load()
	a, err := s.device.memory.Allocate(fmt.Sprintf("the buffer made after %d bytes of others", held), bytes, true)
	if err != nil {
		return nil, fmt.Errorf("emu: %w", err)
	}
	s.device.allocated.Add(int64(bytes))
	b := &gpu.Buffer{Address: a.Address, Host: a.Data, Size: bytes}
	s.buffers = append(s.buffers, b)
	return b, nil
}

// Convolution binds a shape to the cpu's library.
func (s *stream) Convolution(shape gpu.ConvolutionShape) (gpu.Convolution, error) {
	return s.cpu.Convolution(shape)
}

func (s *stream) Upload(dst *gpu.Buffer, offset int, src []byte) error {
	return s.cpu.Upload(dst, offset, src)
}

func (s *stream) Download(dst []byte, src *gpu.Buffer, offset int) error {
	return s.cpu.Download(dst, src, offset)
}

func (s *stream) Wait() error { return s.cpu.Wait() }

// Close frees the stream's memory: a kernel that still uses it is at fault.
func (s *stream) Close() error {
	for _, b := range s.buffers {
		if err := s.device.memory.Free(b.Address); err != nil {
			return fmt.Errorf("emu: %w", err)
		}
		s.device.allocated.Add(-int64(b.Size))
	}
	s.buffers = nil
	return s.cpu.Close()
}

// Compile finds each kernel's PTX. It fails on an entry that has none.
func (s *stream) Compile(ops []gpu.RecordedOp) (gpu.Program, error) {
	p := &program{ops: ops}
	for _, op := range ops {
		step, err := s.compile(op)
		if err != nil {
			return nil, fmt.Errorf("emu: %s: %w", op.Label, err)
		}
		p.steps = append(p.steps, step)
	}
	return p, nil
}

// step does an op and returns what it counted.
type step func() (ptx.Counters, error)

func (s *stream) compile(op gpu.RecordedOp) (step, error) {
	k, ok := op.Op.(gpu.Kernel)
	if !ok {
		products, err := s.cpu.Compile([]gpu.RecordedOp{op})
		if err != nil {
			return nil, err
		}
		return func() (ptx.Counters, error) { return ptx.Counters{}, products.Run() }, nil
	}
	kernel, err := s.device.kernel(k)
	if err != nil {
		return nil, err
	}
	grid, o := k.Grid(), s.device.options
	launch := ptx.Launch{
		Blocks: grid.Blocks, Threads: grid.Threads, Arguments: gpu.Arguments(k),
		Options: ptx.Options{Check: o.Check, Workers: o.Threads, Order: o.Order, Budget: o.Budget},
	}
	return func() (ptx.Counters, error) { return kernel.Run(context.Background(), s.device.memory, launch) }, nil
}

// program is the steps of the ops.
type program struct {
	ops   []gpu.RecordedOp
	steps []step
}

var _ gpu.Counter = (*program)(nil)

func (p *program) Ops() []gpu.RecordedOp { return p.ops }

// Run does all ops. A kernel that breaks a rule is a *ptx.Fault.
func (p *program) Run() error {
	_, err := p.Count()
	return err
}

// Count is Run with the traffic of each op.
func (p *program) Count() ([]gpu.Traffic, error) {
	traffic := make([]gpu.Traffic, len(p.steps))
	for i, step := range p.steps {
		c, err := step()
		if err != nil {
			return nil, fmt.Errorf("emu: %s: %w", p.ops[i].Label, err)
		}
		traffic[i] = gpu.Traffic{
			ThreadInstructions: c.ThreadInstructions,
			Bytes:              c.GlobalBytes,
			Sectors:            c.GlobalSectors,
			BankConflicts:      c.SharedBankConflicts,
			DivergentBranches:  c.DivergentBranches,
		}
	}
	return traffic, nil
}

// Profile times each op of n replays: the interpreter's time, not a GPU's.
func (p *program) Profile(n int) ([][]time.Duration, error) {
	ops := make([]gpu.Timed, len(p.steps))
	for i, step := range p.steps {
		ops[i].Do = func() error {
			if _, err := step(); err != nil {
				return fmt.Errorf("emu: %s: %w", p.ops[i].Label, err)
			}
			return nil
		}
	}
	return gpu.Time(context.Background(), n, ops...)
}
