package report

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// What the authors of the published runs did not compute, for accuracy and a family of both data
// sets, by SciPy 1.17.1 and NumPy: all 2^19 sign patterns one by one for p and the p of spread;
// t.ppf(1 − .05/4, 19) for the intervals; wilcoxon(zero_method="pratt"), pearsonr and trim_mean; the medians
// and shares of all pairs; nct and chi2 for what could be found.
func TestPublishedEvidence(t *testing.T) {
	a := publishedAnalysis(t)
	if a.Primary != ValAcc || a.Method != stats.MaxT || a.Cells != 2 || a.Sampled != 0 {
		t.Errorf("family of %d by %v over %v", a.Cells, a.Method, a.Primary)
	}
	for i, want := range []struct {
		p, holm, low, high, wilcoxon, hodgesLehmann, interquartile, improvement, correlation, gain, spread, spreadP, detectable float64
		wins                                                                                                                    int
	}{
		{0.004718780517578125, 0.006008478370441453, 0.00125793651661045, 0.010562057933005029, 0.00422096252441, 0.005800008773803711, 0.0055099964141845925, 0.77875,
			-0.0583291139015, 0.951981214759, 0.5692307339617797, 0.1440258026123047, 0.008069050471110787, 16},
		{0.0035724639892578125, 0.0036153555393795938, 0.0020744169937449916, 0.010555574776045658, 0.00315284729004, 0.006625011563301086, 0.007099992036819436, 0.83,
			-0.0519556385697, 0.952563811539, 1.1796995727103703, 0.5988616943359375, 0.007355330733136237, 17},
	} {
		e := a.Comparisons[i].Evidence
		if e.Claim != Better || e.Wins != want.wins {
			t.Errorf("%s: %s, %d wins", a.Datasets[i], e.Claim, e.Wins)
		}
		for _, n := range []struct {
			name      string
			got, want float64
		}{
			{"p", e.P, want.p}, {"p (Holm)", e.HolmP, want.holm}, {"lower end", e.Interval.Low, want.low}, {"upper end", e.Interval.High, want.high},
			{"lower end of the line", a.Comparisons[i].Lines[ValAcc].Interval.Result.Low, want.low},
			{"Wilcoxon's p", e.Wilcoxon.Result.P, want.wilcoxon}, {"Hodges-Lehmann", e.HodgesLehmann.Result.Estimate, want.hodgesLehmann},
			{"interquartile means", e.Interquartile.Result.Estimate, want.interquartile}, {"improvement", e.Improvement.Result.Estimate, want.improvement},
			{"correlation", e.Pairing.Result.Correlation, want.correlation}, {"gain of pairing", e.Pairing.Result.VarianceRatio, want.gain},
			{"spread", e.Spread.Result.Ratio, want.spread}, {"p of spread", e.Spread.Result.P, want.spreadP}, {"detectable", e.Detectable.Result, want.detectable},
		} {
			if math.Abs(n.got-n.want) > 1e-9*math.Abs(n.want) {
				t.Errorf("%s: %s %.15g, want %.15g", a.Datasets[i], n.name, n.got, n.want)
			}
		}
		// Nobody recorded what ran beside the runs.
		if e.Time.Err == nil {
			t.Errorf("%s: times are compared", a.Datasets[i])
		}
	}
}

func TestRatio(t *testing.T) {
	twice, err := newRatio([]float64{2, 6, 10}, []float64{1, 3, 5})
	if err != nil || math.Abs(twice.Mean-2) > 1e-15 || !errors.Is(twice.Interval.Err, stats.ErrNoSpread) {
		t.Errorf("twice as long each time: %+v, %v", twice, err)
	}
	if r, err := newRatio([]float64{8, 2}, []float64{1, 1}); err != nil || math.Abs(r.Mean-4) > 1e-15 {
		t.Errorf("8 and 2 times as long: %+v, %v; want a geometric mean of 4", r, err)
	}
	if _, err := newRatio([]float64{1, 0}, []float64{1, 1}); !errors.Is(err, errNotPositive) {
		t.Errorf("a time of zero: %v", err)
	}
}

