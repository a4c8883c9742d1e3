// Package status says how studies are going, from what is on disk: which runs are being
// trained and where, how far they are, what failed, and how long the rest takes. It takes no lock
// and writes nothing, so that it can be asked while a study is at work, on any machine that sees
// its folder.
//
// What does not belong here: what the results are (package report).
package status

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
	"diaghess/train/study"
)

// State says what a process of a study does.
type State string

const (
	Waiting  State = "not begun"
	Working  State = "at work"
	Silent   State = "silent"  // it was at work, and has written nothing for SilentAfter
	Stopped  State = "stopped" // interrupted, or between the stages of a tuning
	Failed   State = "failed"
	Complete State = "complete"
	Unknown  State = "no ledger" // of what was done, only ended runs are known
)

// SilentAfter is after how long a process that has written nothing may be gone. At work it writes
// checkpoints every 30 seconds.
const SilentAfter = 2 * time.Minute

// Study is a study, with all of its shards.
type Study struct {
	Folder string `json:"folder"`
	Counts
	Merged bool    `json:"merged"` // whether shards have been merged
	Shards []Shard `json:"shards"` // one without a name where there are none
}

// Counts are numbers of runs and steps.
type Counts struct {
	Runs     int `json:"runs"`
	Ended    int `json:"ended"`    // diverged ones too
	Diverged int `json:"diverged"` // whose loss was not finite
	Running  int `json:"running"`
	Failed   int `json:"failed"` // by an error of a process or machine, and not begun again since
	Steps    int `json:"steps"`
	Done     int `json:"done"` // of the steps
	// Left is how many seconds the rest takes at the present pace; nil where that is not known.
	Left *float64 `json:"seconds_left,omitempty"`
}

// Shard is what a process of its own does, or the last of several.
type Shard struct {
	Name   string `json:"name,omitempty"` // such as "2/16"
	Folder string `json:"folder"`
	State  State  `json:"state"`
	Host   string `json:"host,omitempty"`
	Device string `json:"device,omitempty"`
	Counts
	Last     *time.Time `json:"last_sign,omitempty"` // when it last wrote something
	Now      []Run      `json:"now,omitempty"`       // the runs at present
	Failures []Failure  `json:"failures,omitempty"`
}

// Run is a run that is being trained.
type Run struct {
	Run   string `json:"run"` // its folder, with slashes
	Epoch int    `json:"epoch"`
	Of    int    `json:"of"`
}

// Failure is a run that failed, by an error or by divergence.
type Failure struct {
	Run string `json:"run"`
	Why string `json:"why"`
}

// Reader reads the state of studies. It keeps what does not change.
type Reader struct {
	Trials string                    // where a tuning has the study of its trials
	Open   func(folder string) fs.FS // nil for os.DirFS
	Now    func() time.Time          // nil for time.Now
	plans  map[string]*plan          // by the digest of study.json and the number of shards
}

// plan is what a study has to do.
type plan struct {
	shards []Counts        // of each shard, or of all
	steps  map[string]int  // of a run, by dataset
	jobs   map[string]bool // by the folder of the run
}

// Read returns the state of a study, in whose folder it or its shards are, or of one shard.
func (r *Reader) Read(folder string) (*Study, error) {
	if r.Open == nil {
		r.Open = os.DirFS
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if info, err := fs.Stat(r.Open(folder), "."); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, errors.Unwrap(err))
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a directory", folder)
	}
	s := &Study{Folder: folder}
	shards, err := record.Shards(r.Open(folder))
	if err != nil {
		return nil, err
	}
	if whole, ok := record.ShardOf(folder); ok {
		shard, _, err := r.shard(folder, whole)
		s.Shards = []Shard{shard}
		s.sum()
		return s, err
	}
	if len(shards) == 0 {
		shard, _, err := r.shard(folder, record.Shard{})
		if err == nil && shard.State == Waiting {
			return nil, fmt.Errorf("%s holds no study: name the folder that --out of the study named", folder)
		}
		s.Shards = []Shard{shard}
		s.sum()
		return s, err
	}
	if first, last := shards[0], shards[len(shards)-1]; first.Of != last.Of {
		return nil, fmt.Errorf("%s holds %s and %s, which are of two divisions into shards: take one of them out, or name the folder of a shard", folder, first.Folder(), last.Folder())
	}
	here := map[int]bool{}
	var all *plan
	for _, shard := range shards {
		state, planned, err := r.shard(filepath.Join(folder, shard.Folder()), shard)
		if err != nil {
			return nil, err
		}
		here[shard.Index] = true
		if planned != nil && len(planned.shards) == shard.Of { // which a tuning's is not
			all = planned
		}
		s.Shards = append(s.Shards, state)
	}
	for i := range shards[0].Of { // those that have no folder yet
		if shard := (record.Shard{Index: i, Of: shards[0].Of}); !here[i] {
			state := Shard{Name: shard.String(), Folder: filepath.Join(folder, shard.Folder()), State: Waiting}
			if all != nil { // of all shards the same
				state.Counts = all.shards[i]
			}
			s.Shards = append(s.Shards, state)
		}
	}
	_, noStudy := fs.Stat(r.Open(folder), record.StudyFile)
	_, noTuning := fs.Stat(r.Open(folder), record.TunedFile)
	s.Merged = noStudy == nil || noTuning == nil
	s.sum()
	return s, nil
}

