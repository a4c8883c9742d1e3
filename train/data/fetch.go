package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"diaghess/train/atomicfile"
	"diaghess/train/lock"
)

// FetchOptions are the options of [Shelf.Fetch]. The zero value fetches from the network and
// reports no progress.
type FetchOptions struct {
	// From is a folder with files that are already there, or one of them: the
	// unpacked official files, compressed (.gz) or not, or an archive that the
	// catalog knows. If it is set, nothing else is tried.
	From string
	// Progress is told of every transfer; it may be nil.
	Progress Progress
}

// Fetch stores the official files of a set in the data folder, see Dir, from the first
// source that has them. It keeps correct files and replaces wrong ones. A file appears
// complete and checked, or not at all. If a download stops, or its context ends, the next
// Fetch continues it. Several processes may fetch the same set at once: one does it, the
// others wait.
func (s Shelf) Fetch(ctx context.Context, name string, options FetchOptions) error {
	return s.library().fetch(ctx, s.Dir, name, options)
}

func (l library) fetch(ctx context.Context, dir, name string, options FetchOptions) error {
	e, err := l.find(name)
	if err != nil {
		return err
	}
	progress := options.Progress
	if progress == nil {
		progress = silent{}
	}
	if e.embedded != nil {
		progress.Note(name + " is part of the program; there is nothing to fetch")
		return nil
	}
	if dir, err = Dir(dir); err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	job := fetchJob{entry: e, client: l.client, dir: dir, staging: filepath.Join(dir, name+".part"), progress: progress}
	if err := job.run(ctx, options.From); err != nil {
		switch {
		case ctx.Err() != nil:
			err = fmt.Errorf("stopped (%w); the same command goes on from here", err)
		case errors.Is(err, syscall.ENOSPC):
			err = fmt.Errorf("the disk that holds %s is full; %s takes %s there, and about as much again while it is unpacked: free some space or choose another folder with --data DIR: %w",
				dir, name, formatBytes(e.size()), err)
		}
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	return nil
}

// size returns the size of the unpacked official files.
func (e entry) size() int64 {
	var size int64
	for _, f := range e.files {
		size += f.size
	}
	return size
}

// fetchJob is one Fetch of one set.
type fetchJob struct {
	entry
	client   client
	dir      string
	staging  string // the folder for what is not complete or not checked yet
	progress Progress

	needed  []file            // the official files that are not in place yet
	damaged []*IntegrityError // those of them that are there, but wrong
}

// lock makes the data folder and has it to itself, as far as this set goes.
func (j *fetchJob) lock(ctx context.Context) (*lock.Lock, error) {
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return nil, err
	}
	return lock.Take(ctx, filepath.Join(j.dir, j.shape.Name+".lock"), func(held error) {
		j.progress.Note(fmt.Sprintf("%s: %v; waiting", j.shape.Name, held))
	})
}

