package record

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"diaghess/train/atomicfile"
)

// Merging says what to merge.
type Merging struct {
	Out     string   // the study's folder
	Folders []string // of shards, see Shard.Folder, or of what holds such folders
	Trials  string   // where a tuning has the study of its trials, in its folder
	// Divide returns for each job the shard, of n, that trains it.
	Divide  func(jobs []Job, n int) ([]int, error)
	Build   Build         // of this program
	Partial bool          // merges also where shards lack runs
	Mixed   bool          // merges runs of different devices and GPUs
	Force   bool          // see CheckFolder
	Waiting func(string)  // is told, once, what is waited for
	Settled time.Duration // after which what was written is there for all; 0 for DefaultSettled
	// Lock makes Out and keeps other processes out of it. It is called when the shards fit; nil where
	// the caller keeps others out.
	Lock func() (release func() error, err error)

	open func(folder string) fs.FS // of tests; nil for os.DirFS
}

// merge is a merge at work.
type merge struct {
	Merging
	mutex   sync.Mutex
	studies map[string]*listing // by the digest of study.json
}

// listing is what a study.json lists, the same in all shards of a study.
type listing struct {
	once, divided sync.Once
	jobs          []Job
	sizes         []int          // jobs of each shard
	owner         map[string]int // shard of each folder that a job may have
	err           error          // of reading,
	undivided     error          // and of dividing
}

// jobs reads a study.json.
func (m *merge) jobs(content []byte) *listing {
	digest := Digest(content)
	m.mutex.Lock()
	l := m.studies[digest]
	if l == nil {
		l = &listing{}
		m.studies[digest] = l
	}
	m.mutex.Unlock()
	l.once.Do(func() {
		var study Study
		if l.err = decode(StudyFile, content, &study).err(); l.err == nil {
			l.jobs = study.Jobs
		}
	})
	return l
}

// DefaultSettled is how long a file system of several machines may show what was before: NFS keeps
// names for a minute.
const DefaultSettled = time.Minute

// Merged is what a merge made.
type Merged struct {
	Shards  int      // merged
	Of      int      // of so many
	Runs    int      // that have ended,
	Planned int      // of so many; 0 for a tuning, whose runs depend on results
	Missing []string // shards that lack runs, with why
	Results string   // see ResultsDigest
	New     bool     // whether anything was not there before
	Faults  Problems // where runs and ledgers do not fit together, as CheckLedger finds them
}

// Merge joins the shards of a study, or of a tuning, into its folder: their runs, and their
// ledgers, each of which stays a chain. What lies there is then what one process would have made,
// except for times and machines. The shards stay as they are. A merge that was interrupted goes
// on, and another one adds what is new. Nothing that differs is replaced.
func Merge(ctx context.Context, what Merging) (result *Merged, err error) {
	if err := notShard(what.Out); err != nil {
		return nil, err
	}
	m := &merge{Merging: what, studies: map[string]*listing{}}
	if m.open == nil {
		m.open = os.DirFS
	}
	folders, err := m.shards()
	if err != nil {
		return nil, err
	}
	parts, missing, err := m.read(ctx, folders)
	if err != nil {
		return nil, err
	}
	first := parts[max(0, slices.IndexFunc(parts, func(p part) bool { return len(p.files) > 0 }))]
	result = &Merged{Shards: len(folders), Of: first.shard.Of, Missing: missing}
	study := m.Out
	if first.tuning {
		study = filepath.Join(m.Out, m.Trials)
	}
	files, tuned, err := m.plan(parts)
	if err != nil {
		return nil, err
	}
	if _, err := m.join(parts); err != nil {
		return nil, err
	}
	if _, err := joinLedgers(parts); err != nil {
		return nil, err
	}
	if err := CheckFolder(ctx, study, m.Force); err != nil {
		return nil, err
	}
	if m.Lock != nil {
		release, held := m.Lock()
		if held != nil {
			return nil, held
		}
		defer func() { err = cmp.Or(err, release()) }()
	}
	before, err := m.before(ctx, study, first.tuning, parts)
	if err != nil {
		return nil, err
	}
	runs, err := m.join(append([]part{before}, parts...))
	if err != nil {
		return nil, err
	}
	if !first.tuning {
		result.Planned = len(m.jobs(files[StudyFile]).jobs)
	}
	if before.files != nil && !first.tuning {
		if why := differentPlan(before.files, files); why != "" {
			return nil, fmt.Errorf("%s holds another study than the shards: %s; choose another folder", m.Out, why)
		}
	}
	ledger, err := joinLedgers(append([]part{before}, parts...))
	if err != nil {
		return nil, err
	}
	if err := m.write(ctx, study, before, runs, files, ledger, tuned, result); err != nil {
		return nil, fmt.Errorf("merge %s: %w; the same command goes on", m.Out, err)
	}
	results, records := map[string]string{}, map[string]Event{}
	for run, from := range runs {
		if from.record.Record != "" {
			results[run], records[run] = from.record.Result, from.record
		}
	}
	result.Runs, result.Results = len(results), resultsDigest(files, results)
	_, result.Faults, _, err = checkLedger(&tree{fs: stoppable{ctx, os.DirFS(study), "."}, root: study}, records)
	return result, err
}

