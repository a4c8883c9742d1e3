package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"diaghess/train/atomicfile"
	"diaghess/train/record"
)

// WriteCSV writes an analysis into a folder, which it makes where it is not
// there, and returns the paths of the files:
//
//   - metrics.csv, a row for every finished run, by data set, seed and optimizer; with the column
//     tuning where the study has several
//   - summary.csv, mean and sample standard deviation over all finished runs of
//     an optimizer (the tables, in contrast, are over the pairs)
//   - ttest.csv, the paired tests of rival minus baseline. Its columns do not
//     name the optimizers, so where the study has several rivals each gets a
//     file of its own, ttest-RIVAL.csv, with the rival's name escaped as in a
//     URL's query. A long name ends in a hash instead. A study of one optimizer has
//     none.
//
// The columns are those that [ReadCSVFile] reads. They cannot express runs that did not
// finish: when the file is read again, such runs are missing, and the default baseline can
// be another optimizer. Numbers are bit-identical when they are read again; a number that
// does not exist is an empty cell.
//
// Every file is written aside, synced and renamed, so a reader never sees half of one.
func WriteCSV(dir string, a *Analysis) (paths []string, err error) {
	return writeFiles(context.Background(), dir, a.csvFiles())
}

// Write writes the report into a folder, which it makes if it does not exist, and returns
// the paths of the files:
//
//   - index.html, a page that needs no other file;
//   - report.md, the same without figures;
//   - comparisons.csv, every number of every comparison;
//   - the files of [WriteCSV];
//   - if figures is true, those of the report as PNG in the folder figures, numbered in the
//     order of the page.
//
// It removes tests and figures of the report that was there before, if this one has no such
// file: nobody can see that they are of another analysis. The paths of those are removed.
//
// The page comes first: it marks the folder as one that [Replaceable] allows. When the
// context ends, Write returns its cause, and leaves whole files alone.
func Write(ctx context.Context, dir string, a *Analysis, figures bool) (paths, removed []string, err error) {
	before := earlier(dir)
	files := append([]output{{comparisonsFile, func(w io.Writer) error { return Render(w, a, CSV) }}}, a.csvFiles()...)
	if figures {
		for i, f := range a.figures() {
			files = append(files, output{filepath.Join(figuresFolder, fmt.Sprintf("%02d-%s.png", i+1, f.name)), f.PNG})
		}
	}
	paths, err = writeFiles(ctx, dir, []output{
		{pageFile, func(w io.Writer) error { return WriteHTML(w, a) }},
		{"report.md", func(w io.Writer) error { return Render(w, a, Markdown) }},
	})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range before { // while comparisons.csv still tells a later report of them
		if slices.ContainsFunc(files, func(f output) bool { return f.name == name }) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, nil, fmt.Errorf("remove what is of an earlier report: %w", err)
		}
		removed = append(removed, filepath.Join(dir, name))
	}
	_ = os.Remove(filepath.Join(dir, figuresFolder)) // if nothing is left in it
	more, err := writeFiles(ctx, dir, files)
	return append(paths, more...), removed, err
}

// drawn matches the names of a report's figures.
var drawn = regexp.MustCompile(`^[0-9]{2,}-(difference|curve|sensitivity)-.*\.png$`)

// earlier returns the names of the tests and figures that the report in a folder wrote there.
// Other files may have names like those, so that comparisons.csv tells whose tests there were.
func earlier(dir string) (names []string) {
	if !marked(dir) {
		return nil
	}
	var tests []string
	if records := recordsOf(filepath.Join(dir, comparisonsFile)); len(records) > 0 && len(records[0]) > 2 {
		for _, cells := range records[1:] {
			tests = appendNew(tests, testFileName(cells[2]))
		}
	}
	if len(tests) == 1 {
		tests = append(tests, testFile)
	}
	for _, name := range tests {
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	entries, _ := os.ReadDir(filepath.Join(dir, figuresFolder)) // without one there are none
	for _, entry := range entries {
		if entry.Type().IsRegular() && drawn.MatchString(entry.Name()) {
			names = append(names, filepath.Join(figuresFolder, entry.Name()))
		}
	}
	return names
}

// recordsOf returns the records of a CSV file, none of one that cannot be read.
func recordsOf(path string) [][]string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // a pipe may never end
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		return nil
	}
	return records
}

// Sweep removes the files that killed processes left half written in a folder of a report or an
// export. Nobody else may write there at the same time.
func Sweep(dir string) error {
	err := atomicfile.Sweep(dir, append(exportFiles(), reportFiles()...)...)
	for _, folder := range exportFolders() {
		below := filepath.WalkDir(filepath.Join(dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				err = atomicfile.Sweep(path, "[0-9][0-9]*-*.png", "bars-*.png", "heatmap-*.png", "seed-*.json")
			}
			return err
		})
		if !errors.Is(below, fs.ErrNotExist) {
			err = cmp.Or(err, below)
		}
	}
	return err
}

// output is a file of a report.
type output struct {
	name  string
	write func(io.Writer) error
}

