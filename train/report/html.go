package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

//go:embed page
var pageFiles embed.FS

// The page, as its template sees it. The template escapes all text.
type (
	viewPage struct {
		Title, Question, Answer, Objection, Introduction string
		Style                                            template.CSS
		Eyebrow                                          []string
		Standing                                         string
		Planned                                          bool
		HowToRead                                        string
		Sections                                         []viewSection
	}
	viewSection struct {
		ID, Short, Title string
		Folded           bool
		Half, Pairs      bool
		Paragraphs       []string
		Facts            []fact
		Checks           []check
		Tables           []viewTable
		Groups           []viewGroup
	}
	viewTable struct {
		Title  string
		Header []string
		Axis   *viewAxis
		Rows   []viewRow
		Notes  []string
		Words  bool
	}
	viewRow struct {
		Class      string // of the arm's colour
		Name, Rest string
		Base       bool
		Strip      *viewStrip
		Cells      []viewCell
	}
	// viewCell carries its column's title, which stands beside it on narrow screens.
	viewCell struct {
		Label, Text      string
		Verdict, Claimed bool
	}
	viewAxis struct {
		Left, Right string
		Ticks       []viewTick
	}
	viewTick  struct{ Place, Label, Half string } // Half of the label's width, in em
	viewStrip struct {
		Label, Height         string
		Grid                  []viewTick
		Zero, Low, High, Mean string // places; empty for none
		Dots                  []viewDot
	}
	viewDot   struct{ X, Y, Title string }
	viewGroup struct {
		Title  string
		Panels []viewPanel
	}
	viewPanel struct {
		Class, Name, Label string
		X, Y               []viewTick
		Curves             []viewCurve
	}
	viewCurve struct{ Class, Line, Band string }
)

// shortTitles name the sections in the contents.
func shortTitles() map[string]string {
	return map[string]string{"answer": "Answer", "replication": "Replication", "endpoints": "Endpoints", "methods": "Other methods", "secondary": "Other metrics", "curves": "Curves", "targets": "Targets", "cost": "Cost",
		"stability": "Stability", "plan": "Plan", "tuning": "Tuning", "published": "All numbers", "pilot": "Pilot's statistics", "made": "How it was made", "runs": "Every run", "checks": "Checks and limits"}
}

// WriteHTML writes the report as one page that needs nothing beside itself.
func WriteHTML(w io.Writer, a *Analysis) error {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	page := viewPage{
		Title: a.title(), Style: template.CSS(style), Question: a.question(), Answer: a.Answer(), Introduction: a.Introduction,
		Eyebrow: []string{"diaghess report", fmt.Sprintf("%s, %s, %s, %s", plural(len(a.Datasets), "data set"), plural(len(a.Optimizers), "arm"), plural(a.seeds(), "seed"), plural(len(a.Rows), "run"))},
	}
	if len(a.contested()) > 0 || a.awaited() != nil {
		page.Objection, page.HowToRead = a.objection(), a.howToRead()
		page.Planned, page.Standing = a.standing()
	}
	for _, s := range a.sections() {
		page.Sections = append(page.Sections, a.view(s))
	}
	var b strings.Builder
	if err := t.Execute(&b, page); err != nil {
		return err
	}
	_, err = io.WriteString(w, strings.ReplaceAll(b.String(), " %", "\u00a0%")) // no line breaks there
	return err
}

// seeds is how many different seeds the study has.
func (a *Analysis) seeds() int {
	var seeds []int
	for _, r := range a.Rows {
		seeds = append(seeds, r.Seed)
	}
	return len(distinct(seeds))
}

// title names the study: "Custom against Baseline on cifar10 and cifar100".
func (a *Analysis) title() string {
	const most = 3 // rivals that are named; more are counted
	var datasets, rivals []string
	for _, dataset := range a.Datasets {
		datasets = append(datasets, printable(dataset))
	}
	for _, rival := range a.Optimizers[1:] {
		rivals = append(rivals, a.name(rival))
	}
	title := a.name(a.Optimizers[0])
	switch {
	case len(rivals) > most:
		title = fmt.Sprintf("%d optimizers against %s", len(rivals), title)
	case len(rivals) > 0:
		title = joinWords(rivals) + " against " + title
	}
	return title + " on " + joinWords(datasets)
}

// colors is how many colours rivals have; further ones repeat them with dashed lines.
const colors = 7

// class is the class of an arm's colour. The baseline is grey.
func (a *Analysis) class(optimizer string) string {
	arm := slices.Index(a.Optimizers, optimizer)
	switch {
	case arm <= 0:
		return "k0"
	case arm > colors:
		return fmt.Sprintf("k%d dash", 1+(arm-1)%colors)
	}
	return fmt.Sprintf("k%d", arm)
}

