package record

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"diaghess/train/atomicfile"
)

// Problem is something that is wrong with what is on disk.
type Problem struct {
	Place    string `json:"place"`            // a file, or FILE:LINE
	Sentence string `json:"sentence"`         // whose subject is the place
	Remedy   string `json:"remedy,omitempty"` // a sentence
}

func (p Problem) String() string { return p.Place + " " + p.Sentence }

// Problems is all that is wrong, as an error.
type Problems []Problem

// Error has a line for each problem, and then one for each remedy.
func (p Problems) Error() string {
	var lines, remedies []string
	for _, problem := range p {
		lines = append(lines, problem.String())
		if problem.Remedy != "" && !slices.Contains(remedies, problem.Remedy) {
			remedies = append(remedies, problem.Remedy)
		}
	}
	return strings.Join(append(lines, remedies...), "\n")
}

// err is nil where nothing is wrong.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// remedied gives a remedy to the problems that have none.
func (p Problems) remedied(remedy string) Problems {
	for i := range p {
		if p[i].Remedy == "" {
			p[i].Remedy = remedy
		}
	}
	return p
}

// unreadable is the problem of a file that the system does not give.
func unreadable(place string, err error) Problems {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err
	}
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrAlgorithm) {
		err = errors.New("the archive is damaged here")
	}
	return Problems{{Place: place, Sentence: fmt.Sprintf("cannot be read: %v", err)}}
}

// largest is the most that a file of a record may hold: a small archive can hold much more.
const largest = 64 << 20

// regular returns an error for what is not a file: reading a pipe or a device may never end.
func regular(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("it is a folder, and a file is expected")
	}
	return errors.New("it is a pipe, a device or a socket, and a file is expected")
}

// readAll reads a file of fsys. Where there is none, the error is fs.ErrNotExist.
func readAll(fsys fs.FS, name string) (content []byte, err error) {
	info, err := fs.Stat(fsys, name)
	if err == nil {
		err = regular(info.Mode())
	}
	if err != nil {
		return nil, err
	}
	tooLarge := func(size int64) error {
		return fmt.Errorf("it has %d MB, more than the %d MB that a file of a record may have", size>>20, largest>>20)
	}
	if info.Size() > largest {
		return nil, tooLarge(info.Size())
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// The size may have been a lie, or the file may grow.
	buffer := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if n, err := buffer.ReadFrom(io.LimitReader(file, largest+1)); err != nil || n <= largest {
		return buffer.Bytes(), err
	}
	return nil, tooLarge(largest + 1<<20)
}

// ReadFile reads a file of a size that a record may have, and nothing else than a file. Where
// there is none, the error is fs.ErrNotExist, or else Problems.
func ReadFile(path string) ([]byte, error) {
	content, err := readAll(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = unreadable(path, err)
	}
	return content, err
}

// readAll reads a file of the tree. The error is fs.ErrNotExist where there is none, or else
// Problems.
func (t *tree) readAll(name string) ([]byte, error) {
	content, err := readAll(t.fs, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = unreadable(t.source(name), err)
	}
	return content, err
}

// readFile reads a file of the tree into v; it returns false where there is no such file.
func (t *tree) readFile(name string, v any) (there bool, wrong Problems) {
	content, err := readAll(t.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, unreadable(t.source(name), err)
	}
	return true, decode(t.source(name), content, v)
}

// write writes v as JSON, whole or not at all.
func write(path string, v any) error {
	content, err := encode(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, content)
}

// encode returns v as a file has it.
func encode(v any) ([]byte, error) {
	content, err := json.MarshalIndent(v, "", "  ")
	return append(content, '\n'), err
}