func (a *Analysis) csvFiles() []output {
	file := func(name string, records [][]string) output {
		return output{name, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(records) }}
	}
	files := []output{file(metricsFile, a.metricsRecords()), file("summary.csv", a.summaryRecords())}
	rivals := a.Optimizers[1:]
	for _, rival := range rivals {
		name := testFile
		if len(rivals) > 1 {
			name = testFileName(rival)
		}
		if records := a.testRecords(rival); len(records) > 1 {
			files = append(files, file(name, records))
		}
	}
	return files
}

func writeFiles(ctx context.Context, dir string, files []output) (paths []string, err error) {
	for _, file := range files {
		// In memory first, so that the context can end what takes long.
		content := &bytes.Buffer{}
		made := make(chan error, 1)
		go func() { made <- file.write(content) }()
		select {
		case err = <-made:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		path := filepath.Join(dir, file.name)
		if err == nil {
			if err = os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				return nil, fmt.Errorf("make the folder for the report: %w", err)
			}
			err = atomicfile.WriteBytes(path, content.Bytes())
		}
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// pageFile is the page, whose first lines name the program that wrote it.
const (
	pageFile        = "index.html"
	generator       = `<meta name="generator" content="diaghess report">`
	comparisonsFile = "comparisons.csv"
	metricsFile     = "metrics.csv"
	testFile        = "ttest.csv"
	figuresFolder   = "figures"
)

// reportFiles are patterns of the names of a report's files.
func reportFiles() []string {
	return []string{pageFile, "report.md", metricsFile, "summary.csv", comparisonsFile, "ttest*.csv"}
}

// marked says whether a folder has the page of a report.
func marked(dir string) bool {
	page := filepath.Join(dir, pageFile)
	info, err := os.Stat(page)
	if err != nil || !info.Mode().IsRegular() { // a pipe may never end
		return false
	}
	f, err := os.Open(page)
	if err != nil {
		return false
	}
	defer f.Close()
	start, _ := io.ReadAll(io.LimitReader(f, 1<<12))
	return bytes.Contains(start, []byte(generator))
}

// Replaceable returns an error for a folder with files that a report would replace, unless
// they are a report's: beside the records of a study, or a page that names this program.
func Replaceable(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, record.StudyFile)); err == nil || marked(dir) {
		return nil
	}
	for _, pattern := range reportFiles() {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("%s is there and is not of a report: choose another folder with --out", filepath.Join(dir, names[0]))
		}
	}
	return nil
}

// Replaces returns an error for a folder with the report of other runs: its metrics.csv has
// some, and none of them is in the analysis.
func (a *Analysis) Replaces(dir string) error {
	if !marked(dir) {
		return nil
	}
	key := func(cells []string) string {
		return fmt.Sprintf("%q", cells[:min(len(metricsLayout.columns), len(cells))])
	}
	ours := map[string]bool{}
	for _, cells := range a.metricsRecords() { // the first are the names of the columns
		ours[key(cells)] = true
	}
	before := recordsOf(filepath.Join(dir, metricsFile))
	if len(before) < 2 || !ours[key(before[0])] || slices.ContainsFunc(before[1:], func(cells []string) bool { return ours[key(cells)] }) {
		return nil
	}
	return fmt.Errorf("%s has the report of other runs, none of which is reported here: choose another folder with --out", dir)
}

func (a *Analysis) metricsRecords() [][]string {
	runs := make(map[runKey]Row)
	for _, r := range a.Rows {
		if r.unusable() == "" {
			runs[keyOf(r)] = r
		}
	}
	records := [][]string{metricsLayout.columns}
	if a.tuned() {
		records[0] = append(slices.Clone(records[0]), columnTuning)
	}
	for _, dataset := range a.Datasets {
		for _, seed := range a.seedsOf(dataset, a.Optimizers...) {
			for _, optimizer := range a.Optimizers {
				r, ok := runs[runKey{dataset, seed, optimizer}]
				if !ok {
					continue
				}
				record := []string{dataset, strconv.Itoa(seed), optimizer}
				for _, m := range Metrics() {
					record = append(record, formatFloat(m.Of(r)))
				}
				if a.tuned() {
					record = append(record, strconv.Itoa(r.Tuning))
				}
				records = append(records, record)
			}
		}
	}
	return records
}

func (a *Analysis) summaryRecords() [][]string {
	records := [][]string{summaryLayout.columns}
	for _, dataset := range a.Datasets {
		for _, optimizer := range a.armsOf(dataset) {
			for _, m := range Metrics() {
				// An error is an optimizer without a finished run, which has no summary.
				if s, err := a.summary(dataset, optimizer, m); err == nil {
					records = append(records, []string{dataset, optimizer, m.String(), formatFloat(s.Mean), formatFloat(s.SD)})
				}
			}
		}
	}
	return records
}

func (a *Analysis) testRecords(rival string) [][]string {
	records := [][]string{testLayout.columns}
	for _, c := range a.Comparisons {
		if c.Rival != rival {
			continue
		}
		for _, l := range c.Lines {
			t, p := math.NaN(), math.NaN()
			if l.Untested == nil {
				t, p = l.Test.T, l.Test.P
			}
			records = append(records, []string{c.Dataset, l.Metric.String(), formatFloat(t), formatFloat(p)})
		}
	}
	return records
}
