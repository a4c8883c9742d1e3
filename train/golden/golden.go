package golden

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"diaghess/train/npy"
)

// Set is a folder of cases.
type Set struct {
	folder   string
	manifest manifest
}

// manifest is what is read of manifest.json.
type manifest struct {
	Cases map[string]entry `json:"cases"`
}

type entry struct {
	File   string          `json:"file"`
	Kind   string          `json:"kind"`
	Config json.RawMessage `json:"config"`
	Checks json.RawMessage `json:"checks"`
}

// Open reads the manifest of a folder. It fails on a manifest without a case.
func Open(folder string) (*Set, error) {
	path := filepath.Join(folder, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("golden cases: %w", err)
	}
	s := &Set{folder: folder}
	if err := json.Unmarshal(text, &s.manifest); err != nil {
		return nil, fmt.Errorf("golden cases: %s: %w", path, err)
	}
	if len(s.manifest.Cases) == 0 {
		return nil, fmt.Errorf("golden cases: %s names no case", path)
	}
	return s, nil
}

// Kinds returns the kinds of the set's cases, sorted.
func (s *Set) Kinds() []string {
	kinds := map[string]bool{}
	for _, e := range s.manifest.Cases {
		kinds[e.Kind] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

// Cases reads the cases of a kind, sorted by name.
func (s *Set) Cases(kind string) ([]*Case, error) {
	var cases []*Case
	for _, name := range slices.Sorted(maps.Keys(s.manifest.Cases)) {
		e := s.manifest.Cases[name]
		if e.Kind != kind {
			continue
		}
		c, err := s.load(name, e)
		if err != nil {
			return nil, fmt.Errorf("golden case %s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func (s *Set) load(name string, e entry) (*Case, error) {
	c := &Case{Name: name, config: e.Config, arrays: map[string]*zip.File{}}
	if err := json.Unmarshal(e.Checks, &c.checks); err != nil {
		return nil, fmt.Errorf("checks: %w", err)
	}
	file, err := os.ReadFile(filepath.Join(s.folder, e.File))
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.File, err)
	}
	for _, member := range archive.File {
		c.arrays[member.Name] = member
	}
	return c, nil
}

// Case is one case of a set.
type Case struct {
	Name string

	config json.RawMessage
	checks map[string]any
	arrays map[string]*zip.File // by the name of the member, NAME.npy
}

// Config decodes the case's sizes and hyper-parameters into a struct.
func (c *Case) Config(into any) error {
	if err := json.Unmarshal(c.config, into); err != nil {
		return fmt.Errorf("golden case %s: config: %w", c.Name, err)
	}
	return nil
}

// Check returns a number of the case's checks, the distance of the oracle from
// its float64 twin, by the path of keys that leads to it.
func (c *Case) Check(path ...string) (float64, error) {
	var at any = c.checks
	for _, key := range path {
		object, _ := at.(map[string]any)
		at = object[key]
	}
	number, ok := at.(float64)
	if !ok {
		return 0, fmt.Errorf("golden case %s has no number %q in its checks", c.Name, path)
	}
	return number, nil
}

// Names returns what comes after the prefix in the names of the arrays that
// begin with it, sorted.
func (c *Case) Names(prefix string) []string {
	var names []string
	for member := range c.arrays {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(member, ".npy"), prefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Element is a type of array elements.
type Element interface {
	float32 | float64 | int32 | uint8
}

// Array is an array in C order.
type Array[T Element] struct {
	Shape  []int
	Values []T
}

// At returns the elements of index i along the first axis.
func (a Array[T]) At(i int) []T {
	n := len(a.Values) / a.Shape[0]
	return a.Values[i*n : (i+1)*n]
}

// Read reads an array of a case. It fails where there is none of that name and
// type, and where it is damaged.
func Read[T Element](c *Case, name string) (Array[T], error) {
	var a Array[T]
	fail := func(err error) (Array[T], error) {
		return a, fmt.Errorf("golden case %s: array %s: %w", c.Name, name, err)
	}
	member := c.arrays[name+".npy"]
	if member == nil {
		return fail(os.ErrNotExist)
	}
	reader, err := member.Open()
	if err != nil {
		return fail(err)
	}
	defer reader.Close()
	content, err := io.ReadAll(reader) // to the end, where its checksum is compared
	if err != nil {
		return fail(err)
	}
	if a, err = parse[T](content); err != nil {
		return fail(err)
	}
	return a, nil
}

// parse reads a .npy file of one type of elements, in C order.
func parse[T Element](content []byte) (a Array[T], err error) {
	array, err := npy.Parse(content)
	switch kind := kindOf[T](); {
	case err != nil:
		return a, err
	case array.Type != kind:
		return a, fmt.Errorf("its elements are of type %q, where %q is expected", array.Type, kind)
	case array.Fortran:
		return a, errors.New("it is in Fortran order, not C")
	}
	a.Shape, a.Values = array.Shape, make([]T, array.Len())
	_, err = binary.Decode(array.Body, binary.LittleEndian, a.Values)
	return a, err
}

// kindOf is the name of a type of elements in a .npy file.
func kindOf[T Element]() string {
	switch any(*new(T)).(type) {
	case float32:
		return "<f4"
	case float64:
		return "<f8"
	case int32:
		return "<i4"
	default:
		return "|u1"
	}
}
