package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/train"
)

// Limits are the speeds of some streams at once, each of which replays a program again and again:
// steps per second of all of them together. What limits whole steps shows in the parts.
type Limits struct {
	Streams      int     `json:"streams"`
	Step         float64 `json:"steps_per_second"`
	Convolutions float64 `json:"convolutions_per_second"` // the step's convolutions and matrix products alone
	Kernels      float64 `json:"kernels_per_second"`      // its other ops alone
	Empty        float64 `json:"empty_per_second"`        // as many kernels that write one word
	// Cores is the number of processors that the process kept busy during whole steps; 0 where the
	// system does not tell.
	Cores float64 `json:"cores"`
}

// Verdict says what limits whole steps. Two parts that use the same multiprocessors and the same
// memory take as long together as one after the other.
func (l Limits) Verdict() string {
	apart := 1 / (1/l.Convolutions + 1/l.Kernels)
	figures := fmt.Sprintf("%d streams: %.0f steps/s; convolutions and other kernels one after the other %.0f/s, empty kernels %.0f/s, %.1f processors busy",
		l.Streams, l.Step, apart, l.Empty, l.Cores)
	switch {
	case l.Streams == 1:
		return strings.Replace(figures, "1 streams", "1 stream", 1) + ": more streams tell what limits them"
	case l.Cores > 0.8*float64(runtime.GOMAXPROCS(0)):
		return figures + ": the host limits, its processors are busy"
	case l.Empty < 2*l.Step:
		return figures + ": launches limit (the card's front end, or the driver), empty kernels are not twice as fast"
	case l.Step < 1.25*apart:
		return figures + ": multiprocessors and memory limit, the parts take as long together as one after the other"
	}
	return figures + ": not one of these alone limits, the parts overlap"
}

// station is a stream with the programs that it replays.
type station struct {
	stream   gpu.Stream
	begin    func() error // before the first step of an epoch
	programs [4]gpu.Program
}

// Limits measures each number of streams, each program for about the given time. Where memory
// ends it measures no more streams than fit; not one is a *[gpu.OutOfMemory].
func (w Workload) Limits(ctx context.Context, device gpu.Device, streams []int, about time.Duration) (all []Limits, err error) {
	owner, err := device.NewStream()
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, owner.Close()) }()
	epoch := 4 * w.Block
	set, err := w.pictures(owner, epoch, 1)
	if err != nil {
		return nil, err
	}
	var stations []station
	for len(stations) < slices.Max(streams) {
		stream, err := device.NewStream()
		if err != nil {
			return nil, err
		}
		defer func() { err = cmp.Or(err, stream.Close()) }()
		s, err := w.station(stream, set)
		if errors.As(err, new(*gpu.OutOfMemory)) && len(stations) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		stations = append(stations, s)
	}
	for _, n := range streams {
		if n > len(stations) {
			continue
		}
		l := Limits{Streams: n}
		for program, rate := range []*float64{&l.Step, &l.Convolutions, &l.Kernels, &l.Empty} {
			cores := 0.0
			if *rate, cores, err = w.replay(ctx, stations[:n], program, about); err != nil {
				return nil, err
			}
			if program == 0 {
				l.Cores = cores
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// station makes the programs: a whole step, and its parts.
func (w Workload) station(stream gpu.Stream, set *train.Resident) (s station, err error) {
	r, err := w.trainer(stream, set, w.Optimizers[0])
	if err != nil {
		return s, err
	}
	s.stream, s.begin = stream, r.TrainingSteps().Begin
	s.programs[0] = r.TrainingSteps().Program(false)
	ops := s.programs[0].Ops()
	isKernel := func(op gpu.RecordedOp) bool { _, is := op.Op.(gpu.Kernel); return is }
	nodes := len(ops)
	if graph, ok := s.programs[0].(gpu.Graph); ok {
		nodes = graph.Nodes()
	}
	word, err := gpu.Alloc[uint32](stream, 1)
	if err != nil {
		return s, err
	}
	empty := gpu.RecordedOp{Label: "empty", Op: &kernels.Fill{X: word, Elements: 1}}
	for i, part := range [][]gpu.RecordedOp{
		slices.DeleteFunc(slices.Clone(ops), isKernel),
		slices.DeleteFunc(slices.Clone(ops), func(op gpu.RecordedOp) bool { return !isKernel(op) }),
		slices.Repeat([]gpu.RecordedOp{empty}, nodes),
	} {
		if s.programs[1+i], err = stream.Compile(part); err != nil {
			return s, err
		}
	}
	return s, nil
}

// replay has all stations replay a program, epoch by epoch, until the time is over. It returns
// replays per second and busy processors.
func (w Workload) replay(ctx context.Context, stations []station, program int, about time.Duration) (rate, cores float64, err error) {
	epochs := make(chan int, len(stations))
	failed := make(chan error, len(stations))
	start, busy := time.Now(), cpuSeconds()
	for _, s := range stations {
		go func() {
			n := 0
			var err error
			for ; err == nil && (n == 0 || time.Since(start) < about); n++ {
				err = s.epoch(ctx, s.programs[program], w.Block)
			}
			epochs <- n
			failed <- err
		}()
	}
	total := 0
	for range stations {
		total += <-epochs
		err = cmp.Or(err, <-failed)
	}
	seconds := time.Since(start).Seconds()
	return float64(4*w.Block*total) / seconds, (cpuSeconds() - busy) / seconds, err
}

// epoch replays a program as often as there are steps, and waits after each block.
func (s station) epoch(ctx context.Context, program gpu.Program, block int) error {
	replays := gpu.Replays(s.stream, program, block)
	if err := s.begin(); err != nil {
		return err
	}
	_, err := gpu.Time(ctx, 4, replays)
	return err
}
