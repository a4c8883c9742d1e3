package report

import (
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
	labels  int      // how many of the columns, the first ones, are not measured numbers
	extra   []string // columns that may be there too
}

// columnTuning is the column of metrics files for the number of a run's tuning.
const columnTuning = "tuning"

var (
	metricsLayout = layout{"metrics", []string{"dataset", "seed", "optimizer", "val_loss", "val_acc", "f1", "train_time"}, 3, []string{columnTuning}}
	summaryLayout = layout{"summary", []string{"dataset", "optimizer", "metric", "mean", "std"}, 3, nil}
	testLayout    = layout{"t-test", []string{"dataset", "metric", "t_stat", "p_value"}, 2, nil}
)

func layouts() []layout { return []layout{metricsLayout, summaryLayout, testLayout} }

// numbers returns the columns of numbers, the seed's too.
func (l layout) numbers() []string {
	numbers := l.columns[l.labels:]
	if slices.Contains(l.columns, "seed") {
		numbers = append([]string{"seed"}, numbers...)
	}
	return numbers
}

// ReadCSVFile reads a metrics, summary or t-test file. The header tells which
// of them it is:
//
//	dataset,seed,optimizer,val_loss,val_acc,f1,train_time
//	dataset,optimizer,metric,mean,std
//	dataset,metric,t_stat,p_value
//
// The columns may stand in any order; all of them must be there and no other, except for
// one of the numbers of rows and empty ones. A metrics file may have the column tuning, with
// the number of each run's tuning from 1. Numbers must be finite, accuracies and F1
// between 0 and 1, losses and times not negative. std, t_stat and p_value may be empty,
// which is how pandas writes what one seed does not have.
//
// Fields are separated by commas, semicolons, tabs or bars. Text is UTF-8, or UTF-16 with a
// byte order mark. Numbers may have decimal commas if all of the file have. What can be
// understood in two ways is an error. Every error names the file, and where there is one
// the line and the column.
func ReadCSVFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("read results: %w", err)
	}
	defer f.Close()
	return readCSV(path, f)
}

func readCSV(path string, r io.Reader) (File, error) {
	text, err := readText(path, r, largestCSV)
	if err != nil {
		return File{}, err
	}
	t, err := newCSVTable(path, text)
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
		if first, ok := firstLine[keyOf(row)]; ok {
			hint := ""
			if row.Tuning > 0 {
				hint = "; each tuning needs seeds of its own"
			}
			return File{}, fmt.Errorf("%s:%d: data set %q, seed %d, optimizer %q stands in line %d already%s", path, t.line(), row.Dataset, row.Seed, row.Optimizer, first, hint)
		}
		firstLine[keyOf(row)] = t.line()
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
	path      string
	content   string
	separator rune
	reader    *csv.Reader
	header    []string // the titles in lower case, without those of rowNames
	layout    layout
	place     map[string]int // column name -> place in a record
	rowNames  bool           // whether each record has a field more than the header, a number in front
	notation  notation
	record    []string
}

func newCSVTable(path, text string) (*csvTable, error) {
	text, candidates := separators(text)
	t := &csvTable{path: path, content: text}
	var failure error
	best := -1 // known columns of the candidate whose failure is told
	for _, separator := range candidates {
		t.separator = separator
		known, err := t.readHeader()
		if err == nil {
			return t, t.survey()
		}
		if known > best {
			best, failure = known, err
		}
	}
	return nil, failure
}

// readHeader begins to read and sets what the header tells. It returns how many of the
// header's columns are known.
func (t *csvTable) readHeader() (known int, err error) {
	t.reader = newReader(t.content, t.separator)
	header, err := t.read()
	if err == io.EOF {
		return 0, fmt.Errorf("%s: the file is empty", t.path)
	}
	if err != nil {
		return 0, err
	}
	t.header, t.place = nil, make(map[string]int)
	var titles []string
	for i, title := range header {
		title = strings.ToLower(strings.TrimSpace(title))
		t.header = append(t.header, title)
		if !nameless(title) {
			titles = append(titles, title)
			t.place[title] = i
		}
	}
	for _, l := range layouts() {
		known = max(known, len(l.columns)-len(without(l.columns, titles)))
	}
	if len(titles) == 1 && strings.ContainsRune(titles[0], t.separator) {
		return 0, fmt.Errorf("%s:%d: the line is one field in quotes: take the quotes off the lines", t.path, t.line())
	}
	if t.layout, err = recognise(titles); err != nil {
		return known, fmt.Errorf("%s:%d: %w", t.path, t.line(), err)
	}
	return known, nil
}

