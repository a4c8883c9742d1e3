package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"diaghess/gpu"
	"diaghess/gpu/devices"
	"diaghess/train"
	"diaghess/train/record"
)

// site is a device of a study. A device that fails is left, and its runs go on on the others
// from their checkpoints.
type site struct {
	gpu.Device
	kind string   // of a card, see [gpu.Card]; "" for another device
	tell Observer // is told when the device is left; the only one's error is the study's

	// Of the runs that are being done:
	ctx  context.Context
	stop context.CancelFunc
	runs *runners
	sets *residents

	mutex sync.Mutex
	fault error // why the device was left
}

// left returns why the device was left, nil for one at work.
func (d *site) left() error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.fault
}

// leave takes the device out of use for an error of its own. Its runs stop at their next step.
func (d *site) leave(why error) {
	d.mutex.Lock()
	first := d.fault == nil
	d.fault = cmp.Or(d.fault, why)
	d.mutex.Unlock()
	if first {
		d.stop()
		d.tell.Left(d.Name(), why)
	}
}

// open opens the devices of the study, but no more than it has runs. It tells the observer
// which of several cannot be used. None is an error.
func (s *Study) open(threads, runs int, observer Observer) (sites []*site, err error) {
	names, err := devices.All(s.Device)
	if err != nil {
		return nil, err
	}
	if len(names) == 1 {
		observer = Silent{}
	}
	for _, name := range names {
		if len(sites) == max(1, runs) {
			break
		}
		device, why := devices.Open(devices.Options{Name: name, Threads: threads, Library: s.Library, Math: s.Math})
		if why != nil {
			err = cmp.Or(err, why)
			observer.Left(name, why)
			continue
		}
		d := &site{Device: device, tell: observer}
		if card, ok := device.(gpu.Card); ok {
			d.kind = card.Kind()
		}
		sites = append(sites, d)
	}
	if len(sites) == 0 {
		return nil, err
	}
	return sites, nil
}

// closeAll closes devices. What goes wrong with one that was left follows from that.
func closeAll(sites []*site) (err error) {
	for _, d := range sites {
		if closing := d.Close(); d.left() == nil {
			err = cmp.Or(err, closing)
		}
	}
	return err
}

// prepare makes a device ready for runs and returns how many it has room for. unprepare
// ends that.
func (s *Study) prepare(ctx context.Context, d *site, jobs []train.Job, parallel int) (room int, err error) {
	stream, err := d.NewStream()
	if err != nil {
		return 0, err
	}
	d.runs, d.sets = &runners{device: d}, &residents{ctx: ctx, stream: stream, shelf: s.Data, sets: map[string]*train.Resident{}}
	if meter, ok := d.Device.(gpu.Meter); ok && s.Parallel == 0 && len(jobs) > 1 {
		return s.room(ctx, d.runs, meter, d.sets, jobs)
	}
	return parallel, nil
}

func (d *site) unprepare() (err error) {
	if d.sets != nil {
		err = d.sets.stream.Close()
		d.sets = nil
	}
	return err
}

// fails says that an error is a device's own: it is at fault, or not even one run fits.
func fails(err error) bool {
	var full *gpu.OutOfMemory
	return gpu.IsFault(err) || errors.As(err, &full)
}

// spread returns how many runs each of several devices does side by side: all of them as many,
// as far as their room goes.
func spread(rooms []int, runs int) []int {
	limits := make([]int, len(rooms))
	for grown := true; grown && runs > 0; {
		grown = false
		for i, room := range rooms {
			if limits[i] < room && runs > 0 {
				limits[i]++
				runs--
				grown = true
			}
		}
	}
	return limits
}

// pair is what the arms of a seed have in common.
type pair struct {
	dataset string
	seed    int
}

// queue hands runs out to devices. All arms of a seed are trained on cards of one kind, since
// another kind rounds differently: they belong to the kind that began the first of them.
type queue struct {
	mutex   sync.Mutex
	changed *sync.Cond
	waiting []*train.Job
	running int
	kinds   map[pair]string
}

func newQueue(jobs []train.Job, kinds map[pair]string) *queue {
	q := &queue{kinds: kinds}
	q.changed = sync.NewCond(&q.mutex)
	for i := range jobs {
		q.waiting = append(q.waiting, &jobs[i])
	}
	return q
}

// begunKinds returns the kinds of card on which the arms of seeds have begun.
func (s *Study) begunKinds(ctx context.Context) (map[pair]string, error) {
	begun, err := record.BegunRuns(ctx, s.Out)
	kinds := map[pair]string{}
	for _, run := range begun {
		if run.Card != "" {
			kinds[pair{run.Dataset, run.Seed}] = run.Card
		}
	}
	return kinds, err
}

// next returns the first run that a device of a kind may do, or none where there is nothing
// more to do for it. While others may still give runs back, it waits.
func (q *queue) next(ctx context.Context, kind string) *train.Job {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for ctx.Err() == nil {
		for i, job := range q.waiting {
			of := pair{job.Dataset, job.Seed}
			if begun := q.kinds[of]; kind != "" {
				if begun != "" && begun != kind {
					continue
				}
				q.kinds[of] = kind
			}
			q.waiting = slices.Delete(q.waiting, i, i+1)
			q.running++
			return job
		}
		if q.running == 0 {
			break
		}
		q.changed.Wait()
	}
	return nil
}

// done ends a run of next. One that is to go on elsewhere is the next to be handed out.
func (q *queue) done(job *train.Job, again bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.running--
	if again {
		q.waiting = slices.Insert(q.waiting, 0, job)
	}
	q.changed.Broadcast()
}

// wake lets those that wait look at their contexts.
func (q *queue) wake() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.changed.Broadcast()
}

// unserved says in an error why runs are left over at the end, if any are.
func (q *queue) unserved(sites []*site) error {
	var faults, kinds []string
	var last error
	working := 0
	for _, d := range sites {
		if why := d.left(); why != nil {
			last = why
			faults = append(faults, d.Name())
		} else {
			working++
		}
	}
	switch {
	case working == 0 && len(sites) > 1:
		return fmt.Errorf("no card is left (%s failed): %w; the same command goes on, each run from the checkpoint that it has", strings.Join(faults, ", "), last)
	case working == 0:
		return last
	case len(q.waiting) == 0:
		return nil
	}
	for _, job := range q.waiting {
		if kind := q.kinds[pair{job.Dataset, job.Seed}]; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return fmt.Errorf("%s left, of seeds that began on another kind of card, which would round differently: go on with a card of the kind %s, or write to another folder with --out",
		record.Plural(len(q.waiting), "run"), strings.Join(kinds, "; "))
}
