package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a run.
const (
	configFile     = "config.json"
	epochsFile     = "epochs.jsonl"
	finalFile      = "final.json"
	checkpointFile = "checkpoint"
)

// Run is a run's folder.
type Run struct{ Folder string }

// RunOf returns the folder of a job in a study.
func RunOf(study string, j Job) Run {
	return Run{filepath.Join(study, j.Dataset, folderName(j.Optimizer), fmt.Sprintf("seed-%02d", j.Seed))}
}

func (r Run) path(name string) string { return filepath.Join(r.Folder, name) }

// read reads one of the run's files; it returns false where there is none.
func (r Run) read(name string, v any) (bool, error) {
	there, err := readFile(os.DirFS(r.Folder), r.Folder, name, v)
	if err != nil {
		err = fmt.Errorf("%w: delete the run's folder to start it over", err)
	}
	return there, err
}

// Config reads config.json; it returns false where there is none.
func (r Run) Config() (c Config, there bool, err error) {
	there, err = r.read(configFile, &c)
	c.complete()
	return c, there, err
}

// Claim writes config.json, or compares it with the one that is there: the
// settings must be equal and, to go on from a checkpoint, all that results depend on.
func (r Run) Claim(c Config) error {
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		return err
	}
	if err := r.compare(c, true); err != nil {
		return err
	}
	c.Schema = Schema
	return write(r.path(configFile), c)
}

// Chosen says in an error in what the settings that the user chose of a run that has ended
// are not those of a config.
func (r Run) Chosen(now Config) error { return r.compare(now, false) }

func (r Run) compare(now Config, exact bool) error {
	old, there, err := r.Config()
	if err != nil || !there && exact {
		return err
	}
	if !exact {
		now.Device = old.Device
	}
	differ := old.differences(now, exact)
	if differ == nil {
		return nil
	}
	return fmt.Errorf("%s holds a run of other settings (%s): write to another folder with --out, go on with the program and settings that began it, or delete it to start over",
		r.Folder, strings.Join(differ, "; "))
}

// Forget drops the checkpoint of a run that will not be trained on.
func (r Run) Forget() error {
	if err := os.Remove(r.path(checkpointFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