// pairs returns rows of two arms whose values of every metric are x and x + d.
func pairs(differences ...float64) []Row {
	var rows []Row
	for seed, d := range differences {
		x := 1 + 0.01*float64(seed*seed)
		for _, arm := range []struct {
			name  string
			value float64
		}{{"adamw", x}, {"diaghess", x + d}} {
			rows = append(rows, Row{Dataset: "digits", Optimizer: arm.name, Seed: seed, Status: record.Finished, Source: "test",
				ValLoss: arm.value, ValAcc: arm.value, F1: 1, TrainTime: 1})
		}
	}
	return rows
}

// The accuracy is the verdict's. F1 and time, which have no spread, and the loss are not its
// concern.
func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name        string
		differences []float64
		want        Claim
		answer      string
	}{
		{"two seeds", []float64{-1, -2}, TooFew, "Too few seeds to say: a verdict needs 5 that both arms finished. They finished 2 seeds."},
		{"four seeds", []float64{-1, -1.1, -1.2, -1.3}, TooFew, "Too few seeds to say: a verdict needs 5 that both arms finished. They finished 4 seeds."},
		{"five seeds, lower", []float64{-.1, -.11, -.12, -.13, -.14}, Worse, "No: diaghess is worse than adamw, by 12.0 points (−14.0 to −10.0)."},
		{"five seeds, higher", []float64{.1, .11, .12, .13, .14}, Better, "Yes: diaghess is better than adamw, by 12.0 points (+10.0 to +14.0)."},
		{"no spread, five seeds", []float64{1, 1, 1, 1, 1}, Untestable, "Not testable: the difference is the same in every pair, diaghess (+100.0 points), and a t-test needs differences that vary. 8 seeds could be tested."},
		{"no spread, seven seeds", []float64{-1, -1, -1, -1, -1, -1, -1}, Untestable, ""},
		{"no difference, five seeds", []float64{0, 0, 0, 0, 0}, NotShown, "Not shown: 5 seeds found no difference in accuracy."},
		{"no spread, eight seeds", []float64{1, 1, 1, 1, 1, 1, 1, 1}, Better, ""}, // flips need none
		{"about zero", []float64{-.02, -.01, 0, .01, .02}, NotShown, "Not shown: 5 seeds found no difference in accuracy, and would have found a true difference of 5.2 points with a probability of 80 %."},
	} {
		a := mustCompare(t, pairs(c.differences...), "")
		if got := a.Comparisons[0].Claim(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := a.Answer(); c.answer != "" && got != c.answer {
			t.Errorf("%s: answer %q, want %q", c.name, got, c.answer)
		}
	}
	if c := mustCompare(t, []Row{run("digits", "adamw", 0, 1)}, "").Comparisons[0]; c.Claim() != NoRival {
		t.Errorf("one optimizer: %q", c.Claim())
	}
}

// Sums of 8 positive differences reach theirs in 2 of 256 sign patterns, but t is 2, below the 2.365 of
// an interval that excludes 0. Of six equal differences, the opposite one and 0, t is 2.376, and sums reach theirs in
// 16 of 128 patterns.
func TestDisagreement(t *testing.T) {
	for want, differences := range map[string][]float64{
		"": {.01, .02, .01, .03, .02, .01, .02, .03},
		"the interval includes 0, but p shows a difference.":         {.01, .01, .01, .01, .01, .01, .01, .09},
		"the interval excludes 0, but p does not show a difference.": {.01, .01, .01, .01, .01, .01, -.01, 0},
	} {
		a := mustCompare(t, pairs(differences...), "")
		if got := a.disagreement(a.Comparisons[0]); got != want {
			t.Errorf("%v: %q, want %q", differences, got, want)
		}
		if want != "" && !slices.Contains(a.forestTables()[0].notes, "diaghess: "+want) {
			t.Errorf("%q is not under the table: %q", want, a.forestTables()[0].notes)
		}
		if got, want := a.howToRead(), "The interval is another method, Student's t, and can disagree with it either way."; !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Seeds 0 to 4 are in pairs. The means of all six runs are those of both tables: of b 4.76/6 = .7933.
func TestOneMean(t *testing.T) {
	var rows []Row
	for seed, accuracy := range map[int]float64{0: .91, 1: .91, 2: .92, 3: .91, 4: .91, 6: .2} {
		b := run("digits", "b", seed, 1)
		b.ValAcc, b.F1 = accuracy, accuracy
		a := run("digits", "a", min(seed, 5), 1)
		a.ValAcc, a.F1 = .9, .9
		rows = append(rows, a, b)
	}
	a := mustCompare(t, rows, "a")
	first, f1 := a.forestTables()[0].rows[1], a.secondarySection().tables[0].rows[0]
	if first[1] != "79.33" || f1[1] != "79.33" || f1[2] != "+1.20" {
		t.Errorf("accuracy %q and F1 %q, want a mean of 79.33 in both", first, f1)
	}
}

// A rival that failed in all runs has no pair, and a test of its failures: 3 to 0 is 2/8.
func TestFailuresWithoutPairs(t *testing.T) {
	runs := study("1")
	for i := range runs[3:] {
		runs[3+i].status, runs[3+i].accuracy = record.Diverged, nil
	}
	s := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs)).stabilitySection()
	if want := []string{"sgd", "n/a [1]", "n/a [1]", "n/a [2]", "n/a [2]", "3", "0", "0.25"}; len(s.tables) != 1 || !slices.Equal(s.tables[0].rows[0], want) {
		t.Errorf("tables %+v, want a row %q", s.tables, want)
	}
}

