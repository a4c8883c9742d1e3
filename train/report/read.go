package report

import (
	"bufio"
	"diaghess/train/record"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// File is the content of one CSV file: either the rows of a metrics file, or
// the statistics of a summary or t-test file.
type File struct {
	Path       string
	Rows       []Row
	Statistics []Statistic
}

// Statistic is one number that a summary or t-test file states.
type Statistic struct {
	Line      int
	Dataset   string
	Optimizer string // empty in t-test files, which do not name the arms
	Metric    string
	Name      string  // the number's column: mean, std, t_stat or p_value
	Value     float64 // NaN where the file leaves the cell empty
}

// layout is one of the three kinds of CSV files.
type layout struct {
	name    string
	columns []string
	labels  int // how many of the columns, the first ones, are not measured numbers
}

var (
	metricsLayout = layout{"metrics", []string{"dataset", "seed", "optimizer", "val_loss", "val_acc", "f1", "train_time"}, 3}
	summaryLayout = layout{"summary", []string{"dataset", "optimizer", "metric", "mean", "std"}, 3}
	testLayout    = layout{"t-test", []string{"dataset", "metric", "t_stat", "p_value"}, 2}
)

// ReadCSVFile reads a metrics, summary or t-test file. The header tells which
// of them it is:
//
//	dataset,seed,optimizer,val_loss,val_acc,f1,train_time
//	dataset,optimizer,metric,mean,std
//	dataset,metric,t_stat,p_value
//
// The columns may stand in any order; all of them must be there and no other.
// Numbers must be finite; std, t_stat and p_value may be empty, which is how
// pandas writes what one seed does not have. Every error names the file, and
// where there is one the line and the column.
func ReadCSVFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("read results: %w", err)
	}
	defer f.Close()
	return readCSV(path, f)
}

func readCSV(path string, r io.Reader) (File, error) {
	t, err := newCSVTable(path, r)
	if err != nil {
		return File{}, err
	}
	file := File{Path: path}
	firstLine := make(map[runKey]int)
	for {
		err := t.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return File{}, err
		}
		if t.layout.name != metricsLayout.name {
			statistics, err := t.statistics()
			if err != nil {
				return File{}, err
			}
			file.Statistics = append(file.Statistics, statistics...)
			continue
		}
		row, err := t.metricsRow()
		if err != nil {
			return File{}, err
		}
		line, _ := t.reader.FieldPos(0)
		if first, ok := firstLine[keyOf(row)]; ok {
			return File{}, fmt.Errorf("%s:%d: data set %q, seed %d, optimizer %q stands in line %d already", path, line, row.Dataset, row.Seed, row.Optimizer, first)
		}
		firstLine[keyOf(row)] = line
		file.Rows = append(file.Rows, row)
	}
	if len(file.Rows) == 0 && len(file.Statistics) == 0 {
		return File{}, fmt.Errorf("%s: there is a header but no row", path)
	}
	return file, nil
}

// runKey names a run. No two rows of a study may share it.
type runKey struct {
	dataset   string
	seed      int
	optimizer string
}

func keyOf(r Row) runKey { return runKey{r.Dataset, r.Seed, r.Optimizer} }

// csvTable reads a CSV file by the names of its columns.
type csvTable struct {
	path   string
	reader *csv.Reader
	layout layout
	place  map[string]int // column name -> place in a record
	record []string
}

