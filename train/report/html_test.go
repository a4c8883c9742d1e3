package report

import (
	"context"
	"diaghess/train/record"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func page(t *testing.T, a *Analysis) string {
	t.Helper()
	var b strings.Builder
	if err := WriteHTML(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// expectParts fails for every wanted part that is not in a text.
func expectParts(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in the page", part)
		}
	}
}

// figures returns the drawings of a page, each of which must be well-formed.
func figures(t *testing.T, html string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(html, -1)
	for _, svg := range found {
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := decoder.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in:\n%s", err, svg)
			}
		}
	}
	return found
}

func TestPageOfPublishedRuns(t *testing.T) {
	a := publishedAnalysis(t)
	for _, kind := range []string{"summary", "ttest"} {
		for _, file := range readPublished(t, kind) {
			a.Check(file)
		}
	}
	html := page(t, a)
	expectParts(t, html,
		"<title>Custom against Baseline on cifar10 and cifar100</title>",
		`<p class="answer">Yes: Custom is better than Baseline on cifar10 (&#43;0.59 points) and on cifar100 (&#43;0.63 points).</p>`,
		`<span class="tag exp">▲ better</span>`,
		"whether settings were chosen on the same pictures: CSV files do not say",
		`<td data-l="adjusted interval">&#43;0.13 to &#43;1.06</td><td data-l="p">0.005</td><td data-l="seeds better">16 of 20</td>`,
		`aria-label="Custom minus Baseline, accuracy: &#43;0.59, interval &#43;0.13 to &#43;1.06 points"`,
		"<title>seed 19: ",
		"One family of 2 comparisons.",
		"Times are not compared: it is not recorded what ran beside the runs.",
		"Yes: all 48 numbers in summary and t-test files follow from the runs.",
		"agrees: all of its numbers (16) follow from the runs.",
		"CSV files list finished runs only",
		"learning curves and epochs to a target cannot be shown",
	)
	// Two forest plots of two arms, a plot for each other metric and data set, a profile each.
	if n := len(figures(t, html)); n != 2*2+2*2+2 {
		t.Errorf("%d plots, want 10", n)
	}
	if rows := strings.Count(html, `<td data-l="Status">finished</td>`); rows != 80 {
		t.Errorf("%d runs are listed, want 80", rows)
	}
	if html != page(t, a) {
		t.Error("a second page of the same runs differs")
	}
}

// A page needs nothing beside itself: it names no other file, has no script, and the
// only addresses are the names of the formats.
func TestPageIsSelfContained(t *testing.T) {
	html := strings.ReplaceAll(page(t, publishedAnalysis(t)), `xmlns="http://www.w3.org/2000/svg"`, "")
	for _, part := range []string{"http:", "https:", "src=", "<link", "<script", "@import", "url("} {
		if strings.Contains(html, part) {
			t.Errorf("the page has %q", part)
		}
	}
}

func TestPageOfRecords(t *testing.T) {
	html := page(t, mustCompareFolders(t, writeRuns(t, t.TempDir(), study("0.001"))))
	expectParts(t, html,
		"Caution: digits: sgd diverged in 1 of 3 runs (seed 2), which are in no mean.",
		"under the pilot&#39;s protocol nothing was held back",
		"digits: validation accuracy by epoch", "digits: training loss by epoch",
		"<td data-l=\"80.00\u00a0%\">3 (3 of 3)</td>",
		`<th scope="row">build.commit</th><td data-l="Value">abc</td>`,
		"Left out: seed 2, sgd diverged.",
	)
	// Two arms in the ranking, two other metrics, two curves, epochs of two arms, a profile.
	if n := len(figures(t, html)); n != 2+2+2+2+1 {
		t.Errorf("%d plots, want 9", n)
	}
	if named := strings.Count(html, `role="img" aria-label="`); named != strings.Count(html, "<svg") {
		t.Errorf("%d plots have a name", named)
	}
}

