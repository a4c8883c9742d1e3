package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu/cpu"
)

// The commands of docs/rules.md do what the page says. A block of code there is a file, or commands
// with what they print. "..." stands for lines that are left out. Numbers may differ: times do,
// and results of another processor.
func TestRulesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	heavyball, err := os.ReadFile("../../optim/testdata/heavyball.ptx")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	commands := 0
	for _, block := range codeBlocks(string(page)) {
		first, _, _ := strings.Cut(block, "\n")
		if of := regexp.MustCompile(`^(//! )?rule (\w+) "`).FindStringSubmatch(first); of != nil {
			name := of[2] + ".rule"
			if of[1] != "" {
				name = of[2] + ".ptx"
				if block != string(heavyball) {
					t.Error("the kernel of the page is not that of optim/testdata")
				}
			}
			if err := os.WriteFile(name, []byte(block), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for part := range strings.SplitSeq(block, "$ diaghess ") {
			line, printed, _ := strings.Cut(part, "\n")
			if line == "" {
				continue
			}
			commands++
			status, out, errors := command(t, strings.Fields(line)...)
			want := 0
			if strings.HasPrefix(printed, "diaghess: ") {
				want, out = 1, errors
			}
			if status != want {
				t.Fatalf("diaghess %s: status %d, want %d\n%s%s", line, status, want, out, errors)
			}
			if missing := leftOut(printed, out); missing != "" && cpu.Libraries()[0] == "native" {
				t.Errorf("diaghess %s does not print %q of the page, it prints\n%s", line, missing, out)
			}
		}
	}
	if commands < 6 {
		t.Errorf("%d commands on the page, want at least 6", commands)
	}
	if _, err := os.Stat(filepath.Join("tune-study", "index.html")); err != nil {
		t.Error(err)
	}
}

// codeBlocks returns the indented blocks of a page.
func codeBlocks(page string) (blocks []string) {
	var block strings.Builder
	blank := 0
	end := func() {
		if block.Len() > 0 {
			blocks = append(blocks, block.String())
		}
		block.Reset()
		blank = 0
	}
	for line := range strings.Lines(page) {
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented:
			block.WriteString(strings.Repeat("\n", blank) + code)
			blank = 0
		case strings.TrimSpace(line) == "" && block.Len() > 0:
			blank++
		default:
			end()
		}
	}
	end()
	return blocks
}

// leftOut returns the first line of a page that an output does not have at its place, "" for none.
func leftOut(page, output string) string {
	lines := func(text string) (all []string) {
		number := regexp.MustCompile(`[-+−]?(\d[\d.,]*(e[-+]?\d+)?|Inf)`)
		space := regexp.MustCompile(`[ ─]+`)
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(space.ReplaceAllString(number.ReplaceAllString(line, "#"), " ")); line != "" {
				all = append(all, line)
			}
		}
		return all
	}
	if page == "" {
		return ""
	}
	return mismatch(lines(page), lines(output), false)
}

// mismatch is leftOut for lines, of which the output's first ones may be left out or not.
func mismatch(page, output []string, skip bool) string {
	switch {
	case len(page) == 0 && (skip || len(output) == 0):
		return ""
	case len(page) == 0:
		return "the end of the output"
	case page[0] == "...":
		return mismatch(page[1:], output, true)
	}
	missing := page[0]
	for i, line := range output {
		if line == page[0] {
			if missing = mismatch(page[1:], output[i+1:], false); missing == "" {
				return ""
			}
		}
		if !skip {
			break
		}
	}
	return missing
}

func TestLeftOut(t *testing.T) {
	for _, c := range []struct{ page, output, want string }{
		{"a 1\nb 2\n", "a 3\n\nb   4.5e-7\n", ""},
		{"a 1\nc\n", "a 3\nb\nc\n", "c"},
		{"a 1\n...\nc\n", "a 3\nb\nc\n", ""},
		{"a\n", "a\nb\n", "the end of the output"},
		{"a\n...\n", "a\nb\n", ""},
		{"", "a\n", ""},
	} {
		if got := leftOut(c.page, c.output); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.page, c.output, got, c.want)
		}
	}
	if got := codeBlocks("text\n\n    a\n\n    b\ntext\n    c\n"); !slices.Equal(got, []string{"a\n\nb\n", "c\n"}) {
		t.Errorf("the blocks are %q", got)
	}
}
