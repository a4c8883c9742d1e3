package rulefile

import (
	"math"
	"slices"
	"testing"
)

func TestCoefficients(t *testing.T) {
	// One column each for: t with epoch, lr, and the carries; the tables; the constants.
	p := compiled(t, `key square = 9 in [1, inf) whole "power"
carry total = 1
total += lr if t > 1
value = t + 10 * epoch + 100 * epochs
m = value * g + lr * g + total * g + where(epoch > 1, g, 1)
w -= m * (numel + 10 * rank) + where(rank > 1, w, 0) + square^2 * m + steps * (lr0 * w) + f32(0.1) * g
`, nil, NoDiagonal)
	run := Run{Keys: map[string]float64{"square": 3, "lr": 0.5}, Rates: []float64{0.25, 0.5, 0.125}, StepsPerEpoch: 2, Tensors: []Shape{{6, 2}, {5, 1}}}
	c, err := p.Coefficients(run)
	if err != nil {
		t.Fatal(err)
	}
	// 211, 212 and 223 are t, epoch and epochs; the third step is of the second epoch.
	if want := []float32{211, 0.25, 1, 0, 212, 0.5, 1.5, 0, 223, 0.125, 1.625, 1}; !slices.Equal(c.Steps, want) {
		t.Errorf("steps %v, want %v", c.Steps, want)
	}
	if want := []float32{26, 1, 15, 0}; !slices.Equal(c.Tables, want) {
		t.Errorf("tables %v, want %v", c.Tables, want)
	}
	if want := []float32{9, 0.5, 3}; !slices.Equal(c.Constants, want) {
		t.Errorf("constants %v, want %v", c.Constants, want)
	}
	for _, c := range []struct {
		change func(*Run)
		want   string
	}{
		{func(r *Run) { r.Keys = map[string]float64{"squire": 1} }, `rule my has no number key "squire": did you mean "square"?`},
		{func(r *Run) { r.Keys = map[string]float64{"square": 0.5} }, `rule my: key square: 0.5 is not in [1, inf)`},
		{func(r *Run) { r.Keys = map[string]float64{"square": 1.5} }, `rule my: key square: 1.5 is not a whole number`},
		{func(r *Run) { r.Keys = map[string]float64{"lr": math.NaN()} }, `rule my: key lr: NaN is not in (0, inf)`},
		{func(r *Run) { r.Keys = map[string]float64{"lr": 1e-50} }, `rule my: key lr: 1e-50 is 0 in float32, not in (0, inf)`},
		{func(r *Run) { r.StepsPerEpoch = 0 }, `an epoch of 0 steps: give at least 1`},
		{func(r *Run) { r.Tensors = []Shape{{6, 1}, {}} }, `tensor 1 has no elements`},
	} {
		changed := run
		c.change(&changed)
		if _, err := p.Coefficients(changed); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
