package report

import (
	"fmt"
	"math"

	"diaghess/train/record"
	"diaghess/train/report/plot"
	"diaghess/train/stats"
)

func (a *Analysis) cautionSection() section {
	return section{title: "Caution", paragraphs: a.Cautions()}
}

func (a *Analysis) verdictSection() section {
	s := section{title: "Verdict", paragraphs: append(a.roleOfTestSet(), exploratory(a.compared())...)}
	for _, c := range a.Comparisons {
		g := verdictGroup{title: printable(c.Dataset) + ": " + c.arms(), headline: headline(c)}
		if c.Rival != "" {
			for _, l := range c.Lines {
				g.verdicts = append(g.verdicts, verdict{l.Metric.String(), l.Claim(), a.verdict(c, l)})
			}
		}
		s.verdicts = append(s.verdicts, g)
	}
	return s
}

// roleOfTestSet says what the metrics were measured on and what follows from it.
func (a *Analysis) roleOfTestSet() []string {
	var all []Measured
	known, nothingHeldBack := true, false
	for _, r := range a.Rows {
		known = known && r.Measured != Measured{}
		nothingHeldBack = nothingHeldBack || r.Measured.Protocol == record.ProtocolPilot
		if r.unusable() == "" {
			all = appendMeasured(all, r.Measured)
		}
	}
	var lines []string
	if !known {
		lines = append(lines, "The role of the test set: CSV files do not say what was measured. "+
			"In the pilot study, whose columns these are, it is the test set, which was its validation set too: nothing was held back, "+
			"so settings that were chosen by these numbers were chosen on the test set.")
	}
	for _, m := range all {
		lines = append(lines, "The role of the test set: "+printable(m.String())+".")
	}
	if nothingHeldBack {
		lines = append(lines, "Under the pilot's protocol nothing is held back: settings that were chosen by these numbers were chosen on the test set.")
	}
	return lines
}

func (a *Analysis) resultSection() section {
	s := section{title: "Results", pageOnly: true}
	for _, c := range a.Comparisons {
		s.tables = append(s.tables, resultTable(c))
	}
	if len(a.contested()) > 0 {
		s.paragraphs = []string{"Differences are rival minus baseline, over the seeds that both have finished. " + a.family()}
	}
	for _, dataset := range a.Datasets {
		s.figures = append(s.figures, a.differenceFigures(dataset)...)
	}
	return s
}

// family says over what p was adjusted.
func (a *Analysis) family() string {
	return fmt.Sprintf("p is of the paired t-test, two-tailed; p (Holm) is what is left of it in a family of %s: "+
		"every metric, data set and rival that was tested, training time included.", plural(a.Tests, "test"))
}

// resultTable is the published table with the interval and the adjusted p in the
// place of stars, which would be for p without adjustment.
func resultTable(c Comparison) table {
	var reasons footnotes
	t := newTable(c, &reasons)
	if c.Rival == "" {
		t.notes = reasons.lines()
		return t
	}
	const change, p, significance = 4, 6, 7 // columns of the published table
	evidence := evidenceTable(c, &reasons)
	const interval, holm = 1, 2 // columns of the table of evidence
	put := func(published, evidence []string) []string {
		row := append([]string{}, published[:change]...)
		row = append(row, evidence[interval])
		row = append(row, published[change:significance]...)
		return append(row, evidence[holm])
	}
	t.header = put(t.header, evidence.header)
	for i := range t.rows {
		if l := c.Lines[i]; l.Untested == nil {
			t.rows[i][p] = pValue(l.Test.P)
		}
		t.rows[i] = put(t.rows[i], evidence.rows[i])
	}
	t.notes = append(reasons.lines(), notes(c)...)
	return t
}

// differenceFigures returns a figure for every metric of a data set, with a group
// for every rival.
func (a *Analysis) differenceFigures(dataset string) []figure {
	var figures []figure
	for _, m := range Metrics() {
		var groups []plot.Group
		for arm, optimizer := range a.Optimizers {
			for _, c := range a.compared() {
				if c.Dataset == dataset && c.Rival == optimizer {
					groups = append(groups, newGroup(c, c.Lines[m], arm))
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
			Figure: plot.Differences(fmt.Sprintf("%s: %s", printable(dataset), m.Title()), label, groups),
		})
	}
	return figures
}

func inUnit(m Metric) string {
	if m.Unit() == "" {
		return ""
	}
	return " in " + m.Unit()
}

func newGroup(c Comparison, l Line, arm int) plot.Group {
	g := plot.Group{
		Name: fmt.Sprintf("%s − %s (n = %d)", printable(c.Rival), printable(c.Baseline), len(c.Seeds)),
		Arm:  arm, Mean: l.Difference, Low: math.NaN(), High: math.NaN(),
	}
	for i := range l.RivalValues {
		g.Values = append(g.Values, l.RivalValues[i]-l.BaselineValues[i])
	}
	if i := l.Evidence.Interval; i.Err == nil {
		g.Low, g.High = i.Result.Low, i.Result.High
	}
	return g
}

// exploratory says of which comparisons there are too few seeds for a claim.
func exploratory(comparisons []Comparison) []string {
	var lines []string
	for _, c := range comparisons {
		if stats.Exploratory(len(c.Seeds)) {
			lines = append(lines, fmt.Sprintf("%s, %s: %s, which is exploratory; no p below %d pairs, no claim below %d.",
				printable(c.Dataset), c.arms(), plural(len(c.Seeds), "pair"), stats.MinPairs, stats.ExploratoryBelow))
		}
	}
	return lines
}