// upTo returns the numbers from 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// each calls a function with 0 to n-1, as many at a time as there are processors.
func each(n int, do func(int)) {
	var group sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				do(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

// divide sets which shard has which job.
func (l *listing) divide(n int, divide func([]Job, int) ([]int, error)) error {
	l.divided.Do(func() {
		var shards []int
		if shards, l.undivided = divide(l.jobs, n); l.undivided != nil {
			return
		}
		l.owner, l.sizes = map[string]int{}, make([]int, n)
		for i, job := range l.jobs {
			l.sizes[shards[i]]++
			for _, folder := range job.folders() {
				l.owner[filepath.ToSlash(folder)] = shards[i]
			}
		}
	})
	return l.undivided
}

// before reads what is in the study's folder already. It refuses what is not of shards.
func (m *merge) before(ctx context.Context, study string, tuning bool, parts []part) (part, error) {
	before := part{folder: study, study: study, tuning: tuning}
	if _, err := os.Stat(study); errors.Is(err, fs.ErrNotExist) {
		return before, nil
	}
	_, err := before.read(ctx, &merge{Merging: Merging{open: os.DirFS}, studies: map[string]*listing{}})
	if err != nil {
		return before, err
	}
	if merged, err := wasMerged(os.DirFS(study), study); err != nil || merged {
		return before, err
	}
	known := map[string]bool{}
	for _, p := range parts {
		for name := range p.ledger {
			known[name] = true
		}
	}
	for name := range before.ledger {
		if !known[name] {
			return before, fmt.Errorf("%s holds a study that is not merged from shards, by its ledger: choose another folder", study)
		}
	}
	before.files = nil // of a merge that was interrupted
	return before, nil
}

// join returns all runs. Of equal ones it takes the first.
func (m *merge) join(parts []part) (map[string]partRun, error) {
	runs := map[string]partRun{}
	devices := map[string]string{} // with a run of each
	for _, p := range parts {
		for _, run := range slices.Sorted(maps.Keys(p.runs)) {
			now := p.runs[run]
			place := filepath.Join(p.study, filepath.FromSlash(run))
			devices[now.device] = cmp.Or(devices[now.device], place)
			first, there := runs[run]
			if !there {
				runs[run] = now
				continue
			}
			differ := first.config.differences(now.config, true)
			if first.record.Result != now.record.Result {
				differ = append(differ, "results are not equal")
			}
			if differ != nil {
				return nil, fmt.Errorf("%s and %s are of the same run, and differ (%s): one of them is not what it says; leave out the folder with the wrong one",
					filepath.Join(first.source, filepath.FromSlash(run)), place, strings.Join(differ, "; "))
			}
		}
	}
	if len(devices) > 1 && !m.Mixed {
		var list []string
		for _, device := range slices.Sorted(maps.Keys(devices)) {
			list = append(list, fmt.Sprintf("%s made %s", device, devices[device]))
		}
		return nil, fmt.Errorf("the runs are of different devices, which round differently: %s; with --mixed they are merged all the same: pairs are of one shard", strings.Join(list, "; "))
	}
	return runs, nil
}

// plan returns the files of the study's plan, and of a tuning its result, which is nil where
// shards are missing.
func (m *merge) plan(parts []part) (files map[string][]byte, tuned *Tuned, err error) {
	var first *part
	for i := range parts {
		p := &parts[i]
		if len(p.files) == 0 {
			continue
		}
		if first == nil {
			first = p
		}
		if p.tuning != first.tuning {
			return nil, nil, fmt.Errorf("%s is of a tuning and %s of a study, or the other way round: merge those of one", first.folder, p.folder)
		}
		if p.tuning {
			continue
		}
		if why := differentPlan(first.files, p.files); why != "" {
			return nil, nil, fmt.Errorf("%s is not of the study that %s is of: %s", p.folder, first.folder, why)
		}
	}
	switch {
	case first == nil:
		return nil, nil, fmt.Errorf("%s: no shard has begun", m.Out)
	case !first.tuning:
		return first.files, nil, nil
	}
	// The jobs of a tuning's last command are those of all shards, one tuning after the other.
	var jobs []Job
	listed := map[Job]bool{}
	for _, p := range parts {
		if len(p.files) == 0 {
			continue
		}
		for _, job := range p.jobs {
			if !listed[job] {
				listed[job] = true
				jobs = append(jobs, job)
			}
		}
	}
	slices.SortStableFunc(jobs, func(a, b Job) int { return a.Seed/SeedStride - b.Seed/SeedStride })
	if files, err = PlanFiles(jobs, nil, nil); err == nil {
		tuned, err = joinTuned(parts)
	}
	return files, tuned, err
}

// joinTuned joins the results of a tuning's shards; it is nil where some are missing.
func joinTuned(parts []part) (joined *Tuned, err error) {
	first, known := "", map[string]TunedOptimizer{}
	var order []string
	for _, p := range parts {
		if p.tuned == nil {
			continue
		}
		place := filepath.Join(p.folder, TunedFile)
		now := &Tuned{}
		if wrong := decode(place, p.tuned, now); wrong != nil {
			return nil, wrong
		}
		if joined == nil {
			first, joined = place, now
		} else if differ := joined.sharedDifferences(now); differ != nil {
			return nil, fmt.Errorf("%s and %s are not of the same tuning: %s", first, place, strings.Join(differ, "; "))
		}
		for _, o := range now.Optimizers {
			if known[o.Label()].Trials == nil {
				known[o.Label()] = o
			}
			if !slices.Contains(order, o.Optimizer) {
				order = append(order, o.Optimizer)
			}
		}
	}
	if joined == nil || joined.Shard == "" {
		return joined, nil
	}
	whole := *joined
	whole.Optimizers, whole.Shard = nil, ""
	for _, spec := range order {
		for tuning := range joined.Tunings() {
			o, there := known[TunedOptimizer{Optimizer: spec, Tuning: tuning + 1}.Label()]
			if !there {
				return nil, nil
			}
			whole.Optimizers = append(whole.Optimizers, o)
		}
	}
	return &whole, whole.problems(first).err()
}

// sharedDifferences says in what two shards of a tuning differ that all shards have in common.
func (t *Tuned) sharedDifferences(other *Tuned) []string {
	a, b := *t, *other
	a.Optimizers, b.Optimizers, a.Shard, b.Shard = nil, nil, "", ""
	was, is := leaves(a), leaves(b)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if was[key] != is[key] {
			differ = append(differ, fmt.Sprintf("%s is %.80s, and %.80s", key, was[key], is[key]))
		}
	}
	return differ
}

// joinLedgers returns the files of all ledgers. Of two with one name the one that goes on is
// taken.
func joinLedgers(parts []part) (map[string][]byte, error) {
	files, from := map[string][]byte{}, map[string]string{}
	for _, p := range parts {
		for _, name := range slices.Sorted(maps.Keys(p.ledger)) {
			content := p.ledger[name]
			switch have, there := files[name]; {
			case !there || bytes.HasPrefix(content, have):
				files[name], from[name] = content, p.study
			case !bytes.HasPrefix(have, content):
				return nil, fmt.Errorf("%s differs in %s and %s: one of them was changed; leave that folder out", path.Join(LedgerFolder, name), from[name], p.study)
			}
		}
	}
	return files, nil
}

// write writes what is not there yet: runs, ledgers, plan, and the event of the merge.
func (m *merge) write(ctx context.Context, study string, before part, runs map[string]partRun, files, ledgers map[string][]byte, tuned *Tuned, result *Merged) error {
	if err := atomicfile.MakeFolder(study); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(runs))
	errs := make([]error, len(names))
	each(len(names), func(i int) {
		if run := runs[names[i]]; ctx.Err() == nil && run.source != before.study {
			to := filepath.Join(study, filepath.FromSlash(names[i]))
			errs[i] = bring(filepath.Join(run.source, filepath.FromSlash(names[i])), to)
		}
	})
	if err := cmp.Or(ctx.Err(), errors.Join(errs...)); err != nil {
		return err
	}
	if err := makeShared(filepath.Join(study, LedgerFolder)); err != nil {
		return err
	}
	result.New = len(runs) > len(before.runs)
	for _, name := range slices.Sorted(maps.Keys(ledgers)) {
		if bytes.Equal(before.ledger[name], ledgers[name]) {
			continue
		}
		result.New = true
		if err := atomicfile.WriteBytes(filepath.Join(study, LedgerFolder, name), ledgers[name]); err != nil {
			return err
		}
	}
	return m.record(study, files, tuned, result)
}

