package plot

import (
	"io"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sizes in points.
const (
	width      = 370
	margin     = 4
	lineHeight = 15 // of title and legend
	sampleLine = 22 // length of the sample of a line in the legend
)

// pngDPI makes two pixels of a point.
const pngDPI = 2 * 72

// Figure is a drawing with a title.
type Figure struct {
	Title string

	plot   *plot.Plot
	legend []legendEntry
	height vg.Length // of the plot, without title and legend
	sides  vg.Length // room at the left and right of the plot, for tick labels at its ends
}

// legendEntry is a line of the legend, which stands above the plot so that it
// covers nothing.
type legendEntry struct {
	name string
	line draw.LineStyle
}

func newFigure(title string, height vg.Length) *Figure {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(10.5)
		axis.Tick.Label.Font = sans(10)
		axis.Tick.Length = 4
		axis.Padding = 0
		axis.Color, axis.Tick.Color = ink, ink
		axis.Tick.Marker = roundTicks{}
	}
	p.X.Label.Padding, p.Y.Label.Padding = 3, 3
	return &Figure{Title: title, plot: p, height: height}
}

// sans is the typeface of all text. Arial and Helvetica are as wide.
func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func textStyle(f font.Font) text.Style {
	return text.Style{Color: ink, Font: f, Handler: plot.DefaultTextHandler}
}

// size returns the size of the whole drawing.
func (f *Figure) size() (w, h vg.Length) {
	return width, f.height + lineHeight*vg.Length(1+len(f.legend)) + 2*margin
}

// draw draws title, legend and plot from the top to the bottom.
func (f *Figure) draw(c draw.Canvas) {
	c = draw.Crop(c, margin, -margin, margin, -margin)
	bold := sans(11.5)
	bold.Weight = xfont.WeightBold
	c.FillText(textStyle(bold), vg.Point{X: c.Min.X, Y: c.Max.Y - bold.Size}, fit(f.Title, bold, c.Size().X))
	for i, entry := range f.legend {
		y := c.Max.Y - lineHeight*vg.Length(i+1) - 10
		c.StrokeLine2(entry.line, c.Min.X, y+3, c.Min.X+sampleLine, y+3)
		name := fit(entry.name, sans(10.5), c.Size().X-sampleLine-6)
		c.FillText(textStyle(sans(10.5)), vg.Point{X: c.Min.X + sampleLine + 6, Y: y}, name)
	}
	f.plot.Draw(draw.Crop(c, f.sides, -f.sides, 0, -lineHeight*vg.Length(1+len(f.legend))))
}

// fit shortens a text that is wider than it may be, in its middle.
func fit(s string, f font.Font, room vg.Length) string {
	style, runes := textStyle(f), []rune(s)
	for shown := len(runes); style.Width(s) > room && shown > 2; shown-- {
		s = string(runes[:shown/2]) + "…" + string(runes[len(runes)-shown/2:])
	}
	return s
}

// PNG writes the figure as a PNG on white.
func (f *Figure) PNG(w io.Writer) error {
	width, height := f.size()
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pngDPI))
	f.draw(draw.New(canvas))
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}
