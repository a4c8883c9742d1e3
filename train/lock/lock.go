// Package lock lets one process at a time work in a folder.
//
// The lock is the system's flock, which ends with its process in every case. Some file
// systems have no flock: Lustre and NFS, as they are often mounted. There Take fails,
// unless the environment has DIAGHESS_LOCK=file. Then a process also creates a file that
// names it, which only one process can create, and removes it at the end. A killed
// process leaves that file behind, and only a person can know that it is stale.
//
// What does not belong here: what the folder holds.
package lock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Variable names the environment variable that is "file" where there is no flock.
const Variable = "DIAGHESS_LOCK"

// ErrHeld is wrapped by the error of Take if another process holds the lock.
var ErrHeld = errors.New("another process is at work")

// ErrMissing is wrapped by the error of Take on a file system without flock.
var ErrMissing = errors.New("its file system has no flock")

// poll is how often a waiting process tries again.
const poll = 100 * time.Millisecond

// system is flock for one file, *flock.Flock.
type system interface {
	TryLock() (bool, error)
	Close() error
}

// Lock is a lock that is held. The zero value stands for one where there is none to take.
type Lock struct {
	system system
	path   string
	named  bool // in the file path.owner
}

// Take takes the lock whose file is at path. While another process holds it, Take calls
// waiting once, if that is not nil, and tries again until ctx ends; then the error wraps
// ErrHeld.
func Take(ctx context.Context, path string, waiting func(held error)) (*Lock, error) {
	return take(ctx, path, flock.New(path, flock.SetPermissions(0o666)), os.Getenv(Variable), waiting)
}

// share gives a file the access that its folder has, whatever the umask: who may work in
// the folder may lock it. It fails where the file is another user's, who has then done so.
// A file with content is not a lock but, in a folder that others can write in, a trap.
func share(file *os.File) {
	folder, err := os.Stat(filepath.Dir(file.Name()))
	if err != nil {
		return
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		if mode := info.Mode().Perm() | folder.Mode().Perm()&0o066; mode != info.Mode().Perm() {
			_ = file.Chmod(mode)
		}
	}
}

func take(ctx context.Context, path string, system system, kind string, waiting func(error)) (*Lock, error) {
	if kind != "" && kind != "file" {
		return nil, fmt.Errorf("%s is %q: set it to file, or not at all", Variable, kind)
	}
	l := &Lock{system: system, path: path, named: kind == "file"}
	err := l.try()
	if errors.Is(err, ErrHeld) && waiting != nil {
		waiting(err)
	}
	for errors.Is(err, ErrHeld) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(poll):
			err = l.try()
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// try takes the lock if nobody holds it.
func (l *Lock) try() error {
	locked, err := l.system.TryLock()
	missing := errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
	switch {
	case missing && !l.named:
		return fmt.Errorf("lock %s: %w (%w): set %s=file for every process that works in this folder", l.path, ErrMissing, err, Variable)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("lock %s: %w: its owner must let you write in that folder and read that file (chmod)", l.path, err)
	case err != nil && !missing:
		return fmt.Errorf("lock %s: %w", l.path, err)
	case err == nil && !locked:
		return ErrHeld
	}
	if file, err := os.Open(l.path); err == nil {
		share(file)
		file.Close()
	}
	// Where there is flock here, another machine may still see a file system without.
	if err := l.claim(); err != nil {
		return errors.Join(err, l.system.Close())
	}
	return nil
}

func (l *Lock) owner() string { return l.path + ".owner" }

// claim names this process if it is to, and sees that no other is named.
func (l *Lock) claim() error {
	if l.named {
		if err := l.name(); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	owner, err := os.ReadFile(l.owner())
	switch {
	case err == nil:
		return fmt.Errorf("%w (%s; if it runs no longer, remove %s)", ErrHeld, bytes.TrimSpace(owner), l.owner())
	case errors.Is(err, fs.ErrNotExist) && l.named: // it was there a moment ago
		return ErrHeld
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// name makes the file that names this process.
func (l *Lock) name() error {
	file, err := os.OpenFile(l.owner(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	share(file)
	host, _ := os.Hostname() // the process's number still helps without
	_, err = fmt.Fprintf(file, "process %d on %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(l.owner())
	}
	return err
}

// Close releases the lock.
func (l *Lock) Close() error {
	var err error
	if l.named {
		err = os.Remove(l.owner())
	}
	if l.system != nil {
		err = errors.Join(err, l.system.Close())
	}
	return err
}
