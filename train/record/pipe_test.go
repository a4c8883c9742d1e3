//go:build unix

package record

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pipe or a device in place of a file is refused, not read.
func TestPipesAreNotRead(t *testing.T) {
	const run = "digits/adamw/seed-03/"
	kinds := map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for _, name := range []string{StudyFile, PlanFile, TunedFile, run + finalFile, run + epochsFile, run + configFile, run + checkpointFile} {
		for kind, arrange := range kinds {
			parent := t.TempDir()
			folder := filepath.Join(parent, "study")
			path := filepath.Join(folder, filepath.FromSlash(name))
			if err := os.Rename(writeStudy(t), folder); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := arrange(path); err != nil {
				t.Fatal(err)
			}
			done := beside(func() error {
				switch name {
				case run + checkpointFile:
					_, _, err := Claimed{Run: Run{filepath.Dir(path)}}.ReadCheckpoint(func(io.Reader) error { return nil })
					return err
				case TunedFile:
					_, err := ReadTuned(path)
					_, folderErr := Read(parent) // not at the root of its tree
					return errors.Join(err, folderErr)
				case PlanFile:
					_, err := ReadPlan(path)
					return errors.Join(err, CheckStudy(os.DirFS(folder), folder))
				}
				return errors.Join(CheckFolder(t.Context(), filepath.Join(folder, "inner"), false), CheckStudy(os.DirFS(folder), folder))
			})
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), path+" cannot be read: it is a pipe, a device or a socket") {
					t.Errorf("%s as %s: %v", kind, name, err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s as %s: the reader hangs", kind, name)
			}
		}
	}
}

// beside does work beside the test, which may hang.
func beside(work func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	return done
}
