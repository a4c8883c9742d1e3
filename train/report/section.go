package report

import (
	"slices"

	"diaghess/train/report/plot"
)

// section is a part of the report in words, tables and plots, before it is laid out. Its
// strings are plain text, which a renderer escapes for its format.
type section struct {
	id         string // its address in the page
	title      string // the question of a reader that it answers
	paragraphs []string
	facts      []fact
	tables     []table
	panels     []panel  // on the page only
	figures    []figure // as files only
	checks     []check
	half       bool // whether a wide page has another such section beside it
	pairs      bool // whether a wide page has its tables side by side
	folded     bool // whether a page shows its title only until asked
	pageOnly   bool // whether Markdown has it in another form or not at all
	brief      bool // whether a terminal has it too
}

// figure is a drawing with the name of its file, without an ending.
type figure struct {
	name string
	*plot.Figure
}

// check is something that was checked, or cannot be.
type check struct{ Mark, Text string }

// The marks of checks.
const (
	markGood    = "✓"
	markCaution = "!"
	markUnknown = "?"
)

// sections returns the whole report, in the order in which a reader asks: is it
// better, how sure is that, at what cost, and how was it found.
func (a *Analysis) sections() []section {
	all := []section{
		a.answerSection(),
		a.replicationSection(),
		a.endpointSection(),
		a.methodsSection(),
		a.secondarySection(),
		a.curveSection(),
		a.targetSection(),
		a.costSection(),
		a.stabilitySection(),
		a.planSection(),
		a.tuningSection(),
		a.publishedSection(),
		a.pilotSection(),
		a.setupSection(),
		a.runSection(),
		a.checkSection(),
	}
	return slices.DeleteFunc(all, func(s section) bool {
		return len(s.paragraphs)+len(s.facts)+len(s.tables)+len(s.panels)+len(s.checks) == 0
	})
}

// figures returns all drawings that are made as files.
func (a *Analysis) figures() []figure {
	var figures []figure
	for _, dataset := range a.Datasets {
		figures = append(figures, a.differenceFigures(dataset)...)
	}
	for _, s := range a.sections() {
		figures = append(figures, s.figures...)
	}
	return figures
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
	return slices.DeleteFunc(a.contested(), func(c Comparison) bool { return !c.paired() })
}

// paired says whether the comparison has a pair.
func (c Comparison) paired() bool { return len(c.Seeds) > 0 }

// perRival returns a table for each data set, with a row for each rival that a function admits, in
// the order of the ranking.
func (a *Analysis) perRival(title string, header []string, admits func(Comparison) bool, row func(Comparison, *footnotes) []string) []table {
	var tables []table
	for _, dataset := range a.Datasets {
		t := table{title: printable(dataset) + title, header: append([]string{"arm"}, header...)}
		var reasons footnotes
		for _, r := range a.ranking(dataset) {
			if r.versus != nil && admits(*r.versus) {
				t.rows = append(t.rows, append([]string{a.name(r.optimizer)}, row(*r.versus, &reasons)...))
				t.arms = append(t.arms, r.optimizer)
			}
		}
		if t.notes = reasons.lines(); len(t.rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}
