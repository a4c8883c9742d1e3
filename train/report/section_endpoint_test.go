package report

import (
	"diaghess/train/record"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The differences of sgd from adamw are, by seed, −.2, .1 and .2 in the last epoch; .15, −.15 and
// .325 as means of the last two; .5/3, −.5/3 and .15 of all three; and .1, .1 and .25 in the
// best. The intervals are mean ± 4.3026527 · SD/√3.
func TestEndpointSection(t *testing.T) {
	folder := t.TempDir()
	const own = `{"endpoint":"mean-last-2"}`
	rows := writeRuns(t, folder, []folderRun{
		{"adamw", 0, record.Finished, []float64{.2, .4, .8}, own}, {"adamw", 1, record.Finished, []float64{.4, .6, .8}, own}, {"adamw", 2, record.Finished, []float64{.3, .5, .7}, own},
		{"sgd", 0, record.Finished, []float64{.4, .9, .6}, own}, {"sgd", 1, record.Finished, []float64{.2, .2, .9}, own}, {"sgd", 2, record.Finished, []float64{.1, .95, .9}, own},
	})
	read, err := ReadFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	a := mustCompare(t, read, "adamw")
	s := a.endpointSection()
	if len(s.tables) != 1 {
		t.Fatalf("section %+v", s)
	}
	header := []string{"arm", "last epoch, points", "mean of last 3, points", "mean of last 2 (the study's), points", "best epoch, points"}
	want := [][]string{{"sgd", "+3.3 (−48.4 to +55.0)", "+5.0 (−41.7 to +51.7)", "+10.8 (−48.8 to +70.5)", "+15.0 (−6.5 to +36.5)"}}
	if got := s.tables[0]; !slices.Equal(got.header, header) || !reflect.DeepEqual(got.rows, want) || !strings.Contains(got.title, "validation accuracy") || !strings.Contains(got.title, "exploratory") {
		t.Errorf("%s: %q %q, want %q %q", got.title, got.header, got.rows, header, want)
	}
	if got, want := s.paragraphs[0], "No difference changes its sign with the endpoint."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// The verdict is about validation pictures too. A mean of five of three epochs is that of three.
	if got := s.paragraphs[1]; strings.Contains(got, "the verdict is about") {
		t.Errorf("%q", got)
	}
	// In the last epoch −.2, .1 and now −.1: the mean is below zero, the others stay above.
	for i := range a.Records.Runs {
		if run := &a.Records.Runs[i]; run.Row.Optimizer == "sgd" && run.Row.Seed == 2 {
			run.Epochs[2].ValAcc = .6
		}
	}
	if got, want := a.endpointSection().paragraphs[0], "The sign of the difference depends on it: digits, sgd against adamw."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	a.Records.Runs[0].Epochs = nil
	if got := a.endpointSection().tables[0]; got.rows[0][1] != "n/a [1]" || !strings.Contains(got.notes[0], "not every run compared") {
		t.Errorf("%q %q", got.rows, got.notes)
	}
	if got, want := a.endpointSection().paragraphs[0], "Not known: no comparison has the epochs of all its runs."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range rows {
		rows[i].Source = "metrics.csv"
	}
	if s := mustCompare(t, rows, "").endpointSection(); len(s.tables)+len(s.paragraphs) > 0 {
		t.Errorf("without epochs: %+v", s)
	}
}
