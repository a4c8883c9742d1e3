package rulefile

import (
	"fmt"
	"strconv"
	"strings"

	"diaghess/nearest"
)

// Error is a mistake in a rule file. It says what was expected at a place, and what was
// found there.
type Error struct {
	File         string // as the caller of Parse names it
	Line, Column int    // from 1; a column counts characters
	Message      string
}

// Error returns "file:line:column: message".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// position is a place in a file.
type position struct{ line, column int }

func (p position) String() string { return fmt.Sprintf("%d:%d", p.line, p.column) }

// fail ends parsing, checking or compiling with an error; recovered returns it.
func fail(file string, at position, format string, args ...any) {
	panic(&Error{file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// recovered sets err to what fail was called with. It is deferred.
func recovered(err *error) {
	switch failure := recover().(type) {
	case nil:
	case *Error:
		*err = failure
	default:
		panic(failure)
	}
}

// similar is the end of a message about an unknown name: the nearest known name, or all of
// them where none is near.
func similar(name string, known []string) string {
	if best := nearest.Name(name, known); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ": known are " + strings.Join(known, ", ")
}

// decimal writes a number as a person does.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
