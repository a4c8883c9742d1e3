package plot

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sensitivity draws a share, from 0 to 1, over positive numbers on a logarithmic
// axis of whole decades: every point a dot, joined by lines.
func Sensitivity(title, xLabel, yLabel string, curves []Curve) *Figure {
	low, high := math.Inf(1), math.Inf(-1) // exponents
	var logarithmic []Curve
	for _, c := range curves {
		exponents := make([]float64, len(c.X))
		for i, x := range c.X {
			exponents[i] = math.Log10(x)
			low, high = min(low, exponents[i]), max(high, exponents[i])
		}
		c.X = exponents
		logarithmic = append(logarithmic, c)
	}
	if low > high { // no point
		low, high = 0, 0
	}
	f := newCurves(title, xLabel, yLabel, logarithmic)
	for _, c := range logarithmic {
		f.plot.Add(dots(c))
	}
	x, y := &f.plot.X, &f.plot.Y
	y.Min, y.Max = 0, 1
	x.Min, x.Max = math.Floor(low), math.Floor(high)+1
	x.Tick.Marker = decadeTicks{}
	return f
}

// dots draws a curve's points.
type dots Curve

func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for i := range d.X {
		c.DrawGlyph(draw.GlyphStyle{Color: armColor(d.Arm), Radius: 2, Shape: draw.CircleGlyph{}}, vg.Point{X: toX(d.X[i]), Y: toY(d.Y[i])})
	}
}
