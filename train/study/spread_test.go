package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/train"
	"diaghess/train/record"
)

// Runs are spread evenly as far as each device has room.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		rooms []int
		runs  int
		want  []int
	}{
		{[]int{40, 40, 40, 40}, 40, []int{10, 10, 10, 10}},
		{[]int{2, 40, 40}, 40, []int{2, 19, 19}},
		{[]int{0, 3}, 40, []int{0, 3}},
		{[]int{5, 5}, 3, []int{2, 1}},
		{[]int{8}, 0, []int{0}},
	} {
		if got := spread(c.rooms, c.runs); !slices.Equal(got, c.want) {
			t.Errorf("%d runs with rooms %d: %d, want %d", c.runs, c.rooms, got, c.want)
		}
	}
}

// The arms of a seed go to cards of one kind, to that of the first of them; a run that comes
// back is the next.
func TestQueueKeepsPairsOnOneKind(t *testing.T) {
	var jobs []train.Job
	for seed := range 3 {
		for _, arm := range []string{"a", "b"} {
			jobs = append(jobs, train.Job{Job: record.Job{Dataset: "d", Optimizer: arm, Seed: seed}})
		}
	}
	sites := map[string]*site{}
	for _, kind := range []string{"large", "small"} {
		sites[kind] = &site{kind: kind, room: len(jobs)}
	}
	q := newQueue([]*site{sites["large"], sites["small"]}, jobs, map[pair]string{{"d", 2}: "small"}) // as its records say
	take := func(kind string) (*train.Job, string) {
		d := sites[kind]
		d.ctx, d.stop = context.WithCancel(t.Context())
		defer d.stop()
		if !q.turn(d, true) || !slices.ContainsFunc(q.waiting, func(job *train.Job) bool { return q.fits(job, d) }) {
			return nil, "none" // it would wait
		}
		job := q.next(d)
		return job, fmt.Sprint(job.Seed, job.Optimizer)
	}
	first, name := take("large")
	got := []string{name}
	for _, kind := range []string{"small", "large", "small"} {
		_, name := take(kind)
		got = append(got, name)
	}
	q.done(sites["large"], first, true)
	for _, kind := range []string{"small", "large", "small", "large"} {
		_, name := take(kind)
		got = append(got, name)
	}
	if want := []string{"0a", "1a", "0b", "1b", "2a", "0a", "2b", "none"}; !slices.Equal(got, want) {
		t.Errorf("handed out %v, want %v", got, want)
	}
}

// The runs of a device that is left go to the others, as far as they have room.
func TestQueueSpreadsTheRunsOfALostDevice(t *testing.T) {
	sites := []*site{{room: 4}, {room: 8}, {room: 8}}
	for _, d := range sites {
		d.ctx, d.stop = context.WithCancel(t.Context())
		d.Device, d.tell = namedDevice{}, Silent{}
	}
	q := newQueue(sites, make([]train.Job, 12), map[pair]string{})
	fill := func() {
		for len(q.waiting) > 0 {
			for _, d := range sites {
				if q.turn(d, false) {
					q.next(d)
				}
			}
		}
	}
	running := func() (n []int) {
		for _, d := range sites {
			n = append(n, d.running)
		}
		return n
	}
	fill()
	if got := running(); !slices.Equal(got, []int{4, 4, 4}) {
		t.Errorf("%d runs, want 4 each", got)
	}
	sites[1].leave(errors.New("lost"))
	for range 4 {
		q.done(sites[1], &train.Job{}, true)
	}
	fill()
	if got := running(); !slices.Equal(got, []int{4, 0, 8}) {
		t.Errorf("%d runs once a device is lost, want 4, 0 and 8", got)
	}
}

// namedDevice has no more than a name.
type namedDevice struct{ gpu.Device }

func (namedDevice) Name() string { return "device" }
