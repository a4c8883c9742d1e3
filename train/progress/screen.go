package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"diaghess/train/record"
	"diaghess/train/study"
)

// screen draws a line for each running run and one for the study at the end of a
// terminal, and draws them again as they change.
type screen struct {
	*tally
	size func() (width, height int)
	stop chan struct{}

	mutex  sync.Mutex
	out    io.Writer
	runs   []*screenRun
	begun  bool
	lines  int // that are drawn
	closed bool
}

func newScreen(out io.Writer, size func() (width, height int)) *screen {
	return &screen{tally: newTally(time.Now), out: out, size: size, stop: make(chan struct{})}
}

// redraw is how often the screen is drawn again.
const redraw = 100 * time.Millisecond

func (s *screen) refresh() {
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.draw("")
		}
	}
}

// draw replaces what is drawn by a text that stays, if there is one, and the lines of now.
func (s *screen) draw(text string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if text == "" && s.lines == 0 && (!s.begun || s.closed) {
		return
	}
	var b strings.Builder
	// The terminal has written ^C where the cursor was: begin in the first column.
	b.WriteString("\r")
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	b.WriteString("\x1b[J")
	if text != "" {
		b.WriteString(text + "\n")
	}
	s.lines = 0
	if s.begun && !s.closed {
		frame := s.frame()
		s.lines = len(frame)
		for _, line := range frame {
			b.WriteString(line + "\n")
		}
	}
	_, _ = io.WriteString(s.out, b.String()) // a terminal that is gone stops no run
}

// frame is the lines of now: as many runs as there is room for, and the study.
func (s *screen) frame() []string {
	width, height := s.size()
	width = max(1, width-1) // a full line may wrap
	var frame []string
	room := max(1, height-2)
	for i, run := range s.runs {
		if i == room-1 && len(s.runs) > room {
			frame = append(frame, cut(fmt.Sprintf("and %d more runs", len(s.runs)-i), width))
			break
		}
		frame = append(frame, run.line(width))
	}
	return append(frame, s.studyLine(width))
}

func (s *screen) studyLine(width int) string {
	ended, jobs, p, left := s.state()
	share := float64(p.done) / float64(max(1, p.steps))
	return layout(width, share, []part{
		{"study", 4},
		bar,
		{fmt.Sprintf("%.0f %%", 100*share), 2},
		{fmt.Sprintf("%d/%d runs", ended, jobs), 3},
		{fmt.Sprintf("%d/%d steps", p.done, p.steps), 1},
		{left, 5},
	})
}

func (s *screen) finish() {
	s.mutex.Lock()
	s.closed = true
	begun := s.begun
	s.mutex.Unlock()
	close(s.stop)
	text := ""
	if begun {
		ended, jobs, p, _ := s.state()
		text = fmt.Sprintf("study: %d of %d runs ended, %d of %d steps done", ended, jobs, p.done, p.steps)
	}
	s.draw(text)
}

func (s *screen) Study(e study.Extent) {
	s.study(e)
	s.mutex.Lock()
	s.begun = true
	s.mutex.Unlock()
	s.draw(extentLine(e))
}

func (s *screen) Look(decided string) { s.draw(decided) }

func (s *screen) Left(device string, why error) { s.draw(leftLine(device, why)) }

func (s *screen) Stopping() { s.draw(stoppingLine) }

func (s *screen) Run(job record.Job, config record.Config, done, steps int) study.RunObserver {
	s.begin(job, done)
	r := &screenRun{
		screen: s, job: job, epochs: config.Epochs, meter: newMeter(),
		pace: pace{before: done, done: done, steps: steps, start: time.Now()},
	}
	s.mutex.Lock()
	s.runs = append(s.runs, r)
	s.mutex.Unlock()
	return r
}

// screenRun is a run's line.
type screenRun struct {
	*screen
	job    record.Job
	epochs int

	mutex sync.Mutex
	pace  pace
	epoch record.Epoch // the last one
	meter meter
	speed string // of the last epoch
}

