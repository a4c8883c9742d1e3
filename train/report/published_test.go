package report

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readPublished reads the published files of a kind (metrics, summary, ttest)
// for both data sets, CIFAR-10 first. Their origin is in pilot/README.md.
func readPublished(t *testing.T, kind string) []File {
	t.Helper()
	var files []File
	for _, dataset := range []string{"cifar10", "cifar100"} {
		file, err := ReadCSVFile(filepath.Join("pilot", dataset+"_adam_optimizer_"+kind+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func publishedAnalysis(t *testing.T) *Analysis {
	t.Helper()
	var rows []Row
	for _, file := range readPublished(t, "metrics") {
		rows = append(rows, file.Rows...)
	}
	if len(rows) != 80 {
		t.Fatalf("%d rows, want 2 data sets x 20 seeds x 2 optimizers", len(rows))
	}
	a, err := Compare(rows, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Every number of the published summaries (pandas) and t-tests (SciPy) is
// recomputed from the published runs.
//
// The tolerance of 1e-12 is for another order of summation over 20 runs: that
// moves means, deviations and t by at most some 20·2⁻⁵² ≈ 5e-15 of the largest
// term, twice that where runs are subtracted whose difference is a few percent of
// them, and p by (df+1) = 20 times what it moves t.
func TestPublishedStatistics(t *testing.T) {
	a := publishedAnalysis(t)
	numbers := 0
	for _, file := range append(readPublished(t, "summary"), readPublished(t, "ttest")...) {
		for _, s := range file.Statistics {
			want, _, err := a.recompute(file.Path, s)
			if err != nil {
				t.Errorf("%s:%d: %v", file.Path, s.Line, err)
				continue
			}
			numbers++
			if math.Abs(want-s.Value) > 1e-12*math.Abs(s.Value) {
				t.Errorf("%s:%d: %s = %.17g, recomputed %.17g", file.Path, s.Line, s.label(), s.Value, want)
			}
		}
	}
	if want := 2 * (4*2*2 + 4*2); numbers != want {
		t.Errorf("%d numbers compared, want %d", numbers, want)
	}
}

// Every cell of the published tables is printed as it was published, but for the stars of the
// last column, which is left out. The baseline's name is the other difference: the tables call
// it Adam, the CSV files Baseline.
func TestPublishedTables(t *testing.T) {
	published, err := os.ReadFile(filepath.Join("testdata", "published.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := pipeTables(strings.ReplaceAll(string(published), "Adam", "Baseline"))
	for _, table := range want {
		for i, row := range table {
			table[i] = row[:len(row)-1]
		}
	}
	if len(want) != 2 {
		t.Fatalf("%d published tables, want 2", len(want))
	}

	var markdown strings.Builder
	a := publishedAnalysis(t)
	if err := Render(&markdown, a, Markdown); err != nil {
		t.Fatal(err)
	}
	got := pipeTables(markdown.String())
	got = slices.DeleteFunc(got, func(table [][]string) bool { return !slices.Contains(table[0], "% Change") }) // what nobody published
	if len(got) != len(want) {
		t.Fatalf("%d tables printed, want %d", len(got), len(want))
	}
	for i := range want {
		compareCells(t, a.Datasets[i]+" as Markdown", got[i], want[i])

		plain := want[i]
		for r, row := range plain {
			for c := range row {
				if r == 0 || c == 0 {
					row[c] = strings.ReplaceAll(row[c], "*", "") // emphasis; in other cells it is a flag
				}
			}
		}
		table := a.publishedTable(a.Comparisons[i], &footnotes{})
		compareCells(t, a.Datasets[i]+" as text", append([][]string{table.header}, table.rows...), plain)
	}
}

func compareCells(t *testing.T, name string, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
	}
	for r := range want {
		if len(got[r]) != len(want[r]) {
			t.Fatalf("%s, row %d: cells %q, want %q", name, r, got[r], want[r])
		}
		for c := range want[r] {
			if got[r][c] != want[r][c] {
				t.Errorf("%s, row %d, column %d: %q, want %q", name, r, c, got[r][c], want[r][c])
			}
		}
	}
}

// pipeTables returns the cells of every pipe table in a Markdown text, header
// first, without the line of dashes.
func pipeTables(markdown string) [][][]string {
	var tables [][][]string
	inTable := false
	for _, line := range strings.Split(markdown, "\n") {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		if !inTable {
			tables = append(tables, nil)
			inTable = true
		}
		if strings.Trim(line, "|-: ") == "" {
			continue
		}
		// An escaped pipe is text.
		line = strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00")
		var cells []string
		for _, cell := range strings.Split(line, "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", `\|`))
		}
		last := len(tables) - 1
		tables[last] = append(tables[last], cells)
	}
	return tables
}
