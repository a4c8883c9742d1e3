package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"diaghess/train/atomicfile"
)

// LedgerFolder is the folder of a study's ledger. Each process that works on the study adds
// a file of its own, whose lines are events. A line has the digest of the line before it.
// The first line of a file has the digests of the last lines of all files before it, so that
// the files are one chain. Those of several shards are a chain each; see Merge. A killed
// process may leave a last line without a line feed, which does not count.
const LedgerFolder = "ledger"

// Happening is what an event of the ledger is about.
type Happening string

const (
	StudyPlanned Happening = "planned"  // the study's command, see PlanDigest
	StudyMerged  Happening = "merged"   // shards are joined, see Merge
	StudyLooked  Happening = "looked"   // a planned look decided which runs are still needed
	RunStarted   Happening = "started"  // from its first step
	RunResumed   Happening = "resumed"  // from its checkpoint
	RunHalted    Happening = "halted"   // by an interruption, or to wait for the next stage of a tuning
	RunFailed    Happening = "failed"   // by an error of this process or machine; it goes on later
	RunEnding    Happening = "ending"   // with a record whose last file comes next
	RunEnded     Happening = "ended"    // with a record, all of it written
	RunFound     Happening = "found"    // a record that the ledger did not know
	RunReplaced  Happening = "replaced" // a record, by another
	RunRemoved   Happening = "removed"  // a record that the ledger knew
)

// happenings are all that there are.
var happenings = []Happening{StudyPlanned, StudyMerged, StudyLooked, RunStarted, RunResumed, RunHalted, RunFailed, RunEnding, RunEnded, RunFound, RunReplaced, RunRemoved}

// Event is a line of the ledger. Digests are SHA-256 in hexadecimal.
type Event struct {
	Previous string            `json:"previous"`         // digest of the line before, "" for the first
	Others   map[string]string `json:"others,omitempty"` // in the first line: of each other file, its last line's digest
	Schema   int               `json:"schema,omitempty"` // in the first line

	Time  time.Time `json:"time"`
	Event Happening `json:"event"`

	// Of StudyPlanned, which comes before the files: the digest of the plan and of each of its
	// files, how many runs it has, and the program. Of StudyLooked: how many runs it has without
	// those that are not needed any more, and in Step the steps of these runs.
	Plan  string            `json:"plan,omitempty"`
	Files map[string]string `json:"files,omitempty"`
	Runs  int               `json:"runs,omitempty"`
	Build *Build            `json:"build,omitempty"`

	// Missing is of StudyMerged: the shards of which runs are not there, such as "2/16".
	Missing []string `json:"missing,omitempty"`

	// Of a run: its folder in the study's, with slashes; the steps done; the device; the name of
	// the computer that it begins or goes on on; why it failed. Beside is
	// the largest number of other runs of the study that were trained at the same time. Load is
	// the machine's average over a minute, which counts the run itself; 0 where it is not known.
	Run     string  `json:"run,omitempty"`
	Step    int     `json:"step,omitempty"`
	Device  string  `json:"device,omitempty"`
	Machine string  `json:"machine,omitempty"`
	Host    string  `json:"host,omitempty"`
	Why     string  `json:"why,omitempty"`
	Beside  int     `json:"beside,omitempty"`
	Load    float64 `json:"load,omitempty"`

	// Of a run's record: how the run ended, the digest of the record's files, and that of its
	// results, in which times do not count: a repeated run has the same.
	Status Status `json:"status,omitempty"`
	Record string `json:"record,omitempty"`
	Result string `json:"result,omitempty"`
}

// Digest returns the SHA-256 of a text in hexadecimal.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// planFiles are the files that say what a study is to be.
var planFiles = []string{StudyFile, PlanFile, TunedFile}

// PlanDigest returns the digest of what a study is to be: of its files study.json, plan.json
// and tuned.json, one after the other. A study may lack the last two. It is what
// "cat study.json plan.json tuned.json | sha256sum" prints.
func PlanDigest(study fs.FS) (string, error) {
	files, err := readPlanFiles(study)
	return planDigest(files), err
}

func planDigest(files map[string][]byte) string {
	var all []byte
	for _, name := range planFiles {
		all = append(all, files[name]...)
	}
	return Digest(all)
}

