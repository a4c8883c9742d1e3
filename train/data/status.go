package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Verify checks every file of a set in the data folder, see Dir, by its SHA-256. The
// error joins an *IntegrityError for every file with other content and an
// ErrMissing for every file that is not there.
func (s Shelf) Verify(ctx context.Context, name string) error {
	return s.library().verify(ctx, s.Dir, name)
}

func (l library) verify(ctx context.Context, dir, name string) error {
	e, err := l.find(name)
	if err != nil {
		return err
	}
	if e.embedded != nil {
		_, err := l.load(ctx, dir, name)
		return err
	}
	if dir, err = Dir(dir); err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	err = e.eachFile(dir, func(f file) error {
		err := checkFile(ctx, e.path(dir, f), f, e.remedy())
		if errors.Is(err, fs.ErrNotExist) {
			return e.missing(dir, f)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	return nil
}

// State says how much of a set is in the data folder.
type State string

// The states of a set.
const (
	BuiltIn    State = "built in"   // part of the program
	Present    State = "present"    // every file is there and has its size
	Incomplete State = "incomplete" // some files are there
	Damaged    State = "damaged"    // a file has the wrong size
	Absent     State = "absent"
)

// Status describes a set and its state in the data folder.
type Status struct {
	Name     string `json:"name"`
	Height   int    `json:"height"`
	Width    int    `json:"width"`
	Channels int    `json:"channels"`
	Classes  int    `json:"classes"`
	// Numbers says that the rows are float32 numbers, not bytes.
	Numbers bool `json:"numbers,omitempty"`
	Train   int  `json:"train"`
	Test    int  `json:"test"`
	// Bytes is the size of the unpacked official files.
	Bytes int64 `json:"bytes"`
	State State `json:"state"`
	// Path is the folder of the set; empty if it is built in or there is no data folder.
	Path string `json:"path,omitempty"`
}

// Describe describes a known set, which need not have been fetched: its State and Path are
// empty.
func Describe(name string) (Status, error) {
	e, err := official(os.Getenv).find(name)
	if err != nil {
		return Status{}, err
	}
	return e.describe(), nil
}

// describe says what a set is, wherever it is.
func (e entry) describe() Status {
	s := e.shape
	return Status{
		Name: s.Name, Height: s.Height, Width: s.Width, Channels: s.Channels, Classes: s.Classes,
		Train: e.train, Test: e.test, Bytes: e.size(),
	}
}

// List describes every known set, and whether it is in the data folder, see Dir. It
// checks sizes only; Verify and Load check contents. It returns an error if there is no
// data folder. Then only built-in sets are available.
func (s Shelf) List() ([]Status, error) {
	return s.library().list(s.Dir)
}

func (l library) list(dir string) ([]Status, error) {
	dir, err := Dir(dir)
	var all []Status
	for _, e := range l.entries {
		status := e.describe()
		status.State = BuiltIn
		switch {
		case e.embedded != nil:
		case err != nil:
			status.State = Absent
		default:
			status.State = e.state(dir)
			status.Path = filepath.Join(dir, status.Name)
		}
		all = append(all, status)
	}
	return all, err
}

// state looks at the sizes of the files of a set.
func (e entry) state(dir string) State {
	there := 0
	for _, f := range e.files {
		info, err := os.Stat(e.path(dir, f))
		if err != nil {
			continue
		}
		if info.Size() != f.size {
			return Damaged
		}
		there++
	}
	switch there {
	case 0:
		return Absent
	case len(e.files):
		return Present
	}
	return Incomplete
}
