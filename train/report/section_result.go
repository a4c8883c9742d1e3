package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/train/record"
	"diaghess/train/report/plot"
	"diaghess/train/stats"
)

func (a *Analysis) answerSection() section {
	s := section{id: "answer", title: a.question(), brief: true, tables: a.forestTables(), facts: a.facts(), paragraphs: []string{a.Answer()}}
	if a.Introduction != "" {
		s.paragraphs = append(s.paragraphs, a.Introduction)
	}
	if len(a.contested()) > 0 || a.awaited() != nil {
		s.paragraphs = append(s.paragraphs, a.objection())
	}
	return s
}

// howToRead says once what stands in the first tables.
func (a *Analysis) howToRead() string {
	words := "Means are over the finished runs of an arm, differences over the seeds that the rival and the baseline both have finished"
	if a.tuned() {
		words += ", averaged within each tuning"
	}
	words += "." + a.together("The 95 % intervals")
	switch {
	case slices.ContainsFunc(a.contested(), func(c Comparison) bool { return c.Evidence.Method == stats.MaxT }):
		words += " The verdict goes by p, of sign flips. The interval is another method, Student's t, and can disagree with it either way."
	case a.Method != stats.IntervalsOnly && a.Cells > 1:
		words += " The verdict goes by Holm's p. The interval is the wider of the two: it can include 0 beside a verdict."
	case a.Method != stats.IntervalsOnly:
		words += " The verdict goes by p."
	}
	if margin, ok := a.margin(); ok {
		words += fmt.Sprintf(" The planned margin is %s.", a.planned(a.Primary, margin))
	} else if slices.ContainsFunc(a.contested(), func(c Comparison) bool { return c.Claim() == NotShown }) {
		words += " “Not shown” does not mean “equal”: to show that needs a margin in the plan."
	}
	return words
}

// together says for what intervals hold.
func (a *Analysis) together(intervals string) string {
	if a.Cells == 1 {
		return " " + intervals + " are of one comparison."
	}
	return fmt.Sprintf(" %s hold for the %d comparisons of the family together.", intervals, a.Cells)
}

func (a *Analysis) methodsSection() section {
	s := section{id: "methods", title: "Do other methods agree?"}
	unit := inUnit(a.Primary)
	overall := func(o Outcome[stats.OverallResult], reasons *footnotes) string {
		return reasons.cell(o.Err, func() string {
			return a.plain(a.Primary, o.Result.Estimate) + " (" + a.interval(a.Primary, Outcome[stats.Interval]{Result: o.Result.Interval}) + ")"
		})
	}
	s.tables = a.perRival("", []string{"Hodges-Lehmann" + unit, "p, Wilcoxon", "interquartile means" + unit, "probability of improvement", "p, Holm's t", "p, t alone", "gain by pairing", "found with 80 %" + unit}, Comparison.paired,
		func(c Comparison, reasons *footnotes) []string {
			e := c.Evidence
			l := c.Lines[a.Primary]
			return []string{
				reasons.cell(e.HodgesLehmann.Err, func() string {
					h := e.HodgesLehmann.Result
					return a.plain(a.Primary, h.Estimate) + " (" + a.interval(a.Primary, Outcome[stats.Interval]{Result: h.Interval}) + ")"
				}),
				reasons.cell(e.Wilcoxon.Err, func() string { return pValue(e.Wilcoxon.Result.P) }),
				overall(e.Interquartile, reasons),
				reasons.cell(e.Improvement.Err, func() string {
					i := e.Improvement.Result
					return fmt.Sprintf("%.2f (%.2f to %.2f)", i.Estimate, i.Interval.Low, i.Interval.High)
				}),
				pValue(e.HolmP),
				reasons.cell(l.Untested, func() string { return pValue(l.Test.P) }),
				reasons.cell(e.Pairing.Err, func() string { return fmt.Sprintf("%.2f", e.Pairing.Result.VarianceRatio) }),
				reasons.cell(e.Detectable.Err, func() string { return a.value(a.Primary, e.Detectable.Result) }),
			}
		})
	if len(s.tables) == 0 {
		return s
	}
	one := "run"
	if a.tuned() {
		one = "tuning's mean"
	}
	s.paragraphs = []string{a.agreement(), fmt.Sprintf("Second opinions on the same pairs, which decide nothing. Intervals in brackets are 95 %% each, for one comparison alone: by ranks, and of 999 resamples of the %ss in pairs. ", a.unit()) +
		fmt.Sprintf("The probability of improvement is how often a %s of the rival is better than a %[1]s of the baseline. ", one) +
		"The gain is how many times as large the variance of the difference would be without pairs. What is found with 80 % goes by the upper 90 % limit of the standard deviation."}
	return s
}

