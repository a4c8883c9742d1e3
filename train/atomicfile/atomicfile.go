// Package atomicfile writes files that are either whole or missing. It writes a
// temporary file in the same folder, syncs it to the disk and renames it.
//
// What does not belong here: formats of files.
package atomicfile

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Write replaces the file at path by what write produces. If anything fails,
// a full disk included, the old file stays and nothing is left behind.
func Write(path string, write func(io.Writer) error) (err error) {
	folder := filepath.Dir(path)
	aside, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			aside.Close()
			os.Remove(aside.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	// CreateTemp makes files for the owner alone.
	if err := aside.Chmod(0o644); err != nil && runtime.GOOS != "windows" {
		return err
	}
	buffered := bufio.NewWriterSize(aside, 1<<20)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := aside.Sync(); err != nil {
		return err
	}
	if err := aside.Close(); err != nil {
		return err
	}
	if err := os.Rename(aside.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// WriteBytes replaces the file at path by content.
func WriteBytes(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
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
