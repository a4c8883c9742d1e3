package report

import (
	"diaghess/train/record"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// tunedRows are two arms in 8 tunings of 2 seeds, and of 3 in the second. The baseline's accuracy
// is another for each seed; the rival's is higher by the differences below.
func tunedRows() []Row {
	var rows []Row
	for i, differences := range [][]float64{{.02, .04}, {.05, .01, .03}, {.01, .03}, {.06, .02}, {.03, .03}, {.02, 0}, {.05, .05}, {.03, -.01}} {
		for j, d := range differences {
			for _, arm := range []struct {
				name     string
				accuracy float64
			}{{"adamw", .5 + .01*float64(i) + .02*float64(j)}, {"diaghess", .5 + .01*float64(i) + .02*float64(j) + d}} {
				r := run("digits", arm.name, record.SeedStride*i+j, 10*arm.accuracy)
				r.Arm, r.Tuning, r.Source = arm.name, i+1, "f"
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// The means of the tunings are .03, .03, .02, .04, .03, .01, .05 and .01: their mean is .0275, their
// SD .0138873. All are positive, so p is 2 of the 256 sign patterns. The interval is .0275 ±
// t(.975; 7) · .0138873/√8 = .0275 ± 2.3646243 · .00490990. Over the 17 seeds the mean would be
// 0.47/17 = .027647.
func TestTuningsAreTheUnit(t *testing.T) {
	rows := append(tunedRows(), run("digits", "adamw", 5, 9)) // without a partner
	rows[len(rows)-1].Arm, rows[len(rows)-1].Tuning = "adamw", 1
	a := mustCompare(t, rows, "")
	c := a.Comparisons[0]
	e := c.Evidence
	if e.N != 8 || len(c.Seeds) != 17 || e.P != 2./256 || e.Claim != Better || e.Wins != 8 || c.Tunings[1] != (Tuning{2, 3}) || c.Failures.N != 8 {
		t.Errorf("N %d of %d seeds, p %g, %s, %d wins, tunings %v, failures of %d", e.N, len(c.Seeds), e.P, e.Claim, e.Wins, c.Tunings, c.Failures.N)
	}
	for name, n := range map[string][2]float64{
		"mean": {e.MeanDifference, .0275}, "SD": {e.SD, .013887301496588272}, "low": {e.Interval.Low, .0158899}, "high": {e.Interval.High, .0391101},
		"baseline of tuning 2": {c.Lines[ValAcc].BaselineValues[1], .53}, "difference of the page": {c.Lines[ValAcc].Difference, .0275},
	} {
		if math.Abs(n[0]-n[1]) > 1e-7 {
			t.Errorf("%s: %.9g, want %.9g", name, n[0], n[1])
		}
	}
	dots := a.differenceStrip(c, ValAcc, true).dots
	if len(dots) != 8 || dots[1].title != "tuning 2, mean of 3 seeds: +3.00 points" || math.Abs(dots[1].value-3) > 1e-9 {
		t.Errorf("dots %v", dots)
	}
	if f := a.facts()[0]; f.Title != "Units" || !strings.HasPrefix(f.Text, "8 tunings of 2 to 3 seeds each. The result of a tuning is the mean over its seeds") {
		t.Errorf("units: %q", f)
	}
	if note := a.notes(c)[0]; !strings.HasPrefix(note, "n = 8 tunings of 2 to 3 seeds each, seeds 0, 1, 1000–1002, 2000") {
		t.Errorf("note %q", note)
	}
	if header := a.forestTables()[0].header; !slices.Contains(header, "tunings better") {
		t.Errorf("header %q", header)
	}
	for _, caution := range a.Cautions() {
		if strings.Contains(caution, "tuned several times") {
			t.Errorf("caution %q", caution)
		}
	}
	if got := mustCompare(t, slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Tuning > 3 }), "").Answer(); got != "Too few tunings to say: a verdict needs 5 that both arms finished. They finished 3 tunings of 2 to 3 seeds each." {
		t.Errorf("answer %q", got)
	}
}

// A tuning has failed with any of its runs.
func TestFailuresByTuning(t *testing.T) {
	rows := tunedRows()
	for i, r := range rows {
		if r.Optimizer == "diaghess" && r.Tuning == 2 && r.Seed != record.SeedStride {
			rows[i].Status = record.Diverged
		}
	}
	c := mustCompare(t, rows, "").Comparisons[0]
	if f := c.Failures; f.N != 8 || f.OnlyX != 1 || f.OnlyY != 0 {
		t.Errorf("failures %+v", f)
	}
	if c.Tunings[1] != (Tuning{2, 1}) {
		t.Errorf("tunings %v", c.Tunings)
	}
}

// metrics.csv carries the tunings, so that a report of it has the same numbers.
func TestTuningsInCSV(t *testing.T) {
	a := mustCompare(t, tunedRows(), "")
	paths, err := WriteCSV(t.TempDir(), a)
	if err != nil {
		t.Fatal(err)
	}
	file, err := ReadCSVFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	b := mustCompare(t, file.Rows, "")
	if !reflect.DeepEqual(a.Comparisons[0], b.Comparisons[0]) {
		t.Errorf("read back: %+v, want %+v", b.Comparisons[0], a.Comparisons[0])
	}
	for _, path := range paths[1:] {
		file, err := ReadCSVFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c := b.Check(file); len(c.Problems) > 0 {
			t.Errorf("%+v", c)
		}
	}
	header := strings.Join(metricsLayout.columns, ",") + ",tuning\n"
	for content, want := range map[string]string{
		header + "digits,0,a,1,0.5,0.5,1,\n":                                  "f.csv:2:24: column tuning: empty",
		header + "digits,0,a,1,0.5,0.5,1,0\n":                                 "f.csv:2:24: column tuning: 0 is not a number of a tuning",
		header + "digits,0,a,1,0.5,0.5,1,1.5\n":                               `f.csv:2:24: column tuning: "1.5" is not a whole number`,
		header + "digits,0,a,1,0.5,0.5,1,1\ndigits,0,a,1,0.5,0.5,1,2\n":       "stands in line 2 already; each tuning needs seeds of its own",
		strings.Replace(header, "\n", ",tuning\n", 1) + "d,0,a,1,1,1,1,1,1\n": "a column stands twice",
	} {
		if _, err := readCSV("f.csv", strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestMixedTunings(t *testing.T) {
	some := tunedRows()
	some[3].Source, some[3].Arm, some[3].Tuning = "g", "", 0
	shared := tunedRows()
	shared[5].Source, shared[5].Tuning = "g", 1
	for want, rows := range map[string][]Row{
		"f is of tuning 1, and g of none: runs of several tunings and others cannot be compared together": some,
		`f and g have seed 1000 on "digits" in tunings 2 and 1: each tuning needs seeds of its own`:       shared,
	} {
		if _, err := Compare(rows, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
