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
// and to 0.8 in 3, 3, 3; sgd to 0.4 in 1, never, never (diverged), to 0.8 in 2.
func TestTimeToTarget(t *testing.T) {
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), study("1")))
	a.Targets = []float64{0.4, 0.8}
	table := a.targetTable("digits")
	want := [][]string{
		{"0.4000", "epoch 2, 1.00 s (3 of 3)", "not reached (1 of 3)"},
		{"0.8000", "epoch 3, 1.50 s (3 of 3)", "not reached (1 of 3)"},
	}
	if !reflect.DeepEqual(table.rows, want) {
		t.Errorf("rows %q, want %q", table.rows, want)
	}

	inf := math.Inf(1)
	ratios := a.ratiosToBest("digits", []string{"adamw", "sgd"}, func(r reached) float64 { return r.epochs })
	// [arm][seed 0: 0.4, 0.8; seed 1; seed 2]
	if want := [][]float64{{2, 1.5, 1, 1, 1, 1}, {1, 1, inf, inf, inf, inf}}; !reflect.DeepEqual(ratios, want) {
		t.Errorf("ratios %v, want %v", ratios, want)
	}
	curve := profile(ratios[0], 4)
	for _, c := range []struct{ x, share float64 }{{1, 4. / 6}, {1.5, 5. / 6}, {2, 1}, {4, 1}} {
		if got := lastAt(curve.X, curve.Y, c.x); got != c.share {
			t.Errorf("the profile is %g at %g, want %g", got, c.x, c.share)
		}
	}
	missed := profile(ratios[1], 4)
	if got := missed.Y[len(missed.Y)-1]; got != 2./6 {
		t.Errorf("the profile of an arm that misses ends at %g, want 1/3", got)
	}

	a.Targets = nil
	// The best median accuracy after the last epoch is adamw's 0.8.
	if got := a.targets("digits"); len(got) != len(targetShares()) || got[0] != 0.5*0.8 || got[len(got)-1] != 0.8 {
		t.Errorf("targets %v, want shares of 0.8", got)
	}
	a.Targets = []float64{0.99}
	if rows := a.targetTable("digits").rows; rows[0][1] != "not reached (0 of 3)" {
		t.Errorf("a target that nobody reaches: %q", rows)
	}
	for _, r := range a.ratiosToBest("digits", []string{"adamw", "sgd"}, func(r reached) float64 { return r.seconds }) {
		if !slices.Equal(r, []float64{inf, inf, inf}) {
			t.Errorf("ratios to what nobody reaches: %v", r)
		}
	}
}

// lastAt returns the last of the values at x of steps.
func lastAt(xs, ys []float64, x float64) float64 {
	y := math.NaN()
	for i := range xs {
		if xs[i] <= x {
			y = ys[i]
		}
	}
	return y
}

// Two runs, one of them longer: accuracies 0.2, 0.4, 0.8 and 0.4, 0.6.
func TestLearningCurve(t *testing.T) {
	runs := study("1")[:2]
	runs[1].accuracy = runs[1].accuracy[:2]
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs))
	accuracy := measures()[1]
	byEpoch := learningCurve(a.Records.finished("digits", "adamw"), accuracy, false)
	byTime := learningCurve(a.Records.finished("digits", "adamw"), accuracy, true)
	if !slices.Equal(byEpoch.X, []float64{1, 2}) || !slices.Equal(byTime.X, []float64{0.5, 1}) {
		t.Errorf("epochs %v and times %v, want those that both runs have", byEpoch.X, byTime.X)
	}
	// Deviations of 0.2 and 0.4, and of 0.4 and 0.6, are 0.2/√2; sums of two are rounded once or twice.
	sd := 0.2 / math.Sqrt2
	for i, mean := range []float64{0.3, 0.5} {
		for _, c := range []struct{ got, want float64 }{{byEpoch.Y[i], mean}, {byEpoch.Low[i], mean - sd}, {byEpoch.High[i], mean + sd}} {
			if math.Abs(c.got-c.want) > 1e-15 {
				t.Errorf("epoch %d: %.17g, want %.17g", i+1, c.got, c.want)
			}
		}
	}
	single := learningCurve(a.Records.finished("digits", "adamw")[:1], accuracy, false)
	if !slices.Equal(single.Low, single.Y) || !slices.Equal(single.High, single.Y) {
		t.Errorf("the band of one run: %v to %v", single.Low, single.High)
	}
}

func TestCostTable(t *testing.T) {
	runs := study("1")
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs))
	// run gives 100 s times 1 + the length of the name + the seed's square: 600, 700, 1000 s and 400, 500 s;
	// a run has 200 steps.
	want := [][]string{
		{"adamw", "3", "700 s", "3500", "", ""},
		{"sgd", "2", "450 s", "2250", "0.690", "n/a [1]"}, // √(4/6 · 5/7) = 0.690
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
	// k is 0, 2, 10, 12, 20 and 22, its median 11.
	want := [][]string{{"adamw", "6", "111", "211", "50.0", "1.00", "0.250"}}
	if got := a.partsTable("digits").rows; !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if s := a.costSection(); len(s.tables) != 2 || !strings.Contains(strings.Join(s.paragraphs, " "), "divided by the steps") {
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
