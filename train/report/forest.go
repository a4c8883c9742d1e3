package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"diaghess/train/report/plot"
)

// axis is the scale of the plots in a table, or of a panel.
type axis struct {
	low, high   float64
	ticks       []tick
	reversed    bool   // whether low values are at the right
	left, right string // words at its ends
}

type tick struct {
	value float64
	label string
}

// newAxis returns an axis of the range of values, with round ticks whose labels a function
// writes.
func newAxis(values []float64, label func(float64) string) axis {
	x := axis{low: math.Inf(1), high: math.Inf(-1)}
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			x.low, x.high = min(x.low, v), max(x.high, v)
		}
	}
	if x.low > x.high {
		x.low, x.high = 0, 0
	}
	// An axis of one value, or of one beside which all others are none, has room round it.
	if room := (x.high - x.low) / 50; room > 0 && !math.IsInf(room, 0) {
		x.low, x.high = x.low-room, x.high+room
	} else {
		room = max(math.Abs(x.low)/2, 1e-3)
		x.low, x.high = x.low-room, x.high+room
	}
	for _, t := range plot.RoundTicks(x.low, x.high) {
		x.ticks = append(x.ticks, tick{t, label(t)})
	}
	return x
}

// bulk returns the values that are not beyond 20 times the median of their sizes, zeros aside.
func bulk(values []float64) []float64 {
	var sizes []float64
	for _, v := range values {
		if !math.IsNaN(v) && v != 0 {
			sizes = append(sizes, math.Abs(v))
		}
	}
	if len(sizes) == 0 {
		return values
	}
	most := 20 * median(sizes)
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.Abs(v) > most })
}

// place returns where a value is, in percent from the left; at an end where it is beyond.
func (x axis) place(v float64) float64 {
	share := min(max((v-x.low)/(x.high-x.low), 0), 1)
	if x.reversed {
		share = 1 - share
	}
	return 100 * share
}

// has says whether a value is on the axis.
func (x axis) has(v float64) bool { return v >= x.low && v <= x.high }

// strip is the plot in a row of a table: a mean with its interval, and a dot for each unit.
type strip struct {
	label           string // what it shows, in numbers
	mean, low, high float64
	dots            []dot
	zero            bool // whether it has a line at zero
	stack           int  // how many dots of one value a stack has room for; 0 for rows of dots that would touch
}

// beyond says whether the axis is too short for a part of the strip.
func (s strip) beyond(x axis) bool {
	return s.low < x.low || s.high > x.high || slices.ContainsFunc(s.dots, func(d dot) bool { return !x.has(d.value) })
}

type dot struct {
	value float64
	title string
}

// mostDots is of how many units at most a plot has a dot each.
const mostDots = 200

// differenceStrip is the plot of a comparison's differences of a metric, in scaled values.
func (a *Analysis) differenceStrip(c Comparison, m Metric, dots bool) strip {
	l := c.Lines[m]
	s := strip{mean: m.scaled(l.Difference), low: math.NaN(), high: math.NaN(), zero: true}
	s.label = fmt.Sprintf("%s minus %s, %s: %s, interval %s%s", a.name(c.Rival), a.name(c.Baseline), a.metricTitle(m), a.plain(m, l.Difference), a.interval(m, l.Interval), m.unitWord())
	if l.Interval.Err == nil {
		s.low, s.high = m.scaled(l.Interval.Result.Low), m.scaled(l.Interval.Result.High)
	}
	if dots && len(c.units()) <= mostDots {
		for i := range c.units() {
			d := l.RivalValues[i] - l.BaselineValues[i]
			s.dots = append(s.dots, dot{m.scaled(d), c.unitName(i) + ": " + a.difference(m, d)})
		}
	}
	return s
}

// differenceAxis is the common axis of the plots of a metric's differences in analyses.
func (a *Analysis) differenceAxis(m Metric, dots bool, analyses ...*Analysis) *axis {
	values := []float64{0}
	for _, b := range append(analyses, a) {
		for _, c := range b.contested() {
			s := b.differenceStrip(c, m, dots)
			values = append(values, s.mean, s.low, s.high)
			for _, d := range s.dots {
				values = append(values, d.value)
			}
		}
	}
	x := newAxis(bulk(values), func(v float64) string { return signed("%+.3g", v) })
	for i, t := range x.ticks {
		if t.value == 0 {
			x.ticks[i].label = "0"
		}
	}
	if zero := slices.IndexFunc(x.ticks, func(t tick) bool { return t.value == 0 }); !dots && len(x.ticks) > 4 { // the plots are small
		var few []tick
		for i, t := range x.ticks {
			if (i-zero)%2 == 0 {
				few = append(few, t)
			}
		}
		x.ticks = few
	}
	x.reversed = !m.HigherIsBetter()
	x.left, x.right = "← rival worse", "rival better →"
	return &x
}

