package cpu

import (
	"slices"
	"strings"

	"diaghess/gpu/vector"
)

// The names of the libraries, which the names of their algorithms contain as a word.
const (
	nativeName = "native"
	gonumName  = "gonum"
)

// LibraryOf returns the name of the library, "native" or "gonum", whose algorithm (see
// layers.Batch.Algorithms) has the given name, whether or not this process can use it; "" for
// none.
func LibraryOf(algorithm string) string {
	for word := range strings.FieldsSeq(algorithm) {
		if slices.Contains([]string{nativeName, gonumName}, word) {
			return word
		}
	}
	return ""
}

// libraries returns what this process can use at a level of vectors, the fastest
// first.
func libraries(level vector.Level) []library {
	return append(nativeLibraries(level), gonumLibrary{})
}
