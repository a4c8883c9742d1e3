package progress

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"diaghess/train/record"
	"diaghess/train/study"
)

// clockOf is a clock that a test sets.
type clockOf struct{ time.Time }

func (c *clockOf) now() time.Time { return c.Time }

var (
	short3 = record.Job{Dataset: "digits", Optimizer: "adamw", Seed: 3}
	long3  = record.Job{Dataset: "cifar100", Optimizer: "diaghess:lr=1.99e-05,weight-decay=0.0003275,curvature=gnb,every=10", Seed: 3}
)

// At every width no line is longer than the terminal, and all of them show the time left.
func TestNarrowTerminals(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80, 120, 200} {
		s := newScreen(nil, func() (int, int) { return width, 24 })
		s.study(study.Extent{Jobs: make([]record.Job, 40), Ended: 2, Steps: 400000, Done: 20000})
		for _, job := range []record.Job{short3, long3} {
			run := s.Run(job, record.Config{Job: record.Job{Settings: record.Settings{Epochs: 50}}}, 1000, 10000).(*screenRun)
			run.epoch, run.speed = record.Epoch{Epoch: 25, ValAcc: .9}, "1234 images/s"
			run.pace.done, run.pace.start = 5000, time.Now().Add(-time.Minute)
		}
		s.pace.done, s.pace.start = 40000, time.Now().Add(-time.Hour)
		frame := s.frame()
		for i, line := range frame {
			if n := utf8.RuneCountInString(line); n >= width {
				t.Errorf("width %d: %d characters in %q", width, n, line)
			}
			if want := []string{"1m15s left", "1m15s left", "left"}[i]; !strings.HasSuffix(line, want) {
				t.Errorf("width %d: want %q at the end of %q", width, want, line)
			}
		}
		if width >= 40 && !strings.Contains(frame[1], "seed 3") {
			t.Errorf("width %d: the seed is missing in %q", width, frame[1])
		}
		if width == 200 {
			want := "study [===---------------------------] 10 % 2/40 runs 40000/400000 steps 20h00m left"
			if frame[2] != want {
				t.Errorf("the line of the study is\n%s, want\n%s", frame[2], want)
			}
			want = "digits adamw seed 3 epoch 25/50 val_acc 0.9000 [===============---------------] 1234 images/s 1m15s left"
			if frame[0] != want {
				t.Errorf("the line of a run is\n%s, want\n%s", frame[0], want)
			}
		}
	}
}

// More runs than rows are counted.
func TestLowTerminals(t *testing.T) {
	s := newScreen(nil, func() (int, int) { return 80, 5 })
	for range 7 {
		s.Run(short3, record.Config{}, 0, 10)
	}
	frame := s.frame()
	if len(frame) != 4 || frame[2] != "and 5 more runs" {
		t.Errorf("of 7 runs in 5 rows:\n%s", strings.Join(frame, "\n"))
	}
}

// A terminal writes ^C where the cursor is; nothing of it or of an old line may stay.
func TestInterruptedScreen(t *testing.T) {
	var out strings.Builder
	s := newScreen(&out, func() (int, int) { return 120, 24 })
	s.Study(study.Extent{Jobs: []record.Job{short3}, Steps: 10, Plan: "abc"})
	run := s.Run(short3, record.Config{}, 0, 10)
	s.draw("")
	out.WriteString("^C")
	s.Stopping()
	run.Stopped(7, nil)
	s.finish()
	got := terminal(out.String())
	want := "runs: 1\nplan: abc\n" + stoppingLine + "\ndigits adamw seed 3  stopped, its checkpoint of step 7 is kept\nstudy: 0 of 1 runs ended, 0 of 10 steps done\n"
	if got != want {
		t.Errorf("the screen shows\n%s\nwant\n%s", got, want)
	}
}

// terminal shows what a terminal would of an output with the sequences of a screen.
func terminal(output string) string {
	rows, row, column := [][]rune{{}}, 0, 0
	for output != "" {
		var up int
		switch {
		case strings.HasPrefix(output, "\x1b[J"):
			output = output[len("\x1b[J"):]
			rows = append(rows[:row], rows[row][:min(column, len(rows[row]))])
		case strings.HasPrefix(output, "\x1b["):
			if _, err := fmt.Sscanf(output, "\x1b[%dA", &up); err != nil {
				panic(err)
			}
			row -= up
			_, output, _ = strings.Cut(output, "A")
		default:
			r, size := utf8.DecodeRuneInString(output)
			output = output[size:]
			switch r {
			case '\r':
				column = 0
			case '\n':
				if row, column = row+1, 0; row == len(rows) {
					rows = append(rows, nil)
				}
			default:
				rows[row] = append(rows[row][:column], r)
				column++
			}
		}
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, string(row))
	}
	return strings.Join(lines, "\n")
}

