package record

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
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
var happenings = []Happening{StudyPlanned, StudyMerged, RunStarted, RunResumed, RunHalted, RunFailed, RunEnding, RunEnded, RunFound, RunReplaced, RunRemoved}

// Event is a line of the ledger. Digests are SHA-256 in hexadecimal.
type Event struct {
	Previous string            `json:"previous"`         // digest of the line before, "" for the first
	Others   map[string]string `json:"others,omitempty"` // in the first line: of each other file, its last line's digest
	Schema   int               `json:"schema,omitempty"` // in the first line

	Time  time.Time `json:"time"`
	Event Happening `json:"event"`

	// Of StudyPlanned, which comes before the files: the digest of the plan and of each of its
	// files, how many runs it has, and the program.
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
	return &Ledger{study: study, now: time.Now, heads: history.heads, known: history.records(), begun: history.ending(), plan: history.plan()}, nil
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

// Reconcile adds what happened to the study's records outside of the ledger: those that were
// found, replaced or removed since it was last written. Some of the records may have been read
// already, see CheckStudyContext.
func (l *Ledger) Reconcile(read map[string]Event) error {
	t := &tree{fs: os.DirFS(l.study), root: l.study}
	runs, err := t.runs()
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

// History is what a ledger tells.
type History struct {
	Events []Event  // of all files, in the order of the chain
	Faults Problems // where the ledger contradicts itself

	heads map[string]string
}

// ReadLedger reads the ledger of a study's folder; one without events is empty. root is where
// the folder lies, for messages. Errors are those of reading.
func ReadLedger(study fs.FS, root string) (History, error) {
	h := History{heads: map[string]string{}}
	files, err := fs.ReadDir(study, LedgerFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	lines := map[string]map[string]bool{} // digests of the lines of each file
	chains := map[string][]Event{}
	for _, file := range files {
		if !ledgerFile.MatchString(file.Name()) {
			continue // nobody's here
		}
		content, err := readAll(study, path.Join(LedgerFolder, file.Name()))
		if err != nil {
			return h, fmt.Errorf("%s: %w", filepath.Join(root, LedgerFolder, file.Name()), err)
		}
		events, digests, fault := chain(filepath.Join(root, LedgerFolder, file.Name()), content)
		if fault != nil {
			h.Faults = append(h.Faults, *fault)
		}
		if len(events) == 0 {
			continue // killed in its first line
		}
		chains[file.Name()], lines[file.Name()] = events, map[string]bool{}
		for _, digest := range digests {
			lines[file.Name()][digest] = true
		}
		h.heads[file.Name()] = digests[len(digests)-1]
	}
	// A later process names more files. Clocks may have been set back.
	order := slices.SortedFunc(maps.Keys(chains), func(a, b string) int {
		return cmp.Or(len(chains[a][0].Others)-len(chains[b][0].Others), strings.Compare(a, b))
	})
	for _, file := range order {
		place := filepath.Join(root, LedgerFolder, file)
		others := chains[file][0].Others
		for _, name := range slices.Sorted(maps.Keys(others)) {
			switch {
			case lines[name] == nil:
				h.Faults = append(h.Faults, Problem{Place: place, Sentence: "continues " + name + ", which is not there: the ledger was cut"})
			case !lines[name][others[name]]:
				h.Faults = append(h.Faults, Problem{Place: place, Sentence: "continues a line of " + name + " that is not there: the ledger was changed or cut"})
			}
		}
		h.Events = append(h.Events, chains[file]...)
	}
	return h, nil
}

// ledgerFile matches the names of a ledger's files.
var ledgerFile = regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}-[0-9a-f]{8}\.jsonl$`)

// chain reads the lines of a ledger's file up to the first that does not follow.
func chain(place string, content []byte) (events []Event, digests []string, fault *Problem) {
	last := ""
	for line := range bytes.Lines(content) {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		if !whole {
			break // torn by the end of its process
		}
		var e Event
		if err := json.Unmarshal(text, &e); err != nil || e.Previous != last || e.Time.IsZero() || !slices.Contains(happenings, e.Event) {
			problem := &Problem{Place: fmt.Sprintf("%s:%d", place, len(events)+1), Sentence: "does not follow from the line before: the ledger was changed here"}
			if bytes.HasSuffix(text, []byte("\r")) {
				problem.Remedy = "Its line ends were changed to those of Windows: change them back."
			}
			return events, digests, problem
		}
		last = Digest(text)
		events, digests = append(events, e), append(digests, last)
	}
	return events, digests, nil
}

// ending returns the last event of each run that was about to have a record, unless that was
// removed since.
func (h History) ending() map[string]Event {
	last := map[string]Event{}
	for _, e := range h.Events {
		switch e.Event {
		case RunEnding:
			last[e.Run] = e
		case RunRemoved:
			delete(last, e.Run)
		}
	}
	return last
}

// plan returns the digest of the last plan, "" for none.
func (h History) plan() (digest string) {
	for _, e := range h.Events {
		digest = cmp.Or(e.Plan, digest)
	}
	return digest
}

// Record returns what a ledger has of the record in a run's folder: status and digests. It
// returns false where the run has not ended.
func (r Run) Record() (e Event, there bool, err error) { return r.tree().record(".") }

func (t *tree) record(folder string) (e Event, there bool, err error) {
	content, err := t.readAll(path.Join(folder, finalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	var final Final
	if err == nil {
		err = decode(t.source(path.Join(folder, finalFile)), content, &final).err()
	}
	if err == nil {
		e, err = t.recordWith(folder, final, content)
	}
	return e, true, err
}

// recordWith is the record of a run whose final.json is, or will be, what is given.
func (t *tree) recordWith(folder string, final Final, content []byte) (Event, error) {
	epochs, _, wrong := t.epochs(path.Join(folder, epochsFile))
	if wrong != nil {
		return Event{}, wrong
	}
	return t.recordOf(folder, final, epochs, content)
}

// recordOf is recordWith of epochs that have been read.
func (t *tree) recordOf(folder string, final Final, epochs []Epoch, content []byte) (Event, error) {
	var files []byte
	for _, name := range []string{configFile, epochsFile} {
		file, err := t.readAll(path.Join(folder, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Event{}, err
		}
		files = append(files, file...)
	}
	results, err := Results(epochs, final)
	return Event{Status: final.Status, Record: Digest(append(files, content...)), Result: results}, err
}

// CheckLedger reads the ledger of a study's folder and compares it with the study's plan and
// runs. It returns what the ledger tells, what does not fit, and remarks on the past that a
// reader of the results has to know. root is where the folder lies, for messages. The study
// may be at work.
func CheckLedger(study fs.FS, root string) (h History, faults Problems, remarks []string, err error) {
	return checkLedger(&tree{fs: study, root: root}, nil)
}

// checkLedger is CheckLedger of a study some of which has been read.
func checkLedger(t *tree, read map[string]Event) (h History, faults Problems, remarks []string, err error) {
	study, root := t.fs, t.root
	// The ledger has each record before it is complete: read later, it knows them all.
	runs, err := t.runs()
	if err != nil {
		return h, nil, nil, err
	}
	records := map[string]Event{}
	damaged := map[string]bool{} // which others tell
	for _, run := range runs {
		now, there := read[run]
		if !there {
			now, _, err = t.record(run)
		}
		if errors.As(err, new(Problems)) {
			damaged[run] = true
		} else if err != nil {
			return h, nil, nil, err
		}
		records[run] = now
	}
	if h, err = ReadLedger(study, root); err != nil {
		return h, nil, nil, err
	}
	if len(h.Events) == 0 && len(h.Faults) == 0 {
		faults, remarks = t.withoutLedger(runs)
		return h, faults, remarks, nil
	}
	faults = append(h.Faults, h.checkPlan(t)...)
	known, ending, ends := h.records(), h.ending(), h.ends()
	for _, run := range runs {
		last, ok := known[run]
		now := records[run]
		// Two processes may have trained the same: then only times differ.
		again := ok && last.Result == now.Result && slices.ContainsFunc(ends[run], now.sameRecord)
		if damaged[run] || again || ending[run].sameRecord(now) {
			continue
		}
		if !ok {
			faults = append(faults, Problem{Place: place(root, run), Sentence: "is not in the ledger: it came from elsewhere"})
		} else {
			faults = append(faults, Problem{Place: place(root, run), Sentence: fmt.Sprintf("is not the record that the ledger has of %s: it was changed", moment(last.Time))})
		}
	}
	for _, run := range slices.Sorted(maps.Keys(known)) {
		if _, ok := records[run]; ok {
			continue
		}
		if _, err := fs.Stat(study, path.Join(run, finalFile)); err == nil { // since the runs were listed
			continue
		}
		faults = append(faults, Problem{Place: place(root, run), Sentence: fmt.Sprintf("%s, by the ledger of %s, and its record is gone", known[run].Status, moment(known[run].Time))})
	}
	changed, remarks := h.past(root)
	return h, append(faults, changed...), remarks, nil
}

// sameRecord says whether an event is of the record that another is of.
func (e Event) sameRecord(other Event) bool {
	return e.Record == other.Record && e.Result == other.Result && e.Status == other.Status
}

// runs returns the folders of the runs that have ended, in order.
func (t *tree) runs() ([]string, error) {
	finals, err := find(t.fs, t.root, ".", finalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []string
	for _, final := range finals {
		if strings.Count(final, "/") == runDepth {
			runs = append(runs, path.Dir(final))
		}
	}
	return runs, err
}

// ledgerSince is the first schema of programs that keep a ledger.
const ledgerSince = 2

// withoutLedger says what it means that a study has none.
func (t *tree) withoutLedger(runs []string) (faults Problems, remarks []string) {
	for _, run := range runs {
		var c Config
		if _, wrong := t.readFile(path.Join(run, configFile), &c); wrong == nil && c.Schema >= ledgerSince {
			return Problems{{Place: t.source(LedgerFolder), Sentence: "is missing, and the program that made these runs wrote one: it was removed"}}, nil
		}
	}
	return nil, []string{"the study has no ledger: how its runs came about is not recorded"}
}

// FirstPlan returns the plan that the study's first run was made under: the last one before it.
// It is nil without one.
func (h History) FirstPlan() (plan *Event) {
	for i, e := range h.Events {
		if e.Event == StudyPlanned {
			plan = &h.Events[i]
		} else if e.Event != StudyMerged { // which may come first
			break
		}
	}
	return plan
}

// checkPlan compares the files that say what the study is to be with the plans of the ledger.
// plan.json is made once, so it has to be that of the first run.
func (h History) checkPlan(t *tree) (faults Problems) {
	planned, started := map[string][]string{}, false
	for _, e := range h.Events {
		for name, digest := range e.Files {
			planned[name] = append(planned[name], digest)
		}
		started = started || e.Event == RunStarted
	}
	files, err := readPlanFiles(t.fs)
	if err != nil {
		return unreadable(t.root, err)
	}
	first := h.FirstPlan()
	for _, name := range planFiles {
		content, there := files[name]
		switch {
		case there && len(planned) > 0 && !slices.Contains(planned[name], Digest(content)):
			faults = append(faults, Problem{Place: t.source(name), Sentence: "is not of any plan in the ledger: it was changed"})
		case there && name == PlanFile && first != nil && first.Files[name] != Digest(content):
			faults = append(faults, Problem{Place: t.source(name), Sentence: "is not the plan that the first run was made under: it was made or changed later"})
		case !there && started && len(planned[name]) > 0:
			faults = append(faults, Problem{Place: t.source(name), Sentence: "is in the ledger's plan, and is gone"})
		}
	}
	return faults
}

// records returns the last event with a record of each run, those left out whose record is
// known to be removed.
func (h History) records() map[string]Event {
	last := map[string]Event{}
	for _, e := range h.Events {
		switch e.Event {
		case RunEnded, RunFound, RunReplaced:
			last[e.Run] = e
		case RunRemoved:
			delete(last, e.Run)
		}
	}
	return last
}

// ends returns the events of the ends of each run.
func (h History) ends() map[string][]Event {
	all := map[string][]Event{}
	for _, e := range h.Events {
		if e.Record != "" && e.Event != RunEnding {
			all[e.Run] = append(all[e.Run], e)
		}
	}
	return all
}

// missing returns the shards that lacked runs when the last ones were merged.
func (h History) missing() (shards []string) {
	for _, e := range h.Events {
		if e.Event == StudyMerged {
			shards = e.Missing
		}
	}
	return shards
}

// past tells what happened beside runs that began and ended: what contradicts the study as it
// is, and what a reader has to know.
func (h History) past(root string) (faults Problems, remarks []string) {
	known, removed := map[string]Event{}, map[string]Event{}
	plan, ended := "", 0
	var found []string
	for _, e := range h.Events {
		switch e.Event {
		case StudyPlanned:
			if plan != "" && plan != e.Plan && ended > 0 {
				remarks = append(remarks, fmt.Sprintf("the plan was changed %s, after the end of %s", moment(e.Time), Plural(ended, "run")))
			}
			plan = e.Plan
		case RunRemoved:
			removed[e.Run] = known[e.Run]
		case RunReplaced:
			faults = append(faults, Problem{Place: place(root, e.Run), Sentence: "was replaced before " + moment(e.Time)})
		case RunFound:
			found = append(found, e.Run)
		}
		if e.Record == "" || e.Event == RunEnding {
			continue
		}
		if before, ok := removed[e.Run]; ok && before.Result == e.Result {
			remarks = append(remarks, fmt.Sprintf("%s, which had %s, was removed and is back, with equal results", e.Run, before.Status))
		} else if ok {
			faults = append(faults, Problem{Place: place(root, e.Run), Sentence: fmt.Sprintf("had %s, was removed and is back, with other results", before.Status)})
		}
		delete(removed, e.Run)
		known[e.Run] = e
		ended++
	}
	if n := len(found); n > 0 {
		remarks = append(remarks, fmt.Sprintf("not made under this ledger, but found: the records of %s, %s", Plural(n, "run"), abridged(found)))
	}
	for _, run := range slices.Sorted(maps.Keys(removed)) {
		faults = append(faults, Problem{Place: place(root, run), Sentence: fmt.Sprintf("had %s and was removed", removed[run].Status)})
	}
	return faults, remarks
}

// Plural is a number with its noun: "1 run", "2 runs".
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// abridged lists the first few of some names.
func abridged(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
}

// place is a run's folder, for messages.
func place(root, run string) string { return filepath.Join(root, filepath.FromSlash(run)) }

// moment is a time for a person.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