// forestTables rank the arms of each data set by the mean of the primary metric.
func (a *Analysis) forestTables() []table {
	var analyses []*Analysis
	for _, e := range a.Earlier {
		analyses = append(analyses, e.Analysis)
	}
	axis := a.differenceAxis(a.Primary, true, analyses...)
	var tables []table
	for _, dataset := range a.Datasets {
		t := table{
			title:  fmt.Sprintf("%s: %s", printable(dataset), a.metricTitle(a.Primary)),
			header: []string{"arm", a.Primary.column(), "difference" + inUnit(a.Primary), "adjusted interval", "p", a.unit() + "s better", "failed", columnVerdict},
			axis:   axis,
		}
		var reasons footnotes
		for _, r := range a.ranking(dataset) {
			t.add(a, r, &reasons)
		}
		t.notes = append(reasons.lines(), t.notes...)
		list := slices.DeleteFunc(slices.Clone(a.Comparisons), func(c Comparison) bool { return c.Dataset != dataset })
		if slices.ContainsFunc(list, func(c Comparison) bool { return len(c.units()) > mostDots }) {
			t.notes = append(t.notes, fmt.Sprintf("No dots for more than %d %ss.", mostDots, a.unit()))
		}
		t.notes = append(append(t.notes, a.notesOf(list)...), a.ownWeights(dataset)...)
		for _, c := range list {
			if words := a.disagreement(c); words != "" {
				t.notes = append(t.notes, a.name(c.Rival)+": "+words)
			}
		}
		tables = append(tables, t)
	}
	if len(a.Earlier) > 0 {
		tables = append(tables, a.earlierTable(axis))
	}
	return tables
}

func inUnit(m Metric) string {
	if unit := m.unitWord(); unit != "" {
		return "," + unit
	}
	return ""
}

// add adds the row of an arm to a table of forestTables.
func (t *table) add(a *Analysis, r ranked, reasons *footnotes) {
	failed := missingNumber // CSV files list finished runs only
	if r.recorded {
		failed = fmt.Sprintf("%d of %d", r.runs-r.finished, r.runs)
	}
	row := []string{a.name(r.optimizer), a.value(a.Primary, r.mean), "", "", "", "", failed, "baseline"}
	s := strip{label: a.name(r.optimizer) + ": the baseline, from which differences are", low: math.NaN(), high: math.NaN(), zero: true}
	if r.versus != nil {
		row = append(row[:2], a.differenceCells(*r.versus, reasons)...)
		row = append(row, failed, r.versus.Claim().sign()+string(r.versus.Claim()))
		s = a.differenceStrip(*r.versus, a.Primary, true)
	} else if r.optimizer != a.Optimizers[0] || len(a.contested()) == 0 {
		row[7] = string(NoRival)
	}
	t.rows, t.arms = append(t.rows, row), append(t.arms, r.optimizer)
	t.plot(s)
}

// plot adds the strip of a row.
func (t *table) plot(s strip) {
	t.strips = append(t.strips, s)
	if s.beyond(*t.axis) {
		t.notes = appendNew(t.notes, "The plot is cut: some intervals lie beyond it, and means and dots that do are left out.")
	}
}

// differenceCells are difference, interval, p and wins of a comparison.
func (a *Analysis) differenceCells(c Comparison, reasons *footnotes) []string {
	l, wins := c.Lines[a.Primary], missingNumber
	if n := len(c.units()); n > 0 {
		wins = fmt.Sprintf("%d of %d", c.Evidence.Wins, n)
	}
	return []string{a.plain(a.Primary, l.Difference), a.intervalCell(a.Primary, l.Interval, reasons), pValue(c.Evidence.P), wins}
}

// disagreement says where the interval and the verdict of a comparison contradict each other; else it
// is empty.
func (a *Analysis) disagreement(c Comparison) string {
	i, claim := c.Lines[a.Primary].Interval, c.Claim()
	if i.Err != nil || math.IsNaN(c.Evidence.P) {
		return ""
	}
	switch excludes := i.Result.Low > 0 || i.Result.High < 0; {
	case excludes && claim != Better && claim != Worse:
		return "the interval excludes 0, but p does not show a difference."
	case !excludes && (claim == Better || claim == Worse):
		return "the interval includes 0, but p shows a difference."
	}
	return ""
}