// Few seeds: no verdict below five, no interval below three, a note on normality below eight.
func TestPageOfFewSeeds(t *testing.T) {
	for n, want := range map[int]string{
		1: "Too few seeds to say: a verdict needs 5 that both arms finished. They finished 1 seed.",
		2: `<td data-l="adjusted interval">n/a [1]</td><td data-l="p">n/a</td>`,
		4: `<span class="tag">· too few</span>`,
		5: "which rests on nearly normal differences",
	} {
		html := page(t, mustCompare(t, pairs([]float64{0.1, 0.11, 0.13, 0.12, 0.14}[:n]...), ""))
		expectParts(t, html, want, fmt.Sprintf("Compared here: %s.", plural(n, "seed")), "The 95\u00a0% intervals are of one comparison.")
		if got := strings.Contains(html, "The verdict goes by"); got != (n >= 5) {
			t.Errorf("%d seeds: the page says what the verdict goes by: %v", n, got)
		}
		figures(t, html)
	}
}

// Every kind of poor data gives a page.
func TestPageOfPoorData(t *testing.T) {
	diverged := Row{Dataset: "digits", Optimizer: "sgd", Seed: 0, Status: record.Diverged}
	for name, rows := range map[string][]Row{
		"one optimizer":        {run("digits", "adamw", 0, 1)},
		"no spread":            pairs(1, 1, 1, 1),
		"equal arms":           pairs(0, 0, 0, 0),
		"no pair":              {run("digits", "adamw", 0, 1), run("digits", "sgd", 1, 1)},
		"nothing finished":     {diverged},
		"baseline of zero":     {run("digits", "adamw", 0, 0), run("digits", "sgd", 0, 1)},
		"enormous and minute":  {run("digits", "adamw", 0, 1e300), run("digits", "sgd", 0, 1e-300)},
		"no run of a baseline": {run("digits", "adamw", 0, 1), run("mnist", "sgd", 0, 1), run("mnist", "lion", 0, 1)},
	} {
		html := page(t, mustCompare(t, rows, ""))
		figures(t, html)
		if strings.Contains(html, "NaN") || strings.Contains(html, "Inf") {
			t.Errorf("%s: the page has a number that is none", name)
		}
	}
}

// Names from foreign files are text, in the page and inside its drawings.
func TestPageEscapesForeignNames(t *testing.T) {
	for _, name := range []string{`<b>bold</b>`, `"><script>alert(1)</script>`, `' onload='x`, "\u202eleft", "a\x00b", `style="#000000"`, "</svg>", "{{.Title}}", "]]>"} {
		rows := []Row{run(name, "adamw", 0, 1), run(name, name, 0, 2)}
		rows[0].Measured, rows[0].Note, rows[0].Build = Measured{Protocol: name, Augment: name}, name, name
		a := mustCompare(t, rows, "")
		a.Records = Records{
			Runs: []Record{{Row: rows[0], Epochs: []record.Epoch{{Epoch: 1, ValAcc: 0.5, Seconds: 1}},
				Settings: map[string]string{name: name, "algorithms." + name: name, "optimizer_settings." + name: name, "tuning_trials": name}}},
			Folders: []string{name, "other"},
			Missing: []Missing{{name, name, 1, "not begun"}},
		}
		html := page(t, a)
		for _, part := range []string{"<b>bold", "<script", " onload='", "\u202e", "\x00"} {
			if strings.Contains(html, part) {
				t.Errorf("%q puts %q into the page", name, part)
			}
		}
		for _, svg := range figures(t, html) {
			if !strings.HasSuffix(svg, "/></svg>") && !strings.HasSuffix(svg, "</circle></svg>") {
				t.Errorf("%q cuts a drawing short", name)
			}
		}
		if n := strings.Count(html, "<svg"); n != strings.Count(html, "</svg>") {
			t.Errorf("%q: %d drawings begin, %d end", name, n, strings.Count(html, "</svg>"))
		}
	}
}

func TestWriteFigures(t *testing.T) {
	paths, _, err := Write(t.Context(), t.TempDir(), publishedAnalysis(t), true)
	if err != nil || len(paths) != 6+2*len(Metrics()) {
		t.Fatalf("wrote %q, %v", paths, err)
	}
	paths = paths[6:]
	if want := "01-difference-cifar10-val-loss.png"; filepath.Base(paths[0]) != want {
		t.Errorf("the first is %s, want %s", paths[0], want)
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		f.Close()
	}
}

