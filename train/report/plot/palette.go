package plot

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ink is the colour of text and axes.
var ink = color.Gray{Y: 0}

var gridGray = color.NRGBA{R: 128, G: 128, B: 128, A: 72}

// palette returns the colours of the arms, the baseline's first: those of the page's style
// sheet on white. They were searched for contrast of at least 3 to 1 and for distance to each other in
// normal, protan, deutan and tritan sight.
func palette() []color.NRGBA {
	return []color.NRGBA{
		{R: 0x6b, G: 0x70, B: 0x78, A: 255},
		{R: 0x00, G: 0x5f, B: 0xbf, A: 255},
		{R: 0xc0, G: 0x6e, B: 0x00, A: 255},
		{R: 0x01, G: 0x45, B: 0x2e, A: 255},
		{R: 0x64, G: 0x18, B: 0x6c, A: 255},
		{R: 0x91, G: 0x6c, B: 0x40, A: 255},
		{R: 0x2f, G: 0x0b, B: 0xbb, A: 255},
		{R: 0x10, G: 0x9a, B: 0xcf, A: 255},
	}
}

// armColor returns the colour of an arm; from the ninth arm on they repeat.
func armColor(arm int) color.NRGBA {
	colors := palette()
	return colors[arm%len(colors)]
}

// armDashes returns the dashes of an arm's line. Their number and that of the colours
// have no common divisor, so that arms share both only from the 41st on.
func armDashes(arm int) []vg.Length {
	dashes := [][]vg.Length{nil, {7, 3}, {2, 2}, {7, 2, 2, 2}, {12, 4}}
	return dashes[arm%len(dashes)]
}

func armLine(arm int) draw.LineStyle {
	return draw.LineStyle{Color: armColor(arm), Width: 1.6, Dashes: armDashes(arm)}
}

// The opacities of what arms are drawn with, from 0 to 255.
const (
	solid       = 255
	dotOpacity  = 200
	bandOpacity = 40
)

// transparent returns a colour with another opacity.
func transparent(c color.NRGBA, opacity uint8) color.NRGBA {
	c.A = opacity
	return c
}
