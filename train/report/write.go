package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
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
//   - the files of [WriteCSV].
//
// The page comes first: it marks the folder as one that [Replaceable] allows. When the
// context ends, Write returns its cause, and leaves whole files alone.
func Write(ctx context.Context, dir string, a *Analysis) (paths []string, err error) {
	return writeFiles(ctx, dir, append([]output{
		{pageFile, func(w io.Writer) error { return WriteHTML(w, a) }},
		{"report.md", func(w io.Writer) error { return Render(w, a, Markdown) }},
		{"comparisons.csv", func(w io.Writer) error { return Render(w, a, CSV) }},
	}, a.csvFiles()...))
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
	files := []output{file("metrics.csv", a.metricsRecords()), file("summary.csv", a.summaryRecords())}
	rivals := a.Optimizers[1:]
	for _, rival := range rivals {
		name := "ttest.csv"
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
	pageFile  = "index.html"
	generator = `<meta name="generator" content="diaghess report">`
)

// Replaceable returns an error for a folder with files that a report would replace, unless
// they are a report's: beside the records of a study, or a page that names this program.
func Replaceable(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, record.StudyFile)); err == nil {
		return nil
	}
	page := filepath.Join(dir, pageFile)
	if info, err := os.Stat(page); err == nil && info.Mode().IsRegular() { // a pipe may never end
		f, err := os.Open(page)
		if err != nil {
			return err
		}
		defer f.Close()
		start, _ := io.ReadAll(io.LimitReader(f, 1<<12))
		if bytes.Contains(start, []byte(generator)) {
			return nil
		}
	}
	for _, pattern := range []string{pageFile, "report.md", "metrics.csv", "summary.csv", "comparisons.csv", "ttest*.csv"} {
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
