package report

import (
	"diaghess/train/record"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
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
		"better: accuracy; worse: training time; not settled: loss and macro F1",
		`<span class="claim not-settled">not settled</span>`,
		"nothing was held back",
		`<td data-label="95 % interval of Δ">−0.0354 to −0.0036</td>`,
		"a family of 8 tests: every metric, data set and rival that was tested, training time included.",
		`<td data-label="Time, as a multiple of the baseline&#39;s">1.251</td>`,
		"agrees: all of its 16 numbers follow from the runs.",
		"CSV files list finished runs only",
		"learning curves, time to target and milliseconds a step cannot be shown",
	)
	if n := len(figures(t, html)); n != 2*len(Metrics()) {
		t.Errorf("%d figures, want one for each metric and data set", n)
	}
	if n := strings.Count(html, "(n = 20)"); n != 2*len(Metrics()) {
		t.Errorf("n stands on %d figures", n)
	}
	if rows := strings.Count(html, `<td data-label="Status">finished</td>`); rows != 80 {
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
		`<section id="caution" class="caution">`,
		"digits: sgd diverged in 1 run (seed 2).",
		"Under the pilot&#39;s protocol nothing is held back",
		"digits: validation loss by epoch", "digits: training accuracy by time",
		`<td data-label="adamw (n = 3)">epoch 3, 1.50 s (3 of 3)</td>`,
		"digits: targets reached, by time",
		`<th scope="row">build.commit</th><td data-label="Value">abc</td>`,
		"digits, sgd: diverged, seed 2.",
	)
	// Four metrics, four curves by epoch and by time, two profiles.
	if n := len(figures(t, html)); n != 4+8+2 {
		t.Errorf("%d figures, want 14", n)
	}
}

// Few seeds: named exploratory below five, without p below three.
func TestPageOfFewSeeds(t *testing.T) {
	for n, want := range map[int]string{
		1: "No test of loss: a paired test needs at least 3 pairs, got 1.",
		2: "digits, diaghess against adamw: 2 pairs, which is exploratory; no p below 3 pairs, no claim below 5.",
		4: `<span class="claim exploratory">exploratory</span>`,
		5: "With 5 pairs neither Wilcoxon&#39;s nor the sign-flip test can have a p below 0.0625, however large the difference: they cannot reach 5 %.",
	} {
		html := page(t, mustCompare(t, pairs([]float64{1, 1.1, 1.3, 1.2, 1.4}[:n]...), ""))
		expectParts(t, html, want)
		if found := regexp.MustCompile(`p [=<] `).FindString(html); n < 3 && found != "" {
			t.Errorf("%d seeds: the page has a p", n)
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
			Missing: []Missing{{name, name, 1}},
		}
		html := page(t, a)
		for _, part := range []string{"<b>", "<script", " onload='", "\u202e", "\x00"} {
			if strings.Contains(html, part) {
				t.Errorf("%q puts %q into the page", name, part)
			}
		}
		for _, svg := range figures(t, html) {
			if !strings.HasSuffix(svg, "</g>\n</svg>") {
				t.Errorf("%q cuts a drawing short", name)
			}
		}
		if n := strings.Count(html, "<svg"); n != strings.Count(html, "</svg>") {
			t.Errorf("%q: %d drawings begin, %d end", name, n, strings.Count(html, "</svg>"))
		}
	}
}

func TestWritePNG(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "figures")
	paths, err := WritePNG(dir, publishedAnalysis(t))
	if err != nil || len(paths) != 2*len(Metrics()) {
		t.Fatalf("wrote %q, %v", paths, err)
	}
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
	paths, err := Write(dir, publishedAnalysis(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	if got, want := fmt.Sprint(names), "[metrics.csv summary.csv ttest.csv comparisons.csv report.md index.html]"; got != want {
		t.Errorf("files %s, want %s", got, want)
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