// A log has a line of the study a minute, with the time left; what was done before counts as done,
// not as fast.
func TestLog(t *testing.T) {
	var out strings.Builder
	clock := &clockOf{time.Unix(0, 0)}
	l := &lines{out: &out, tally: newTally(clock.now)}
	l.Study(study.Extent{Jobs: []record.Job{short3, short3, short3, short3}, Ended: 1, Steps: 4000, Done: 1000, Plan: "abc"})
	run := l.Run(short3, record.Config{}, 400, 1000)
	for range 300 {
		clock.Time = clock.Add(time.Second)
		run.Step(64)
	}
	run.End(record.Final{Status: record.Diverged, Note: "loss not finite"})
	want := []string{
		"runs: 4, of them ended before: 1",
		"plan: abc",
		"digits adamw seed 3  goes on at step 400 of 1000",
		"study: 1 of 4 runs, 1460 of 4000 steps, 42m20s left",
		"study: 1 of 4 runs, 1520 of 4000 steps, 41m20s left",
		"study: 1 of 4 runs, 1580 of 4000 steps, 40m20s left",
		"study: 1 of 4 runs, 1640 of 4000 steps, 39m20s left",
		"study: 1 of 4 runs, 1700 of 4000 steps, 38m20s left",
		"digits adamw seed 3  diverged: loss not finite (2 of 4 runs, 33m20s left)",
		"",
	}
	if got := out.String(); got != strings.Join(want, "\n") {
		t.Errorf("the log is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// A device that fails is said to be left, with the reason. Steps of a run that goes on elsewhere
// from an earlier one count once.
func TestLostDevice(t *testing.T) {
	var log, drawn strings.Builder
	clock := &clockOf{time.Unix(0, 0)}
	l, s := &lines{out: &log, tally: newTally(clock.now)}, newScreen(&drawn, func() (int, int) { return 120, 24 })
	for observer, tally := range map[study.Observer]*tally{l: l.tally, s: s.tally} {
		observer.Study(study.Extent{Jobs: []record.Job{short3}, Steps: 10, Plan: "abc"})
		run := observer.Run(short3, record.Config{}, 0, 10)
		for range 6 {
			run.Step(64)
		}
		observer.Left("cuda:1", errors.New("an illegal address"))
		run.Stopped(4, nil)
		if tally.pace.done != 6 {
			t.Errorf("%T: %d steps done, want 6", observer, tally.pace.done)
		}
		run = observer.Run(short3, record.Config{}, 4, 10)
		for range 6 {
			run.Step(64)
		}
		run.End(record.Final{Status: record.Finished})
		if ended, _, pace, _ := tally.state(); ended != 1 || pace.done != 10 {
			t.Errorf("%T: %d runs ended and %d steps done, want 1 and 10", observer, ended, pace.done)
		}
	}
	const line = "cuda:1 is left out from here on: an illegal address\n"
	if got := terminal(drawn.String()); !strings.Contains(got, line) || !strings.Contains(log.String(), line) {
		t.Errorf("the screen shows\n%s\nthe log\n%s\nwant a line %s", got, log.String(), line)
	}
}

// Stages of a tuning that are to come count in the time left.
func TestTimeLeft(t *testing.T) {
	start := time.Unix(0, 0)
	for want, p := range map[string]pace{
		"":           {done: 0, steps: 100, start: start},
		"9s left":    {done: 10, steps: 100, start: start},
		"8s left":    {before: 10, done: 20, steps: 100, start: start},
		"10s left":   {done: 100, steps: 100, later: 1000, start: start},
		"1m30s left": {done: 10, steps: 110, later: 800, start: start},
	} {
		if got := p.left(start.Add(time.Second)); got != want {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
	if got := (pace{done: 100, steps: 100, start: start}).left(start.Add(time.Second)); got != "" {
		t.Errorf("at the end: %q", got)
	}
}

// An epoch of which only the validation was left has no training speed.
func TestSpeedOfNoSteps(t *testing.T) {
	var out strings.Builder
	l := &lines{out: &out, tally: newTally(time.Now)}
	l.Run(short3, record.Config{}, 10, 10).Epoch(record.Epoch{Epoch: 1, Seconds: 2})
	if strings.Contains(out.String(), "images/s") || !strings.HasSuffix(out.String(), "  2.0 s\n") {
		t.Errorf("line %q", out.String())
	}
}

func TestStoppedLine(t *testing.T) {
	full := errors.New("no space left on device")
	for want, got := range map[string]string{
		"stopped, its checkpoint of step 7 is kept":                                stoppedLine(short3, 7, nil),
		"stopped before its first step":                                            stoppedLine(short3, 0, nil),
		"FAILED: no space left on device; its last checkpoint, of step 7, is kept": stoppedLine(short3, 7, full),
		"FAILED: no space left on device; it has no checkpoint and begins again":   stoppedLine(short3, 0, full),
	} {
		if got != "digits adamw seed 3  "+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
