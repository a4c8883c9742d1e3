//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Files and folders have the modes that the umask gives, so that a group can share them.
func TestModeFollowsUmask(t *testing.T) {
	old := syscall.Umask(0o007)
	defer syscall.Umask(old)
	folder := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(folder, "file")
	if err := MakeFolder(folder); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(path, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{folder: 0o770, path: 0o660} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}
