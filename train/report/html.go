package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"

	"diaghess/train/atomicfile"
)

//go:embed page
var pageFiles embed.FS

// The page, as its template sees it. The template escapes all text; the figures are
// escaped by package plot.
type (
	viewPage struct {
		Title    string
		Style    template.CSS
		Sections []viewSection
	}
	viewSection struct {
		ID, Title  string
		Folded     bool
		Paragraphs []string
		Verdicts   []viewGroup
		Tables     []viewTable
		Figures    []template.HTML
	}
	viewGroup struct {
		Title, Headline string
		Verdicts        []viewVerdict
	}
	viewVerdict struct{ Metric, Claim, Class, Sentence string }
	viewTable   struct {
		Title       string
		Header      []string
		Rows        [][]viewCell
		Notes       []string
		Words, Long bool
	}
	// viewCell carries its column's title, which stands beside it on narrow screens.
	viewCell struct{ Label, Text string }
)

// WriteHTML writes the report as one page that needs nothing beside itself.
func WriteHTML(w io.Writer, a *Analysis) error {
	a = a.named()
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	page := viewPage{Title: a.title(), Style: template.CSS(style)}
	for _, s := range a.sections() {
		view, err := s.view()
		if err != nil {
			return err
		}
		page.Sections = append(page.Sections, view)
	}
	return t.Execute(w, page)
}

// mostNamed is how many rivals a title names; more are counted.
const mostNamed = 3

// title names the study: "Custom against Baseline on cifar10 and cifar100".
func (a *Analysis) title() string {
	var datasets, rivals []string
	for _, dataset := range a.Datasets {
		datasets = append(datasets, printable(dataset))
	}
	for _, rival := range a.Optimizers[1:] {
		rivals = append(rivals, printable(rival))
	}
	title := printable(a.Optimizers[0])
	switch {
	case len(rivals) > mostNamed:
		title = fmt.Sprintf("%d optimizers against %s", len(rivals), title)
	case len(rivals) > 0:
		title = joinWords(rivals) + " against " + title
	}
	return title + " on " + joinWords(datasets)
}

func (s section) view() (viewSection, error) {
	v := viewSection{ID: strings.ToLower(fileName(strings.Trim(s.title, "?"))), Title: s.title, Folded: s.folded, Paragraphs: s.paragraphs}
	for _, g := range s.verdicts {
		group := viewGroup{Title: g.title, Headline: g.headline}
		for _, v := range g.verdicts {
			group.Verdicts = append(group.Verdicts, viewVerdict{v.metric, string(v.claim), fileName(string(v.claim)), v.sentence})
		}
		v.Verdicts = append(v.Verdicts, group)
	}
	for _, t := range s.tables {
		v.Tables = append(v.Tables, t.view())
	}
	for _, f := range s.figures {
		drawing, err := f.SVG()
		if err != nil {
			return viewSection{}, err
		}
		v.Figures = append(v.Figures, template.HTML(drawing))
	}
	return v, nil
}

func (t table) view() viewTable {
	v := viewTable{Title: t.title, Header: t.header, Notes: t.notes, Words: t.words, Long: t.long}
	for _, cells := range t.rows {
		var row []viewCell
		for i, cell := range cells {
			row = append(row, viewCell{t.header[i], cell})
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// WritePNG writes the figures of the report as PNG into a folder, numbered in the
// order of the page, and returns the paths.
func WritePNG(dir string, a *Analysis) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder for the figures: %w", err)
	}
	for _, s := range a.named().sections() {
		for _, f := range s.figures {
			path := filepath.Join(dir, fmt.Sprintf("%02d-%s.png", len(paths)+1, f.name))
			if err := atomicfile.Write(path, f.PNG); err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}
