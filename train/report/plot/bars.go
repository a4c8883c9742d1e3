package plot

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bar is the values of one arm.
type Bar struct {
	Name   string
	Arm    int       // whose colour it has
	Values []float64 // one for each group; NaN for none
	Spread []float64 // half the length of each whisker; NaN for none
}

// Bars draws a bar of each arm in each group, side by side, from 0 up.
func Bars(title, yLabel string, groups []string, arms []Bar) *Figure {
	f := newFigure(title, curvesHeight)
	p := f.plot
	p.Y.Label.Text = yLabel
	top := 0.0
	for _, arm := range arms {
		for i, v := range arm.Values {
			for _, end := range []float64{v, v + arm.Spread[i]} {
				if !math.IsNaN(end) {
					top = max(top, end)
				}
			}
		}
	}
	if top == 0 {
		top = 1
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(len(groups))-0.5, 0, 1.04*top
	p.X.Tick.Marker = plot.ConstantTicks(nominal(groups))
	p.X.Tick.Length = 0
	grid := plotter.NewGrid()
	grid.Horizontal = draw.LineStyle{Color: gridGray, Width: 0.75}
	grid.Vertical.Color = nil
	p.Add(grid)
	for i, arm := range arms {
		p.Add(barPlotter{arm, i, len(arms)})
		style := armLine(arm.Arm)
		style.Width, style.Dashes = 8, nil
		f.legend = append(f.legend, legendEntry{arm.Name, style})
	}
	return f
}

// nominal are ticks at 0, 1 and so on with names.
func nominal(names []string) (ticks []plot.Tick) {
	for i, name := range names {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	return ticks
}

type barPlotter struct {
	Bar
	place, places int
}

func (b barPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	const share = 0.8 // of a group's width that its bars have
	toX, toY := p.Transforms(&c)
	width := share / float64(b.places)
	for i, v := range b.Values {
		if math.IsNaN(v) {
			continue
		}
		left := float64(i) - share/2 + float64(b.place)*width
		fillRectangle(c, armColor(b.Arm), toX(left), toY(0), toX(left+width), toY(v))
		if spread := b.Spread[i]; !math.IsNaN(spread) {
			x := toX(left + width/2)
			c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1}, x, toY(max(0, v-spread)), x, toY(v+spread))
		}
	}
}

// fillRectangle fills what is between two corners.
func fillRectangle(c draw.Canvas, fill color.Color, left, bottom, right, top vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
}
