package report

import (
	"bytes"
	"diaghess/train/record"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The published runs, written, are the published files byte for byte.
func TestWritePublishedMetrics(t *testing.T) {
	for i, file := range readPublished(t, "metrics") {
		dir := t.TempDir()
		if _, err := WriteCSV(dir, mustCompare(t, file.Rows, "")); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "metrics.csv"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("file %d differs from %s", i, file.Path)
		}
	}
}

// What is written reads back as the same rows, and its summary and tests agree
// with them; whatever did not finish stays out.
func TestWriteAndReadBack(t *testing.T) {
	rows := []Row{
		run("digits", "adamw", 1, 1.0/3), run("digits", "sgd,\"x\"/..", 1, 2e-7), run("digits", "lion", 1, 1.0/7),
		run("digits", "adamw", 0, 0.1), run("digits", "sgd,\"x\"/..", 0, 0.7), run("digits", "lion", 0, 0.12345),
		run("mnist", "adamw", 0, 0.1), run("mnist", "lion", 0, 0.3),
		{Dataset: "mnist", Optimizer: "lion", Seed: 1, Status: record.Diverged},
	}
	rows[2].ValLoss, rows[5].TrainTime = 1e17, 12345
	dir := filepath.Join(t.TempDir(), "new", "folder")
	paths, err := WriteCSV(dir, mustCompare(t, rows, ""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	if want := []string{"metrics.csv", "summary.csv", "ttest-sgd%2C%22x%22%2F...csv", "ttest-lion.csv"}; !slices.Equal(names, want) {
		t.Fatalf("files %q, want %q", names, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != len(paths) {
		t.Errorf("%d files in the folder, want %d: %v", len(entries), len(paths), entries)
	}

	metrics, err := ReadCSVFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(metrics.Rows) != 8 {
		t.Errorf("%d rows came back, want the 8 finished", len(metrics.Rows))
	}
	for _, got := range metrics.Rows {
		got.Source = ""
		if !slices.Contains(rows, got) {
			t.Errorf("%+v was not among the rows written", got)
		}
	}
	a := mustCompare(t, metrics.Rows, "adamw")
	for _, path := range paths[1:] {
		file, err := ReadCSVFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c := a.Check(file); len(c.Problems) > 0 {
			t.Errorf("%+v", c)
		}
	}
}

func TestWriteOneOptimizer(t *testing.T) {
	paths, err := WriteCSV(t.TempDir(), mustCompare(t, []Row{run("digits", "adamw", 0, 1)}, ""))
	if err != nil || len(paths) != 2 {
		t.Errorf("wrote %q, %v; want metrics and summary", paths, err)
	}
}

func TestWriteErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "summary.csv"), 0o755); err != nil { // a folder in the place of a file
		t.Fatal(err)
	}
	_, err := WriteCSV(dir, mustCompare(t, []Row{run("digits", "adamw", 0, 1)}, ""))
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(filepath.Join(dir, "summary.csv"))) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("the failed write left %q", left)
	}
}

func TestFormatFloat(t *testing.T) {
	// As Python's repr writes them, but for its ".0" behind whole numbers.
	for v, want := range map[float64]string{
		0: "0", 1: "1", -0.5: "-0.5", 0.1: "0.1", 0.0001: "0.0001", 0.00001: "1e-05", 1e15: "1000000000000000", 1e16: "1e+16",
		4.154650262339315e-25: "4.154650262339315e-25", 248.82134366035461: "248.82134366035461",
	} {
		if got := formatFloat(v); got != want {
			t.Errorf("formatFloat(%g) = %q, want %q", v, got, want)
		}
	}
	if got := formatFloat(math.NaN()); got != "" {
		t.Errorf("formatFloat(NaN) = %q, want nothing", got)
	}
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		v := math.Float64frombits(random.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if got, err := strconv.ParseFloat(formatFloat(v), 64); err != nil || got != v {
			t.Errorf("seed %d: %g is written %q and read as %g", seed, v, formatFloat(v), got)
		}
	}
}

// File systems take names of 255 bytes, and atomicfile adds to them: long ones are cut, and
// stay apart.
func TestLongNamesOfFiles(t *testing.T) {
	long := strings.Repeat("/", 400)
	a := mustCompare(t, []Row{run(long, "adamw", 0, 1), run(long, long+"a", 0, 2), run(long, long+"b", 0, 3)}, "")
	dir := t.TempDir()
	paths, err := WriteCSV(dir, a)
	if err != nil || len(paths) != 4 || paths[2] == paths[3] {
		t.Errorf("wrote %q, %v", paths, err)
	}
	if _, _, err := Write(t.Context(), dir, a, true); err != nil {
		t.Error(err)
	}
}

