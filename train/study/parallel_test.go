package study

import (
	"context"
	"errors"
	"sync"
	"testing"

	"diaghess/gpu"
	"diaghess/train"
)

// meeting is a device on which streams are made, or refused, two at a time.
type meeting struct {
	gpu.Device
	both sync.WaitGroup
	err  error
}

func (m *meeting) NewStream() (gpu.Stream, error) {
	m.both.Done()
	m.both.Wait()
	return nil, m.err
}

// Runs are made side by side.
func TestRunsAreMadeSideBySide(t *testing.T) {
	device := &meeting{err: errors.New("refused")}
	device.both.Add(2)
	runs := &runners{device: device}
	failed := make(chan error)
	for range 2 {
		go func() {
			_, err := runs.make(t.Context(), nil, train.Job{})
			failed <- err
		}()
	}
	for range 2 {
		if err := <-failed; err != device.err {
			t.Errorf("error %v, want that of the device", err)
		}
	}
}

// crowded is a device without memory.
type crowded struct {
	gpu.Device
	asked int
}

func (c *crowded) NewStream() (gpu.Stream, error) {
	c.asked++
	return nil, &gpu.OutOfMemory{}
}

// A run for which there is no memory is tried once more, when no other is being made.
func TestNoRoomIsTriedAlone(t *testing.T) {
	device := &crowded{}
	runs := &runners{device: device, running: 3}
	_, err := runs.make(context.Background(), nil, train.Job{})
	if device.asked != 2 || !errors.As(err, new(*gpu.OutOfMemory)) {
		t.Errorf("asked %d times, want 2; error %v", device.asked, err)
	}
}

func TestInRounds(t *testing.T) {
	for _, c := range []struct{ runs, most, want int }{{40, 32, 20}, {40, 40, 40}, {33, 32, 17}, {5, 32, 5}, {41, 20, 14}, {7, 1, 1}, {64, 32, 32}} {
		if got := inRounds(c.runs, c.most); got != c.want {
			t.Errorf("%d runs, at most %d at once: %d, want %d", c.runs, c.most, got, c.want)
		}
	}
}
