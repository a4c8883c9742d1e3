package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// lookedAt returns the analysis of a study with looks at 10, 15 and 20 seeds, from its ended runs:
// one of each arm on each of so many seeds. b is better than a by 1 to 3 points with each of the
// first seeds, and worse by 50 from seed 10 on. c is 5 points worse with
// the first seed and then by a tenth better and worse in turns, and d is c.
func lookedAt(t *testing.T, ended map[string]int) *Analysis {
	t.Helper()
	content := &record.Content{Folder: "study", Planned: &record.Event{Plan: strings.Repeat("0", 64)}, Plan: &record.Plan{
		Datasets: []string{"digits"}, Optimizers: []string{"a", "b", "c", "d"}, Metric: record.DefaultMetric, Test: record.PlannedTest, Looks: []int{10, 15, 20}}}
	for seed := range 20 {
		content.Plan.Seeds = append(content.Plan.Seeds, seed)
	}
	var rows []Row
	for _, arm := range content.Plan.Optimizers {
		for _, seed := range content.Plan.Seeds {
			if seed >= ended[arm] {
				content.Pending = append(content.Pending, record.Pending{Job: record.Job{Dataset: "digits", Optimizer: arm, Seed: seed}})
			}
		}
		for seed := range ended[arm] {
			accuracy := 0.6 + 0.001*math.Sin(float64(seed))
			switch {
			case arm == "b" && seed >= 10:
				accuracy -= 0.5
			case arm == "b":
				accuracy += 0.02 + 0.01*math.Sin(float64(3*seed))
			case arm != "a" && seed == 0:
				accuracy -= 0.05
			case arm != "a":
				accuracy += 0.001 * float64(1-seed%2*2)
			}
			rows = append(rows, Row{Dataset: "digits", Optimizer: arm, Seed: seed, Status: record.Finished, ValAcc: accuracy, F1: accuracy, ValLoss: 1, TrainTime: 1, study: content,
				run: &record.Ended{Settings: map[string]string{}, Event: &record.Event{Event: record.RunEnded}}})
		}
	}
	return mustCompare(t, rows, "a")
}

// Everything that is said of a comparison is of the units of its last look: neither later runs of
// a decided cell nor those that wait for the next look change it. All ten differences of b are above
// 0, and no pattern of signs brings c near its t: two of the 1,024 patterns reach it.
func TestNumbersAreOfTheLook(t *testing.T) {
	for ended, want := range map[int]struct {
		reached, n int
		c          Claim
		missing    int
	}{
		10: {1, 10, Undecided, 30},
		13: {1, 10, Undecided, 21}, // on the way to 15
		15: {2, 15, Undecided, 15},
		20: {3, 20, NotShown, 0},
	} {
		a := lookedAt(t, map[string]int{"a": ended, "b": ended, "c": ended, "d": ended})
		b, c := a.Comparisons[0], a.Comparisons[1]
		if a.Reached != want.reached || b.Claim() != Better || c.Claim() != want.c || len(c.Seeds) != want.n || c.Evidence.N != want.n {
			t.Errorf("%d ended: %d looks reached, b is %s, c is %s with seeds %v, N = %d", ended, a.Reached, b.Claim(), c.Claim(), c.Seeds, c.Evidence.N)
		}
		l, e := b.Lines[ValAcc], b.Evidence
		within := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-12 {
				t.Errorf("%d ended: %s %v, want %v", ended, what, got, want)
			}
		}
		var rival, baseline []float64
		for seed := range 10 {
			rival, baseline = append(rival, 0.62+0.001*math.Sin(float64(seed))+0.01*math.Sin(float64(3*seed))), append(baseline, 0.6+0.001*math.Sin(float64(seed)))
		}
		alone, err := stats.PairedT(rival, baseline)
		if err != nil {
			t.Fatal(err)
		}
		interval := alone.Interval(1 - e.Look.Level/3)
		within("p", e.P, math.Ldexp(1, -9))
		within("difference", l.Difference, e.MeanDifference)
		within("mean", e.MeanDifference, alone.MeanDifference)
		within("low", l.Interval.Result.Low, interval.Low)
		within("high", e.Interval.High, interval.High)
		within("low of F1", b.Lines[F1].Interval.Result.Low, interval.Low)
		if len(b.Seeds) != 10 || e.Wins != 10 || e.Look.Units != 10 || len(l.RivalValues) != 10 || len(b.LeftOut) > 0 {
			t.Errorf("%d ended: b has %d seeds, %d better, look at %d, %v left out", ended, len(b.Seeds), e.Wins, e.Look.Units, b.LeftOut)
		}
		if got := len(a.Records.Missing); got != want.missing { // a, c and d: b is decided
			t.Errorf("%d ended: %d runs are missing, want %d", ended, got, want.missing)
		}
	}
}

