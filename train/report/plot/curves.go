package plot

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const curvesHeight = 210

// Curve is a line through points, with or without a band round it.
type Curve struct {
	Name string
	Arm  int // whose colour and dashes it has
	X, Y []float64
	// Low and High are the ends of the band at each X; nil for none.
	Low, High []float64
}

// Curves draws curves over axes that start at zero. A curve of one point is a dot.
func Curves(title, xLabel, yLabel string, curves []Curve) *Figure {
	f := newCurves(title, xLabel, yLabel, curves)
	x, y := &f.plot.X, &f.plot.Y
	x.Min, y.Min = 0, 0
	if y.Max <= 0 { // all values are zero, or there is none
		y.Max = 1
	}
	step := roundStep(0, y.Max)
	y.Max = step * math.Ceil(y.Max/step) // up to the next tick
	return f
}

// LogLog draws curves over logarithmic axes that both span the range of all of them, so
// that what is equal to x lies on the diagonal. Every coordinate must be positive.
func LogLog(title, xLabel, yLabel string, curves []Curve) *Figure {
	// The axes are linear in the logarithms: plot.LogScale makes room for a label as if
	// it stood at the arithmetic middle of its axis.
	low, high := math.Inf(1), math.Inf(-1)
	var drawn []Curve
	for _, c := range curves {
		c.X, c.Y = logarithms(c.X), logarithms(c.Y)
		for i := range c.X {
			low, high = min(low, c.X[i], c.Y[i]), max(high, c.X[i], c.Y[i])
		}
		drawn = append(drawn, c)
	}
	if low > high { // no point
		low, high = 0, 0
	}
	f := newCurves(title, xLabel, yLabel, drawn)
	f.height = width // nearly a square
	for _, axis := range []*plot.Axis{&f.plot.X, &f.plot.Y} {
		axis.Min, axis.Max = math.Floor(low), math.Floor(high)+1
		axis.Tick.Marker = decadeTicks{}
	}
	return f
}

// logarithms returns those to base 10.
func logarithms(values []float64) []float64 {
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = math.Log10(v)
	}
	return logs
}

func newCurves(title, xLabel, yLabel string, curves []Curve) *Figure {
	f := newFigure(title, curvesHeight)
	p := f.plot
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	grid := plotter.NewGrid()
	grid.Vertical = draw.LineStyle{Color: gridGray, Width: 0.75}
	grid.Horizontal = grid.Vertical
	p.Add(grid)
	for _, c := range curves {
		p.Add(band(c))
	}
	for _, c := range curves {
		p.Add(line(c))
		f.legend = append(f.legend, legendEntry{c.Name, armLine(c.Arm)})
	}
	return f
}

// line draws a curve's line.
type line Curve

func (l line) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	points := make([]vg.Point, len(l.X))
	for i := range l.X {
		points[i] = vg.Point{X: toX(l.X[i]), Y: toY(l.Y[i])}
	}
	if len(points) == 1 {
		c.DrawGlyph(draw.GlyphStyle{Color: armColor(l.Arm), Radius: 3, Shape: draw.CircleGlyph{}}, points[0])
	}
	c.StrokeLines(armLine(l.Arm), c.ClipLinesXY(points)...)
}

// DataRange is the range of the line and of its band.
func (l line) DataRange() (xMin, xMax, yMin, yMax float64) {
	xMin, xMax, yMin, yMax = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i := range l.X {
		xMin, xMax = min(xMin, l.X[i]), max(xMax, l.X[i])
		yMin, yMax = min(yMin, l.Y[i]), max(yMax, l.Y[i])
	}
	for i := range l.Low {
		yMin, yMax = min(yMin, l.Low[i]), max(yMax, l.High[i])
	}
	return xMin, xMax, yMin, yMax
}

// band draws a curve's band.
type band Curve

func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var outline []vg.Point
	for i := range b.Low {
		outline = append(outline, vg.Point{X: toX(b.X[i]), Y: toY(b.Low[i])})
	}
	for i := len(b.High) - 1; i >= 0; i-- {
		outline = append(outline, vg.Point{X: toX(b.X[i]), Y: toY(b.High[i])})
	}
	c.FillPolygon(transparent(armColor(b.Arm), bandOpacity), c.ClipPolygonXY(outline))
}
