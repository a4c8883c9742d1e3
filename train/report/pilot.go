package report

import (
	"diaghess/train/record"
	"embed"
	"path"
)

// pilotFiles are what the pilot study published; pilot/README.md says where they are
// from.
//
//go:embed pilot/*.csv
var pilotFiles embed.FS

// pilotIntroduction is [Analysis.Introduction] of the pilot.
const pilotIntroduction = "The pilot is a TensorFlow study. Its results of every seed are published in github.com/YunInSung/diagonal-hessian-cnn (commit 1427074) and analyzed anew here. " +
	"It trained a convolutional network of 1.6 million parameters from 20 seeds with each optimizer. " +
	"AdamW, which its files call Baseline, is that of Keras with a learning rate of 0.001. Pilot's rule, Custom in its files, divides each parameter's step by a diagonal of the curvature. " +
	"As published its curvature term was zero, which left the squared gradient: this program calls that diaghess:curvature=none."

// Pilot analyses the published runs of the pilot study and checks its published
// statistics against them.
func Pilot() (*Analysis, error) {
	names := map[string]string{"Baseline": "AdamW", "Custom": "Pilot's rule"}
	var rows []Row
	var statistics []File
	for _, set := range []struct {
		name   string
		epochs int
	}{{"cifar10", 50}, {"cifar100", 60}} {
		for _, kind := range []string{"metrics", "summary", "ttest"} {
			name := set.name + "_adam_optimizer_" + kind + ".csv"
			f, err := pilotFiles.Open(path.Join("pilot", name))
			if err != nil {
				return nil, err
			}
			file, err := readCSV(name, f)
			f.Close()
			if err != nil {
				return nil, err
			}
			for _, r := range file.Rows {
				r.Optimizer, r.Epochs, r.Measured = names[r.Optimizer], set.epochs, Measured{Protocol: record.ProtocolPilot}
				rows = append(rows, r)
			}
			for i, s := range file.Statistics {
				file.Statistics[i].Optimizer = names[s.Optimizer] // none in a t-test
			}
			if len(file.Statistics) > 0 {
				statistics = append(statistics, file)
			}
		}
	}
	a, err := Compare(rows, names["Baseline"])
	if err != nil {
		return nil, err
	}
	a.Introduction = pilotIntroduction
	for _, file := range statistics {
		a.Check(file)
	}
	return a, nil
}
