package data

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"diaghess/nearest"
)

// reader reads a file, or a folder, of the user. label is the option of that name, or "".
type reader func(s *Shelf, ctx context.Context, path, label string) (*raw, error)

// readers are of files, by the end of the name in small letters.
var readers = map[string]reader{
	".csv": readCSV, ".tsv": readCSV, ".txt": readCSV,
	".npz": readNPZ, ".npy": readNPY, ".parquet": readParquet,
}

// raw is what a file holds, before its classes are numbered.
type raw struct {
	Table            // without Labels and Classes
	classes []string // of each row, as the file has it
	decoded bool     // from files of pictures, which have three channels also where all are grey
	// tested, if not nil, are the rows for testing that the same source has.
	tested *raw
	// where names a row for an error, counted from 0; nil for "row N".
	where func(row int) string
}

// read makes the table of a file or a folder.
func (s *Shelf) read(ctx context.Context, path string, o Options) (*Table, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	read := readers[strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz")))]
	switch {
	case info.IsDir():
		read = readFolder
	case isIDX(path):
		read = readIDX
	case read == nil:
		return nil, fmt.Errorf("%s: its kind is not known by its name: give a .csv, .tsv, .npz, .npy or .parquet file, idx files named ...-images-... and ...-labels-..., or a folder of pictures", path)
	}
	rows, err := read(s, ctx, path, o.Label)
	if err != nil {
		return nil, err
	}
	if o.Test != "" {
		if rows.tested != nil {
			return nil, fmt.Errorf("test=%s: %s has rows for testing of its own", o.Test, path)
		}
		if rows.tested, err = read(s, ctx, o.Test, o.Label); err != nil {
			return nil, fmt.Errorf("test=%w", err)
		}
	}
	return rows.table(path, cmp.Or(o.Test, path))
}

// content opens a file, as it is or unpacked from .gz, each of whose bytes needs so many of the
// host's memory.
func (s *Shelf) content(ctx context.Context, path string, each int64) (io.Reader, io.Closer, error) {
	file, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, cmp.Or(file.Close(), err)
	}
	size := info.Size()
	var from io.Reader = contextReader{ctx, file}
	if unpacked, ok := gzipSize(file, size); ok {
		size = unpacked
		if from, err = gzip.NewReader(from); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err = cmp.Or(err, s.checkMemory(path, each*size)); err != nil {
		return nil, nil, cmp.Or(file.Close(), err)
	}
	return from, file, nil
}

// all reads all of a file, see content.
func (s *Shelf) all(ctx context.Context, path string, each int64) ([]byte, error) {
	from, file, err := s.content(ctx, path, each)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(from)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// checkMemory says in an error where the host has too little memory for so many bytes.
func (s *Shelf) checkMemory(path string, bytes int64) error {
	if s.CheckMemory == nil {
		return nil
	}
	if err := s.CheckMemory(bytes); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// table joins the rows for training and for testing, numbers the classes, and checks every value.
func (r *raw) table(path, testPath string) (*Table, error) {
	if err := r.check(path); err != nil {
		return nil, err
	}
	t := r.Table
	classes := r.classes
	if r.tested != nil {
		if err := r.tested.check(testPath); err != nil {
			return nil, err
		}
		other := r.tested
		switch {
		case !slices.Equal(t.Shape, other.Shape) || (t.Bytes == nil) != (other.Bytes == nil):
			return nil, fmt.Errorf("%s: rows for testing have the shape %v and those for training %v", testPath, other.Shape, t.Shape)
		case !slices.Equal(t.Columns, other.Columns):
			return nil, fmt.Errorf("%s: the columns %s are not those of %s, %s", testPath, strings.Join(other.Columns, ", "), path, strings.Join(t.Columns, ", "))
		}
		t.Bytes, t.Values, t.Test = append(t.Bytes, other.Bytes...), append(t.Values, other.Values...), len(other.classes)
		classes = slices.Concat(classes, other.classes)
	}
	if r.decoded {
		t.grey()
	}
	t.Classes = distinctClasses(classes)
	number := map[string]int32{}
	for i, class := range t.Classes {
		number[class] = int32(i)
	}
	for _, class := range classes {
		t.Labels = append(t.Labels, number[class])
	}
	written := map[float64]string{}
	for _, class := range t.Classes {
		v, err := strconv.ParseFloat(class, 64)
		if err != nil || math.Abs(v) >= mostExact {
			continue
		}
		if v != math.Trunc(v) {
			return nil, fmt.Errorf("%s: the class %s is no whole number: choose a column of classes, not of what is measured", path, class)
		}
		if other, ok := written[v]; ok {
			return nil, fmt.Errorf("%s: the classes %s and %s are the same number: write it in one way", path, other, class)
		}
		written[v] = class
	}
	trained := map[string]bool{}
	for _, class := range r.classes {
		trained[class] = true
	}
	for _, class := range classes[len(r.classes):] {
		if !trained[class] {
			return nil, fmt.Errorf("%s: the class %s has rows for testing, and none for training: give it some, or leave those out", testPath, class)
		}
	}
	switch n := len(t.Classes); {
	case n == 1:
		return nil, fmt.Errorf("%s: all %d rows have the class %s: a network needs 2 or more to tell apart", path, len(classes), t.Classes[0])
	case n > 2 && n > len(classes)/2:
		return nil, fmt.Errorf("%s: %d rows have %d classes: a class needs rows to learn from", path, len(classes), n)
	}
	if !t.vary() {
		return nil, fmt.Errorf("%s: all %d rows have the same inputs: no network can tell their classes apart", path, len(classes))
	}
	return &t, t.Check()
}

// check says what is wrong with rows, by file, row and column.
func (r *raw) check(path string) error {
	n := len(r.classes)
	if n == 0 {
		return fmt.Errorf("%s: it has no rows", path)
	}
	if r.Inputs() == 0 {
		return fmt.Errorf("%s: its rows have no inputs beside their class", path)
	}
	where := r.where
	if where == nil {
		where = func(row int) string { return fmt.Sprintf("row %d", row+1) }
	}
	for i, class := range r.classes {
		if class == "" || strings.EqualFold(class, "nan") {
			return fmt.Errorf("%s: %s has no class", path, where(i))
		}
		if !utf8.ValidString(class) {
			return fmt.Errorf("%s: %s has a class that is no UTF-8 text: save the file in UTF-8", path, where(i))
		}
	}
	for i, v := range r.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: %s, %s is %v: every value must be a finite number", path, where(i/r.Inputs()), r.column(i%r.Inputs()), v)
		}
		if math.Abs(v) > math.MaxFloat32 {
			return fmt.Errorf("%s: %s, %s is %g, which is too large for a float32", path, where(i/r.Inputs()), r.column(i%r.Inputs()), v)
		}
	}
	return nil
}

// vary says whether some input is not the same in all rows.
func (t *Table) vary() bool {
	n := t.Inputs()
	differ := func(i int) bool {
		return t.Bytes != nil && t.Bytes[i] != t.Bytes[i-n] || t.Values != nil && t.Values[i] != t.Values[i-n]
	}
	for i := n; i < max(len(t.Bytes), len(t.Values)); i++ {
		if differ(i) {
			return true
		}
	}
	return false
}

// column names an input.
func (r *raw) column(i int) string {
	if r.Columns != nil {
		return "column " + r.Columns[i]
	}
	return fmt.Sprintf("column %d", i+1)
}

// distinctClasses sorts the names of classes: numbers by their value, others as texts.
func distinctClasses(names []string) []string {
	seen := map[string]bool{}
	var all []string
	numbers := true
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
			_, err := strconv.ParseFloat(name, 64)
			numbers = numbers && err == nil
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if numbers {
			x, _ := strconv.ParseFloat(a, 64)
			y, _ := strconv.ParseFloat(b, 64)
			return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
		}
		return strings.Compare(a, b)
	})
	return all
}

