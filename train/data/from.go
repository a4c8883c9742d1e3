package data

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// takeFrom takes the needed files from a file, or from a folder and the sub-folders in
// which the official archives and other programs keep them: unpacked, compressed
// one by one, or in an archive that the catalog knows. What it does not find so, it looks
// for by content, under any name in any sub-folder.
func (j *fetchJob) takeFrom(ctx context.Context, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("take files that are there: %w", err)
	}
	if !info.IsDir() {
		return j.takeOne(ctx, from)
	}
	folders := []string{from, filepath.Join(from, j.shape.Name)}
	for _, folder := range j.folders {
		folders = append(folders, filepath.Join(from, filepath.FromSlash(folder)))
	}
	// A wrong file is no reason to overlook a right one elsewhere; only if none is
	// found does the user hear of it.
	var problems []error
	for _, folder := range folders {
		for _, f := range slices.Clone(j.needed) {
			err := j.takeFile(ctx, filepath.Join(folder, f.name), f)
			if ctx.Err() != nil || isLocal(err) {
				return err
			}
			problems = append(problems, err)
		}
		for _, d := range j.archives() {
			err := j.takeArchive(ctx, filepath.Join(folder, d.archive), d)
			if ctx.Err() != nil || isLocal(err) {
				return err
			}
			problems = append(problems, err)
		}
		if len(j.needed) == 0 {
			return nil
		}
	}
	err = j.takeByContent(ctx, from, func(problem error) { problems = append(problems, problem) })
	if err != nil || len(j.needed) == 0 {
		return err
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s was not found unaltered in %s; copy it there once more. Found:\n%w", strings.Join(namesOf(j.needed), ", "), from, err)
	}
	return fmt.Errorf("%s was not found in %s, nor in %s there; it should hold %s",
		strings.Join(namesOf(j.needed), ", "), from, strings.Join(append([]string{j.shape.Name}, j.folders...), ", "), j.accepted())
}

// takeOne takes the needed files from one file, whose name says what it holds, or its
// content.
func (j *fetchJob) takeOne(ctx context.Context, path string) error {
	name, archives := filepath.Base(path), j.archives()
	isFile := func(f file) bool { return f.name == name }
	isArchive := func(d download) bool { return d.archive == name }
	var err error
	if i := slices.IndexFunc(j.needed, isFile); i >= 0 {
		err = j.takeFile(ctx, path, j.needed[i])
	} else if i := slices.IndexFunc(archives, isArchive); i >= 0 {
		err = j.takeArchive(ctx, path, archives[i])
		if err != nil && !isLocal(err) && ctx.Err() == nil {
			err = fmt.Errorf("%w; copy it there once more", err)
		}
	} else if taken, contentErr := j.takeContent(ctx, path); taken || contentErr != nil {
		err = contentErr
	} else if !slices.ContainsFunc(j.files, isFile) {
		return fmt.Errorf("%s holds nothing of %s, by its name or its content; known are %s", path, j.shape.Name, j.accepted())
	}
	if err == nil && len(j.needed) > 0 {
		err = fmt.Errorf("%s is not all of %s: %s is still needed", path, j.shape.Name, strings.Join(namesOf(j.needed), ", "))
	}
	return err
}

// The bounds of a search by content: how many folders below the one that was named, and how
// many files.
const (
	deepest   = 5
	mostFiles = 20_000
)

// takeByContent takes the needed files from wherever they lie in a folder. It reports a file
// that has a needed one's name, with dots for hyphens or not, and another content.
func (j *fetchJob) takeByContent(ctx context.Context, from string, report func(error)) error {
	plain := func(name string) string { return strings.ReplaceAll(strings.TrimSuffix(name, ".gz"), ".", "-") }
	seen := 0
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		below, _ := filepath.Rel(from, path)
		if seen++; seen > mostFiles || len(j.needed) == 0 {
			return filepath.SkipAll
		}
		if err != nil || entry.IsDir() {
			if err != nil || strings.Count(below, string(filepath.Separator)) >= deepest {
				return filepath.SkipDir // also what may not be read
			}
			return nil
		}
		taken, err := j.takeContent(ctx, path)
		if ctx.Err() != nil || isLocal(err) {
			return err
		}
		for _, f := range j.needed {
			// Under its own name it has been reported already where it was looked for.
			if name := entry.Name(); !taken && name != f.name && plain(name) == plain(f.name) {
				report(cmp.Or(err, checkFile(ctx, path, f, "copy it there once more")))
			}
		}
		return nil
	})
}

// takeContent takes a file that has the content of a needed one, as it is or compressed, and
// says whether it has. It reads those alone whose size is right.
func (j *fetchJob) takeContent(ctx context.Context, path string) (taken bool, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil
	}
	opened, err := os.Open(path)
	if err != nil {
		return false, nil
	}
	defer opened.Close()
	size, compressed := info.Size(), false
	if unpacked, ok := gzipSize(opened, size); ok {
		size, compressed = unpacked, true
	}
	if !slices.ContainsFunc(j.needed, func(f file) bool { return f.size == size }) {
		return false, nil
	}
	content := func() (io.Reader, error) {
		if _, err := opened.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if compressed {
			return gzip.NewReader(contextReader{ctx, opened})
		}
		return contextReader{ctx, opened}, nil
	}
	reader, err := content()
	if err != nil {
		return false, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(reader, size+1)); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	i := slices.IndexFunc(j.needed, func(f file) bool { return f.size == size && f.sha256 == sum })
	if i < 0 {
		return false, nil
	}
	if reader, err = content(); err != nil {
		return false, err
	}
	return true, j.put(ctx, path, j.needed[i].name, reader)
}

// gzipSize returns the size of what a gzip file holds, which its last four bytes say; false
// for another file.
func gzipSize(f *os.File, size int64) (int64, bool) {
	var start [2]byte
	var end [4]byte
	if size < 18 {
		return 0, false
	}
	if _, err := f.ReadAt(start[:], 0); err != nil || start != [2]byte{0x1f, 0x8b} {
		return 0, false
	}
	if _, err := f.ReadAt(end[:], size-4); err != nil {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint32(end[:])), true
}

// accepted says which files can be taken.
func (j *fetchJob) accepted() string {
	text := fmt.Sprintf("the unpacked %s (or each as .gz) under these or other names", strings.Join(namesOf(j.files), ", "))
	for _, d := range j.archives() {
		if d.archive != d.holds[0] && d.archive != d.holds[0]+".gz" {
			text += " or " + d.archive
		}
	}
	return text
}

// takeFile takes one unpacked file, if it is there.
func (j *fetchJob) takeFile(ctx context.Context, path string, f file) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil // a folder of the file's name, which may hold it
	}
	err := checkFile(ctx, path, f, "copy it there once more")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	opened, err := open(path)
	if err != nil {
		return err
	}
	defer opened.Close()
	return j.put(ctx, path, f.name, opened)
}

// takeArchive takes the needed files of an archive, if it is there.
func (j *fetchJob) takeArchive(ctx context.Context, path string, d download) error {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() || !j.needs(d) {
		return nil
	}
	return j.unpack(ctx, path, d)
}

// redact returns an address without the password in it.
func redact(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Redacted()
}
