// Package atomicfile writes files that are either whole or missing. It writes a
// temporary file in the same folder, syncs it to the disk and renames it.
//
// What does not belong here: formats of files.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Write replaces the file at path by what write produces. If anything fails, a full disk
// included, the old file stays and nothing is left behind. Where path is a symbolic link,
// the file that it leads to is replaced. A new file has the mode that the umask gives.
func Write(path string, write func(io.Writer) error) (err error) {
	if path, err = target(path); err != nil {
		return err
	}
	var aside *os.File
	defer func() {
		if err == nil {
			return
		}
		if aside != nil {
			aside.Close()
			os.Remove(aside.Name())
		}
		var inner *fs.PathError
		if errors.As(err, &inner) && strings.HasPrefix(filepath.Base(inner.Path), prefix(path)) {
			err = inner.Err // the name of the temporary file tells nobody anything
		}
		err = fmt.Errorf("write %s: %w", path, err)
	}()
	if aside, err = create(path); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(aside, 1<<20)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return Place(aside, path)
}

// Place closes a complete file and renames it to path, on the same disk. Its content is on
// the disk before it has that name: a crash leaves no name without content.
func Place(file *os.File, path string) error {
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// WriteBytes replaces the file at path by content.
func WriteBytes(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// MakeFolder makes a folder, and those above it, where they do not exist. A symbolic link
// to a folder is one. Its error says where a link leads nowhere.
func MakeFolder(path string) error {
	err := os.MkdirAll(path, 0o777)
	if err == nil {
		return nil
	}
	for above := filepath.Clean(path); ; above = filepath.Dir(above) {
		if _, dangling := target(above); dangling != nil {
			return dangling
		}
		if above == filepath.Dir(above) {
			return err
		}
	}
}

// target is the file or folder that a path leads to, which need not exist unless the path
// is a symbolic link.
func target(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil // what is wrong shows where the path is used
	}
	whole, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		to, _ := os.Readlink(path) // its error leaves the name empty
		return "", fmt.Errorf("%s is a symbolic link to %s, which does not exist: make that, or remove the link", path, to)
	}
	return whole, err
}

// prefix is how the names of a path's temporary files begin; a number of 32 bits follows.
func prefix(path string) string { return "." + filepath.Base(path) + "-" }

// create makes the temporary file of a path.
func create(path string) (*os.File, error) {
	for try := 0; ; try++ {
		number := strconv.FormatUint(uint64(rand.Uint32()), 10)
		name := filepath.Join(filepath.Dir(path), prefix(path)+number)
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || try == 1000 {
			return file, err
		}
	}
}

// temporary matches the name of a temporary file; the first group is that of its file.
var temporary = regexp.MustCompile(`^\.(.+)-(0|[1-9][0-9]{0,9})$`)

// Sweep removes the temporary files that killed processes left in a folder, of files
// whose names match one of the patterns of [filepath.Match]. Nobody may write such files at
// the same time. A folder that does not exist has none.
func Sweep(folder string, patterns ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		parts := temporary.FindStringSubmatch(entry.Name())
		if parts == nil || !entry.Type().IsRegular() {
			continue
		}
		_, err := strconv.ParseUint(parts[2], 10, 32)
		ours := err == nil && slices.ContainsFunc(patterns, func(pattern string) bool {
			matches, _ := filepath.Match(pattern, parts[1]) // a malformed one matches nothing
			return matches
		})
		if !ours {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what a killed process left: %w", err)
		}
	}
	return nil
}

// syncFolder makes a rename in the folder durable. Windows has no such call.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
