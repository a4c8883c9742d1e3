package report

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	long   bool     // whether it has a row for every run
}

// Significance levels of the flags in the last column.
const (
	significantP       = 0.05  // *
	highlySignificantP = 0.001 // **
)

// Titles of the columns that a renderer sets in another way.
const (
	columnT            = "t"
	columnP            = "p-value"
	columnSignificance = "Sig."
	columnVerdict      = "Verdict"
)

// missingNumber is printed where there is no number, followed by the number of
// the note that says why.
const missingNumber = "n/a"

// arms names what is compared.
func (c Comparison) arms() string {
	if c.Rival == "" {
		return printable(c.Baseline)
	}
	return printable(c.Rival) + " against " + printable(c.Baseline)
}

// newTable returns the table of a comparison as such tables are published. Where
// there is no number it cites a reason.
func newTable(c Comparison, reasons *footnotes) table {
	baseline, rival := printable(c.Baseline), printable(c.Rival)
	t := table{title: printable(c.Dataset) + ": " + c.arms(), header: []string{"Metric", baseline + " Mean ± SD"}}
	if c.Rival != "" {
		t.header = append(t.header, rival+" Mean ± SD", fmt.Sprintf("Δ (%s–%s)", rival, baseline), "% Change", columnT, columnP, columnSignificance)
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
	default:
		row = append(row, reasons.cite(errors.New("there is no change in percent of a mean of zero")))
	}
	if l.Untested != nil {
		return append(row, reasons.cite(l.Untested), reasons.cite(l.Untested), "")
	}
	return append(row, fmt.Sprintf("%+.3f", l.Test.T), fmt.Sprintf("%.5f", l.Test.P), significance(l.Test.P))
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

func significance(p float64) string {
	switch {
	case p < highlySignificantP:
		return "**"
	case p < significantP:
		return "*"
	}
	return ""
}

// evidenceTable returns what stands beside the published table: the interval, what
// is left of p, the size of the difference, and what may be said.
func evidenceTable(c Comparison, reasons *footnotes) table {
	t := table{header: []string{"Metric", "95 % interval of Δ", "p (Holm)", "dz (95 % interval)", columnVerdict}}
	for _, l := range c.Lines {
		e := l.Evidence
		t.rows = append(t.rows, []string{
			l.Metric.String(),
			reasons.cell(e.Interval.Err, func() string { return intervalWords(e.Interval.Result, "%+.4f", unit(l.Metric)) }),
			reasons.cell(l.Untested, func() string { return pValue(e.HolmP) }),
			reasons.cell(e.Dz.Err, func() string { return dzWords(e) }),
			string(l.Claim()),
		})
	}
	return t
}

// footnotes are the distinct reasons for missing numbers, in order of citation.
type footnotes []string

// cite returns the text of a cell without a number for a reason.
func (f *footnotes) cite(reason error) string {
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
func notes(c Comparison) []string {
	made := "n = " + plural(len(c.Seeds), "pair")
	if c.Rival == "" {
		made = "n = " + plural(len(c.Seeds), "run")
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
	if c.Rival == "" {
		lines = append(lines, "No other optimizer ran on this data set: there is nothing to compare with.")
	}
	for _, caution := range cautionsOf(c) {
		lines = append(lines, "CAUTION: "+caution)
	}
	return append(lines, leftOutLines(c.LeftOut)...)
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
func leftOutLines(leftOut []LeftOut) []string {
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
		lines = append(lines, fmt.Sprintf("Left out: %s, %s %s.", namedSeeds(seeds[g]), printable(g.optimizer), printable(g.reason)))
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