func newCSVTable(path string, r io.Reader) (*csvTable, error) {
	const byteOrderMark = "\uFEFF" // spreadsheets write one in front
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark))
	}
	t := &csvTable{path: path, reader: csv.NewReader(buffered)}
	t.reader.FieldsPerRecord = -1 // counted in next, whose message says more
	t.reader.TrimLeadingSpace = true

	header, err := t.reader.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: the file is empty", path)
	}
	if err != nil {
		return nil, t.parseError(err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	if t.layout, err = recognise(header); err != nil {
		return nil, fmt.Errorf("%s:1: %w", path, err)
	}
	t.place = make(map[string]int)
	for i, column := range header {
		t.place[column] = i
	}
	return t, nil
}

// recognise returns the layout that has exactly the header's columns. Where
// there is none, its error compares the header with the nearest layout.
func recognise(header []string) (layout, error) {
	var nearest layout
	var missing, unknown []string
	for _, l := range []layout{metricsLayout, summaryLayout, testLayout} {
		m, u := without(l.columns, header), without(header, l.columns)
		if nearest.name == "" || len(m)+len(u) < len(missing)+len(unknown) {
			nearest, missing, unknown = l, m, u
		}
	}
	switch {
	case len(header)-len(unknown) < 2:
		return layout{}, fmt.Errorf("not a file of results: its first line is %.100q; a metrics file starts with %q",
			strings.Join(header, ","), strings.Join(metricsLayout.columns, ","))
	case len(missing) > 0:
		return layout{}, fmt.Errorf("this looks like a %s file, but has no column %s", nearest.name, quoteAll(missing))
	case len(unknown) > 0:
		return layout{}, fmt.Errorf("this looks like a %s file, but has an unknown column %s; known are %s", nearest.name, quoteAll(unknown), strings.Join(nearest.columns, ", "))
	case len(header) > len(nearest.columns):
		return layout{}, fmt.Errorf("a column stands twice in %q", strings.Join(header, ","))
	}
	return nearest, nil
}

// without returns the elements of a that b lacks.
func without(a, b []string) []string {
	var rest []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

func (t *csvTable) parseError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s:%d:%d: %w", t.path, parse.Line, parse.Column, parse.Err)
	}
	return fmt.Errorf("read %s: %w", t.path, err)
}

// next reads a record. It returns io.EOF, unwrapped, after the last one.
func (t *csvTable) next() error {
	record, err := t.reader.Read()
	if err == io.EOF {
		return io.EOF
	}
	if err != nil {
		return t.parseError(err)
	}
	if len(record) != len(t.layout.columns) {
		line, _ := t.reader.FieldPos(0)
		return fmt.Errorf("%s:%d: %d fields, but the header has %d columns", t.path, line, len(record), len(t.layout.columns))
	}
	t.record = record
	return nil
}

// fieldError returns an error about the current record's field in a column.
func (t *csvTable) fieldError(column, format string, values ...any) error {
	line, position := t.reader.FieldPos(t.place[column])
	return fmt.Errorf("%s:%d:%d: column %s: %s", t.path, line, position, column, fmt.Sprintf(format, values...))
}

func (t *csvTable) text(column string) (string, error) {
	s := strings.TrimSpace(t.record[t.place[column]])
	if s == "" {
		return "", t.fieldError(column, "empty")
	}
	return s, nil
}

func (t *csvTable) number(column string) (float64, error) {
	s, err := t.text(column)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, t.fieldError(column, "%q is not a number", s)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, t.fieldError(column, "%s is not a finite number (leave out runs that diverged)", s)
	}
	return v, nil
}

func (t *csvTable) metricsRow() (Row, error) {
	row := Row{Status: record.Finished}
	var err error
	if row.Dataset, err = t.text("dataset"); err != nil {
		return Row{}, err
	}
	if row.Optimizer, err = t.text("optimizer"); err != nil {
		return Row{}, err
	}
	seed, err := t.text("seed")
	if err != nil {
		return Row{}, err
	}
	if row.Seed, err = strconv.Atoi(seed); err != nil {
		return Row{}, t.fieldError("seed", "%q is not a whole number", seed)
	}
	for _, m := range Metrics() {
		if *m.field(&row), err = t.number(m.String()); err != nil {
			return Row{}, err
		}
	}
	line, _ := t.reader.FieldPos(0)
	row.Source = fmt.Sprintf("%s:%d", t.path, line)
	return row, nil
}

// statistics returns the numbers of the current record of a summary or t-test file.
func (t *csvTable) statistics() ([]Statistic, error) {
	labels := make(map[string]string)
	for _, column := range t.layout.columns[:t.layout.labels] {
		s, err := t.text(column)
		if err != nil {
			return nil, err
		}
		labels[column] = s
	}
	line, _ := t.reader.FieldPos(0)
	var statistics []Statistic
	for _, column := range t.layout.columns[t.layout.labels:] {
		value := math.NaN()
		if column == "mean" || strings.TrimSpace(t.record[t.place[column]]) != "" {
			var err error
			if value, err = t.number(column); err != nil {
				return nil, err
			}
		}
		statistics = append(statistics, Statistic{line, labels["dataset"], labels["optimizer"], labels["metric"], column, value})
	}
	return statistics, nil
}
