package record

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
}

// Ended is what the record of a run that has ended holds.
type Ended struct {
	Final  Final
	Epochs []Epoch // in order; empty without epochs.jsonl
	// Settings is config.json with its nested keys joined by dots, such as
	// "optimizer_settings.lr", and its values as they are written; nil without one.
	Settings map[string]string
	Source   string // the path of its final.json, for messages
}

// runDepth is how far a run's folder is below that of its study: DATASET/OPTIMIZER/seed-NN.
const runDepth = 3

// Read reads the studies whose ended runs are in a folder or anywhere below it, or in a zip
// archive of such a folder. The folder may be a part of a study. Runs come in the order of
// their paths, those of a study's first dataset and optimizer first.
func Read(name string) (studies []Content, err error) {
	tree, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tree.close()) }()
	for _, final := range tree.finals {
		folder := path.Join(path.Dir(final), strings.Repeat("../", runDepth))
		i := slices.IndexFunc(studies, func(c Content) bool { return c.Folder == tree.source(folder) })
		if i < 0 {
			i = len(studies)
			study, err := tree.study(folder)
			if err != nil {
				return nil, err
			}
			studies = append(studies, study)
		}
		run, err := tree.ended(final)
		if err != nil {
			return nil, err
		}
		studies[i].Runs = append(studies[i].Runs, run)
	}
	for _, s := range studies {
		if len(s.Jobs) > 0 {
			slices.SortStableFunc(s.Runs, func(a, b Ended) int { return s.place(a) - s.place(b) })
		}
	}
	return studies, nil
}

// place is where a run's dataset and optimizer first come in the study's last command.
func (c Content) place(run Ended) int {
	i := slices.IndexFunc(c.Jobs, func(j Job) bool { return j.Dataset == run.Final.Dataset && j.Optimizer == run.Final.Optimizer })
	if i < 0 {
		return len(c.Jobs)
	}
	return i
}

// tree is a file system that holds the ended runs that were asked for, and their studies.
type tree struct {
	fs     fs.FS
	root   string   // where it lies, for messages
	finals []string // the files final.json of the runs
	close  func() error
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
		t.fs, t.close = archive, archive.Close
	} else {
		t.fs = os.DirFS(name)
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
	whole, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	part := "."
	for range above {
		part = path.Join(filepath.Base(whole), part)
		whole, t.root = filepath.Dir(whole), filepath.Join(t.root, "..")
	}
	t.fs = os.DirFS(t.root)
	return t, t.find(part)
}

// find sets the runs of the tree to those below a folder.
func (t *tree) find(folder string) error {
	t.finals = nil
	return fs.WalkDir(t.fs, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() == finalFile {
			t.finals = append(t.finals, name)
		}
		return err
	})
}

// source names a file of the tree for messages.
func (t *tree) source(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// study reads what lies beside a study's runs.
func (t *tree) study(folder string) (Content, error) {
	c := Content{Folder: t.source(folder)}
	if !fs.ValidPath(folder) { // above the root of an archive
		return c, nil
	}
	var study Study
	if _, err := readFile(t.fs, t.root, path.Join(folder, StudyFile), &study); err != nil {
		return c, err
	}
	c.Jobs = study.Jobs
	for i := range c.Jobs {
		c.Jobs[i].update()
	}
	var err error
	if c.Plan, err = readPlan(t.fs, t.root, path.Join(folder, PlanFile)); err != nil {
		return c, err
	}
	name := path.Join(folder, TunedFile)
	content, err := fs.ReadFile(t.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		c.Tuned, err = ParseTuned(t.source(name), content)
	}
	return c, err
}

// ended reads the record of a run.
func (t *tree) ended(final string) (Ended, error) {
	run := Ended{Source: t.source(final)}
	if _, err := readFile(t.fs, t.root, final, &run.Final); err != nil {
		return run, err
	}
	run.Final.Protocol = current(run.Final.Protocol)
	if err := run.Final.check(); err != nil {
		return run, fmt.Errorf("%s is damaged: %w", run.Source, err)
	}
	var err error
	if run.Epochs, err = readEpochs(t.fs, t.root, path.Join(path.Dir(final), epochsFile)); err != nil {
		return run, err
	}
	name := path.Join(path.Dir(final), configFile)
	content, err := fs.ReadFile(t.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return run, nil
	}
	if err == nil {
		run.Settings, err = flattened(t.source(name), content)
	}
	return run, err
}

// flattened returns the leaves of an object of JSON, under the names of the branches joined
// by dots.
func flattened(source string, content []byte) (map[string]string, error) {
	if err := decode(source, content, &versioned{}); err != nil {
		return nil, err
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // keeps the digits as they are written
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", source, err)
	}
	leaves := make(map[string]string)
	flatten("", object, leaves)
	for _, key := range []string{"protocol", "model"} {
		if name, ok := leaves[key]; ok {
			leaves[key] = current(name)
		}
	}
	return leaves, nil
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
