package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Format names a rendering.
type Format string

const (
	Text     Format = "text"     // aligned tables for a terminal
	Markdown Format = "markdown" // pipe tables, aligned in the source too
	CSV      Format = "csv"      // a line for every data set, rival and metric, with all digits
	JSON     Format = "json"     // the same, with the runs left out and the checks
)

// Formats returns all formats.
func Formats() []Format { return []Format{Text, Markdown, CSV, JSON} }

// ParseFormat returns the format of a name. Its error lists the known ones.
func ParseFormat(name string) (Format, error) {
	if slices.Contains(Formats(), Format(name)) {
		return Format(name), nil
	}
	return "", fmt.Errorf("unknown format %q; known are %s", name, strings.Trim(fmt.Sprint(Formats()), "[]"))
}

// Render writes an analysis in a format. All but the CSV format, which is one
// plain table, include the checks of other files.
func Render(w io.Writer, a *Analysis, f Format) error {
	var err error
	switch f {
	case Text:
		err = renderWords(w, a, textDialect())
	case Markdown:
		err = renderWords(w, a, markdownDialect())
	case CSV:
		err = renderCSV(w, a)
	case JSON:
		err = renderJSON(w, a)
	default:
		panic(fmt.Sprintf("report: format %q does not exist", f))
	}
	if err != nil {
		return fmt.Errorf("write the report as %s: %w", f, err)
	}
	return nil
}

// dialect is how a format for readers marks up what it prints.
type dialect struct {
	section string // before a section's title; empty where there are no sections
	title   string // before a table's title
	item    string // before a line under a table
	bold    string // round a metric
	italic  string // round a symbol
	code    string // round literal asterisks
	width   int    // of the widest column, beyond which names are wrapped; 0 for any
	escape  func(string) string
	layOut  func(pretty.Writer) string
}

func textDialect() dialect {
	return dialect{
		item:   " ",
		width:  32,
		escape: func(s string) string { return s },
		layOut: pretty.Writer.Render,
	}
}

func markdownDialect() dialect {
	return dialect{
		section: "## ", title: "### ", item: "- ", bold: "**", italic: "*", code: "`",
		escape: escapeMarkdown,
		layOut: pretty.Writer.RenderMarkdown,
	}
}