// What is said of looks, and after each of them.
func TestLooksInWords(t *testing.T) {
	all := func(n int) map[string]int { return map[string]int{"a": n, "b": n, "c": n, "d": n} }
	stopped := all(20)
	stopped["b"] = 10
	for _, c := range []struct {
		name  string
		ended map[string]int
		fact  string
		after []string // each look
	}{
		{"before the first", all(9), "0 of 3 reached. A cell is decided where its p is at most the level, and then leaves the family. Until the first there is no p, and intervals have its level.",
			[]string{"look 1 was not reached: runs of the plan are missing, or are others"}},
		{"a rival has no run", map[string]int{"a": 10, "b": 10, "c": 10}, "0 of 3 reached", []string{"look 1 was not reached: runs of the plan are missing, or are others"}},
		{"after the first", all(13), "1 of 3 reached. A cell is decided where its p is at most the level, and then leaves the family. An early stop overstates the mean, by up to 0.06 of the differences' SD on average. Runs beyond a look are not compared before the next.",
			[]string{"look at 10 seeds, level 0.00305: digits, b against a is better (p = 0.00195); 2 open", "look 2 was not reached: runs of the plan are missing, or are others"}},
		{"at the end", stopped, "3 of 3 reached. A cell is decided where its p is at most the level, and then leaves the family. An early stop overstates the mean, by up to 0.06 of the differences' SD on average. Intervals are repeated intervals",
			[]string{"look at 10 seeds, level 0.00305: digits, b against a is better (p = 0.00195); 2 open", "look at 15 seeds, level 0.0183: nothing new is decided, 2 open", "look at 20 seeds, level 0.044: nothing new is decided, 2 open"}},
	} {
		a := lookedAt(t, c.ended)
		if got := a.looksFact(); !strings.Contains(got, "Planned at 10 (level 0.00305), 15 (level 0.0183) and 20 (level 0.044) seeds; "+c.fact) {
			t.Errorf("%s: %s", c.name, got)
		}
		for look, want := range c.after {
			if got := a.AfterLook(look); got != want {
				t.Errorf("%s: after look %d: %q, want %q", c.name, look, got, want)
			}
		}
	}
	a := lookedAt(t, all(9))
	if got, want := a.methodNote(), "Nothing is tested before the first look."; got != want || a.Answer() != "Not yet: the first look is planned at 10 seeds." {
		t.Errorf("before the first look: %q, %q", got, a.Answer())
	}
	if rows := lookedAt(t, stopped).lookTable().rows; !slices.Equal(rows[0], []string{"digits", "b", "10 seeds", "0.00195", "0.00305", "▲ better"}) {
		t.Errorf("%q", rows)
	}
	// Against another baseline there are no looks, and that is said.
	a = mustCompare(t, lookedAt(t, stopped).Rows, "c")
	if _, words := a.standing(); a.Looks != nil || a.AfterLook(0) != "look 1 was not reached: runs of the plan are missing, or are others" || words != "exploratory: the plan was not followed" {
		t.Errorf("another baseline: looks %v, %s", a.Looks, words)
	}
}

// A comparison that was decided at a look where one had fewer than 8 seeds was decided by t-tests,
// and the others later by sign flips.
func TestMethodsOfLooks(t *testing.T) {
	rows := lookedAt(t, map[string]int{"a": 20, "b": 10, "c": 20, "d": 20}).Rows
	for i, r := range rows {
		if r.Optimizer == "d" && r.Seed < 3 {
			rows[i].Status, rows[i].Note = record.Diverged, "at once"
		}
	}
	a := mustCompare(t, rows, "a")
	want := "The verdict goes by the step-down p of the largest |t| over sign flips, which rests on differences that are symmetric about 0 where there is no effect. " +
		"Of another look, for digits, b against a: The verdict goes by Holm's p of the paired t-test, which rests on nearly normal differences."
	if got := a.methodNote(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A plan of tunings has its looks at tunings, and one of seeds at seeds: runs that are not of that
// kind are looked at as they are.
func TestLooksAtOtherUnits(t *testing.T) {
	a := lookedAt(t, map[string]int{"a": 20, "b": 20, "c": 20, "d": 20})
	for i := range a.Rows {
		a.Rows[i].Tuning = 1 + a.Rows[i].Seed/2
	}
	a = mustCompare(t, a.Rows, "a")
	if a.Looks != nil || a.Comparisons[0].Evidence.N != 10 {
		t.Errorf("looks %v with N = %d", a.Looks, a.Comparisons[0].Evidence.N)
	}
	if _, words := a.standing(); words != "exploratory: the plan was not followed" {
		t.Error(words)
	}
}

// A plan whose looks cannot be made names its file.
func TestImpossibleLooks(t *testing.T) {
	a := lookedAt(t, map[string]int{"a": 20, "b": 20, "c": 20, "d": 20})
	a.Records.Plan.Looks = []int{4, 20}
	_, err := Compare(a.Rows, "a")
	if want := fmt.Sprintf("%s: bad plan of looks: looks at 4, 20 units, the first needs at least 5; restore it from a copy", "study/plan.json"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
