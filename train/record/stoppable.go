package record

import (
	"context"
	"io/fs"
	"path"
)

// stoppable is a folder of a file system that gives nothing more once a context has ended.
// Unlike [fs.Sub] it has Stat, which does not open a file: to open a pipe may never end.
type stoppable struct {
	ctx    context.Context
	fs     fs.FS
	folder string
}

func (s stoppable) at(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(s.folder, name), s.ctx.Err()
}

func (s stoppable) Open(name string) (fs.File, error) {
	name, err := s.at("open", name)
	if err != nil {
		return nil, err
	}
	return s.fs.Open(name)
}

func (s stoppable) Stat(name string) (fs.FileInfo, error) {
	name, err := s.at("stat", name)
	if err != nil {
		return nil, err
	}
	return fs.Stat(s.fs, name)
}

func (s stoppable) ReadDir(name string) ([]fs.DirEntry, error) {
	name, err := s.at("open", name)
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(s.fs, name)
}

func (s stoppable) Sub(name string) (fs.FS, error) {
	name, err := s.at("sub", name)
	return stoppable{s.ctx, s.fs, name}, err
}
