package record

import (
	"archive/zip"
	"cmp"
	"context"
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
)

// Content is what a study's folder holds.
type Content struct {
	Folder string
	Jobs   []Job  // of study.json; empty without one
	Plan   *Plan  // nil without one
	Tuned  *Tuned // that the optimizers come from; nil without one
	Runs   []Ended
	// Pending are the jobs that have not ended, in their order.
	Pending []Pending
	// Planned is the ledger's event of the plan that the first run was made under; nil without one.
	Planned *Event
	// TunedDigest is that of tuned.json; "" without one.
	TunedDigest string
	// Missing are the shards that have runs which the study lacks, such as "2/16".
	Missing []string
	// Ledger is what does not fit the study's ledger, or was left out. Remarks are what the
	// ledger tells of the past that a reader of the results has to know; see CheckLedger.
	Ledger  Problems
	Remarks []string

	known map[string]Event // by run: the ledger's last event with a record, or of one that was about to be
}

// Ended is what the record of a run that has ended holds.
type Ended struct {
	Final  Final
	Epochs []Epoch // in order
	Config Config
	// Settings is config.json with its nested keys joined by dots, such as
	// "optimizer_settings.lr", and its values as they are written.
	Settings map[string]string
	Source   string // the path of its final.json, for messages
	Event    *Event // with which the ledger has the run's end: what ran beside it; nil for none

	record Event // see Run.Record
}

// Pending is a job without a final.json.
type Pending struct {
	Job
	Begun bool // whether it has a config.json
	Done  int  // epochs that have ended
}

// runDepth is how far a run's folder is below that of its study: DATASET/OPTIMIZER/seed-NN.
const runDepth = 3

// Read reads the studies whose ended runs are in a folder or anywhere below it, or in a zip
// archive of such a folder. The folder may be a part of a study. Runs come in the order of
// their paths, those of a study's first dataset and optimizer first. The error is [Problems]
// where a record is wrong: it lists all that is.
func Read(name string) (studies []Content, err error) {
	tree, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tree.close()) }()
	studies, wrong := tree.read(context.Background())
	if wrong = append(wrong, tree.unmerged()...); wrong != nil {
		return nil, wrong
	}
	return studies, nil
}

// CheckStudy returns all that is wrong with a study's folder: with the records of its ended
// runs and with what is beside them. root is where the folder is, for messages.
func CheckStudy(study fs.FS, root string) Problems {
	_, wrong, _ := CheckStudyContext(context.Background(), study, root)
	return wrong
}

