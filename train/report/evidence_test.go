package report

import (
	"errors"
	"math"
	"slices"
	"testing"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// What the authors of the published runs did not compute, by SciPy 1.17.1
// (ttest_rel().confidence_interval(), wilcoxon(zero_method="pratt"), pearsonr(x, y) and
// pearsonr(x+y, x-y), whose p is that of Pitman and Morgan, ttest_1samp of the logs of
// the ratios) and statsmodels 0.15.0 (multipletests(method="holm") over all eight t-tests
// and over all eight tests of spread; TTestPower().solve_power(nobs=20, alpha=0.05,
// power=0.8) times the deviation of the differences), to 12 digits.
//
// The tolerance of 1e-9 is that of [Analysis.Check], and no finer than the roots that
// both find numerically.
func TestPublishedEvidence(t *testing.T) {
	want := []struct {
		dataset string
		metric  Metric
		holmP, low, high, wilcoxonP,
		correlation, gain, sdRatio, sdP, sdHolmP,
		detectable, ratio, ratioLow float64
		claim Claim
	}{
		{"cifar10", ValLoss, 0.0500422451693, -0.0353977017776, -0.00361551114168, 0.0171813964844,
			-0.0874401078134, 0.934594845827, 0.500360855125, 0.00506858308148, 0.0354800815703, 0.0224248252589, 0.956398394738, 0.922606983096, NotSettled},
		{"cifar10", ValAcc, 0.0240339134818, 0.00190871750595, 0.00991127694366, 0.00422096252441,
			-0.0583291139015, 0.951981214759, 0.575672770485, 0.0238413860004, 0.119206930002, 0.00564643259084, 1.00687764416, 1.00220477896, Better},
		{"cifar10", F1, 0.0500422451693, 0.00111038732123, 0.00985262309707, 0.0136165618896,
			-0.0619492443015, 0.947679970013, 0.613078776721, 0.0441803124749, 0.1767212499, 0.00616833219243, 1.00638779465, 1.00127616376, NotSettled},
		{"cifar10", TrainTime, 3.32372020987e-24, 60.7921672055, 64.2190347722, 1.90734863281e-06,
			0.503529939238, 1.72355963243, 1.86174167405, 0.00442285442888, 0.035382835431, 2.41792352357, 1.25114515636, 1.24408932374, Worse},
		{"cifar100", ValLoss, 0.0500422451693, -0.0441125706188, -0.00491031851845, 0.0192337036133,
			-0.168538240837, 0.863977875478, 1.45260600507, 0.117400209248, 0.352200627743, 0.0276602598977, 0.983223973064, 0.970173513144, NotSettled},
		{"cifar100", ValAcc, 0.00903838884845, 0.00266763541871, 0.00996235635108, 0.00315284729004,
			-0.0519556385697, 0.952563811539, 1.34083144302, 0.222372999376, 0.352200627743, 0.0051469970744, 1.01066351469, 1.00445946946, Better},
		{"cifar100", F1, 0.00618398124406, 0.0028453338063, 0.0095474465604, 0.00168991088867,
			0.0648359528043, 1.06485957242, 1.42930076945, 0.13828149476, 0.352200627743, 0.00472886558066, 1.01052750299, 1.00479221817, Better},
		{"cifar100", TrainTime, 5.7278656793e-23, 63.7337397995, 67.9592962561, 1.90734863281e-06,
			0.900567907208, 7.09488375171, 1.36294828521, 0.00658966534939, 0.0395379920963, 2.98146110338, 1.20850068835, 1.20224166081, Worse},
	}
	a := publishedAnalysis(t)
	if a.Tests != 8 || a.SpreadTests != 8 {
		t.Errorf("families of %d and %d tests, want 8 and 8", a.Tests, a.SpreadTests)
	}
	for i, w := range want {
		c := a.Comparisons[i/4]
		l := c.Lines[w.metric]
		e := l.Evidence
		if c.Dataset != w.dataset || l.Claim() != w.claim {
			t.Errorf("%s %s: claim %q, want %q", c.Dataset, w.metric, l.Claim(), w.claim)
		}
		for _, n := range []struct {
			name      string
			got, want float64
		}{
			{"p (Holm)", e.HolmP, w.holmP},
			{"lower end", e.Interval.Result.Low, w.low},
			{"upper end", e.Interval.Result.High, w.high},
			{"Wilcoxon's p", e.Wilcoxon.Result.P, w.wilcoxonP},
			{"correlation", e.Pairing.Result.Correlation, w.correlation},
			{"gain of pairing", e.Pairing.Result.VarianceRatio, w.gain},
			{"ratio of deviations", e.Spread.Result.SDRatio, w.sdRatio},
			{"p of spread", e.Spread.Result.P, w.sdP},
			{"p (Holm) of spread", e.SpreadP, w.sdHolmP},
			{"detectable difference", e.Detectable.Result, w.detectable},
			{"ratio", e.Ratio.Result.Mean, w.ratio},
			{"lower end of the ratio", e.Ratio.Result.Interval.Result.Low, w.ratioLow},
		} {
			if math.Abs(n.got-n.want) > 1e-9*math.Abs(n.want) {
				t.Errorf("%s %s: %s %.15g, want %.15g", w.dataset, w.metric, n.name, n.got, n.want)
			}
		}
	}
}

// A test that could not be made is no member of the family: with t-tests on one
// data set of two, of p = 1 − 4/√18 each, the adjusted p of all is 4p.
func TestFamilyHasTestsOnly(t *testing.T) {
	rows := append(checkedAnalysis(t).Rows, run("mnist", "adamw", 0, 1), run("mnist", "sgd", 0, 2))
	a := mustCompare(t, rows, "")
	if a.Tests != 4 {
		t.Fatalf("a family of %d tests, want 4", a.Tests)
	}
	// p follows t, which is rounded like a sum of three: a few units in the last place.
	want := 4 * (1 - 4/math.Sqrt(18))
	for _, l := range a.Comparisons[0].Lines {
		if math.Abs(l.Evidence.HolmP-want) > 1e-12 {
			t.Errorf("%s: p (Holm) %.17g, want %.17g", l.Metric, l.Evidence.HolmP, want)
		}
	}
	for _, l := range a.Comparisons[1].Lines {
		if !math.IsNaN(l.Evidence.HolmP) || !errors.Is(l.Evidence.Wilcoxon.Err, stats.ErrTooFewPairs) {
			t.Errorf("%s of one pair: %+v", l.Metric, l.Evidence)
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

// Accuracies are the losses here, so that what is better by one is worse by the
// other. F1 and time have no spread and are not tested, so the family is of two
// tests with equal p.
func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name        string
		differences []float64
		loss, acc   Claim
	}{
		{"two seeds", []float64{-1, -2}, NotTested, NotTested},
		{"four seeds", []float64{-1, -1.1, -1.2, -1.3}, Exploratory, Exploratory},
		{"five seeds, lower", []float64{-1, -1.1, -1.2, -1.3, -1.4}, Better, Worse},
		{"five seeds, higher", []float64{1, 1.1, 1.2, 1.3, 1.4}, Worse, Better},
		{"no spread", []float64{1, 1, 1, 1, 1}, NotTested, NotTested},
		{"about zero", []float64{-2, -1, 0, 1, 2}, NotShown, NotShown},
		// t = 2/(√2.5/√5) = 2√2, between the quantiles of 5 % and 2.5 %, 2.776 and 3.495, of
		// four degrees of freedom: significant alone, not as one of two.
		{"one of two", []float64{0, 1, 2, 3, 4}, NotSettled, NotSettled},
	} {
		lines := mustCompare(t, pairs(c.differences...), "").Comparisons[0].Lines
		if got := []Claim{lines[ValLoss].Claim(), lines[ValAcc].Claim()}; !slices.Equal(got, []Claim{c.loss, c.acc}) {
			t.Errorf("%s: claims %q, want %q and %q", c.name, got, c.loss, c.acc)
		}
	}
	if lines := mustCompare(t, []Row{run("digits", "adamw", 0, 1)}, "").Comparisons[0].Lines; lines[F1].Claim() != NoRival {
		t.Errorf("one optimizer: claim %q", lines[F1].Claim())
	}
}

func TestVerdictSentences(t *testing.T) {
	a := publishedAnalysis(t)
	c := a.Comparisons[0]
	for m, want := range map[Metric]string{
		ValLoss: "Custom has a lower mean loss than Baseline: −0.0195, −4.50 %, 95 % interval −0.0354 to −0.0036 (p = 0.01878, after Holm's adjustment over 8 tests p = 0.05004; 20 seeds). " +
			"Alone this would count as significant; as one of 8 tests it does not.",
		ValAcc:    "Custom has a higher accuracy than Baseline, which is better: +0.0059, +0.69 %, 95 % interval +0.0019 to +0.0099 (p = 0.00601, after Holm's adjustment over 8 tests p = 0.02403; 20 seeds).",
		TrainTime: "Custom has a higher training time than Baseline, which is worse: +62.5056 s, +25.12 %, 95 % interval +60.7922 to +64.2190 s (p < 0.00001, after Holm's adjustment over 8 tests p < 0.00001; 20 seeds).",
	} {
		if got := a.verdict(c, c.Lines[m]); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", m, got, want)
		}
	}
	if got, want := headline(c), "better: accuracy; worse: training time; not settled: loss and macro F1"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
}
