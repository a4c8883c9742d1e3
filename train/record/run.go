package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"diaghess/train/atomicfile"
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

func (r Run) path(name string) string { return filepath.Join(r.Folder, name) }

// tree is the run's folder as one to read from.
func (r Run) tree() *tree { return &tree{fs: os.DirFS(r.Folder), root: r.Folder} }

// read reads one of the run's files; it returns false where there is none.
func (r Run) read(name string, v any) (bool, error) {
	t := r.tree()
	there, wrong := t.readFile(name, v)
	return there, wrong.remedied(t.remedy(".")).err()
}

// Config reads config.json; it returns false where there is none.
func (r Run) Config() (c Config, there bool, err error) {
	there, err = r.read(configFile, &c)
	c.complete()
	return c, there, err
}

// Claimed is the folder of a run that is trained.
type Claimed struct {
	Run
	config Config
}

// Claim writes config.json, or compares it with the one that is there: the
// settings must be equal and, to go on from a checkpoint, all that results depend on.
func (r Run) Claim(c Config) (Claimed, error) {
	c.Schema = Schema
	if err := atomicfile.MakeFolder(r.Folder); err != nil {
		return Claimed{}, err
	}
	if err := r.compare(c, true); err != nil {
		return Claimed{}, err
	}
	return Claimed{r, c}, write(r.path(configFile), c)
}

// Chosen says in an error in what the settings that the user chose of a run that has begun
// are not those of a config.
func (r Run) Chosen(now Config) error { return r.compare(now, false) }

func (r Run) compare(now Config, exact bool) error {
	old, there, err := r.Config()
	switch {
	case err != nil || !there && exact:
		return err
	case !there:
		return Problems{{r.path(configFile), "is missing", r.tree().remedy(".")}}
	}
	if !exact {
		now.Device, now.Card = old.Device, old.Card
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
