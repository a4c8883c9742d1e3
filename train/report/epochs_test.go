package report

import (
	"diaghess/train/record"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMedianWithMisses(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		list []float64
		want float64
	}{
		{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{inf, 1, 2}, 2}, {[]float64{inf, 1}, inf}, {[]float64{inf, inf, 1}, inf}, {[]float64{inf, inf}, inf},
	} {
		if got := median(slices.Clone(c.list)); got != c.want {
			t.Errorf("median of %v is %g, want %g", c.list, got, c.want)
		}
	}
}

// The runs of study, racing to 0.4 and 0.8. adamw gets to 0.4 in epochs 2, 1 and 2
// and to 0.8 in 3, 3, 3; sgd to 0.4 in 1, never, never, to 0.8 in 2. The last run of sgd had 0.9 before it
// diverged.
func TestTimeToTarget(t *testing.T) {
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("1")))
	a.Records.Runs[5].Epochs = []record.Epoch{{ValAcc: 0.9}}
	table := a.targetTable("digits", []float64{0.4, 0.8})
	want := [][]string{{"adamw", "2 (3 of 3)", "3 (3 of 3)"}, {"sgd", "never (1 of 3)", "never (1 of 3)"}}
	if !reflect.DeepEqual(table.rows, want) {
		t.Errorf("rows %q, want %q", table.rows, want)
	}
	// The dots are of 0.8.
	if dots := table.strips[1].dots; dots[0].value != 2 || dots[1].title != "seed 1: never" || dots[2].title != "seed 2: never" {
		t.Errorf("dots of sgd: %v", dots)
	}
	a.Targets = []float64{0.4, 0.40000001}
	if got := a.targetTable("digits", a.Targets).header; !slices.Equal(got, []string{"arm", "40.00 %", "40.000001 %"}) {
		t.Errorf("header %q", got)
	}
	a.Targets = nil
	// The best median accuracy after the last epoch is adamw's 0.8.
	if got := a.targets("digits"); len(got) != len(targetShares()) || got[0] != targetShares()[0]*0.8 || got[len(got)-1] != 0.8 {
		t.Errorf("targets %v, want shares of 0.8", got)
	}
	if rows := a.targetTable("digits", []float64{0.99}).rows; rows[0][1] != "never (0 of 3)" {
		t.Errorf("a target that nobody reaches: %q", rows)
	}
}

// Accuracies 1 and 3 and a failed run: of three runs, two reach 1, one reaches 3. For losses
// the larger one is reached by both.
func TestProfile(t *testing.T) {
	c := profile([]float64{3, 1}, 1, true)
	if !slices.Equal(c.X, []float64{1, 1, 3, 3}) || math.Abs(c.Y[0]-200./3) > 1e-9 || c.Y[1] != c.Y[2] || math.Abs(c.Y[2]-100./3) > 1e-9 || c.Y[3] != 0 {
		t.Errorf("profile %v", c)
	}
	if c := profile([]float64{1, 3}, 0, false); !slices.Equal(c.X, []float64{3, 3, 1, 1}) || c.Y[0] != 100 {
		t.Errorf("profile of losses %v", c)
	}
	// statsmodels 0.15.0: proportion_confint(7, 10, method="wilson").
	if _, low, high := wilson(7, 10); math.Abs(low-0.396778) > 1e-6 || math.Abs(high-0.892209) > 1e-6 {
		t.Errorf("Wilson's interval %g to %g", low, high)
	}
}

