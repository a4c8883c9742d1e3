package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// takeFrom takes the needed files from a file, or from a folder and the sub-folders in
// which the official archives and other programs keep them: unpacked, compressed
// one by one, or in an archive that the catalog knows.
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
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s was not found unaltered in %s; copy it there once more. Found:\n%w", strings.Join(namesOf(j.needed), ", "), from, err)
	}
	return fmt.Errorf("%s was not found in %s, nor in %s there; it should hold %s",
		strings.Join(namesOf(j.needed), ", "), from, strings.Join(append([]string{j.shape.Name}, j.folders...), ", "), j.accepted())
}

// takeOne takes the needed files from one file, whose name says what it holds.
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
	} else if !slices.ContainsFunc(j.files, isFile) {
		return fmt.Errorf("%s has not the name of a file that holds %s; known are %s", path, j.shape.Name, j.accepted())
	}
	if err == nil && len(j.needed) > 0 {
		err = fmt.Errorf("%s is not all of %s: %s is still needed", path, j.shape.Name, strings.Join(namesOf(j.needed), ", "))
	}
	return err
}

// accepted says which files can be taken.
func (j *fetchJob) accepted() string {
	text := fmt.Sprintf("the unpacked %s (or each as .gz)", strings.Join(namesOf(j.files), ", "))
	for _, d := range j.archives() {
		if len(d.holds) > 1 {
			text += " or " + d.archive
		}
	}
	return text
}

// takeFile takes one unpacked file, if it is there.
func (j *fetchJob) takeFile(ctx context.Context, path string, f file) error {
	err := checkFile(ctx, path, f, "copy it there once more")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	opened, err := os.Open(path)
	if err != nil {
		return err
	}
	defer opened.Close()
	return j.put(ctx, path, f.name, opened)
}

// takeArchive takes the needed files of an archive, if it is there.
func (j *fetchJob) takeArchive(ctx context.Context, path string, d download) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || !j.needs(d) {
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