// Several rivals on several data sets, of which one has no pair. All count in the family.
func TestAnswerOfSeveral(t *testing.T) {
	var rows []Row
	for seed := range 10 {
		x := 0.001 * float64(seed*seed%7)
		for arm, value := range map[string]float64{"a": 0.5, "up": 0.6 + x, "down": 0.4 - x, "same": 0.5 + x - 0.002*float64(seed%3)} {
			r := run("digits", arm, seed, 10*value)
			r.Measured = Measured{Protocol: record.ProtocolHoldout, Test: true}
			rows = append(rows, r)
		}
	}
	failed := Row{Dataset: "digits", Optimizer: "same", Seed: 10, Status: record.Diverged}
	rows = append(rows, failed, run("digits", "a", 10, 5), run("mnist", "a", 0, 1), run("mnist", "up", 1, 2))
	rows[0].Measured = Measured{Protocol: record.ProtocolHoldout, Test: true}
	a := mustCompare(t, rows, "a")
	if a.Cells != 4 {
		t.Errorf("%d cells, want 4", a.Cells)
	}
	if got, want := a.Answer(), "up on digits (+10.19 points)"; !strings.HasPrefix(got, "Yes, 1 of 4: "+want) || !strings.Contains(got, "; down on digits (−10.19 points) is worse; ") || !strings.Contains(got, "in 1 other comparison there are fewer than 5 seeds, too few to say") {
		t.Errorf("answer %q", got)
	}
	others := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Optimizer == "up" || r.Dataset == "mnist" })
	if got, want := mustCompare(t, others, "a").Answer(), "No advantage was shown: down (−10.19 points) is worse than a; in 1 other comparison no difference was shown."; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	for _, c := range a.Comparisons {
		if f := c.Failures; c.Dataset == "digits" && c.Rival == "same" && (f.N != 11 || f.OnlyX != 1 || f.OnlyY != 0) {
			t.Errorf("failures %+v", f)
		}
	}
	if !strings.HasPrefix(a.objection(), "Caution: digits: same diverged in 1 of 11 runs (seed 10), which are in no mean.") {
		t.Errorf("objection %q", a.objection())
	}
	order := ""
	for _, r := range a.ranking("digits") {
		order += r.optimizer + " "
	}
	if !strings.HasPrefix(order, "up ") || !strings.HasSuffix(order, "down ") {
		t.Errorf("ranking %s", order)
	}
}

// What val_acc is of follows from the study.
func TestMetricTitle(t *testing.T) {
	for want, m := range map[string]Measured{
		"accuracy": {}, "test accuracy": {Protocol: record.ProtocolPilot}, "validation accuracy": {Protocol: record.ProtocolHoldout},
	} {
		r := run("digits", "adamw", 0, 1)
		r.Measured = m
		if got := mustCompare(t, []Row{r, {Dataset: "digits", Optimizer: "adamw", Seed: 1, Status: record.Diverged}}, "").metricTitle(ValAcc); got != want {
			t.Errorf("%+v: %s, want %s", m, got, want)
		}
	}
}
