package curvature

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// Estimator is an estimate of the diagonal, bound to a network.
type Estimator interface {
	// Diagonal returns the estimate, with the layout of Network.Values.
	Diagonal() gpu.Slice[float32]
	// NonNegative reports whether no entry of the estimate can be negative.
	NonNegative() bool
	// Record records an estimate on a batch, for the steps that make one. Call it
	// after recording the batch's forward pass in training, its loss, and the
	// backward pass into Network.Gradients. It changes none of their results except
	// the gradient by the logits. state counts the steps. Record allocates memory for
	// the batch; the error is that of the allocation.
	Record(r *gpu.Recorder, b *layers.Batch, state gpu.Slice[uint32]) error
	// State is what the estimator keeps from step to step, and a checkpoint of it:
	// vectors with the layout of the network's values.
	State() []gpu.Slice[float32]
}

// New binds an estimator to a network for a run of the given number of steps. For the
// kind None it returns nil. All random numbers are functions of the seed. Call New before
// Network.Bind, because an estimator may need more memory in a batch than training does.
// It returns an error for invalid options, or if the device has too little memory.
func New(n *layers.Network, o Options, steps int, seed uint64) (Estimator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Kind == None {
		return nil, nil
	}
	k, err := find(o.Kind)
	if err != nil {
		return nil, err
	}
	b := &base{Options: o, network: n, estimates: (steps + o.Every - 1) / o.Every, seed: seed, arena: gpu.NewArena(n.Stream)}
	b.diagonal = b.values()
	if o.Decay > 0 {
		b.keepAverage()
	}
	e, err := k.make(b)
	if err == nil {
		err = b.arena.Allocate()
	}
	if err != nil {
		return nil, fmt.Errorf("curvature %s: %w", o.Kind, err)
	}
	return e, nil
}

// sweeps are those of batches, each bound when it is first asked for.
type sweeps[T any] map[*layers.Batch]T

func (s sweeps[T]) of(b *layers.Batch, bind func(*layers.Batch) (T, error)) (T, error) {
	if sweep, ok := s[b]; ok {
		return sweep, nil
	}
	sweep, err := bind(b)
	if err == nil {
		s[b] = sweep
	}
	return sweep, err
}

// base is what estimators share: the estimate, and its average over steps.
type base struct {
	Options
	network   *layers.Network
	estimates int // of the run
	seed      uint64

	diagonal    gpu.Slice[float32]
	average     gpu.Slice[float32] // null without one
	corrections gpu.Slice[float32]
	arena       *gpu.Arena // of what New allocates
}

// keepAverage reserves the average, and the table of its corrections: 1 / (1 -
// decay^k) for the estimates k = 1, 2, ... of a run, as the weights of an exponential
// average that began with 0 sum up to 1 - decay^k. Without correction they are 1.
func (b *base) keepAverage() {
	table := make([]float32, b.estimates)
	for i := range table {
		table[i] = 1
		if !b.Uncorrected {
			table[i] = float32(1 / (1 - math.Pow(b.Decay, float64(i+1))))
		}
	}
	b.average, b.corrections = b.values(), gpu.ReserveCopy(b.arena, table)
}

// Diagonal is the estimate.
func (b *base) Diagonal() gpu.Slice[float32] { return b.diagonal }

// State is the estimate, which steps without one go on using, and its average.
func (b *base) State() []gpu.Slice[float32] {
	if b.average.IsNull() {
		return []gpu.Slice[float32]{b.diagonal}
	}
	return []gpu.Slice[float32]{b.diagonal, b.average}
}

// values reserves what has the layout of the network's values.
func (b *base) values() gpu.Slice[float32] {
	return gpu.Reserve[float32](b.arena, b.network.Values.Len())
}

// sample is a part of an estimate: factor times x, or times its square.
type sample struct {
	x       gpu.Slice[float32]
	squared bool
	factor  float32
}

// record records the end of an estimate: its last sample, on top of the sum of
// those before where there are any, and the average.
func (b *base) record(r *gpu.Recorder, last sample, sum gpu.Slice[float32], state gpu.Slice[uint32]) {
	r.Record(&kernels.CurvatureAverage{
		X: last.x, Sum: sum, Average: b.average, Diagonal: b.diagonal, Corrections: b.corrections, State: state,
		Elements: int32(b.diagonal.Len()), Every: uint32(b.Every), Squared: kernels.Flag(last.squared), Factor: last.factor,
		Decay: float32(b.Decay), OneMinusDecay: float32(1 - b.Decay),
	})
}