// sum adds up the shards. The rest takes as long as that of the slowest.
func (s *Study) sum() {
	known, slowest := true, 0.
	for _, shard := range s.Shards {
		c := shard.Counts
		s.Runs += c.Runs
		s.Ended += c.Ended
		s.Diverged += c.Diverged
		s.Running += c.Running
		s.Failed += c.Failed
		s.Steps += c.Steps
		s.Done += c.Done
		if c.Left != nil {
			slowest = max(slowest, *c.Left)
		} else if shard.State != Complete {
			known = false
		}
	}
	if known {
		s.Left = &slowest
	}
}

// process is what the ledger tells of the last process, and of the runs before it.
type process struct {
	begun   map[string]record.Event // by run: where it began or went on, if it has not ended since
	ended   map[string]record.Event
	failed  map[string]record.Event
	last    time.Time
	start   time.Time // of the last process
	trained int       // steps that it has trained to the end of a run
	host    string
	device  string
	planned string // digest of study.json
}

// read follows the events of a ledger.
func read(h record.History) process {
	p := process{begun: map[string]record.Event{}, ended: map[string]record.Event{}, failed: map[string]record.Event{}}
	for _, e := range h.Events {
		if e.Schema > 0 { // the first line of a process: those before it are gone
			clear(p.begun)
			p.start, p.trained = e.Time, 0
		}
		p.last = e.Time
		p.planned = cmp.Or(e.Files[record.StudyFile], p.planned)
		switch e.Event {
		case record.RunStarted, record.RunResumed:
			p.begun[e.Run] = e
			delete(p.failed, e.Run)
			p.host, p.device = cmp.Or(e.Host, p.host), e.Device
		case record.RunHalted, record.RunFailed, record.RunEnded, record.RunFound, record.RunReplaced:
			if begun, ok := p.begun[e.Run]; ok {
				p.trained += e.Step - begun.Step
				delete(p.begun, e.Run)
			}
			if e.Event == record.RunFailed {
				p.failed[e.Run] = e
			} else if e.Event != record.RunHalted {
				p.ended[e.Run] = e
			}
		case record.RunRemoved:
			delete(p.ended, e.Run)
		}
	}
	return p
}

// shard reads what a process of its own does, in a folder, and the plan there, nil for none.
func (r *Reader) shard(folder string, which record.Shard) (s Shard, planned *plan, err error) {
	s = Shard{Folder: folder, State: Waiting}
	if which.Of > 0 {
		s.Name = which.String()
	}
	files := r.Open(folder)
	if _, err := fs.Stat(files, path.Join(r.Trials, record.StudyFile)); r.Trials != "" && err == nil {
		folder, which = filepath.Join(folder, r.Trials), record.Shard{}
		files = r.Open(folder)
	}
	history, err := record.ReadLedger(files, folder)
	if err != nil {
		return s, nil, fmt.Errorf("%s: %w", folder, err)
	}
	p := read(history)
	plan, err := r.plan(files, p.planned, which.Of)
	if err != nil {
		return s, nil, fmt.Errorf("%s: %w", folder, err)
	}
	if plan == nil {
		return s, nil, nil
	}
	if len(history.Events) == 0 {
		ended, _, err := record.Runs(files, folder)
		if err != nil {
			return s, nil, err
		}
		for _, run := range ended {
			p.ended[run] = record.Event{}
		}
	}
	s.Counts = plan.shards[which.Index]
	s.Host, s.Device = p.host, p.device
	steps := func(run string) int { return plan.steps[strings.SplitN(run, "/", 2)[0]] }
	for _, run := range slices.Sorted(maps.Keys(p.ended)) {
		if !plan.jobs[run] {
			continue // of an earlier stage of a tuning, or of a study that had more
		}
		s.Ended++
		s.Done += steps(run)
		if p.ended[run].Status == record.Diverged {
			s.Diverged++
			s.Failures = append(s.Failures, Failure{run, "diverged"})
		}
	}
	last := p.last
	trained := p.trained
	for _, run := range slices.Sorted(maps.Keys(p.begun)) {
		now, wrote := r.run(files, run)
		s.Now = append(s.Now, now)
		if wrote.After(last) {
			last = wrote
		}
		if now.Of > 0 {
			done := steps(run) / now.Of * now.Epoch
			s.Done += done
			trained += max(0, done-p.begun[run].Step)
		}
	}
	for _, run := range slices.Sorted(maps.Keys(p.failed)) {
		s.Failures = append(s.Failures, Failure{run, p.failed[run].Why})
	}
	s.Failed = len(p.failed)
	if !last.IsZero() {
		s.Last = &last
	}
	s.State = p.state(&s, r.Now().Sub(last))
	if s.State == Working {
		s.Running = len(s.Now)
		if took := last.Sub(p.start).Seconds(); trained > 0 && took > 0 && s.Steps > 0 {
			left := float64(s.Steps-s.Done) * took / float64(trained)
			s.Left = &left
		}
	} else {
		s.Now = nil
	}
	return s, plan, nil
}

