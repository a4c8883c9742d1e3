package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

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
}

// Significance levels of the flags in the last column.
const (
	significantP       = 0.05  // *
	highlySignificantP = 0.001 // **
)

// Titles of the columns that a renderer sets in part as symbols.
const (
	columnT = "t"
	columnP = "p-value"
)

// missingNumber is printed where there is no number, followed by the number of
// the note that says why.
const missingNumber = "n/a"

func newTable(c Comparison) table {
	baseline, rival := printable(c.Baseline), printable(c.Rival)
	t := table{title: printable(c.Dataset) + ": " + baseline, header: []string{"Metric", baseline + " Mean ± SD"}}
	if c.Rival != "" {
		t.title = fmt.Sprintf("%s: %s against %s", printable(c.Dataset), rival, baseline)
		t.header = append(t.header, rival+" Mean ± SD", fmt.Sprintf("Δ (%s–%s)", rival, baseline), "% Change", columnT, columnP, "Sig.")
	}
	var reasons footnotes
	for _, l := range c.Lines {
		t.rows = append(t.rows, cells(l, c.Rival != "", &reasons))
	}
	t.notes = append(reasons.lines(), notes(c)...)
	return t
}

// cells returns a line's cells in the published format: four decimals for the
// metric, two for the change, three for t, five for p; differences and changes
// with a true minus sign, t with a hyphen.
func cells(l Line, hasRival bool, reasons *footnotes) []string {
	unit := ""
	if l.Metric.Unit() != "" {
		unit = " " + l.Metric.Unit()
	}
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

func meanAndSD(s stats.Summary, unit string, untested error, reasons *footnotes) string {
	switch s.N {
	case 0:
		return reasons.cite(untested)
	case 1:
		return fmt.Sprintf("%.4f ± %s%s", s.Mean, reasons.cite(errors.New("one run has no standard deviation")), unit)
	}
	return fmt.Sprintf("%.4f ± %.4f%s", s.Mean, s.SD, unit)
}

// signed formats v with a + or a true minus sign (U+2212).
func signed(format string, v float64) string {
	return strings.Replace(fmt.Sprintf(format, v), "-", "−", 1)
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
	if len(c.Protocols) == 1 {
		lines = append(lines, printable(c.Protocols[0])+".")
	}
	if c.Rival == "" {
		lines = append(lines, "No other optimizer ran on this data set: there is nothing to compare with.")
	}
	if len(c.Epochs) > 1 {
		lines = append(lines, fmt.Sprintf("CAUTION: the runs differ in their number of epochs: %s.", joinInts(c.Epochs)))
	}
	if len(c.Limits) > 1 {
		lines = append(lines, fmt.Sprintf("CAUTION: the runs differ in how many pictures they trained on (--limit): %s; 0 is all.", joinInts(c.Limits)))
	}
	if len(c.Protocols) > 1 {
		lines = append(lines, fmt.Sprintf("CAUTION: the runs differ in what they were measured on: %s.", joinStrings(c.Protocols)))
	}
	if len(c.Builds) > 1 {
		lines = append(lines, fmt.Sprintf("CAUTION: the runs were made by different programs: %s.", joinStrings(c.Builds)))
	}
	return append(lines, leftOutLines(c.LeftOut)...)
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

// namedSeeds writes ascending seeds with runs of three and more as ranges:
// "seeds 0–4, 7, 8, 10".
func namedSeeds(seeds []int) string {
	var parts []string
	for i := 0; i < len(seeds); {
		end := i
		for end+1 < len(seeds) && seeds[end+1] == seeds[end]+1 {
			end++
		}
		if end-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d–%d", seeds[i], seeds[end]))
			i = end + 1
			continue
		}
		parts = append(parts, strconv.Itoa(seeds[i]))
		i++
	}
	noun := "seeds "
	if len(seeds) == 1 {
		noun = "seed "
	}
	return noun + strings.Join(parts, ", ")
}

func joinInts(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

func joinStrings(list []string) string {
	var shown []string
	for _, s := range list {
		shown = append(shown, printable(s))
	}
	return strings.Join(shown, "; ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable returns a foreign string as it is when every character of it can be
// seen, and quoted with escapes when not: line breaks, control and formatting
// characters and invalid UTF-8 neither break a table nor steer a terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(s)
		}
	}
	return s
}