// survey reads the whole file once for what only all of it tells: whether there are row
// names and how numbers are written. Then it begins anew after the header.
func (t *csvTable) survey() error {
	t.rowNames = true
	rows := 0
	for ; ; rows++ {
		record, err := t.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		t.rowNames = t.rowNames && len(record) == len(t.header)+1 && isRowNumber(record[0]) && !isBlank(record[0])
	}
	t.rowNames = t.rowNames && rows > 0
	if err := t.rewind(); err != nil {
		return err
	}
	for {
		err := t.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		for i, title := range t.header {
			if nameless(title) && !isRowNumber(t.record[i]) {
				line, position := t.position(i)
				return fmt.Errorf("%s:%d:%d: %q stands in a column without a name: name the column, or delete it", t.path, line, position, t.record[i])
			}
		}
		for _, column := range t.layout.numbers() {
			s := t.record[t.place[column]]
			place := func() string {
				line, position := t.position(t.place[column])
				return fmt.Sprintf("%s:%d:%d: column %s", t.path, line, position, column)
			}
			if err := t.notation.learn(strings.TrimSpace(s), place); err != nil {
				return err
			}
		}
	}
	if err := t.notation.settle(); err != nil {
		return err
	}
	return t.rewind()
}

// rewind begins to read anew after the header.
func (t *csvTable) rewind() error {
	t.reader = newReader(t.content, t.separator)
	_, err := t.read()
	return err
}

// read reads a record that is not blank. It returns io.EOF, unwrapped, after the last one.
func (t *csvTable) read() ([]string, error) {
	for {
		record, err := t.reader.Read()
		if err != nil && err != io.EOF {
			return nil, t.parseError(err)
		}
		if err == io.EOF || slices.ContainsFunc(record, func(s string) bool { return !isBlank(s) }) {
			return record, err
		}
	}
}

// line is the line of the current record.
func (t *csvTable) line() int {
	line, _ := t.reader.FieldPos(0)
	return line
}

// position is the line and the column of the current record's field under a title.
func (t *csvTable) position(field int) (line, column int) {
	if t.rowNames {
		field++
	}
	return t.reader.FieldPos(field)
}

// recognise returns the layout that has exactly the header's columns. Where
// there is none, its error compares the header with the nearest layout.
func recognise(header []string) (layout, error) {
	var nearest layout
	var missing, unknown []string
	for _, l := range layouts() {
		m, u := without(l.columns, header), without(without(header, l.columns), l.extra)
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
		return layout{}, fmt.Errorf("this looks like a %s file, but has an unknown column %s: delete it; known are %s", nearest.name, quoteAll(unknown), strings.Join(slices.Concat(nearest.columns, nearest.extra), ", "))
	case len(distinct(slices.Clone(header))) < len(header):
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
		err = parse.Err
		switch err {
		case csv.ErrQuote:
			err = errors.New("a field begins with a quotation mark, and none ends it: add it, and write quotation marks inside a field twice")
		case csv.ErrBareQuote:
			err = errors.New("a quotation mark stands inside a field: write it twice, and the field in quotation marks, or leave it out")
		}
		return fmt.Errorf("%s:%d:%d: %w", t.path, parse.Line, parse.Column, err)
	}
	return fmt.Errorf("read %s: %w", t.path, err)
}

