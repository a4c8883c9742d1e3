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
)

// IntegrityError says that a file does not have the official content.
type IntegrityError struct {
	// Path is the file, or "NAME in ARCHIVE".
	Path string
	// Size and SHA256 are what was found. SHA256 is empty where a file in an
	// archive was not read to its end, because it is longer than WantSize.
	Size   int64
	SHA256 string
	// WantSize and WantSHA256 are the official file's.
	WantSize   int64
	WantSHA256 string
	// Remedy is what the user can do.
	Remedy string
}

// Error names the file, what is wrong with it, both hashes and the remedy.
func (e *IntegrityError) Error() string {
	var problem string
	switch {
	case e.Size < e.WantSize:
		problem = fmt.Sprintf("is truncated: %d of %d bytes", e.Size, e.WantSize)
	case e.Size > e.WantSize:
		problem = fmt.Sprintf("is longer than the official %d bytes", e.WantSize)
	default:
		problem = "is altered"
	}
	found := e.SHA256
	if found == "" {
		found = "not computed"
	}
	text := fmt.Sprintf("%s %s (SHA-256 expected %s, found %s)", e.Path, problem, e.WantSHA256, found)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// path returns where an official file of the set is in the data folder dir.
func (e entry) path(dir string, f file) string {
	return filepath.Join(dir, e.shape.Name, f.name)
}

// remedy is the command that brings the official files.
func (e entry) remedy() string {
	return fmt.Sprintf("`diaghess data fetch %s` gets the official file", e.shape.Name)
}

// missing is the error of a file that is not in the data folder.
func (e entry) missing(dir string, f file) error {
	return fmt.Errorf("%s: %w; run `diaghess data fetch %s`, or name the folder that holds %[3]s/%[4]s with --data DIR",
		e.path(dir, f), ErrMissing, e.shape.Name, f.name)
}

// checkedContent returns the content of an official file after it has checked it.
func (e entry) checkedContent(ctx context.Context, dir string, f file) ([]byte, error) {
	path := e.path(dir, f)
	opened, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, e.missing(dir, f)
	}
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	// One byte more than official tells a longer file from the right one.
	content := make([]byte, f.size+1)
	n, err := io.ReadFull(opened, content)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	sum := sha256.Sum256(content[:n])
	if int64(n) != f.size || hex.EncodeToString(sum[:]) != f.sha256 {
		if err := checkFile(ctx, path, f, e.remedy()); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s changed while it was read", path)
	}
	return content[:n], nil
}

// open opens a file for reading. Reading of anything else, such as a pipe, might never end.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: put the file itself there", path)
	}
	return os.Open(path)
}

// checkFile compares the file at path with the official file f, whatever their
// names. It returns nil if they are equal and an *IntegrityError with the given
// remedy if not.
func checkFile(ctx context.Context, path string, f file, remedy string) error {
	size, sum, err := hashFile(ctx, path)
	if err != nil {
		return err
	}
	if size == f.size && sum == f.sha256 {
		return nil
	}
	return &IntegrityError{Path: path, Size: size, SHA256: sum, WantSize: f.size, WantSHA256: f.sha256, Remedy: remedy}
}

// hashFile returns the size and the SHA-256 of a file.
func hashFile(ctx context.Context, path string) (size int64, sum string, err error) {
	opened, err := open(path)
	if err != nil {
		return 0, "", err
	}
	defer opened.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, contextReader{ctx, opened})
	if err != nil {
		return 0, "", fmt.Errorf("read %s: %w", path, err)
	}
	return size, hex.EncodeToString(hash.Sum(nil)), nil
}

// contextReader ends reading when its context ends.
type contextReader struct {
	ctx    context.Context
	reader io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.reader.Read(p)
}
