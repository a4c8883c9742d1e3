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

// Set is a dataset in memory: rows, which are pictures or plain inputs, and their classes.
type Set struct {
	Name string
	// Height, Width and Channels are the shape of one row. That of a row without pictures is
	// 1 x 1 x inputs, see [Set.Pictures].
	Height, Width, Channels int
	// Classes is the number of classes; labels are 0 to Classes-1.
	Classes int
	// Divisor is what a network divides a byte by to get into [0, 1]: the
	// largest value a pixel can have, 255 for pictures and 16 for digits.
	Divisor float32
	// Rows are all rows, in the order of the files. Of a set with a split of its own, the last
	// Testing of them are for testing.
	Rows
	Testing int

	// Share is the part of the rows of each class that a run keeps for testing, which it chooses
	// by its seed; 0 for the set's own split.
	Share float64
	// Divide, if not nil, chooses rows for training and rows for testing by a run's seed, in place
	// of Share. Every seed has as many of each.
	Divide func(seed int) (train, test []uint32)
	// Scale is how Values are scaled, a word of [Scales].
	Scale string
	// Origin is what a record says of a set that its name alone does not; nil for a set of the
	// catalogue with its own split.
	Origin *Origin

	// Of a set that was made of a table.
	classes []string
	columns []Column
}

// Rows are rows of a set with their classes.
type Rows struct {
	// Either Images or Values holds the rows [N, Height, Width, Channels]; the other is nil.
	Images []uint8
	Values []float32
	// Labels holds the classes [N].
	Labels []int32
}

// Len returns the number of rows.
func (r Rows) Len() int { return len(r.Labels) }

// Size returns the number of values of one row.
func (s *Set) Size() int { return s.Height * s.Width * s.Channels }

// Pictures says whether a row is a picture: its values have neighbours.
func (s *Set) Pictures() bool { return s.Height*s.Width > 1 }

// Train and Test return the rows of the set's own split.
func (s *Set) Train() Rows { return s.part(0, s.Len()-s.Testing) }
func (s *Set) Test() Rows  { return s.part(s.Len()-s.Testing, s.Len()) }

// part returns rows lo to hi-1.
func (s *Set) part(lo, hi int) Rows {
	r := Rows{Labels: s.Labels[lo:hi]}
	if s.Images != nil {
		r.Images = s.Images[lo*s.Size() : hi*s.Size()]
	} else {
		r.Values = s.Values[lo*s.Size() : hi*s.Size()]
	}
	return r
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
	e.allocate(&set)
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

// allocate gives a set its rows, all zero.
func (e entry) allocate(set *Set) {
	n := e.train + e.test
	set.Rows, set.Testing = Rows{Images: make([]uint8, n*set.Size()), Labels: make([]int32, n)}, e.test
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
	first := f.first
	if f.test {
		first += e.train
	}
	rows := set.part(first, first+f.count)
	if err := f.decode(content, set, rows.Images, rows.Labels); err != nil {
		return fmt.Errorf("decode %s: %w", f.name, err)
	}
	return nil
}
