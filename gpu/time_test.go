package gpu_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"diaghess/gpu"
)

// Work is done in turns, and what prepares it is not timed. The median is the upper one.
func TestTime(t *testing.T) {
	var did []string
	do := func(name string, last time.Duration) func() error {
		return func() error {
			did = append(did, name)
			time.Sleep(last)
			return nil
		}
	}
	const pause = 200 * time.Millisecond
	durations, err := gpu.Time(t.Context(), 2, gpu.Timed{Prepare: do("prepare", pause), Do: do("short", 0)}, gpu.Timed{Do: do("long", pause)})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"prepare", "short", "long", "prepare", "short", "long"}; !slices.Equal(did, want) {
		t.Errorf("did %q, want %q", did, want)
	}
	if len(durations) != 2 || len(durations[0]) != 2 || len(durations[1]) != 2 || slices.Max(durations[1]) < pause || slices.Min(durations[0]) >= pause {
		t.Errorf("durations %v, want two below %v, then two of it", durations, pause)
	}
	if m := gpu.Median([]time.Duration{4, 1, 3, 2}); m != 3 {
		t.Errorf("median %d, want 3", m)
	}
}

// A failure and the end of the context are errors, and no work follows them.
func TestTimeEnds(t *testing.T) {
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	for name, first := range map[string]gpu.Timed{
		"preparing fails":  {Prepare: func() error { return cause }},
		"doing fails":      {Do: func() error { return cause }},
		"the context ends": {Do: func() error { cancel(cause); return nil }},
	} {
		second := gpu.Timed{Do: func() error { t.Errorf("%s: the next work was done", name); return nil }}
		if _, err := gpu.Time(ctx, 1, first, second); err != cause {
			t.Errorf("%s: error %v, want %v", name, err, cause)
		}
	}
}