// A report removes the tests and figures of the one before that it does not write, and nothing else.
func TestWriteRemovesWhatIsOfAnEarlierReport(t *testing.T) {
	rows := []Row{run("digits", "adamw", 0, 1), run("digits", "adamw", 1, 2), run("digits", "sgd", 0, 1.5), run("digits", "sgd", 1, 3)}
	more := append(slices.Clone(rows), run("digits", "adam,b", 0, 2), run("digits", "adam,b", 1, 1), run("mnist", "adamw", 0, 1), run("mnist", "sgd", 0, 2))
	dir := t.TempDir()
	mine := []string{"ttest-mine.csv", "results.csv", filepath.Join("figures", "mine.png"), filepath.Join("figures", "bars-f1.png")}
	if err := os.Mkdir(filepath.Join(dir, "figures"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(mine, filepath.Join("figures", "01-difference-mine.png")) {
		write(t, filepath.Join(dir, name), "mine") // without a report's page it may be anybody's
	}
	for _, c := range []struct {
		rows    []Row
		figures bool
		removed []string
	}{
		{more, true, nil},
		{more, true, []string{"figures/01-difference-mine.png"}},
		{rows, true, []string{
			"ttest-sgd.csv", "ttest-adam%2Cb.csv", "figures/05-difference-mnist-val-loss.png", "figures/06-difference-mnist-val-acc.png",
			"figures/07-difference-mnist-f1.png", "figures/08-difference-mnist-train-time.png",
		}},
		{rows[:2], false, []string{
			"ttest.csv", "figures/01-difference-digits-val-loss.png", "figures/02-difference-digits-val-acc.png", "figures/03-difference-digits-f1.png", "figures/04-difference-digits-train-time.png",
		}},
		{rows[:2], false, nil},
	} {
		paths, removed, err := Write(t.Context(), dir, mustCompare(t, c.rows, ""), c.figures)
		for i, path := range removed {
			name, _ := filepath.Rel(dir, path)
			removed[i] = filepath.ToSlash(name)
		}
		slices.Sort(c.removed)
		slices.Sort(removed)
		if err != nil || !slices.Equal(removed, c.removed) {
			t.Errorf("%v: removed %q, want %q", err, removed, c.removed)
		}
		for _, name := range mine {
			paths = append(paths, filepath.Join(dir, name))
		}
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		}
	}
	// The folder of the figures goes with the last of them.
	for _, figures := range []bool{true, false} {
		other := filepath.Join(dir, "other")
		if _, _, err := Write(t.Context(), other, mustCompare(t, rows, ""), figures); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(other, figuresFolder)); (err == nil) != figures {
			t.Errorf("figures %t: %v", figures, err)
		}
	}
}

// Of other runs is a report that has none of those to be reported.
func TestReplaces(t *testing.T) {
	rows := []Row{run("digits", "adamw", 0, 1), run("digits", "adamw", 1, 2)}
	other := []Row{run("digits", "adamw", 0, 5), run("digits", "adamw", 1, 6)}
	dir := t.TempDir()
	if _, _, err := Write(t.Context(), dir, mustCompare(t, rows, ""), false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		rows []Row
		want bool
	}{{"the same runs", rows, false}, {"fewer", rows[1:], false}, {"more", append(slices.Clone(other[:1]), run("digits", "adamw", 1, 2)), false}, {"others", other, true}} {
		if err := mustCompare(t, c.rows, "").Replaces(dir); (err != nil) != c.want || err != nil && !strings.Contains(err.Error(), "the report of other runs") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	a := mustCompare(t, other, "")
	if err := a.Replaces(t.TempDir()); err != nil {
		t.Errorf("no report: %v", err)
	}
}

// What killed reports and exports left half written goes, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	left := []string{
		".index.html-1639009981", ".report.md-1", ".metrics.csv-2", ".ttest-x.csv-3", ".epochs.parquet-4", "figures/.05-curve-a.png-5",
		"figures/.bars-f1.png-6", "history/digits/adamw/.seed-02.json-7",
	}
	keep := []string{".lock", ".notes.md-1", "figures/.mine.png-5", "history/digits/adamw/seed-02.json", "other/.index.html-1"}
	for _, name := range append(left, keep...) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, "")
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	for i, name := range append(left, keep...) {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); (err == nil) != (i >= len(left)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Sweep(filepath.Join(dir, "missing")); err != nil {
		t.Error(err)
	}
}