// mostExact is the number below which a float64 tells all whole numbers apart.
const mostExact = 1 << 53

// className is the number of a row as the name of a class.
func className(row int, v float64) (string, error) {
	if math.Abs(v) >= mostExact {
		return "", fmt.Errorf("row %d has the class %.0f, too large to be told from its neighbours: number the classes from 0, or write them as texts", row+1, v)
	}
	return strconv.FormatFloat(v, 'g', -1, 64), nil
}

// classNames are numbers as names of classes.
func classNames(values []float64) (names []string, err error) {
	names = make([]string, len(values))
	for i, v := range values {
		if names[i], err = className(i, v); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// labelColumn is the column with the classes where a spec names none.
const labelColumn = "label"

// findLabel returns which column has the classes.
func findLabel(path, label string, columns []string) (int, error) {
	name := cmp.Or(label, labelColumn)
	if i := slices.Index(columns, name); i >= 0 {
		return i, nil
	}
	if label == "" {
		return 0, fmt.Errorf("%s: name the column with the classes, %s:label=COLUMN; there are %s", path, path, someOf(columns))
	}
	return 0, fmt.Errorf("%s: there is no column %q%s; there are %s", path, label, nearest.Question(label, columns, ""), someOf(columns))
}

// someOf lists names, the first of many, and the beginnings of long ones.
func someOf(names []string) string {
	const most, longest = 20, 60
	names = slices.Clone(names)
	for i, name := range names {
		if r := []rune(name[:min(len(name), 4*longest+4)]); len(r) > longest {
			names[i] = string(r[:longest]) + "…"
		}
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
