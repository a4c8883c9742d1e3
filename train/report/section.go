package report

import (
	"slices"

	"diaghess/train/report/plot"
)

// section is a part of the report in words, tables and figures, before it is laid
// out. Its strings are plain text, which a renderer escapes for its format.
type section struct {
	title      string
	paragraphs []string
	verdicts   []verdictGroup
	tables     []table
	figures    []figure
	folded     bool // whether a page shows its title only until asked
	pageOnly   bool // whether Markdown has it in another form or not at all
}

// verdictGroup is what a comparison allows to say.
type verdictGroup struct {
	title    string
	headline string
	verdicts []verdict
}

// verdict is what a line of a comparison allows to say.
type verdict struct {
	metric   string
	claim    Claim
	sentence string
}

// figure is a drawing with the name of its file, without an ending.
type figure struct {
	name string
	*plot.Figure
}

// sections returns the whole report, in the order in which a reader asks: is it
// better, how sure is that, at what cost, and how was it found.
func (a *Analysis) sections() []section {
	all := []section{
		a.introductionSection(),
		a.cautionSection(),
		a.verdictSection(),
		a.planSection(),
		a.resultSection(),
		a.curveSection(),
		a.targetSection(),
		a.costSection(),
		a.tuningSection(),
		a.otherTestSection(),
		a.pairingSection(),
		a.spreadSection(),
		a.powerSection(),
		a.missingSection(),
		a.setupSection(),
		a.checkSection(),
		a.runSection(),
		a.methodSection(),
	}
	var filled []section
	for _, s := range all {
		if len(s.paragraphs)+len(s.verdicts)+len(s.tables)+len(s.figures) > 0 {
			filled = append(filled, s)
		}
	}
	return filled
}

func (a *Analysis) introductionSection() section {
	s := section{title: "The study"}
	if a.Introduction != "" {
		s.paragraphs = []string{a.Introduction}
	}
	return s
}

// contested returns the comparisons that have a rival.
func (a *Analysis) contested() []Comparison {
	var list []Comparison
	for _, c := range a.Comparisons {
		if c.Rival != "" {
			list = append(list, c)
		}
	}
	return list
}

// compared returns the comparisons that have a pair.
func (a *Analysis) compared() []Comparison {
	return slices.DeleteFunc(a.contested(), func(c Comparison) bool { return len(c.Seeds) == 0 })
}

// perMetric returns a table for each comparison that has a pair, with a row for each
// metric, made by a function of a line.
func (a *Analysis) perMetric(header func(Comparison) []string, row func(Comparison, Line, *footnotes) []string) []table {
	var tables []table
	for _, c := range a.compared() {
		t := table{title: printable(c.Dataset) + ": " + c.arms(), header: append([]string{"Metric"}, header(c)...)}
		var reasons footnotes
		for _, l := range c.Lines {
			t.rows = append(t.rows, append([]string{l.Metric.String()}, row(c, l, &reasons)...))
		}
		t.notes = reasons.lines()
		tables = append(tables, t)
	}
	return tables
}