// run does what Fetch says.
func (j *fetchJob) run(ctx context.Context, from string) (err error) {
	if complete, err := j.findNeeded(ctx); complete || err != nil {
		return err
	}
	lock, err := j.lock(ctx)
	if err != nil {
		return fmt.Errorf("data folder: %w; choose another with --data DIR", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	// Another process may have fetched them meanwhile.
	if complete, err := j.findNeeded(ctx); complete || err != nil {
		return err
	}
	for _, wrong := range j.damaged {
		j.progress.Note(wrong.Error())
	}
	for _, folder := range []string{j.staging, filepath.Join(j.dir, j.shape.Name)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return local(err)
		}
	}
	if from != "" {
		err = j.takeFrom(ctx, from)
	} else {
		err = j.trySources(ctx)
	}
	if err != nil {
		os.Remove(j.staging)                          // stays if it holds a download to go on with
		os.Remove(filepath.Join(j.dir, j.shape.Name)) // stays if it holds a file
		return err
	}
	if err := os.RemoveAll(j.staging); err != nil {
		return local(err)
	}
	j.progress.Note(fmt.Sprintf("%s: complete and checked in %s", j.shape.Name, filepath.Join(j.dir, j.shape.Name)))
	return nil
}

// findNeeded lists the files that are missing or wrong. If there are none, the set
// is complete.
func (j *fetchJob) findNeeded(ctx context.Context) (complete bool, err error) {
	j.needed, j.damaged = nil, nil
	for _, f := range j.files {
		err := checkFile(ctx, j.path(j.dir, f), f, "it is fetched again")
		var wrong *IntegrityError
		switch {
		case err == nil:
		case errors.As(err, &wrong):
			j.damaged = append(j.damaged, wrong)
			j.needed = append(j.needed, f)
		case errors.Is(err, fs.ErrNotExist):
			j.needed = append(j.needed, f)
		default:
			return false, err
		}
	}
	if len(j.needed) > 0 {
		return false, nil
	}
	j.progress.Note(fmt.Sprintf("%s: complete in %s, and checked", j.shape.Name, filepath.Join(j.dir, j.shape.Name)))
	return true, nil
}

// attempt is a source that did not give the files.
type attempt struct {
	source source
	url    string
	err    error
}

// trySources asks the sources in order, and then those that were put off because
// they are slow, the fastest first.
func (j *fetchJob) trySources(ctx context.Context) error {
	var failed, slow []attempt
	for _, s := range j.sources {
		url, err := j.trySource(ctx, s, false)
		var slowness *slowError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || isLocal(err):
			return err
		case errors.As(err, &slowness):
			slow = append(slow, attempt{s, url, err})
			j.progress.Note("  " + err.Error() + "; looking for a faster source")
		default:
			failed = append(failed, attempt{s, url, err})
			j.progress.Note("  " + err.Error())
		}
	}
	slices.SortStableFunc(slow, func(a, b attempt) int {
		var slowA, slowB *slowError
		errors.As(a.err, &slowA)
		errors.As(b.err, &slowB)
		return int(slowB.pace - slowA.pace)
	})
	for _, a := range slow {
		url, err := j.trySource(ctx, a.source, true)
		if err == nil || ctx.Err() != nil || isLocal(err) {
			return err
		}
		failed = append(failed, attempt{a.source, url, err})
		j.progress.Note("  " + err.Error())
	}
	return j.noSource(failed)
}

// noSource is the error when all sources failed.
func (j *fetchJob) noSource(failed []attempt) error {
	var text strings.Builder
	var errs []error
	fmt.Fprintf(&text, "no source gave %s. Tried:\n", strings.Join(namesOf(j.needed), ", "))
	for _, a := range failed {
		fmt.Fprintf(&text, "  %s, %s: %v\n", a.source.name, a.url, a.err)
		errs = append(errs, a.err)
	}
	fmt.Fprintf(&text, "Check the network and the proxy (HTTPS_PROXY), or get the files on another machine and run `diaghess data fetch %s --from PATH`, where PATH is a folder that holds %s, or such a file",
		j.shape.Name, j.accepted())
	return &sourcesError{text.String(), errs}
}

// sourcesError says what each source answered.
type sourcesError struct {
	text string
	errs []error
}

func (e *sourcesError) Error() string   { return e.text }
func (e *sourcesError) Unwrap() []error { return e.errs }

// trySource gets the needed files from one source. It returns the address or
// folder that it asked last.
func (j *fetchJob) trySource(ctx context.Context, s source, patient bool) (url string, err error) {
	if s.folder != "" {
		if _, err := os.Stat(s.folder); err != nil {
			return s.folder, fmt.Errorf("not there (%s)", s.hint)
		}
		j.progress.Note(fmt.Sprintf("%s: taking it from the %s, %s", j.shape.Name, s.name, s.folder))
		return s.folder, j.takeFrom(ctx, s.folder)
	}
	for _, d := range s.downloads {
		if !j.needs(d) {
			continue
		}
		j.progress.Note(fmt.Sprintf("%s: fetching %s from the %s", j.shape.Name, redact(d.url), s.name))
		if err := j.fetchArchive(ctx, d, patient); err != nil {
			return redact(d.url), err
		}
	}
	return "", j.stillNeeded()
}

