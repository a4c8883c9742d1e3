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
	title  string // before a table's title
	item   string // before a line under a table
	bold   string // round a metric
	italic string // round a symbol
	code   string // round literal asterisks
	width  int    // of the widest column, beyond which names are wrapped; 0 for any
	escape func(string) string
	layOut func(pretty.Writer) string
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
		title: "### ", item: "- ", bold: "**", italic: "*", code: "`",
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

// renderWords writes everything that a reader needs: tables, notes, the legend
// and the checks.
func renderWords(w io.Writer, a *Analysis, d dialect) error {
	var b strings.Builder
	tested := false
	for _, c := range a.Comparisons {
		tested = tested || c.Rival != ""
		t := newTable(c)
		fmt.Fprintf(&b, "%s%s\n\n%s\n\n", d.title, d.escape(t.title), d.layOut(d.fill(t)))
		for _, note := range t.notes {
			fmt.Fprintf(&b, "%s%s\n", d.item, d.escape(note))
		}
		b.WriteByte('\n')
	}
	b.WriteString(d.legend(tested))
	if len(a.Checks) > 0 {
		b.WriteByte('\n')
	}
	for _, check := range a.Checks {
		fmt.Fprintf(&b, "%s%s\n", d.item, d.escape(check.outcome()))
		for _, problem := range check.Problems {
			fmt.Fprintf(&b, "  %s%s\n", d.item, d.escape(problem))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
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
	for i := range columns {
		columns[i] = pretty.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight, WidthMax: d.width, WidthMaxEnforcer: text.WrapSoft}
	}
	const metric, significance = 0, 7
	columns[metric].Align, columns[metric].AlignHeader = text.AlignLeft, text.AlignLeft
	if len(columns) > significance {
		columns[significance].Align, columns[significance].AlignHeader = text.AlignLeft, text.AlignLeft
	}
	w.SetColumnConfigs(columns)

	header := make(pretty.Row, len(t.header))
	for i, name := range t.header {
		switch name {
		case columnT:
			header[i] = d.italic + "t" + d.italic
		case columnP:
			header[i] = d.italic + "p" + d.italic + "-value"
		default:
			header[i] = d.escape(name)
		}
	}
	w.AppendHeader(header)
	// Cells are numbers and flags, of which none has a meaning to escape.
	for _, cells := range t.rows {
		row := make(pretty.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
		}
		row[metric] = d.bold + cells[metric] + d.bold
		w.AppendRow(row)
	}
	return w
}

// legend says how to read the tables, of which some may have tests.
func (d dialect) legend(tested bool) string {
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
	if tested {
		legend += fmt.Sprintf("%[1]s*%[1]s p < %[2]g, %[1]s**%[1]s p < %[3]g: paired t-test over the seeds, two-tailed, not corrected for the number of tests.\n",
			d.code, significantP, highlySignificantP)
	}
	return legend
}
