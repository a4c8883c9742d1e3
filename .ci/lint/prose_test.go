package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// longest is the most words that a sentence may have.
const longest = 32

// words has expressions that are avoided, each with what to write instead.
var words = []struct {
	avoid *regexp.Regexp
	write string
}{
	{avoid(`drawn`), "sampled; of a figure, plotted"},
	{avoid(`(hold|holds|held|holding)( [^ .;]+){0,8} against`), "compare with"},
	{avoid(`([Tt]he|same|equal|last|their) bits`), "bit-identical"},
	{avoid(`([Tt]he|all|and|but|for|keeps) products`), "convolutions and matrix products"},
	{avoid(`[Rr]ooms?`), "package; of a device, memory"},
	{avoid(`sees? to it`), "ensures"},
	{avoid(`[Tt]he seed's`), "the pilot's: a seed is a random seed"},
	{avoid(`Again:`), "Reproduce:"}, {avoid(`but for`), "except for"},
	{avoid(`of ours|that are none|that there are`), "a noun"},
	{avoid(`whose it is|under one stem|of each says more|nevertheless|for want of`), "a plain sentence"},
}

func avoid(part string) *regexp.Regexp { return regexp.MustCompile(`\b(` + part + `)(\W|$)`) }

// exceptions are parts of sentences, by file, that may stay, each with the reason.
var exceptions = map[string]map[string]string{}

// A text is a paragraph, a list item or a cell of a table.
type text struct{ place, text string }

func TestProse(t *testing.T) {
	list, err := exec.Command("git", "-c", "safe.directory=*", "-C", root, "ls-files", "*.md", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.FieldsSeq(string(list)) {
		source, err := os.ReadFile(filepath.Join(root, file))
		switch {
		case err != nil:
			t.Error(err)
		case strings.HasPrefix(file, "docs/studies/"), strings.HasSuffix(file, "testdata/published.md"): // not written by hand
		case strings.HasSuffix(file, ".md"):
			check(t.Error, file, paragraphs(file, 1, string(source)))
		case !strings.HasSuffix(file, "_test.go"):
			check(t.Error, file, comments(t, file, source))
		}
	}
}

var (
	word     = regexp.MustCompile(`\S*[\pL\pN]\S*`)
	sentence = regexp.MustCompile(`[.!?][)*"]*\s+`)
	code     = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\([^)]*\)`)
	item     = regexp.MustCompile(`^\s*([-*]|\d+\.)\s+`)
)

// check reports the faults of a file's texts. Code counts as one word.
func check(report func(...any), file string, texts []text) {
	for _, p := range texts {
		plain := link.ReplaceAllString(code.ReplaceAllString(p.text, "code"), "]")
	sentences:
		for s := range strings.SplitSeq(sentence.ReplaceAllString(plain, "$0\x00"), "\x00") {
			for part := range exceptions[file] {
				if strings.Contains(s, part) {
					continue sentences
				}
			}
			if n := len(word.FindAllString(s, -1)); n > longest {
				report(fmt.Sprintf("%s: %d words in a sentence, at most %d: %s", p.place, n, longest, s))
			}
			for _, w := range words {
				if found := w.avoid.FindStringSubmatch(s); found != nil {
					report(fmt.Sprintf("%s: write %s, not %q: %s", p.place, w.write, found[1], s))
				}
			}
		}
	}
}

// paragraphs divides Markdown, or a comment, into texts. It leaves out blocks of code.
func paragraphs(file string, line int, source string) (all []text) {
	open := false // the last text continues
	for i, l := range strings.Split(source, "\n") {
		place, trimmed := fmt.Sprintf("%s:%d", file, line+i), strings.TrimSpace(l)
		indented := strings.HasPrefix(l, "\t") || strings.HasPrefix(l, "    ")
		switch {
		case trimmed == "":
			open = false
		case strings.HasPrefix(trimmed, "|"):
			for cell := range strings.SplitSeq(trimmed, "|") {
				all = append(all, text{place, cell})
			}
		case item.MatchString(l), strings.HasPrefix(l, "#"), !open && !indented:
			all, open = append(all, text{place, trimmed}), true
		case open:
			all[len(all)-1].text += " " + trimmed
		}
	}
	return all
}

// comments returns the texts of a Go file: help texts, and what godoc shows.
func comments(t *testing.T, name string, source []byte) (all []text) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n ast.Node, s string) { all = append(all, paragraphs(name, files.Position(n.Pos()).Line, s)...) }
	ast.Inspect(file, func(n ast.Node) bool {
		if field, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := field.Key.(*ast.Ident); ok && (key.Name == "Usage" || key.Name == "Description") {
				help := ""
				ast.Inspect(field.Value, func(n ast.Node) bool {
					if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
						value, _ := strconv.Unquote(l.Value)
						help += value
					}
					return true
				})
				add(n, help)
			}
		}
		return true
	})
	ast.FileExports(file)
	ast.Inspect(file, func(n ast.Node) bool {
		if group, ok := n.(*ast.CommentGroup); ok {
			add(n, group.Text())
		}
		return true
	})
	return all
}