// CheckStudyContext is CheckStudy until a context ends, whose error it then returns. It also
// returns what the ledger is to have of each run that has ended, by its folder, with slashes.
func CheckStudyContext(ctx context.Context, study fs.FS, root string) (records map[string]Event, wrong Problems, err error) {
	t := &tree{fs: stoppable{ctx, study, "."}, root: root}
	records = map[string]Event{}
	if err := t.find("."); err != nil {
		wrong = unreadable(root, err)
	} else if len(t.finals) == 0 {
		wrong = t.study(".", &Content{}, nil)
	} else {
		var studies []Content
		studies, wrong = t.read(ctx)
		for _, s := range studies {
			for _, run := range s.Runs {
				records[run.Config.Folder()] = run.record
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	return records, wrong, nil
}

// read reads the runs of the tree, and what is beside them in their studies, until a context
// ends.
func (t *tree) read(ctx context.Context) (studies []Content, wrong Problems) {
	runs, problems := make([]Ended, len(t.finals)), make([]Problems, len(t.finals))
	each(len(t.finals), func(i int) {
		if ctx.Err() == nil {
			runs[i], problems[i] = t.ended(t.finals[i])
		}
	})
	if ctx.Err() != nil {
		return nil, nil
	}
	records := map[string]map[string]Event{} // by the folder of the study, and the run's in it
	for i, final := range t.finals {
		folder, run := studyOf(final)
		if records[folder] == nil {
			records[folder] = map[string]Event{}
		}
		if problems[i] == nil {
			records[folder][run] = runs[i].record
		}
	}
	place := map[string]int{}
	for i, final := range t.finals {
		folder, run := studyOf(final)
		at, there := place[folder]
		if !there {
			at = len(studies)
			place[folder] = at
			studies = append(studies, Content{Folder: t.source(folder)})
			if fs.ValidPath(folder) { // not above the root of an archive
				wrong = append(wrong, t.study(folder, &studies[at], records[folder])...)
			}
		}
		wrong = append(wrong, problems[i]...)
		if problems[i] == nil {
			if event, ok := studies[at].known[run]; ok && (event.Event == RunEnded || event.Event == RunEnding) {
				runs[i].Event = &event
			}
			studies[at].Runs = append(studies[at].Runs, runs[i])
		}
	}
	for _, s := range studies {
		wrong = append(wrong, s.problems()...)
		if len(s.Jobs) > 0 {
			s.sort()
		}
	}
	if len(studies) > 0 {
		for _, link := range t.loops {
			studies[0].Ledger = append(studies[0].Ledger, Problem{Place: t.source(link), Sentence: "is a symbolic link that leads back to itself: it was left out"})
		}
	}
	return studies, append(wrong, nested(studies)...)
}

// studyOf returns the folder of the study of a final.json, and that of the run in it.
func studyOf(final string) (study, run string) {
	study = path.Join(path.Dir(final), strings.Repeat("../", runDepth))
	return study, strings.TrimPrefix(path.Dir(final), study+"/")
}

// inside says whether a folder is below another.
func inside(folder, outer string) bool {
	below, err := filepath.Rel(outer, folder)
	return err == nil && below != "." && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator))
}

// nested says which studies are inside another.
func nested(studies []Content) (wrong Problems) {
	for _, outer := range studies {
		for _, inner := range studies {
			if len(outer.Runs) > 0 && len(inner.Runs) > 0 && inside(inner.Folder, outer.Folder) {
				wrong = append(wrong, Problem{inner.Folder, "is another study inside the study " + outer.Folder, "Move " + inner.Folder + " out of " + outer.Folder + ": a report reads all runs below a folder."})
			}
		}
	}
	return wrong
}

// sort brings the runs into the order in which their datasets and arms first come in the
// study's last command.
func (c Content) sort() {
	type arm struct{ dataset, name string }
	place := map[arm]int{}
	for _, j := range c.Jobs {
		if a := (arm{j.Dataset, j.Name()}); place[a] == 0 {
			place[a] = len(place) + 1
		}
	}
	of := func(run Ended) int { return cmp.Or(place[arm{run.Config.Dataset, run.Config.Name()}], len(place)+1) }
	slices.SortStableFunc(c.Runs, func(a, b Ended) int { return of(a) - of(b) })
}

// tree is a file system that holds the ended runs that were asked for, and their studies.
type tree struct {
	fs      fs.FS
	root    string   // where it lies, for messages
	archive bool     // a zip archive, which need not hold the folders above a run
	name    string   // the folder that was asked for, for messages,
	part    string   // and where it lies in the tree; "" for the whole tree
	finals  []string // the files final.json of the runs
	loops   []string // symbolic links that lead nowhere but to each other
	sharded []string // folders that hold those of shards
	close   func() error
}

// open opens the tree of a folder or archive. Where the folder is a part of a study, that
// of the study is its root.
func open(name string) (*tree, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	t := &tree{root: name, close: func() error { return nil }}
	if !info.IsDir() {
		archive, err := zip.OpenReader(name)
		if err != nil {
			return nil, fmt.Errorf("%s is neither a folder nor a zip archive of one: %w", name, err)
		}
		t.fs, t.close, t.archive = archive, archive.Close, true
		names := map[string]bool{}
		for _, file := range archive.File {
			file.Name = strings.ReplaceAll(file.Name, `\`, "/") // of some programs of Windows
			if names[file.Name] {
				return nil, errors.Join(fmt.Errorf("%s holds %s twice: which of them counts is not known", name, file.Name), archive.Close())
			}
			names[file.Name] = true
		}
	} else {
		t.fs = stoppable{context.Background(), os.DirFS(name), "."}
	}
	if err := t.find("."); err != nil {
		return nil, errors.Join(err, t.close())
	}
	above := 0
	for _, final := range t.finals {
		above = max(above, runDepth-strings.Count(final, "/"))
	}
	if above == 0 || !info.IsDir() {
		return t, nil
	}
	typed, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	t.root = filepath.Join(name, strings.Repeat("../", above))
	if linked, err := filepath.EvalSymlinks(typed); err == nil && linked != typed && !isStudy(t.root) {
		typed, t.root = linked, filepath.Join(linked, strings.Repeat("../", above))
	}
	part, err := filepath.Rel(filepath.Join(typed, strings.Repeat("../", above)), typed)
	if err != nil {
		return nil, err
	}
	t.fs, t.name, t.part = stoppable{context.Background(), os.DirFS(t.root), "."}, name, filepath.ToSlash(part)
	return t, t.find(t.part)
}

// find sets the runs of the tree to those below a folder.
func (t *tree) find(folder string) error {
	w, err := search(t.fs, t.root, folder, finalFile)
	t.finals, t.loops, t.sharded = w.files, w.loops, w.sharded
	return err
}

// source names a file of the tree for messages: as it lies in the folder that was asked for,
// if it does.
func (t *tree) source(name string) string {
	if below, ok := strings.CutPrefix(name+"/", t.part+"/"); ok && t.part != "" {
		return filepath.Join(t.name, filepath.FromSlash(below))
	}
	return filepath.Join(t.root, filepath.FromSlash(name))
}

// study reads what lies beside a study's runs, of which some have been read.
func (t *tree) study(folder string, c *Content, records map[string]Event) (wrong Problems) {
	var study Study
	name := path.Join(folder, StudyFile)
	_, problems := t.readFile(name, &study)
	wrong = append(wrong, problems.remedied("The same study command writes "+t.source(name)+" anew, and keeps the runs.")...)
	c.Jobs = study.Jobs
	for i := range c.Jobs {
		c.Jobs[i].update()
	}
	c.Pending = t.pending(folder, c.Jobs)
	name = path.Join(folder, PlanFile)
	c.Plan, problems = t.plan(name)
	wrong = append(wrong, problems.remedied("Restore "+t.source(name)+" from a copy: the ledger has its digest.")...)

	name = path.Join(folder, TunedFile)
	var tuned Tuned
	there, problems := t.readFile(name, &tuned)
	if there && problems == nil {
		tuned.update()
		problems = tuned.problems(t.source(name))
		c.Tuned = &tuned
	}
	if !there && slices.ContainsFunc(c.Jobs, func(j Job) bool { return j.Tuning > 0 }) {
		problems = Problems{{Place: t.source(name), Sentence: "is missing, and runs are of several tunings"}}
	}
	wrong = append(wrong, problems.remedied("It holds no runs. The tune or study command that wrote "+t.source(name)+" writes it anew.")...)

	if t.part != "" && folder != t.part && !strings.HasPrefix(folder, t.part+"/") && !isStudy(t.source(folder)) {
		return wrong // above a file in the wrong place may be anything
	}
	if sub, err := fs.Sub(t.fs, folder); err == nil && wrong == nil {
		var history History
		history, c.Ledger, c.Remarks, err = checkLedger(&tree{fs: sub, root: t.source(folder)}, records)
		c.known, c.Planned = history.ending(), history.FirstPlan()
		maps.Copy(c.known, history.records())
		if len(c.Pending) > 0 {
			c.Missing = history.missing()
		}
		if content, err := readAll(sub, TunedFile); err == nil {
			c.TunedDigest = Digest(content)
		}
		if len(c.Ledger) > 0 {
			c.Ledger = append(c.Ledger, windowsLines(sub, t.source(folder))...)
		}
		if err != nil {
			wrong = append(wrong, unreadable(t.source(path.Join(folder, LedgerFolder)), err)...)
		}
	}
	return wrong
}

// pending returns the jobs of a study that have no end, and how far they are. Of what cannot be
// read nothing is known.
func (t *tree) pending(study string, jobs []Job) (list []Pending) {
	files, err := find(t.fs, t.root, study, configFile, finalFile)
	if err != nil {
		files = nil
	}
	there := map[string]bool{}
	for _, file := range files {
		there[file] = true
	}
	for _, job := range jobs {
		p, ended := Pending{Job: job}, false
		for _, folder := range job.folders() {
			run := path.Join(study, filepath.ToSlash(folder))
			end := there[path.Join(run, finalFile)]
			ended = ended || end
			if there[path.Join(run, configFile)] && !end {
				epochs, _, _ := t.epochs(path.Join(run, epochsFile))
				p.Begun, p.Done = true, len(epochs)
			}
		}
		if !ended {
			list = append(list, p)
		}
	}
	return list
}

// leaves returns the leaves of what is or becomes an object of JSON, under the names of the
// branches joined by dots.
func leaves(v any) map[string]string {
	leaves := make(map[string]string)
	content, err := json.Marshal(v)
	if err == nil {
		var object map[string]any
		object, err = parse(content)
		flatten("", object, leaves)
	}
	if err != nil {
		panic("record: " + err.Error())
	}
	return leaves
}

func flatten(prefix string, object map[string]any, leaves map[string]string) {
	for name, v := range object {
		switch v := v.(type) {
		case map[string]any:
			flatten(prefix+name+".", v, leaves)
		case []any:
			leaves[prefix+name] = strings.Trim(fmt.Sprint(v), "[]")
		default:
			leaves[prefix+name] = fmt.Sprint(v)
		}
	}
}
