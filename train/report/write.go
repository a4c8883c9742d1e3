package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"diaghess/train/atomicfile"
)

// WriteCSV writes an analysis into a folder, which it makes where it is not
// there, and returns the paths of the files:
//
//   - metrics.csv, a row for every finished run, by data set, seed and optimizer
//   - summary.csv, mean and sample standard deviation over all finished runs of
//     an optimizer (the tables, in contrast, are over the pairs)
//   - ttest.csv, the paired tests of rival minus baseline. Its columns do not
//     name the optimizers, so where the study has several rivals each gets a
//     file of its own, ttest-RIVAL.csv, with the rival's name escaped as in a
//     URL's query. A study of one optimizer has none.
//
// The columns are those that [ReadCSVFile] reads. They cannot express runs that did not
// finish: when the file is read again, such runs are missing, and the default baseline can
// be another optimizer. Numbers are bit-identical when they are read again; a number that
// does not exist is an empty cell.
//
// Every file is written aside, synced and renamed, so a reader never sees half of one.
func WriteCSV(dir string, a *Analysis) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder for the report: %w", err)
	}
	write := func(name string, records [][]string) {
		if err == nil {
			path := filepath.Join(dir, name)
			err = atomicfile.Write(path, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(records) })
			paths = append(paths, path)
		}
	}
	write("metrics.csv", a.metricsRecords())
	write("summary.csv", a.summaryRecords())
	rivals := a.Optimizers[1:]
	for _, rival := range rivals {
		name := "ttest.csv"
		if len(rivals) > 1 {
			name = testFileName(rival)
		}
		if records := a.testRecords(rival); len(records) > 1 {
			write(name, records)
		}
	}
	if err != nil {
		return nil, err
	}
	return paths, nil
}

// Write writes the report into a folder, which it makes if it does not exist, and returns
// the paths of the files:
//
//   - index.html, a page that needs no other file;
//   - report.md, the same without figures;
//   - comparisons.csv, every number of every comparison;
//   - the files of [WriteCSV].
func Write(dir string, a *Analysis) (paths []string, err error) {
	if paths, err = WriteCSV(dir, a); err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"comparisons.csv", func(w io.Writer) error { return Render(w, a, CSV) }},
		{"report.md", func(w io.Writer) error { return Render(w, a, Markdown) }},
		{"index.html", func(w io.Writer) error { return WriteHTML(w, a) }},
	} {
		path := filepath.Join(dir, file.name)
		if err := atomicfile.Write(path, file.write); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (a *Analysis) metricsRecords() [][]string {
	runs := make(map[runKey]Row)
	for _, r := range a.Rows {
		if r.unusable() == "" {
			runs[keyOf(r)] = r
		}
	}
	records := [][]string{metricsLayout.columns}
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
