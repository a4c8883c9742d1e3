package report

import (
	"fmt"
	"slices"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// planSection says whether the study is what was planned before its first run,
// and holds the differences against the margins of the plan.
func (a *Analysis) planSection() section {
	s := section{title: "Plan"}
	plan := a.Records.Plan
	if plan == nil {
		return s
	}
	s.paragraphs = []string{fmt.Sprintf("The study has a plan, written on %s, before its first run: %s on %s with %s; claims about %s, by %s.",
		plan.Written.UTC().Format("2006-01-02 15:04 UTC"), joinStrings(plan.Optimizers), joinStrings(plan.Datasets), namedSeeds(plan.Seeds), joinWords(plan.Metrics), plan.Test)}
	deviations := deviations(plan, a)
	if len(deviations) == 0 {
		s.paragraphs = append(s.paragraphs, "The plan was followed: its runs are there, no others, with its settings.")
	}
	for _, deviation := range deviations {
		s.paragraphs = append(s.paragraphs, "The plan was not followed: "+deviation+".")
	}
	var unplanned []string
	for _, m := range Metrics() {
		if !slices.Contains(plan.Metrics, m.String()) {
			unplanned = append(unplanned, m.String())
		}
	}
	if len(unplanned) > 0 {
		s.paragraphs = append(s.paragraphs, "Not among the planned metrics, and so exploratory whatever their p: "+joinWords(unplanned)+".")
	}
	if len(plan.Margins) > 0 {
		s.tables = a.marginTables(plan)
	}
	return s
}

// marginTables tests the planned margins: whether the rival is no worse by as much,
// and whether both are the same to within it.
func (a *Analysis) marginTables(plan *record.Plan) []table {
	var tables []table
	for _, c := range a.compared() {
		t := table{title: printable(c.Dataset) + ": " + c.arms() + ", within the planned margins",
			header: []string{"Metric", "Margin", "p that the rival is not inferior", "p that they are equivalent"}}
		var reasons footnotes
		for _, l := range c.Lines {
			margin, ok := plan.Margins[l.Metric.String()]
			if !ok {
				continue
			}
			direction := stats.LowerIsBetter
			if l.Metric.HigherIsBetter() {
				direction = stats.HigherIsBetter
			}
			inferior, inferiorErr := stats.NonInferiority(l.RivalValues, l.BaselineValues, direction, margin, significantP)
			equivalent, equivalentErr := stats.Equivalence(l.RivalValues, l.BaselineValues, margin, significantP)
			t.rows = append(t.rows, []string{
				l.Metric.String(), fmt.Sprintf("%g%s", margin, unit(l.Metric)),
				reasons.cell(inferiorErr, func() string { return pValue(inferior.P) }),
				reasons.cell(equivalentErr, func() string { return pValue(equivalent.P) }),
			})
		}
		t.notes = append(reasons.lines(), "One-sided tests (equivalence: the larger p of two). Below 5 % the rival is shown to be no worse by the margin, or both to be the same to within it; not adjusted for their number.")
		tables = append(tables, t)
	}
	return tables
}
