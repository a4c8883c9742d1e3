package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Set is a dataset in memory: pictures and their class labels.
type Set struct {
	Name string
	// Height, Width and Channels are the shape of one picture.
	Height, Width, Channels int
	// Classes is the number of classes; labels are 0 to Classes-1.
	Classes int
	// Divisor is what a network divides a pixel by to get into [0, 1]: the
	// largest value a pixel can have, 255 for pictures and 16 for digits.
	Divisor float32

	Train, Test Split
}

// PictureSize returns the number of bytes of one picture.
func (s *Set) PictureSize() int { return s.Height * s.Width * s.Channels }

// Split is one part of a Set, in the order of the official files.
type Split struct {
	// Images holds the pictures [N, Height, Width, Channels], a byte a pixel
	// and channel.
	Images []uint8
	// Labels holds the classes [N].
	Labels []uint8
}

// Len returns the number of pictures.
func (s Split) Len() int { return len(s.Labels) }

// First returns the first n pictures, or all of them if there are fewer. It
// shares memory with s.
func (s Split) First(n int) Split {
	if n < 0 {
		panic(fmt.Sprintf("data: First(%d): the number of pictures is negative", n))
	}
	if n >= s.Len() {
		return s
	}
	pictureSize := len(s.Images) / len(s.Labels)
	return Split{Images: s.Images[:n*pictureSize], Labels: s.Labels[:n]}
}

// Names returns the names of the known sets, in the order in which they are listed.
func Names() []string {
	var names []string
	for _, e := range official(os.Getenv).entries {
		names = append(names, e.shape.Name)
	}
	return names
}

// Dir returns the data folder dir, or the one that is used when none is named: the
// value of the environment variable DIAGHESS_DATA, or else diaghess/data in the
// platform's cache folder (os.UserCacheDir). The folder need not exist.
//
// The functions that take a data folder call it where they need one: a set that is
// built in needs none.
func Dir(dir string) (string, error) {
	if dir = cmp.Or(dir, os.Getenv("DIAGHESS_DATA")); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for datasets: %w; name one with --data DIR or DIAGHESS_DATA", err)
	}
	return filepath.Join(cache, "diaghess", "data"), nil
}

// ErrMissing is wrapped by the errors of Load and Verify if the set, or a part of it, has
// not been fetched.
var ErrMissing = errors.New("not fetched yet")

// Load reads a set from the data folder dir, see Dir. Every official file is checked by
// its SHA-256 before it is decoded. A missing set is an error that wraps ErrMissing, a
// file with other content an *IntegrityError. Both say what to do.
func Load(ctx context.Context, dir, name string) (*Set, error) {
	return official(os.Getenv).load(ctx, dir, name)
}

// load reads every file in parallel, each straight into its place in the set.
func (l library) load(ctx context.Context, dir, name string) (*Set, error) {
	e, err := l.find(name)
	if err != nil {
		return nil, err
	}
	set := e.shape
	set.Train = e.allocate(e.train)
	set.Test = e.allocate(e.test)
	if e.embedded != nil {
		if err := e.embedded(&set); err != nil {
			return nil, fmt.Errorf("load %s: %w", name, err)
		}
		return &set, nil
	}

	if dir, err = Dir(dir); err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	if err := e.eachFile(dir, func(f file) error { return e.loadFile(ctx, dir, f, &set) }); err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return &set, nil
}

// eachFile calls work for every official file, as many at a time as there are
// processors, and joins the errors. A set of which no file is there gives one.
func (e entry) eachFile(dir string, work func(file) error) error {
	failures := make([]error, len(e.files))
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	for i, f := range e.files {
		running.Add(1)
		go func() {
			defer running.Done()
			places <- struct{}{}
			defer func() { <-places }()
			failures[i] = work(f)
		}()
	}
	running.Wait()
	for _, err := range failures {
		if !errors.Is(err, ErrMissing) {
			return errors.Join(failures...)
		}
	}
	return fmt.Errorf("%s: %w; run `diaghess data fetch %s`, or name the folder that holds %s/%s with --data DIR",
		filepath.Join(dir, e.shape.Name), ErrMissing, e.shape.Name, e.shape.Name, e.files[0].name)
}

// allocate returns a split of n pictures, all zero.
func (e entry) allocate(n int) Split {
	return Split{Images: make([]uint8, n*e.shape.PictureSize()), Labels: make([]uint8, n)}
}

// loadFile decodes one official file into its place in the set.
func (e entry) loadFile(ctx context.Context, dir string, f file, set *Set) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := e.checkedContent(ctx, dir, f)
	if err != nil {
		return err
	}
	split, size := set.Train, set.PictureSize()
	if f.test {
		split = set.Test
	}
	images := split.Images[f.first*size : (f.first+f.count)*size]
	labels := split.Labels[f.first : f.first+f.count]
	if err := f.decode(content, set, images, labels); err != nil {
		return fmt.Errorf("decode %s: %w", f.name, err)
	}
	return nil
}
