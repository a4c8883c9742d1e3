package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// broken is the flock of a file system where it fails.
type broken struct{ err error }

func (b broken) TryLock() (bool, error) { return false, b.err }
func (b broken) Close() error           { return nil }

// now tries once.
func now(t *testing.T, path string, system system, kind string) (*Lock, error) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return take(ctx, path, system, kind, nil)
}

func TestOneHolds(t *testing.T) {
	works := func(path string) system { return flock.New(path) }
	missing := func(string) system { return broken{syscall.ENOSYS} }
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		first, second         func(path string) system
		firstKind, secondKind string
		named                 bool // the error names the first
	}{
		"flock":                            {works, works, "", "", false},
		"no flock":                         {missing, missing, "file", "file", true},
		"flock, and a file in the second":  {works, works, "", "file", false},
		"flock only where the second runs": {missing, works, "file", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			first, err := now(t, path, c.first(path), c.firstKind)
			if err != nil {
				t.Fatal(err)
			}
			_, err = now(t, path, c.second(path), c.secondKind)
			if !errors.Is(err, ErrHeld) {
				t.Fatalf("the second got %v", err)
			}
			for _, part := range []string{fmt.Sprintf("process %d on %s since ", os.Getpid(), host), "remove " + path + ".owner"} {
				if strings.Contains(err.Error(), part) != c.named {
					t.Errorf("%v has %q: want %v", err, part, c.named)
				}
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			second, err := now(t, path, c.second(path), c.secondKind)
			if err != nil {
				t.Fatal("after the first: ", err)
			}
			if err := second.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFlockErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for _, c := range []struct {
		err  error
		kind string
		says string
	}{
		{syscall.ENOSYS, "", "set DIAGHESS_LOCK=file"},     // Lustre
		{syscall.ENOLCK, "", "set DIAGHESS_LOCK=file"},     // NFS
		{syscall.EOPNOTSUPP, "", "set DIAGHESS_LOCK=file"}, // others
		{syscall.EACCES, "", "its owner must let you"},
		{syscall.EIO, "file", "input/output error"}, // not for want of flock
		{syscall.ENOSYS, "fiel", "set it to file"},
	} {
		if _, err := now(t, path, broken{c.err}, c.kind); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

// A process waits, says so once, and goes on when the other is done.
func TestWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	first, err := take(ctx, path, broken{syscall.ENOLCK}, "file", func(held error) { t.Error(held) })
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	_, err = take(ctx, path, broken{syscall.ENOLCK}, "file", func(error) {
		said++
		time.AfterFunc(3*poll, func() { first.Close() })
	})
	if err != nil || said != 1 {
		t.Fatalf("error %v, said %d times", err, said)
	}
}