// needs says whether a download holds a file that is not in place yet.
func (j *fetchJob) needs(d download) bool {
	return slices.ContainsFunc(j.needed, func(f file) bool { return slices.Contains(d.holds, f.name) })
}

// stillNeeded is an error if a file is not in place yet.
func (j *fetchJob) stillNeeded() error {
	if len(j.needed) == 0 {
		return nil
	}
	return fmt.Errorf("did not have %s", strings.Join(namesOf(j.needed), ", "))
}

// fetchArchive downloads an archive and puts the files in it in place. If the
// archive was put together from several transfers and turns out wrong, it is
// downloaded once more from the start.
func (j *fetchJob) fetchArchive(ctx context.Context, d download, patient bool) error {
	part := filepath.Join(j.staging, d.archive)
	for restarted := false; ; restarted = true {
		joined, err := j.client.download(ctx, d.url, part, patient, j.progress)
		if err != nil {
			return err
		}
		j.progress.Note("  unpacking and checking " + d.archive)
		err = j.unpack(ctx, part, d)
		if ctx.Err() != nil || isLocal(err) {
			return err
		}
		if removal := removePart(part); removal != nil {
			return removal
		}
		if err == nil || !joined || restarted {
			return err
		}
		j.progress.Note(fmt.Sprintf("  %v; starting over, because this download had been continued", err))
	}
}

// unpack puts the official files in an archive in place.
func (j *fetchJob) unpack(ctx context.Context, path string, d download) error {
	archive, err := open(path)
	if err != nil {
		return local(err)
	}
	defer archive.Close()
	err = d.unpack(ctx, archive, func(name string, content io.Reader) error {
		return j.put(ctx, name+" in "+d.archive, name, content)
	})
	if err == nil || ctx.Err() != nil || isLocal(err) {
		return err
	}
	if d.sha256 != "" {
		size, sum, hashErr := hashFile(ctx, path)
		if hashErr == nil && sum != d.sha256 {
			return fmt.Errorf("%s (%d bytes) is not the archive that is known (SHA-256 expected %s, found %s): %w", path, size, d.sha256, sum, err)
		}
	}
	return fmt.Errorf("unpack %s: %w", path, err)
}

// put writes one official file aside, checks it and renames it into place. A
// file that is not needed stays unread. origin names the content in messages.
func (j *fetchJob) put(ctx context.Context, origin, name string, content io.Reader) error {
	i := slices.IndexFunc(j.needed, func(f file) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	want := j.needed[i]
	staged := filepath.Join(j.staging, name)
	out, err := os.Create(staged)
	if err != nil {
		return local(err)
	}
	defer os.Remove(staged) // does nothing after the rename
	defer out.Close()

	hash := sha256.New()
	limited := io.LimitReader(contextReader{ctx, content}, want.size+1)
	size, err := io.Copy(io.MultiWriter(localWriter{out}, hash), limited)
	if isLocal(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", origin, err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if size != want.size || sum != want.sha256 {
		if size > want.size {
			sum = ""
		}
		return &IntegrityError{Path: origin, Size: size, SHA256: sum, WantSize: want.size, WantSHA256: want.sha256}
	}
	if err := atomicfile.Place(out, j.path(j.dir, want)); err != nil {
		return local(err)
	}
	j.needed = slices.Delete(j.needed, i, i+1)
	return nil
}

// localError marks a failure of this machine, which no other source can help.
// Errors of package os say themselves what was being done to which file.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

// local marks err, if there is one, as a failure of this machine.
func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{err}
}

func isLocal(err error) bool {
	var failure *localError
	return errors.As(err, &failure)
}

// localWriter marks the errors of a writer as failures of this machine.
type localWriter struct{ writer io.Writer }

func (w localWriter) Write(p []byte) (int, error) {
	n, err := w.writer.Write(p)
	return n, local(err)
}
