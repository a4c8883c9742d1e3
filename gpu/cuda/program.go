//go:build cuda

package cuda

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"diaghess/gpu"
	"diaghess/gpu/cuda/supplement"
)

// program implements [gpu.Program] as a CUDA graph.
type program struct {
	stream   *stream
	ops      []gpu.RecordedOp
	launches []func() error // one an op, on the stream's thread
	graph    cu.ExecGraph
	nodes    int
	timed    timed
	name     string // for messages
}

// timed is the graph of a program with an event before, between and after its ops; it has no
// events before it is made.
type timed struct {
	graph  cu.ExecGraph
	events []cu.Event
}

var _ gpu.Graph = (*program)(nil)

// Compile captures the ops as a graph. An op that cannot be captured is an error.
func (s *stream) Compile(ops []gpu.RecordedOp) (gpu.Program, error) {
	p := &program{stream: s, ops: ops}
	if n := len(ops); n > 0 {
		p.name = fmt.Sprintf("a program of %d ops, from %s to %s", n, nameOf(ops[0]), nameOf(ops[n-1]))
	}
	for _, op := range ops {
		launch, err := s.launch(op.Op)
		if err != nil {
			return nil, s.wrap("compile "+nameOf(op), err)
		}
		p.launches = append(p.launches, launch)
	}
	err := s.thread.do(func() error {
		var err error
		p.graph, p.nodes, err = supplement.Capture(s.queue, p.launchAll)
		if err != nil {
			return s.device.noRoom(0, err)
		}
		s.programs = append(s.programs, p)
		return nil
	})
	if err != nil {
		return nil, s.wrap("compile a program", err)
	}
	return p, nil
}

// launch returns what queues an op.
func (s *stream) launch(op gpu.Op) (func() error, error) {
	switch op := op.(type) {
	case gpu.Kernel:
		return s.launchKernel(op)
	case *gpu.ConvolutionPass:
		c, ok := op.Convolution.(*convolution)
		if !ok || c.stream != s {
			return nil, fmt.Errorf("convolution %v was bound to another stream", op.Convolution.Shape())
		}
		on := tensors{supplement.Memory(op.X.Address()), supplement.Memory(op.W.Address()), supplement.Memory(op.Y.Address())}
		return func() error { return c.run(op.Direction, on) }, nil
	}
	return nil, fmt.Errorf("cannot run op %T", op)
}

// launchKernel finds a kernel's function and packs its arguments: cu takes each from
// eight bytes of its own.
func (s *stream) launchKernel(k gpu.Kernel) (func() error, error) {
	name, text, err := gpu.Module(k, s.device.options.Source)
	if err != nil {
		return nil, err
	}
	f, err := s.device.function(source{name, text}, k.Entry())
	if err != nil {
		return nil, err
	}
	grid, parameters := k.Grid(), pack(gpu.Arguments(k))
	return func() error {
		return supplement.Wrap("cuLaunchKernel", f.Launch(grid.Blocks, 1, 1, grid.Threads, 1, 1, 0, s.queue, parameters))
	}, nil
}

// pack copies each argument, of at most eight bytes, into eight of its own.
func pack(arguments [][]byte) []unsafe.Pointer {
	slots := make([][8]byte, len(arguments))
	pointers := make([]unsafe.Pointer, len(arguments))
	for i, a := range arguments {
		copy(slots[i][:], a)
		pointers[i] = unsafe.Pointer(&slots[i])
	}
	return pointers
}

// Ops returns what was recorded.
func (p *program) Ops() []gpu.RecordedOp { return p.ops }

// Nodes returns the number of the graph's nodes.
func (p *program) Nodes() int { return p.nodes }

// Run queues the graph.
func (p *program) Run() error {
	s := p.stream
	s.queued.Store(&p.name)
	return s.wrap("run a program", s.thread.do(func() error {
		switch {
		case s.device.options.Blocking:
			return p.launchBlocking()
		case s.tracing:
			return p.launchInRanges()
		}
		return supplement.Launch(p.graph, s.queue)
	}))
}

