package plot

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ink is the colour of text, axes and the baseline: black on paper, and in a page
// that of its text (see Figure.SVG).
var ink = color.Gray{Y: 0}

// gridGray is seen on white and on black.
var gridGray = color.NRGBA{R: 128, G: 128, B: 128, A: 72}

// palette returns the colours of the arms, the baseline's first. They are ink and
// those colours of Okabe and Ito ("Color universal design", 2008) that are seen on
// white and on black, in the order of their contrast.
func palette() []color.NRGBA {
	return []color.NRGBA{
		{A: 255},                         // ink
		{R: 0, G: 114, B: 178, A: 255},   // blue
		{R: 213, G: 94, B: 0, A: 255},    // vermillion
		{R: 0, G: 158, B: 115, A: 255},   // bluish green
		{R: 204, G: 121, B: 167, A: 255}, // reddish purple
		{R: 230, G: 159, B: 0, A: 255},   // orange
		{R: 86, G: 180, B: 233, A: 255},  // sky blue
	}
}

// armColor returns the colour of an arm; from the eighth arm on they repeat.
func armColor(arm int) color.NRGBA {
	colors := palette()
	return colors[arm%len(colors)]
}

// armDashes returns the dashes of an arm's line. Their number and that of the colours
// have no common divisor, so that arms share both only from the 36th on.
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

// hex writes a colour as vgsvg does: without its opacity, which nevertheless moves
// its last digit, because it goes through premultiplied values.
func hex(c color.NRGBA) string {
	r, g, b, a := c.RGBA()
	scale := 255.0 / float64(a)
	return fmt.Sprintf("#%02X%02X%02X", int(float64(r)*scale), int(float64(g)*scale), int(float64(b)*scale))
}
