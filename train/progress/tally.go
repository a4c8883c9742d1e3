package progress

import (
	"fmt"
	"sync"
	"time"

	"diaghess/train/record"
	"diaghess/train/study"
)

// pace tells the time left from the steps that were done in a time.
type pace struct {
	before, done, steps int // before is what was done when the time began
	later               int // steps that come after these
	start               time.Time
}

// left returns the time left at a time, "" while that is not known.
func (p pace) left(now time.Time) string {
	seen, elapsed, left := p.done-p.before, now.Sub(p.start), p.steps-p.done+p.later
	if seen <= 0 || left <= 0 || elapsed < time.Second {
		return ""
	}
	return short(time.Duration(float64(elapsed)/float64(seen)*float64(left))) + " left"
}

// short writes a time to the second, from an hour on to the minute.
func short(d time.Duration) string {
	d = d.Round(time.Second)
	switch h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case h > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	default:
		return fmt.Sprintf("%ds", s)
	}
}

// tally counts what a study has done. Its methods may be called from several goroutines.
type tally struct {
	now func() time.Time

	mutex       sync.Mutex
	jobs, ended int
	pace        pace
	stopped     map[record.Job]int // steps of runs that stopped, which may go on on another device
}

func newTally(now func() time.Time) *tally { return &tally{now: now, stopped: map[record.Job]int{}} }

func (t *tally) study(e study.Extent) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.jobs, t.ended = len(e.Jobs), e.Ended
	t.pace = pace{before: e.Done, done: e.Done, steps: e.Steps, later: e.Later}
}

// begin counts a run in that has done some steps before.
func (t *tally) begin(job record.Job, done int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	done -= t.stopped[job] // these are counted
	delete(t.stopped, job)
	t.pace.done += done
	t.pace.before += done
	if t.pace.start.IsZero() { // what comes before, such as reading a dataset, comes once
		t.pace.start = t.now()
	}
}

func (t *tally) step() {
	t.mutex.Lock()
	t.pace.done++
	t.mutex.Unlock()
}

// halt notes the steps of a run that stopped.
func (t *tally) halt(job record.Job, done int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.stopped[job] = done
}

// end counts a run as ended that leaves some of its steps undone.
func (t *tally) end(undone int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.ended++
	t.pace.done += undone
	t.pace.before += undone
}

// state is what the study has done, and the time that it has left, "" while that is not known.
func (t *tally) state() (ended, jobs int, p pace, left string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.ended, t.jobs, t.pace, t.pace.left(t.now())
}