func (r *screenRun) line(width int) string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	name := r.job.String()
	if most := max(24, width/2); utf8.RuneCountInString(name) > most {
		name = shorten(name, most)
	}
	accuracy := ""
	if r.epoch.Epoch > 0 {
		accuracy = fmt.Sprintf("val_acc %.4f", r.epoch.ValAcc)
	}
	speed := r.speed
	if time.Since(r.meter.start) >= time.Second && r.meter.speed() != "" {
		speed = r.meter.speed()
	}
	return layout(width, float64(r.pace.done)/float64(max(1, r.pace.steps)), []part{
		{name, 4},
		{fmt.Sprintf("epoch %d/%d", r.epoch.Epoch, r.epochs), 3},
		{accuracy, 2},
		bar,
		{speed, 1},
		{r.pace.left(time.Now()), 5},
	})
}

func (r *screenRun) Step(pictures int) {
	r.mutex.Lock()
	r.pace.done++
	r.meter.step(pictures)
	r.mutex.Unlock()
	r.step()
}

func (r *screenRun) Epoch(e record.Epoch) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.epoch, r.speed, r.meter = e, r.meter.speed(), newMeter()
}

func (r *screenRun) End(f record.Final) {
	r.end(r.pace.steps - r.pace.done)
	r.leave(endLine(r.job, f))
}

func (r *screenRun) Stopped(step int, why error) {
	r.mutex.Lock()
	done := r.pace.done
	r.mutex.Unlock()
	r.halt(r.job, done)
	r.leave(stoppedLine(r.job, step, why))
}

// leave takes the run's line away and puts one that stays.
func (r *screenRun) leave(text string) {
	s := r.screen
	s.mutex.Lock()
	s.runs = slices.DeleteFunc(s.runs, func(other *screenRun) bool { return other == r })
	s.mutex.Unlock()
	s.draw(text)
}

// part is a part of a line. Where a line is too long, those of the least weight are left out
// first; one of weight 4 is shortened before.
type part struct {
	text   string
	weight int
}

// bar stands for a bar, which takes the room that is left.
var bar = part{weight: -1}

// shortestName is to how many characters a name may be shortened.
const shortestName = 14

// layout writes parts into a line of at most so many characters. share is how much of a bar is full.
func layout(width int, share float64, parts []part) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.text == "" && p != bar })
	length := func() int {
		n := -1
		for _, p := range parts {
			if p != bar {
				n += utf8.RuneCountInString(p.text) + 1
			}
		}
		return n
	}
	for length() > width && len(parts) > 1 {
		// Of the parts that are left, the one to go.
		i := 0
		for j, p := range parts {
			if p != bar && (parts[i] == bar || p.weight < parts[i].weight) {
				i = j
			}
		}
		name := slices.IndexFunc(parts, func(p part) bool { return p.weight == 4 })
		if name >= 0 && parts[i].weight >= 3 {
			if n := utf8.RuneCountInString(parts[name].text); n > shortestName {
				parts[name].text = shorten(parts[name].text, max(shortestName, n-(length()-width)))
				continue
			}
		}
		parts = slices.Delete(parts, i, i+1)
	}
	room := width - length() - 1
	var texts []string
	for _, p := range parts {
		switch {
		case p != bar:
			texts = append(texts, p.text)
		case room >= 8:
			cells := min(32, room) - 2
			full := min(cells, int(share*float64(cells)))
			texts = append(texts, "["+strings.Repeat("=", full)+strings.Repeat("-", cells-full)+"]")
		}
	}
	return cut(strings.Join(texts, " "), width)
}

// shorten leaves out what is in the middle of a text: its end tells seeds apart.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	end := min(width/2, 9)
	return string(runes[:max(0, width-end-1)]) + "…" + string(runes[len(runes)-end:])
}

// cut is the start of a text.
func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width])
	}
	return text
}
