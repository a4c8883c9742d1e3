//go:build unix

package lock

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Who may work in a folder may lock it, whatever the umask of the first.
func TestModeFollowsFolder(t *testing.T) {
	for _, c := range []struct {
		umask        int
		folder, want os.FileMode
	}{
		{0o077, 0o770, 0o660}, {0o077, 0o777, 0o666}, {0o077, 0o700, 0o600}, {0o077, 0o755, 0o644}, {0o022, 0o755, 0o644}, {0o002, 0o770, 0o664},
	} {
		folder := t.TempDir()
		if err := os.Chmod(folder, c.folder); err != nil {
			t.Fatal(err)
		}
		old := syscall.Umask(c.umask)
		held, err := Take(t.Context(), filepath.Join(folder, ".lock"), nil)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(folder, ".lock"))
		if err != nil || info.Mode().Perm() != c.want {
			t.Errorf("umask %03o, folder %v: lock %v, %v, want %v", c.umask, c.folder, info.Mode().Perm(), err, c.want)
		}
		if err := held.Close(); err != nil {
			t.Error(err)
		}
	}

	// Nobody's file is given away through a link.
	folder := t.TempDir()
	path, secret := filepath.Join(folder, ".lock"), filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.Chmod(folder, 0o777), os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret has mode %v, %v", info.Mode().Perm(), err)
	}
}
