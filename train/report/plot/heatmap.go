package plot

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// tileHeight is the height of a row of a heat map.
const tileHeight = 18

// HeatMap draws values [row][column] as numbers in tiles, darker where they are larger. The first
// row is at the top; a tile of NaN is empty.
func HeatMap(title, xLabel string, rows, columns []string, values [][]float64) *Figure {
	f := newFigure(title, tileHeight*vg.Length(len(rows))+36)
	p := f.plot
	p.X.Label.Text = xLabel
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(len(columns))-0.5, 0.5-float64(len(rows)), 0.5
	p.X.Tick.Marker = plot.ConstantTicks(nominal(columns))
	var names []plot.Tick
	for i, name := range rows {
		names = append(names, plot.Tick{Value: -float64(i), Label: fit(name, sans(10), width/2)})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.Add(tiles(values))
	return f
}

type tiles [][]float64

func (t tiles) Plot(c draw.Canvas, p *plot.Plot) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range t {
		for _, v := range row {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	style := textStyle(sans(9.5))
	style.XAlign, style.YAlign = text.XCenter, text.YCenter
	toX, toY := p.Transforms(&c)
	for i, row := range t {
		for j, v := range row {
			if math.IsNaN(v) {
				continue
			}
			const lightest, darkest = 16, 144 // of text on it can be read
			opacity := uint8(lightest)
			if high > low {
				opacity += uint8((darkest - lightest) * (v - low) / (high - low))
			}
			x, y := float64(j), -float64(i)
			fillRectangle(c, transparent(armColor(1), opacity), toX(x-0.5), toY(y-0.5), toX(x+0.5), toY(y+0.5))
			c.FillText(style, vg.Point{X: toX(x), Y: toY(y)}, fmt.Sprintf("%.4g", v))
		}
	}
}
