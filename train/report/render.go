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
		section: "## ", title: "### ", item: "- ", bold: "**", italic: "*",
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

// renderWords writes the sections: all that Markdown has, or the brief ones.
func renderWords(w io.Writer, a *Analysis, d dialect) error {
	var b strings.Builder
	for _, s := range a.sections() {
		if !s.pageOnly && (d.section != "" || s.brief) {
			d.writeSection(&b, a, s)
		}
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// RenderAnswer writes the answer, the ranking of the arms and the cautions for a terminal.
func RenderAnswer(w io.Writer, a *Analysis) error {
	var b strings.Builder
	d := textDialect()
	s := a.answerSection()
	s.facts, s.paragraphs = nil, []string{a.Answer()}
	d.writeSection(&b, a, s)
	for _, caution := range a.Cautions() {
		d.items(&b, []string{"CAUTION: " + caution})
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// items writes a list.
func (d dialect) items(b *strings.Builder, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(b, "%s%s\n", d.item, d.escape(line))
	}
}

// writeSection writes a section without its plots. A terminal has not what cannot be known.
func (d dialect) writeSection(b *strings.Builder, a *Analysis, s section) {
	var checks []string
	for _, c := range s.checks {
		switch {
		case c.Mark == markCaution:
			checks = append(checks, "CAUTION: "+c.Text)
		case c.Mark == markGood:
			checks = append(checks, "Checked: "+c.Text)
		case d.section != "":
			checks = append(checks, "Not known: "+c.Text)
		}
	}
	if len(checks)+len(s.paragraphs)+len(s.tables)+len(s.facts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s%s\n", d.section, d.escape(s.title))
	for _, paragraph := range s.paragraphs {
		fmt.Fprintf(b, "\n%s%s\n", d.item0(), d.escape(paragraph))
	}
	for _, t := range s.tables {
		title := d.title + d.escape(t.title)
		fmt.Fprintf(b, "\n%s\n\n%s\n", title, d.layOut(d.fill(t)))
		notes := t.notes
		if s.id == "answer" {
			for _, optimizer := range t.arms {
				if name := a.name(optimizer); name != printable(optimizer) {
					notes = append(notes, name+" is "+printable(optimizer)+".")
				}
			}
		}
		if len(notes) > 0 {
			b.WriteByte('\n')
			d.items(b, notes)
		}
	}
	if s.id == "answer" && len(a.contested()) > 0 {
		fmt.Fprintf(b, "\n%s%s\n", d.item0(), d.escape(a.howToRead()))
	}
	for _, f := range s.facts {
		checks = append(checks, f.Title+": "+f.Text)
	}
	if len(checks) > 0 {
		b.WriteByte('\n')
		d.items(b, checks)
	}
}

// item0 is what a paragraph begins with: in a terminal, the indent of a list's lines.
func (d dialect) item0() string {
	if d.section == "" {
		return d.item
	}
	return ""
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
		if i == 0 || t.words || name == columnVerdict {
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
