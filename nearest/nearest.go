// Package nearest says what a mistyped name was meant to be.
//
// What does not belong here: which names there are.
package nearest

import (
	"fmt"
	"strings"
)

// Unknown is the error of a name that is none of the known ones: it lists them, the one
// that was probably meant first. what says of what the name is, such as "optimizer".
func Unknown(what, name string, known []string) error {
	return fmt.Errorf("unknown %s %q%s (known: %s)", what, name, Question(name, known, ""), strings.Join(known, ", "))
}

// Question is ": did you mean NAME?" with the nearest known name behind a prefix, such as
// "--", and "" where none is near.
func Question(name string, known []string, prefix string) string {
	best := Name(name, known)
	if best == "" {
		return ""
	}
	return ": did you mean " + prefix + best + "?"
}

// Name is the nearest known name, the first of equally near ones, and "" where none is
// near.
func Name(name string, known []string) string {
	best, least := "", 0
	for _, k := range known {
		a, b := []rune(strings.ToLower(name)), []rune(strings.ToLower(k))
		d := distance(a, b)
		if d <= max(1, max(len(a), len(b))/3) && d < len(b) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be inserted, deleted, replaced, or swapped with the
// next one, to make b of a.
func distance(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
