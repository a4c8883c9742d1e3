// Package progress shows the progress of a study: on a terminal as bars with images per
// second and the remaining time, in a log as lines.
//
// What does not belong here: anything that results depend on.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"diaghess/train/record"
	"diaghess/train/study"
)

// New returns an observer that writes to out, and what ends its output: to be
// called when the study has returned.
func New(out *os.File) (observer study.Observer, finish func()) {
	if term.IsTerminal(int(out.Fd())) {
		b := newBars(out)
		return b, b.finish
	}
	return &lines{out: out}, func() {}
}

// epochLine is what a log says of an epoch.
func epochLine(job record.Job, epochs int, e record.Epoch, picturesPerSecond float64) string {
	line := fmt.Sprintf("%v  epoch %d/%d  loss %.4f acc %.4f  val_loss %.4f val_acc %.4f f1 %.4f  %.1f s  %.0f images/s",
		job, e.Epoch, epochs, e.TrainLoss, e.TrainAcc, e.ValLoss, e.ValAcc, e.F1, e.Seconds, picturesPerSecond)
	if e.Curvature != nil {
		line += fmt.Sprintf("  %v", e.Curvature)
	}
	return line
}

// studyLine is what a study has to do.
func studyLine(jobs []record.Job, ended int) string {
	if ended == 0 {
		return fmt.Sprintf("runs: %d", len(jobs))
	}
	return fmt.Sprintf("runs: %d, of them ended before: %d", len(jobs), ended)
}

// endLine is what a log says of a run's end.
func endLine(job record.Job, f record.Final) string {
	switch f.Status {
	case record.Finished:
		return fmt.Sprintf("%v  finished: val_loss %.4f val_acc %.4f f1 %.4f  %s", job, f.ValLoss, f.ValAcc, f.F1, clock(f.TrainTime))
	case "":
		return fmt.Sprintf("%v  stopped, its checkpoint is kept", job)
	}
	return fmt.Sprintf("%v  %s: %s", job, f.Status, f.Note)
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

// epoch returns the pictures per second of the epoch and begins the next.
func (m *meter) epoch() float64 {
	rate := float64(m.pictures) / m.last.Sub(m.start).Seconds()
	*m = newMeter()
	return rate
}

// shortEpoch is from how many seconds on an epoch has a line in a log: a small network
// would fill it with thousands.
const shortEpoch = 1

// lines writes a line an epoch, but for short ones, and a line a run.
type lines struct {
	mutex       sync.Mutex
	out         io.Writer
	jobs, ended int
}

func (l *lines) printf(format string, a ...any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	fmt.Fprintf(l.out, format+"\n", a...)
}

func (l *lines) Study(jobs []record.Job, ended int) {
	l.jobs, l.ended = len(jobs), ended
	l.printf("%s", studyLine(jobs, ended))
}

func (l *lines) Run(job record.Job, config record.Config, done, steps int) study.RunObserver {
	if done > 0 {
		l.printf("%v  goes on at step %d of %d", job, done, steps)
	}
	return &lineRun{lines: l, job: job, epochs: config.Epochs, meter: newMeter()}
}

type lineRun struct {
	*lines
	job    record.Job
	epochs int
	meter  meter
}

func (r *lineRun) Step(pictures int) { r.meter.step(pictures) }

func (r *lineRun) Epoch(e record.Epoch) {
	rate := r.meter.epoch()
	if e.Seconds >= shortEpoch {
		r.printf("%s", epochLine(r.job, r.epochs, e, rate))
	}
}

func (r *lineRun) End(f record.Final) {
	if f.Status == "" {
		r.printf("%s", endLine(r.job, f))
		return
	}
	r.mutex.Lock()
	r.ended++
	ended := r.ended
	r.mutex.Unlock()
	r.printf("%s (%d of %d runs)", endLine(r.job, f), ended, r.jobs)
}

// bars shows a bar for each running run and one for the study.
type bars struct {
	progress *mpb.Progress
	study    *mpb.Bar
}

func newBars(out io.Writer) *bars {
	return &bars{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(32), mpb.WithAutoRefresh())}
}

func (b *bars) finish() {
	if b.study != nil {
		b.study.Abort(false)
	}
	b.progress.Wait()
}

func (b *bars) Study(jobs []record.Job, ended int) {
	if b.study != nil {
		b.study.Abort(true)
	}
	if ended > 0 {
		fmt.Fprintln(b.progress, studyLine(jobs, ended))
	}
	b.study = b.progress.AddBar(int64(len(jobs)),
		mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.Name("study "), decor.CountersNoUnit("%d of %d runs")),
	)
	b.study.SetCurrent(int64(ended))
}

func (b *bars) Run(job record.Job, config record.Config, done, steps int) study.RunObserver {
	r := &barRun{bars: b, job: job, epochs: config.Epochs, last: time.Now()}
	pictures := int64(config.TrainPictures) * int64(config.Epochs)
	r.bar = b.progress.AddBar(pictures,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(job.String()+" "), decor.Any(func(decor.Statistics) string { return r.state() })),
		mpb.AppendDecorators(
			decor.EwmaSpeed(nil, " %.0f images/s", 64),
			decor.EwmaETA(decor.ET_STYLE_GO, 64, decor.WCSyncSpace),
			decor.Name(" left"),
		),
	)
	r.bar.SetCurrent(int64(done) * pictures / int64(steps))
	return r
}

// barRun is a run's bar.
type barRun struct {
	*bars
	bar    *mpb.Bar
	job    record.Job
	epochs int
	last   time.Time // of the last step

	mutex sync.Mutex
	epoch record.Epoch
}

// state is the last epoch's outcome.
func (r *barRun) state() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.epoch.Epoch == 0 {
		return fmt.Sprintf("epoch 0/%d", r.epochs)
	}
	return fmt.Sprintf("epoch %d/%d val_acc %.4f", r.epoch.Epoch, r.epochs, r.epoch.ValAcc)
}

func (r *barRun) Step(pictures int) {
	now := time.Now()
	r.bar.EwmaIncrBy(pictures, now.Sub(r.last))
	r.last = now
}

func (r *barRun) Epoch(e record.Epoch) {
	r.mutex.Lock()
	r.epoch = e
	r.mutex.Unlock()
	r.last = time.Now()
}

func (r *barRun) End(f record.Final) {
	r.bar.Abort(true)
	fmt.Fprintln(r.progress, endLine(r.job, f))
	if f.Status != "" {
		r.study.Increment()
	}
}
