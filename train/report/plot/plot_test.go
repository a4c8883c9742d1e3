package plot

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// svg returns a figure as text, which must be well-formed.
func svg(t *testing.T, f *Figure) string {
	t.Helper()
	canvas := vgsvg.New(f.size())
	f.draw(draw.New(canvas))
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := decoder.Token(); err == io.EOF {
			return b.String()
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, b.String())
		}
	}
}

// texts returns the words of a drawing.
func texts(s string) []string {
	var list []string
	for _, match := range regexp.MustCompile(`(?s)<text[^>]*>([^<]*)</text>`).FindAllStringSubmatch(s, -1) {
		list = append(list, match[1])
	}
	return list
}

func differences(values ...float64) *Figure {
	return Differences("loss", "difference", []Group{{Name: "a − b (n = 3)", Arm: 1, Values: values, Mean: values[0], Low: math.NaN(), High: math.NaN()}})
}

// The axis of differences has zero among its ticks wherever the differences are.
func TestDifferencesIncludeZero(t *testing.T) {
	for _, values := range [][]float64{{5, 5.1, 5.2}, {-5, -5.1, -5.2}, {0, 0, 0}, {1e-9, 2e-9}, {62.5, 60, 70}, {1e300, 9e299}, {-3, 4}} {
		zero := false
		for _, text := range texts(svg(t, differences(values...))) {
			v, err := strconv.ParseFloat(text, 64)
			zero = zero || err == nil && v == 0
		}
		if !zero {
			t.Errorf("differences %v: no zero on the axis", values)
		}
	}
}

// Every value is a dot: the mean and the dots are the only circles, of two arcs each.
func TestDifferencesDrawEveryValue(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 5, 5}
	if got := len(regexp.MustCompile(`A[0-9]`).FindAllString(svg(t, differences(values...)), -1)); got != 2*(len(values)+1) {
		t.Errorf("%d arcs, want 2 for each of %d values and the mean", got, len(values))
	}
}

func TestCurvesStartAtZero(t *testing.T) {
	f := Curves("accuracy", "epoch", "accuracy", []Curve{{Name: "adamw (n = 2)", X: []float64{1, 2}, Y: []float64{0.9, 0.91}, Low: []float64{0.89, 0.9}, High: []float64{0.91, 0.92}}})
	svg(t, f)
	if x, y := f.plot.X, f.plot.Y; x.Min != 0 || y.Min != 0 || x.Max != 2 || y.Max != 1 {
		t.Errorf("axes from %g to %g and from %g to %g, want 0 to 2 and 0 to 1", x.Min, x.Max, y.Min, y.Max)
	}
	for name, curves := range map[string][]Curve{
		"no curve": nil, "one point": {{Name: "a", X: []float64{1}, Y: []float64{2}}}, "zeros": {{Name: "a", X: []float64{1, 2}, Y: []float64{0, 0}}},
	} {
		if s := svg(t, Curves(name, "x", "y", curves)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s: a place is not a number", name)
		}
	}
}

// Both logarithmic axes have the whole decades that hold all points, with ticks.
func TestLogLog(t *testing.T) {
	f := LogLog("a", "x", "y", []Curve{{Name: "a", X: []float64{0.02, 3}, Y: []float64{0.5, 40}}})
	if x, y := f.plot.X, f.plot.Y; x.Min != -2 || x.Max != 2 || y.Min != x.Min || y.Max != x.Max {
		t.Errorf("axes from 1e%g to 1e%g and from 1e%g to 1e%g, want 0.01 to 100 both", x.Min, x.Max, y.Min, y.Max)
	}
	drawn := strings.Join(texts(svg(t, f)), " ")
	for _, label := range []string{"1e−2", "1e0", "1e2"} {
		if strings.Count(drawn, label) != 2 {
			t.Errorf("label %s is not on both axes: %s", label, drawn)
		}
	}
	if s := svg(t, LogLog("no curve", "x", "y", nil)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Error("a place is not a number")
	}
	if ticks := (decadeTicks{}).Ticks(-20, 3); len(ticks) > 8 {
		t.Errorf("%d ticks", len(ticks))
	}
}