// agreement says where Wilcoxon's test or the interval of the interquartile means contradicts a
// verdict.
func (a *Analysis) agreement() string {
	var differ []string
	shown := false
	for _, c := range a.compared() {
		e := c.Evidence
		claimed := e.Claim == Better || e.Claim == Worse
		shown = shown || claimed
		i := e.Interquartile.Result.Interval
		ranksCan := math.Exp2(1-float64(len(c.units()))) <= 0.05 // their smallest p
		if claimed && e.Wilcoxon.Err == nil && e.Wilcoxon.Result.P > 0.05 && ranksCan || claimed && e.Interquartile.Err == nil && i.Low <= 0 && i.High >= 0 {
			differ = append(differ, printable(c.Dataset)+", "+a.arms(c))
		}
	}
	if !shown {
		return "No difference was shown above that they could contradict."
	}
	if len(differ) == 0 {
		return "Neither ranks nor interquartile means contradict a difference that was shown above."
	}
	return "Not everywhere. Ranks or interquartile means do not confirm the verdict on " + strings.Join(differ, "; ") + "."
}

func (a *Analysis) secondarySection() section {
	s := section{id: "secondary", title: "What do the other metrics say?", pairs: true, brief: true}
	for _, dataset := range a.Datasets {
		for _, m := range []Metric{ValAcc, F1, ValLoss} {
			if m == a.Primary {
				continue
			}
			var reasons footnotes
			t := table{title: fmt.Sprintf("%s: %s (secondary)", printable(dataset), a.metricTitle(m)), header: []string{"arm", m.column(), "difference" + inUnit(m), "adjusted interval"}, axis: a.differenceAxis(m, false)}
			for _, r := range a.ranking(dataset) {
				if r.versus == nil || !r.versus.paired() {
					continue
				}
				l := r.versus.Lines[m]
				of, err := a.summary(dataset, r.optimizer, m)
				mean := reasons.cell(err, func() string { return a.value(m, of.Mean) })
				t.rows = append(t.rows, []string{a.name(r.optimizer), mean, a.plain(m, l.Difference), a.intervalCell(m, l.Interval, &reasons)})
				t.arms = append(t.arms, r.optimizer)
				t.plot(a.differenceStrip(*r.versus, m, false))
			}
			t.notes = append(reasons.lines(), t.notes...)
			if len(t.rows) > 0 {
				s.tables = append(s.tables, t)
			}
		}
	}
	if len(s.tables) > 0 {
		s.paragraphs = []string{"Secondary metrics have intervals and no verdict: they ask the same question again." + a.together("Each metric's intervals")}
	}
	return s
}

func (a *Analysis) stabilitySection() section {
	s := section{id: "stability", title: "How stable is it?", half: true}
	s.tables = a.perRival("", []string{"SD, baseline", "SD, arm", "spread ratio", "p", a.unit() + "s only it failed", "only baseline", "p, failures"},
		func(c Comparison) bool { return c.paired() || len(a.Records.Runs) > 0 && c.Failures.N > 0 },
		func(c Comparison, reasons *footnotes) []string {
			l, e := c.Lines[a.Primary], c.Evidence
			deviation := func(s stats.Summary) string {
				return reasons.cell(tooFew(s), func() string { return a.value(a.Primary, s.SD) })
			}
			failures := []string{missingNumber, missingNumber, missingNumber} // CSV files list finished runs only
			if len(a.Records.Runs) > 0 {
				failures = []string{fmt.Sprint(c.Failures.OnlyX), fmt.Sprint(c.Failures.OnlyY), pValue(c.Failures.P)}
			}
			return append([]string{
				deviation(l.Baseline), deviation(l.Rival),
				reasons.cell(e.Spread.Err, func() string { return fmt.Sprintf("%.2f", e.Spread.Result.Ratio) }),
				reasons.cell(e.Spread.Err, func() string { return pValue(e.Spread.Result.P) }),
			}, failures...)
		})
	if len(s.tables) > 0 {
		s.paragraphs = []string{fmt.Sprintf("Spread of the %s%s: mean distance from the median, arm over baseline, tested by sign flips, each comparison by itself. "+
			"Of normal results, a ratio of 2 is found with 19 %% from 10 %ss, with 66 %% from 20, never from 6 or fewer. Compared here: %s.", a.metricTitle(a.Primary), inUnit(a.Primary), a.unit(), a.unitCounts(a.contested()...))}
	}
	return s
}