// next reads a record as wide as the header; a header that stands again, where files were
// joined, is none. It returns io.EOF, unwrapped, after the last one.
func (t *csvTable) next() error {
	for {
		record, err := t.read()
		if err != nil {
			return err
		}
		fields := len(record)
		if t.rowNames {
			record = record[1:]
		}
		for len(record) > len(t.header) && isBlank(record[len(record)-1]) {
			record = record[:len(record)-1]
		}
		for len(record) < len(t.header) && nameless(t.header[len(record)]) {
			record = append(record, "")
		}
		if len(record) != len(t.header) {
			hint := ""
			if fields > len(t.header) && t.separator == ',' {
				hint = "; numbers with decimal commas need quotes, or semicolons between the fields"
			}
			return fmt.Errorf("%s:%d: %d fields, but the header has %d columns%s", t.path, t.line(), fields, len(t.header), hint)
		}
		t.record = record
		if !slices.EqualFunc(record, t.header, func(field, title string) bool { return strings.EqualFold(strings.TrimSpace(field), title) }) {
			return nil
		}
	}
}

// fieldError returns an error about the current record's field in a column.
func (t *csvTable) fieldError(column, format string, values ...any) error {
	line, position := t.position(t.place[column])
	return fmt.Errorf("%s:%d:%d: column %s: %s", t.path, line, position, column, fmt.Sprintf(format, values...))
}

func (t *csvTable) text(column string) (string, error) {
	s := strings.TrimSpace(t.record[t.place[column]])
	if s == "" {
		return "", t.fieldError(column, "empty")
	}
	return s, nil
}

func (t *csvTable) whole(column string) (int, error) {
	s, err := t.text(column)
	if err != nil {
		return 0, err
	}
	v, ok := t.notation.parseWhole(s)
	if !ok {
		return 0, t.fieldError(column, "%q is not a whole number", s)
	}
	return v, nil
}

func (t *csvTable) number(column string) (float64, error) {
	s := strings.TrimSpace(t.record[t.place[column]])
	if s == "" {
		return 0, t.fieldError(column, "empty: give the number, or leave the run out")
	}
	share, percent := strings.CutSuffix(s, "%")
	percent = percent && (column == ValAcc.String() || column == F1.String())
	if percent {
		s = strings.TrimSpace(share)
	}
	v, ok := t.notation.parse(s)
	if !ok {
		return 0, t.fieldError(column, "%q is not a number", s)
	}
	if percent {
		v /= 100
	}
	switch {
	case !finite(v) && !strings.ContainsAny(s, "0123456789"):
		return 0, t.fieldError(column, "%s is not a finite number (leave out runs that diverged)", s)
	case math.Abs(v) > largest:
		return 0, t.fieldError(column, "%s is too large: numbers up to %g can be compared (leave out runs that diverged)", s, largest)
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
	row.Optimizer = record.CurrentSpec(row.Optimizer)
	if row.Seed, err = t.whole("seed"); err != nil {
		return Row{}, err
	}
	if _, there := t.place[columnTuning]; there {
		if row.Tuning, err = t.whole(columnTuning); err != nil {
			return Row{}, err
		}
		if row.Tuning < 1 {
			return Row{}, t.fieldError(columnTuning, "%d is not a number of a tuning: these count from 1; without several tunings, leave the column out", row.Tuning)
		}
		row.Arm = row.Optimizer
	}
	if row.Seed < 0 {
		return Row{}, t.fieldError("seed", "%d is below 0, and a seed is not: correct it, or leave the run out", row.Seed)
	}
	for _, m := range Metrics() {
		v, err := t.number(m.String())
		if err != nil {
			return Row{}, err
		}
		if problem := m.impossible(v); problem != "" {
			return Row{}, t.fieldError(m.String(), "%s", problem)
		}
		*m.field(&row) = v
	}
	row.Source = t.path + ":" + strconv.Itoa(t.line())
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
	line := t.line()
	var statistics []Statistic
	for _, column := range t.layout.columns[t.layout.labels:] {
		value := math.NaN()
		if column == "mean" || strings.TrimSpace(t.record[t.place[column]]) != "" {
			var err error
			if value, err = t.number(column); err != nil {
				return nil, err
			}
		}
		statistics = append(statistics, Statistic{line, labels["dataset"], record.CurrentSpec(labels["optimizer"]), labels["metric"], column, value})
	}
	return statistics, nil
}