// WCAG 2.1 asks for a contrast of 3 to 1 of graphics with their background.
func TestContrast(t *testing.T) {
	luminance := func(r, g, b uint8) float64 {
		linear := func(v uint8) float64 {
			c := float64(v) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
	}
	contrast := func(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
	white := luminance(255, 255, 255)
	for arm, c := range palette() {
		l := luminance(c.R, c.G, c.B)
		if contrast(l, white) < 3 {
			t.Errorf("arm %d has a contrast of %.2f on white", arm, contrast(l, white))
		}
	}
}

func TestForeignText(t *testing.T) {
	const name = `<b x="1">style="fill:#000000" & '</b>`
	s := svg(t, Curves(name, name, name, []Curve{{Name: name, X: []float64{1}, Y: []float64{1}}}))
	if strings.Contains(s, "<b") {
		t.Errorf("a name is markup in:\n%s", s)
	}
}

func TestLongNamesFit(t *testing.T) {
	name := strings.Repeat("optimizer:lr=0.001,", 20)
	style := textStyle(sans(10.5))
	fitted := fit(name, sans(10.5), 300)
	if style.Width(fitted) > 300 || !strings.Contains(fitted, "…") || !strings.HasPrefix(fitted, "optimizer") || !strings.HasSuffix(fitted, ",") {
		t.Errorf("%q is %g wide", fitted, style.Width(fitted).Points())
	}
	if got := fit("adamw", sans(10.5), 300); got != "adamw" {
		t.Errorf("a short name becomes %q", got)
	}
}

func TestRoundTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{0, 8, "0 2 4 6 8"},
		{-0.115, 0.035, "−0.10 −0.05 0.00"},
		{-1, 68, "0 20 40 60"},
		{0, 1000, "0 200 400 600 800 1000"},
		{0, 3e-8, "0 5e-09 1e-08 1.5e-08 2e-08 2.5e-08 3e-08"},
		{-2e7, 1e7, "−2e+07 −1.5e+07 −1e+07 −5e+06 0 5e+06 1e+07"},
		{3e-5, 9e-5, "0.00003 0.00004 0.00005 0.00006 0.00007 0.00008 0.00009"},
	} {
		var labels []string
		for _, tick := range (roundTicks{}).Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("ticks from %g to %g: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestPNG(t *testing.T) {
	f := Curves("targets", "ratio", "share", []Curve{{Name: "adamw", X: []float64{1, 2, 4}, Y: []float64{0, 0.5, 1}}})
	var b bytes.Buffer
	if err := f.PNG(&b); err != nil {
		t.Fatal(err)
	}
	image, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if w, _ := f.size(); image.Bounds().Dx() != int(w.Points())*pngDPI/72 {
		t.Errorf("%d pixels wide, want %g points at %d DPI", image.Bounds().Dx(), w.Points(), pngDPI)
	}
	if r, g, b, a := image.At(0, 0).RGBA(); r+g+b+a != 4*0xffff {
		t.Error("the background is not white")
	}
}

// A heat map has a number in each tile, rows from the top and columns from the left, and none where
// there is no value. The largest is the darkest.
func TestHeatMap(t *testing.T) {
	drawn := svg(t, HeatMap("accuracy", "smoothing", []string{"adam", "adamw"}, []string{"0.1", "0.2"}, [][]float64{{0.25, 0.5}, {math.NaN(), 0.75}}))
	if got := texts(drawn); len(got) != 9 {
		t.Errorf("texts %q, want title, axis, 4 names and 3 numbers", got)
	}
	place := func(text string) (x, y float64) {
		match := regexp.MustCompile(`(?s)<text x="([^"]*)" y="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `</text>`).FindStringSubmatch(drawn)
		if match == nil {
			t.Fatalf("no %q in:\n%s", text, drawn)
		}
		x, _ = strconv.ParseFloat(match[1], 64)
		y, _ = strconv.ParseFloat(match[2], 64)
		return x, y
	}
	x25, y25 := place("0.25")
	x5, y5 := place("0.5")
	x75, y75 := place("0.75")
	if !(x25 < x5 && math.Abs(x5-x75) < 5 && y25 == y5 && y75 > y5) { // texts are in coordinates upside down: the first row is above
		t.Errorf("numbers at %g, %g; %g, %g; %g, %g", x25, y25, x5, y5, x75, y75)
	}
	var opacities []string
	for _, match := range regexp.MustCompile(`fill-opacity:([0-9.]+)`).FindAllStringSubmatch(drawn, -1) {
		opacities = append(opacities, match[1])
	}
	if len(opacities) != 3 || !slices.IsSorted(opacities) || opacities[0] == opacities[2] {
		t.Errorf("opacities of the tiles %q", opacities)
	}
}

// Bars stand on zero, of a height in proportion to the values; without a value there is none.
func TestBars(t *testing.T) {
	f := Bars("accuracy", "accuracy", []string{"a", "b"}, []Bar{
		{Name: "adam", Values: []float64{1, 2}, Spread: []float64{0.5, math.NaN()}}, {Name: "sgd", Arm: 1, Values: []float64{math.NaN(), 4}, Spread: []float64{math.NaN(), 1}}})
	if y := f.plot.Y; y.Min != 0 || y.Max != 1.04*5 {
		t.Errorf("axis from %g to %g, want 0 to 5.2", y.Min, y.Max)
	}
	var heights []float64
	for _, match := range regexp.MustCompile(`<path d="M([-0-9.]+),([-0-9.]+)L([-0-9.]+),([-0-9.]+)L([-0-9.]+),([-0-9.]+)L([-0-9.]+),([-0-9.]+)Z?"`).FindAllStringSubmatch(svg(t, f), -1) {
		bottom, _ := strconv.ParseFloat(match[2], 64)
		top, _ := strconv.ParseFloat(match[6], 64)
		heights = append(heights, math.Abs(top-bottom))
	}
	if len(heights) != 3 || math.Abs(heights[1]/heights[0]-2) > 0.01 || math.Abs(heights[2]/heights[0]-4) > 0.01 {
		t.Errorf("heights %v, want three like 1, 2 and 4", heights)
	}
	svg(t, Bars("none", "", nil, nil))
}
