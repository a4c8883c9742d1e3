package plot

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Group is the differences of one pair of arms.
type Group struct {
	Name   string    // what stands above it
	Arm    int       // whose colour it has
	Values []float64 // a dot each, from the top down
	Mean   float64   // NaN for none
	// Low and High are the ends of the interval of the mean, NaN for none.
	Low, High float64
}

// groupHeight is the height of a group, and dotsTop, dotsBottom and meanPlace the
// places of its parts in it, from 0 at its bottom to 1 at its top.
const (
	groupHeight = 92
	dotsTop     = 0.74
	dotsBottom  = 0.30
	meanPlace   = 0.14
)

// Differences draws groups of differences one under the other on one axis, which
// includes zero: each value a dot, below them the mean with its interval.
func Differences(title, label string, groups []Group) *Figure {
	f := newFigure(title, groupHeight*vg.Length(len(groups))+36)
	f.sides = 14
	p := f.plot
	p.X.Label.Text = label
	p.HideY()

	low, high := 0.0, 0.0
	for _, g := range groups {
		for _, v := range append([]float64{g.Mean, g.Low, g.High}, g.Values...) {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	room := 0.04 * (high - low)
	if room == 0 {
		room = 1
	}
	p.X.Min, p.X.Max = low-room, high+room
	p.Y.Min, p.Y.Max = 0, float64(len(groups))

	grid := plotter.NewGrid()
	grid.Vertical = draw.LineStyle{Color: gridGray, Width: 0.75}
	grid.Horizontal.Color = nil
	p.Add(grid)
	for i, g := range groups {
		p.Add(groupPlotter{group: g, bottom: float64(len(groups) - 1 - i)})
	}
	return f
}

type groupPlotter struct {
	group  Group
	bottom float64
}

func (g groupPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{3, 2}}, toX(0), toY(g.bottom), toX(0), toY(g.bottom+0.8))
	name := fit(g.group.Name, sans(10.5), c.Size().X)
	c.FillText(textStyle(sans(10.5)), vg.Point{X: c.Min.X, Y: toY(g.bottom + 0.86)}, name)

	dot := draw.GlyphStyle{Color: transparent(armColor(g.group.Arm), dotOpacity), Radius: 2.6, Shape: draw.CircleGlyph{}}
	for i, v := range g.group.Values {
		place := dotsTop - (dotsTop-dotsBottom)*(float64(i)+0.5)/float64(len(g.group.Values))
		c.DrawGlyph(dot, vg.Point{X: toX(v), Y: toY(g.bottom + place)})
	}

	y, color := toY(g.bottom+meanPlace), armColor(g.group.Arm)
	if !math.IsNaN(g.group.Low) {
		line := draw.LineStyle{Color: color, Width: 2}
		low, high := toX(g.group.Low), toX(g.group.High)
		c.StrokeLine2(line, low, y, high, y)
		c.StrokeLine2(line, low, y-4, low, y+4)
		c.StrokeLine2(line, high, y-4, high, y+4)
	}
	if !math.IsNaN(g.group.Mean) {
		c.DrawGlyph(draw.GlyphStyle{Color: color, Radius: 4.5, Shape: draw.CircleGlyph{}}, vg.Point{X: toX(g.group.Mean), Y: y})
	}
}