func (a *Analysis) view(s section) viewSection {
	v := viewSection{ID: s.id, Short: shortTitles()[s.id], Title: s.title, Folded: s.folded, Half: s.half, Pairs: s.pairs, Paragraphs: s.paragraphs, Facts: s.facts, Checks: s.checks}
	if s.id == "answer" {
		v.Title, v.Paragraphs = "", nil // they are at the head of the page
	}
	for _, t := range s.tables {
		v.Tables = append(v.Tables, a.viewTable(t))
	}
	for _, p := range s.panels {
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Title != p.title {
			v.Groups = append(v.Groups, viewGroup{Title: p.title})
		}
		group := &v.Groups[len(v.Groups)-1]
		group.Panels = append(group.Panels, a.viewPanel(p))
	}
	return v
}

func (a *Analysis) viewTable(t table) viewTable {
	v := viewTable{Title: t.title, Header: t.header, Notes: t.notes, Words: t.words}
	if t.axis != nil {
		v.Axis = &viewAxis{Left: t.axis.left, Right: t.axis.right, Ticks: t.axis.view()}
	}
	for i, cells := range t.rows {
		row := viewRow{Name: cells[0]}
		if t.arms != nil {
			row.Class, row.Rest = a.class(t.arms[i]), a.rest(t.arms[i])
			row.Base = t.arms[i] == a.Optimizers[0]
		}
		if t.strips != nil {
			row.Strip = t.strips[i].view(*t.axis)
		}
		for i, cell := range cells[1:] {
			title := t.header[i+1]
			claimed := strings.HasPrefix(cell, Better.sign()) || strings.HasPrefix(cell, Worse.sign())
			row.Cells = append(row.Cells, viewCell{title, cell, title == columnVerdict, claimed})
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func percent(v float64) string { return fmt.Sprintf("%.2f", v) }

func (x axis) view() []viewTick {
	var ticks []viewTick
	for _, t := range x.ticks {
		ticks = append(ticks, viewTick{percent(x.place(t.value)), t.label, fmt.Sprintf("%.1f", 0.3*float64(utf8.RuneCountInString(t.label)))})
	}
	return ticks
}

func (s strip) view(x axis) *viewStrip {
	v := &viewStrip{Label: s.label, Height: "28", Grid: x.view()}
	for _, mark := range []struct {
		place *string
		value float64
		there bool
	}{{&v.Zero, 0, s.zero}, {&v.Mean, s.mean, x.has(s.mean)}, {&v.Low, s.low, true}, {&v.High, s.high, true}} {
		if mark.there && !math.IsNaN(mark.value) {
			*mark.place = percent(x.place(mark.value))
		}
	}
	// Dots that would touch are in three rows, or those of one value in a stack.
	const touching, rows, highest = 1.4, 3, 30
	top, pitch, height := 7.0, 7.0, 7.0*(rows-1)
	if s.stack > 0 {
		pitch = min(pitch, highest/float64(s.stack))
		height = pitch * float64(s.stack-1)
	}
	if !math.IsNaN(s.mean) {
		top = 27
	}
	if len(s.dots) > 0 {
		v.Height = fmt.Sprintf("%.4g", top+height+5)
	}
	dots := slices.DeleteFunc(slices.Clone(s.dots), func(d dot) bool { return !x.has(d.value) })
	slices.SortStableFunc(dots, func(p, q dot) int { return int(math.Copysign(1, x.place(p.value)-x.place(q.value))) })
	last := [rows]float64{-1, -1, -1}
	for i, d := range dots {
		place, row := x.place(d.value), 0
		for row < rows-1 && last[row] >= 0 && place-last[row] < touching {
			row++
		}
		last[row] = place
		if s.stack > 0 {
			row = i - slices.IndexFunc(dots, func(other dot) bool { return other.value == d.value })
		}
		v.Dots = append(v.Dots, viewDot{percent(place), fmt.Sprintf("%.4g", top+pitch*float64(row)), d.title})
	}
	return v
}

func (a *Analysis) viewPanel(p panel) viewPanel {
	v := viewPanel{Class: a.class(p.arm), Name: a.name(p.arm), Label: p.label, X: p.x.view()}
	for _, t := range p.y.ticks {
		v.Y = append(v.Y, viewTick{Place: percent(100 - p.y.place(t.value)), Label: t.label})
	}
	for _, c := range p.curves {
		class := "k0"
		if c.Arm < len(a.Optimizers) {
			class = a.class(a.Optimizers[c.Arm])
		}
		v.Curves = append(v.Curves, viewCurve{class, points(p, c.X, c.Y, false), points(p, c.X, c.High, false) + points(p, c.X, c.Low, true)})
	}
	return v
}

// points writes the points of a line in percent of a panel, from the top left, forwards or
// backwards. Beyond the panel they are cut by it.
func points(p panel, xs, ys []float64, backwards bool) string {
	const beyond = 500
	var list []string
	for i, y := range ys {
		height := 100 * (p.y.high - y) / (p.y.high - p.y.low)
		list = append(list, percent(p.x.place(xs[i]))+","+percent(min(max(height, -beyond), beyond)))
	}
	if backwards {
		slices.Reverse(list)
	}
	return strings.Join(list, " ") + " "
}
