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
	Unknown  State = "unknown" // the ledger is missing or does not fit: only ended runs are known
)

// SilentAfter is after how long a process that has written nothing may be gone. At work it writes
// checkpoints every 30 seconds.
const SilentAfter = 2 * time.Minute

// Study is a study, with all of its shards.
type Study struct {
	Folder string `json:"folder"`
	Counts
	Merged     bool    `json:"merged"`      // whether the merged study has all runs
	MergedRuns int     `json:"merged_runs"` // ended runs of the merged study
	Shards     []Shard `json:"shards"`      // one without a name where there are none, or where the merged study went on
}

// Counts are numbers of runs and steps.
type Counts struct {
	Runs     int `json:"runs"`
	Ended    int `json:"ended"`    // that have a record, diverged ones too
	Diverged int `json:"diverged"` // whose loss was not finite
	Running  int `json:"running"`
	Failed   int `json:"failed"`                           // by an error of a process or machine, and not begun again since
	Needless int `json:"not_needed,omitempty"`             // beside Runs: a planned look decided their comparisons
	Unsized  int `json:"shards_of_unknown_size,omitempty"` // not begun: their runs are not among Runs
	Steps    int `json:"steps"`
	Done     int `json:"done"` // of the steps
	// Left is how many seconds the rest takes at the present pace; nil where that is not known.
	Left *float64 `json:"seconds_left,omitempty"`
}

// Complete says whether all has ended.
func (c Counts) Complete() bool { return c.Unsized == 0 && c.Runs > 0 && c.Ended >= c.Runs }

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
	// Ledger is where the ledger contradicts itself or the records.
	Ledger record.Problems `json:"ledger_faults,omitempty"`
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

const diverged = "diverged" // why a run failed

// Reader reads the state of studies. It keeps what does not change.
type Reader struct {
	Trials string                    // where a tuning has the study of its trials
	Open   func(folder string) fs.FS // nil for os.DirFS
	Now    func() time.Time          // nil for time.Now
	plans  map[string]*plan          // by the digest and size of study.json and the number of shards
	ends   map[string]record.Status  // of runs that no ledger knows, by their folder
}

// plan is what a study has to do.
type plan struct {
	shards []Counts       // of each shard, or of all
	runs   [][]string     // of each shard: their folders
	steps  map[string]int // of a run, by dataset
}

// place is what is in the folder of a study or of a shard.
type place struct {
	Shard
	plan   *plan                    // nil where there is none yet
	tuning bool                     // whose trials these are
	ended  map[string]record.Status // the runs that have a record here
	merged bool                     // whether the last process was a merge
}

