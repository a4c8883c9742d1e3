package main

import (
	"errors"
	"io"
	"io/fs"
)

// output is where a program prints its results. It remembers the first error of writing,
// which what prints need not look at: without its results, a command has failed.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.to.Write(p)
	o.err = err
	return n, err
}

// bare is the cause of an error of a file without the file's name.
func bare(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