// Two runs, one of them longer: accuracies 0.2, 0.4, 0.8 and 0.4, 0.6.
func TestLearningCurve(t *testing.T) {
	runs := study("1")[:2]
	runs[1].accuracy = runs[1].accuracy[:2]
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs))
	accuracy := measures()[1]
	curve := learningCurve(a.Records.finished("digits", "adamw"), accuracy)
	if !slices.Equal(curve.X, []float64{1, 2}) {
		t.Errorf("epochs %v, want those that both runs have", curve.X)
	}
	// The standard error of 0.2 and 0.4, and of 0.4 and 0.6, is 0.1; Student's t with one degree of
	// freedom exceeds 12.7062 with 2.5 %.
	for i, mean := range []float64{0.3, 0.5} {
		for _, c := range []struct{ got, want float64 }{{curve.Y[i], mean}, {curve.Low[i], mean - 1.27062}, {curve.High[i], mean + 1.27062}} {
			if math.Abs(c.got-c.want) > 1e-6 {
				t.Errorf("epoch %d: %.17g, want %.17g", i+1, c.got, c.want)
			}
		}
	}
	single := learningCurve(a.Records.finished("digits", "adamw")[:1], accuracy)
	if !slices.Equal(single.Low, single.Y) || !slices.Equal(single.High, single.Y) {
		t.Errorf("the band of one run: %v to %v", single.Low, single.High)
	}
}

// Times are compared where the ledger says that no run had another beside it.
func TestTimes(t *testing.T) {
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("1")))
	if s := a.costSection(); len(s.tables) > 0 || s.paragraphs[0] != "Times are not compared: it is not recorded what ran beside the runs." {
		t.Errorf("without a ledger: %+v", s)
	}
	rows := slices.Clone(a.Rows)
	event := func(beside int, load float64) {
		for i := range rows {
			run := *rows[i].run
			run.Event = &record.Event{Beside: beside, Load: load}
			rows[i].run = &run
		}
		a = mustCompare(t, rows, "")
	}
	event(1, 2)
	if s := a.costSection(); len(s.tables) > 0 || s.paragraphs[0] != "Times are not compared: up to 2 runs of the study were trained side by side." {
		t.Errorf("beside another: %+v", s)
	}
	event(0, 0)
	if s := a.costSection(); s.paragraphs[0] != "Times are not compared: the load of the machine is not recorded." {
		t.Errorf("without a load: %+v", s)
	}
	event(0, 2.5)
	if s := a.costSection(); s.paragraphs[0] != "Times are not compared: something else ran on the machine, whose load was 2.5 with a run of 1 thread." {
		t.Errorf("beside another program: %+v", s)
	}
	event(0, 2)
	if s := a.costSection(); !strings.HasSuffix(s.paragraphs[1], "the machine's load, the run included, was 2.0 to 2.0.") {
		t.Errorf("alone: %+v", s)
	}
	// run gives 100 s times 1 + the length of the name + the seed's square: 600, 700, 1000 s and 400, 500 s;
	// a run has 201 steps.
	want := [][]string{
		{"adamw", "700 s", "3483", ""},
		{"sgd", "450 s", "2239", "0.690 (n/a [1])"}, // √(4/6 · 5/7) = 0.690
	}
	if got := a.costTable("digits").rows; !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

// Medians over the steps of the finished runs that were timed; an arm without any has no
// row.
func TestPartsTable(t *testing.T) {
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("1")))
	if got := a.partsTable("digits").rows; got != nil {
		t.Errorf("without times: rows %q", got)
	}
	for i := range a.Records.Runs {
		run := &a.Records.Runs[i]
		if run.Row.Optimizer != "adamw" {
			continue
		}
		for j := range run.Epochs[:2] {
			k := float64(10*run.Row.Seed + 2*j)
			run.Epochs[j].Parts = &record.StepParts{Forward: 100 + k, Backward: 200 + k, Curvature: 50, Update: 1, Rest: 0.25}
		}
	}
	// k is 0, 2, 10, 12, 20 and 22, its median 11: 111, 211, 50, 1 and 0.25 of 373.25.
	want := [][]string{{"adamw", "6", "30", "57", "13", "0", "0"}}
	if got := a.partsTable("digits").rows; !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if s := a.costSection(); len(s.tables) != 1 || !strings.Contains(strings.Join(s.paragraphs, " "), "divided by the steps") {
		t.Errorf("section %+v", s)
	}
}

func TestThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 0.5: "0.500", 1: "1.00", 45.678: "45.7", 123.4: "123", 12345: "12345"} {
		if got := threeDigits(v); got != want {
			t.Errorf("threeDigits(%g) = %q, want %q", v, got, want)
		}
	}
}
