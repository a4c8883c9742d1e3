package study

import (
	"context"
	"fmt"
	"slices"
	"testing"

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
	q := newQueue(jobs, map[pair]string{{"d", 2}: "small"}) // as its records say
	take := func(kind string) (*train.Job, string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer context.AfterFunc(ctx, q.wake)()
		if len(q.waiting) == 0 {
			cancel() // others are at work: it would wait for them
		}
		defer cancel()
		job := q.next(ctx, kind)
		if job == nil {
			return nil, "none"
		}
		return job, fmt.Sprint(job.Seed, job.Optimizer)
	}
	first, name := take("large")
	got := []string{name}
	for _, kind := range []string{"small", "large", "small"} {
		_, name := take(kind)
		got = append(got, name)
	}
	q.done(first, true)
	for _, kind := range []string{"small", "large", "small", "large"} {
		_, name := take(kind)
		got = append(got, name)
	}
	if want := []string{"0a", "1a", "0b", "1b", "2a", "0a", "2b", "none"}; !slices.Equal(got, want) {
		t.Errorf("handed out %v, want %v", got, want)
	}
}