func TestWriteReport(t *testing.T) {
	dir := t.TempDir()
	paths, _, err := Write(t.Context(), dir, publishedAnalysis(t), false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	if got, want := fmt.Sprint(names), "[index.html report.md comparisons.csv metrics.csv summary.csv ttest.csv]"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
}

// A report replaces a report and what lies in a study's folder, and no other file.
func TestReplaceable(t *testing.T) {
	for _, name := range []string{"index.html", "report.md", "metrics.csv", "summary.csv", "ttest.csv", "ttest-x.csv", "comparisons.csv"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "other.csv"), "mine")
		if err := Replaceable(dir); err != nil {
			t.Errorf("a folder without a report's files: %v", err)
		}
		write(t, filepath.Join(dir, name), "mine")
		if err := Replaceable(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) || !strings.Contains(err.Error(), "--out") {
			t.Errorf("%s of somebody else: %v", name, err)
		}
		write(t, filepath.Join(dir, record.StudyFile), "{}")
		if err := Replaceable(dir); err != nil {
			t.Errorf("a study's folder: %v", err)
		}
	}
	dir := t.TempDir()
	if _, _, err := Write(t.Context(), dir, publishedAnalysis(t), false); err != nil {
		t.Fatal(err)
	}
	if err := Replaceable(dir); err != nil {
		t.Errorf("a report: %v", err)
	}
	if err := Replaceable(filepath.Join(dir, "absent")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// When the context ends, no half of a file stays.
func TestStoppedWrite(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Write(ctx, dir, publishedAnalysis(t), false)
	if entries, _ := os.ReadDir(dir); !errors.Is(err, context.Canceled) || len(entries) > 1 {
		t.Errorf("%v, and files %v", err, entries)
	}
}

// A page of many seeds says what it leaves out.
func TestPageOfManySeeds(t *testing.T) {
	var rows []Row
	for seed := range 3000 {
		for arm, optimizer := range []string{"adamw", "sgd"} {
			rows = append(rows, run("digits", optimizer, seed, 0.5+0.1*float64(seed*7919%997+arm*seed%7)/997))
		}
	}
	a := mustCompare(t, rows, "")
	if e := a.Comparisons[0].Evidence; e.Err != nil || e.HodgesLehmann.Err != errManyPairs || e.Wilcoxon.Err != nil || a.Sampled == 0 {
		t.Errorf("evidence %+v", e)
	}
	var page strings.Builder
	if err := WriteHTML(&page, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Whether the numbers of CSV files are those", "not computed for more than 200 pairs", "No dots for more than 200 seeds", "A page lists at most 5000 runs, and there are 6000"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if page.Len() > 1<<20 {
		t.Errorf("the page has %d bytes", page.Len())
	}
	var many []Row
	for i := range mostNames + 1 {
		many = append(many, run("digits", fmt.Sprint("run", i), 0, 0.5))
	}
	if _, err := Compare(many, ""); err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("an optimizer for each run: %v", err)
	}
}

// Dots of one value are a stack in which none hides another, and no stack is higher than 30.
func TestStackOfDots(t *testing.T) {
	s := strip{mean: math.NaN(), low: math.NaN(), high: math.NaN(), stack: 10}
	for range s.stack {
		s.dots = append(s.dots, dot{value: 1})
	}
	var heights []string
	for _, d := range s.view(axis{low: 0, high: 2}).Dots {
		heights = append(heights, d.Y)
	}
	if want := strings.Fields("7 10 13 16 19 22 25 28 31 34"); !slices.Equal(heights, want) {
		t.Errorf("heights %q, want %q", heights, want)
	}
}

// A title names a few rivals and counts many.
func TestTitleOfManyRivals(t *testing.T) {
	a := &Analysis{Datasets: []string{"digits"}, Optimizers: []string{"adamw", "sgd", "adam", "rmsprop"}}
	if got, want := a.title(), "sgd, adam and rmsprop against adamw on digits"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	a.Optimizers = append(a.Optimizers, "sophia")
	if got, want := a.title(), "4 optimizers against adamw on digits"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
}
