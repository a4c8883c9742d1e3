package report

import (
	"math"
	"slices"
	"testing"
)

// One rival far from all others does not take the room of their plots: its dots are left out,
// and the table says so.
func TestPlotIsCut(t *testing.T) {
	near := []float64{0, 0, 0, 0, 0.5, -1, 1, 0.25}
	if got := bulk(append(near, -30, math.NaN())); !slices.Equal(got[:8], near) || len(got) != 9 {
		t.Errorf("of %v and -30 are left %v", near, got)
	}
	if got := bulk([]float64{0, 0, 0}); len(got) != 3 {
		t.Errorf("of zeros are left %v", got)
	}
	x := newAxis(bulk(near), func(float64) string { return "" })
	far := strip{mean: -30, low: -31, high: -29, dots: []dot{{value: -30}, {value: 0.5}}}
	table := table{axis: &x}
	table.plot(strip{mean: 0, low: -1, high: 1, dots: []dot{{value: 1}}})
	if len(table.notes) != 0 {
		t.Errorf("notes %q of a plot with all in it", table.notes)
	}
	table.plot(far)
	table.plot(far)
	if v := far.view(x); len(table.notes) != 1 || len(v.Dots) != 1 || v.Mean != "" || v.Low == "" {
		t.Errorf("notes %q, and %d dots, mean %q, interval from %q", table.notes, len(v.Dots), v.Mean, v.Low)
	}
}
