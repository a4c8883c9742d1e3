package data

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readCSV reads a text of lines: first the names of the columns, then a row each. The separator is
// the comma, semicolon or tab that is most frequent in the first line. One column has the classes,
// numbers or texts; the others are numbers.
func readCSV(s *Shelf, ctx context.Context, path, label string) (*raw, error) {
	from, file, err := s.content(ctx, path, 6) // a number takes two bytes of the file at least, and twelve in memory
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseCSV(path, from, label)
}

// parseCSV reads the text; path is its name in errors.
func parseCSV(path string, from io.Reader, label string) (*raw, error) {
	buffered := bufio.NewReaderSize(from, 1<<20)
	start, err := buffered.Peek(1 << 20)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(string(start), "\uFEFF"), "\n")
	if strings.HasPrefix(string(start), "\uFEFF") {
		if _, err := buffered.Discard(len("\uFEFF")); err != nil {
			return nil, err
		}
	}
	lines := csv.NewReader(buffered)
	lines.Comma, lines.ReuseRecord, lines.FieldsPerRecord = separator(first), true, -1
	header, err := lines.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: it is empty: the first line has the names of the columns", path)
	}
	if err != nil {
		return nil, syntax(path, err)
	}
	columns := make([]string, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		columns[i] = strings.TrimSpace(name)
		switch {
		case !utf8.ValidString(name):
			return nil, fmt.Errorf("%s: line 1 is no UTF-8 text: save the file as CSV in UTF-8", path)
		case strings.Contains(columns[i], "\r"):
			return nil, fmt.Errorf("%s: its lines end in a carriage return alone: save it with line feeds", path)
		case columns[i] == "":
			return nil, fmt.Errorf("%s: column %d has no name in line 1: name it, or leave it out if it numbers the rows, as to_csv(index=False) of pandas does", path, i+1)
		case seen[columns[i]]:
			return nil, fmt.Errorf("%s: two columns are called %q", path, columns[i])
		}
		seen[columns[i]] = true
	}
	if numbersAlone(columns) {
		return nil, fmt.Errorf("%s: line 1 has numbers alone: it must have the names of the columns", path)
	}
	at, err := findLabel(path, label, columns)
	if err != nil {
		return nil, err
	}
	r := &raw{}
	for i, name := range columns {
		if i != at {
			r.Columns = append(r.Columns, name)
		}
	}
	r.Shape = []int{len(r.Columns)}
	var numbers []int32 // of the lines, by row: blank lines are no rows
	for {
		fields, err := lines.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, syntax(path, err)
		}
		line, _ := lines.FieldPos(0)
		if len(fields) != len(columns) {
			return nil, fmt.Errorf("%s: line %d has %d columns, and the first line %d", path, line, len(fields), len(columns))
		}
		numbers = append(numbers, int32(line))
		for i, field := range fields {
			field = strings.TrimSpace(field)
			if i == at {
				r.classes = append(r.classes, strings.Clone(field))
				continue
			}
			v, err := strconv.ParseFloat(field, 64)
			if field == "" {
				return nil, fmt.Errorf("%s: line %d, column %s is empty: fill it in, or leave the line out", path, line, columns[i])
			}
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return nil, fmt.Errorf("%s: line %d, column %s is %.40q, where a number is expected", path, line, columns[i], field)
			}
			r.Values = append(r.Values, v)
		}
	}
	r.where = func(row int) string { return fmt.Sprintf("line %d", numbers[row]) }
	return r, nil
}

// separator is the character between the columns of a line. A quoted name may have others.
func separator(line string) rune {
	line = quoted.ReplaceAllString(line, "")
	best := ','
	for _, r := range ",;\t" {
		if strings.Count(line, string(r)) > strings.Count(line, string(best)) {
			best = r
		}
	}
	return best
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// numbersAlone says whether all names are numbers, as a file without a line of names has them.
func numbersAlone(names []string) bool {
	for _, name := range names {
		if _, err := strconv.ParseFloat(name, 64); err != nil {
			return false
		}
	}
	return true
}

// syntax says in the program's words what the csv package found.
func syntax(path string, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s: line %d, character %d: %w", path, parse.Line, parse.Column, parse.Err)
	}
	return fmt.Errorf("read %s: %w", path, err)
}
