package data

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"diaghess/train/npy"
)

// readNPY reads an array of rows, and that of their classes from the file that label names.
func readNPY(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	if label == "" {
		return nil, fmt.Errorf("%s: name the file with the classes, %s:label=FILE.npy", path, path)
	}
	var arrays [2]npy.Array
	for i, file := range []string{path, label} {
		content, err := s.all(ctx, file, 12)
		if err != nil {
			return nil, err
		}
		if arrays[i], err = npy.Parse(content); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return ofArrays(path, label, arrays[0], arrays[1])
}

// readNPZ reads an archive with the arrays X and y, or with x_train, y_train, x_test and y_test.
func readNPZ(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	if label != "" {
		return nil, fmt.Errorf("%s: label=%s is for tables; the classes of an archive are its array y or y_train: leave it out", path, label)
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: it is no .npz archive: %w", path, err)
	}
	defer archive.Close()
	members := map[string]*zip.File{} // by the name of the array in small letters
	form := map[string]int{"x": 0, "y": 0, "x_train": 1, "y_train": 1, "x_test": 1, "y_test": 1}
	var first [2]string // an array of each form, the first by name
	for _, f := range archive.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		lower := strings.ToLower(name)
		if i, known := form[lower]; known {
			if other := members[lower]; other != nil {
				return nil, fmt.Errorf("%s: %s and %s are both the array %s: leave one out", path, other.Name, f.Name, lower)
			}
			if first[i] == "" || name < first[i] { // archives have any order
				first[i] = name
			}
		}
		members[lower] = f
	}
	names := [][2]string{{"x", "y"}}
	if first[1] != "" {
		names = [][2]string{{"x_train", "y_train"}, {"x_test", "y_test"}}
	}
	if first[0] != "" && first[1] != "" {
		return nil, fmt.Errorf("%s: there are arrays %s and %s: give X and y, or x_train, y_train, x_test and y_test, and not both", path, first[0], first[1])
	}
	var parts []*raw
	for _, pair := range names {
		var arrays [2]npy.Array
		for i, name := range pair {
			f := members[name]
			if f == nil {
				return nil, fmt.Errorf("%s: there is no array %s: it needs X and y, or x_train, y_train, x_test and y_test; there are %s",
					path, name, someOf(slices.Sorted(maps.Keys(members))))
			}
			if err := s.checkMemory(path, 12*int64(f.UncompressedSize64)); err != nil {
				return nil, err
			}
			if arrays[i], err = member(ctx, f); err != nil {
				return nil, fmt.Errorf("%s: array %s: %w", path, name, err)
			}
		}
		part, err := ofArrays(path+", "+pair[0], pair[1], arrays[0], arrays[1])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) > 1 {
		parts[0].tested = parts[1]
	}
	return parts[0], nil
}

// member reads an array of an archive.
func member(ctx context.Context, f *zip.File) (a npy.Array, err error) {
	reader, err := f.Open()
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	content, err := io.ReadAll(contextReader{ctx, reader}) // to the end, where its checksum is compared
	if err != nil {
		return a, err
	}
	return npy.Parse(content)
}

// ofArrays makes rows of an array X [N, inputs], [N, height, width] or [N, height, width, channels]
// and one of their classes [N] or [N, 1]. Bytes in three or four dimensions are pictures.
func ofArrays(path, labels string, x, y npy.Array) (*raw, error) {
	if len(x.Shape) < 2 || len(x.Shape) > 4 {
		return nil, fmt.Errorf("%s: the rows have the shape %v: give [N, inputs], [N, height, width] or [N, height, width, channels]", path, x.Shape)
	}
	if y.Len() != slices.Max(append(slices.Clone(y.Shape), 0)) {
		return nil, fmt.Errorf("%s: the classes have the shape %v: give one for each row, [N]", labels, y.Shape)
	}
	if x.Shape[0] != y.Len() {
		return nil, fmt.Errorf("%s: %d rows, and %s has %d classes: give one for each row", path, x.Shape[0], labels, y.Len())
	}
	if s := x.Shape; len(s) == 4 && (s[1] == 1 || s[1] == 3) && s[2] == s[3] && s[3] > 4 {
		return nil, fmt.Errorf("%s: the rows have the shape %v, with the channels first: give [N, height, width, channels], as x.transpose(0, 2, 3, 1)", path, s)
	}
	r := &raw{Table: Table{Shape: slices.Clone(x.Shape[1:])}}
	if len(r.Shape) == 2 {
		r.Shape = append(r.Shape, 1)
	}
	var err error
	if y.Text() {
		r.classes, err = y.Texts()
	} else {
		var values []float64
		if values, err = y.Floats(); err == nil {
			r.classes, err = classNames(values)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", labels, err)
	}
	values, err := x.Floats()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !x.Bytes() || len(r.Shape) < 3 {
		r.Values = values
		return r, nil
	}
	r.Divisor, r.Bytes = 255, make([]uint8, len(values))
	for i, v := range values {
		r.Bytes[i] = uint8(v)
	}
	return r, nil
}