// readPlanFiles returns the contents of those planFiles that there are.
func readPlanFiles(study fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range planFiles {
		content, err := readAll(study, name)
		if err == nil {
			files[name] = content
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return files, nil
}

// Ledger is a study's ledger, which a process that holds the study's lock adds to.
type Ledger struct {
	study string
	now   func() time.Time
	heads map[string]string // of the files that are there
	known map[string]Event  // by run: its last event with a record
	begun map[string]Event  // by run: one that was about to have a record
	plan  string            // of the last command
	look  *Event            // the last one under this plan

	mutex sync.Mutex
	file  *os.File // opened by the first event
	last  string   // digest of the last line
	err   error    // of the first failure
}

// OpenLedger opens the ledger of a study's folder. It returns an error for a ledger that
// cannot be read. One that contradicts itself is not an error here: see ReadLedger.
func OpenLedger(study string) (*Ledger, error) {
	history, err := ReadLedger(os.DirFS(study), study)
	if err != nil {
		return nil, err
	}
	return &Ledger{study: study, now: time.Now, heads: history.heads, known: history.records(), begun: history.ending(), plan: history.plan(), look: history.Look()}, nil
}

// Plan writes study.json, and tuned.json unless tuned is nil, and returns the plan's digest.
// If the plan is another than the last one, the ledger has it before the files.
func (l *Ledger) Plan(jobs []Job, tuned *Tuned, build Build) (digest string, err error) {
	files, err := readPlanFiles(os.DirFS(l.study))
	if err != nil {
		return "", err
	}
	if files[StudyFile], err = encode(Study{Schema, jobs}); err != nil {
		return "", err
	}
	if tuned != nil {
		if files[TunedFile], err = encode(tuned.current()); err != nil {
			return "", err
		}
	}
	return l.planned(files, len(jobs), build, StudyFile, TunedFile)
}

// planned writes the files of a plan of those names, and returns its digest.
func (l *Ledger) planned(files map[string][]byte, runs int, build Build, names ...string) (digest string, err error) {
	if digest = planDigest(files); digest != l.plan {
		digests := map[string]string{}
		for name, content := range files {
			digests[name] = Digest(content)
		}
		if err := l.Add(Event{Event: StudyPlanned, Plan: digest, Files: digests, Runs: runs, Build: &build}); err != nil {
			return "", err
		}
		l.look = nil
	}
	for _, name := range names {
		if content, ok := files[name]; ok {
			if err := atomicfile.WriteBytes(filepath.Join(l.study, name), content); err != nil {
				return "", err
			}
		}
	}
	return digest, nil
}

// Looked adds that a planned look left so many runs, with so many steps, unless the look before did.
func (l *Ledger) Looked(runs, steps int) error {
	if l.look != nil && l.look.Runs == runs && l.look.Step == steps {
		return nil
	}
	l.look = &Event{Event: StudyLooked, Runs: runs, Step: steps}
	return l.Add(*l.look)
}

// Reconcile adds what happened to the study's records outside of the ledger: those that were
// found, replaced or removed since it was last written. Some of the records may have been read
// already, see CheckStudyContext.
func (l *Ledger) Reconcile(read map[string]Event) error {
	t := &tree{fs: os.DirFS(l.study), root: l.study}
	runs, _, err := Runs(t.fs, t.root)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, run := range runs {
		there[run] = true
		now, ok := read[run]
		if !ok {
			if now, _, err = t.record(run); err != nil {
				return err
			}
		}
		now.Run = run
		switch last, ok := l.known[run]; {
		case ok && last.Record == now.Record:
			continue
		case l.begun[run].Record == now.Record: // killed before it could say so
			now.Event = RunEnded
		case ok:
			now.Event = RunReplaced
		default:
			now.Event = RunFound
		}
		if err := l.Add(now); err != nil {
			return err
		}
	}
	for _, run := range slices.Sorted(maps.Keys(l.known)) {
		if there[run] {
			continue
		}
		if err := l.Add(Event{Event: RunRemoved, Run: run}); err != nil {
			return err
		}
	}
	return nil
}

// Add writes an event with its time and the digest of the one before. After a failure,
// every call returns its error: a ledger has no gaps.
func (l *Ledger) Add(e Event) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.err == nil {
		if err := l.add(e); err != nil {
			l.err = fmt.Errorf("ledger of %s: %w", l.study, err)
		}
	}
	return l.err
}

func (l *Ledger) add(e Event) error {
	e.Time, e.Previous = l.now().UTC(), l.last
	if l.file == nil {
		e.Schema, e.Others = Schema, l.heads
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if l.file == nil {
		// Names sort by time; the digest tells those of one moment apart.
		name := e.Time.Format("20060102T150405.000000") + "-" + Digest(line)[:8] + ".jsonl"
		folder := filepath.Join(l.study, LedgerFolder)
		if err := makeShared(folder); err != nil {
			return err
		}
		if l.file, err = os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666); err != nil {
			return err
		}
	}
	// Lines for a file that is not there any more would be lost.
	if mine, err := l.file.Stat(); err != nil {
		return err
	} else if now, err := os.Stat(l.file.Name()); err != nil || !os.SameFile(mine, now) {
		return fmt.Errorf("%s was removed or replaced while this process wrote it", l.file.Name())
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	l.last = Digest(line)
	return l.file.Sync()
}

// makeShared makes a folder with the access that the one above has: who may work in a study
// may add to its ledger.
func makeShared(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := atomicfile.MakeFolder(folder); err != nil {
		return err
	}
	above, err := os.Stat(filepath.Dir(folder))
	if err == nil && runtime.GOOS != "windows" {
		_ = os.Chmod(folder, above.Mode()&(fs.ModePerm|fs.ModeSetgid)) // some file systems have no modes
	}
	return nil
}

// Newest returns an error if another process has begun to add to the ledger after this one did.
// Where a file system has no locks, or loses them, the older process ends by it: the newer one
// has gone on from the same checkpoints.
func (l *Ledger) Newest() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	files, err := os.ReadDir(filepath.Join(l.study, LedgerFolder))
	if l.file == nil || err != nil {
		return err
	}
	for _, file := range files {
		if name := file.Name(); ledgerFile.MatchString(name) && name > filepath.Base(l.file.Name()) && l.heads[name] == "" { // names sort by time
			return fmt.Errorf("another process works on %s since %s: it goes on, and this one ends", l.study, name[:len("20060102T150405")])
		}
	}
	return nil
}

// Close closes the process's file.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
