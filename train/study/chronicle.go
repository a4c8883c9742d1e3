package study

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"diaghess/train/record"
)

// chronicle writes what happens to a study's runs into its ledger, and counts which runs
// were trained side by side.
type chronicle struct {
	ledger *record.Ledger
	study  string

	mutex  sync.Mutex
	active map[*entry]bool
}

// entry is a run that is being trained.
type entry struct {
	chronicle *chronicle
	run       string // its folder in the study's, with slashes
	beside    int    // other runs, at most
}

// name is a run's folder in the study's, with slashes.
func (c *chronicle) name(run record.Run) (string, error) {
	name, err := filepath.Rel(c.study, run.Folder)
	return filepath.ToSlash(name), err
}

// unbegun writes why a run could not begin or go on, unless it was interrupted, and returns that.
func (c *chronicle) unbegun(job record.Job, why error) error {
	if onlyInterrupted(why) {
		return why
	}
	name, err := c.name(record.RunOf(c.study, job))
	if err == nil {
		err = c.ledger.Add(record.Event{Event: record.RunFailed, Run: name, Why: why.Error()})
	}
	return cmp.Or(why, err)
}

// begin writes that a run is trained from a step on.
func (c *chronicle) begin(run record.Run, config record.Config, step int) (*entry, error) {
	name, err := c.name(run)
	if err != nil {
		return nil, err
	}
	e := &entry{chronicle: c, run: name}
	c.mutex.Lock()
	if c.active == nil {
		c.active = map[*entry]bool{}
	}
	c.active[e] = true
	for other := range c.active {
		other.beside = max(other.beside, len(c.active)-1)
	}
	c.mutex.Unlock()

	event := record.Event{Event: record.RunStarted, Device: config.Device, Machine: config.Machine}
	event.Host, _ = os.Hostname() // a record without it is whole
	if step > 0 {
		event.Event = record.RunResumed
	}
	return e, e.write(event, step)
}

// write adds an event of the run to the ledger.
func (e *entry) write(event record.Event, step int) error {
	e.chronicle.mutex.Lock()
	event.Beside = e.beside
	e.chronicle.mutex.Unlock()
	event.Run, event.Step, event.Load = e.run, step, load()
	return e.chronicle.ledger.Add(event)
}

// end writes that the run is about to end, or has ended, with its record.
func (e *entry) end(what record.Happening, event record.Event, step int) error {
	event.Event = what
	if what == record.RunEnding {
		return e.write(event, step)
	}
	return e.leave(event, step)
}

// halt writes that the run was interrupted, or waits for the next stage of a tuning.
func (e *entry) halt(step int) error {
	return e.leave(record.Event{Event: record.RunHalted}, step)
}

// fail writes why the run could not go on.
func (e *entry) fail(why error, step int) error {
	return e.leave(record.Event{Event: record.RunFailed, Why: why.Error()}, step)
}

func (e *entry) leave(event record.Event, step int) error {
	err := e.write(event, step)
	e.chronicle.mutex.Lock()
	defer e.chronicle.mutex.Unlock()
	delete(e.chronicle.active, e)
	return err
}

// load is the machine's load, an average over a minute; 0 where the system does not tell.
func load() (average float64) {
	content, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		fmt.Sscan(string(content), &average)
	}
	return average
}