// record adds the merge to the ledger, and writes the last files.
func (m *merge) record(study string, files map[string][]byte, tuned *Tuned, result *Merged) (err error) {
	ledger, err := OpenLedger(study)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if _, err := ledger.planned(files, result.Planned, m.Build, planFiles...); err != nil {
		return err
	}
	history, err := ReadLedger(os.DirFS(study), study)
	if err != nil {
		return err
	}
	merged := slices.ContainsFunc(history.Events, func(e Event) bool { return e.Event == StudyMerged })
	if result.New || !merged || !slices.Equal(history.missing(), result.Missing) {
		result.New = true
		if err := ledger.Add(Event{Event: StudyMerged, Missing: result.Missing, Runs: len(history.records()), Build: &m.Build}); err != nil {
			return err
		}
	}
	if tuned != nil {
		return tuned.Write(filepath.Join(m.Out, TunedFile))
	}
	return nil
}

// bring links or copies the files of a run to another folder, the end last.
func bring(from, to string) error {
	if err := atomicfile.MakeFolder(to); err != nil {
		return err
	}
	kept, err := fs.Glob(os.DirFS(from), checkpointFile+"-*")
	if err != nil {
		return err
	}
	for _, name := range append(kept, configFile, epochsFile, finalFile) {
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		if os.Link(source, target) == nil {
			continue
		}
		content, err := os.ReadFile(source)
		if errors.Is(err, fs.ErrNotExist) && name != configFile { // of a trial that was stopped
			continue
		}
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(target, content); err != nil {
			return err
		}
	}
	return (Run{to}).Forget()
}