// tooFew says why a sample has no standard deviation, or nil.
func tooFew(s stats.Summary) error {
	switch s.N {
	case 0:
		return errNoPair
	case 1:
		return errOneRun
	}
	return nil
}

// roleOfTestSet says what is not known of what the metrics were measured on.
func (a *Analysis) roleOfTestSet() []check {
	known, nothingHeldBack := true, false
	for _, r := range a.Rows {
		known = known && r.Measured != Measured{}
		nothingHeldBack = nothingHeldBack || r.Measured.Protocol == record.ProtocolPilot
	}
	var list []check
	if !known {
		list = append(list, check{markUnknown, "What was measured, and whether settings were chosen on the same pictures: CSV files do not say. In the pilot study, whose columns these are, val_acc is the accuracy on the test set, which was its validation set too."})
	}
	if nothingHeldBack {
		list = append(list, check{markUnknown, "Whether settings were chosen on the test set: under the pilot's protocol nothing was held back."})
	}
	return list
}

// publishedSection has the numbers as such studies publish them, and whether published ones
// follow from the runs.
func (a *Analysis) publishedSection() section {
	s := section{id: "published", title: "What are all the numbers, as such tables are published?", folded: len(a.Checks) == 0}
	if len(a.Checks) > 0 {
		s.title = "Do the published numbers hold?"
	}
	numbers, wrong := 0, 0
	for _, check := range a.Checks {
		numbers, wrong = numbers+check.Numbers, wrong+len(check.Problems)
	}
	switch {
	case wrong > 0:
		s.paragraphs = []string{fmt.Sprintf("Not all: %d of the %d numbers in summary and t-test files follow from the runs.", numbers-wrong, numbers)}
	case numbers > 0:
		s.paragraphs = []string{fmt.Sprintf("Yes: all %d numbers in summary and t-test files follow from the runs.", numbers)}
	}
	if len(a.contested()) > 0 {
		s.paragraphs = append(s.paragraphs, "All numbers of a comparison are of its pairs, the means too. t and p are of one paired t-test each, not adjusted for the number of metrics, rivals and data sets.")
	}
	for _, c := range a.Comparisons {
		var reasons footnotes
		t := a.publishedTable(c, &reasons)
		t.title = printable(c.Dataset) + ": " + a.arms(c)
		t.notes = reasons.lines()
		s.tables = append(s.tables, t)
	}
	return s
}

// differenceFigures returns a figure for every metric of a data set, with a group
// for every rival.
func (a *Analysis) differenceFigures(dataset string) []figure {
	var figures []figure
	compared := a.compared()
	for _, m := range Metrics() {
		var groups []plot.Group
		for arm, optimizer := range a.Optimizers {
			for _, c := range compared {
				if c.Dataset == dataset && c.Rival == optimizer {
					groups = append(groups, a.newGroup(c, m, arm))
				}
			}
		}
		if len(groups) == 0 {
			continue
		}
		better := "below"
		if m.HigherIsBetter() {
			better = "above"
		}
		label := fmt.Sprintf("difference%s (%s 0 is better)", inUnit(m), better)
		figures = append(figures, figure{
			name:   fileName("difference", dataset, m.String()),
			Figure: plot.Differences(fmt.Sprintf("%s: %s", printable(dataset), a.metricTitle(m)), label, groups),
		})
	}
	return figures
}

func (a *Analysis) newGroup(c Comparison, m Metric, arm int) plot.Group {
	s, n := a.differenceStrip(c, m, true), len(c.units())
	g := plot.Group{Name: fmt.Sprintf("%s − %s (n = %d)", a.name(c.Rival), a.name(c.Baseline), n), Arm: arm, Mean: s.mean, Low: s.low, High: s.high}
	if n > mostDots {
		g.Name = fmt.Sprintf("%s − %s (n = %d, no dots)", a.name(c.Rival), a.name(c.Baseline), n)
	}
	for _, d := range s.dots {
		g.Values = append(g.Values, d.value)
	}
	return g
}
