package gpu

import (
	"context"
	"slices"
	"time"
)

// Timed is work to time.
type Timed struct {
	Prepare func() error // before the clock starts; nil for nothing
	Do      func() error // returns when the work is done
}

// Time does all work n times, in turns, so that a slow moment of the machine affects all of
// it. It returns how long each took each time: durations[work][turn]. If the context ends
// it returns the cause, after the work that has begun.
func Time(ctx context.Context, n int, work ...Timed) (durations [][]time.Duration, err error) {
	durations = make([][]time.Duration, len(work))
	for range n {
		for i, w := range work {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if w.Prepare != nil {
				if err := w.Prepare(); err != nil {
					return nil, err
				}
			}
			start := time.Now()
			if err := w.Do(); err != nil {
				return nil, err
			}
			durations[i] = append(durations[i], time.Since(start))
		}
	}
	return durations, nil
}

// Replays is work for [Time]: n replays of a stream's program, and the wait for the last.
func Replays(stream Stream, program Program, n int) Timed {
	return Timed{Do: func() error {
		for range n {
			if err := program.Run(); err != nil {
				return err
			}
		}
		return stream.Wait()
	}}
}

// Median returns the upper median of at least one duration.
func Median(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2]
}
