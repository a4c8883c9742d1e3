package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"diaghess/train/atomicfile"
	"diaghess/train/lock"
	"diaghess/train/record"
)

// Hold makes the study's folder, lets no other process work in it until release is called,
// and removes what killed processes left half written. It refuses a folder that holds another
// study, is inside one, or has files that are not the study's own; see [record.CheckFolder].
// It refuses a plan that Register would, too, before the folder is made. path is that of Register.
func (s *Study) Hold(ctx context.Context, path string) (release func() error, err error) {
	return s.hold(ctx, func() error {
		_, err := s.choosePlan(path)
		return err
	})
}

// hold is Hold with what else is to be checked before the folder is made.
func (s *Study) hold(ctx context.Context, check func() error) (release func() error, err error) {
	if err := cmp.Or(s.CheckShard(), record.CheckFolder(ctx, s.Out, s.Force)); err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	held, err := s.Lock(ctx)
	if err != nil {
		return nil, err
	}
	if err := record.Sweep(ctx, s.Out); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	s.held = true
	return func() error { s.held = false; return held.Close() }, nil
}

// Lock is [Lock] for the folder of the study. A shard does without a lock where there is none to
// take: the scheduler starts it once and, if it is wrong, the older process ends, see
// [record.Ledger.Newest].
func (s *Study) Lock(ctx context.Context) (*lock.Lock, error) {
	held, err := Lock(ctx, s.Out)
	if s.Shard.Of > 0 && errors.Is(err, lock.ErrMissing) {
		return &lock.Lock{}, nil
	}
	return held, err
}

// lockPatience is how long a study waits for another process to leave it: a
// killed one holds its lock until the system has taken its memory back.
const lockPatience = 2 * time.Second

// Lock makes a folder and lets no other process work in it, until the lock is closed.
func Lock(ctx context.Context, folder string) (held *lock.Lock, err error) {
	if err = atomicfile.MakeFolder(folder); err == nil {
		patience, cancel := context.WithTimeout(ctx, lockPatience)
		defer cancel()
		held, err = lock.Take(patience, filepath.Join(folder, ".lock"), nil)
	}
	if err == nil {
		return held, nil
	}
	remedy := "choose another folder with --out"
	if errors.Is(err, lock.ErrHeld) {
		remedy = "wait for it, or " + remedy
	}
	return nil, fmt.Errorf("%s: %w; %s", folder, err, remedy)
}
