package report

import (
	"fmt"

	"diaghess/train/record"
)

// planSection says whether the study is what was planned before its first run, and compares
// the intervals with the planned margin.
func (a *Analysis) planSection() section {
	s := section{id: "plan", title: "Was it planned?", brief: true}
	plan := a.Records.Plan
	if plan == nil {
		return s
	}
	looks := ""
	if len(plan.Looks) > 0 {
		looks = fmt.Sprintf(", with looks at %s %ss", joinWords(digits(plan.Looks)), a.unit())
	}
	s.paragraphs = []string{fmt.Sprintf("The study has a plan%s: %s on %s with %s%s. The verdict is about the %s, all rivals and data sets together; all other metrics are secondary.",
		a.Records.made(), joinStrings(plan.Optimizers), joinStrings(plan.Datasets), namedSeeds(plan.Seeds), looks, a.metricTitle(a.Primary))}
	if plan.Preset != "" {
		preset := "It is the preset " + printable(plan.Preset)
		if len(plan.PresetChanged) > 0 {
			preset += ", except for " + printable(joinWords(plan.PresetChanged))
		}
		s.paragraphs = append(s.paragraphs, preset+".")
	}
	for _, note := range plan.Notes {
		s.paragraphs = append(s.paragraphs, "Note of the authors, in the plan: "+printable(note))
	}
	if len(a.Looks) > 0 {
		s.tables = append(s.tables, a.lookTable())
	}
	if plan.Test != record.PlannedTest {
		s.paragraphs = append(s.paragraphs, "It names the test of an earlier version, which the verdict does not go by: "+printable(plan.Test)+".")
	}
	deviations := deviations(plan, a)
	if len(deviations) == 0 {
		s.paragraphs = append(s.paragraphs, "The plan was followed: its runs are there, no others, with its settings.")
	}
	for _, deviation := range deviations {
		s.paragraphs = append(s.paragraphs, "The plan was not followed: "+deviation+".")
	}
	for _, m := range Metrics() {
		margin, planned := plan.Margins[m.String()]
		if !planned {
			continue
		}
		of := ""
		if m != a.Primary {
			of = " of " + a.metricTitle(m)
		}
		for _, c := range a.compared() {
			interval, is := c.Lines[m].Interval, fmt.Sprintf("the whole interval%s is within", of)
			switch {
			case interval.Err != nil:
				is = fmt.Sprintf("there is no interval%s to compare with", of)
			case !within(interval.Result, margin):
				is = fmt.Sprintf("the whole interval%s is not within", of)
			}
			s.paragraphs = append(s.paragraphs, fmt.Sprintf("%s, %s: %s the planned margin of %s.", printable(c.Dataset), a.arms(c), is, a.planned(m, margin)))
		}
	}
	return s
}
