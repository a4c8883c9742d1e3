package record

import (
	"bytes"
	"encoding/json"
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

// Final reads final.json; it returns false where there is none: the run has not ended.
func (r Run) Final() (f Final, there bool, err error) {
	there, err = r.read(finalFile, &f)
	f.Protocol = current(f.Protocol)
	return f, there, err
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

// Epochs reads epochs.jsonl; without one there are none.
func (r Run) Epochs() ([]Epoch, error) {
	epochs, err := readEpochs(os.DirFS(r.Folder), r.Folder, epochsFile)
	if err != nil {
		err = fmt.Errorf("%w: delete the run's folder to start it over", err)
	}
	return epochs, err
}

// readEpochs reads the epochs of a run, which have to be there from the first on, in order.
func readEpochs(fsys fs.FS, root, name string) ([]Epoch, error) {
	content, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var epochs []Epoch
	for line := range bytes.Lines(content) {
		source := fmt.Sprintf("%s:%d", filepath.Join(root, filepath.FromSlash(name)), len(epochs)+1)
		var e Epoch
		if err := decode(source, line, &e); err != nil {
			return nil, err
		}
		if e.Epoch != len(epochs)+1 {
			return nil, fmt.Errorf("%s is damaged: it is of epoch %d, and each epoch is expected to have a line, in order", source, e.Epoch)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

// WriteEpochs writes epochs.jsonl.
func (r Run) WriteEpochs(epochs []Epoch) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range epochs {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("epoch %d of %s: %w", e.Epoch, r.Folder, err)
		}
	}
	return atomicfile.WriteBytes(r.path(epochsFile), lines.Bytes())
}

// Finish writes final.json and drops the checkpoint.
func (r Run) Finish(f Final) error {
	f.Schema = Schema
	if err := write(r.path(finalFile), f); err != nil {
		return err
	}
	return r.Forget()
}

// Forget drops the checkpoint of a run that will not be trained on.
func (r Run) Forget() error {
	if err := os.Remove(r.path(checkpointFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
