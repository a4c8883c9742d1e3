package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

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
		return h, unreadable(filepath.Join(root, LedgerFolder), err)
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

// Look returns the last look under the last plan, nil for none.
func (h History) Look() (look *Event) {
	for i, e := range h.Events {
		switch e.Event {
		case StudyPlanned:
			look = nil
		case StudyLooked:
			look = &h.Events[i]
		}
	}
	return look
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
	runs, _, err := Runs(t.fs, t.root)
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
		} else if e.Event != StudyMerged && e.Event != RunFailed { // which may come first
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
	ended := 0
	var planned map[string]string // digests of the plan's files
	var found []string
	for _, e := range h.Events {
		switch e.Event {
		case StudyPlanned:
			// Without a plan, or a tuning's result, runs are added at will.
			was, is := planned[PlanFile]+planned[TunedFile], e.Files[PlanFile]+e.Files[TunedFile]
			if what := map[bool]string{true: "list of runs", false: "plan"}[was == is]; was+is != "" && !maps.Equal(planned, e.Files) && ended > 0 {
				remarks = append(remarks, fmt.Sprintf("the %s was changed %s, after the end of %s", what, moment(e.Time), Plural(ended, "run")))
			}
			planned = e.Files
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
