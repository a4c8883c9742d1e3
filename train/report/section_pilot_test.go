package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/train/record"
)

// SciPy 1.17.1 on the pilot's published files, with the formulas of stats.TestPilotKnownAnswers: as
// the section shows them, of AdamW minus the pilot's rule.
func TestPilotSection(t *testing.T) {
	a := publishedAnalysis(t)
	if s := a.pilotSection(); len(s.tables) > 0 {
		t.Error("it is there without the plan or the flag")
	}
	a.PilotStatistics = true
	s := a.pilotSection()
	var rows [][]string
	for _, table := range s.tables {
		rows = append(rows, append([]string{table.title}, table.rows[0][1:]...))
		if len(table.rows) != 1 {
			t.Errorf("%s: %q", table.title, table.rows)
		}
	}
	want := [][]string{
		{"cifar10: loss", "20", "+0.0195", "+2.569", "0.019", "+0.84", "0.47", "0.47", "0.47"},
		{"cifar10: accuracy", "20", "−0.0059", "−3.091", "0.006", "−1.00", "< 0.001", "< 0.001", "< 0.001"},
		{"cifar10: macro F1", "20", "−0.0055", "−2.625", "0.017", "−0.85", "< 0.001", "< 0.001", "< 0.001"},
		{"cifar100: loss", "20", "+0.0245", "+2.617", "0.017", "+0.89", "0.68", "0.68", "0.68"},
		{"cifar100: accuracy", "20", "−0.0063", "−3.624", "0.002", "−1.17", "< 0.001", "< 0.001", "< 0.001"},
		{"cifar100: macro F1", "20", "−0.0062", "−3.870", "0.001", "−1.19", "< 0.001", "< 0.001", "< 0.001"},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("%q\nwant\n%q", rows, want)
	}
	if strings.Contains(strings.Join(s.paragraphs, " "), "of two kinds") {
		t.Error("it says of CSV files what only records show")
	}
}

// A study of the preset has the section folded, with all pairs of its three arms.
func TestPilotSectionOfThePreset(t *testing.T) {
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("1")))
	a.Records.Plan = &record.Plan{Preset: record.PresetPilotMLP}
	s := a.pilotSection()
	arms := len(a.armsOf("digits"))
	if !s.folded || s.brief || len(s.tables) != 4 || len(s.tables[0].rows) != arms*(arms-1)/2 || s.tables[0].title != "digits: training loss" {
		t.Errorf("%+v", s)
	}
	if note := s.tables[0].notes; !strings.Contains(note[0], "without label smoothing") || !strings.Contains(strings.Join(note, " "), "[1]") { // it is 2 in each run
		t.Errorf("notes %q", note)
	}
}

// The training loss is that of the kind that all runs have and tells most.
func TestTrainingLoss(t *testing.T) {
	row := func(smoothing float64, change func(*record.Epoch)) Row {
		epochs := []record.Epoch{{Epoch: 1, TrainLoss: 9}, {Epoch: 2, TrainLoss: 3}}
		change(&epochs[1])
		return Row{run: &record.Ended{Config: record.Config{Job: record.Job{Settings: record.Settings{LabelSmoothing: smoothing}}}, Epochs: epochs}}
	}
	plain := row(0, func(*record.Epoch) {})
	old := row(0.1, func(*record.Epoch) {})
	clean := 2.0
	smoothed := row(0.1, func(e *record.Epoch) { e.TrainLossClean = &clean })
	evaluated := row(0.1, func(e *record.Epoch) {
		e.TrainLossClean, e.EvaluatedTrain = &clean, &record.TrainScore{Loss: 1}
	})
	for _, c := range []struct {
		rows []Row
		want []float64
		kind string
	}{
		{[]Row{evaluated, evaluated}, []float64{1, 1}, "all training pictures"},
		{[]Row{evaluated, plain, smoothed}, []float64{2, 3, 2}, "with dropout and without label smoothing"},
		{[]Row{evaluated, old}, []float64{3, 3}, "with dropout and label smoothing"},
		{[]Row{evaluated, {}}, nil, ""},
		{nil, nil, ""},
	} {
		of, words := trainingLoss(c.rows)
		if (of == nil) != (c.want == nil) || !strings.Contains(words, c.kind) {
			t.Errorf("%v: %q", c.want, words)
			continue
		}
		for i, want := range c.want {
			if got := of(c.rows[i]); math.Float64bits(got) != math.Float64bits(want) {
				t.Errorf("%s: %v, want %v", words, got, want)
			}
		}
	}
}
