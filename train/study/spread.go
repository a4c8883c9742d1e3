package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	ctx     context.Context
	stop    context.CancelFunc
	runs    *runners
	sets    *residents
	room    int // how many fit side by side
	running int // of the queue, which guards it

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

// prepare makes a device ready for runs, so many side by side unless that is measured. One
// that is not alone may not get the runs that it was measured by. unprepare ends that.
func (s *Study) prepare(d *site, jobs []train.Job, parallel int, alone bool, chronicle *chronicle) error {
	stream, err := d.NewStream()
	if err != nil {
		return err
	}
	d.runs, d.sets = &runners{device: d}, &residents{ctx: d.ctx, stream: stream, shelf: s.Data, sets: map[string]*train.Resident{}}
	d.room = parallel
	if meter, ok := d.Device.(gpu.Meter); ok && s.Parallel == 0 && len(jobs) > 1 {
		d.room, err = s.room(d.ctx, d.runs, meter, d.sets, jobs, chronicle)
		if !alone {
			d.runs.closeReady(&err)
		}
	}
	return err
}

func (d *site) unprepare() (err error) {
	if d.sets != nil {
		d.runs.closeReady(&err)
		err = cmp.Or(err, d.sets.stream.Close())
		d.sets = nil
	}
	return err
}

// lost says in an error why no device is left, if none is.
func lost(sites []*site) error {
	var names []string
	var last error
	for _, d := range sites {
		if last = d.left(); last == nil {
			return nil
		}
		names = append(names, d.Name())
	}
	if len(names) == 1 {
		return last
	}
	return fmt.Errorf("no card is left (%s failed): %w; the same command goes on, each run from the checkpoint that it has", strings.Join(names, ", "), last)
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

func pairOf(job *train.Job) pair { return pair{job.Dataset, job.Seed} }

// queue hands runs out to devices. All arms of a seed are trained on cards of one kind, since
// another kind rounds differently: they belong to the kind that began the first of them.
type queue struct {
	sites []*site
	kinds map[pair]string

	mutex   sync.Mutex
	changed *sync.Cond
	waiting []*train.Job
	running int
}

func newQueue(sites []*site, jobs []train.Job, kinds map[pair]string) *queue {
	q := &queue{sites: sites, kinds: kinds}
	q.changed = sync.NewCond(&q.mutex)
	for i := range jobs {
		q.waiting = append(q.waiting, &jobs[i])
	}
	return q
}

// begunKinds returns the kinds of card on which the arms of seeds have begun.
func (s *Study) begunKinds(ctx context.Context, sites []*site) (map[pair]string, error) {
	kinds := map[pair]string{}
	if sites[0].kind == "" {
		return kinds, nil
	}
	begun, err := record.BegunRuns(ctx, s.Out)
	for _, run := range begun {
		if run.Card != "" {
			kinds[pair{run.Dataset, run.Seed}] = run.Card
		}
	}
	return kinds, err
}

// next returns the first run that a device is to do, nil where there is nothing more to do for
// it. It waits while it is the turn of others, and while others may give runs back.
func (q *queue) next(d *site) *train.Job {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for d.ctx.Err() == nil && len(q.waiting)+q.running > 0 {
		first, firstOfKind := q.turn(d, false), q.turn(d, true)
		i := slices.IndexFunc(q.waiting, func(job *train.Job) bool {
			if q.kinds[pairOf(job)] == "" {
				return first
			}
			return firstOfKind && q.fits(job, d)
		})
		if i >= 0 {
			job := q.waiting[i]
			q.waiting = slices.Delete(q.waiting, i, i+1)
			if d.kind != "" {
				q.kinds[pairOf(job)] = d.kind
			}
			q.running++
			d.running++
			q.changed.Broadcast()
			return job
		}
		if q.running == 0 && !q.served() {
			break
		}
		q.changed.Wait()
	}
	return nil
}

// turn says that the next run is a device's, of all devices or of those of its kind: they have
// equally many, as far as they have room.
func (q *queue) turn(d *site, ofKind bool) bool {
	rooms, running := make([]int, len(q.sites)), 0
	for i, other := range q.sites {
		if other.left() == nil && (!ofKind || other.kind == d.kind) {
			rooms[i] = other.room
			running += other.running
		}
	}
	return d.running < spread(rooms, running+1)[slices.Index(q.sites, d)]
}

// fits says that a device is of the kind for a run.
func (q *queue) fits(job *train.Job, d *site) bool {
	begun := q.kinds[pairOf(job)]
	return begun == "" || d.kind == "" || begun == d.kind
}

// served says that a device at work is of the kind for one of the runs that wait.
func (q *queue) served() bool {
	return slices.ContainsFunc(q.sites, func(d *site) bool {
		return d.left() == nil && d.room > 0 && slices.ContainsFunc(q.waiting, func(job *train.Job) bool { return q.fits(job, d) })
	})
}

// done ends a run of next. One that is to go on elsewhere is the next to be handed out.
func (q *queue) done(d *site, job *train.Job, again bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.running--
	d.running--
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
func (q *queue) unserved() error {
	if len(q.waiting) == 0 {
		return nil
	}
	kinds := map[string]bool{}
	for _, job := range q.waiting {
		kinds[q.kinds[pairOf(job)]] = true
	}
	return fmt.Errorf("%s left, of seeds that began on another kind of card, which would round differently: go on with a card of the kind %s, or write to another folder with --out",
		record.Plural(len(q.waiting), "run"), strings.Join(slices.Sorted(maps.Keys(kinds)), "; "))
}