// Read returns the state of a study, in whose folder it or its shards are, or of one shard. A run
// has ended where its record is in the folder of its shard or in that of the study.
func (r *Reader) Read(folder string) (*Study, error) {
	if r.Open == nil {
		r.Open = os.DirFS
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if folder == "" {
		return nil, errors.New("the name of a folder is empty: name the folder that --out of the study named")
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
	which, one := record.ShardOf(folder)
	whole, err := r.place(folder, which, nil)
	if err != nil {
		return nil, err
	}
	if one || len(shards) == 0 {
		if !one && whole.plan == nil {
			return nil, fmt.Errorf("%s holds no study: name the folder that --out of the study named", folder)
		}
		s.Shards = []Shard{whole.Shard}
		s.sum()
		return s, nil
	}
	if first, last := shards[0], shards[len(shards)-1]; first.Of != last.Of {
		return nil, fmt.Errorf("%s holds %s and %s, which are of two divisions into shards: take one of them out, or name the folder of a shard", folder, first.Folder(), last.Folder())
	}
	var all *plan // of all shards, which a tuning's is not
	for i := range shards[0].Of {
		shard := record.Shard{Index: i, Of: shards[0].Of}
		p, err := r.place(filepath.Join(folder, shard.Folder()), shard, whole.ended)
		if err != nil {
			return nil, err
		}
		if p.plan != nil && len(p.plan.shards) == shard.Of {
			all = p.plan
		}
		s.Shards = append(s.Shards, p.Shard)
	}
	for i := range s.Shards {
		if shard := &s.Shards[i]; shard.Unsized > 0 && all != nil {
			shard.count(all, i, process{}, whole.ended)
			if shard.Complete() { // in the merged study
				shard.State = Complete
			}
		}
	}
	s.sum()
	s.MergedRuns = whole.Ended
	_, noTuning := fs.Stat(r.Open(folder), record.TunedFile)
	if s.Merged = whole.Complete() && (!whole.tuning || noTuning == nil); s.Merged {
		s.Counts = whole.Counts
	}
	if whole.plan != nil && !whole.merged { // it went on after the merge
		whole.Failures = slices.DeleteFunc(whole.Failures, func(f Failure) bool { return f.Why == diverged }) // the shards have them
		s.Shards = append([]Shard{whole.Shard}, s.Shards...)
		s.Running, s.Failed = s.Running+whole.Running, s.Failed+whole.Failed
		s.Left = whole.Left
	}
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
		s.Needless += c.Needless
		s.Unsized += c.Unsized
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
	ending  map[string]record.Event // that had or were about to have a record
	ended   map[string]record.Event
	failed  map[string]record.Event
	last    time.Time
	start   time.Time // of the last process
	trained int       // steps that it has trained to the end of a run
	host    string
	device  string
	planned string // digest of study.json
	merge   bool   // whether the last process was a merge
}

// read follows the events of a ledger.
func read(h record.History) process {
	p := process{begun: map[string]record.Event{}, ending: map[string]record.Event{}, ended: map[string]record.Event{}, failed: map[string]record.Event{}}
	for _, e := range h.Events {
		if e.Schema > 0 { // the first line of a process: those before it are gone
			clear(p.begun)
			p.start, p.trained, p.merge = e.Time, 0, false
		}
		p.last = e.Time
		p.planned = cmp.Or(e.Files[record.StudyFile], p.planned)
		switch e.Event {
		case record.StudyMerged:
			p.merge = true
		case record.RunStarted, record.RunResumed:
			p.begun[e.Run] = e
			delete(p.failed, e.Run)
			p.host, p.device = cmp.Or(e.Host, p.host), e.Device
		case record.RunEnding:
			p.ending[e.Run] = e
		case record.RunHalted, record.RunFailed, record.RunEnded, record.RunFound, record.RunReplaced:
			if begun, ok := p.begun[e.Run]; ok {
				p.trained += e.Step - begun.Step
				delete(p.begun, e.Run)
			}
			if e.Event == record.RunFailed {
				p.failed[e.Run] = e
			} else if e.Event != record.RunHalted {
				p.ending[e.Run], p.ended[e.Run] = e, e
			}
		case record.RunRemoved:
			delete(p.ending, e.Run)
			delete(p.ended, e.Run)
		}
	}
	return p
}

// place reads what a process of its own does in a folder, or did. The runs of a merged study have
// ended, too.
func (r *Reader) place(folder string, which record.Shard, merged map[string]record.Status) (s place, err error) {
	s.Shard = Shard{Folder: folder, State: Waiting, Counts: Counts{Unsized: 1}}
	if which.Of > 0 {
		s.Name = which.String()
	}
	files := r.Open(folder)
	if _, err := fs.Stat(files, path.Join(r.Trials, record.StudyFile)); r.Trials != "" && err == nil {
		folder, which, s.tuning = filepath.Join(folder, r.Trials), record.Shard{}, true
		files = r.Open(folder)
	}
	if _, err := fs.Stat(files, record.StudyFile); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	ended, _, err := record.Runs(files, folder) // before the ledger, which has each record first
	if err != nil {
		return s, fmt.Errorf("%s: %w", folder, err)
	}
	history, err := record.ReadLedger(files, folder)
	if err != nil {
		return s, fmt.Errorf("%s: %w", folder, err)
	}
	p := read(history)
	if s.plan, err = r.plan(files, folder, p.planned, which.Of); err != nil {
		return s, err
	}
	s.merged, s.Host, s.Device, s.Ledger = p.merge, p.host, p.device, history.Faults
	s.ended = map[string]record.Status{}
	var foreign, lost []string
	for _, run := range ended {
		e, known := p.ending[run]
		if !known {
			foreign = append(foreign, run)
		}
		if s.ended[run] = e.Status; !known || len(history.Faults) > 0 {
			s.ended[run] = r.status(files, folder, run)
		}
	}
	for run := range p.ended {
		if _, there := s.ended[run]; there {
			continue
		}
		if _, err := fs.Stat(files, path.Join(run, "final.json")); err != nil { // also since the walk
			lost = append(lost, run)
		}
	}
	fault := func(what string, runs []string) {
		s.Ledger = append(s.Ledger, record.Problem{Place: filepath.Join(folder, record.LedgerFolder), Sentence: fmt.Sprintf(what, record.Plural(len(runs), "run"), slices.Min(runs))})
	}
	switch {
	case len(foreign) == 0 || len(history.Faults) > 0: // after a fault the ledger knows nothing
	case len(history.Events) == 0:
		fault("is missing or has no whole line, and %s have records, such as %s", foreign)
	default:
		fault("lacks the ends of %s that have records, such as %s: these came from elsewhere, or the ledger is of another folder", foreign)
	}
	doubtful := len(s.Ledger) > 0
	if len(lost) > 0 {
		fault("has the ends of %s without records, such as %s: these were removed, or the ledger is of another folder", lost)
	}

	s.count(s.plan, which.Index, p, s.ended, merged)
	if look := history.Look(); look != nil && which.Of == 0 && look.Runs < s.Runs {
		s.Needless, s.Runs, s.Steps = s.Runs-look.Runs, look.Runs, min(look.Step, s.Steps)
	}
	last, trained := p.last, p.trained
	for i := range s.Now {
		now, wrote := r.run(files, s.Now[i].Run)
		s.Now[i] = now
		if wrote.After(last) {
			last = wrote
		}
		if now.Of > 0 {
			done := s.plan.stepsOf(now.Run) / now.Of * now.Epoch
			s.Done += done
			trained += max(0, done-p.begun[now.Run].Step)
		}
	}
	if !last.IsZero() {
		s.Last = &last
	}
	s.State = s.state(doubtful, r.Now().Sub(last))
	if s.State == Working {
		s.Running = len(s.Now)
		if took := last.Sub(p.start).Seconds(); trained > 0 && took > 0 && s.Steps > 0 {
			left := float64(s.Steps-s.Done) * took / float64(trained)
			s.Left = &left
		}
	} else {
		s.Now = nil
	}
	return s, nil
}

// count sets a shard's numbers of runs: those of a plan that have ended in one of several folders,
// and what a process tells of the others.
func (s *Shard) count(plan *plan, index int, p process, ended ...map[string]record.Status) {
	s.Counts = plan.shards[index]
	for _, run := range plan.runs[index] {
		var status record.Status
		there := slices.ContainsFunc(ended, func(in map[string]record.Status) (there bool) { status, there = in[run]; return there })
		_, begun := p.begun[run]
		failure, failed := p.failed[run]
		switch {
		case there:
			s.Ended++
			s.Done += plan.stepsOf(run)
			if status == record.Diverged {
				s.Diverged++
				s.Failures = append(s.Failures, Failure{run, diverged})
			}
		case begun:
			s.Now = append(s.Now, Run{Run: run})
		case failed:
			s.Failed++
			s.Failures = append(s.Failures, Failure{run, failure.Why})
		}
	}
}

// state says what a shard does, which last wrote something so long ago. Of a doubtful ledger only
// what was written just now is believed.
func (s *Shard) state(doubtful bool, quiet time.Duration) State {
	switch {
	case s.Complete():
		return Complete
	case len(s.Now) > 0 && quiet < SilentAfter:
		return Working
	case doubtful:
		return Unknown
	case len(s.Now) > 0:
		return Silent
	case s.Failed > 0:
		return Failed
	case s.Last == nil:
		return Waiting
	}
	return Stopped
}

// status reads how a run ended, once; "" where that cannot be read.
func (r *Reader) status(files fs.FS, folder, run string) record.Status {
	folder = filepath.Join(folder, run)
	if status, known := r.ends[folder]; known {
		return status
	}
	var final record.Final
	content, err := fs.ReadFile(files, path.Join(run, "final.json"))
	if err != nil || json.Unmarshal(content, &final) != nil {
		return ""
	}
	if r.ends == nil {
		r.ends = map[string]record.Status{}
	}
	r.ends[folder] = final.Status
	return final.Status
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

// plan reads the jobs of a study, whose file has a digest by its ledger, once.
func (r *Reader) plan(files fs.FS, folder, digest string, of int) (*plan, error) {
	key := func(digest string, size int64) string { return fmt.Sprint(digest, " ", size, " ", of) }
	if info, err := fs.Stat(files, record.StudyFile); err == nil && r.plans[key(digest, info.Size())] != nil {
		return r.plans[key(digest, info.Size())], nil
	}
	content, err := fs.ReadFile(files, record.StudyFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	list, err := record.ParseStudy(filepath.Join(folder, record.StudyFile), content)
	if err != nil {
		return nil, err
	}
	p := &plan{shards: make([]Counts, max(1, of)), runs: make([][]string, max(1, of)), steps: map[string]int{}}
	shards := make([]int, len(list.Jobs))
	if of > 0 {
		if shards, err = study.Divide(list.Jobs, of); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
	}
	known := true
	for i, job := range list.Jobs {
		if p.steps[job.Dataset] == 0 {
			p.steps[job.Dataset] = stepsOf(files, job)
			known = known && p.steps[job.Dataset] > 0
		}
		p.runs[shards[i]] = append(p.runs[shards[i]], job.Folder())
		p.shards[shards[i]].Runs++
		p.shards[shards[i]].Steps += p.steps[job.Dataset]
	}
	if !known {
		return p, nil
	}
	if r.plans == nil {
		r.plans = map[string]*plan{}
	}
	// Not by the digest in the ledger, which may be ahead of the file, or of another study.
	r.plans[key(record.Digest(content), int64(len(content)))] = p
	return p, nil
}

// stepsOf returns the steps of a run.
func (p *plan) stepsOf(run string) int { return p.steps[strings.SplitN(run, "/", 2)[0]] }

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
