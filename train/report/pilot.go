package report

import (
	"diaghess/train/record"
	"embed"
	"path"
)

// pilotFiles are what the pilot study published; pilot/README.md says where they are
// from.
//
//go:embed pilot/*.csv pilot/history/*.csv
var pilotFiles embed.FS

// pilotIntroduction is [Analysis.Introduction] of the pilot.
const pilotIntroduction = "The pilot is a TensorFlow study. Its results of every seed are published in github.com/YunInSung/diagonal-hessian-cnn (commit 1427074) and analyzed anew here. " +
	"It trained a convolutional network of 1.6 million parameters from 20 seeds with each optimizer. " +
	"AdamW, which its files call Baseline, is that of Keras with a learning rate of 0.001. Pilot's rule, Custom in its files, divides each parameter's step by a diagonal of the curvature. " +
	"As published its curvature term was zero, which left the squared gradient: this program calls that diaghess:curvature=none."

// pilotRule is what the pilot's rule is called in the tables of its study.
const pilotRule = "Pilot's rule"

// pilotStudy is a study of the pilot: files of both data sets that compare its rule with another.
type pilotStudy struct {
	title    string // of an earlier study
	files    string // the folder and the beginning of the names of its files, with the data set's in between
	suffix   string
	baseline string
	epochs   map[string]int // by data set; none where the sources disagree
}

// pilotStudies are the published study and, as its repository's history has them, earlier ones.
func pilotStudies() []pilotStudy {
	return []pilotStudy{
		{"", "pilot/", "_adam_optimizer_", "AdamW", map[string]int{"cifar10": 50, "cifar100": 60}},
		{"against Adam, rule of 5 August 2025", "pilot/history/2025-08-05-", "_adam_optimizer_", "Adam", nil},
		{"against Adam, rule of 28 July 2025", "pilot/history/2025-07-28-", "_adam_optimizer_", "Adam", nil},
		{"against SGD, rule of 28 July 2025", "pilot/history/2025-07-28-", "_sgd_optimizer_", "SGD", nil},
	}
}

// read reads the files of a kind.
func (p pilotStudy) read(kind string) ([]File, error) {
	names := map[string]string{"Baseline": p.baseline, "Custom": pilotRule}
	var files []File
	for _, set := range []string{"cifar10", "cifar100"} {
		name := p.files + set + p.suffix + kind + ".csv"
		f, err := pilotFiles.Open(name)
		if err != nil {
			return nil, err
		}
		file, err := readCSV(path.Base(name), f)
		f.Close()
		if err != nil {
			return nil, err
		}
		for i := range file.Rows {
			r := &file.Rows[i]
			r.Optimizer, r.Epochs, r.Measured = names[r.Optimizer], p.epochs[set], Measured{Protocol: record.ProtocolPilot}
		}
		for i, s := range file.Statistics {
			file.Statistics[i].Optimizer = names[s.Optimizer] // none in a t-test
		}
		files = append(files, file)
	}
	return files, nil
}

// compare compares the runs of the study.
func (p pilotStudy) compare() (*Analysis, error) {
	files, err := p.read("metrics")
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, f := range files {
		rows = append(rows, f.Rows...)
	}
	return Compare(rows, p.baseline)
}

// Pilot analyses the published runs of the pilot study, checks its published statistics against
// them, and has its earlier studies beside it.
func Pilot() (*Analysis, error) {
	studies := pilotStudies()
	a, err := studies[0].compare()
	if err != nil {
		return nil, err
	}
	a.Introduction = pilotIntroduction
	for _, kind := range []string{"summary", "ttest"} {
		files, err := studies[0].read(kind)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			a.Check(f)
		}
	}
	for _, study := range studies[1:] {
		earlier, err := study.compare()
		if err != nil {
			return nil, err
		}
		a.Earlier = append(a.Earlier, Earlier{study.title, earlier})
	}
	return a, nil
}
