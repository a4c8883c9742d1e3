package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"diaghess/train/record"
	"diaghess/train/study"
)

const (
	// shortEpoch is from how many seconds on an epoch has a line in a log: a small network
	// would fill it with thousands.
	shortEpoch = 1
	// studyEvery is how often at most a log says how far the study is.
	studyEvery = time.Minute
)

// lines writes a line an epoch, but for short ones, a line a run, and now and then one of
// the study.
type lines struct {
	*tally
	mutex sync.Mutex
	out   io.Writer
	said  time.Time // when the study last had a line
}

func (l *lines) printf(format string, a ...any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	fmt.Fprintf(l.out, format+"\n", a...)
}

func (l *lines) Study(e study.Extent) {
	l.study(e)
	l.printf("%s", extentLine(e))
	l.said = l.now()
}

func (l *lines) Look(decided string) { l.printf("%s", decided) }

func (l *lines) Left(device string, why error) { l.printf("%s", leftLine(device, why)) }

func (l *lines) Stopping() { l.printf("%s", stoppingLine) }

func (l *lines) Run(job record.Job, config record.Config, done, steps int) study.RunObserver {
	if done > 0 {
		l.printf("%v  goes on at step %d of %d", job, done, steps)
	}
	l.begin(job, done)
	return &lineRun{lines: l, job: job, epochs: config.Epochs, steps: steps, left: steps - done, meter: newMeter()}
}

type lineRun struct {
	*lines
	job    record.Job
	epochs int
	steps  int // to be done in all
	left   int // of these
	meter  meter
}

func (r *lineRun) Step(pictures int) {
	r.meter.step(pictures)
	r.left--
	r.step()
	r.mutex.Lock()
	due := r.now().Sub(r.said) >= studyEvery
	if due {
		r.said = r.now()
	}
	r.mutex.Unlock()
	if due {
		r.printf("study: %s", r.whole(true))
	}
}

// whole is how far the study is.
func (l *lines) whole(steps bool) string {
	ended, jobs, pace, left := l.state()
	line := fmt.Sprintf("%d of %d runs", ended, jobs)
	if steps {
		line += fmt.Sprintf(", %d of %d steps", pace.done, pace.steps)
	}
	if left != "" {
		line += ", " + left
	}
	return line
}

func (r *lineRun) Epoch(e record.Epoch) {
	if e.Seconds >= shortEpoch {
		r.printf("%s", epochLine(r.job, r.epochs, e, r.meter.speed()))
	}
	r.meter = newMeter()
}

func (r *lineRun) End(f record.Final) {
	r.end(r.left)
	r.printf("%s (%s)", endLine(r.job, f), r.whole(false))
}

func (r *lineRun) Stopped(step int, why error) {
	r.halt(r.job, r.steps-r.left)
	r.printf("%s", stoppedLine(r.job, step, why))
}
