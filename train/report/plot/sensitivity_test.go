package plot

import (
	"strings"
	"testing"
)

// The axis of rates has the whole decades that hold all points, that of shares
// all shares.
func TestSensitivity(t *testing.T) {
	f := Sensitivity("a", "x", "y", []Curve{{Name: "a", X: []float64{0.0002, 0.03}, Y: []float64{0.9, 0.95}}})
	if x, y := f.plot.X, f.plot.Y; x.Min != -4 || x.Max != -1 || y.Min != 0 || y.Max != 1 {
		t.Errorf("axes from 1e%g to 1e%g and from %g to %g, want 1e-4 to 0.1 and 0 to 1", x.Min, x.Max, y.Min, y.Max)
	}
	if drawn := strings.Join(texts(svg(t, f)), " "); !strings.Contains(drawn, "1e−4") || !strings.Contains(drawn, "1e−1") {
		t.Errorf("the ends of the axis have no label: %s", drawn)
	}
	for name, curves := range map[string][]Curve{"no curve": nil, "one point": {{Name: "a", X: []float64{1}, Y: []float64{0}}}} {
		if s := svg(t, Sensitivity(name, "x", "y", curves)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s: a place is not a number", name)
		}
	}
}
