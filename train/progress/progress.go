// Package progress shows the progress of a study: on a terminal as lines that are
// written over and over, in a log as lines that stay.
//
// What does not belong here: anything that results depend on.
package progress

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"diaghess/train/record"
	"diaghess/train/study"
)

// New returns an observer that writes to out, and what ends its output: to be
// called when the study has returned.
func New(out *os.File) (observer study.Observer, finish func()) {
	if term.IsTerminal(int(out.Fd())) && redraws(out) {
		s := newScreen(out, func() (int, int) {
			width, height, err := term.GetSize(int(out.Fd()))
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24
			}
			return width, height
		})
		go s.refresh()
		return s, s.finish
	}
	return &lines{out: out, tally: newTally(time.Now)}, func() {}
}

// stoppingLine answers an interrupt.
const stoppingLine = "stopping: each run finishes its step and writes a checkpoint; interrupt again to end now"

// leftLine says why a device is not used, or no longer.
func leftLine(device string, why error) string {
	return fmt.Sprintf("%s is left out from here on: %v", device, why)
}

// epochLine is what a log says of an epoch.
func epochLine(job record.Job, epochs int, e record.Epoch, speed string) string {
	line := fmt.Sprintf("%v  epoch %d/%d  loss %.4f acc %.4f  val_loss %.4f val_acc %.4f f1 %.4f  %.1f s",
		job, e.Epoch, epochs, e.TrainLoss, e.TrainAcc, e.ValLoss, e.ValAcc, e.F1, e.Seconds)
	if speed != "" {
		line += "  " + speed
	}
	if e.Curvature != nil {
		line += fmt.Sprintf("  %v", e.Curvature)
	}
	return line
}

// extentLine is what a study has to do.
func extentLine(e study.Extent) string {
	line := fmt.Sprintf("runs: %d", len(e.Jobs))
	if e.Ended > 0 {
		line += fmt.Sprintf(", of them ended before: %d", e.Ended)
	}
	return line + "\nplan: " + e.Plan
}

// endLine says how a run ended.
func endLine(job record.Job, f record.Final) string {
	if f.Status == record.Finished {
		return fmt.Sprintf("%v  finished: val_loss %.4f val_acc %.4f f1 %.4f  %s", job, f.ValLoss, f.ValAcc, f.F1, clock(f.TrainTime))
	}
	return fmt.Sprintf("%v  %s: %s", job, f.Status, f.Note)
}

// stoppedLine says from where a run goes on that has not ended.
func stoppedLine(job record.Job, step int, why error) string {
	switch {
	case why == nil && step == 0:
		return fmt.Sprintf("%v  stopped before its first step", job)
	case why == nil:
		return fmt.Sprintf("%v  stopped, its checkpoint of step %d is kept", job, step)
	case step == 0:
		return fmt.Sprintf("%v  FAILED: %v; it has no checkpoint and begins again", job, why)
	}
	return fmt.Sprintf("%v  FAILED: %v; its last checkpoint, of step %d, is kept", job, why, step)
}

func clock(seconds float64) string {
	return (time.Duration(seconds*10) * time.Second / 10).Round(100 * time.Millisecond).String()
}

// meter measures the training speed of an epoch, without its validation.
type meter struct {
	pictures    int
	start, last time.Time
}

func newMeter() meter { return meter{start: time.Now()} }

func (m *meter) step(pictures int) {
	m.pictures += pictures
	m.last = time.Now()
}

// speed is the pictures per second of the epoch, "" if none of its steps was seen.
func (m *meter) speed() string {
	seconds := m.last.Sub(m.start).Seconds()
	if m.pictures == 0 || seconds <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f images/s", float64(m.pictures)/seconds)
}
