package report

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The table of the pair that docs/studies has: the prediction is that of TestPredictMean in train/stats.
func TestReplication(t *testing.T) {
	rows, err := ReadFolder(filepath.Join("..", "..", "docs", "studies", "cifar10-pilot.zip"))
	if err != nil {
		t.Fatal(err)
	}
	rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Seed != 0 })
	s := mustCompare(t, rows, "").replicationSection()
	if len(s.tables) != 1 || len(s.tables[0].rows) != 9 {
		t.Fatalf("%+v", s)
	}
	if got, want := s.tables[0].rows[2], []string{"accuracy, %", "difference", "+0.59 ± 0.85", "−1.24 to +2.42", "+1.37", "yes"}; !slices.Equal(got, want) {
		t.Errorf("row %q, want %q", got, want)
	}
	if got, want := s.paragraphs[0], "On cifar10 all numbers here lie where the pilot's runs predict them."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// Two points less lie below all 20 runs of the pilot, and the difference grows by them.
	for i := range rows {
		if rows[i].Optimizer == "adamw" {
			rows[i].ValAcc -= 0.02
		}
	}
	s = mustCompare(t, rows, "").replicationSection()
	if got, want := s.paragraphs[0], "On cifar10 2 of 9 numbers here lie outside of what the pilot's runs predict: accuracy of adamw, accuracy of difference."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Runs of other settings replicate nothing.
func TestNoReplication(t *testing.T) {
	for _, change := range []func(*Row){
		func(r *Row) { r.run.Config.Epochs = 49 },
		func(r *Row) { r.run.Config.Limit = 10000 },
		func(r *Row) { r.run.Config.Batch = 128 },
		func(r *Row) { r.run = nil },
		func(r *Row) { r.Optimizer = strings.Replace(r.Optimizer, "adamw", "adam", 1) },
	} {
		rows, err := ReadFolder(filepath.Join("..", "..", "docs", "studies", "cifar10-pilot.zip"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			change(&rows[i])
		}
		if s := mustCompare(t, rows, "").replicationSection(); len(s.tables) > 0 {
			t.Errorf("%+v", s)
		}
	}
}