// state says what a shard does, which last wrote something so long ago.
func (p *process) state(s *Shard, quiet time.Duration) State {
	switch {
	case p.last.IsZero() && s.Ended > 0:
		return Unknown
	case s.Runs > 0 && s.Ended >= s.Runs:
		return Complete
	case len(s.Now) > 0 && quiet < SilentAfter:
		return Working
	case len(s.Now) > 0:
		return Silent
	case s.Failed > 0:
		return Failed
	case p.last.IsZero():
		return Waiting
	}
	return Stopped
}

// run reads how far a run is, and when it last wrote something. Of what cannot be read nothing is
// known: it may be replaced at this moment.
func (r *Reader) run(files fs.FS, run string) (now Run, wrote time.Time) {
	now.Run = run
	var config record.Config
	if content, err := fs.ReadFile(files, path.Join(run, "config.json")); err == nil && json.Unmarshal(content, &config) == nil {
		now.Of = config.Epochs
	}
	if content, err := fs.ReadFile(files, path.Join(run, "epochs.jsonl")); err == nil {
		for _, b := range content {
			if b == '\n' {
				now.Epoch++
			}
		}
	}
	for _, name := range []string{"epochs.jsonl", "checkpoint"} {
		if info, err := fs.Stat(files, path.Join(run, name)); err == nil && info.ModTime().After(wrote) {
			wrote = info.ModTime()
		}
	}
	return now, wrote
}

// plan reads the jobs of a study, whose file has a digest, once; nil where there are none.
func (r *Reader) plan(files fs.FS, digest string, of int) (*plan, error) {
	digest += fmt.Sprint(" ", of)
	if p := r.plans[digest]; p != nil {
		return p, nil
	}
	content, err := fs.ReadFile(files, record.StudyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list record.Study
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", record.StudyFile, err)
	}
	p := &plan{shards: make([]Counts, max(1, of)), steps: map[string]int{}, jobs: map[string]bool{}}
	shards := make([]int, len(list.Jobs))
	if of > 0 {
		if shards, err = study.Divide(list.Jobs, of); err != nil {
			return nil, err
		}
	}
	known := true
	for i, job := range list.Jobs {
		if p.steps[job.Dataset] == 0 {
			p.steps[job.Dataset] = stepsOf(files, job)
			known = known && p.steps[job.Dataset] > 0
		}
		p.jobs[job.Folder()] = true
		p.shards[shards[i]].Runs++
		p.shards[shards[i]].Steps += p.steps[job.Dataset]
	}
	if !known {
		return p, nil
	}
	if r.plans == nil {
		r.plans = map[string]*plan{}
	}
	r.plans[digest] = p
	return p, nil
}

// stepsOf returns the steps of a run: of a dataset of the catalogue by its size, of any other as the
// run's record has them; 0 where that has not begun.
func stepsOf(files fs.FS, job record.Job) int {
	if set, err := data.Describe(job.Dataset); err == nil {
		if steps, err := train.StepsOf(job, set); err == nil {
			return steps
		}
	}
	var config record.Config
	if content, err := fs.ReadFile(files, path.Join(job.Folder(), "config.json")); err != nil || json.Unmarshal(content, &config) != nil {
		return 0
	}
	return config.Steps
}
