package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What spreadsheets and trackers of experiments make of a CSV file: encodings, separators,
// ways to write a number.

// largestCSV is how many bytes of a CSV file are read at most: half a million rows and more.
const largestCSV = 1 << 26

// readText reads a CSV file of at most so many bytes as text in UTF-8 with \n at the end of
// lines. Errors name the place.
func readText(path string, r io.Reader, most int) (string, error) {
	var content bytes.Buffer
	chunk := make([]byte, 1<<16)
	for {
		n, err := r.Read(chunk)
		content.Write(chunk[:n])
		if content.Len() > most {
			return "", fmt.Errorf("%s is longer than %d MB, too long for a file of results: divide it by data set", path, most>>20)
		}
		if bytes.IndexByte(chunk[:n], 0) >= 0 && !isUTF16(content.Bytes()) {
			return "", fmt.Errorf("%s is no text: it has bytes that are 0; a CSV file from a spreadsheet is saved as UTF-8", path)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
	}
	text, err := decodeText(path, content.Bytes())
	if err != nil {
		return "", err
	}
	const byteOrderMark = "\uFEFF" // also where files were joined
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n"+byteOrderMark, "\n"), byteOrderMark), nil
}

// isUTF16 says whether a file begins with the byte order mark of UTF-16.
func isUTF16(content []byte) bool {
	start := string(content[:min(2, len(content))])
	return start == "\xFF\xFE" || start == "\xFE\xFF"
}

func decodeText(path string, content []byte) (string, error) {
	if !isUTF16(content) {
		if !utf8.Valid(content) {
			return "", notUTF8(path, content)
		}
		return string(content), nil
	}
	if len(content)%2 != 0 || bytes.HasPrefix(content, []byte("\xFF\xFE\x00\x00")) {
		return "", fmt.Errorf("%s begins as UTF-16 does and is not: save it as UTF-8", path)
	}
	units := make([]uint16, len(content)/2)
	for i := range units {
		low, high := content[2*i], content[2*i+1]
		if content[0] == 0xFE {
			low, high = high, low
		}
		units[i] = uint16(high)<<8 | uint16(low)
	}
	return string(utf16.Decode(units)), nil
}

// notUTF8 names the first byte that is not UTF-8.
func notUTF8(path string, content []byte) error {
	at := 0
	for at < len(content) {
		r, size := utf8.DecodeRune(content[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	before := content[:at]
	line := 1 + bytes.Count(before, []byte("\n"))
	return fmt.Errorf("%s:%d:%d: byte %#X is not UTF-8: save the file as UTF-8", path, line, at-bytes.LastIndexByte(before, '\n'), content[at])
}

// separators returns the characters that may separate fields, and the text without the line
// sep=X that Excel reads and writes.
func separators(text string) (string, []rune) {
	first, rest, _ := strings.Cut(text, "\n")
	if name, value, _ := strings.Cut(strings.Trim(first, `"`), "="); strings.EqualFold(name, "sep") && utf8.RuneCountInString(value) == 1 && strings.ContainsAny(value, ",;\t|") {
		return "\n" + rest, []rune(value) // the lines keep their numbers
	}
	return text, []rune{',', ';', '\t', '|'}
}

// newReader reads the fields of a text.
func newReader(text string, separator rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = separator
	r.FieldsPerRecord = -1 // counted by csvTable, whose message says more
	r.TrimLeadingSpace = separator != '\t'
	r.ReuseRecord = true
	return r
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// nameless says whether a column's title is one that programs give to the numbers of rows.
func nameless(title string) bool {
	return title == "" || title == "index" || strings.HasPrefix(title, "unnamed:")
}

// isRowNumber says whether a cell can stand in a column of the numbers of rows.
func isRowNumber(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || strings.Trim(s, "0123456789") == ""
}

// written is a number as a person or a program writes it.
type written struct {
	sign, exponent string
	mantissa       string
	// mark is what this number alone says of the decimal mark: a point or a comma, or 0 for
	// nothing. either is the character that may be a decimal mark or may separate thousands,
	// as in 1,234, or 0.
	mark, either rune
}

// readNumber takes a number apart; it returns false for what is none.
func readNumber(s string) (w written, ok bool) {
	s = strings.ReplaceAll(s, "−", "-")
	if s != "" && strings.ContainsRune("+-", rune(s[0])) {
		w.sign, s = s[:1], s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if _, err := strconv.Atoi(s[i+1:]); err != nil {
			return w, false
		}
		s, w.exponent = s[:i], s[i:]
	}
	w.mantissa = s
	var between []rune             // the characters between digits
	lengths := []int{0}            // how many digits there are before, between and after them
	for _, r := range w.mantissa { // thousands are separated by spaces and apostrophes too
		switch {
		case r >= '0' && r <= '9':
			lengths[len(lengths)-1]++
		case r == '.' || r == ',' || r == '\'' || r == '’' || unicode.IsSpace(r):
			between, lengths = append(between, r), append(lengths, 0)
		default:
			return w, false
		}
	}
	last := len(between) - 1
	grouped := func(groups []int) bool {
		for _, n := range groups[1:] {
			if n != 3 {
				return false
			}
		}
		return groups[0] >= 1 && groups[0] <= 3
	}
	switch {
	case last < 0:
		return w, lengths[0] > 0
	case last == 0 && strings.ContainsRune(".,", between[0]):
		if lengths[0]+lengths[1] == 0 {
			return w, false
		}
		if grouped(lengths) && s[0] != '0' {
			w.either = between[0]
		} else {
			w.mark = between[0]
		}
		return w, true
	}
	for _, r := range between[:last] {
		if r != between[0] {
			return w, false
		}
	}
	if between[last] == between[0] { // thousands alone
		switch between[0] {
		case '.':
			w.mark = ','
		case ',':
			w.mark = '.'
		}
		return w, grouped(lengths)
	}
	w.mark = between[last]
	return w, strings.ContainsRune(".,", w.mark) && grouped(lengths[:last+1])
}

// text is the number as Go writes it, given the decimal mark.
func (w written) text(mark rune) string {
	return w.sign + strings.Map(func(r rune) rune {
		switch {
		case r == mark:
			return '.'
		case r >= '0' && r <= '9':
			return r
		}
		return -1
	}, w.mantissa) + w.exponent
}

// notation is how a file writes numbers, as far as it has been read.
type notation struct {
	mark  rune   // the decimal mark; 0 where no number has told yet
	where string // the number that told
	// either is a number whose comma may be one or the other.
	either string
}

// learn adds what a number says. It returns an error for a number that contradicts an
// earlier one.
func (n *notation) learn(s string, place func() string) error {
	w, ok := readNumber(strings.TrimSpace(strings.TrimSuffix(s, "%")))
	if !ok {
		return nil // said when it is read
	}
	switch {
	case w.either == ',' && n.either == "":
		n.either = fmt.Sprintf("%s: %q", place(), s)
	case w.mark != 0 && n.mark == 0:
		n.mark, n.where = w.mark, fmt.Sprintf("%q at %s", s, place())
	case w.mark != 0 && w.mark != n.mark:
		return fmt.Errorf("%s: %q has another decimal mark than %s: write all numbers of a file with decimal points", place(), s, n.where)
	}
	return nil
}

// settle decides what the numbers left open. A point alone is a decimal point.
func (n *notation) settle() error {
	if n.mark == 0 && n.either != "" {
		return fmt.Errorf("%s may be a decimal fraction, or have its thousands separated: write numbers with decimal points and without separators", n.either)
	}
	if n.mark == 0 {
		n.mark = '.'
	}
	return nil
}

// parse reads a number of the file, NaN and infinities too; one that is too large for a float64
// is infinite. It returns false for what is none.
func (n notation) parse(s string) (float64, bool) {
	if strings.ContainsAny(s, "_xX") { // of numbers in programs
		return 0, false
	}
	if w, ok := readNumber(s); ok {
		s = w.text(n.mark)
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

// parseWhole reads a whole number, 3 or 3.0.
func (n notation) parseWhole(s string) (int, bool) {
	if v, err := strconv.Atoi(s); err == nil {
		return v, true
	}
	const largest = 1 << 53 // up to which float64 has all of them
	v, ok := n.parse(s)
	return int(v), ok && v == math.Trunc(v) && math.Abs(v) <= largest
}
