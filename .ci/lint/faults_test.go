package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestProseFindsFaults plants faults in a page and in a Go file.
func TestProseFindsFaults(t *testing.T) {
	long := strings.Repeat("word ", longest)
	page := "# The seed's rooms\n\nA line\nis drawn. " + long + "more.\n\n" + long + "\n\n| a | the same bits |\n\n    a drawn line of code\n\n- `drawn` is code,\n  nevertheless\n"
	var found []string
	report := func(fault ...any) { found = append(found, strings.SplitN(fmt.Sprint(fault...), ": ", 3)[0:2]...) }
	check(report, "page.md", paragraphs("page.md", 1, page))
	check(report, "a.go", comments(t, "a.go", []byte(`// Package a is held firmly against b.
package a

// T is drawn.
type T struct {
	A int // of ours
	b int // drawn
}

// f is drawn.
func f() { g(flag{Usage: "Again: " + "x"}) }
`)))
	want := []string{
		"page.md:1", `write package; of a device, memory, not "rooms"`,
		"page.md:1", `write the pilot's`,
		"page.md:3", `write sampled; of a figure, plotted, not "drawn"`,
		"page.md:3", fmt.Sprintf("%d words in a sentence, at most %d", longest+1, longest),
		"page.md:8", `write bit-identical, not "same bits"`,
		"page.md:12", `write a plain sentence, not "nevertheless"`,
		"a.go:11", `write Reproduce:, not "Again:"`,
		"a.go:1", `write compare with, not "held firmly against"`,
		"a.go:4", `write sampled; of a figure, plotted, not "drawn"`,
		"a.go:6", `write a noun, not "of ours"`,
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %q\nwant %q", found, want)
	}
}