// earlierTable has the comparisons of earlier studies.
func (a *Analysis) earlierTable(axis *axis) table {
	t := table{title: "Earlier studies, each a family of its own", header: []string{"study", "seeds", "difference" + inUnit(a.Primary), "adjusted interval", "p", "seeds better", columnVerdict}, axis: axis}
	var reasons footnotes
	var disagree []string
	for _, dataset := range a.Datasets {
		for _, e := range a.Earlier {
			for _, c := range e.contested() {
				if c.Dataset != dataset {
					continue
				}
				name := printable(c.Dataset) + ": " + e.Title
				row := append([]string{name, fmt.Sprint(len(c.units()))}, e.differenceCells(c, &reasons)...)
				t.rows = append(t.rows, append(row, c.Claim().sign()+string(c.Claim())))
				t.plot(e.differenceStrip(c, a.Primary, true))
				if words := e.disagreement(c); words != "" {
					disagree = append(disagree, name+": "+words)
				}
			}
		}
	}
	t.notes = slices.Concat(reasons.lines(), t.notes, disagree)
	return t
}

// panel is a small plot of an arm's curve beside the baseline's.
type panel struct {
	title  string
	label  string // what it shows, in numbers
	arm    string
	x, y   axis
	curves []plot.Curve // the arm's last
}

// mostPanels is how many arms of a data set have panels.
const mostPanels = 24

// panels draws the curves of a data set, one panel for each but the baseline's, which is in
// all of them. Curves are by arm, nil for an arm without one.
func (a *Analysis) panels(title string, curves []*plot.Curve, x, y axis, label func(plot.Curve) string) []panel {
	var panels []panel
	for arm, c := range curves {
		if c == nil || arm == 0 && slices.ContainsFunc(curves[1:], func(c *plot.Curve) bool { return c != nil }) || len(panels) == mostPanels {
			continue
		}
		p := panel{title: title, arm: a.Optimizers[arm], x: x, y: y, label: title + ": " + label(*c)}
		if arm > 0 && curves[0] != nil {
			p.curves = append(p.curves, *curves[0])
			p.label += "; " + label(*curves[0])
		}
		p.curves = append(p.curves, *c)
		panels = append(panels, p)
	}
	return panels
}

// profilePanels show, for each value of the primary metric, the share of the runs that are at
// least as good, with Wilson's interval. A run that failed is as bad as can be.
func (a *Analysis) profilePanels(dataset string) []panel {
	curves := make([]*plot.Curve, len(a.Optimizers))
	var all []float64
	for arm, r := range a.Optimizers {
		var values []float64
		failed := 0
		for _, row := range a.Rows {
			switch {
			case row.Dataset != dataset || row.Optimizer != r:
			case row.unusable() != "":
				failed++
			default:
				values = append(values, a.Primary.scaled(a.Primary.Of(row)))
			}
		}
		if len(values) > 1 {
			curves[arm] = profile(values, failed, a.Primary.HigherIsBetter())
			curves[arm].Name, curves[arm].Arm = a.name(r), arm
			all = append(all, values...)
		}
	}
	x := newAxis(all, func(v float64) string { return signed("%.4g", v) })
	x.reversed = !a.Primary.HigherIsBetter()
	y := axis{low: 0, high: 100, ticks: []tick{{0, "0"}, {50, "50"}, {100, "100 %"}}}
	middle := func(c plot.Curve) string {
		at := slices.IndexFunc(c.Y, func(v float64) bool { return v <= 50 })
		if at < 0 {
			return c.Name
		}
		return fmt.Sprintf("half of the runs of %s reach %s", c.Name, signed("%.4g", c.X[at]))
	}
	return a.panels(printable(dataset)+": share of runs that reach a "+a.metricTitle(a.Primary), curves, x, y, middle)
}

// profile returns the steps of the share, in percent, of runs that are at least as good as x.
func profile(values []float64, failed int, higher bool) *plot.Curve {
	slices.SortFunc(values, func(x, y float64) int {
		if higher {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(y, x)
	})
	n := len(values) + failed
	c := &plot.Curve{}
	add := func(x float64, reached int) {
		share, low, high := wilson(reached, n)
		c.X, c.Y, c.Low, c.High = append(c.X, x), append(c.Y, 100*share), append(c.Low, 100*low), append(c.High, 100*high)
	}
	for i, v := range values {
		add(v, len(values)-i)
		add(v, len(values)-i-1)
	}
	return c
}

// wilson returns a share and its 95 % interval (Wilson, "Probable inference, the law of
// succession, and statistical inference", JASA 22, 1927).
func wilson(k, n int) (share, low, high float64) {
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	middle, half := (p+z*z/(2*m))/(1+z*z/m), z/(1+z*z/m)*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, middle-half), min(1, middle+half)
}
