package gpu

import (
	"errors"
	"fmt"
	"time"
)

// Device is one machine that runs programs.
type Device interface {
	// Name is the device's name in a record and on the command line: "cpu",
	// "emu", "cuda:0".
	Name() string
	// Description describes the device for a person: processor or card, threads,
	// convolution library and version.
	Description() string
	// FilterLayout is how the device's convolutions take filters and their
	// gradients.
	FilterLayout() FilterLayout
	// Allocated returns how many bytes the device's streams hold.
	Allocated() int64
	// NewStream makes an independent queue of work. Streams of one device run
	// side by side and do not change each other's results.
	NewStream() (Stream, error)
	// Close frees everything that the device made. Its streams must be closed.
	Close() error
}

// Stream is a queue of work on a device: work is done in the order in which it
// was queued. A stream belongs to one goroutine at a time and owns the
// memory that it makes; work of other streams may use that too, after Wait and
// before Close.
type Stream interface {
	Device() Device
	// Alloc makes zeroed memory. It fails when there is not enough.
	Alloc(bytes int) (*Buffer, error)
	// Convolution binds a convolution of fixed shape: it chooses the algorithms
	// and allocates what they need.
	Convolution(ConvolutionShape) (Convolution, error)
	// Compile turns recorded ops into a program of this stream.
	Compile([]RecordedOp) (Program, error)
	// Upload and Download copy bytes between host memory and a buffer, after
	// all work queued before, and return when the host memory may be reused.
	Upload(dst *Buffer, offset int, src []byte) error
	Download(dst []byte, src *Buffer, offset int) error
	// Wait returns when everything queued has been done.
	Wait() error
	// Close waits and frees everything that the stream made, its memory
	// included.
	Close() error
}

// WithStream calls body with a new stream of the device and closes the stream after it.
// Its error holds those of both.
func WithStream(device Device, body func(Stream) error) error {
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	return errors.Join(body(stream), stream.Close())
}

// Program is a fixed sequence of ops that a stream replays. A replay makes no
// allocation and no copy between host and device.
type Program interface {
	// Run queues one replay on the program's stream.
	Run() error
	// Ops returns the recorded ops, in order.
	Ops() []RecordedOp
	// Profile replays the program n times and returns, for each op and each
	// replay, how long it took: durations[op][replay].
	Profile(n int) (durations [][]time.Duration, err error)
}

// Op is one step of a program: a [Kernel] or a [ConvolutionPass].
type Op interface {
	// Entry is the op's name: of a kernel, its __global__ function.
	Entry() string
	// Cost is the least work of the op.
	Cost() Cost
}

// Cost is the least work of an op. Measured times are compared with it.
type Cost struct {
	Bytes int64 // each input byte read once, each output byte written once
	Flops int64 // floating-point operations, a multiply-add counted as two
}

// Grid is a kernel's launch geometry: Blocks blocks of Threads threads, both in
// one dimension.
type Grid struct {
	Blocks, Threads int
}

// Kernel is one computation with two bodies: a __global__ function in a .cu
// file and Host, the same computation in Go, the reference. Its exported
// fields, in order, are the parameters of both: Slice for a pointer, int32,
// uint32, uint64 and float32 by value.
type Kernel interface {
	Op
	// Grid returns the launch geometry of these parameters.
	Grid() Grid
	// Host computes blocks lo to hi-1 of the grid. Blocks write disjoint
	// memory, so they may run in any order and at once.
	Host(lo, hi int)
}

// Sourced is a [Kernel] that brings its CUDA body along, as PTX. Its parameters are what
// Arguments returns, not its fields.
type Sourced interface {
	Kernel
	// Module returns the PTX module that has the kernel's Entry, and a name of the module
	// for messages.
	Module() (name, text string)
	// Arguments returns the parameters in order, see [Pack].
	Arguments() [][]byte
}

// RecordedOp is an op and the part of the step that it belongs to, such as
// "forward/conv1".
type RecordedOp struct {
	Label string
	Op    Op
}

// Recorder collects the ops of a program.
type Recorder struct {
	ops   []RecordedOp
	label string
}

// Record appends an op under the current label.
func (r *Recorder) Record(op Op) {
	r.ops = append(r.ops, RecordedOp{Label: r.label, Op: op})
}

// Group runs body with name appended to the label of what it records.
func (r *Recorder) Group(name string, body func()) {
	outer := r.label
	if outer != "" {
		name = outer + "/" + name
	}
	r.label = name
	body()
	r.label = outer
}

// Ops returns the recorded ops, in order.
func (r *Recorder) Ops() []RecordedOp { return r.ops }

// Traffic is what a device counted in one replay of an op.
type Traffic struct {
	ThreadInstructions int64
	Bytes              int64 // of global memory, asked for by loads and stores
	Sectors            int64 // of 32 bytes, touched by the warps' requests for them
	BankConflicts      int64 // extra passes over shared memory
	DivergentBranches  int64
}

// Add adds another op's traffic.
func (t *Traffic) Add(other Traffic) {
	t.ThreadInstructions += other.ThreadInstructions
	t.Bytes += other.Bytes
	t.Sectors += other.Sectors
	t.BankConflicts += other.BankConflicts
	t.DivergentBranches += other.DivergentBranches
}

// OutOfMemory is the error of an allocation for which a device has too little memory.
type OutOfMemory struct {
	Bytes       int64 // asked for; 0 where a library does not say
	Free, Total int64 // of the device
	Held        int64 // by the device's streams in this process
}

func (e *OutOfMemory) Error() string {
	wanted := ""
	if e.Bytes > 0 {
		wanted = fmt.Sprintf(" for %.1f MB", float64(e.Bytes)/1e6)
	}
	return fmt.Sprintf("out of memory%s: %.1f of the device's %.1f MB are free, and this process holds %.1f MB",
		wanted, float64(e.Free)/1e6, float64(e.Total)/1e6, float64(e.Held)/1e6)
}

// Card is a [Device] of which a machine may have several.
type Card interface {
	// Kind names the card's model. Cards of one kind compute bit-identical results with
	// the same libraries; those of two kinds may round differently.
	Kind() string
}

// IsFault says that an error is a device's own, such as memory that is damaged or a kernel
// that hangs: other devices can still do what this one was asked for.
func IsFault(err error) bool {
	var own interface{ Fault() bool }
	return errors.As(err, &own) && own.Fault()
}

// Meter is a [Device] that knows how much memory it has.
type Meter interface {
	// Memory returns the free and the total memory of the device, in bytes.
	Memory() (free, total int64, err error)
}

// Packer is a [Stream] of a device on which each allocation costs time: it makes many buffers
// as one.
type Packer interface {
	// Pack makes the memory of buffers that have a size, zeroed, as Alloc does.
	Pack(buffers []*Buffer) error
}

// Tracer is a [Stream] of a device that a profiler can watch.
type Tracer interface {
	// Trace waits, calls body and waits again while the profiler records. Meanwhile the
	// stream's programs run op by op, each within a range of its label.
	Trace(body func() error) error
}

// Graph is a [Program] that a device takes as a whole.
type Graph interface {
	// Nodes returns the number of launches that the device makes of it.
	Nodes() int
}

// Counter is a [Program] of a device that counts what its kernels move.
type Counter interface {
	// Count replays the program once and returns the traffic of each op; it is
	// zero for convolutions.
	Count() ([]Traffic, error)
}
