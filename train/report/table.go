package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/train/stats"
)

// table is a comparison in words: what is printed, before it is laid out.
// Its strings are as the author of the study and foreign files wrote them;
// a renderer escapes them for its format.
type table struct {
	title  string
	header []string
	rows   [][]string
	notes  []string // what stands under the table, a line each
	words  bool     // whether the cells are words rather than numbers

	// Where the rows are arms: the optimizer of each, and the plot that a page has of it.
	arms   []string
	axis   *axis // of all plots; nil for none
	strips []strip
}

// Titles of the columns that a renderer sets in another way.
const (
	columnT       = "t"
	columnP       = "p-value"
	columnVerdict = "verdict"
)

// missingNumber is printed where there is no number, followed by the number of
// the note that says why.
const missingNumber = "n/a"

// publishedTable returns the table of a comparison as such tables are published. Where
// there is no number it cites a reason.
func (a *Analysis) publishedTable(c Comparison, reasons *footnotes) table {
	baseline, rival := a.name(c.Baseline), a.name(c.Rival)
	t := table{header: []string{"Metric", baseline + " Mean ± SD"}}
	if c.Rival != "" {
		t.header = append(t.header, rival+" Mean ± SD", fmt.Sprintf("Δ (%s–%s)", rival, baseline), "% Change", columnT, columnP)
	}
	for _, l := range c.Lines {
		t.rows = append(t.rows, cells(l, c.Rival != "", reasons))
	}
	return t
}

// cells returns a line's cells in the published format: four decimals for the
// metric, two for the change, three for t, five for p; differences and changes
// with a true minus sign, t with a hyphen.
func cells(l Line, hasRival bool, reasons *footnotes) []string {
	unit := unit(l.Metric)
	row := []string{l.Metric.String(), meanAndSD(l.Baseline, unit, l.Untested, reasons)}
	if !hasRival {
		return row
	}
	row = append(row, meanAndSD(l.Rival, unit, l.Untested, reasons))
	if math.IsNaN(l.Difference) {
		row = append(row, reasons.cite(l.Untested))
	} else {
		row = append(row, signed("%+.4f", l.Difference)+unit)
	}
	switch {
	case !math.IsNaN(l.PercentChange):
		row = append(row, signed("%+.2f %%", l.PercentChange))
	case math.IsNaN(l.Difference):
		row = append(row, reasons.cite(l.Untested))
	case l.Baseline.Mean != 0:
		row = append(row, reasons.cite(errors.New("the change in percent is too large for a number")))
	default:
		row = append(row, reasons.cite(errors.New("there is no change in percent of a mean of zero")))
	}
	if l.Untested != nil {
		return append(row, reasons.cite(l.Untested), reasons.cite(l.Untested))
	}
	return append(row, fmt.Sprintf("%+.3f", l.Test.T), fmt.Sprintf("%.5f", l.Test.P))
}

var errOneRun = errors.New("one run has no standard deviation")

func meanAndSD(s stats.Summary, unit string, untested error, reasons *footnotes) string {
	switch s.N {
	case 0:
		return reasons.cite(untested)
	case 1:
		return fmt.Sprintf("%.4f ± %s%s", s.Mean, reasons.cite(errOneRun), unit)
	}
	return fmt.Sprintf("%.4f ± %.4f%s", s.Mean, s.SD, unit)
}

// footnotes are the distinct reasons for missing numbers, in order of citation.
type footnotes []string

// cite returns the text of a cell without a number for a reason.
func (f *footnotes) cite(reason error) string {
	if errors.Is(reason, stats.ErrConstant) {
		reason = stats.ErrConstant // without the arm, which is x or y there
	}
	place := slices.Index(*f, reason.Error())
	if place < 0 {
		place = len(*f)
		*f = append(*f, reason.Error())
	}
	return fmt.Sprintf("%s [%d]", missingNumber, place+1)
}

// cell returns the text of a cell, or cites why there is none.
func (f *footnotes) cell(reason error, words func() string) string {
	if reason != nil {
		return f.cite(reason)
	}
	return words()
}

func (f footnotes) lines() []string {
	var lines []string
	for i, reason := range f {
		lines = append(lines, fmt.Sprintf("[%d] %s: %s.", i+1, missingNumber, reason))
	}
	return lines
}

