// Package lint checks what no linter checks: the prose (prose_test.go), the table of imports
// in CONTRIBUTING.md (imports_test.go) and the picture of the packages (picture_test.go).
// make lint runs it.
package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the root of the checkout.
const root = "../.."

const module = "diaghess/"

// imports returns which packages of the module each of its packages imports, by their
// folders. Tests are not looked at.
func imports(t *testing.T) map[string][]string {
	list := exec.Command("go", "list", "-tags", "cuda", "-json=ImportPath,Imports", "./...")
	list.Dir, list.Env = root, append(os.Environ(), "CGO_ENABLED=1")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		folder := strings.TrimPrefix(p.ImportPath, module)
		all[folder] = nil
		for _, i := range p.Imports {
			if imported, ok := strings.CutPrefix(i, module); ok {
				all[folder] = append(all[folder], imported)
			}
		}
	}
}

// A row of the table says what the packages of a pattern may import, as patterns. Like
// Go's, "a/..." is a and all below it.
type row struct {
	packages string
	may      []string
}

func matches(pattern, folder string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return folder == tree || isTree && strings.HasPrefix(folder, tree+"/")
}

// table reads the table of imports: the first column names packages, the last one what
// they may import.
func table(page string) []row {
	name := regexp.MustCompile("`([^`]+)`")
	var rows []row
	for line := range strings.SplitSeq(page, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		r := row{packages: name.FindStringSubmatch(cells[1])[1]}
		for _, m := range name.FindAllStringSubmatch(cells[3], -1) {
			r.may = append(r.may, m[1])
		}
		rows = append(rows, r)
	}
	return rows
}

// forbidden returns the imports that the table does not allow, and what it says of
// packages that do not exist. The last row that matches a package counts.
func forbidden(rows []row, imports map[string][]string) []string {
	var faults []string
	for folder, imported := range imports {
		last := row{}
		for _, r := range rows {
			if matches(r.packages, folder) {
				last = r
			}
		}
		if last.packages == "" {
			faults = append(faults, folder+" has no row")
		}
		for _, i := range imported {
			if !slices.ContainsFunc(last.may, func(pattern string) bool { return matches(pattern, i) }) {
				faults = append(faults, folder+" imports "+i)
			}
		}
	}
	for _, r := range rows {
		for _, pattern := range append([]string{r.packages}, r.may...) {
			found := false
			for folder := range imports {
				found = found || matches(pattern, folder)
			}
			if !found {
				faults = append(faults, "no package is "+pattern)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func TestImports(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range forbidden(table(string(page)), imports(t)) {
		t.Error("CONTRIBUTING.md, table of imports:", fault)
	}
}

func TestImportsFindsFaults(t *testing.T) {
	rows := table("| package | holds | may import |\n| --- | --- | --- |\n| `a/...` | x | `b` |\n| `b` | y | none |\n| `a/c` | z | `d/...` |\n")
	got := forbidden(rows, map[string][]string{"a": {"b"}, "a/x": {"b", "a"}, "b": {"a"}, "a/c": {"b"}, "e": nil})
	want := []string{"a/c imports b", "a/x imports a", "b imports a", "e has no row", "no package is d/..."}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