// launchAll queues the ops one by one.
func (p *program) launchAll() error {
	for i, launch := range p.launches {
		if err := launch(); err != nil {
			return fmt.Errorf("%s: %w", nameOf(p.ops[i]), err)
		}
	}
	return nil
}

// launchBlocking is launchAll that waits after each op, whose fault an error then is.
func (p *program) launchBlocking() error {
	for i, launch := range p.launches {
		name := nameOf(p.ops[i])
		p.stream.queued.Store(&name)
		err := launch()
		if err == nil {
			err = p.stream.synchronize()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// nameOf names an op for a person: "forward/conv1 conv3x3 forward".
func nameOf(op gpu.RecordedOp) string { return strings.TrimSpace(op.Label + " " + op.Op.Entry()) }

// Profile times each op of n replays, between events that a second graph records around
// it: the card's time, with a microsecond or so of the event's own. That graph is made once.
func (p *program) Profile(n int) ([][]time.Duration, error) {
	durations := make([][]time.Duration, len(p.ops))
	for i := range durations {
		durations[i] = make([]time.Duration, n)
	}
	s := p.stream
	s.queued.Store(&p.name)
	err := s.thread.do(func() error {
		if p.timed.events == nil {
			if err := p.makeTimed(); err != nil {
				return err
			}
		}
		for replay := range n {
			if err := supplement.Launch(p.timed.graph, s.queue); err != nil {
				return err
			}
			if err := s.synchronize(); err != nil {
				return err
			}
			for i := range durations {
				millis, err := p.timed.events[i].Elapsed(p.timed.events[i+1])
				if err != nil {
					return supplement.Wrap("cuEventElapsedTime", err)
				}
				durations[i][replay] = time.Duration(millis * float64(time.Millisecond))
			}
		}
		return nil
	})
	return durations, s.wrap("profile a program", err)
}

// makeTimed makes the timed graph, or nothing.
func (p *program) makeTimed() (err error) {
	var t timed
	defer func() {
		if err != nil {
			err = supplement.First(err, t.freeEvents())
		}
	}()
	for range len(p.ops) + 1 {
		event, err := cu.MakeEvent(cu.DefaultEvent)
		if err != nil {
			return supplement.Wrap("cuEventCreate", err)
		}
		t.events = append(t.events, event)
	}
	t.graph, _, err = supplement.Capture(p.stream.queue, func() error {
		for i, launch := range p.launches {
			if err := supplement.RecordInGraph(t.events[i], p.stream.queue); err != nil {
				return err
			}
			if err := launch(); err != nil {
				return fmt.Errorf("%s: %w", nameOf(p.ops[i]), err)
			}
		}
		return supplement.RecordInGraph(t.events[len(p.launches)], p.stream.queue)
	})
	if err == nil {
		p.timed = t
	}
	return err
}

func (t timed) freeEvents() error {
	var failed []error
	for i := range t.events {
		failed = append(failed, supplement.Wrap("cuEventDestroy", cu.DestroyEvent(&t.events[i])))
	}
	return supplement.First(failed...)
}

// launchInRanges queues the ops within nested ranges: "forward", "conv1", "conv3x3
// forward".
func (p *program) launchInRanges() error {
	var open []string
	closeTo := func(depth int) {
		for ; len(open) > depth; open = open[:len(open)-1] {
			supplement.PopRange()
		}
	}
	defer closeTo(0)
	for i, launch := range p.launches {
		path := append(strings.Split(p.ops[i].Label, "/"), p.ops[i].Op.Entry())
		common := 0
		for common < len(open) && common < len(path)-1 && open[common] == path[common] {
			common++
		}
		closeTo(common)
		for _, name := range path[common:] {
			supplement.PushRange(name)
			open = append(open, name)
		}
		if err := launch(); err != nil {
			return fmt.Errorf("%s: %w", nameOf(p.ops[i]), err)
		}
	}
	return nil
}

// free frees the graphs, on the stream's thread.
func (p *program) free() error {
	failed := []error{supplement.Wrap("cuGraphExecDestroy", p.graph.Destroy())}
	if p.timed.events != nil {
		failed = append(failed, supplement.Wrap("cuGraphExecDestroy", p.timed.graph.Destroy()), p.timed.freeEvents())
	}
	return supplement.First(failed...)
}
