package report

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var notFinite = regexp.MustCompile(`.{0,20}(NaN|Inf)\b`)

// FuzzCSV: a file is refused with an error that names it, or its rows give every kind of
// report, in which foreign text is no markup, and metrics.csv gives the same rows back.
func FuzzCSV(f *testing.F) {
	files, err := filepath.Glob("pilot/*.csv")
	if err != nil || len(files) == 0 {
		f.Fatalf("no CSV files of the pilot (%v)", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.Join(strings.SplitAfter(string(content), "\n")[:3], ""))
	}
	header := strings.Join(metricsLayout.columns, ",") + "\n"
	f.Add(header + "a,0,x,1,0.5,0.5,1\na,0,y,1e100,-1e100,0.5,1\na,1,x,-1e100,1e100,0.5,1\na,1,y,2,5e-324,0.5,1\n")
	f.Add("\uFEFF" + header + "\"<script>\",0,\"\"\"'>\u202e😀\",1,1,1,1\n")
	f.Fuzz(func(t *testing.T, content string) {
		file, err := readCSV("fuzz.csv", strings.NewReader(content))
		if err != nil {
			if !strings.Contains(err.Error(), "fuzz.csv") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if len(file.Rows) == 0 || len(file.Rows) > 40 {
			return
		}
		a, err := Compare(file.Rows, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Datasets)*len(a.Optimizers) > 8 {
			return
		}
		dir := t.TempDir()
		if _, err := WriteCSV(dir, a); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCSVFile(filepath.Join(dir, "metrics.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows := map[runKey]Row{}
		for _, row := range again.Rows {
			row.Source = ""
			rows[keyOf(row)] = row
		}
		for _, row := range file.Rows {
			row.Source = ""
			if got := rows[keyOf(row)]; got != row {
				t.Errorf("%+v comes back as %+v", row, got)
			}
		}
		html := page(t, a)
		text := html
		for _, format := range Formats() {
			text += render(t, a, format)
		}
		if notFinite.MatchString(text) && !notFinite.MatchString(content) {
			t.Errorf("the report has a number that is none: %s", notFinite.FindString(text))
		}
		if strings.Contains(html, "<script") || !utf8.ValidString(html) {
			t.Error("foreign text is in the page as it is")
		}
		figures(t, html)
	})
}