// notes says what the numbers of a comparison are made of.
func (a *Analysis) notes(c Comparison) []string {
	made := "n = " + plural(len(c.Seeds), "pair")
	switch {
	case c.Rival == "":
		made = "n = " + plural(len(c.Seeds), "run")
	case len(c.Tunings) > 0:
		made = "n = " + a.unitCounts(c)
	}
	if len(c.Seeds) > 0 {
		made += ", " + namedSeeds(c.Seeds)
	}
	if len(c.Epochs) == 1 {
		made += ", " + plural(c.Epochs[0], "epoch")
	}
	if len(c.Limits) == 1 && c.Limits[0] > 0 {
		made += fmt.Sprintf(", first %d pictures only (--limit)", c.Limits[0])
	}
	lines := []string{made + "."}
	if len(c.Measured) == 1 {
		lines = append(lines, printable(c.Measured[0].String())+".")
	}
	if c.Rival == "" && len(a.contested()) > 0 { // else the answer says it
		lines = append(lines, "No other optimizer ran on this data set: there is nothing to compare with.")
	}
	return append(lines, a.leftOutLines(c.LeftOut)...)
}

// notesOf are the notes of a data set's comparisons. What is not of all says of which rivals it is,
// unless it names the only one.
func (a *Analysis) notesOf(list []Comparison) []string {
	var lines, all []string
	rivals := make(map[string][]string) // by line
	for _, c := range list {
		all = append(all, a.name(c.Rival))
		for _, line := range a.notes(c) {
			lines, rivals[line] = appendNew(lines, line), append(rivals[line], a.name(c.Rival))
		}
	}
	for i, line := range lines {
		of := rivals[line]
		who := strings.Join(of, ", ")
		others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(of, name) })
		switch {
		case len(others) == 0 || len(of) == 1 && strings.HasPrefix(line, "Left out: ") && strings.Contains(line, ", "+of[0]+" "):
			continue
		case len(others) < len(of):
			who = "All but " + strings.Join(others, ", ")
		}
		lines[i] = who + ": " + strings.ToLower(line[:1]) + line[1:]
	}
	return lines
}

// ownWeights names the arms on a data set that are evaluated with weights of their own.
func (a *Analysis) ownWeights(dataset string) []string {
	var lines []string
	for _, arm := range a.armsOf(dataset) {
		if slices.ContainsFunc(a.Rows, func(r Row) bool { return r.Optimizer == arm && r.run != nil && r.run.Config.OwnWeights() }) {
			lines = append(lines, a.name(arm)+" is evaluated with weights of its own, not with those that it trains.")
		}
	}
	return lines
}

// cautionsOf says in what the runs of a comparison differ though they should not.
func cautionsOf(c Comparison) []string {
	var lines []string
	if len(c.Epochs) > 1 {
		lines = append(lines, fmt.Sprintf("the runs differ in their number of epochs: %s.", joinInts(c.Epochs)))
	}
	if len(c.Limits) > 1 {
		lines = append(lines, fmt.Sprintf("the runs differ in how many pictures they trained on (--limit): %s; 0 is all.", joinInts(c.Limits)))
	}
	if len(c.Measured) > 1 {
		lines = append(lines, fmt.Sprintf("the runs differ in what they were measured on: %s.", joinStrings(measuredWords(c))))
	}
	if len(c.Builds) > 1 {
		lines = append(lines, fmt.Sprintf("the runs were made by different programs: %s.", joinStrings(c.Builds)))
	}
	return lines
}

// leftOutLines names runs that are not there, a line for every optimizer and reason.
func (a *Analysis) leftOutLines(leftOut []LeftOut) []string {
	type group struct{ optimizer, reason string }
	var order []group
	seeds := make(map[group][]int)
	for _, l := range leftOut {
		g := group{l.Optimizer, l.Reason}
		if seeds[g] == nil {
			order = append(order, g)
		}
		seeds[g] = append(seeds[g], l.Seed)
	}
	var lines []string
	for _, g := range order {
		lines = append(lines, fmt.Sprintf("Left out: %s, %s %s.", namedSeeds(seeds[g]), a.name(g.optimizer), printable(g.reason)))
	}
	return lines
}

// measuredWords says what a comparison's runs were measured on.
func measuredWords(c Comparison) []string {
	var words []string
	for _, m := range c.Measured {
		words = append(words, m.String())
	}
	return words
}