// escapeMarkdown puts a backslash before every character that has a meaning
// inside a line of CommonMark or of GitHub's extensions of it. An underscore
// inside a word has none. Pipes, which have one in tables only, are left to the
// table writer.
func escapeMarkdown(s string) string {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		insideWord := i > 0 && i+1 < len(runes) && inWord(runes[i-1]) && inWord(runes[i+1])
		if strings.ContainsRune("\\`*[]<>&#~$", r) || r == '_' && !insideWord {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// renderWords writes the tables, notes, legend and checks, and in Markdown the
// other sections too.
func renderWords(w io.Writer, a *Analysis, d dialect) error {
	var b strings.Builder
	for _, c := range a.Comparisons {
		var reasons footnotes
		t := newTable(c, &reasons)
		fmt.Fprintf(&b, "%s%s\n\n%s\n\n", d.title, d.escape(t.title), d.layOut(d.fill(t)))
		if c.Rival != "" {
			fmt.Fprintf(&b, "%s\n\n", d.layOut(d.fill(evidenceTable(c, &reasons))))
		}
		d.items(&b, append(reasons.lines(), notes(c)...))
		b.WriteByte('\n')
	}
	b.WriteString(d.legend(a))
	if len(a.Checks) > 0 {
		b.WriteByte('\n')
	}
	for _, check := range a.Checks {
		d.items(&b, []string{check.outcome()})
		for _, problem := range check.Problems {
			fmt.Fprintf(&b, "  %s%s\n", d.item, d.escape(problem))
		}
	}
	if cautions := a.Cautions(); d.section == "" && len(cautions) > 0 {
		b.WriteByte('\n')
		for _, caution := range cautions {
			d.items(&b, []string{"CAUTION: " + caution})
		}
	}
	if plan := a.planSection(); d.section == "" && len(plan.paragraphs) > 0 {
		b.WriteByte('\n')
		d.items(&b, plan.paragraphs)
	}
	if d.section != "" {
		for _, s := range a.sections() {
			if !s.pageOnly {
				d.writeSection(&b, s)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// RenderVerdicts writes a table for a terminal for each data set, with a row for each
// optimizer: its means, and under them the verdicts.
func RenderVerdicts(w io.Writer, a *Analysis) error {
	var b strings.Builder
	d := textDialect()
	for _, dataset := range a.Datasets {
		t := table{header: []string{printable(dataset)}}
		for _, m := range Metrics() {
			t.header = append(t.header, m.String())
		}
		var reasons footnotes
		var below []string
		for _, c := range a.Comparisons {
			if c.Dataset != dataset {
				continue
			}
			for _, line := range notes(c) {
				below = appendNew(below, line)
			}
			baseline, rival := []string{folded(c.Baseline)}, []string{folded(c.Rival)}
			for _, l := range c.Lines {
				baseline = append(baseline, meanAndSD(l.Baseline, unit(l.Metric), l.Untested, &reasons))
				rival = append(rival, meanAndSD(l.Rival, unit(l.Metric), l.Untested, &reasons)+"\n"+string(l.Claim()))
			}
			if len(t.rows) == 0 {
				t.rows = append(t.rows, baseline)
			}
			if c.Rival != "" {
				t.rows = append(t.rows, rival)
			}
		}
		fmt.Fprintf(&b, "%s\n\n", d.layOut(d.fill(t)))
		d.items(&b, append(reasons.lines(), below...))
	}
	d.items(&b, []string{
		"Mean ± standard deviation over the seeds.",
		fmt.Sprintf("The verdicts compare with %s: paired t-tests at 5 %%, p adjusted over %s.", printable(a.Optimizers[0]), plural(a.Tests, "test")),
	})
	for _, caution := range a.Cautions() {
		d.items(&b, []string{"CAUTION: " + caution})
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// folded breaks the name of an optimizer into lines, one for each setting.
func folded(name string) string { return strings.ReplaceAll(printable(name), ",", ",\n") }

// Headlines sums up each comparison in a line.
func (a *Analysis) Headlines() []string {
	var lines []string
	for _, c := range a.compared() {
		lines = append(lines, fmt.Sprintf("%s, %s, %s: %s", printable(c.Dataset), c.arms(), plural(len(c.Seeds), "seed"), headline(c)))
	}
	return lines
}

// items writes a list.
func (d dialect) items(b *strings.Builder, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(b, "%s%s\n", d.item, d.escape(line))
	}
}

// writeSection writes a section without its figures.
func (d dialect) writeSection(b *strings.Builder, s section) {
	fmt.Fprintf(b, "\n%s%s\n", d.section, d.escape(s.title))
	for _, paragraph := range s.paragraphs {
		fmt.Fprintf(b, "\n%s\n", d.escape(paragraph))
	}
	for _, g := range s.verdicts {
		fmt.Fprintf(b, "\n%s%s\n\n", d.title, d.escape(g.title))
		for _, v := range g.verdicts {
			fmt.Fprintf(b, "%s%s%s%s, %s: %s\n", d.item, d.bold, v.metric, d.bold, v.claim, d.escape(v.sentence))
		}
	}
	for _, t := range s.tables {
		fmt.Fprintf(b, "\n%s%s\n\n%s\n", d.title, d.escape(t.title), d.layOut(d.fill(t)))
		if len(t.notes) > 0 {
			b.WriteByte('\n')
			d.items(b, t.notes)
		}
	}
}

// fill hands a table to the table writer: names at the left, numbers at the right.
func (d dialect) fill(t table) pretty.Writer {
	w := pretty.NewWriter()
	style := pretty.StyleLight
	style.Format.Header = text.FormatDefault
	style.Options = pretty.Options{SeparateHeader: true}
	style.Markdown.PadContent = true
	w.SetStyle(style)
	w.SuppressTrailingSpaces()

	columns := make([]pretty.ColumnConfig, len(t.header))
	header := make(pretty.Row, len(t.header))
	for i, name := range t.header {
		align := text.AlignRight
		if i == 0 || t.words || name == columnSignificance || name == columnVerdict {
			align = text.AlignLeft
		}
		columns[i] = pretty.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, WidthMax: d.width, WidthMaxEnforcer: text.WrapSoft}
		switch name {
		case columnT:
			header[i] = d.italic + "t" + d.italic
		case columnP:
			header[i] = d.italic + "p" + d.italic + "-value"
		default:
			header[i] = d.escape(name)
		}
	}
	w.SetColumnConfigs(columns)
	w.AppendHeader(header)
	// A table of numbers has a name in its first column. Nothing else in it has a
	// meaning to escape.
	for _, cells := range t.rows {
		row := make(pretty.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
			if i == 0 || t.words {
				row[i] = d.escape(cell)
			}
		}
		if !t.words {
			row[0] = d.bold + d.escape(cells[0]) + d.bold
		}
		w.AppendRow(row)
	}
	return w
}

// legend says how to read the tables of an analysis.
func (d dialect) legend(a *Analysis) string {
	var lower, higher []string
	for _, m := range Metrics() {
		if m.HigherIsBetter() {
			higher = append(higher, d.escape(m.String()))
		} else {
			lower = append(lower, d.escape(m.String()))
		}
	}
	legend := fmt.Sprintf("Better is lower for %s, and higher for %s. SD: sample standard deviation over the seeds.\n",
		strings.Join(lower, ", "), strings.Join(higher, ", "))
	if len(a.contested()) > 0 {
		legend += fmt.Sprintf("%[1]s*%[1]s p < %[2]g, %[1]s**%[1]s p < %[3]g: paired t-test over the seeds, two-tailed, not corrected for the number of tests.\n",
			d.code, significantP, highlySignificantP)
		legend += fmt.Sprintf("p (Holm): corrected, over %s: every metric, data set and rival, training time included. The verdict goes by it.\n", plural(a.Tests, "test"))
	}
	return legend
}
