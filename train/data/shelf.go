package data

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"diaghess/nearest"
)

// Shelf is where a program finds datasets by name: those of the catalogue in a data folder, and
// those that were opened. The zero value has the catalogue.
type Shelf struct {
	Dir     string   // see [Dir]
	Sources []Source // named sets beside those of the catalogue
	// CheckMemory, if not nil, returns an error where the host has too little memory for so many bytes.
	CheckMemory func(bytes int64) error

	opened map[string]*Set // by name
}

// Source is a named set that another package makes.
type Source struct {
	// Status describes the set; its Bytes, State and Path are empty.
	Status Status
	// Table makes the rows, if need be from files in a data folder, see [Dir].
	Table func(ctx context.Context, dir string) (*Table, error)
	// Divide, if not nil, divides rows by a run's seed, of which it keeps a share for testing, in
	// place of the usual split by seed. How says so in a record: "by seed as scikit-learn".
	Divide func(labels []int32, share float64, seed int) (train, test []uint32, err error)
	How    string
	// Scale is how the numbers are scaled unless a spec says otherwise; see [Scales].
	Scale string
}

// Names returns the names of the sets that can be opened by their name alone, in the order in which
// they are listed.
func (s Shelf) Names() []string {
	names := Names()
	for _, source := range s.Sources {
		names = append(names, source.Status.Name)
	}
	return names
}

// library returns the catalogue with the sources. What those make without files counts as embedded.
func (s Shelf) library() library {
	l := official(os.Getenv)
	for _, source := range s.Sources {
		status := source.Status
		e, err := library{entries: l.raw}.find(status.Name)
		if err != nil {
			e.embedded = func(*Set) error { return nil }
		}
		e.shape = Set{Name: status.Name, Height: status.Height, Width: status.Width, Channels: status.Channels, Classes: status.Classes}
		e.train, e.test = status.Train, status.Test
		l.entries = append(l.entries, e)
	}
	return l
}

// Describe describes a set that was opened, or one of the catalogue, which need not have been
// fetched: its State and Path are empty.
func (s Shelf) Describe(name string) (Status, error) {
	if set, ok := s.opened[name]; ok {
		return set.describe(), nil
	}
	return Describe(name)
}

// Load returns a set that was opened, or reads one of the catalogue as [Load] does.
func (s Shelf) Load(ctx context.Context, name string) (*Set, error) {
	if set, ok := s.opened[name]; ok {
		return set, nil
	}
	return Load(ctx, s.Dir, name)
}

// SplitList splits a list of specs at the commas between them: an element key=value belongs to the
// spec before it, and elements that together are the path of a file are one.
func SplitList(list string) (specs []string) {
	for rest := strings.Split(list, ","); len(rest) > 0; {
		element, n := strings.TrimSpace(rest[0]), 1
		for i := 2; i <= len(rest); i++ {
			joined := strings.TrimSpace(strings.Join(rest[:i], ","))
			if place := options.Split(joined, 2)[0]; strings.Contains(place, ",") && exists(place) {
				element, n = joined, i
				break
			}
		}
		rest = rest[n:]
		if last := len(specs) - 1; last >= 0 && option.MatchString(element) {
			specs[last] += "," + element
		} else if element != "" {
			specs = append(specs, element)
		}
	}
	return specs
}

// Open makes the set of a spec, NAME or PATH, with options behind a colon: see [Options]. It
// returns the name under which the set is on the shelf. A set of the catalogue without options is
// not read, and need not have been fetched. Any other is read. The name of one with options, or
// from a file, ends in a part of the digest of its content, its split and its scaling:
// "mine@1a2b3c4d".
func (s *Shelf) Open(ctx context.Context, spec string, defaults Options) (name string, err error) {
	place, o, err := parseSpec(spec)
	if err != nil {
		return "", err
	}
	o = o.or(defaults)
	set, err := s.open(ctx, place, o)
	if err != nil {
		return "", err
	}
	if set == nil {
		return place, nil
	}
	if o == (Options{}) && slices.Contains(s.Names(), place) {
		set.Name = place
	}
	set.Origin.Source = o.spec(place)
	if s.opened == nil {
		s.opened = map[string]*Set{}
	}
	s.opened[set.Name] = set
	return set.Name, nil
}

// Origin returns what a record says of a set that was opened; nil for any other.
func (s Shelf) Origin(name string) *Origin {
	if set, ok := s.opened[name]; ok {
		return set.Origin
	}
	return nil
}

// open makes the set of a name or a path; nil for one of the catalogue as it is.
func (s *Shelf) open(ctx context.Context, place string, o Options) (*Set, error) {
	if slices.Contains(s.Names(), place) && (o.Label != "" || o.Test != "") {
		return nil, fmt.Errorf("dataset %s: label= and test= are for files of your own: leave them out", place)
	}
	if slices.Contains(Names(), place) {
		if o == (Options{}) {
			return nil, nil
		}
		set, err := Load(ctx, s.Dir, place)
		if err != nil {
			return nil, err
		}
		return set, set.divide(o)
	}
	if i := slices.IndexFunc(s.Sources, func(source Source) bool { return source.Status.Name == place }); i >= 0 {
		source := s.Sources[i]
		table, err := source.Table(ctx, s.Dir)
		if err != nil {
			return nil, err
		}
		return table.set(place, o, &source)
	}
	if _, err := os.Stat(place); err != nil {
		return nil, fmt.Errorf("%q is no dataset and no file%s; known are %s", place, nearest.Question(place, s.Names(), ""), strings.Join(s.Names(), ", "))
	}
	table, err := s.read(ctx, place, o)
	if err != nil {
		return nil, err
	}
	return table.set(shortName(place), o, nil)
}
