package cpu

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/cpu/slab"
)

// task is a unit of a program: parts that write disjoint memory, in any order.
type task interface {
	parts() int
	// run computes parts lo to hi-1 as the given worker.
	run(worker, lo, hi int)
}

// stream runs tasks on the calling goroutine and on helpers that wait between
// tasks.
type stream struct {
	device  *Device
	session session
	helpers []chan struct{} // one a helper: a token starts it on the current job
	done    sync.WaitGroup
	job     job
	// memory is what Alloc hands out, allocated the bytes of it.
	memory    slab.Slab
	allocated int64
}

// job is the task at work and how far it has been handed out.
type job struct {
	task  task
	parts int
	grain int // parts taken at a time
	next  atomic.Int64
}

func newStream(d *Device) *stream {
	s := &stream{device: d, session: d.library.open(d.threads)}
	for worker := 1; worker < d.threads; worker++ {
		start := make(chan struct{})
		s.helpers = append(s.helpers, start)
		go func() {
			for range start {
				s.job.work(worker)
				s.done.Done()
			}
		}()
	}
	return s
}

// work takes parts of the job until none is left.
func (j *job) work(worker int) {
	for {
		hi := int(j.next.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.parts {
			return
		}
		j.task.run(worker, lo, min(hi, j.parts))
	}
}

// grainsPerWorker trades the cost of handing out parts against a worker that
// waits for a slower one: a stolen time slice delays at most 1/16 of a task.
const grainsPerWorker = 16

// run does one task with all workers.
func (s *stream) run(t task) {
	n := t.parts()
	if len(s.helpers) == 0 || n == 1 {
		t.run(0, 0, n)
		return
	}
	workers := len(s.helpers) + 1
	s.job.task, s.job.parts, s.job.grain = t, n, max(1, n/(workers*grainsPerWorker))
	s.job.next.Store(0)
	s.done.Add(len(s.helpers))
	for _, start := range s.helpers {
		start <- struct{}{}
	}
	s.job.work(0)
	s.done.Wait()
}

func (s *stream) Device() gpu.Device { return s.device }

// Compile prepares the ops for replay. It fails on an op of another device.
func (s *stream) Compile(ops []gpu.RecordedOp) (gpu.Program, error) {
	tasks := make([][]task, len(ops))
	looked := s.session.taken()
	for i, op := range ops {
		switch op := op.Op.(type) {
		case gpu.Kernel:
			tasks[i] = []task{kernelTask{kernel: op, blocks: op.Grid().Blocks}}
		case *gpu.ConvolutionPass:
			c, ok := op.Convolution.(*convolution)
			if !ok {
				return nil, fmt.Errorf("cpu: convolution %v was bound to another device", op.Convolution.Shape())
			}
			tasks[i] = s.session.compile(c.shape, op.Direction, op.X.Host(), op.W.Host(), op.Y.Host())
			if taken := s.session.taken(); taken-looked >= slab.Least { // is there room for as much again?
				looked = taken
				if err := gpu.CheckBuffer(slab.Least + int(s.device.promised.Load())); err != nil {
					return nil, fmt.Errorf("cpu: %w", err)
				}
			}
		default:
			return nil, fmt.Errorf("cpu: cannot run op %T", op)
		}
	}
	return &program{stream: s, ops: ops, tasks: tasks}, nil
}

// Upload copies to host memory.
func (s *stream) Upload(dst *gpu.Buffer, offset int, src []byte) error {
	copy(dst.Host[offset:offset+len(src)], src)
	return nil
}

// Download copies from host memory.
func (s *stream) Download(dst []byte, src *gpu.Buffer, offset int) error {
	copy(dst, src.Host[offset:offset+len(dst)])
	return nil
}

// Wait returns at once: Run has done its work when it returns.
func (s *stream) Wait() error { return nil }

// Close stops the helpers; the garbage collector frees the memory.
func (s *stream) Close() error {
	for _, start := range s.helpers {
		close(start)
	}
	if s.session != nil {
		s.device.promised.Add(-s.device.promise())
	}
	s.helpers, s.session = nil, nil
	s.device.allocated.Add(-s.allocated)
	s.memory, s.allocated = slab.Slab{}, 0
	return nil
}

// kernelTask runs the Go body of a kernel.
type kernelTask struct {
	kernel gpu.Kernel
	blocks int
}

func (t kernelTask) parts() int { return t.blocks }

func (t kernelTask) run(_, lo, hi int) { t.kernel.Host(lo, hi) }

// program is the tasks of each op.
type program struct {
	stream *stream
	ops    []gpu.RecordedOp
	tasks  [][]task
}

func (p *program) Ops() []gpu.RecordedOp { return p.ops }

// Run does all ops and returns when they are done.
func (p *program) Run() error {
	for i := range p.tasks {
		p.runOp(i)
	}
	return nil
}

// runOp does the tasks of one op, one after the other.
func (p *program) runOp(i int) {
	for _, t := range p.tasks[i] {
		p.stream.run(t)
	}
}

// Profile times each op of n replays.
func (p *program) Profile(n int) ([][]time.Duration, error) {
	ops := make([]gpu.Timed, len(p.tasks))
	for i := range ops {
		ops[i].Do = func() error {
			p.runOp(i)
			return nil
		}
	}
	return gpu.Time(context.Background(), n, ops...)
}
