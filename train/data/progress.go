package data

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Progress is told what Fetch is doing. Its methods are called one at a time.
type Progress interface {
	// Note is one line for the user.
	Note(line string)
	// Begin announces the transfer of a file, with the bytes that are present already
	// and the size of the file, or -1 if it is not known.
	Begin(file string, done, total int64)
	// Add reports n more bytes.
	Add(n int)
	// End reports the end of the transfer, complete or not.
	End()
}

// NewProgress returns a Progress that writes to out: a bar with bytes a second and
// the time left if out is a terminal, and otherwise a line now and then.
func NewProgress(out *os.File) Progress {
	if term.IsTerminal(int(out.Fd())) {
		return &bar{out: out}
	}
	return &lines{out: out, every: 10 * time.Second}
}

// silent says nothing.
type silent struct{}

func (silent) Note(string)                {}
func (silent) Begin(string, int64, int64) {}
func (silent) Add(int)                    {}
func (silent) End()                       {}

// bar draws on a terminal.
type bar struct {
	out       io.Writer
	container *mpb.Progress
	bar       *mpb.Bar
	last      time.Time
}

func (b *bar) Note(line string) { fmt.Fprintln(b.out, line) }

func (b *bar) Begin(file string, done, total int64) {
	b.container = mpb.New(mpb.WithOutput(b.out))
	b.bar = b.container.AddBar(max(total, 0),
		mpb.PrependDecorators(decor.Name("  "+file+" "), decor.CountersKiloByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.EwmaSpeed(decor.SizeB1000(0), "% .1f ", 60), decor.EwmaETA(decor.ET_STYLE_GO, 60), decor.Name(" left")),
	)
	b.bar.SetCurrent(done)
	b.bar.SetRefill(done)
	b.last = time.Now()
}

func (b *bar) Add(n int) {
	now := time.Now()
	b.bar.EwmaIncrBy(n, now.Sub(b.last))
	b.last = now
}

func (b *bar) End() {
	b.bar.Abort(false) // does nothing to a bar that is complete
	b.container.Wait()
}

// lines writes to a log.
type lines struct {
	out   io.Writer
	every time.Duration

	file              string
	begun, done       int64
	total             int64
	started, reported time.Time
}

func (l *lines) Note(line string) { fmt.Fprintln(l.out, line) }

func (l *lines) Begin(file string, done, total int64) {
	now := time.Now()
	*l = lines{out: l.out, every: l.every, file: file, begun: done, done: done, total: total, started: now, reported: now}
}

func (l *lines) Add(n int) {
	l.done += int64(n)
	if time.Since(l.reported) >= l.every {
		l.reported = time.Now()
		l.report()
	}
}

func (l *lines) End() { l.report() }

func (l *lines) report() {
	elapsed := time.Since(l.started).Seconds()
	pace := float64(l.done-l.begun) / max(elapsed, 1e-3)
	line := fmt.Sprintf("  %s: %s", l.file, formatBytes(l.done))
	if l.total >= 0 {
		line += " of " + formatBytes(l.total)
	}
	line += fmt.Sprintf(", %s/s", formatBytes(int64(pace)))
	if left := float64(l.total - l.done); left > 0 && pace > 0 {
		line += fmt.Sprintf(", %s left", (time.Duration(left/pace) * time.Second).String())
	}
	fmt.Fprintln(l.out, line)
}

// formatBytes writes a number of bytes with a decimal unit.
func formatBytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}
